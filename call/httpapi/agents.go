package httpapi

import (
	"context"
	"iter"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/store"
)

// Desk knows agents as they stand; *call.Engine does.
type Desk interface {
	AgentState(id string) (call.AgentState, bool)
	AgentStates() iter.Seq[call.AgentState]
	SetAgentStatus(ctx context.Context, id, status string) error
}

// agentRows are what is done with agents.
func (a *api) agentRows() []operation {
	desk, ok := a.cfg.Engine.(Desk)
	if !ok {
		return nil
	}
	d := a.directory()
	one := func(id string) (Agent, error) {
		s, ok := desk.AgentState(id)
		if !ok {
			return Agent{}, notFound("agent", id)
		}
		return agentOf(d, s), nil
	}
	rows := []operation{
		op("listAgents", "GET /agents", "agents:read", "Agents as they stand", func(_ *request, p agentParams, _ none) (list[Agent], error) {
			var all []Agent
			for s := range desk.AgentStates() {
				if p.Status == "" || p.Status == s.Status {
					all = append(all, agentOf(d, s))
				}
			}
			page, next, err := merge(nil, "", all, p.PageSize, p.PageToken)
			return listOf(page, next), err
		}),
		op("getAgent", "GET /agents/{id}", "agents:read", "One agent as it stands", func(_ *request, p idParams, _ none) (Agent, error) { return one(p.ID) }),
		op("setAgentStatus", "PUT /agents/{id}/status", "agents:write", "Give an agent another status", func(r *request, p idParams, b AgentStatus) (Agent, error) {
			if err := desk.SetAgentStatus(r.ctx, p.ID, b.Status); err != nil {
				return Agent{}, err
			}
			return one(p.ID)
		}).tells("While a call of a queue rings or is talked it counts from the end of that on."),
	}
	if d == nil {
		return rows
	}
	update := func(r *request, id string, b AgentBody) (Agent, error) {
		old, err := entry(r, d.Agents, "agent", id)
		if err != nil {
			return Agent{}, err
		}
		e, err := d.Agents.Update(r.ctx, id, old.Rev, b.apply)
		if _, err = updated(r, e, err); err != nil {
			return Agent{}, err
		}
		return one(id)
	}
	return append(rows,
		op("createAgent", "POST /agents", "agents:write", "Make an agent", func(r *request, _ none, b AgentCreate) (Agent, error) {
			v := call.Agent{Status: b.Status}
			b.AgentBody.apply(&v)
			if len(v.Addresses) == 0 {
				return Agent{}, r.invalid("/addresses", "an agent has at least one address")
			}
			e, err := d.Agents.Create(r.ctx, someID(b.ID), v)
			if e, err = created(r, e, err); err != nil {
				return Agent{}, err
			}
			return one(e.ID)
		}).tagged(),
		op("updateAgent", "PUT /agents/{id}", "agents:write", "Change an agent", func(r *request, p idParams, b AgentBody) (Agent, error) { return update(r, p.ID, b) }).tagged().
			tells("Keys that are not there stay as they are, and what the agent does at the moment goes on."),
		op("setAgentTags", "PUT /agents/{id}/tag_ids", "agents:write", "Give an agent other skills", func(r *request, p idParams, b TagIDs) (Agent, error) {
			return update(r, p.ID, AgentBody{TagIDs: &b.TagIDs})
		}).tagged(),
		op("setAgentAddresses", "PUT /agents/{id}/addresses", "agents:write", "Give an agent other addresses", func(r *request, p idParams, b AgentAddresses) (Agent, error) {
			return update(r, p.ID, AgentBody{Addresses: &b.Addresses})
		}).tagged(),
		op("deleteAgent", "DELETE /agents/{id}", "agents:write", "Forget an agent", func(r *request, p idParams, _ none) (Agent, error) {
			was, err := one(p.ID)
			if err != nil {
				return was, err
			}
			_, err = deleted(r, d.Agents, "agent", p.ID)
			return was, err
		}).tagged())
}

type agentParams struct {
	pageParams
	Status string `json:"status,omitempty"`
}

// AgentBody are the keys of an agent that can be changed.
type AgentBody struct {
	Name        *string            `json:"name,omitempty"`
	Detail      *string            `json:"detail,omitempty" doc:"a description"`
	RingMethod  *string            `json:"ring_method,omitempty" opt:"enum=ringall|linear" doc:"all addresses at once, or one after another; default ringall"`
	TagIDs      *[]string          `json:"tag_ids,omitempty" doc:"skills: queues choose agents by them"`
	Addresses   *[]address.Address `json:"addresses,omitempty" doc:"of the types extension, tel and sip; with groupcall also agent"`
	RingTimeout *int64             `json:"ring_timeout,omitempty" opt:"ms,min=0,max=3600000" doc:"milliseconds that each address rings with linear; 0: 20 seconds"`
	Groupcall   *bool              `json:"groupcall,omitempty" doc:"each address is a call with events and a record of its own"`
}

func (b AgentBody) apply(a *call.Agent) {
	set(&a.Name, b.Name)
	set(&a.Detail, b.Detail)
	set(&a.RingMethod, b.RingMethod)
	set(&a.Tags, b.TagIDs)
	set(&a.Addresses, b.Addresses)
	setMS(&a.RingTimeout, b.RingTimeout)
	set(&a.Groupcall, b.Groupcall)
}

// AgentCreate is the body of POST /agents.
type AgentCreate struct {
	ID     string `json:"id,omitempty" doc:"target of addresses of the type agent; none: a new UUID"`
	Status string `json:"status,omitempty" opt:"enum=available|away|busy|offline" doc:"that it begins with; default offline"`
	AgentBody
}

// AgentStatus is the body of PUT /agents/{id}/status.
type AgentStatus struct {
	Status string `json:"status" opt:"required,enum=available|away|busy|offline"`
}

// AgentAddresses is the body of PUT /agents/{id}/addresses.
type AgentAddresses struct {
	Addresses []address.Address `json:"addresses" opt:"required"`
}

// TagIDs is the body of PUT of the tags of a queue or agent.
type TagIDs struct {
	TagIDs []string `json:"tag_ids"`
}

// Agent is an agent as it stands, with VoIPBIN's keys, and ours.
type Agent struct {
	call.AgentState
	RingTimeout int64 `json:"ring_timeout,omitempty" doc:"ms"`
	kept
}

// At is its place in lists.
func (a *Agent) At() store.Cursor { return store.Cursor{Time: a.TmCreate, ID: a.ID} }

func agentOf(d *call.Directory, s call.AgentState) Agent {
	out := Agent{AgentState: s, RingTimeout: int64(s.RingTimeout / time.Millisecond), kept: kept{ReadOnly: true}}
	if d != nil {
		if e, ok := d.Agents.Get(s.ID); ok {
			out.kept = keptOf(e)
		}
	}
	if out.Addresses == nil {
		out.Addresses = []address.Address{}
	}
	return out
}
