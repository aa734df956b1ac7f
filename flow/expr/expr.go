package expr

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/optimizer"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"

	"github.com/callbin/callbin/action"
)

// Limits of a condition.
const (
	MaxSource  = 1 << 10 // bytes
	MaxNesting = 32      // of brackets
	MaxNodes   = 256     // names, values and operators; a dot counts as two
	MaxPattern = 512     // characters of its regular expressions, repeated ones as often as they repeat
	MaxMemory  = 1 << 10 // elements of lists that a run makes
)

// Error is what is wrong with a condition, and where.
type Error struct {
	Line, Column int // from 1, in characters
	Message      string
}

// Error is one line.
func (e *Error) Error() string { return fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Message) }

// Expressions compiles conditions. The zero value is ready, and safe for concurrent use.
type Expressions struct{}

var _ action.Expressions = Expressions{}

// Compile returns the condition that source is; the package's documentation has the
// language. The error is an *Error.
func (Expressions) Compile(source string) (action.Expression, error) {
	if err := scan(source); err != nil {
		return nil, err
	}
	cfg := conf.CreateNew()
	cfg.MaxNodes = MaxNodes
	tree, err := parser.ParseWithConfig(source, cfg)
	if err != nil {
		return nil, foreign(source, err)
	}
	t := newTranslator(source)
	tree.Node, err = t.condition(tree.Node)
	if err != nil {
		return nil, err
	}
	for _, option := range []expr.Option{
		expr.Env(t.env()), expr.AsBool(),
		expr.Function(numberFunc, number, numberTypes...), expr.Function(modFunc, mod, modTypes...),
	} {
		option(cfg)
	}
	if _, err := checker.Check(tree, cfg); err != nil {
		return nil, foreign(source, err)
	}
	if err := optimizer.Optimize(&tree.Node, cfg); err != nil {
		return nil, foreign(source, err)
	}
	program, err := compiler.Compile(tree, cfg)
	if err != nil {
		return nil, foreign(source, err)
	}
	return &condition{program: program, reads: t.reads, values: t.values, known: t.known}, nil
}

// scan looks at what has to be right before the source may be parsed.
func scan(source string) error {
	switch {
	case !utf8.ValidString(source):
		return &Error{1, 1, "the condition is not valid UTF-8"}
	case len(source) > MaxSource:
		return &Error{1, 1, fmt.Sprintf("the condition has %d bytes, at most %d", len(source), MaxSource)}
	case strings.TrimSpace(source) == "":
		return &Error{1, 1, "the condition is empty"}
	}
	if at := strings.Index(source, "${"); at >= 0 {
		return errorAt(source, utf8.RuneCountInString(source[:at]), "a variable stands without ${}: by its name, or as var(\"name\")")
	}
	depth, quote, escaped := 0, rune(0), false
	for i, r := range []rune(source) {
		switch {
		case escaped:
			escaped = false
		case quote != 0:
			escaped = r == '\\' && quote != '`'
			if r == quote {
				quote = 0
			}
		case strings.ContainsRune("\"'`", r):
			quote = r
		case strings.ContainsRune("([{", r):
			if depth++; depth > MaxNesting {
				return errorAt(source, i, fmt.Sprintf("brackets stand within brackets more than %d deep", MaxNesting))
			}
		case strings.ContainsRune(")]}", r):
			depth--
		}
	}
	return nil
}

// errorAt makes an error at a place, counted in characters from the start of the source.
func errorAt(source string, at int, message string) *Error {
	e := &Error{Line: 1, Column: 1, Message: message}
	for i, r := range []rune(source) {
		if i == at {
			break
		}
		e.Column++
		if r == '\n' {
			e.Line, e.Column = e.Line+1, 1
		}
	}
	return e
}

// foreign is what expr found, in one line.
func foreign(source string, err error) error {
	f, ok := errors.AsType[*file.Error](err)
	if !ok {
		first, _, _ := strings.Cut(err.Error(), "\n")
		return &Error{1, 1, first}
	}
	message := strings.Join(strings.Fields(f.Message), " ")
	switch {
	case strings.Contains(message, "exceeds maximum allowed nodes"):
		message = fmt.Sprintf("the condition has more than %d names, values and operators", MaxNodes)
	case strings.Contains(message, `token Operator("=")`):
		message += ": == is what compares"
	case strings.Contains(message, "token EOF"):
		message = "the condition ends too early"
	}
	return errorAt(source, f.From, message)
}

// condition is a compiled one.
type condition struct {
	program *vm.Program
	reads   []string
	values  map[string]string // name of a variable whose value is read: key for the program
	known   map[string]string // name of a variable of which it is asked whether it is there: key
}

// Reads are the names of the variables that it looks at, in the order of the source.
func (c *condition) Reads() []string { return append([]string(nil), c.reads...) }

// Holds tells whether it is true. Each variable is looked up once, before. An error is about a
// text that is no number.
func (c *condition) Holds(lookup func(name string) (string, bool)) (bool, error) {
	env := make(map[string]any, len(c.values)+len(c.known))
	for _, name := range c.reads {
		value, ok := lookup(name)
		if key := c.values[name]; key != "" {
			env[key] = value
		}
		if key := c.known[name]; key != "" {
			env[key] = ok
		}
	}
	machine := vm.VM{MemoryBudget: MaxMemory}
	holds, err := machine.Run(c.program, env)
	if err != nil {
		if f, ok := errors.AsType[*file.Error](err); ok {
			err = f.Prev
			if err == nil {
				err = errors.New(f.Message)
			}
		}
		return false, fmt.Errorf("flow/expr: %w", err)
	}
	return holds.(bool), nil // expr.AsBool sees to it
}
