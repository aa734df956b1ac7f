package httpapi

import (
	"net/http"

	"github.com/callbin/callbin/store"
)

// callRows are what is done with calls.
func (a *api) callRows() []operation {
	rows := []operation{
		op("listCalls", "GET /calls", "calls:read", "Calls, those that are up and those in the store", a.listCalls),
		op("getCall", "GET /calls/{id}", "calls:read", "One call", a.getCall),
		op("getCallTrace", "GET /calls/{id}/trace", "calls:read", "What a call consumed", a.trace).gives("application/x-ndjson").
			tells("JSON lines: a file that calltest.Replay runs again. It holds what the caller pressed, and what servers answered."),
	}
	if e, ok := a.cfg.Engine.(Dialer); ok {
		rows = append(rows,
			op("createCalls", "POST /calls", "calls:write", "Place calls", func(r *request, _ none, b CallCreate) (CallsCreated, error) { return a.createCalls(r, e, b) }).
				tells("Each destination of the type tel or sip is a call, each extension and agent a groupcall. Those that could not be placed are told in errors; where none could, the answer is the error of the first."))
	}
	return rows
}

// callParams choose calls.
type callParams struct {
	pageParams
	Status       string            `json:"status,omitempty"`
	HangupReason string            `json:"hangup_reason,omitempty"`
	Direction    string            `json:"direction,omitempty" opt:"enum=incoming|outgoing"`
	Source       string            `json:"source,omitempty" doc:"the target or target_name of the source, exactly"`
	Destination  string            `json:"destination,omitempty" doc:"the target or target_name of the destination, exactly"`
	JourneyID    string            `json:"journey_id,omitempty"`
	Account      string            `json:"account,omitempty" doc:"who pays"`
	ActiveflowID string            `json:"activeflow_id,omitempty"`
	Metadata     map[string]string `json:"metadata,omitempty" doc:"metadata[KEY]=VALUE, or metadata.KEY=VALUE: each pair has to be there"`
	timeParams
}

func (a *api) listCalls(r *request, p callParams, _ none) (list[store.Call], error) {
	f := store.CallFilter{
		Status: p.Status, HangupReason: p.HangupReason, Direction: p.Direction, Source: p.Source, Destination: p.Destination, JourneyID: p.JourneyID,
		Account: p.Account, ActiveflowID: p.ActiveflowID, Metadata: p.Metadata, Since: p.Since, Until: p.Until, PageSize: p.PageSize, PageToken: p.PageToken,
	}
	var stored, up []store.Call
	var next string
	var err error
	if a.cfg.Store != nil {
		if stored, next, err = a.cfg.Store.ListCalls(r.ctx, f); err != nil {
			return list[store.Call]{}, err
		}
	}
	for c := range a.cfg.Engine.Calls() {
		if rec := c.Record(); rec.ID != "" && f.Match(&rec) { // else it begins in this moment
			up = append(up, rec)
		}
	}
	page, next, err := merge(stored, next, up, p.PageSize, p.PageToken)
	return listOf(page, next), err
}

func (a *api) getCall(r *request, p idParams, _ none) (store.Call, error) {
	if c, ok := a.cfg.Engine.Call(p.ID); ok {
		if rec := c.Record(); rec.ID != "" { // else it begins in this moment
			return rec, nil
		}
	}
	if a.cfg.Store == nil {
		return store.Call{}, notFound("call", p.ID)
	}
	return a.cfg.Store.Call(r.ctx, p.ID)
}

// trace gives out what a call consumed.
func (a *api) trace(r *request, p idParams, _ none) (raw, error) {
	var lines []byte
	if c, ok := a.cfg.Engine.Call(p.ID); ok {
		lines = c.Trace()
	} else if a.cfg.Traces == nil {
		return nil, notFound("trace of a call", p.ID)
	} else {
		var err error
		if lines, err = a.cfg.Traces.Trace(r.ctx, p.ID); err != nil {
			return nil, err
		}
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		_, _ = w.Write(lines) // the peer is gone: nobody to tell
	}, nil
}
