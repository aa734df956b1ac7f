package verify

import (
	"context"
	"net/netip"
	"time"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/sip"
)

// Caller is who asks to come in, and what it wants.
type Caller struct {
	Request     *sip.Request    // the INVITE, for reading only
	Source      address.Address // see Source
	Destination address.Address
	Peer        netip.AddrPort // the zero value: not known
	Trunk       string         // by which it came; "": none
	Trusted     bool           // the trunk may assert whose call it is (RFC 3325)
	Journey     string         // of ours, that a trunk to machines of ours has brought back; "": none
	Time        time.Time
}

// Checker looks at one thing. It adds what it found to v: a Check, and what else it knows; whether a Check that failed ends the call is not its
// business. It may be called from any goroutine, and must return soon after ctx has ended.
type Checker interface {
	Check(ctx context.Context, c *Caller, v *Verdict)
}
