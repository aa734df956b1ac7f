package sip

import (
	crand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Outgoing is a call to be placed. Only URI and Body must be set.
type Outgoing struct {
	// URI is the Request-URI, and that of To unless To is set: a sip URI without
	// headers after a '?'. For sips, and for transports other than udp and tcp, the
	// error is errors.ErrUnsupported.
	URI string

	// To is the URI of the To header; empty: URI.
	To string

	// From is who calls: URI and Display are used, the rest is not. Without a URI
	// it is sip:callbin@ and our host, with Config.UserAgent as the user part
	// when that can be one.
	From NameAddr

	// NextHop is the sip URI of an outbound proxy: the request goes there, with
	// a Route header that names it, ;lr added. Empty: the request goes to URI.
	NextHop string

	// Flow is the way that the INVITE and all that follows within the dialog goes by, whatever URI and the
	// peer's Contact say: that of a registered phone (Contact.Flow). Zero: by URI or NextHop.
	Flow Flow

	// Headers are sent in every INVITE of the call. Those that the dialog writes
	// itself, and values with line breaks, are refused.
	Headers []Header

	// Body is the SDP offer. A call without one is not possible yet: the error
	// is errors.ErrUnsupported.
	Body []byte

	// MaxForwards is what a call that came to us has left, less one. 0: 70.
	MaxForwards int

	// Credentials answer the challenges of 401 and 407; the first of the
	// challenge's realm is taken, or the first without a realm.
	Credentials []Credentials

	// Redirect says whether a call may follow this Contact of a 3xx (RFC 3261
	// 8.1.3.4). It is asked for each in the order of their q values, from any
	// goroutine, and must not block. Five redirects and ten contacts are followed
	// at most, and none twice. Nil: a 3xx is final.
	Redirect func(uri string) bool

	// Timeout bounds the time from Call to the final answer: then the call is
	// cancelled, and refused with 408, which a peer that does not answer the CANCEL
	// can delay by 32 seconds. 0: 3 minutes.
	Timeout time.Duration

	// SetupTimeout bounds the time from Call, or the last final response, to the first sign that it rings, which is any
	// provisional response but 100; an address that stays silent, without a 100 even, is left
	// after 4 seconds. Then the call is refused with 408 without waiting for its CANCEL, so
	// that another way can be tried at once. 0: only Timeout counts.
	SetupTimeout time.Duration

	// Handle gets the events, see Dialog.Handle; nil: that can be set later.
	Handle func(Event)
}

// ErrFull is returned by Endpoint.Call when there is no room for one more dialog.
var ErrFull = errors.New("sip: too many dialogs")

// Call places a call. It waits neither for the peer nor for a name server: what
// becomes of the call comes as events, of which EventAccepted or EventRefused
// is the answer. They may come before Call returns. An error means that o is
// faulty, that it asks for what is not there yet (errors.ErrUnsupported), that
// the endpoint is closed, or that it has Config.MaxDialogs dialogs (ErrFull).
func (e *Endpoint) Call(o Outgoing) (*Dialog, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("sip: call: %w", err)
	}
	if o.To == "" {
		o.To = o.URI
	}
	if o.From.URI == "" {
		o.From.URI = "sip:" + e.ownUser() + "@" + e.ownHost(o)
	}
	if o.MaxForwards == 0 {
		o.MaxForwards = maxForwards
	}
	if o.Timeout == 0 {
		o.Timeout = callTimeout
	}
	d := &Dialog{
		e: e, id: crand.Text(), callID: crand.Text(), localTag: crand.Text()[:16], outgoing: true,
		state: StateCalling, begun: time.Now(), fresh: true, localSeq: 1 + rand.Uint32N(1<<16),
		handler: o.Handle, auth: newDigestAuth(o.Credentials),
	}
	d.cseq0 = d.localSeq
	d.local = address(o.From.Display, o.From.URI) + ";tag=" + d.localTag
	d.remote = address("", o.To)
	d.out = &calling{
		uri: o.URI, seen: []string{o.URI}, route: route(o.NextHop), by: o.Flow, redirect: o.Redirect,
		body: slices.Clone(o.Body), headers: e.inviteHeaders(d, o),
	}
	if o.SetupTimeout > 0 {
		d.out.setup, d.out.hurry = o.SetupTimeout, d.begun.Add(o.SetupTimeout)
	}
	d.out.timer = slices.ContainsFunc(d.out.headers, func(h Header) bool {
		return longName(h.Name) == "supported" && slices.ContainsFunc(splitList(h.Value), func(v string) bool { return strings.EqualFold(v, "timer") })
	})
	d.invite = d.sent(o)

	// Until it is among the dialogs nobody else has it; its lock keeps a closing
	// endpoint from ending it half made.
	d.mu.Lock()
	defer d.mu.Unlock()
	e.mu.Lock()
	closed, full := e.closed, len(e.dialogs) >= e.cfg.MaxDialogs
	if !closed && !full {
		e.dialogs[d.localTag] = d
	}
	e.mu.Unlock()
	switch {
	case closed:
		return nil, fmt.Errorf("sip: call: %w", errClosed)
	case full:
		return nil, fmt.Errorf("sip: call: %w", ErrFull)
	}
	e.stats.calls.Add(1)
	d.out.deadline = time.AfterFunc(o.Timeout, d.tooLate)
	e.start(d.advance)
	return d, nil
}

// callTimeout is Outgoing.Timeout when that is zero.
const callTimeout = 3 * time.Minute

// check tells the first fault of o.
func (o Outgoing) check() error {
	err := callable(o.URI)
	if !o.Flow.IsZero() && errors.Is(err, errors.ErrUnsupported) {
		err = nil // it is the phone's own, and not looked at
	}
	if err != nil {
		return err
	}
	if o.NextHop != "" {
		if err := callable(o.NextHop); err != nil {
			return fmt.Errorf("next hop: %w", err)
		}
	}
	for _, a := range []struct{ name, uri string }{{"To", o.To}, {"From", o.From.URI}} {
		if a.uri == "" {
			continue
		}
		if u, err := parseURI(a.uri); err != nil || u.header {
			return fmt.Errorf("%s: %q is no URI without headers", a.name, clip(a.uri))
		}
	}
	if err := checkValue(o.From.Display); err != nil {
		return fmt.Errorf("display name of From: %w", err)
	}
	for _, h := range o.Headers {
		if err := h.check(); err != nil {
			return err
		}
	}
	for _, c := range o.Credentials {
		if err := checkValue(c.Username); err != nil {
			return fmt.Errorf("user name of credentials: %w", err)
		}
	}
	switch {
	case !o.Flow.IsZero() && (!o.Flow.Remote.IsValid() || o.Flow.Network != "udp" && o.Flow.Network != "tcp"):
		return fmt.Errorf("flow %v: not udp or tcp with an address", o.Flow)
	case len(o.Body) == 0:
		return fmt.Errorf("a call without an offer: %w", errors.ErrUnsupported)
	case o.MaxForwards < 0 || o.MaxForwards > 255:
		return fmt.Errorf("option MaxForwards is %d, not 0 to 255", o.MaxForwards)
	case o.Timeout < 0:
		return fmt.Errorf("option Timeout is negative: %v", o.Timeout)
	case o.SetupTimeout < 0:
		return fmt.Errorf("option SetupTimeout is negative: %v", o.SetupTimeout)
	}
	return nil
}

// callable says what keeps uri from being called.
func callable(s string) error {
	u, err := parseURI(s)
	if err != nil {
		return err
	}
	if u.header {
		return fmt.Errorf("URI %q has headers", clip(s))
	}
	_, err = transportOf(u)
	return err
}

// address writes a From or To value without its tag.
func address(display, uri string) string {
	if display == "" {
		return "<" + uri + ">"
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(display) + `" <` + uri + ">"
}

// route is the value of the Route header that leads by an outbound proxy.
func route(nextHop string) string {
	if nextHop == "" {
		return ""
	}
	u, _ := parseURI(nextHop)
	if _, loose := param(u.params, "lr"); !loose {
		nextHop += ";lr"
	}
	return "<" + nextHop + ">"
}

// ownUser is who calls when nobody says.
func (e *Endpoint) ownUser() string {
	if ua := e.cfg.UserAgent; strings.Trim(ua, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == "" {
		return ua
	}
	return "callbin"
}

// ownHost is our host as the far side knows it, as far as that can be told
// before the address of the far side is known.
func (e *Endpoint) ownHost(o Outgoing) string {
	l := e.listeners[0]
	next := o.NextHop
	if next == "" {
		next = o.URI
	}
	u, _ := parseURI(next)
	_, addr := hostOf(u)
	if !o.Flow.IsZero() {
		addr = o.Flow.Remote.Addr()
	}
	if addr.IsValid() {
		if fit := e.pick("udp", addr, l); fit != nil {
			l = fit
		}
		host, _ := e.shown(l, addr)
		return host
	}
	if l.advertise != "" {
		return l.advertise
	}
	return uriHost(l.bound.Addr())
}

// inviteHeaders are those that all INVITEs of a call have in common; Via and
// Route stand before, what depends on the way and CSeq after them.
func (e *Endpoint) inviteHeaders(d *Dialog, o Outgoing) []Header {
	hs := []Header{
		{"Max-Forwards", strconv.Itoa(o.MaxForwards)},
		{"From", d.local},
		{"To", d.remote},
		{"Call-ID", d.callID},
	}
	for _, h := range []Header{{"Allow", e.inDialogAllowed()}, {"Supported", e.supported()}, {"User-Agent", e.cfg.UserAgent}} {
		given := func(o Header) bool { return longName(o.Name) == longName(h.Name) }
		if !slices.ContainsFunc(o.Headers, given) {
			hs = append(hs, h)
		}
	}
	return append(append(hs, o.Headers...), Header{"Content-Type", "application/sdp"})
}

// sent is what Dialog.Invite shows of a call that we place.
func (d *Dialog) sent(o Outgoing) *Request {
	r := &Request{
		Method: "INVITE", URI: o.URI, CallID: d.callID, CSeq: d.cseq0, MaxForwards: o.MaxForwards,
		Headers:     append(d.out.headers[:len(d.out.headers):len(d.out.headers)], Header{"CSeq", strconv.Itoa(int(d.cseq0)) + " INVITE"}),
		ContentType: "application/sdp", Body: d.out.body,
	}
	u, _ := parseURI(o.URI)
	r.User, r.Host = u.decodedUser(), u.host
	r.From, _ = ParseNameAddr(d.local) // both were checked
	r.To, _ = ParseNameAddr(d.remote)
	r.UserAgent, _ = r.Header("User-Agent")
	return r
}

// Cancel gives an outgoing call up that was not answered yet, with the headers
// h, such as Reason, in the CANCEL (RFC 3261 9.1). It does not wait: that goes
// out once the peer has shown a sign of life, and EventRefused tells the end,
// also when a 200 crosses it, whose call is hung up at once, and when the peer
// stays silent for 32 seconds. Cancel after Cancel does nothing; it returns
// ErrState after the answer and for a call that came to us, and ErrEnded after
// the end.
func (d *Dialog) Cancel(h ...Header) error {
	for _, h := range h {
		if err := h.check(); err != nil {
			return err
		}
	}
	d.mu.Lock()
	defer d.drain()
	defer d.mu.Unlock()
	c := d.out
	switch {
	case d.state == StateEnded:
		return fmt.Errorf("sip: cancel: %w", ErrEnded)
	case c == nil:
		return fmt.Errorf("sip: cancel: %w", ErrState)
	case c.stop != 0:
		return nil
	}
	c.stop, c.why, c.last = 487, slices.Clone(h), nil
	d.state = StateTerminating
	switch {
	case c.tx != nil && c.tx.heard:
		d.sendCancel(c.tx)
	case c.tx == nil && c.won == nil:
		d.giveUp() // a name is looked up, or a connection opened
	}
	return nil
}
