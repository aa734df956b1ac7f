package call

import (
	"encoding/json"

	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/store"
)

// Statuses of an Activeflow.
const (
	ActiveflowRunning = "running"
	ActiveflowEnded   = "ended"
)

// Activeflow is a flow as it runs, or has run, on a call, with VoIPBIN's JSON keys.
type Activeflow struct {
	ID               string           `json:"id"`
	FlowID           string           `json:"flow_id,omitempty"`
	Status           string           `json:"status,omitempty"` // "" before it starts
	ReferenceType    string           `json:"reference_type"`
	ReferenceID      string           `json:"reference_id"`
	OnCompleteFlowID string           `json:"on_complete_flow_id,omitempty"`
	CurrentAction    *ExecutedAction  `json:"current_action,omitempty"`
	ExecutedActions  []ExecutedAction `json:"executed_actions"`    // that have ended, oldest first
	Redirects        []Redirection    `json:"redirects,omitempty"` // oldest first; the flow before ended with the action before
	TmCreate         store.Time       `json:"tm_create,omitzero"`
	TmUpdate         store.Time       `json:"tm_update,omitzero"`
}

// Redirection is a flow that took the place of the one that ran (Call.Redirect).
type Redirection struct {
	FlowID    string     `json:"flow_id,omitempty"`
	Name      string     `json:"name,omitempty"`
	Execution int        `json:"execution"` // of the last action before it
	Tm        store.Time `json:"tm"`
}

// ExecutedAction is one execution of an action. ID and Execution are its stamp.
type ExecutedAction struct {
	ID        string            `json:"id"`
	Type      string            `json:"type"`
	Option    json.RawMessage   `json:"option,omitempty"` // with variables filled in
	Execution int               `json:"execution"`        // number of the step in the activeflow, from 1
	Depth     int               `json:"depth,omitempty"`  // of flows within flows
	Result    map[string]string `json:"result,omitempty"`
	Error     string            `json:"error,omitempty"`
	TmExecute store.Time        `json:"tm_execute"`
	TmEnd     store.Time        `json:"tm_end,omitzero"`
}

// Activeflow tells what the call's flow has done so far, and does now. It reads the trace: not for
// each packet.
func (c *Call) Activeflow() (Activeflow, error) {
	trace, err := DecodeTrace(c.Trace())
	return ActiveflowOf(trace), err
}

// ActiveflowOf reads a call's trace, such as one that a store kept.
func ActiveflowOf(trace []Input) Activeflow {
	a := Activeflow{ReferenceType: "call", ExecutedActions: []ExecutedAction{}}
	for i := range trace {
		a.take(&trace[i])
	}
	return a
}

func (a *Activeflow) take(in *Input) {
	switch in.Kind {
	case KindIncoming:
		a.ID, a.ReferenceID, a.TmCreate = in.Incoming.ActiveflowID, in.Incoming.ID, in.At
	case KindOutgoing:
		a.ID, a.ReferenceID, a.FlowID, a.TmCreate = in.Outgoing.ActiveflowID, in.Outgoing.ID, in.Outgoing.FlowID, in.At
	case KindRestored:
		r := &in.State.Record
		a.ID, a.ReferenceID, a.FlowID, a.TmCreate, a.Status = r.ActiveflowID, r.ID, r.FlowID, r.TmCreate, ActiveflowRunning
	case KindRouted:
		a.FlowID, a.Status = in.Flow.ID, ActiveflowRunning
	case KindCommand:
		if f := in.Command.Flow; in.Command.Name == "redirect" && f != nil {
			r := Redirection{FlowID: f.ID, Name: f.Name, Tm: in.At}
			if n := len(a.ExecutedActions); n > 0 {
				r.Execution = a.ExecutedActions[n-1].Execution
			}
			if a.CurrentAction != nil {
				r.Execution = a.CurrentAction.Execution
			}
			a.Redirects, a.FlowID = append(a.Redirects, r), f.ID
		}
	case KindStarted:
		a.Status = ActiveflowRunning
		a.CurrentAction = &ExecutedAction{
			ID: in.Step.ID, Type: in.Step.Type, Option: json.RawMessage(in.Step.Option), Execution: in.Step.Seq,
			Depth: in.Step.Depth, TmExecute: in.At,
		}
	case KindEnded:
		if a.CurrentAction == nil {
			return
		}
		done := *a.CurrentAction
		done.TmEnd, done.Error = in.At, in.Step.Error
		if o := in.Step.Outcome; o != nil {
			done.Result = o.Result
		}
		a.ExecutedActions = append(a.ExecutedActions, done)
		a.CurrentAction = nil
	case KindFlowEnded:
		a.Status, a.OnCompleteFlowID = ActiveflowEnded, in.Flow.OnComplete
	default:
		return
	}
	a.TmUpdate = in.At
}

var _ flow.Skipper = (*Call)(nil)
