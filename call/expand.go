package call

import (
	"context"
	"fmt"
	"time"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/store"
)

// expansion is what a destination stands for, where that is rung as a groupcall of its own.
type expansion struct {
	destinations []address.Address
	method       string        // store.RingAll or store.RingLinear
	each         time.Duration // that each rings; 0: as the others do
}

// maxNesting is how deep destinations may stand for others: team, agent, extension, phone.
const maxNesting = 4

// expand tells what dest stands for; nothing where it stands for itself, or is one call that rings several (fork.go). It is the one
// place where destinations become others.
func (e *Engine) expand(ctx context.Context, dest address.Address) (expansion, error) {
	if dest.Type != address.TypeAgent {
		return expansion{}, nil
	}
	a, ok, err := e.agent(ctx, dest.Target)
	if err != nil || !ok || !a.Groupcall {
		return expansion{}, err
	}
	x := expansion{destinations: a.Addresses[:min(len(a.Addresses), maxAgentAddresses)], method: store.RingAll}
	if a.RingMethod == RingLinear {
		x.method, x.each = store.RingLinear, a.RingTimeout
	}
	return x, nil
}

// agent asks Config.Agents, which is the host's.
func (e *Engine) agent(ctx context.Context, id string) (a Agent, ok bool, err error) {
	if e.cfg.Agents == nil {
		return Agent{}, false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	err = guarded(func() (err error) {
		a, ok, err = e.cfg.Agents.Agent(ctx, id)
		return err
	})
	if err != nil {
		return Agent{}, false, fmt.Errorf("agent %q cannot be looked up: %w", id, err)
	}
	return a, ok, nil
}
