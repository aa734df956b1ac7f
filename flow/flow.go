package flow

import (
	"context"
	"encoding/json"

	"github.com/callbin/callbin/action"
)

// Program is what runs on a call: a Flow, or a Func. Run blocks until it is over; when
// ctx ends, it returns context.Cause(ctx) soon. The end of the program is the end of
// the call.
type Program = action.Program

// Func is a Program in plain Go.
type Func func(ctx context.Context, leg action.Leg) error

// Run calls f.
func (f Func) Run(ctx context.Context, leg action.Leg) error { return f(ctx, leg) }

// Flow is a list of actions, read from JSON by Parse. It never changes and may run on any
// number of legs at once.
type Flow struct {
	id         string
	name       string
	onComplete string
	dir        string
	steps      []step
	byID       map[string]int // ids that the user wrote; generated ones are no targets
	warnings   []Finding
	file       string
	registry   *action.Registry
	data       []byte       // the text, for the places of findings
	tree       *action.Node // of data
}

// step is one action of a flow.
type step struct {
	info      action.Info
	next      string // id of the following action; empty: the next one in the list
	onError   string // id of the action that follows if this one fails; empty: as without an error
	onTimeout string // id of the action that follows if what this one waits for does not come
	template  *action.Template
	timing    action.Timing
	named     bool         // the user gave it its id: its result is kept under it
	nested    []nestedFlow // for checks

	// for checks
	offset    int          // of the action in the text
	option    *action.Node // the option, or the action itself where there is none
	shape     action.Shape
	targets   []string // ids that its options name
	anyTarget bool     // a target is known at run time only
}

// nestedFlow is a flow that stands in an option of an action.
type nestedFlow struct {
	key  string // of the option
	flow *Flow
}

// ID returns the flow's own id; empty if it has none.
func (f *Flow) ID() string { return f.id }

// Name returns the flow's name: the one it says, or ParseOptions.Name.
func (f *Flow) Name() string { return f.name }

// OnCompleteFlowID returns the id of the flow that is to run when this one is
// complete; empty for none. Run does not act on it.
func (f *Flow) OnCompleteFlowID() string { return f.onComplete }

// Source returns the text that the flow was read from. It must not be changed.
func (f *Flow) Source() []byte { return f.data }

// Len returns the number of actions.
func (f *Flow) Len() int { return len(f.steps) }

// Step is one action of a running flow. It is a value and JSON-encodable.
type Step struct {
	Flow     string          `json:"flow"`               // name of the flow
	Seq      int             `json:"seq"`                // number of the step in the run, from 1
	Index    int             `json:"index"`              // of the action in the flow, from 0
	ID       string          `json:"id"`                 // of the action
	Type     string          `json:"type"`               // of the action
	Option   json.RawMessage `json:"option,omitempty"`   // with variables filled in
	Counters map[string]int  `json:"counters,omitempty"` // rounds that gotos have left, before the step; must not be changed
	Stack    []Frame         `json:"stack,omitempty"`    // the flows within flows that the step is in; must not be changed
}

// Position returns where the flow stands: running from it begins with this step.
func (s Step) Position() Position {
	return Position{ID: s.ID, Index: s.Index, Counters: s.Counters, Stack: s.Stack}
}

// Position is a place in a flow from which it can be run. The zero value is the start.
type Position struct {
	ID       string         `json:"id,omitempty"` // of the action; wins over Index
	Index    int            `json:"index"`        // used if there is no such id
	Counters map[string]int `json:"counters,omitempty"`
	Stack    []Frame        `json:"stack,omitempty"` // the action stands in the last of these flows
}

// Frame is a flow that an action of another one has pushed.
type Frame struct {
	Push  action.Push `json:"push"`
	ID    string      `json:"id,omitempty"` // of the action that pushed it, in the flow below
	Index int         `json:"index"`        // of that action, used if there is no such id
}

// Observer is a leg that watches the flow. Both are called on the flow's goroutine, in
// turn, and should not block. err is what the action returned, also where the flow goes
// on after it.
type Observer interface {
	ActionStarted(s Step)
	ActionEnded(s Step, o action.Outcome, err error)
}

// Interceptor is a leg that stands between a flow and its actions: run does the work of step s, which the leg may time,
// watch, replace or refuse. What it returns is what became of the step. It is called on the flow's goroutine for
// each action; a panic of run goes through it.
type Interceptor interface {
	RunAction(ctx context.Context, s Step, run func(context.Context) (action.Outcome, error)) (action.Outcome, error)
}

// Skipper is a leg whose steps can be skipped one by one: each step that may take time
// runs with the context that StepContext returns. When that one ends and the flow's own does not, the
// flow goes on with the next step; the cause should be action.ErrSkip.
type Skipper interface {
	StepContext(ctx context.Context, s Step) (context.Context, context.CancelFunc)
}
