package flow

import (
	"cmp"
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
	scope, ctx := action.NewScope(ctx, leg)
	defer scope.Close()
	r := newRunner(f, leg, scope)
	index, err := r.restore(ctx, from)
	if err != nil {
		return err
	}
	return r.run(ctx, index)
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
	r.between, _ = action.Need[Interceptor](leg)
	return r
}

func (f *Flow) find(id string, index int) (int, error) {
	if id != "" {
		for i := range f.steps {
			if f.steps[i].info.ID == id {
				return i, nil
			}
		}
	}
	if index < 0 || index > len(f.steps) || (index == len(f.steps) && index > 0) {
		return 0, fmt.Errorf("flow: %s: there is no action %q, nor one at index %d", f.name, id, index)
	}
	return index, nil
}

// runner is one run of a flow; owned by the goroutine of Run.
type runner struct {
	flow     *Flow   // that runs now: the innermost
	outer    []outer // flows around it, the outermost first
	stack    []Frame // how the flows within the outermost are found again; never changed, only replaced
	leg      action.Leg
	scope    *action.Scope
	observer Observer           // may be nil
	skipper  Skipper            // may be nil
	digits   action.DigitReader // may be nil
	between  Interceptor        // may be nil

	seq       int
	tokens    float64          // steps that may still run without time passing
	recent    [32]*action.Info // the last steps, by seq
	typeAhead bool             // digits in the buffer count for the next digits_receive
}

func (r *runner) run(ctx context.Context, index int) error {
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		at, over, err := r.arrive(index)
		if over || err != nil {
			return err
		}
		s := &r.flow.steps[at]
		outcome, pushed, err := r.step(ctx, s)
		if ctx.Err() != nil && !(outcome.Stop && err == nil) {
			return context.Cause(ctx)
		}
		if index, over, err = r.goOn(s, outcome, pushed, err); over || err != nil {
			return err
		}
	}
}

// arrive leaves the flows that are at their end, and returns the index of the step that is next; over is the end of
// the outermost.
func (r *runner) arrive(index int) (next int, over bool, err error) {
	for index >= len(r.flow.steps) {
		if len(r.outer) == 0 {
			return 0, true, nil
		}
		replaced := r.stack[len(r.stack)-1].Push.Replace
		s := r.pop()
		if replaced {
			index = len(r.flow.steps)
			continue
		}
		next, ok := r.after(s)
		if !ok {
			return 0, false, r.fail(s, noAction(s.next))
		}
		index = next
	}
	return index, false, nil
}

// goOn returns the index, which may be behind the last step, where the flow goes on after what became of s; over is its end.
func (r *runner) goOn(s *step, o action.Outcome, pushed *Flow, err error) (next int, over bool, fail error) {
	target, handled := s.onFailure(o, err)
	switch {
	case handled && !errors.Is(err, ErrLoop):
	case action.IsFatal(err):
		return 0, false, r.fail(s, err)
	case o.Stop:
		return 0, true, nil
	case pushed != nil:
		r.push(s, pushed, o.Push)
		return 0, false, nil
	default:
		target = o.Target
	}
	target = cmp.Or(target, s.next)
	if target == "" {
		return s.info.Index + 1, false, nil
	}
	next, ok := r.jump(target)
	if !ok {
		return 0, false, r.fail(s, noAction(target))
	}
	return next, false, nil
}

func noAction(id string) error { return fmt.Errorf("there is no action with the id %.80q", id) }

// onFailure returns where the step says that the flow goes on after what became of it.
func (s *step) onFailure(o action.Outcome, err error) (target string, ok bool) {
	switch {
	case errors.Is(err, action.ErrSkip):
		return "", false
	case s.onTimeout != "" && action.IsTimeout(o, err):
		return s.onTimeout, true
	case s.onError != "" && err != nil:
		return s.onError, true
	}
	return "", false
}

func (r *runner) fail(s *step, err error) error {
	return &StepError{Flow: s.info.Flow, ID: s.info.ID, Type: s.info.Type, Index: s.info.Index, Err: err}
}

// step runs one step, leaves its result in the variables and tells the observer. pushed is the
// flow that has to run next.
func (r *runner) step(ctx context.Context, s *step) (outcome action.Outcome, pushed *Flow, err error) {
	r.recent[r.seq%len(r.recent)] = &s.info
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
		Stack:    r.stack,
	}
	if r.observer != nil {
		r.observer.ActionStarted(now)
	}
	if r.tokens--; r.tokens < 0 {
		err = action.Fatal(fmt.Errorf("%w: %d steps without time passing, the last ones: %s", ErrLoop, MaxIdleSteps, r.circle()))
	}
	if err == nil {
		outcome, pushed, err = r.act(ctx, now, s.timing, act)
	}
	r.leaveResult(s, outcome, err)
	if r.observer != nil {
		r.observer.ActionEnded(now, outcome, err)
	}
	return outcome, pushed, err
}

// leaveResult keeps what the step found for ${id.key} and ${last.key}. What only looks and jumps
// leaves last alone, so that several conditions can follow a connect.
func (r *runner) leaveResult(s *step, o action.Outcome, err error) {
	id := s.info.ID
	if !s.named {
		id = ""
	}
	control := s.timing == action.TimeNone
	if control && id == "" {
		return
	}
	if verr := r.leg.Vars().SetResult(id, action.ResultOf(o, err), !control); verr != nil {
		if rep, nerr := action.Need[action.Reporter](r.leg); nerr == nil {
			rep.Report(s.info, verr)
		}
	}
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

// act runs the action, with what belongs to its timing around it, and finds the flow that it pushes.
func (r *runner) act(ctx context.Context, now Step, timing action.Timing, act action.Action) (action.Outcome, *Flow, error) {
	if timing == action.TimeNone {
		return r.guarded(ctx, now, act)
	}
	if r.skipper != nil {
		var cancel context.CancelFunc
		ctx, cancel = r.skipper.StepContext(ctx, now)
		defer cancel()
	}
	r.digitsBefore(timing)
	start := time.Now()
	outcome, pushed, err := r.guarded(ctx, now, act)
	r.tokens = min(MaxIdleSteps, r.tokens+float64(time.Since(start))*idleStepsPerMS/float64(time.Millisecond))
	if after := r.digitsAfter(timing); after != nil {
		err = errors.Join(err, after)
	}
	return outcome, pushed, err
}

// digitsBefore forgets what was pressed before the step and does not count for it.
func (r *runner) digitsBefore(timing action.Timing) {
	switch {
	case r.digits == nil:
	case timing == action.TimeWait, timing == action.TimePrompt, timing == action.TimeDigits && !r.typeAhead:
		r.forgetDigits()
	}
}

// forgetDigits empties the buffer. A digits_receive may ask for them nevertheless.
func (r *runner) forgetDigits() {
	if digits, _ := r.digits.PeekDigits(); digits != "" {
		r.scope.Forget(digits)
		r.digits.DropDigits()
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
			r.forgetDigits()
		}
		if pressed != "" {
			return r.leg.Vars().Set(action.VarDigits, pressed[len(pressed)-1:])
		}
	case action.TimeDigits:
		// What came after the last digit that it wanted is for one that follows at once.
		r.typeAhead = true
		r.scope.ForgetAll()
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
		i := r.recent[(r.seq-1-back)%len(r.recent)]
		names = append(names, fmt.Sprintf("%q (%s)", i.ID, i.Type))
	}
	return strings.Join(names, ", ")
}

// guarded runs an action, and finds what it pushes. A panic is a fatal error, for this one call only.
func (r *runner) guarded(ctx context.Context, now Step, act action.Action) (outcome action.Outcome, pushed *Flow, err error) {
	defer func() {
		if v := recover(); v != nil {
			outcome, pushed, err = action.Outcome{}, nil, action.Fatal(&PanicError{Value: v, Stack: debug.Stack()})
		}
	}()
	run := func(ctx context.Context) (action.Outcome, error) { return act.Run(ctx, r.leg) }
	if r.between != nil {
		outcome, err = r.between.RunAction(ctx, now, run)
	} else {
		outcome, err = run(ctx)
	}
	if err != nil || outcome.Push == nil {
		return outcome, nil, err
	}
	pushed, program, err := r.pushed(ctx, outcome.Push)
	if program != nil { // plain Go: it runs as a part of this step
		outcome.Push = nil
		return outcome, nil, program.Run(ctx, r.leg)
	}
	return outcome, pushed, err
}
