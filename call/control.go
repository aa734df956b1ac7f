package call

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow"
)

// ErrStaleStep is matched by the errors of Continue and Skip where the flow is not, or no more, at the step
// that is meant: nothing has happened then.
var ErrStaleStep = errors.New("call: the flow is not at that step")

// ErrStopped is the cause with which StopFlow ends a flow.
var ErrStopped = errors.New("call: the flow was stopped")

// runningStep is the step that takes time now, and how it is ended.
type runningStep struct {
	id, typ string
	seq     int
	cancel  context.CancelCauseFunc
	plays   atomic.Int32 // sounds that it plays
}

// stepKey is where the context of a step has its runningStep.
type stepKey struct{}

// StepContext lets Continue and Skip end a step.
func (c *Call) StepContext(ctx context.Context, s flow.Step) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	s = c.steps.of(s)
	now := &runningStep{id: s.ID, typ: s.Type, seq: s.Seq, cancel: cancel}
	ctx = context.WithValue(ctx, stepKey{}, now)
	c.stepNow.Store(now)
	return ctx, func() {
		c.stepNow.CompareAndSwap(now, nil)
		cancel(nil)
	}
}

// Continue lets a flow go on that stands at a block action. actionID and execution are the stamp of that
// step, as Activeflow.CurrentAction has it, so that a request that comes late is harmless;
// execution 0 means any.
func (c *Call) Continue(actionID string, execution int) error {
	return c.endStep("continue", "block", actionID, execution, action.ErrContinue)
}

// Skip ends the step that runs, whatever it is, and the flow goes on with the next one. The stamp is that
// of Continue.
func (c *Call) Skip(actionID string, execution int) error {
	return c.endStep("skip", "", actionID, execution, action.ErrSkip)
}

func (c *Call) endStep(what, typ, actionID string, execution int, cause error) error {
	now := c.stepNow.Load()
	switch {
	case now == nil || now.id != action.CanonicalID(actionID) || execution != 0 && now.seq != execution:
		return fmt.Errorf("call: %s action %.80q (execution %d): %w", what, actionID, execution, ErrStaleStep)
	case typ != "" && now.typ != typ:
		return fmt.Errorf("call: %s action %.80q: it is a %s, not a %s: %w", what, actionID, now.typ, typ, ErrStaleStep)
	}
	c.post(Input{Kind: KindNote, Note: &Note{What: what, Target: actionID}})
	now.cancel(cause)
	return nil
}

// StopFlow ends the flow, and with it the call.
func (c *Call) StopFlow() {
	c.post(Input{Kind: KindNote, Note: &Note{What: "stop"}})
	c.cancelFlow(ErrStopped)
}
