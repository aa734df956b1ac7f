package call

import (
	"context"
	"fmt"
	"slices"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/flow"
)

// Abilities is what calls of an engine with this config can do, as flow.Check wants it:
// what every call can, what Config.Deps brings, recording where there is a Store, and queues where there are Agents.
func (c *Config) Abilities() action.Abilities {
	a := action.AbilitiesOf(action.CanAnswer, action.CanHangup, action.CanPlay, action.CanDigits, action.CanEcho,
		action.CanBridge, action.CanConference, action.CanSendDigits, action.CanMute, action.CanPark, action.CanPickUp, action.CanListen, action.CanTellStatus,
		action.CanDetect, action.CanFork)
	if c.Outbound.any() || c.Extensions != nil || c.Agents != nil {
		a[action.CanConnect], a[action.CanDial] = true, true
	}
	if c.Agents != nil || len(c.Queues) > 0 {
		a[action.CanQueue] = true
	}
	if c.Store != nil {
		a[action.CanRecord], a[action.CanReadRecord] = true, true
	}
	if c.mailboxes() != nil {
		a[action.CanMailbox] = true
	}
	if c.FlowByID != nil {
		a[action.CanFindFlows], a[action.CanFollow] = true, true
	}
	if c.Deps.Transcriber != nil {
		a[action.CanTranscribe] = true
	}
	return a.With(c.Deps.Abilities())
}

// Check tells what keeps f from running on an engine with this config.
func (c *Config) Check(f *flow.Flow) []flow.Finding { return flow.Check(f, c.Abilities()) }

// CheckInDir is Check for the flows of a folder that is going to be the table of the engine (UseFlows):
// they can find each other.
func (c *Config) CheckInDir(f *flow.Flow) []flow.Finding {
	return flow.Check(f, c.Abilities().With(action.AbilitiesOf(action.CanFindFlows, action.CanFollow)))
}

// Abilities is what calls of this engine can do.
func (e *Engine) Abilities() action.Abilities { return e.cfg.Abilities() }

// UseFlows makes d the table of Route and FlowByID (by the flow's own id, or the
// destination it stands for), and its numbers, with those that own tells of (may be nil),
// what Owned guards, in the national form of their countries, too.
func (c *Config) UseFlows(d *flow.Dir, own func(address.Address) bool) {
	c.Route = func(_ context.Context, in *Incoming) (flow.Program, error) {
		if f, ok := d.Lookup(in.dialled()); ok {
			return f, nil
		}
		return nil, ErrNoFlow
	}
	c.FlowByID = func(_ context.Context, id string) (flow.Program, error) {
		all := d.Destinations()
		for _, f := range all {
			if f.ID() == id {
				return f, nil
			}
		}
		if f, ok := all[id]; ok {
			return f, nil
		}
		return nil, fmt.Errorf("%w: id %q", ErrNoFlow, id)
	}
	for destination := range d.Destinations() {
		if n, err := address.ParseNumber(destination, ""); err == nil && n.Region() != "" && !slices.Contains(c.Verification.Regions, n.Region()) {
			c.Verification.Regions = append(c.Verification.Regions, n.Region())
		}
	}
	c.Owned = func(a address.Address) bool {
		return own != nil && own(a) || a.Type == address.TypeTel && d.Has(a.Target)
	}
}
