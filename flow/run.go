package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/callbin/callbin/action"
)

// MaxIdleSteps is how many steps a flow may run without any time passing: a loop of
// steps that only look and jump, or that fail at once, ends with ErrLoop. Each
// millisecond that is spent in actions gives some of them back, so that a call with
// real waiting in it is never cut, however long it is.
const MaxIdleSteps = 10_000

// idleStepsPerMS is how many steps a millisecond of action gives back.
const idleStepsPerMS = 10

// ErrLoop is matched by the error of a flow that runs in circles without time passing.
var ErrLoop = errors.New("flow: the flow runs in circles")

// StepError is the error that ended a flow, with the step where it happened.
type StepError struct {
	Flow  string // name of the flow
	ID    string // of the action
	Type  string // of the action
	Index int    // of the action, from 0
	Err   error
}

func (e *StepError) Error() string {
	if e.Flow == "" {
		return fmt.Sprintf("flow: action %q (%s): %v", e.ID, e.Type, e.Err)
	}
	return fmt.Sprintf("flow: %s: action %q (%s): %v", e.Flow, e.ID, e.Type, e.Err)
}

func (e *StepError) Unwrap() error { return e.Err }

// PanicError is what became of a panic of an action.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("flow: action panicked: %v\n%s", e.Value, e.Stack)
}

// Run runs the flow on leg from its start and blocks until it is over. It returns nil at
// the end of the flow, context.Cause(ctx) when ctx ends, and a *StepError where an
// action failed fatally. Actions that fail otherwise are told to the leg's Observer, and
// the flow goes on. Run is safe for concurrent use; each leg has one flow at a time.
//
// Background work that an action left behind may keep Run for action.BackgroundGrace,
// unless the leg is an action.Backgrounder.
func (f *Flow) Run(ctx context.Context, leg action.Leg) error {
	return f.RunFrom(ctx, leg, Position{})
}

// RunFrom is Run from another position than the start, such as that of the step at
// which an earlier run of the flow was lost. That step begins anew.
func (f *Flow) RunFrom(ctx context.Context, leg action.Leg, from Position) error {
	index, err := f.find(from)
	if err != nil {
		return err
	}
	scope, ctx := action.NewScope(ctx, leg, from.Counters)
	defer scope.Close()
	return newRunner(f, leg, scope).run(ctx, index)
}

// newRunner makes a runner on the heap: a flow sleeps nearly all of its life, and on the
// stack it would make the difference between 4 and 8 KiB of it.
//
//go:noinline
func newRunner(f *Flow, leg action.Leg, scope *action.Scope) *runner {
	r := &runner{flow: f, leg: leg, scope: scope, tokens: MaxIdleSteps}
	r.observer, _ = action.Need[Observer](leg)
	r.skipper, _ = action.Need[Skipper](leg)
	r.digits, _ = action.Need[action.DigitReader](leg)
	return r
}

func (f *Flow) find(p Position) (int, error) {
	if p.ID != "" {
		for i := range f.steps {
			if f.steps[i].info.ID == p.ID {
				return i, nil
			}
		}
	}
	if p.Index < 0 || p.Index > len(f.steps) || (p.Index == len(f.steps) && p.Index > 0) {
		return 0, fmt.Errorf("flow: %s: there is no action %q, nor one at index %d", f.name, p.ID, p.Index)
	}
	return p.Index, nil
}

// runner is one run of a flow; owned by the goroutine of Run.
type runner struct {
	flow     *Flow
	leg      action.Leg
	scope    *action.Scope
	observer Observer           // may be nil
	skipper  Skipper            // may be nil
	digits   action.DigitReader // may be nil

	seq       int
	tokens    float64    // steps that may still run without time passing
	recent    [64]uint16 // indexes of the last steps, by seq; MaxActions fits
	typeAhead bool       // digits in the buffer count for the next digits_receive
}

func (r *runner) run(ctx context.Context, index int) error {
	for index < len(r.flow.steps) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		s := &r.flow.steps[index]
		outcome, err := r.step(ctx, s)
		switch {
		case ctx.Err() != nil && !(outcome.Stop && err == nil):
			return context.Cause(ctx)
		case action.IsFatal(err):
			return r.fail(s, err)
		case outcome.Stop:
			return nil
		}
		target := outcome.Target
		if target == "" {
			target = s.next
		}
		if target == "" {
			index++
			continue
		}
		next, ok := r.flow.byID[action.CanonicalID(target)]
		if !ok {
			return r.fail(s, fmt.Errorf("there is no action with the id %.80q", target))
		}
		index = next
	}
	return nil
}

func (r *runner) fail(s *step, err error) error {
	return &StepError{Flow: r.flow.name, ID: s.info.ID, Type: s.info.Type, Index: s.info.Index, Err: err}
}

// step runs one step and tells the observer.
func (r *runner) step(ctx context.Context, s *step) (outcome action.Outcome, err error) {
	r.recent[r.seq%len(r.recent)] = uint16(s.info.Index)
	r.seq++
	r.scope.Enter(&s.info)
	act, option, err := r.make(s)
	now := Step{
		Flow:     s.info.Flow,
		Seq:      r.seq,
		Index:    s.info.Index,
		ID:       s.info.ID,
		Type:     s.info.Type,
		Option:   option,
		Counters: r.scope.Counters(),
	}
	if r.observer != nil {
		r.observer.ActionStarted(now)
	}
	if r.tokens--; r.tokens < 0 {
		err = action.Fatal(fmt.Errorf("%w: %d steps without time passing, the last ones: %s", ErrLoop, MaxIdleSteps, r.circle()))
	}
	if err == nil {
		outcome, err = r.act(ctx, now, s.timing, act)
	}
	if r.observer != nil {
		r.observer.ActionEnded(now, outcome, err)
	}
	return outcome, err
}

// make fills in the variables. Decoding an option may run code of a user's action.
func (r *runner) make(s *step) (act action.Action, option json.RawMessage, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = action.Fatal(&PanicError{Value: v, Stack: debug.Stack()})
		}
	}()
	return s.template.Make(r.leg.Vars())
}

// act runs the action, with what belongs to its timing around it.
func (r *runner) act(ctx context.Context, now Step, timing action.Timing, act action.Action) (action.Outcome, error) {
	if timing == action.TimeNone {
		return guarded(ctx, r.leg, act)
	}
	if r.skipper != nil {
		var cancel context.CancelFunc
		ctx, cancel = r.skipper.StepContext(ctx, now)
		defer cancel()
	}
	r.digitsBefore(timing)
	start := time.Now()
	outcome, err := guarded(ctx, r.leg, act)
	r.tokens = min(MaxIdleSteps, r.tokens+float64(time.Since(start))*idleStepsPerMS/float64(time.Millisecond))
	if after := r.digitsAfter(timing); after != nil {
		err = errors.Join(err, after)
	}
	return outcome, err
}

// digitsBefore forgets what was pressed before the step and does not count for it.
func (r *runner) digitsBefore(timing action.Timing) {
	if r.digits == nil {
		return
	}
	switch timing {
	case action.TimeWait, action.TimePrompt:
		r.digits.DropDigits()
	case action.TimeDigits:
		if !r.typeAhead {
			r.digits.DropDigits()
		}
	}
}

// digitsAfter puts the last digit that was pressed during a step into its variable, so
// that a branch can follow a talk that was ended by a digit.
func (r *runner) digitsAfter(timing action.Timing) error {
	if r.digits == nil {
		return nil
	}
	switch timing {
	case action.TimeWait, action.TimePrompt:
		r.typeAhead = timing == action.TimePrompt
		pressed, _ := r.digits.PeekDigits()
		if !r.typeAhead {
			r.digits.DropDigits()
		}
		if pressed != "" {
			return r.leg.Vars().Set(action.VarDigits, pressed[len(pressed)-1:])
		}
	case action.TimeDigits:
		// What came after the last digit that it wanted is for one that follows at once.
		r.typeAhead = true
	}
	return nil
}

// circle names the steps of the loop that the flow is in.
func (r *runner) circle() string {
	n := min(r.seq, len(r.recent))
	last := r.recent[(r.seq-1)%len(r.recent)]
	length := n
	for back := 1; back < n; back++ {
		if r.recent[(r.seq-1-back)%len(r.recent)] == last {
			length = back
			break
		}
	}
	names := make([]string, 0, length)
	for back := length - 1; back >= 0; back-- {
		i := &r.flow.steps[r.recent[(r.seq-1-back)%len(r.recent)]].info
		names = append(names, fmt.Sprintf("%q (%s)", i.ID, i.Type))
	}
	return strings.Join(names, ", ")
}

// guarded runs an action; its panic is a fatal error, for this one call only.
func guarded(ctx context.Context, leg action.Leg, act action.Action) (outcome action.Outcome, err error) {
	defer func() {
		if v := recover(); v != nil {
			outcome, err = action.Outcome{}, action.Fatal(&PanicError{Value: v, Stack: debug.Stack()})
		}
	}()
	return act.Run(ctx, leg)
}
