package expr

import (
	"fmt"
	"maps"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/callbin/callbin/action"
)

// kind is what a part of a condition is.
type kind string

const (
	text  kind = "a text"
	num   kind = "a number"
	truth kind = "true or false"
)

// translator makes the tree that expr parsed one of our language: it lets through what the
// language has, each part of a known kind, and makes each variable one name of the environment. The tree
// that comes in is not changed.
type translator struct {
	source   string
	reads    []string
	values   map[string]string // see condition
	known    map[string]string
	seen     map[ast.Node]bool
	patterns int // size of regular expressions
}

func newTranslator(source string) *translator {
	return &translator{
		source: source,
		values: make(map[string]string),
		known:  make(map[string]string),
		seen:   make(map[ast.Node]bool),
	}
}

// env is what the program finds at run time, by type.
func (t *translator) env() map[string]any {
	env := make(map[string]any)
	for _, key := range t.values {
		env[key] = ""
	}
	for _, key := range t.known {
		env[key] = false
	}
	return env
}

func (t *translator) errorf(n ast.Node, format string, args ...any) error {
	return errorAt(t.source, n.Location().From, fmt.Sprintf(format, args...))
}

// condition translates the whole.
func (t *translator) condition(n ast.Node) (ast.Node, error) {
	return t.as(truth, n, "a condition")
}

// as translates n, which has to be of kind k for what it is used for.
func (t *translator) as(k kind, n ast.Node, use string) (ast.Node, error) {
	m, got, err := t.node(n)
	switch {
	case err != nil:
		return nil, err
	case got == k:
		return m, nil
	case k == num && got == text:
		return nil, t.errorf(n, "%s is a text, and %s needs a number: write number(%[1]s)", short(n), use)
	default:
		return nil, t.errorf(n, "%s is %s, and %s needs %s", short(n), got, use, k)
	}
}

// at gives a new node the place of an old one.
func at[N ast.Node](old ast.Node, n N) N {
	n.SetLocation(old.Location())
	return n
}

func (t *translator) node(n ast.Node) (ast.Node, kind, error) {
	if t.seen[n] { // the parser has it stand twice, which doubles with each level
		return nil, "", t.errorf(n, "comparisons cannot be chained: a < b && b < c")
	}
	t.seen[n] = true
	if name, ok := variable(n); ok {
		return t.variable(n, name), text, nil
	}
	switch n := n.(type) {
	case *ast.StringNode:
		return at(n, &ast.StringNode{Value: n.Value}), text, nil
	case *ast.IntegerNode:
		return at(n, &ast.FloatNode{Value: float64(n.Value)}), num, nil
	case *ast.FloatNode:
		return at(n, &ast.FloatNode{Value: n.Value}), num, nil
	case *ast.BoolNode:
		return at(n, &ast.BoolNode{Value: n.Value}), truth, nil
	case *ast.UnaryNode:
		return t.unary(n)
	case *ast.BinaryNode:
		return t.binary(n)
	case *ast.ConditionalNode:
		return t.choice(n)
	case *ast.CallNode:
		if callee, ok := n.Callee.(*ast.IdentifierNode); ok {
			return t.call(n, callee.Value, n.Arguments)
		}
		return nil, "", t.errorf(n, "only functions can be called")
	case *ast.BuiltinNode:
		return t.call(n, n.Name, n.Arguments)
	case *ast.ArrayNode:
		return nil, "", t.errorf(n, "a list can only stand behind in")
	case *ast.NilNode:
		return nil, "", t.errorf(n, "there is no nil: a variable that there is not is \"\", and has(name) is false")
	case *ast.MemberNode, *ast.ChainNode, *ast.SliceNode:
		return nil, "", t.errorf(n, "only the name of a variable has dots in it, and no brackets")
	default: // not shown: as text, what stands twice in it doubles with each level
		return nil, "", t.errorf(n, "this is not part of the language: there are texts, numbers, true, false and variables")
	}
}

// variable returns the name of the variable that n is: an identifier with the names behind its dots.
func variable(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		return n.Value, true
	case *ast.MemberNode:
		property, ok := n.Property.(*ast.StringNode)
		if !ok || n.Optional {
			return "", false
		}
		name, ok := variable(n.Node)
		return name + "." + property.Value, ok
	}
	return "", false
}

func (t *translator) read(name string) {
	if !slices.Contains(t.reads, name) {
		t.reads = append(t.reads, name)
	}
}

func (t *translator) variable(old ast.Node, name string) ast.Node {
	t.read(name)
	t.values[name] = "value of " + name
	return at(old, &ast.IdentifierNode{Value: t.values[name]})
}

func (t *translator) unary(n *ast.UnaryNode) (ast.Node, kind, error) {
	k, op := num, n.Operator
	if op == "!" || op == "not" {
		k = truth
	}
	inner, err := t.as(k, n.Node, op)
	return at(n, &ast.UnaryNode{Operator: op, Node: inner}), k, err
}

func (t *translator) binary(n *ast.BinaryNode) (ast.Node, kind, error) {
	switch n.Operator {
	case "&&", "and", "||", "or":
		return t.both(n, truth, truth)
	case "+", "-", "*", "/":
		return t.both(n, num, num)
	case "%":
		m, k, err := t.both(n, num, num)
		if err != nil {
			return nil, "", err
		}
		b := m.(*ast.BinaryNode)
		return callOf(n, modFunc, b.Left, b.Right), k, nil
	case "contains", "startsWith", "endsWith":
		return t.both(n, text, truth)
	case "matches":
		if err := t.pattern(n.Right); err != nil {
			return nil, "", err
		}
		return t.both(n, text, truth)
	case "==", "!=", "<", "<=", ">", ">=":
		return t.compare(n)
	case "in":
		return t.in(n)
	default:
		return nil, "", t.errorf(n, "there is no operator %s", n.Operator)
	}
}

// both translates an operator with two sides of one kind.
func (t *translator) both(n *ast.BinaryNode, sides, result kind) (ast.Node, kind, error) {
	if l, ok := variable(n.Left); ok && n.Operator == "-" {
		if r, ok := variable(n.Right); ok {
			return nil, "", t.errorf(n, "- is between two texts: a name with - in it is written var(%q)", l+"-"+r)
		}
	}
	left, err := t.as(sides, n.Left, n.Operator)
	if err != nil {
		return nil, "", err
	}
	right, err := t.as(sides, n.Right, n.Operator)
	return at(n, &ast.BinaryNode{Operator: n.Operator, Left: left, Right: right}), result, err
}

func (t *translator) compare(n *ast.BinaryNode) (ast.Node, kind, error) {
	left, l, err := t.node(n.Left)
	if err != nil {
		return nil, "", err
	}
	right, r, err := t.node(n.Right)
	if err != nil {
		return nil, "", err
	}
	if err := t.same(n, n.Left, l, n.Right, r); err != nil {
		return nil, "", err
	}
	if l == truth && n.Operator != "==" && n.Operator != "!=" {
		return nil, "", t.errorf(n, "%s does not compare true and false", n.Operator)
	}
	return at(n, &ast.BinaryNode{Operator: n.Operator, Left: left, Right: right}), truth, nil
}

// same tells what to do where two values that are compared are of two kinds.
func (t *translator) same(at, left ast.Node, l kind, right ast.Node, r kind) error {
	switch {
	case l == r:
		return nil
	case l == text && r == num:
		return t.errorf(at, "%s is a text and %s a number: write number(%s)", short(left), short(right), short(left))
	case l == num && r == text:
		return t.errorf(at, "%s is a number and %s a text: write number(%s)", short(left), short(right), short(right))
	case l == text && r == truth:
		return t.errorf(at, "%s is a text: compare it with \"true\" or \"false\" in quotes", short(left))
	case l == truth && r == text:
		return t.errorf(at, "%s is a text: compare it with \"true\" or \"false\" in quotes", short(right))
	default:
		return t.errorf(at, "%s is %s and %s %s: they cannot be compared", short(left), l, short(right), r)
	}
}

func (t *translator) in(n *ast.BinaryNode) (ast.Node, kind, error) {
	list, ok := n.Right.(*ast.ArrayNode)
	if !ok {
		return nil, "", t.errorf(n, "behind in stands a list: [\"a\", \"b\"]; contains looks into a text")
	}
	left, l, err := t.node(n.Left)
	if err != nil {
		return nil, "", err
	}
	var elems []ast.Node
	for _, e := range list.Nodes {
		m, k, err := t.node(e)
		if err == nil {
			err = t.same(e, n.Left, l, e, k)
		}
		if err != nil {
			return nil, "", err
		}
		elems = append(elems, m)
	}
	return at(n, &ast.BinaryNode{Operator: "in", Left: left, Right: at(list, &ast.ArrayNode{Nodes: elems})}), truth, nil
}

// pattern checks a regular expression: what it costs is its size, times the text it looks at.
func (t *translator) pattern(n ast.Node) error {
	s, ok := n.(*ast.StringNode)
	if !ok {
		return t.errorf(n, "behind matches stands a regular expression in quotes")
	}
	re, err := syntax.Parse(s.Value, syntax.Perl)
	if err != nil {
		return t.errorf(n, "%v", err)
	}
	if t.patterns += size(re); t.patterns > MaxPattern {
		return t.errorf(n, "the regular expressions are too large: %d characters, repeats counted, at most %d", t.patterns, MaxPattern)
	}
	return nil
}

// size is about how many instructions re compiles to.
func size(re *syntax.Regexp) int {
	n := 1
	switch re.Op {
	case syntax.OpLiteral:
		n = len(re.Rune)
	case syntax.OpRepeat:
		n = 0
	}
	for _, sub := range re.Sub {
		n += size(sub)
	}
	if re.Op == syntax.OpRepeat { // Max is -1 where there is none
		n *= max(re.Min, re.Max, 1)
	}
	return n
}

func (t *translator) choice(n *ast.ConditionalNode) (ast.Node, kind, error) {
	cond, err := t.as(truth, n.Cond, "?")
	if err != nil {
		return nil, "", err
	}
	yes, k, err := t.node(n.Exp1)
	if err != nil {
		return nil, "", err
	}
	no, err := t.as(k, n.Exp2, "this side of :")
	return at(n, &ast.ConditionalNode{Ternary: n.Ternary, Cond: cond, Exp1: yes, Exp2: no}), k, err
}

// signature says what a function takes; the last of many may stand any number of times.
type signature struct {
	args   []kind
	many   bool
	result kind
}

// functions are those of expr that the language has.
var functions = map[string]signature{
	"lower":       {[]kind{text}, false, text},
	"upper":       {[]kind{text}, false, text},
	"trim":        {[]kind{text}, false, text},
	"trimPrefix":  {[]kind{text, text}, false, text},
	"trimSuffix":  {[]kind{text, text}, false, text},
	"len":         {[]kind{text}, false, num},
	"indexOf":     {[]kind{text, text}, false, num},
	"lastIndexOf": {[]kind{text, text}, false, num},
	"abs":         {[]kind{num}, false, num},
	"ceil":        {[]kind{num}, false, num},
	"floor":       {[]kind{num}, false, num},
	"round":       {[]kind{num}, false, num},
	"min":         {[]kind{num}, true, num},
	"max":         {[]kind{num}, true, num},
}

func (t *translator) call(n ast.Node, name string, args []ast.Node) (ast.Node, kind, error) {
	switch name {
	case "var", "has":
		return t.named(n, name, args)
	case "number":
		return t.number(n, args)
	}
	sig, ok := functions[name]
	if !ok {
		known := append(slices.Collect(maps.Keys(functions)), "var", "has", "number")
		return nil, "", t.errorf(n, "there is no function %s%s", name, action.Suggest(name, known, "there are"))
	}
	if len(args) < len(sig.args) || len(args) > len(sig.args) && !sig.many {
		return nil, "", t.errorf(n, "%s takes %d values, not %d", name, len(sig.args), len(args))
	}
	var translated []ast.Node
	for i, a := range args {
		m, err := t.as(sig.args[min(i, len(sig.args)-1)], a, name)
		if err != nil {
			return nil, "", err
		}
		translated = append(translated, m)
	}
	return at(n, &ast.BuiltinNode{Name: name, Arguments: translated}), sig.result, nil
}

// named translates var(name) and has(name): which variables are read is known beforehand.
func (t *translator) named(n ast.Node, function string, args []ast.Node) (ast.Node, kind, error) {
	name := ""
	if len(args) == 1 {
		if s, ok := args[0].(*ast.StringNode); ok {
			name = s.Value
		} else if v, ok := variable(args[0]); ok && function == "has" {
			name = v
		}
	}
	if name == "" {
		return nil, "", t.errorf(n, "%s takes the name of a variable in quotes", function)
	}
	if function == "var" {
		return t.variable(n, name), text, nil
	}
	t.read(name)
	t.known[name] = "whether there is " + name
	return at(n, &ast.IdentifierNode{Value: t.known[name]}), truth, nil
}

func (t *translator) number(n ast.Node, args []ast.Node) (ast.Node, kind, error) {
	if len(args) != 1 && len(args) != 2 {
		return nil, "", t.errorf(n, "number takes a text, and perhaps what stands in for one that is no number")
	}
	what, err := t.as(text, args[0], "number")
	if err != nil {
		return nil, "", err
	}
	to := []ast.Node{what, at(n, &ast.StringNode{Value: short(args[0])})}
	if len(args) == 2 {
		other, err := t.as(num, args[1], "number")
		if err != nil {
			return nil, "", err
		}
		to = append(to, other)
	}
	return callOf(n, numberFunc, to...), num, nil
}

// callOf calls one of our own functions.
func callOf(old ast.Node, function string, args ...ast.Node) ast.Node {
	return at(old, &ast.CallNode{Callee: at(old, &ast.IdentifierNode{Value: function}), Arguments: args})
}

// short is a part of a condition as a message names it.
func short(n ast.Node) string {
	s := strings.Join(strings.Fields(n.String()), " ")
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "..."
	}
	return s
}
