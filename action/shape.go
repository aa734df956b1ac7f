package action

// Shape is what is known of an action before it runs: how the flow goes on after it, and
// what it does to the call and the variables. Checks of flows are made with it.
type Shape struct {
	Ends     bool // the flow ends with it
	Jumps    bool // goes to one of its targets, never to the next action
	Falls    bool // never goes to its targets, in spite of them
	Anywhere bool // may go to any action, or end the flow

	Answers     bool // the call is answered after it
	NeedsAnswer bool // fails while the call is not answered

	Sets    []string // variables that it may set, beside its result
	SetsAny bool     // may set any variable
	Reads   []string // variables that it reads by their bare name
	Result  []string // keys of its result, beside status and error
	// Instant says that no time passes in it, in spite of its Timing.
	Instant bool
	// MayEnd says that the flow may end with it, though it need not.
	MayEnd bool

	Says     []string // text that is spoken to the caller
	OneDigit bool     // waits for one digit, or lets one end it
	Cases    []string // values of the first of Reads that have a target of their own

	// AnyResult says that its result has keys that are known at run time only.
	AnyResult bool
}

// Shaped is an Action whose Shape is known. It is asked on an action with its options as they
// are written, variables not filled in.
type Shaped interface {
	Shape() Shape
}

// ShapeOf returns a's shape. Of an action that is not Shaped anything is expected.
func ShapeOf(a Action) Shape {
	if s, ok := a.(Shaped); ok {
		return s.Shape()
	}
	return Shape{Anywhere: true, SetsAny: true, AnyResult: true}
}
