package httpapi

import (
	"errors"
	"iter"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/store"
)

// Groupcalls knows the groupcalls that are up; *call.Engine does.
type Groupcalls interface {
	Groupcalls() iter.Seq[*call.Groupcall]
	FindGroupcall(id string) (*call.Groupcall, bool)
}

// groupcallRows are what is done with groupcalls.
func (a *api) groupcallRows() []operation {
	e, ok := a.cfg.Engine.(Groupcalls)
	if !ok {
		return nil
	}
	db, _ := a.cfg.Store.(store.Groupcalls)
	one := func(r *request, id string) (store.Groupcall, error) {
		if g, ok := e.FindGroupcall(id); ok {
			return g.Record(), nil
		}
		if db == nil {
			return store.Groupcall{}, notFound("groupcall", id)
		}
		return db.Groupcall(r.ctx, id)
	}
	rows := []operation{
		op("listGroupcalls", "GET /groupcalls", "groupcalls:read", "Groupcalls, those that are up and those in the store", func(r *request, p groupcallParams, _ none) (list[store.Groupcall], error) {
			f := store.GroupcallFilter{Status: p.Status, MasterCallID: p.MasterCallID, JourneyID: p.JourneyID, Since: p.Since, Until: p.Until, PageSize: p.PageSize, PageToken: p.PageToken}
			var stored, up []store.Groupcall
			var next string
			var err error
			if db != nil {
				if stored, next, err = db.ListGroupcalls(r.ctx, f); err != nil {
					return list[store.Groupcall]{}, err
				}
			}
			for g := range e.Groupcalls() {
				if rec := g.Record(); f.Match(&rec) {
					up = append(up, rec)
				}
			}
			page, next, err := merge(stored, next, up, p.PageSize, p.PageToken)
			return listOf(page, next), err
		}),
		op("getGroupcall", "GET /groupcalls/{id}", "groupcalls:read", "One groupcall", func(r *request, p idParams, _ none) (store.Groupcall, error) { return one(r, p.ID) }),
		op("hangupGroupcall", "POST /groupcalls/{id}/hangup", "groupcalls:write", "Hang all calls of a groupcall up, and dial no more", func(r *request, p idParams, _ none) (store.Groupcall, error) {
			if g, ok := e.FindGroupcall(p.ID); ok {
				g.Hangup()
				return g.Record(), nil
			}
			if _, err := one(r, p.ID); err != nil {
				return store.Groupcall{}, err
			}
			return store.Groupcall{}, precondition("ended", "the groupcall is over")
		}),
		op("deleteGroupcall", "DELETE /groupcalls/{id}", "groupcalls:write", "Hang a groupcall up, or forget the record of one that is over", func(r *request, p idParams, _ none) (store.Groupcall, error) {
			if g, ok := e.FindGroupcall(p.ID); ok {
				g.Hangup()
				return g.Record(), nil
			}
			g, err := one(r, p.ID)
			if err != nil {
				return g, err
			}
			return g, db.DeleteGroupcall(r.ctx, p.ID)
		}),
	}
	if d, ok := a.cfg.Engine.(Dialer); ok {
		rows = append(rows, op("createGroupcall", "POST /groupcalls", "groupcalls:write", "Ring several destinations", func(r *request, _ none, b GroupcallCreate) (store.Groupcall, error) {
			return a.createGroupcall(r, d, b)
		}).tells("Destinations of the type tel and sip have to be let out; those of the type extension ring all of its phones, those of the type agent the agent's addresses."))
	}
	return rows
}

type groupcallParams struct {
	pageParams
	Status       string `json:"status,omitempty"`
	MasterCallID string `json:"master_call_id,omitempty"`
	JourneyID    string `json:"journey_id,omitempty"`
	timeParams
}

// GroupcallCreate is the body of POST /groupcalls.
type GroupcallCreate struct {
	programBody
	Source       address.Address   `json:"source,omitzero" doc:"who is shown as calling; none: who the trunk says"`
	Destinations []address.Address `json:"destinations" opt:"required"`
	RingMethod   string            `json:"ring_method,omitempty" opt:"enum=ring_all|linear" doc:"all at once, or one after another until one answers; default ring_all"`
	AnswerMethod string            `json:"answer_method,omitempty" opt:"enum=hangup_others" doc:"hangup_others: the first answer ends all others; empty: others may answer, too"`

	MasterCallID   string            `json:"master_call_id,omitempty" doc:"of a call whose end is that of all of them"`
	Anonymous      string            `json:"anonymous,omitempty" opt:"enum=yes|no|auto"`
	Variables      map[string]string `json:"variables,omitempty" doc:"of the flow"`
	Metadata       map[string]string `json:"metadata,omitempty"`
	EarlyExecution bool              `json:"early_execution,omitempty"`
	RingTimeout    int64             `json:"ring_timeout,omitempty" opt:"ms,min=0,max=3600000" doc:"milliseconds that each destination rings; 0: as configured"`
	Timeout        int64             `json:"timeout,omitempty" opt:"ms,min=0,max=3600000" doc:"milliseconds until somebody has to have answered; 0: none"`
	JourneyID      string            `json:"journey_id,omitempty"`
}

func (a *api) createGroupcall(r *request, e Dialer, b GroupcallCreate) (store.Groupcall, error) {
	p, err := r.program(e, b.programBody, false)
	if err != nil {
		return store.Groupcall{}, err
	}
	if n := len(b.Destinations); n > action.MaxDestinations {
		return store.Groupcall{}, r.invalid("/destinations", "%d destinations are more than %d", n, action.MaxDestinations)
	}
	if wrong := r.undialable(b.Destinations); wrong != nil {
		return store.Groupcall{}, invalidBody(wrong)
	}
	g, err := e.Groupcall(r.ctx, call.GroupcallOptions{
		Destinations: b.Destinations, Source: b.Source, Flow: p, EarlyExecution: b.EarlyExecution, RingMethod: b.RingMethod, AnswerMethod: b.AnswerMethod,
		MasterCallID: someID(b.MasterCallID), RingTimeout: ms(b.RingTimeout), Timeout: ms(b.Timeout), Anonymous: b.Anonymous, Variables: b.Variables,
		Metadata: b.Metadata, JourneyID: b.JourneyID,
	})
	if errors.Is(err, call.ErrMasterEnding) {
		return store.Groupcall{}, r.invalid("/master_call_id", "there is no such call, or it is ending")
	} else if err != nil {
		return store.Groupcall{}, err
	}
	return g.Record(), nil
}
