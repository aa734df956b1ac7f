package call

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/store"
)

// route chooses the flow of a call that may come in.
func (c *Config) route(ctx context.Context, in *Incoming) (flow.Program, error) {
	if in.Request.Authenticated == "" || c.Extensions == nil {
		return c.answered(ctx, in)
	}
	return c.dialled(ctx, in)
}

// dialled is what an extension gets that dials: another extension, a flow, an agent or conference, or what the
// outbound policy lets out.
func (c *Config) dialled(ctx context.Context, in *Incoming) (flow.Program, error) {
	dest := in.Destination
	if dest.Type == address.TypeExtension {
		_, ok, err := c.Extensions.Extension(ctx, extensionName(dest))
		if err != nil {
			return nil, fmt.Errorf("call: extension %q: %w", extensionName(dest), err)
		}
		if ok {
			return c.connectTo(dest)
		}
	}
	p, err := c.answered(ctx, in)
	if found := err == nil && p != nil; found || err != nil && !errors.Is(err, ErrNoFlow) && !errors.Is(err, store.ErrNotFound) {
		return p, err
	}
	switch dest.Type {
	case address.TypeAgent:
		if c.Agents == nil {
			return nil, ErrNoFlow
		}
		_, ok, err := c.Agents.Agent(ctx, dest.Target)
		if err != nil {
			return nil, fmt.Errorf("call: agent %q: %w", dest.Target, err)
		}
		if ok {
			return c.connectTo(dest)
		}
	case address.TypeConference:
		return c.temporary(map[string]any{"type": "answer"},
			map[string]any{"type": "conference_join", "option": map[string]any{"conference_id": dest.Target}})
	case address.TypeTel, address.TypeSIP:
		return c.letOut(in, dest)
	}
	if n := extensionName(dest); dest.Type == address.TypeExtension && c.Outbound.isEmergency(n) {
		return c.letOut(in, address.Address{Type: address.TypeTel, Target: n})
	}
	return nil, ErrNoFlow
}

// letOut is a flow that connects to dest, if the outbound policy lets in dial that.
func (c *Config) letOut(in *Incoming, dest address.Address) (flow.Program, error) {
	p := c.dialplan()
	p.who = askerOf(in)
	if _, refusal := p.way(dest); refusal != nil {
		return nil, refusal
	}
	return c.connectTo(dest)
}

// connectTo is a flow that connects to dest, and tells the caller why it cannot.
func (c *Config) connectTo(dest address.Address) (flow.Program, error) {
	return c.temporary(map[string]any{"type": "connect", "option": map[string]any{
		"destinations": []address.Address{dest}, "relay_reason": true,
		"early_media": dest.Type == address.TypeTel || dest.Type == address.TypeSIP, // a provider's announcements
	}})
}

// temporary is a flow of the moment.
func (c *Config) temporary(actions ...map[string]any) (flow.Program, error) {
	text, err := json.Marshal(actions)
	if err != nil {
		return nil, fmt.Errorf("call: temporary flow: %w", err)
	}
	return flow.Parse(text, flow.ParseOptions{Registry: c.registry(), Name: "dialled"})
}
