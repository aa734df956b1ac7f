package httpapi

import (
	"encoding/json"
	"fmt"
	"strconv"
	"sync"

	"github.com/google/uuid"

	"github.com/callbin/callbin/store"
)

// flowRows are what is done with stored flows.
func (a *api) flowRows() []operation {
	e, ok := a.cfg.Engine.(Flows)
	if !ok || a.cfg.Flows == nil {
		return nil
	}
	return []operation{
		op("listFlows", "GET /flows", "flows:read", "Stored flows", a.listFlows),
		op("createFlow", "POST /flows", "flows:write", "Store a flow", func(r *request, _ none, b FlowBody) (Flow, error) { return a.createFlow(r, e, b) }).tagged().
			tells("It is checked as flows of files are: what is wrong is told with its place in the body, what is doubtful in warnings."),
		op("getFlow", "GET /flows/{id}", "flows:read", "One stored flow", a.getFlow).tagged(),
		op("updateFlow", "PUT /flows/{id}", "flows:write", "Replace a stored flow", func(r *request, p idParams, b FlowBody) (Flow, error) { return a.updateFlow(r, e, p, b) }).tagged().
			tells("Calls that run it go on with what they have; the next one gets the new one."),
		op("deleteFlow", "DELETE /flows/{id}", "flows:write", "Forget a stored flow", a.deleteFlow).tagged(),
	}
}

// FlowBody is the body of POST and PUT of flows: it is itself a flow as package flow reads it.
type FlowBody struct {
	Name             string     `json:"name,omitempty"`
	Detail           string     `json:"detail,omitempty" doc:"a description"`
	Actions          actionList `json:"actions" doc:"what happens, one after another"`
	OnCompleteFlowID string     `json:"on_complete_flow_id,omitempty" doc:"of the flow that runs when this one is complete"`
}

// Flow is a stored flow, with VoIPBIN's keys, and ours.
type Flow struct {
	ID string `json:"id"`
	FlowBody
	TmCreate store.Time `json:"tm_create"`
	TmUpdate store.Time `json:"tm_update"`

	Rev      int64    `json:"rev" doc:"counts the changes, from 1; it is the ETag"`
	Warnings []Detail `json:"warnings,omitempty" doc:"what is doubtful: after POST and PUT"`
}

// flowWrites has changes of flows one after the other: a store compares revisions where it puts, but not where it deletes.
type flowWrites struct{ mu sync.Mutex }

type flowParams struct {
	pageParams
	Name string `json:"name,omitempty" doc:"exactly"`
}

func (a *api) listFlows(r *request, p flowParams, _ none) (list[Flow], error) {
	rows, next, err := a.cfg.Flows.ListFlows(r.ctx, store.FlowFilter{Name: p.Name, PageSize: p.PageSize, PageToken: p.PageToken})
	if err != nil {
		return list[Flow]{}, err
	}
	page := make([]Flow, len(rows))
	for i := range rows {
		if page[i], err = flowOf(rows[i]); err != nil {
			return list[Flow]{}, err
		}
	}
	return listOf(page, next), nil
}

func (a *api) getFlow(r *request, p idParams, _ none) (Flow, error) {
	row, err := a.cfg.Flows.Flow(r.ctx, p.ID)
	if err != nil {
		return Flow{}, err
	}
	return r.flow(row)
}

func (a *api) createFlow(r *request, e Flows, b FlowBody) (Flow, error) {
	a.flows.mu.Lock()
	defer a.flows.mu.Unlock()
	return a.putFlow(r, e, store.Flow{ID: uuid.NewString()}, b)
}

func (a *api) updateFlow(r *request, e Flows, p idParams, b FlowBody) (Flow, error) {
	a.flows.mu.Lock()
	defer a.flows.mu.Unlock()
	row, err := a.cfg.Flows.Flow(r.ctx, p.ID)
	if err != nil {
		return Flow{}, err
	}
	if err := r.version(strconv.FormatInt(row.Rev, 10)); err != nil {
		return Flow{}, err
	}
	return a.putFlow(r, e, row, b)
}

// putFlow stores b in place of row.
func (a *api) putFlow(r *request, e Flows, row store.Flow, b FlowBody) (Flow, error) {
	_, findings, err := e.ParseFlow(r.text, b.Name)
	if err != nil {
		return Flow{}, r.flowFailure(err, "")
	}
	row.Name, row.Detail = b.Name, b.Detail
	if row.Body, err = json.Marshal(struct {
		ID string `json:"id"`
		FlowBody
	}{row.ID, b}); err != nil {
		return Flow{}, fmt.Errorf("httpapi: write flow %s: %w", row.ID, err)
	}
	if row, err = a.cfg.Flows.PutFlow(r.ctx, row); err != nil {
		return Flow{}, err
	}
	f, err := r.flow(row)
	for _, x := range findings {
		if len(f.Warnings) < maxDetails {
			f.Warnings = append(f.Warnings, Detail{x.Pointer, x.Line, x.Column, x.Message})
		}
	}
	return f, err
}

func (a *api) deleteFlow(r *request, p idParams, _ none) (Flow, error) {
	a.flows.mu.Lock()
	defer a.flows.mu.Unlock()
	row, err := a.cfg.Flows.Flow(r.ctx, p.ID)
	if err != nil {
		return Flow{}, err
	}
	if err := r.version(strconv.FormatInt(row.Rev, 10)); err != nil {
		return Flow{}, err
	}
	if err := a.cfg.Flows.DeleteFlow(r.ctx, p.ID); err != nil {
		return Flow{}, err
	}
	return r.flow(row)
}

// flow is row as it is answered, with its version.
func (r *request) flow(row store.Flow) (Flow, error) {
	r.etag = `"` + strconv.FormatInt(row.Rev, 10) + `"`
	return flowOf(row)
}

// flowOf is a row as it is answered. One that another program has stored may be a bare list of actions.
func flowOf(row store.Flow) (Flow, error) {
	f := Flow{ID: row.ID, TmCreate: row.TmCreate, TmUpdate: row.TmUpdate, Rev: row.Rev}
	err := json.Unmarshal(row.Body, &f.FlowBody)
	if err != nil && json.Unmarshal(row.Body, &f.Actions) != nil {
		return f, fmt.Errorf("httpapi: read flow %s: %w", row.ID, err)
	}
	f.Name, f.Detail = row.Name, row.Detail
	return f, nil
}
