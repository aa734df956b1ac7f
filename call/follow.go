package call

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/rating"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/store"
)

// MaxCompletions is how many flows may follow each other by on_complete_flow_id.
const MaxCompletions = 5

// followTime is how long a stopping engine waits for the flows that follow its last calls.
const followTime = 10 * time.Second

// Variables by which a following flow knows what it follows.
const (
	varActiveflow  = "voipbin.activeflow.id"
	varParent      = "voipbin.activeflow.reference_activeflow_id"
	varRefType     = "voipbin.activeflow.reference_type"
	varRefID       = "voipbin.activeflow.reference_id"
	varCompletions = "voipbin.activeflow.complete_count"
	varCallID      = "voipbin.call.id"
	varJourney     = "voipbin.call.journey_id"

	varFlowID        = "voipbin.activeflow.flow_id"
	varReferenceData = "voipbin.flow.reference_data"
)

// follow runs a flow after something of the call has ended: a recording, a transcription
// (on_end_flow_id). It runs beside the call's own, on a leg that has the call's variables, and vars.
func (c *Call) follow(flowID string, vars map[string]string) {
	all := c.followVars()
	maps.Copy(all, vars)
	c.engine.goFollow(flowID, all)
}

// complete runs a flow after the call (on_complete_flow_id): what the call came to is in its variables.
func (c *Call) complete(flowID string) {
	vars := c.followVars()
	rec := c.Record()
	maps.Copy(vars, sums(rec))
	vars[varReferenceData] = referenceData(rec)
	c.engine.goFollow(flowID, vars)
}

// referenceData is the call as JSON, for flows that hand all of it on.
func referenceData(r store.Call) string {
	b, err := json.Marshal(r)
	if err != nil {
		return "" // a record is always JSON
	}
	return string(b)
}

// followVars are the call's variables, and the results of its steps as variables.
func (c *Call) followVars() map[string]string {
	vars := c.vars.All()
	for id, result := range c.vars.Results() {
		for key, value := range result {
			if name := id + "." + key; vars[name] == "" {
				vars[name] = value
			}
		}
	}
	return vars
}

// sums are the variables that tell what became of a call.
func sums(r store.Call) map[string]string {
	m := map[string]string{
		"status": r.Status, "hangup_by": r.HangupBy, "hangup_reason": r.HangupReason,
		"sip_code": strconv.Itoa(r.SIPCode), "cause": strconv.Itoa(r.Cause), "code": r.Code, "sentence": r.Sentence,
		"ring_ms": strconv.FormatInt(r.RingMS, 10), "talk_ms": strconv.FormatInt(r.TalkMS, 10),
		"recording_ids": strings.Join(r.RecordingIDs, ","), "flow_position": r.FlowPosition,
		"tm_create": r.TmCreate.String(), "tm_hangup": r.TmHangup.String(),
	}
	if r.Currency != "" {
		m["cost"], m["currency"] = rating.Amount(r.Cost).String(), r.Currency
		m["billed_seconds"], m["rate_prefix"] = strconv.FormatInt(r.BilledSeconds, 10), r.RatePrefix
	}
	if r.Account != "" {
		m["account"] = r.Account
	}
	if !r.TmProgressing.IsZero() {
		m["tm_progressing"] = r.TmProgressing.String()
	}
	vars := make(map[string]string, len(m))
	for k, v := range m {
		vars["voipbin.call."+k] = v
	}
	return vars
}

// Follow runs the flow with that id beside the call's own, on a leg that has the call's variables
// and vars, and nothing else.
func (c *Call) Follow(flowID string, vars map[string]string) error {
	var err error
	if c.engine.cfg.FlowByID == nil {
		err = errNoFlows
	} else {
		c.follow(flowID, vars)
	}
	c.post(Input{Kind: KindNote, Note: &Note{What: "follow", Target: flowID, Error: errText(err)}})
	return err
}

var errNoFlows = errors.New("call: the engine has no Config.FlowByID")

// goFollow runs a flow that belongs to no call; the engine waits for it.
func (e *Engine) goFollow(flowID string, vars map[string]string) {
	e.following.Add(1)
	e.wg.Go(func() {
		defer e.following.Done()
		e.follow(flowID, vars)
	})
}

// waitFollowing waits for the flows that follow the last calls, and ends them if they take too long.
func (e *Engine) waitFollowing() {
	defer e.cancelFollow()
	e.runs.close()
	t := time.NewTimer(followTime)
	defer t.Stop()
	over := make(chan struct{})
	e.wg.Go(func() {
		e.following.Wait()
		close(over)
	})
	select {
	case <-over:
	case <-t.C:
	case <-e.cut:
	}
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
		vars[varFlowID] = flowID
		p, err := e.flowByID(e.followCtx, flowID)
		if err != nil {
			log.Warn("following flow not found", "err", err)
			return
		}
		leg := &varsLeg{engine: e, id: vars[varRefID], vars: e.newVars(maps.All(vars))}
		if err := runGuarded(e.followCtx, p, leg); err != nil && e.followCtx.Err() == nil {
			log.Warn("following flow failed", "err", err)
		}
		vars, flowID = leg.vars.All(), ""
		if f, ok := p.(*flow.Flow); ok {
			flowID = f.OnCompleteFlowID()
		}
	}
}

func (e *Engine) flowByID(ctx context.Context, id string) (flow.Program, error) {
	if e.cfg.FlowByID == nil {
		return nil, errNoFlows
	}
	return e.cfg.FlowByID(ctx, id)
}

// varsLeg is a leg of a flow that belongs to no call: it can look things up, and nothing else.
type varsLeg struct {
	engine *Engine
	id     string
	vars   *action.Vars
}

var (
	_ action.FlowFinder = (*varsLeg)(nil)
	_ action.Follower   = (*varsLeg)(nil)
	_ action.Recordings = (*varsLeg)(nil)
	_ action.Reporter   = (*varsLeg)(nil)
	_ flow.Observer     = (*varsLeg)(nil)
)

func (l *varsLeg) ID() string         { return l.id }
func (l *varsLeg) Vars() *action.Vars { return l.vars }

// FlowByID finds a flow for fetch_flow.
func (l *varsLeg) FlowByID(ctx context.Context, id string) (action.Program, error) {
	return l.engine.flowByID(ctx, id)
}

// Follow runs another flow after something that this one has done.
func (l *varsLeg) Follow(flowID string, vars map[string]string) error {
	if l.engine.cfg.FlowByID == nil {
		return errNoFlows
	}
	all := l.vars.All()
	maps.Copy(all, vars)
	l.engine.goFollow(flowID, all)
	return nil
}

// RecordingIDs are those of the call that the flow follows, or the one recording.
func (l *varsLeg) RecordingIDs() []string {
	if ids := l.vars.Get("voipbin.call.recording_ids"); ids != "" {
		return strings.Split(ids, ",")
	}
	if id := l.vars.Get("voipbin.recording.id"); id != "" {
		return []string{id}
	}
	return nil
}

// OpenRecording opens one of them.
func (l *varsLeg) OpenRecording(ctx context.Context, id string) (string, io.ReadCloser, error) {
	return l.engine.openRecording(ctx, id)
}

// Report tells the log of what failed after its step had ended.
func (l *varsLeg) Report(step action.Info, err error) {
	l.log().Warn("background work of a step failed", "step", step.ID, "type", step.Type, "err", err)
}

// ActionStarted has nothing to tell: there is no trace.
func (l *varsLeg) ActionStarted(flow.Step) {}

// ActionEnded tells the log of a step that failed.
func (l *varsLeg) ActionEnded(s flow.Step, _ action.Outcome, err error) {
	if err != nil && l.engine.followCtx.Err() == nil {
		l.log().Warn("step failed", "step", s.ID, "type", s.Type, "err", err)
	}
}

func (l *varsLeg) log() *slog.Logger {
	return l.engine.log.With("call", l.vars.Get(varCallID), "activeflow", l.vars.Get(varActiveflow))
}
