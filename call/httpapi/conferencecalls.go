package httpapi

import (
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/store"
)

// conferencecallRows are what is done with the stays of calls in conferences.
func (a *api) conferencecallRows() []operation {
	e, ok := a.cfg.Engine.(Rooms)
	if !ok {
		return nil
	}
	c := conferencecalls{e, nil}
	c.db, _ = a.cfg.Store.(store.Conferences)
	return []operation{
		op("listConferencecalls", "GET /conferencecalls", "conferences:read", "Stays in conferences, those that are not over and those in the store", c.list),
		op("getConferencecall", "GET /conferencecalls/{id}", "conferences:read", "One stay in a conference", func(r *request, p idParams, _ none) (Conferencecall, error) { return c.one(r, p.ID) }),
		op("deleteConferencecall", "DELETE /conferencecalls/{id}", "conferences:write", "Put a call out of its conference, or forget the record of a stay that is over", c.delete).
			tells("The flow of the call goes on."),
		op("muteConferencecall", "POST /conferencecalls/{id}/mute", "conferences:write", "Let nobody hear a member", c.control(func(f *call.Conference, id string) error { return f.Mute(id, true) })),
		op("unmuteConferencecall", "DELETE /conferencecalls/{id}/mute", "conferences:write", "End that", c.control(func(f *call.Conference, id string) error { return f.Mute(id, false) })),
		op("deafenConferencecall", "POST /conferencecalls/{id}/deaf", "conferences:write", "Let a member hear nothing of the others", c.control(func(f *call.Conference, id string) error { return f.Deafen(id, true) })),
		op("undeafenConferencecall", "DELETE /conferencecalls/{id}/deaf", "conferences:write", "End that", c.control(func(f *call.Conference, id string) error { return f.Deafen(id, false) })),
		op("setConferencecallRole", "PUT /conferencecalls/{id}/role", "conferences:write", "Give a member another role", func(r *request, p idParams, b Role) (Conferencecall, error) {
			return c.control(func(f *call.Conference, id string) error { return f.SetRole(id, b.Role) })(r, p, none{})
		}).tells("A listener is heard by nobody."),
	}
}

// Role is the body of PUT /conferencecalls/{id}/role.
type Role struct {
	Role string `json:"role" opt:"required,enum=moderator|participant|listener"`
}

// Conferencecall is the stay of a call in a conference, with VoIPBIN's keys, and ours.
type Conferencecall struct {
	store.Conferencecall
	Talking bool    `json:"talking,omitempty" doc:"where talker_events of the conference is set, as level"`
	Level   float64 `json:"level,omitempty" doc:"mean amplitude of the last tenth of a second; 1: a square wave of full scale"`
}

type conferencecalls struct {
	rooms Rooms
	db    store.Conferences // nil: only those that are not over are known
}

type conferencecallParams struct {
	pageParams
	ConferenceID string `json:"conference_id,omitempty"`
	ReferenceID  string `json:"reference_id,omitempty" doc:"of the call"`
	JourneyID    string `json:"journey_id,omitempty"`
	timeParams
}

func (c conferencecalls) list(r *request, p conferencecallParams, _ none) (list[Conferencecall], error) {
	f := store.ConferencecallFilter{ConferenceID: p.ConferenceID, ReferenceID: p.ReferenceID, JourneyID: p.JourneyID, Since: p.Since, Until: p.Until, PageSize: p.PageSize, PageToken: p.PageToken}
	var stored, up []Conferencecall
	var next string
	if c.db != nil {
		page, more, err := c.db.ListConferencecalls(r.ctx, f)
		if err != nil {
			return list[Conferencecall]{}, err
		}
		for _, x := range page {
			stored = append(stored, Conferencecall{Conferencecall: x})
		}
		next = more
	}
	for x := range c.rooms.Conferences() {
		for _, m := range x.Calls() {
			if f.Match(&m.Conferencecall) {
				up = append(up, Conferencecall{m.Conferencecall, m.Talking, m.Level})
			}
		}
	}
	page, next, err := merge(stored, next, up, p.PageSize, p.PageToken)
	return listOf(page, next), err
}

// up finds a stay that is not over, and its conference.
func (c conferencecalls) up(id string) (*call.Conference, Conferencecall, bool) {
	for x := range c.rooms.Conferences() {
		for _, m := range x.Calls() {
			if m.ID == id {
				return x, Conferencecall{m.Conferencecall, m.Talking, m.Level}, true
			}
		}
	}
	return nil, Conferencecall{}, false
}

func (c conferencecalls) one(r *request, id string) (Conferencecall, error) {
	if _, m, ok := c.up(id); ok {
		return m, nil
	}
	if c.db == nil {
		return Conferencecall{}, notFound("conferencecall", id)
	}
	rec, err := c.db.Conferencecall(r.ctx, id)
	return Conferencecall{Conferencecall: rec}, err
}

// control is a handler of what has no body.
func (c conferencecalls) control(do func(f *call.Conference, id string) error) func(r *request, p idParams, _ none) (Conferencecall, error) {
	return func(r *request, p idParams, _ none) (Conferencecall, error) {
		f, _, ok := c.up(p.ID)
		if !ok {
			if _, err := c.one(r, p.ID); err != nil {
				return Conferencecall{}, err
			}
			return Conferencecall{}, precondition("ended", "the call is not in the conference any more")
		}
		if err := refusedBy(do(f, p.ID)); err != nil {
			return Conferencecall{}, err
		}
		return c.one(r, p.ID)
	}
}

func (c conferencecalls) delete(r *request, p idParams, _ none) (Conferencecall, error) {
	if f, m, ok := c.up(p.ID); ok {
		return m, f.Kick(p.ID)
	}
	rec, err := c.one(r, p.ID)
	if err != nil {
		return rec, err
	}
	return rec, c.db.DeleteConferencecall(r.ctx, p.ID)
}
