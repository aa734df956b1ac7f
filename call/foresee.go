package call

import (
	"context"
	"net"

	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/sip/verify"
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
// needed, and Source where it counts where a call comes from: it asks Verify, or the built-in checks, and Route, by the code that runs for a real call.
func (c *Config) Foresee(ctx context.Context, invite *sip.Request) Foreseen {
	in := newIncoming("", invite, c, trunkOf(newLines(c.Trunks), c.Trunks, invite.Source.Addr(), invite.User))
	f := Foreseen{Incoming: in}
	v, err := c.verifier(c.expectedHosts())
	if err != nil {
		f.Refusal = &Refusal{Status: 500, Code: CodeRefused, Sentence: err.Error()}
		return f
	}
	f.Verdict, f.Program, f.Refusal = c.decide(ctx, in, v)
	f.Vars = incomingVars(in)
	return f
}

// expectedHosts are our own hosts before anything is bound.
func (c *Config) expectedHosts() map[string]bool {
	hosts := c.advertisedHosts()
	for _, l := range c.Listen {
		if h, _, err := net.SplitHostPort(l.Addr); err == nil {
			hosts[verify.Host(h)] = true
		}
	}
	if len(c.Listen) == 0 {
		hosts["127.0.0.1"] = true // as New binds
	}
	return hosts
}
