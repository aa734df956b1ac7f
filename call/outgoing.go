package call

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/media/sdp"
	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/store"
)

// DialOptions of one call that the engine places. Only Destination is needed.
type DialOptions struct {
	Destination address.Address
	// Source is who is shown as calling. The zero value: the Caller of the trunk, else the
	// engine's own address.
	Source address.Address
	// Flow runs once the call is answered; its end hangs up. Nil: the call is hung up at once.
	Flow           flow.Program
	EarlyExecution bool              // Flow begins at ringing
	Anonymous      string            // "yes": the number is hidden (RFC 3323); "", "no", "auto": it is not
	RingTimeout    time.Duration     // 0: Config.RingTimeout
	Variables      map[string]string // of the flow, within MaxInjected and MaxInjectedSize; VoIPBIN's own names are left out
	Metadata       map[string]string
	Headers        []sip.Header // more headers of the INVITE
	JourneyID      string       // "": a new journey
}

// ErrNoRoom is returned by Dial while the engine drains, or has Config.MaxCalls calls.
var ErrNoRoom = errors.New("call: no more calls are placed")

// Dial places a call and returns at once: Flow runs when it is answered, and Call.Done is closed
// when it is over, whatever became of it; Call.Record tells. A destination that Config.Outbound or the
// trunks do not let out is a *Refusal; such an attempt is kept in the store like any other.
func (e *Engine) Dial(ctx context.Context, o DialOptions) (*Call, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	if ok, _ := e.ready(); !ok {
		return nil, ErrNoRoom
	}
	for _, h := range o.Headers {
		if strings.ContainsAny(h.Name+h.Value, "\r\n\x00") {
			return nil, fmt.Errorf("call: dial: header %.40q holds a line break", h.Name)
		}
	}
	program := o.Flow
	if program == nil {
		program = flow.Func(func(context.Context, action.Leg) error { return nil })
	}
	c, refusal := e.place(outgoing{
		source: o.Source, destination: o.Destination, program: program, early: o.EarlyExecution, anonymous: o.Anonymous == "yes",
		timeout: o.RingTimeout, vars: o.Variables, metadata: o.Metadata, headers: o.Headers, journey: o.JourneyID, fresh: true,
	})
	switch {
	case c == nil:
		return nil, ErrNoRoom
	case refusal != nil:
		return c, refusal
	}
	return c, nil
}

// outgoing is a call that is to be placed.
type outgoing struct {
	source, destination address.Address
	program             flow.Program
	early               bool
	anonymous           bool
	timeout             time.Duration
	vars                map[string]string
	metadata            map[string]string
	headers             []sip.Header
	journey             string
	master              string
	maxForwards         int                     // 0: a fresh call
	prefer              string                  // codec to be offered first
	refused             *Refusal                // does not go out, for this reason
	fresh               bool                    // by no call that is up, which would keep the engine from ending
	tell                func(c *Call, s string) // what becomes of it; on its loop: must not block
	joined              chan struct{}           // of a leg of connect: closed when it is in the bridge

	way  way
	peer netip.Addr // of the far end, where the destination is numeric
}

// place makes a call of o and sets it going. One that may not go out comes to its end at once, so that
// it is recorded like any other, and the refusal is returned. The call is nil where a fresh one comes too late.
func (e *Engine) place(o outgoing) (*Call, *Refusal) {
	o.destination = o.destination.Normalize()
	if o.refused == nil {
		o.way, o.refused = e.dialplan().way(o.destination)
	}
	o.peer, _ = netip.ParseAddr(o.way.host)
	o.source = e.shownAs(&o)
	o.journey = cmp.Or(o.journey, newID())
	id, activeflow := newID(), newID()
	c := newCall(e, id, nil)
	o.joined = make(chan struct{})
	c.out, c.program = &o, o.program
	c.vars = e.callVars(&Incoming{ID: id, Source: o.source, Destination: o.destination}, activeflow, o.journey)
	vars, err := injected(o.vars)
	if err != nil {
		c.log().Warn("variables not taken", "err", err)
	}
	for k, v := range vars {
		if err := c.vars.Set(k, v); err != nil {
			c.log().Warn("variable not set", "name", k, "err", err)
		}
	}
	for k, v := range map[string]string{"voipbin.call.direction": store.DirectionOutgoing, "voipbin.call.master_call_id": o.master} {
		if err := c.vars.Set(k, v); err != nil {
			c.log().Warn("variable not set", "name", k, "err", err)
		}
	}
	in := OutgoingInput{
		ID: id, JourneyID: o.journey, ActiveflowID: activeflow, MasterCallID: o.master, Source: o.source, Destination: o.destination,
		Metadata: maps.Clone(o.metadata), RingTimeout: cmp.Or(o.timeout, e.cfg.RingTimeout, DefaultRingTimeout), EarlyExecution: o.early,
		MediaTimeout: e.cfg.MediaTimeout,
	}
	if f, ok := o.program.(*flow.Flow); ok {
		in.FlowID = f.ID()
	}
	if o.way.trunk != nil {
		in.Trunk = o.way.trunk.Name
	}
	if o.refused != nil {
		in.Refused = refusal(o.refused)
	}
	if !e.add(c, o.fresh) {
		c.cancelFlow(action.ErrHangup)
		return nil, nil
	}
	c.log().Info("call is placed", "from", o.source.Target, "to", o.destination.Target, "trunk", in.Trunk)
	c.post(Input{Kind: KindOutgoing, Outgoing: &in})
	return c, o.refused
}

// invite places the call on the SIP side, with offer as its body. It runs on the loop.
func (c *Call) invite(offer string) Input {
	o := c.out
	out := sip.Outgoing{
		URI: o.way.uri, Headers: o.headers, Body: []byte(offer), MaxForwards: o.maxForwards,
		Redirect: c.engine.dialplan().mayFollow, Handle: c.sipEvent,
		// The loop's own timer comes first, and cancels.
		Timeout: cmp.Or(o.timeout, c.engine.cfg.RingTimeout, DefaultRingTimeout) + time.Minute,
	}
	out.From, out.Headers = c.engine.from(o)
	if t := o.way.trunk; t != nil && t.User != "" {
		out.Credentials = []sip.Credentials{{Username: t.User, Password: t.Password}}
	}
	d, err := c.engine.sip.Call(out)
	if err != nil {
		return Input{Kind: KindSIP, SIP: &sip.Event{Kind: sip.EventRefused, Local: true, Status: 503, Reason: err.Error()}}
	}
	c.dialog.Store(d)
	return Input{Kind: KindInvited, Invited: &InvitedInput{SIPCallID: d.CallID()}}
}

// shownAs is who the far end sees as calling, where nobody else was named: the trunk's number.
func (e *Engine) shownAs(o *outgoing) address.Address {
	if t := o.way.trunk; o.source == (address.Address{}) && t != nil && t.Caller != "" {
		return address.Address{Type: address.TypeTel, Target: t.Caller}
	}
	return o.source.Normalize()
}

// from makes the From header of an INVITE, and the headers that go with it (RFC 3323, 3325).
func (e *Engine) from(o *outgoing) (sip.NameAddr, []sip.Header) {
	host := e.ownHost()
	if o.way.trunk != nil {
		host = o.way.host
		if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
			host = "[" + host + "]"
		}
	}
	var from sip.NameAddr
	switch s := o.source; s.Type {
	case address.TypeTel:
		from.URI = "sip:" + s.Target + "@" + host
	case address.TypeExtension:
		from.URI = "sip:" + cmp.Or(s.TargetName, s.Target) + "@" + host
	case address.TypeSIP:
		from.URI = s.Target
		if !strings.HasPrefix(from.URI, "sip:") && !strings.HasPrefix(from.URI, "sips:") {
			from.URI = "sip:" + from.URI
		}
	}
	if _, err := sip.ParseNameAddr("<" + from.URI + ">"); err != nil {
		from.URI = "" // a caller whose address cannot be written: the endpoint's own is taken
	}
	from.Display = printable(cmp.Or(o.source.TargetName, o.source.Name))
	headers := o.headers
	if o.anonymous {
		from = sip.NameAddr{Display: "Anonymous", URI: "sip:anonymous@anonymous.invalid"}
		headers = append(headers[:len(headers):len(headers)], sip.Header{Name: "Privacy", Value: "id"})
		if o.source.Type == address.TypeTel {
			headers = append(headers, sip.Header{Name: "P-Asserted-Identity", Value: "<tel:" + o.source.Target + ">"})
		}
	}
	return from, headers
}

// printable leaves out what may not stand in a display name: it may be a peer's.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
}

// ownHost is the host by which peers know the engine.
func (e *Engine) ownHost() string {
	for _, l := range e.cfg.Listen {
		if l.Advertise != "" {
			host, _, _ := strings.Cut(l.Advertise, ":")
			if !strings.HasPrefix(l.Advertise, "[") {
				return host
			}
		}
	}
	for _, a := range e.sip.Addrs() {
		if ip := a.Addr.Addr(); ip.Is6() {
			return "[" + ip.String() + "]"
		} else if ip.IsValid() {
			return ip.String()
		}
	}
	return "callbin.invalid"
}

// codecOf is the codec that this call has, or is going to have: what others should prefer, so that
// nothing has to be translated between the two.
func (c *Call) codecOf() string {
	if l := c.leg.Load(); l != nil {
		if s := (*l).Stats().Codec; s != "" {
			return s
		}
	}
	offer := c.State().Offer
	if offer == "" {
		return ""
	}
	s, err := sdp.Parse([]byte(offer))
	if err != nil {
		return ""
	}
	local := sdp.Local{IP: netip.IPv4Unspecified().Next(), Port: 9}
	if strings.Contains(offer, "c=IN IP6") {
		local.IP = netip.IPv6Loopback()
	}
	_, n, err := sdp.Answer(local, s)
	if err != nil {
		return ""
	}
	return n.Codec.Name()
}
