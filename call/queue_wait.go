package call

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow"
)

// hold is what a caller hears while it waits: the wait flow of the queue, again and again, on a goroutine of its own, so that the owner of the
// stay can end it at any step.
type hold struct {
	stay *stay
	leg  *waitLeg
	stop context.CancelFunc
	done sync.WaitGroup
}

// minRound is how long a round of the wait flow takes at least: one that fails, or says nothing, does not spin.
const minRound = time.Second

// begin lets the caller hear the wait flow, and its keys count.
func (s *stay) begin(ctx context.Context) {
	c, o := s.caller, s.options()
	h := &hold{stay: s, leg: &waitLeg{Call: c, vars: c.vars.Clone()}}
	h.leg.digits.Max = maxDigits
	s.describe(h.leg.vars, func(name string, err error) { c.log().Warn("variable not set", "name", name, "err", err) })
	// What the wait flow does is not what the call's own flow does: its notes would be in the way of a replay.
	ctx, h.stop = context.WithCancel(withCall(ctx, nil))
	s.hold = h
	c.waiting.Store(h)
	if o.WaitFlow == nil && o.WaitFlowID == "" {
		return
	}
	h.done.Go(func() { h.run(ctx, o) }) // end waits for it
}

// end ends that. Variables that the wait flow has set are the call's.
func (s *stay) end() {
	h := s.hold
	if h == nil {
		return
	}
	s.hold = nil
	h.stop()
	h.done.Wait()
	s.caller.waiting.CompareAndSwap(h, nil)
	before := s.caller.vars.All()
	for name, value := range h.leg.vars.All() {
		if was, ok := before[name]; ok && was == value || strings.HasPrefix(name, "voipbin.") {
			continue
		}
		if err := s.caller.vars.Set(name, value); err != nil {
			s.caller.log().Warn("variable not set", "name", name, "err", err)
		}
	}
}

func (h *hold) run(ctx context.Context, o QueueOptions) {
	for ctx.Err() == nil {
		begun := time.Now()
		p, err := o.WaitFlow, error(nil)
		if p == nil {
			p, err = h.stay.caller.engine.flowByID(ctx, o.WaitFlowID)
		}
		if err == nil {
			err = runGuarded(ctx, p, h.leg)
		}
		if err != nil && ctx.Err() == nil {
			h.stay.caller.log().Warn("wait flow failed", "queue", h.stay.queue.id, "err", err)
		}
		if left := minRound - time.Since(begun); left > 0 {
			t := time.NewTimer(left)
			select {
			case <-t.C:
			case <-ctx.Done():
				t.Stop()
			}
		}
	}
}

// press takes a key of the caller; it runs on its loop.
func (h *hold) press(digit string) {
	h.leg.digits.Put(digit)
	s := h.stay
	d := s.queue.desk
	d.mu.Lock()
	defer d.unlock()
	switch o := &s.queue.o; {
	case strings.Contains(o.LeaveKey, digit):
		d.dismissStay(s, keyLeft)
	case strings.Contains(o.Callback.Key, digit):
		d.dismissStay(s, callbackAsked)
	}
}

// waitLeg is the caller's call for the wait flow: keys and variables are its own, and its steps are no steps of the call's flow, but
// notes that a replay passes over.
type waitLeg struct {
	*Call
	vars   *action.Vars
	digits action.DigitBuffer
}

var (
	_ flow.Observer       = (*waitLeg)(nil)
	_ flow.Skipper        = (*waitLeg)(nil)
	_ action.DigitReader  = (*waitLeg)(nil)
	_ action.Backgrounder = (*waitLeg)(nil)
	_ action.Queuer       = (*waitLeg)(nil)
)

// Vars are a copy of the call's, with those of the queue.
func (l *waitLeg) Vars() *action.Vars { return l.vars }

// ActionStarted says nothing: the end of the step does.
func (l *waitLeg) ActionStarted(flow.Step) {}

// ActionEnded notes what the caller has heard.
func (l *waitLeg) ActionEnded(s flow.Step, _ action.Outcome, err error) {
	l.post(Input{Kind: KindNote, Note: &Note{What: "wait", Target: s.ID + " " + s.Type, Error: errText(err)}})
}

// StepContext lets nobody skip a step: the step of the call is queue_join.
func (l *waitLeg) StepContext(ctx context.Context, _ flow.Step) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}

// Report is for the log alone.
func (l *waitLeg) Report(step action.Info, err error) {
	l.log().Warn("background work of a wait flow failed", "step", step.ID, "type", step.Type, "err", err)
}

// Background runs f, which may outlive the wait.
func (l *waitLeg) Background(f func(ctx context.Context)) error {
	l.engine.wg.Go(func() { f(l.engine.callCtx) })
	return nil
}

// ReadDigit waits for a key that was pressed since the wait began.
func (l *waitLeg) ReadDigit(ctx context.Context) (byte, error) { return l.digits.ReadDigit(ctx) }

// PeekDigits returns those that are not read yet.
func (l *waitLeg) PeekDigits() (string, <-chan struct{}) { return l.digits.PeekDigits() }

// DropDigits forgets them.
func (l *waitLeg) DropDigits() { l.digits.DropDigits() }

var errQueueInQueue = errors.New("call: who waits in a queue cannot join another")

// JoinQueue is not for wait flows.
func (l *waitLeg) JoinQueue(context.Context, string) (action.Queued, error) {
	return action.Queued{}, errQueueInQueue
}
