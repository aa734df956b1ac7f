package httpapi

import (
	"github.com/callbin/callbin/call"
)

// numberRows are what is done with numbers of ours.
func (a *api) numberRows() []operation {
	d := a.directory()
	if d == nil {
		return nil
	}
	put := func(r *request, b NumberBody) (func(*call.Number), error) {
		flow, err := a.flowID(r, "/call_flow_id", b.CallFlowID)
		return func(n *call.Number) {
			set(&n.Name, b.Name)
			set(&n.Detail, b.Detail)
			set(&n.FlowID, flow)
		}, err
	}
	return []operation{
		op("listNumbers", "GET /numbers", "numbers:read", "Numbers and the flows that answer them", func(_ *request, p pageParams, _ none) (list[Number], error) {
			return entries(d.Numbers, p, numberOf)
		}).tells("Destinations of flows that are files are not among them."),
		op("createNumber", "POST /numbers", "numbers:write", "Have a flow answer a number", func(r *request, _ none, b NumberCreate) (Number, error) {
			change, err := put(r, b.NumberBody)
			if err != nil {
				return Number{}, err
			}
			n := call.Number{Number: b.Number}
			change(&n)
			e, err := d.Numbers.Create(r.ctx, "", n)
			e, err = created(r, e, err)
			return numberOf(e), err
		}).tagged().tells("It comes before the flows of files. Nobody outside may show it as calling."),
		op("getNumber", "GET /numbers/{id}", "numbers:read", "One number", func(r *request, p idParams, _ none) (Number, error) {
			e, err := entry(r, d.Numbers, "number", p.ID)
			return numberOf(e), err
		}).tagged(),
		op("updateNumber", "PUT /numbers/{id}", "numbers:write", "Change a number", func(r *request, p idParams, b NumberBody) (Number, error) {
			old, err := entry(r, d.Numbers, "number", p.ID)
			if err != nil {
				return Number{}, err
			}
			change, err := put(r, b)
			if err != nil {
				return Number{}, err
			}
			e, err := d.Numbers.Update(r.ctx, p.ID, old.Rev, change)
			e, err = updated(r, e, err)
			return numberOf(e), err
		}).tagged().tells("Keys that are not there stay as they are."),
		op("deleteNumber", "DELETE /numbers/{id}", "numbers:write", "Forget a number", func(r *request, p idParams, _ none) (Number, error) {
			e, err := deleted(r, d.Numbers, "number", p.ID)
			return numberOf(e), err
		}).tagged(),
	}
}

// NumberBody are the keys of a number that can be changed.
type NumberBody struct {
	Name       *string `json:"name,omitempty" doc:"for people"`
	Detail     *string `json:"detail,omitempty" doc:"a description"`
	CallFlowID *string `json:"call_flow_id,omitempty" doc:"of the flow that answers it; empty: calls are refused with 404"`
}

// NumberCreate is the body of POST /numbers.
type NumberCreate struct {
	Number string `json:"number" opt:"required" doc:"E.164, or any other destination, such as 100"`
	NumberBody
}

// Number is a number of ours, with VoIPBIN's keys, and ours.
type Number struct {
	ID string `json:"id"`
	call.Number
	Status string `json:"status" opt:"enum=active"`
	kept
}

func numberOf(e call.Entry[call.Number]) Number {
	return Number{ID: e.ID, Number: e.Value, Status: "active", kept: keptOf(e)}
}
