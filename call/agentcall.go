package call

import (
	"slices"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/store"
)

// Calls that agents have beside those of queues: to them, as agents or by the names of their extensions, and from their extensions. Who has one is not
// rung for a queue.

// extensionsOf are the names of the extensions among a's addresses.
func extensionsOf(a *Agent) []string {
	var names []string
	for _, to := range a.Addresses {
		if to.Type == address.TypeExtension {
			names = append(names, extensionName(to.Normalize()))
		}
	}
	return names
}

// index notes by which extensions a is found, or that it is not any more. d.mu is held.
func (d *desk) index(a *deskAgent, on bool) {
	for _, name := range extensionsOf(&a.about) {
		d.phones[name] = slices.DeleteFunc(d.phones[name], func(o *deskAgent) bool { return o == a })
		if on {
			d.phones[name] = append(d.phones[name], a)
		}
		if len(d.phones[name]) == 0 {
			delete(d.phones, name)
		}
	}
}

// follow takes an event of a call. It runs on the call's loop and does not wait.
func (d *desk) follow(c *Call, event string, rec *store.Call) {
	switch event {
	case "call_created", "call_progressing", "call_hangup":
	default:
		return
	}
	if d.engine.cfg.Agents == nil || c.out != nil && c.out.queued {
		return
	}
	d.mu.Lock()
	defer d.unlock()
	switch event {
	case "call_created":
		if who := d.whose(c, rec); len(who) > 0 {
			d.others[c] = who
			for _, a := range who {
				if a.others++; a.status == AgentAvailable {
					d.become(a, AgentRinging, AgentCall)
				}
			}
		}
	case "call_progressing":
		for _, a := range d.others[c] {
			if a.status == AgentRinging && a.reason == AgentCall {
				d.become(a, AgentBusy, AgentCall)
			}
		}
	case "call_hangup":
		who := d.others[c]
		delete(d.others, c)
		for _, a := range who {
			if a.others--; a.others == 0 && a.reason == AgentCall {
				d.become(a, AgentAvailable, AgentSet)
			}
		}
	}
}

// whose are the agents that c is a call of. d.mu is held.
func (d *desk) whose(c *Call, rec *store.Call) (who []*deskAgent) {
	if rec.Direction == store.DirectionIncoming {
		if rec.Source.Type == address.TypeExtension {
			who = append(who, d.phones[extensionName(rec.Source)]...)
		}
		return who
	}
	to := rec.Destination
	if to.Type != address.TypeAgent && c.out != nil {
		if to.Type == address.TypeExtension {
			who = append(who, d.phones[extensionName(to)]...)
		}
		to = c.out.rooted
	}
	if a := d.agents[to.Target]; a != nil && to.Type == address.TypeAgent && !slices.Contains(who, a) {
		who = append(who, a)
	}
	return who
}
