package call

import (
	"context"
	"strconv"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow"
)

// MaxCompletions is how many flows may follow each other by on_complete_flow_id.
const MaxCompletions = 5

// Variables by which a following flow knows what it follows.
const (
	varActiveflow  = "voipbin.activeflow.id"
	varParent      = "voipbin.activeflow.reference_activeflow_id"
	varRefType     = "voipbin.activeflow.reference_type"
	varRefID       = "voipbin.activeflow.reference_id"
	varCompletions = "voipbin.activeflow.complete_count"
)

// follow runs a flow after something has ended: a recording (on_end_flow_id), or
// another flow (on_complete_flow_id). The call may be over, so it runs on a leg that has the call's
// variables and nothing else; the engine waits for it.
func (c *Call) follow(flowID, recordingID string) {
	vars := c.vars.All()
	if recordingID != "" {
		vars["voipbin.recording.id"] = recordingID
		vars[varRefType], vars[varRefID] = "recording", recordingID
	}
	c.engine.wg.Go(func() { c.engine.follow(flowID, vars) })
}

func (e *Engine) follow(flowID string, vars map[string]string) {
	for flowID != "" {
		n, _ := strconv.Atoi(vars[varCompletions])
		log := e.log.With("flow", flowID, "after", vars[varActiveflow])
		if n++; n > MaxCompletions {
			log.Warn("too many flows follow each other", "limit", MaxCompletions)
			return
		}
		vars[varCompletions] = strconv.Itoa(n)
		vars[varParent], vars[varActiveflow] = vars[varActiveflow], newID()
		if e.cfg.FlowByID == nil {
			log.Warn("a following flow has no effect: the engine has no Config.FlowByID")
			return
		}
		p, err := e.cfg.FlowByID(e.callCtx, flowID)
		if err != nil {
			log.Warn("following flow not found", "err", err)
			return
		}
		leg := &varsLeg{id: vars[varRefID], vars: e.newVars(vars)}
		if err := runGuarded(e.callCtx, p, leg); err != nil && e.callCtx.Err() == nil {
			log.Warn("following flow failed", "err", err)
		}
		vars, flowID = leg.vars.All(), ""
		if f, ok := p.(*flow.Flow); ok {
			flowID = f.OnCompleteFlowID()
		}
	}
}

// varsLeg is a leg of a flow that belongs to no call.
type varsLeg struct {
	id   string
	vars *action.Vars
}

func (l *varsLeg) ID() string         { return l.id }
func (l *varsLeg) Vars() *action.Vars { return l.vars }

var _ action.Leg = (*varsLeg)(nil)

// ActionStarted notes that a step begins.
func (c *Call) ActionStarted(s flow.Step) {
	in := StepInput{Seq: s.Seq, ID: s.ID, Type: s.Type, Index: s.Index, Counters: s.Counters}
	if option := string(s.Option); option != "{}" {
		in.Option = option
	}
	c.post(Input{Kind: KindStarted, Step: &in})
}

// ActionEnded notes how a step ended.
func (c *Call) ActionEnded(s flow.Step, o action.Outcome, err error) {
	in := StepInput{Seq: s.Seq, ID: s.ID, Type: s.Type, Index: s.Index, Error: errText(err)}
	if o.Target != "" || o.Stop || len(o.Result) > 0 {
		in.Outcome = &o
	}
	c.post(Input{Kind: KindEnded, Step: &in})
	if err != nil && c.flowCtx.Err() == nil {
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
