package call

import (
	"encoding/json"
	"slices"

	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/store"
)

func (m *Machine) stepStarted(in *Input) {
	m.st.StepStart = in.At
	m.st.Record.FlowPosition = in.Step.ID
	m.st.Stack = m.st.Stack[:min(len(m.st.Stack), in.Step.Depth)]
	m.st.Position = &flow.Position{ID: in.Step.ID, Index: in.Step.Index, Counters: in.Step.Counters, Stack: m.st.Stack}
	m.tellFlow("activeflow_updated", in)
}

func (m *Machine) stepEnded(in *Input) {
	if o := in.Step.Outcome; o != nil && o.Push != nil && in.Step.Error == "" {
		m.st.Stack = append(slices.Clip(m.st.Stack), flow.Frame{Push: *o.Push, ID: in.Step.ID, Index: in.Step.Index})
	}
	if m.st.StepStart.IsZero() {
		return
	}
	if m.st.Record.ActionMS == nil {
		m.st.Record.ActionMS = map[string]int64{}
	}
	m.st.Record.ActionMS[in.Step.Type] += in.At.Sub(m.st.StepStart.Time).Milliseconds()
	m.st.StepStart = store.Time{}
}

// tellFlow tells of the call's flow: in begins it, begins a step of it, or ends it.
func (m *Machine) tellFlow(event string, in *Input) {
	r := &m.st.Record
	a := Activeflow{
		ID: r.ActiveflowID, FlowID: r.FlowID, Status: ActiveflowRunning, ReferenceType: store.ReferenceCall, ReferenceID: r.ID,
		ExecutedActions: []ExecutedAction{}, TmCreate: r.TmCreate, TmUpdate: in.At,
	}
	switch s := in.Step; {
	case in.Kind == KindFlowEnded:
		a.Status, a.OnCompleteFlowID = ActiveflowEnded, in.Flow.OnComplete
	case s != nil:
		a.CurrentAction = &ExecutedAction{ID: s.ID, Type: s.Type, Option: json.RawMessage(s.Option), Execution: s.Seq, Depth: s.Depth, TmExecute: in.At}
	}
	m.do(Effect{Do: DoEmit, Text: event, Activeflow: &a})
}

func (m *Machine) flowEnded(in *Input) {
	if m.redirected() {
		return
	}
	m.st.FlowRuns = false
	m.st.OnComplete = in.Flow.OnComplete
	m.tellFlow("activeflow_deleted", in)
	end := End{By: "local", Reason: store.ReasonNormal, Cause: 16, Status: 200, Code: CodeFlowEnded, Sentence: "the flow came to its end"}
	if in.Flow.Fatal {
		end.Code, end.Sentence = CodeFlowFailed, in.Flow.Error
	}
	if m.st.Record.TmProgressing.IsZero() {
		end.Status = reasonCauses[end.Reason].status
	}
	m.end(in.At, end)
}
