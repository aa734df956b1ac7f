package call

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/callbin/callbin/call/address"
)

// Ring methods of an Agent.
const (
	RingAll    = "ringall" // all addresses at once
	RingLinear = "linear"  // one after the other
)

// Agent is a person who is reached at several addresses.
type Agent struct {
	ID         string            `json:"id"`
	Name       string            `json:"name,omitempty"`
	Addresses  []address.Address `json:"addresses"`             // of type extension, tel and sip
	RingMethod string            `json:"ring_method,omitempty"` // "": RingAll
	// RingTimeout is how long each address rings with RingLinear. 0: 20 seconds.
	RingTimeout time.Duration `json:"-"`
}

// linearRing is the default of Agent.RingTimeout.
const linearRing = 20 * time.Second

// Agents finds agents by their ids, as Extensions does extensions.
type Agents interface {
	Agent(ctx context.Context, id string) (a Agent, ok bool, err error)
}

// agentList is Agents in memory.
type agentList map[string]Agent

func (l agentList) Agent(_ context.Context, id string) (Agent, bool, error) {
	a, ok := l[id]
	return a, ok, nil
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
		}
		seen[a.ID] = true
		for j, to := range a.Addresses {
			switch to.Type {
			case address.TypeExtension, address.TypeTel, address.TypeSIP:
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
