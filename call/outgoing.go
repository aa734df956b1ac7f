package call

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

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
	EarlyExecution bool // Flow begins at ringing
	// Anonymous is "yes" where the number is to be hidden (RFC 3323), "no" where it is not; "auto", or "": as Parent
	// has asked for.
	Anonymous   string
	RingTimeout time.Duration     // until the answer, over all trunks that are tried; 0: Config.RingTimeout
	MaxDuration time.Duration     // of the call, ringing included, up to Config.MaxCallDuration; 0: that
	Codecs      []string          // that are offered, the preferred one first, of those that the trunk allows; none: as configured
	Variables   map[string]string // of the flow, within MaxInjected and MaxInjectedSize; VoIPBIN's own names are left out
	Metadata    map[string]string // nil: that of Parent
	Headers     []sip.Header      // more headers of the INVITE
	JourneyID   string            // "": that of Parent or of the master, else a new journey
	Account     string            // who pays; "": who pays for Parent, for the master or for the oldest call of the journey
	Parent      *Call             // on whose behalf the call is placed; nil: nobody's. It may be over.
	// IdempotencyKey, 256 bytes at most: a Dial with the same key within a day returns the call that the first one has placed,
	// and ErrKeyConflict where it asks for another call. Config.Store remembers keys over a restart
	// where it is a store.Keys. "": none.
	IdempotencyKey string
	// MasterCallID is a call that the new one is chained to: its end is that of the new one, too.
	MasterCallID string

	by string // what it is that dials; "": the program
}

// nothing is a flow without a step.
var nothing flow.Program = flow.Func(func(context.Context, action.Leg) error { return nil })

// ErrNoRoom is returned by Dial while the engine drains, or has Config.MaxCalls calls.
var ErrNoRoom = errors.New("call: no more calls are placed")

// Dial places a call and returns at once: Flow runs when it is answered, and Call.Done is closed
// when it is over, whatever became of it; Call.Record tells. A number goes by the trunks that the routes name, one
// after the other while they fail, all on this one call. A destination that Config.Outbound or the
// trunks do not let out is a *Refusal; such an attempt is kept in the store like any other. ErrNoRoom, ErrMasterEnding.
func (e *Engine) Dial(ctx context.Context, o DialOptions) (*Call, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	if err := e.checkDial(&o); err != nil {
		return nil, fmt.Errorf("call: dial: %w", err)
	}
	if o.IdempotencyKey != "" {
		return e.dialOnce(ctx, o)
	}
	return e.dial(ctx, newID(), o, nil)
}

// checkDial tells what is wrong with o.
func (e *Engine) checkDial(o *DialOptions) error {
	switch o.Anonymous {
	case "", "yes", "no", "auto":
	default:
		return fmt.Errorf("anonymous %.20q is not yes, no or auto", o.Anonymous)
	}
	if o.RingTimeout < 0 || o.MaxDuration < 0 {
		return errors.New("RingTimeout and MaxDuration cannot be negative")
	}
	if len(o.IdempotencyKey) > maxKey {
		return fmt.Errorf("the idempotency key has %d bytes, more than %d", len(o.IdempotencyKey), maxKey)
	}
	if !utf8.ValidString(o.IdempotencyKey) || strings.Contains(o.IdempotencyKey, "\x00") {
		return fmt.Errorf("the idempotency key %.40q is not UTF-8", o.IdempotencyKey)
	}
	for _, h := range o.Headers {
		if err := checkHeader(h); err != nil {
			return err
		}
	}
	if err := checkJourneyID(o.JourneyID); err != nil {
		return err
	}
	return e.checkCodecs("codecs", o.Codecs)
}

// dial places the call id; over, if not nil, is told when its record is stored.
func (e *Engine) dial(ctx context.Context, id string, o DialOptions, over func(*Call)) (*Call, error) {
	if !e.mayPlace() {
		return nil, ErrNoRoom
	}
	anonymous := o.Anonymous == "yes"
	parent := ""
	if p := o.Parent; p != nil {
		rec := p.Record()
		parent = p.id
		anonymous = p.hides(o.Anonymous)
		o.Account = cmp.Or(o.Account, p.account) // it may be over
		o.JourneyID = cmp.Or(o.JourneyID, rec.JourneyID)
		if o.Metadata == nil {
			o.Metadata = rec.Metadata
		}
	}
	program := o.Flow
	if program == nil {
		program = nothing
	}
	who, by := asker{program: true}, cmp.Or(o.by, byDial)
	if o.Parent != nil {
		who = o.Parent.asker()
	}
	behalf := o.Parent
	var master *Call
	if o.MasterCallID != "" {
		var ok bool
		if master, ok = e.Call(o.MasterCallID); !ok || master.isEnding() {
			return nil, fmt.Errorf("call: dial for call %s: %w", o.MasterCallID, ErrMasterEnding)
		}
		o.JourneyID = cmp.Or(o.JourneyID, master.Record().JourneyID)
		behalf = cmp.Or(behalf, master)
	}
	c, refusal := e.place(outgoing{
		id: id, source: o.Source, destination: o.Destination, program: program, early: o.EarlyExecution, anonymous: anonymous,
		timeout: o.RingTimeout, longest: o.MaxDuration, codecs: o.Codecs, vars: o.Variables, metadata: o.Metadata, headers: o.Headers,
		journey: o.JourneyID, master: o.MasterCallID, parent: parent, behalf: behalf, account: o.Account, fresh: true, over: over, asker: who, by: by,
	})
	if c != nil {
		<-c.out.began // so that Record tells of it; its loop is on its way
	}
	switch {
	case c == nil:
		return nil, ErrNoRoom
	case refusal != nil:
		return c, refusal
	case master != nil:
		if err := master.command(ctx, Command{Name: "chain", CallID: c.id}); err != nil {
			c.hangUp(masterEnded) // the master was faster
			return c, fmt.Errorf("call: dial for call %s: %w", o.MasterCallID, ErrMasterEnding)
		}
	}
	return c, nil
}

// outgoing is a call that is to be placed.
type outgoing struct {
	id                  string // "": made by place
	source, destination address.Address
	queued              bool            // a queue rings its agent
	rooted              address.Address // of a leg of a hunt: the destination of its root that it is behind
	otherwise           address.Address // who is shown where source is not set and the trunk has no number; place sets source
	program             flow.Program
	early               bool
	earlyMedia          bool // somebody hears the far end before its answer
	anonymous           bool
	timeout             time.Duration
	longest             time.Duration // 0: the engine's
	codecs              []string      // none: as configured
	vars                map[string]string
	metadata            map[string]string
	account             string // "": that of who it is placed for
	headers             []sip.Header
	journey             string
	master              string
	parent              string                  // on whose behalf it is placed, where that is not the master
	behalf              *Call                   // on whose behalf it is placed; nil: the program's
	far                 bool                    // it is who is at the far end of behalf that wants it, and not its flow
	maxForwards         int                     // 0: a fresh call
	prefer              string                  // codec to be offered first
	asker               asker                   // who asks
	by                  string                  // what it is that dials; "": the program
	checks              []Check                 // what the gate has looked at, beside the destination
	refused             *Refusal                // does not go out, for this reason
	fresh               bool                    // by no call that is up, which would keep the engine from ending
	tell                func(c *Call, s string) // what becomes of it; on its loop: must not block
	mayRun              func(c *Call) bool      // asked before program begins; nil: it may
	groupcall           string                  // that it is a leg of; "": none
	hunt                *hunt                   // that it is a leg of; nil: of none
	connects            bool                    // it is a leg of a connect
	joined              chan struct{}           // of such a one: closed when it is in the bridge
	began               chan struct{}           // closed when its record has begun

	over func(c *Call) // when the record is stored

	named bool  // source is whom the caller of place named
	ways  []way // none where it is refused, or rings phones

	stages []stage                                                      // what rings, of a destination of type extension or agent
	shows  func(to address.Address) (source, otherwise address.Address) // who each of them sees as calling; nil: as source and otherwise say
}

// place makes a call of o and sets it going. One that may not go out comes to its end at once, so that
// it is recorded like any other, and the refusal is returned. The call is nil where a fresh one comes too late.
func (e *Engine) place(o outgoing) (*Call, *Refusal) {
	o.destination = o.destination.Normalize()
	o.source = o.source.Normalize()
	o.named = o.source != (address.Address{})
	o.journey = cmp.Or(o.journey, newID())
	if o.refused = e.gate(&o); o.refused == nil {
		o.source, _, _ = e.shownBy(&o, o.at(0))
	}
	id, activeflow := cmp.Or(o.id, newID()), newID()
	c := newCall(e, id, nil)
	c.journey = o.journey
	meter := c.meterOut(&o)
	o.joined, o.began = make(chan struct{}), make(chan struct{})
	c.out, c.program = &o, o.program
	if r := o.refused; r != nil && byGate(r.Code) {
		c.denied.Store(r)
	}
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
		Metadata: maps.Clone(o.metadata), RingTimeout: c.patience(), EarlyExecution: o.early,
		EarlyMedia: o.earlyMedia, ParentCallID: o.parent, GroupcallID: o.groupcall, MediaTimeout: e.cfg.MediaTimeout, Meter: meter,
	}
	if o.longest > 0 {
		in.MaxDuration = min(o.longest, e.maxDuration)
	}
	if f, ok := o.program.(*flow.Flow); ok {
		in.FlowID = f.ID()
	}
	for _, w := range o.ways {
		if w.trunk != nil {
			in.Ways = append(in.Ways, w.trunk.Name)
		}
	}
	if o.refused != nil {
		in.Refused = refusal(o.refused)
	}
	in.Verdict = o.verdict(o.refused)
	if !e.add(c, o.fresh) {
		c.settle(&store.Call{})
		c.cancelFlow(action.ErrHangup)
		return nil, nil
	}
	c.log().Info("call is placed", "from", o.source.Target, "to", o.destination.Target, "trunks", in.Ways)
	c.post(Input{Kind: KindOutgoing, Outgoing: &in})
	return c, o.refused
}

// turn goes over to the way by trunk, whose media is new: it may want other codecs, or be of another kind of address.
// It runs on the loop.
func (c *Call) turn(trunk string) {
	if l := c.leg.Swap(nil); l != nil {
		(*l).Close()
	}
	c.hangUpLine()
	for i, w := range c.out.ways {
		if w.trunk != nil && w.trunk.Name == trunk {
			c.way = i
		}
	}
}

// hangUpLine gives the channel of the call's trunk back.
func (c *Call) hangUpLine() {
	if c.line != nil {
		c.line.release()
		c.line = nil
	}
}

// invite places the call on the SIP side by the way it has come to, with offer as its body. It runs on the loop.
func (c *Call) invite(offer string) Input {
	o := c.out
	if len(o.stages) > 0 {
		return c.ring(offer)
	}
	w := &o.ways[c.way]
	out := sip.Outgoing{
		URI: w.uri, Headers: o.headers, Body: []byte(offer), MaxForwards: o.maxForwards,
		Redirect: c.mayFollow,
		// The loop's own timer comes first, and cancels.
		Timeout: cmp.Or(o.timeout, c.engine.cfg.RingTimeout, DefaultRingTimeout) + time.Minute,
	}
	trunk := ""
	if t := w.trunk; t != nil {
		trunk = t.Name
		l := c.engine.lines[t.Name]
		if !l.take() {
			return c.notSent(w, l.full().Sentence)
		}
		c.line = l
		out.Credentials = t.credentials()
		if c.way+1 < len(o.ways) { // else there is nothing better to do than to wait
			out.SetupTimeout = cmp.Or(time.Duration(t.SetupTimeout), DefaultSetupTimeout)
		}
	}
	out.Handle = func(ev sip.Event) {
		if ev.Kind == sip.EventRefused {
			c.logAttempts(trunk, ev)
		}
		c.sipEvent(ev)
	}
	out.From, out.Headers = c.engine.from(o, w)
	d, err := c.engine.sip.Call(out)
	if err != nil {
		return c.notSent(w, err.Error())
	}
	c.dialog.Store(d)
	return Input{Kind: KindInvited, Invited: &InvitedInput{SIPCallID: d.CallID()}}
}

// at is the nth way; of a call that rings phones the one to the first.
func (o *outgoing) at(n int) *way {
	if len(o.stages) > 0 {
		return &o.stages[0].targets[0].way
	}
	return &o.ways[n]
}

// notSent is the end of an attempt that has not even begun.
func (c *Call) notSent(w *way, why string) Input {
	c.log().Warn("attempt failed", "uri", w.uri, "err", why)
	return Input{Kind: KindSIP, SIP: &sip.Event{Kind: sip.EventRefused, Local: true, Status: 503, Reason: why,
		Attempts: []sip.Attempt{{URI: w.uri, Status: 503, Reason: why, At: time.Now()}}}}
}

// logAttempts tells of each INVITE of a trunk that came to nothing.
func (c *Call) logAttempts(trunk string, ev sip.Event) {
	log := c.log()
	for _, a := range ev.Attempts {
		log.Warn("attempt failed", "trunk", trunk, "uri", a.URI, "peer", a.Addr, "status", a.Status, "reason", a.Reason,
			"reason_header", a.Said, "cause", a.Cause, "ms", a.MS)
	}
}

// shown is who the far end of w sees as calling: whom the caller has named, the trunk's number, or who is
// left.
func (o *outgoing) shown(w *way) address.Address {
	switch t := w.trunk; {
	case o.named:
		return o.source
	case t != nil && t.Caller != "":
		return address.Address{Type: address.TypeTel, Target: t.Caller}
	}
	return o.otherwise.Normalize()
}

// from makes the From header of an INVITE by w, and the headers that go with it (RFC 3323, 3325).
func (e *Engine) from(o *outgoing, w *way) (sip.NameAddr, []sip.Header) {
	host, t := e.ownHost(), w.trunk
	if t != nil {
		host = uriHost(w.host)
	}
	s, _, _ := e.shownBy(o, w)
	var from sip.NameAddr
	switch s.Type {
	case address.TypeTel:
		number := s.Target
		if t != nil && t.RewriteCaller {
			number = t.written(number)
		}
		from.URI = "sip:" + strings.ReplaceAll(number, "#", "%23") + "@" + host
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
	from.Display = printable(cmp.Or(s.TargetName, s.Name))
	headers := slices.Clone(o.headers)
	if t != nil {
		for _, name := range slices.Sorted(maps.Keys(t.TechHeaders)) {
			headers = append(headers, sip.Header{Name: name, Value: t.TechHeaders[name]})
		}
	}
	headers = append(headers, e.journeyTo(t, o.journey)...)
	if o.anonymous {
		from = sip.NameAddr{Display: "Anonymous", URI: "sip:anonymous@anonymous.invalid"}
		headers = append(headers, sip.Header{Name: "Privacy", Value: "id"})
	}
	// Who hides from the called party is told to the provider, and to nobody else (RFC 3325 7).
	asserted := t != nil && s.Type == address.TypeTel && (t.Identity == "always" || t.Identity == "" && o.anonymous)
	if asserted {
		headers = append(headers, sip.Header{Name: "P-Asserted-Identity", Value: "<tel:" + s.Target + ">"})
	}
	if t != nil && (asserted || !o.anonymous) {
		headers = append(headers, e.sign(o, t, s, headers)...)
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
