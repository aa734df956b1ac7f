package call

import (
	"context"
	"net"
	"strings"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/sip"
)

// Foreseen is what an engine does with an incoming call before its flow begins.
type Foreseen struct {
	Incoming *Incoming // its ID is empty
	Verdict  Verdict
	Program  flow.Program // nil if it is refused
	Refusal  *Refusal     // nil if it is not
	// Vars are the variables that the flow begins with, empty ones too. Those that are made for each call, as its
	// id, are not among them.
	Vars map[string]string
}

// Foresee tells what an engine with this config would do with an INVITE, of which User, Host and From are
// needed: it asks Verify, or the built-in checks, and Route, by the code that runs for a real call.
func (c *Config) Foresee(ctx context.Context, invite *sip.Request) Foreseen {
	in := newIncoming("", invite)
	f := Foreseen{Incoming: in}
	f.Verdict, f.Program, f.Refusal = c.decide(ctx, in, c.expectedHosts())
	f.Vars = incomingVars(in)
	return f
}

// newIncoming reads who calls whom.
func newIncoming(id string, invite *sip.Request) *Incoming {
	return &Incoming{ID: id, Request: invite, Source: sourceOf(invite), Destination: address.FromSIPUser(invite.User)}
}

// expectedHosts are our own hosts before anything is bound.
func (c *Config) expectedHosts() map[string]bool {
	hosts := c.advertisedHosts()
	for _, l := range c.Listen {
		if h, _, err := net.SplitHostPort(l.Addr); err == nil {
			hosts[strings.ToLower(h)] = true
		}
	}
	if len(c.Listen) == 0 {
		hosts["127.0.0.1"] = true // as New binds
	}
	return hosts
}
