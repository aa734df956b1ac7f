package action

import (
	"fmt"
	"slices"
	"strings"
)

// Checker is an Action that looks at its options when the flow is loaded: what is
// missing, out of range, or contradicts itself. Strings still hold their variables
// (HasVar): leave those for Run. Check must not block.
type Checker interface {
	Check(c *CheckContext)
}

// Needer is an Action that tells what it needs of the engine: Need, and warnings about
// what the engine will not do well. It is asked when a flow is checked against an
// engine's Abilities, and may take a moment.
type Needer interface {
	Needs(c *CheckContext)
}

// Nested is an Action with options that hold a flow, or a list of actions, of their own.
// NestedOptions returns the keys of those that are given. What stands in them is
// checked along with the flow around it, with ids of its own.
type Nested interface {
	NestedOptions() []string
}

// CheckContext takes what a Checker or Needer finds. It is used by one goroutine.
type CheckContext struct {
	Dir string // folder of the flow's file; may be empty

	option   *Node
	problems Problems
	targets  []Target
	needs    []Ability

	anyTarget bool
}

// Target is the id of another action that a step may go to.
type Target struct {
	ID     string
	Offset int
	Path   string
}

// NewCheckContext is for the one who runs checks; option is the step's option node, or
// a node near it where there is none.
func NewCheckContext(dir string, option *Node) *CheckContext {
	return &CheckContext{Dir: dir, option: option}
}

// Problems returns what was found so far.
func (c *CheckContext) Problems() Problems { return c.problems }

// Targets returns the ids that were named so far.
func (c *CheckContext) Targets() []Target { return c.targets }

// AnyTarget tells whether a target has variables in it, so that it may be any action.
func (c *CheckContext) AnyTarget() bool { return c.anyTarget }

// Abilities returns what was needed so far.
func (c *CheckContext) Abilities() []Ability { return c.needs }

// Need says that the action cannot run on an engine without a.
func (c *CheckContext) Need(a Ability) { c.needs = append(c.needs, a) }

// At is a place in the option: keys of objects and indexes of lists, from the outside in.
func (c *CheckContext) At(path ...any) Spot { return Spot{c: c, path: path} }

// Spot is a place in an action's option.
type Spot struct {
	c    *CheckContext
	path []any
}

func (s Spot) String() string {
	var b strings.Builder
	for _, p := range s.path {
		switch p := p.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", p)
		default:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			fmt.Fprint(&b, p)
		}
	}
	return b.String()
}

// CheckAction asks the tags of a's options, and a itself where it is a Checker.
func CheckAction(c *CheckContext, a Action) {
	for _, o := range OptionsOf(a) {
		o.check(c, []any{o.Name}, o.In(a))
	}
	if checker, ok := a.(Checker); ok {
		checker.Check(c)
	}
}

// node is what stands there, or nil.
func (s Spot) node() *Node {
	n := s.c.option
	for _, p := range s.path {
		if n = n.child(p); n == nil {
			return nil
		}
	}
	return n
}

// given tells whether something stands there.
func (s Spot) given() bool {
	n := s.node()
	return n != nil && n.Kind != Null
}

// HasVar tells whether what stands there holds variables: its value is known at run time only.
func (s Spot) HasVar() bool {
	n := s.node()
	return n != nil && n.hasVar()
}

func (s Spot) offset() int {
	if s.c.option == nil {
		return 0
	}
	return s.c.option.at(s.path).Start
}

func (s Spot) add(rule string, warning bool, format string, args ...any) {
	path := s.String()
	message := fmt.Sprintf(format, args...)
	if path != "" {
		message = fmt.Sprintf("option %q %s", path, message)
	}
	s.c.problems = append(s.c.problems, Problem{Rule: rule, Warning: warning, Offset: s.offset(), Path: path, Message: message})
}

// Errorf tells of a fault that makes the flow unusable. The message goes on after the
// option's name: "must be positive, not -1".
func (s Spot) Errorf(format string, args ...any) { s.add(RuleBadValue, false, format, args...) }

// Warnf tells of something that is allowed and probably not meant.
func (s Spot) Warnf(format string, args ...any) { s.add(RuleBadValue, true, format, args...) }

// Required tells of an option that is left out, if given is false.
func (s Spot) Required(given bool) {
	if !given {
		s.add(RuleRequired, false, "is required")
	}
}

// OneOf tells of a text that is none of the allowed ones; one with variables is let pass.
func (s Spot) OneOf(text string, allowed ...string) {
	list := strings.Join(allowed, " ")
	switch {
	case HasVar(text) || slices.Contains(allowed, text):
	case text == "":
		s.add(RuleRequired, false, "is required: one of %s", list)
	default:
		hint := Suggest(text, allowed, "")
		if !strings.Contains(hint, "did you mean") {
			hint = ""
		}
		s.Errorf("must be one of %s, not %.40q%s", list, text, hint)
	}
}

// NotNegative tells of a number below 0.
func (s Spot) NotNegative(n int) {
	if n < 0 {
		s.Errorf("must not be negative, as %d is", n)
	}
}

// Target names an action that the step may go to, so that the flow checks that it
// exists. An id with variables is let pass.
func (s Spot) Target(id string) {
	id = CanonicalID(id)
	switch {
	case id == "":
		s.add(RuleRequired, false, "is required: the id of an action")
	case HasVar(id):
		s.c.anyTarget = true
	default:
		s.c.targets = append(s.c.targets, Target{ID: id, Offset: s.offset(), Path: s.String()})
	}
}

const nilUUID = "00000000-0000-0000-0000-000000000000"

// CanonicalID is the form in which ids are compared: a UUID is in lower case, and
// the nil UUID is "", no id. Any other text is an id as it is.
func CanonicalID(id string) string {
	if !isUUID(id) {
		return id
	}
	if id = strings.ToLower(id); id == nilUUID {
		return ""
	}
	return id
}

func isUUID(s string) bool {
	if len(s) != len(nilUUID) {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
		default:
			return false
		}
	}
	return true
}
