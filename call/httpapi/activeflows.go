package httpapi

import (
	"context"
	"errors"
	"iter"
	"net/http"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/store"
)

// FlowRunner runs flows on no call; *call.Engine does.
type FlowRunner interface {
	Flows
	RunFlow(ctx context.Context, o call.FlowRunOptions) (call.Activeflow, error)
	FlowRun(id string) (call.Activeflow, bool)
	FlowRuns() iter.Seq[call.Activeflow]
	StopFlowRun(ctx context.Context, id string) (bool, error)
	ForgetFlowRun(id string)
}

// activeflowRows are what is done with flows that run, or have run.
func (a *api) activeflowRows() []operation {
	e, ok := a.cfg.Engine.(FlowRunner)
	if !ok {
		return nil
	}
	return []operation{
		op("listActiveflows", "GET /activeflows", "activeflows:read", "Flows that run, or have run", func(r *request, p activeflowParams, _ none) (list[call.Activeflow], error) {
			return a.listActiveflows(r, e, p)
		}).tells("Without what they have done: one of them has that."),
		op("createActiveflow", "POST /activeflows", "activeflows:write", "Run a flow on no call", func(r *request, _ none, b ActiveflowCreate) (call.Activeflow, error) {
			return a.createActiveflow(r, e, b)
		}).tells("It may look things up, send messages and place calls; what needs a call is refused. The last thousand that have ended are known."),
		op("getActiveflow", "GET /activeflows/{id}", "activeflows:read", "One flow that runs, or has run, with what it has done", func(r *request, p idParams, _ none) (call.Activeflow, error) {
			return a.activeflow(r, e, p.ID)
		}),
		op("stopActiveflow", "POST /activeflows/{id}/stop", "activeflows:write", "End a flow that runs, and its call", func(r *request, p idParams, _ none) (call.Activeflow, error) {
			return a.stopActiveflow(r, e, p.ID)
		}),
		op("deleteActiveflow", "DELETE /activeflows/{id}", "activeflows:write", "End a flow, and forget it", func(r *request, p idParams, _ none) (none, error) {
			return none{}, a.deleteActiveflow(r, e, p.ID)
		}).with(http.StatusNoContent).tells("What a call's flow has done belongs to the trace of the call, and is forgotten with that."),
	}
}

// ActiveflowCreate is the body of POST /activeflows.
type ActiveflowCreate struct {
	ID string `json:"id,omitempty" doc:"none: a new one"`
	programBody
	Variables map[string]string `json:"variables,omitempty"`
}

func (a *api) createActiveflow(r *request, e FlowRunner, b ActiveflowCreate) (call.Activeflow, error) {
	p, err := r.program(e, b.programBody, true)
	if err != nil {
		return call.Activeflow{}, err
	}
	if store.CheckID(b.ID) != nil && b.ID != "" {
		return call.Activeflow{}, r.invalid("/id", "an id has at most 255 bytes, and no control characters")
	}
	if wrong := r.checkVariables(b.Variables); wrong != nil {
		return call.Activeflow{}, invalidBody(wrong)
	}
	o := call.FlowRunOptions{ID: b.ID, Flow: p, Variables: b.Variables}
	got, err := e.RunFlow(r.ctx, o)
	var bad *flow.Error
	switch {
	case errors.As(err, &bad) && b.FlowID == "":
		// Once more, at its place in the body, for the places of what is wrong.
		at := r.tree.Member("actions")
		if o.Flow, _, err = e.ParseFlow(alone(r.text, at.Start, at.End), "inline"); err == nil {
			_, err = e.RunFlow(r.ctx, o)
		}
		return got, r.flowFailure(err, "/actions")
	case errors.As(err, &bad):
		return got, r.invalid("/flow_id", "the flow cannot run without a call: %s", bad.Findings[0].String())
	case errors.Is(err, call.ErrRunning):
		return got, &failure{code: http.StatusConflict, status: "ALREADY_EXISTS", reason: "id", message: plain(err)}
	}
	return got, err
}

type activeflowParams struct {
	pageParams
	timeParams
}

// listedFlow is an activeflow, at its place in the list: that of its call.
type listedFlow struct{ call.Activeflow }

func (f *listedFlow) At() store.Cursor {
	id := f.ReferenceID
	if id == "" {
		id = f.ID
	}
	return store.Cursor{Time: f.TmCreate, ID: id}
}

func (a *api) listActiveflows(r *request, e FlowRunner, p activeflowParams) (list[call.Activeflow], error) {
	f := store.CallFilter{Since: p.Since, Until: p.Until, PageSize: p.PageSize, PageToken: p.PageToken}
	var stored, up []listedFlow
	var next string
	if a.cfg.Store != nil {
		calls, more, err := a.cfg.Store.ListCalls(r.ctx, f)
		if err != nil {
			return list[call.Activeflow]{}, err
		}
		next = more
		for i := range calls {
			stored = append(stored, listedFlow{ofRecord(&calls[i])})
		}
	}
	for c := range a.cfg.Engine.Calls() {
		if rec := c.Record(); rec.ID != "" && f.Match(&rec) {
			up = append(up, listedFlow{ofRecord(&rec)})
		}
	}
	for x := range e.FlowRuns() {
		if x.ExecutedActions = []call.ExecutedAction{}; f.Match(&store.Call{TmCreate: x.TmCreate}) {
			up = append(up, listedFlow{x})
		}
	}
	page, next, err := merge(stored, next, up, p.PageSize, p.PageToken)
	flows := make([]call.Activeflow, len(page))
	for i := range page {
		flows[i] = page[i].Activeflow
	}
	return listOf(flows, next), err
}

// ofRecord is what the record of a call tells of its flow.
func ofRecord(c *store.Call) call.Activeflow {
	f := call.Activeflow{
		ID: c.ActiveflowID, FlowID: c.FlowID, Status: call.ActiveflowRunning, ReferenceType: store.ReferenceCall, ReferenceID: c.ID,
		ExecutedActions: []call.ExecutedAction{}, TmCreate: c.TmCreate, TmUpdate: c.TmUpdate,
	}
	if c.Status == store.StatusHangup {
		f.Status = call.ActiveflowEnded
	}
	return f
}

// callOf is the call that is up whose flow it is.
func (a *api) callOf(id string) *call.Call {
	for c := range a.cfg.Engine.Calls() {
		if c.Record().ActiveflowID == id {
			return c
		}
	}
	return nil
}

func (a *api) activeflow(r *request, e FlowRunner, id string) (call.Activeflow, error) {
	if f, ok := e.FlowRun(id); ok {
		return f, nil
	}
	if c := a.callOf(id); c != nil {
		return c.Activeflow()
	}
	if a.cfg.Store == nil || id == "" {
		return call.Activeflow{}, notFound("activeflow", id)
	}
	page, _, err := a.cfg.Store.ListCalls(r.ctx, store.CallFilter{ActiveflowID: id, PageSize: 1})
	switch {
	case err != nil:
		return call.Activeflow{}, err
	case len(page) == 0:
		return call.Activeflow{}, notFound("activeflow", id)
	case a.cfg.Traces == nil:
		return ofRecord(&page[0]), nil
	}
	lines, err := a.cfg.Traces.Trace(r.ctx, page[0].ID)
	if errors.Is(err, store.ErrNotFound) {
		return ofRecord(&page[0]), nil
	} else if err != nil {
		return call.Activeflow{}, err
	}
	trace, err := call.DecodeTrace(lines)
	return call.ActiveflowOf(trace), err
}

func (a *api) stopActiveflow(r *request, e FlowRunner, id string) (call.Activeflow, error) {
	if ok, err := e.StopFlowRun(r.ctx, id); err != nil {
		return call.Activeflow{}, err
	} else if !ok {
		if c := a.callOf(id); c != nil {
			c.StopFlow()
			select {
			case <-c.Done():
			case <-r.ctx.Done():
				return call.Activeflow{}, context.Cause(r.ctx)
			}
		}
	}
	return a.activeflow(r, e, id)
}

func (a *api) deleteActiveflow(r *request, e FlowRunner, id string) error {
	if _, err := a.stopActiveflow(r, e, id); err != nil {
		return err
	}
	e.ForgetFlowRun(id)
	return nil
}
