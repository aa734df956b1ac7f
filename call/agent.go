package call

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/callbin/callbin/call/address"
)

// Ring methods of an Agent.
const (
	RingAll    = "ringall" // all addresses at once
	RingLinear = "linear"  // one after the other
)

// Agent is a person, or a team, who is reached at several addresses: what stands behind a destination of type agent.
type Agent struct {
	ID         string            `json:"id"`
	Name       string            `json:"name,omitempty"`
	Detail     string            `json:"detail,omitempty"`
	Addresses  []address.Address `json:"addresses"`             // of type extension, tel and sip; with Groupcall also agent
	RingMethod string            `json:"ring_method,omitempty"` // "": RingAll
	// RingTimeout is how long each address rings with RingLinear. 0: 20 seconds.
	RingTimeout time.Duration `json:"-"`
	// Groupcall makes a call of each address, with events and a record, within a groupcall, as VoIPBIN does. Else one call with one
	// record rings all of them. Engine.Dial places one call in any case.
	Groupcall bool     `json:"groupcall,omitempty"`
	Tags      []string `json:"tag_ids,omitempty"` // skills; see QueueOptions.Tags
	// Status is the one that the agent begins with, AgentOffline or another that SetAgentStatus takes. "": AgentOffline.
	Status string `json:"status,omitempty"`
}

// linearRing is the default of Agent.RingTimeout.
const linearRing = 20 * time.Second

// Agents finds agents by their ids, as Extensions does extensions. It is the one place that knows who stands behind a destination
// of type agent; it is asked before each call to one. What is an AgentLister, too, fills the queues when the engine starts.
type Agents interface {
	Agent(ctx context.Context, id string) (a Agent, ok bool, err error)
}

// AgentLister is implemented by Agents that know all of theirs, as those of ListAgents do.
type AgentLister interface {
	AllAgents(ctx context.Context) ([]Agent, error)
}

// agentList is Agents in memory.
type agentList map[string]Agent

func (l agentList) Agent(_ context.Context, id string) (Agent, bool, error) {
	a, ok := l[id]
	return a, ok, nil
}

// AllAgents returns them in the order of their ids.
func (l agentList) AllAgents(context.Context) ([]Agent, error) {
	var all []Agent
	for _, id := range slices.Sorted(maps.Keys(l)) {
		all = append(all, l[id])
	}
	return all, nil
}

// ListAgents are those of list, of which no two may have the same id. Nil of none.
func ListAgents(list ...Agent) Agents {
	if len(list) == 0 {
		return nil
	}
	l := make(agentList, len(list))
	for _, a := range list {
		l[a.ID] = a
	}
	return l
}

// maxAgentAddresses bounds what one call to an agent rings.
const maxAgentAddresses = 64

func checkAgents(what string, list []Agent) error {
	var errs []error
	seen := map[string]bool{}
	for i, a := range list {
		bad := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("%s[%d]: %w", what, i, fmt.Errorf(format, args...)))
		}
		switch {
		case a.ID == "":
			bad("no id")
		case seen[a.ID]:
			bad("%q stands there twice", a.ID)
		case len(a.Addresses) == 0 || len(a.Addresses) > maxAgentAddresses:
			bad("%q has %d addresses, not 1 to %d", a.ID, len(a.Addresses), maxAgentAddresses)
		case a.RingMethod != "" && a.RingMethod != RingAll && a.RingMethod != RingLinear:
			bad("ring_method %q is not %s or %s", a.RingMethod, RingAll, RingLinear)
		case a.Status != "" && !slices.Contains(settable, a.Status):
			bad("status %q is none of %s", a.Status, strings.Join(settable, ", "))
		}
		seen[a.ID] = true
		for j, to := range a.Addresses {
			switch {
			case to.Type == address.TypeExtension, to.Type == address.TypeTel, to.Type == address.TypeSIP, to.Type == address.TypeAgent && a.Groupcall:
				if err := to.Normalize().Validate(); err != nil {
					bad("addresses[%d]: %w", j, err)
				}
			default:
				bad("addresses[%d]: type %q is not extension, tel or sip", j, to.Type)
			}
		}
	}
	return errors.Join(errs...)
}
