package call

import (
	"context"
	"errors"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow"
)

// StepStarted is what stands in the trace for a step that begins.
func StepStarted(s flow.Step) *StepInput {
	in := &StepInput{Seq: s.Seq, ID: s.ID, Type: s.Type, Index: s.Index, Counters: s.Counters, Depth: len(s.Stack)}
	if option := string(s.Option); option != "{}" {
		in.Option = option
	}
	return in
}

// StepEnded is what stands in the trace for a step that is over.
func StepEnded(s flow.Step, o action.Outcome, err error) *StepInput {
	in := &StepInput{Seq: s.Seq, ID: s.ID, Type: s.Type, Index: s.Index, Error: errText(err)}
	if o.Target != "" || o.Stop || o.TimedOut || o.Push != nil || len(o.Result) > 0 {
		in.Outcome = &o
	}
	return in
}

// ActionStarted notes that a step begins.
func (c *Call) ActionStarted(s flow.Step) {
	c.post(Input{Kind: KindStarted, Step: StepStarted(c.steps.of(s))})
}

// ActionEnded notes how a step ended.
func (c *Call) ActionEnded(s flow.Step, o action.Outcome, err error) {
	c.post(Input{Kind: KindEnded, Step: StepEnded(c.steps.of(s), o, err)})
	if err != nil && c.flowCtx.Err() == nil && !errors.Is(err, ErrRedirected) {
		c.log().Warn("step failed", "step", s.ID, "type", s.Type, "err", err)
	}
}

// Report notes what failed after its step had ended.
func (c *Call) Report(step action.Info, err error) {
	c.post(Input{Kind: KindNote, Note: &Note{What: "background", Target: step.ID, Error: errText(err)}})
	c.log().Warn("background work of a step failed", "step", step.ID, "type", step.Type, "err", err)
}

// Background runs f, which may outlive the call; the engine waits for it.
func (c *Call) Background(f func(ctx context.Context)) error {
	c.engine.wg.Go(func() { f(withCall(c.engine.callCtx, c)) })
	return nil
}

var (
	_ flow.Observer       = (*Call)(nil)
	_ action.Reporter     = (*Call)(nil)
	_ action.Backgrounder = (*Call)(nil)
)
