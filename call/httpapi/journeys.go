package httpapi

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"slices"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/store"
)

// Journeys tells what became of a caller's way; *call.Engine does.
type Journeys interface {
	Journey(ctx context.Context, id string) (*call.Journey, error)
	JourneyState(id string) call.JourneyState
}

func (a *api) journeyRows() []operation {
	e, ok := a.cfg.Engine.(Journeys)
	if !ok {
		return nil
	}
	return []operation{
		op("getJourney", "GET /journeys/{id}", "calls:read", "What became of a caller's way: legs, bridges, rooms, and what caused what",
			func(r *request, p idParams, _ none) (*call.Journey, error) { return e.Journey(r.ctx, p.ID) }),
		op("getJourneyState", "GET /journeys/{id}/state", "calls:read", "How the legs that are up stand to each other, now or then",
			func(r *request, p momentParams, _ none) (call.JourneyState, error) { return journeyState(r, e, p) }),
		op("getJourneyText", "GET /journeys/{id}/text", "calls:read", "A journey for people, a line each", journeyText(e, (*call.Journey).Text)).gives("text/plain"),
		op("getJourneyMermaid", "GET /journeys/{id}/mermaid", "calls:read", "A journey as a flow chart in Mermaid's language", journeyText(e, (*call.Journey).Mermaid)).gives("text/plain"),
		op("listTimelineEvents", "GET /timelines/calls/{id}/events", "calls:read", "What happened to one call, in the order of its time",
			func(r *request, p idParams, _ none) (timeline, error) { return a.timeline(r, e, p.ID) }),
	}
}

type momentParams struct {
	ID string     `json:"id"`
	At store.Time `json:"at,omitzero" doc:"the state then, rebuilt of the traces; none: now"`
}

func journeyState(r *request, e Journeys, p momentParams) (call.JourneyState, error) {
	j, err := e.Journey(r.ctx, p.ID) // also for now: one that there is not is no empty one
	if err != nil {
		return call.JourneyState{}, err
	}
	if p.At.IsZero() {
		return e.JourneyState(p.ID), nil
	}
	return j.At(p.At.Time), nil
}

type journeyTextParams struct {
	ID    string `json:"id"`
	Mask  bool   `json:"mask,omitempty" doc:"without the numbers of people"`
	Steps bool   `json:"steps,omitempty" doc:"with the steps of flows, where the form has them"`
}

func journeyText(e Journeys, f func(*call.Journey, call.JourneyStyle) string) func(*request, journeyTextParams, none) (raw, error) {
	return func(r *request, p journeyTextParams, _ none) (raw, error) {
		j, err := e.Journey(r.ctx, p.ID)
		if err != nil {
			return nil, err
		}
		text := f(j, call.JourneyStyle{Mask: p.Mask, Steps: p.Steps})
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = io.WriteString(w, text) // the peer is gone: nobody to tell
		}, nil
	}
}

// timeline is what happened to one call.
type timeline struct {
	Result []TimelineEvent `json:"result"`
}

// TimelineEvent is a moment of a call, or what joined it to something else.
type TimelineEvent struct {
	What   string     `json:"what" doc:"ringing, answered, step, hold, ...; called, dialled, joined, left, transferred, hung_up, ..."`
	At     store.Time `json:"at"`
	Detail string     `json:"detail,omitempty"`
	Seq    int        `json:"seq,omitempty" doc:"of the input in the call's trace"`
	From   string     `json:"from,omitempty" doc:"label of what caused it"`
	To     string     `json:"to,omitempty" doc:"label of what came of it"`
}

// timeline reads what happened to a call out of its journey.
func (a *api) timeline(r *request, e Journeys, id string) (timeline, error) {
	rec, err := a.getCall(r, idParams{id}, none{})
	if err != nil {
		return timeline{}, err
	}
	j, err := e.Journey(r.ctx, rec.JourneyID)
	if err != nil {
		return timeline{}, err
	}
	label, leg := map[string]string{}, ""
	for i := range j.Nodes {
		n := &j.Nodes[i]
		label[n.ID] = n.Label
		if n.Kind == call.NodeLeg && n.Ref == id {
			leg = n.ID
		}
	}
	t := timeline{Result: []TimelineEvent{}}
	for _, m := range j.Moments {
		if m.Node == leg {
			t.Result = append(t.Result, TimelineEvent{What: m.What, At: m.At, Detail: m.Detail, Seq: m.Seq})
		}
	}
	for _, x := range j.Edges {
		if x.CallID == id || x.From == leg || x.To == leg {
			t.Result = append(t.Result, TimelineEvent{What: x.What, At: x.At, Detail: x.Detail, Seq: x.Seq, From: label[x.From], To: label[x.To]})
		}
	}
	slices.SortStableFunc(t.Result, func(x, y TimelineEvent) int { return cmp.Or(x.At.Compare(y.At.Time), cmp.Compare(x.Seq, y.Seq)) })
	return t, nil
}
