package call

import (
	"context"
	"fmt"
	"time"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/sip"
)

// target is one thing that rings: a phone that is registered, or what the outbound policy lets out.
type target struct {
	address address.Address // that it stands for
	way     way
	flow    sip.Flow // by which a registered phone is reached; zero: by way
}

// stage is what rings at the same time, and for how long; 0: as long as the call may.
type stage struct {
	targets  []target
	patience time.Duration
}

// contacts are the phones of an extension, the most welcome first; none where it has none. It is what a destination of that type
// expands to.
func (e *Engine) contacts(a address.Address) (ts []target) {
	if e.registrar == nil {
		return nil
	}
	for _, c := range e.registrar.Contacts(extensionName(a)) {
		if e.isTrunk(c.Flow.Remote) { // who forges that in a REGISTER would have our calls go to a provider, in our name
			e.log.Warn("phone not rung: it is registered from the address of a trunk", "extension", extensionName(a), "peer", c.Flow.Remote.String())
			continue
		}
		t := target{address: a, way: way{uri: c.URI, host: c.Flow.Remote.Addr().String()}, flow: c.Flow}
		if c.Flow.Network == "tcp" && !c.NAT && !e.sip.Alive(c.Flow) {
			t.flow = sip.Flow{} // its connection is gone, but it says truly where it listens
		}
		ts = append(ts, t)
	}
	return ts
}

// stages are what a destination of type extension or agent rings, if who asks.
func (e *Engine) stages(ctx context.Context, dest address.Address, who asker) ([]stage, *Refusal) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err := dest.Validate(); err != nil {
		return nil, &Refusal{Status: 484, Code: CodeNotDialable, Sentence: err.Error()}
	}
	if dest.Type == address.TypeAgent {
		return e.agentStages(ctx, dest, who)
	}
	ts, refusal := e.targets(ctx, dest, who)
	if refusal != nil {
		return nil, refusal
	}
	return []stage{{targets: ts}}, nil
}

func (e *Engine) agentStages(ctx context.Context, dest address.Address, who asker) (ss []stage, refusal *Refusal) {
	if e.cfg.Agents == nil {
		return nil, &Refusal{Status: 404, Code: CodeCalleeUnknown, Sentence: fmt.Sprintf("there is no agent %q: none are configured", dest.Target)}
	}
	a, ok, err := e.agent(ctx, dest.Target)
	switch {
	case err != nil:
		return nil, &Refusal{Status: 500, Code: CodeLookupFailed, Sentence: err.Error()}
	case !ok || len(a.Addresses) == 0:
		return nil, &Refusal{Status: 404, Code: CodeCalleeUnknown, Sentence: fmt.Sprintf("there is no agent %q, or it has no addresses", dest.Target)}
	}
	who.agent = dest.Target
	for _, to := range a.Addresses[:min(len(a.Addresses), maxAgentAddresses)] {
		ts, why := e.targets(ctx, to.Normalize(), who)
		switch {
		case why != nil:
			if refusal == nil {
				refusal = why
			}
		case a.RingMethod == RingLinear || len(ss) == 0:
			ss = append(ss, stage{targets: ts})
		default:
			ss[0].targets = append(ss[0].targets, ts...)
		}
	}
	if len(ss) == 0 {
		return nil, refusal
	}
	if a.RingMethod == RingLinear {
		for i := range ss {
			ss[i].patience = a.RingTimeout
			if ss[i].patience <= 0 {
				ss[i].patience = linearRing
			}
		}
	}
	return ss, nil
}

// targets are what one address of an agent, or an extension, rings.
func (e *Engine) targets(ctx context.Context, a address.Address, who asker) ([]target, *Refusal) {
	if a.Type != address.TypeExtension {
		w, refusal := e.dialplan(who).way(a)
		if refusal != nil {
			return nil, refusal
		}
		return []target{{address: a, way: w}}, nil
	}
	name := extensionName(a)
	if e.cfg.Extensions == nil {
		return nil, &Refusal{Status: 480, Code: CodeNotRegistered, Sentence: fmt.Sprintf("extension %q has no phone: there are no extensions", name)}
	}
	if ts := e.contacts(a); len(ts) > 0 {
		return ts, nil
	}
	_, ok, err := e.cfg.Extensions.Extension(ctx, name)
	switch {
	case err != nil:
		return nil, &Refusal{Status: 500, Code: CodeLookupFailed, Sentence: fmt.Sprintf("extension %q cannot be looked up: %v", name, err)}
	case !ok:
		return nil, &Refusal{Status: 404, Code: CodeCalleeUnknown, Sentence: fmt.Sprintf("there is no extension %q", name)}
	}
	return nil, &Refusal{Status: 480, Code: CodeNotRegistered, Sentence: fmt.Sprintf("no phone of extension %q is registered", name)}
}
