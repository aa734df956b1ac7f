package sip

import (
	crand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Timers of RFC 3261 appendix A.
const (
	t1 = 500 * time.Millisecond
	t2 = 4 * time.Second
	// ackTime is how long a 2xx waits for its ACK (13.3.1.4).
	ackTime = 64 * t1
	// repeatTime keeps the proxies on the way from giving up on a call that
	// rings for long (13.3.1.1).
	repeatTime = time.Minute
)

var (
	// ErrEnded is returned by the methods of a Dialog that is over, or that is
	// being ended.
	ErrEnded = errors.New("sip: dialog has ended")
	// ErrState is returned by the methods of a Dialog that make no sense at
	// its present point, such as Accept after Accept.
	ErrState = errors.New("sip: not possible in this state of the dialog")
)

// State is how far a dialog has got.
type State string

// The states of a dialog (RFC 3261 12), seen from the UAS:
//
//	INVITE -> proceeding -18x-> early
//	              |  \____________/ |
//	              |       |2xx      | CANCEL, BYE, 3xx-6xx
//	              |       v         v
//	              |    accepted    ended <- answer to our BYE, or none for 64*T1
//	              |       |ACK      ^ ^
//	              |       v      BYE| |
//	              |   confirmed ----+ |
//	              |       |our BYE    |
//	              |       v           |
//	              |   terminating ----+
//	              +---------------------> ended
//
// and from the UAC, whose challenges, redirects and failovers do not show:
//
//	Call -> calling -101-199-> early
//	           |  \_____________/ |
//	           |  2xx|       |    | 3xx-6xx, no answer
//	           |     |       |    +--------> ended
//	           |     |       |Cancel, Timeout  ^ ^
//	           |     |       v     3xx-6xx,    | |
//	           |     |  terminating -----------+ |
//	           |     v        2xx: BYE, or none  |
//	           | confirmed, and on as above -----+
//	           +---------------------------> ended
const (
	StateCalling     State = "calling"     // INVITE being sent, nothing heard yet
	StateProceeding  State = "proceeding"  // INVITE received, 100 sent
	StateEarly       State = "early"       // provisional response sent or received, other than 100
	StateAccepted    State = "accepted"    // 2xx sent, no ACK yet
	StateConfirmed   State = "confirmed"   // ACK received or sent
	StateTerminating State = "terminating" // our BYE or CANCEL is on its way, or will be
	StateEnded       State = "ended"
)

// Dialog is one call's signalling with one peer (RFC 3261 12), from the INVITE,
// received or sent, to the end. All of its methods may be called from any
// goroutine, and none waits for the peer: what the peer does comes as an Event.
type Dialog struct {
	e         *Endpoint
	id        string
	callID    string
	localTag  string
	local     string // our From value, tag included
	secure    bool
	outgoing  bool // we placed the call
	invite    *Request
	inviteVia string  // transaction key of the INVITE that we received
	cseq0     uint32  // of the INVITE
	replaces  *Dialog // that the INVITE wants to take the place of
	auth      *digestAuth
	arrived   time.Time // the INVITE that began it

	mu         sync.Mutex // guards the rest but events; may be held while sending
	state      State
	out        *calling // while we call; nil of calls that came to us
	ackAuth    []Header // the credentials that our INVITE had
	remoteTag  string   // does not change on calls that came to us
	remote     string   // our To value, tag included
	contact    string   // our Contact value
	fresh      bool     // the peer has sent no request yet: any CSeq will do
	flow       flow     // where the peer was last heard
	localSeq   uint32
	remoteSeq  uint32
	target     string   // remote target URI
	routes     []string // route set, values of Route headers
	inv        *serverInvite
	update     *serverUpdate
	offers     int
	offering   *offering    // ours, until its answer
	reacked    reacked      // our last re-INVITE
	referrals  []*referral  // REFERs of the peer
	referrings []*referring // and of ours
	refers     int          // how many those were
	session    session
	mayUpdate  bool     // the peer takes UPDATE
	forkSeq    uint32   // no request of ours to any fork had a higher CSeq
	sdp        []byte   // our session description, as last agreed
	remoteSDP  []byte   // the peer's
	bye        []Header // wanted, but the ACK is not there yet
	byeWanted  bool
	setup      *time.Timer // while unanswered
	begun      time.Time
	patience   time.Duration // from begun, for an answer
	expires    bool          // patience is the caller's

	evMu     sync.Mutex // guards the rest; taken last
	events   []Event
	handler  func(Event)
	draining bool
	over     bool // the last event was queued
}

// serverInvite is an INVITE of the peer until it is through: unanswered, or
// answered and not acknowledged.
type serverInvite struct {
	tx     *sip.ServerTx // until a 2xx: retransmits 1xx on request, 3xx-6xx on its timer
	conn   *inviteConn   // of tx
	rep    *reply
	key    string
	cseq   uint32
	offer  int    // 0: the first INVITE
	target string // new remote target, when accepted
	sdp    []byte // the peer's offer, of a re-INVITE
	wish   sessionWish
	prov   *sip.Response
	provAt time.Time // when prov was first sent, if reliably
	status int       // final, 0: none yet
	wire   []byte    // the 2xx
	timer  *time.Timer
	wait   time.Duration
	sent   time.Time // first

	timestamp string // header of the INVITE, for its 100

	// Of reliable responses.
	knows100rel bool // the caller supports them
	needs100rel bool // and wants no others
	offered     bool // the INVITE has an offer
	offeredOurs bool // it has none, and a reliable response brings ours
	described   bool // a session description went out reliably, or is about to
	answered    bool // our offer, in a PRACK
	accepting   bool // the 2xx waits for a PRACK
	rseq        uint32
	rel         *provisional   // waits for its PRACK
	queue       []*provisional // wait for that
}

// serverUpdate is the last UPDATE, or PRACK with an offer: unanswered, or kept for its
// retransmissions.
type serverUpdate struct {
	method string
	rep    *reply
	key    string
	cseq   uint32
	offer  int
	target string
	fork   *early // of whom we call
	sdp    []byte // the peer's offer
	wish   sessionWish
	wire   []byte // nil: unanswered
}

// open says whether an offer waits for Dialog.Answer.
func (up *serverUpdate) open() bool { return up != nil && up.wire == nil }

// newDialog makes a dialog of m, registers it, and sends 100; nil: no room.
func (e *Endpoint) newDialog(m *message, req *Request, replaces *Dialog) *Dialog {
	d := &Dialog{
		e: e, id: crand.Text(), callID: m.callID, localTag: crand.Text()[:16], remoteTag: m.fromTag,
		invite: req, inviteVia: m.via.key(), cseq0: m.cseq, replaces: replaces,
		state: StateProceeding, flow: m.from, begun: time.Now(), arrived: time.Now().Add(-m.waited),
		localSeq: rand.Uint32N(1 << 16), remoteSeq: m.cseq,
		target: req.Contact.URI, routes: m.list("record-route"),
	}
	d.local = m.toValue + ";tag=" + d.localTag
	d.remote = m.fromValue
	u, _ := parseURI(m.uri)
	d.secure = u.scheme == "sips"
	d.contact = d.makeContact()
	d.allows(m)
	rep := m.reply(d.localTag)
	d.inv = e.newServerInvite(m, rep)
	d.remoteSDP, d.inv.offered = req.SDP()
	if e.cfg.Reliable != ReliableNever {
		d.inv.needs100rel = m.has("require", "100rel")
		d.inv.knows100rel = d.inv.needs100rel || m.has("supported", "100rel")
	}
	key := inviteKey{m.callID, m.fromTag, m.cseq}

	d.mu.Lock()
	defer d.mu.Unlock()
	e.mu.Lock()
	full := e.closed || len(e.dialogs) >= e.cfg.MaxDialogs
	if !full {
		e.dialogs[d.localTag] = d
		e.invites[key] = d
	}
	e.mu.Unlock()
	if full {
		d.inv.tx.Terminate()
		return nil
	}
	d.patience = e.cfg.SetupTimeout
	if n, err := strconv.ParseUint(m.value("expires"), 10, 32); err == nil && time.Duration(n)*time.Second < d.patience {
		d.patience, d.expires = time.Duration(n)*time.Second, true // 13.3.1
	}
	d.setup = time.AfterFunc(min(tryingTime, d.patience), d.stillRinging)
	d.inv.holdTrying()
	return d
}

func (e *Endpoint) newServerInvite(m *message, rep *reply) *serverInvite {
	// sipgo wants the request only to see its method and transport: without
	// the rest it keeps nothing alive.
	origin := &sip.Request{Method: sip.INVITE}
	origin.SetTransport("UDP")
	if m.from.reliable() {
		origin.SetTransport("TCP")
	}
	inv := &serverInvite{rep: rep, key: m.via.key(), cseq: m.cseq}
	inv.wish, _ = m.sessionWish() // checked before
	inv.timestamp = m.value("timestamp")
	inv.conn = &inviteConn{txConn: txConn{e, rep.to}}
	inv.tx = sip.NewServerTx(inv.key, origin, inv.conn, e.slogs)
	_ = inv.tx.Init() // never fails
	return inv
}

// tryingTime is how long an INVITE may be without an answer before it gets 100: no peer has sent it again by then, and
// mostly something better has gone out (RFC 3261 17.2.1).
const tryingTime = 200 * time.Millisecond

// holdTrying has the transaction believe that 100 went out: the timer that sipgo has for it knows nothing of the
// request. The real one is sendTrying's.
func (inv *serverInvite) holdTrying() {
	inv.conn.held.Store(true)
	_ = inv.tx.Respond(&sip.Response{StatusCode: 100})
}

// sendTrying sends 100, so that nothing is retransmitted while others make up their minds (RFC 3261 8.2.6.1).
func (inv *serverInvite) sendTrying() {
	inv.conn.held.Store(false)
	var hs []Header
	if inv.timestamp != "" {
		hs = []Header{{"Timestamp", inv.timestamp}}
	}
	_ = inv.tx.Respond(inv.rep.response(100, "", "", hs...))
}

// makeContact is what the peer shall call us by.
func (d *Dialog) makeContact() string {
	host, port := d.e.shown(d.flow.listener(), d.flow.remote.Addr())
	scheme, transport := "sip", ""
	if d.secure {
		scheme = "sips"
	}
	if d.flow.reliable() {
		transport = ";transport=tcp"
	}
	return fmt.Sprintf("<%s:%s:%d%s>", scheme, host, port, transport)
}

// heard notes by which way the peer was heard last. d.mu is held.
func (d *Dialog) heard(from flow) {
	from.sticky = d.flow.sticky
	d.flow = from
}

// ID is unique among all dialogs of all endpoints, and no part of the SIP messages.
func (d *Dialog) ID() string { return d.id }

// CallID is the Call-ID of all messages of the dialog.
func (d *Dialog) CallID() string { return d.callID }

// Invite is the INVITE that began the dialog, as received, or as we want to send
// it: what changes from try to try (Via, Route, Contact, credentials) is not in
// it. It must not be changed.
func (d *Dialog) Invite() *Request { return d.invite }

// Raw returns the header lines of the INVITE as "Name: value", in order and
// unfolded: the escape hatch for what Request does not take apart.
func (d *Dialog) Raw() []string {
	lines := make([]string, len(d.invite.Headers))
	for i, h := range d.invite.Headers {
		lines[i] = h.Name + ": " + h.Value
	}
	return lines
}

// Arrived is when the INVITE of a call that came to us arrived: in the socket, where the system tells, else when
// it was read.
func (d *Dialog) Arrived() time.Time { return d.arrived }

// RemoteAddr is the transport address that the peer was last heard from, or that
// we call; zero before that is known.
func (d *Dialog) RemoteAddr() netip.AddrPort {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.flow.remote
}

// LocalAddr is our address on the way to the peer: that of the socket it
// reached, or, when that one is bound to all addresses, of the interface.
func (d *Dialog) LocalAddr() netip.AddrPort {
	d.mu.Lock()
	f := d.flow
	d.mu.Unlock()
	l := f.listener()
	if l == nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(d.e.localIP(l, f.remote.Addr()), l.bound.Port())
}

// LocalHost is the host under which the peer knows us: the advertised one, or
// the bound address for peers in Config.LocalNets. An IPv6 address stands in brackets.
func (d *Dialog) LocalHost() string {
	d.mu.Lock()
	f := d.flow
	d.mu.Unlock()
	l := f.listener()
	if l == nil {
		return ""
	}
	host, _ := d.e.shown(l, f.remote.Addr())
	return host
}

// Advertised says whether the peer is shown the advertised address instead of
// the bound one.
func (d *Dialog) Advertised() bool {
	d.mu.Lock()
	f := d.flow
	d.mu.Unlock()
	l := f.listener()
	return l != nil && l.advertise != "" && !d.e.isLocal(f.remote.Addr())
}

// Network is the transport the peer was last heard on, or is called by: "udp" or
// "tcp"; "" before that is known.
func (d *Dialog) Network() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.flow.listener() == nil {
		return ""
	}
	return d.flow.network()
}

// State says how far the dialog has got.
func (d *Dialog) State() State {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state
}

// Handle sets f, which gets the dialog's events one after the other, in the
// order of their happening. It must not block, and may call the dialog's
// methods. It is called from any goroutine, also from within those methods, so
// call none of them with a lock held that f takes. Events from before Handle
// were kept and come first, from within Handle. A panic in f ends the call.
func (d *Dialog) Handle(f func(Event)) {
	d.evMu.Lock()
	d.handler = f
	d.evMu.Unlock()
	d.drain()
}

// maxQueue bounds what a peer can make us keep for a handler that was never set.
const maxQueue = 64

// push queues an event; the caller drains when it has let go of d.mu.
func (d *Dialog) push(ev Event) {
	d.evMu.Lock()
	defer d.evMu.Unlock()
	if d.over || len(d.events) >= maxQueue && !ev.last() && ev.Kind != EventAccepted {
		return
	}
	d.over = ev.last()
	d.events = append(d.events, ev)
}

// drain delivers what is queued, unless somebody is at it already.
func (d *Dialog) drain() {
	d.evMu.Lock()
	defer d.evMu.Unlock()
	if d.draining {
		return
	}
	d.draining = true
	for len(d.events) > 0 && d.handler != nil {
		ev, f := d.events[0], d.handler
		d.events = slices.Delete(d.events, 0, 1)
		d.evMu.Unlock()
		d.deliver(f, ev)
		d.evMu.Lock()
	}
	d.draining = false
}

func (d *Dialog) deliver(f func(Event), ev Event) {
	defer d.e.recovered("event handler", d)
	f(ev)
}
