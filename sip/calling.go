package sip

import (
	"context"
	crand "crypto/rand"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// failoverTime is how long an address may be silent when there is another
	// one to try: four copies of the INVITE on UDP. The last one gets 64*T1.
	failoverTime = 8 * t1
	// maxRedirects and maxContacts bound what a chain of 3xx can make us do.
	maxRedirects = 5
	maxContacts  = 10
	// maxAttempts bounds the INVITEs of one call.
	maxAttempts = 32
	// maxUDP is the size from which on a request goes by TCP first (RFC 3261
	// 18.1.1): the path's MTU is unknown.
	maxUDP = 1300
	// probeTime is how long such a request waits for a connection, and deafTime
	// how long an address is not asked again that has refused one.
	probeTime = 2 * time.Second
	deafTime  = 10 * time.Minute
	maxDeaf   = 1024
	// maxEarly is how many early dialogs of one call are known apart.
	maxEarly = 32
)

// calling is a call that we place, from Endpoint.Call to its final answer. It
// belongs to a Dialog, whose mu guards it.
//
// One INVITE after the other goes out, never two at once: to each address that
// the URI stands for until one answers, again with credentials when those are
// asked for, then to the Contacts of a 3xx. Between two of them tx is nil and
// advance is at work.
type calling struct {
	headers  []Header // of each INVITE
	timer    bool     // they say that we support session timers
	route    string   // value of the Route header, "": none
	by       Flow     // if not zero, the INVITE goes by this flow
	body     []byte
	redirect func(string) bool
	deadline *time.Timer
	setup    time.Duration
	hurry    time.Time // when it must ring, setup after the call's begin or the last answer; zero: never

	uri        string   // Request-URI
	located    bool     // targets are those of uri
	targets    []target // not tried yet
	contacts   []string // of 3xx, not tried yet
	seen       []string // URIs, tried or to be tried
	redirects  int
	challenges int
	attempts   []Attempt

	tx     *clientInvite // on its way
	early  []*early
	agreed *early   // the one whose answer came reliably
	won    *message // the 2xx, while its ACK is on its way
	last   *Event   // the peer's last final answer but a 2xx

	stop int      // why to give up: 487 by Cancel, 408 by Timeout; 0: do not
	why  []Header // for the CANCEL and BYE
}

// early is a dialog made by a provisional response (RFC 3261 12.1.2).
type early struct {
	tag   string
	heard bool   // it has sent a request
	seq   uint32 // of the last one
	gone  *Event // it hung up before its 2xx came

	rseq    uint32   // of its last reliable response
	answer  []byte   // session description in one of them
	changed bool     // an UPDATE has changed that
	pracks  []Header // RAck, not sent yet, or not answered
	dialog  *Dialog  // for what we send to it; nil: nothing yet
}

// seqOfOurs is the CSeq of our last request to it. The parent's mu is held.
func (fork *early) seqOfOurs() uint32 {
	if fork.dialog == nil {
		return 0
	}
	fork.dialog.mu.Lock()
	defer fork.dialog.mu.Unlock()
	return fork.dialog.localSeq
}

// clientInvite is an INVITE client transaction (RFC 3261 17.1.1):
//
//	           A: again
//	            \_/
//	INVITE -> calling -1xx-> proceeding -Cancel-> canceling -E: CANCEL again
//	             | B              |                   |
//	             |                +---- 2xx-6xx ------+ 64*T1
//	             v                        v           v
//	         next address           ACK, and what   given up
//	                                comes of it
//
// It ends with the first final response. What comes later is answered without
// it: see late.go.
type clientInvite struct {
	branch string
	cseq   uint32
	flow   flow
	uri    string
	via    string
	wire   []byte        // what the timer repeats, INVITE or CANCEL; nil: nothing
	wait   time.Duration // before the next copy
	most   time.Duration // of wait
	end    time.Time     // when to give up; zero: never
	timer  *time.Timer
	heard  bool // a provisional response
	rings  bool // one that is no 100
}

// advance sends the INVITE to the next address that takes it, or gives up. It
// is the work of a goroutine, since it may look names up and open connections.
func (d *Dialog) advance() {
	d.mu.Lock()
	defer d.drain()
	defer d.mu.Unlock()
	for d.out != nil && d.out.tx == nil && d.out.stop == 0 && !d.e.closing() {
		c := d.out
		switch {
		case len(c.attempts) >= maxAttempts, c.patience(time.Hour) <= 0:
			d.giveUp()
		case !c.located:
			d.locate(c)
		case len(c.targets) > 0:
			t := c.targets[0]
			c.targets = c.targets[1:]
			d.try(c, t)
		case len(c.contacts) > 0:
			c.uri, c.contacts = c.contacts[0], c.contacts[1:]
			c.by = Flow{} // that is somebody else
			c.located = false
			d.localSeq++
			if c.route == "" {
				d.auth.forget() // that is somebody else's server
			}
		default:
			d.giveUp()
		}
	}
}

// patience is how long the call can wait for what usually takes most.
func (c *calling) patience(most time.Duration) time.Duration {
	if c.hurry.IsZero() {
		return most
	}
	return min(most, time.Until(c.hurry))
}

// unlocked runs f, which may wait, without the lock; false: the call is over.
func (d *Dialog) unlocked(patience time.Duration, f func(context.Context)) bool {
	c := d.out
	d.mu.Unlock()
	ctx, cancel := context.WithTimeout(d.e.life, patience)
	f(ctx)
	cancel()
	d.mu.Lock()
	return d.out == c && c.stop == 0
}

// locate finds the addresses of the next hop. d.mu is held, but not throughout.
func (d *Dialog) locate(c *calling) {
	if !c.by.IsZero() {
		c.located, c.targets = true, []target{{network: c.by.Network, addr: c.by.Remote, settled: true, by: c.by}}
		return
	}
	next := c.uri
	if c.route != "" {
		next = strings.Trim(c.route, "<>")
	}
	var ts []target
	u, err := parseURI(next)
	if err == nil && !d.unlocked(c.patience(resolveTimeout), func(ctx context.Context) { ts, err = d.e.targets(ctx, u, "") }) {
		return
	}
	c.located, c.targets = true, ts
	if err != nil {
		c.attempts = append(c.attempts, Attempt{URI: c.uri, Status: 503, Reason: err.Error(), At: time.Now()})
	}
}

// try sends the INVITE to t. d.mu is held, but not throughout.
func (d *Dialog) try(c *calling, t target) {
	at := time.Now()
	var f flow
	var err error
	switch {
	case !t.by.IsZero():
		f, err = d.e.flowOf(t.by)
	case t.network == "tcp":
		patience := dialTimeout
		switch {
		case t.probe:
			patience = probeTime
		case len(c.targets) > 0:
			patience = failoverTime
		}
		if !c.hurry.IsZero() {
			patience = c.patience(min(patience, failoverTime))
		}
		if !d.unlocked(patience, func(ctx context.Context) { f, err = d.e.flowTo(ctx, t, nil) }) {
			return
		}
		if err != nil && t.probe {
			d.e.deafTo(t.addr)
		}
	default:
		f, err = d.e.flowTo(d.e.life, t, nil)
	}
	if err == nil {
		d.flow = f
		d.contact = d.makeContact()
		tx := d.newInvite(f)
		if len(tx.wire) > maxUDP && t.network == "udp" && !t.settled && d.e.mayUseTCP(t.addr) {
			tcp := target{network: "tcp", addr: t.addr, probe: true}
			t.settled = true
			c.targets = append([]target{tcp, t}, c.targets...)
			return
		}
		c.attempts = append(c.attempts, Attempt{URI: c.uri, Network: t.network, Addr: t.addr.String(), At: at})
		if err = d.sendInvite(tx); err == nil {
			return
		}
		c.attempts = c.attempts[:len(c.attempts)-1]
	}
	c.attempts = append(c.attempts, Attempt{
		URI: c.uri, Network: t.network, Addr: t.addr.String(), Status: 503, Reason: err.Error(),
		At: at, MS: time.Since(at).Milliseconds(),
	})
}

// newInvite writes the INVITE for f.
func (d *Dialog) newInvite(f flow) *clientInvite {
	c := d.out
	tx := &clientInvite{branch: newBranch(), cseq: d.localSeq, flow: f, uri: c.uri}
	tx.via = d.e.via(f, tx.branch)
	hs := d.head(tx)
	hs = append(hs, c.headers...)
	if c.timer {
		hs = append(hs, d.offeredSession()...)
	}
	hs = append(hs, Header{"CSeq", cseqValue(tx.cseq, "INVITE")}, Header{"Contact", d.contact})
	d.ackAuth = d.auth.headers("INVITE", c.uri)
	hs = append(hs, d.ackAuth...)
	tx.wire = writeRequest("INVITE", c.uri, hs, c.body)
	return tx
}

// head is what INVITE, CANCEL, and ACK of one transaction have in common.
func (d *Dialog) head(tx *clientInvite) []Header {
	hs := make([]Header, 0, 24)
	hs = append(hs, Header{"Via", tx.via})
	if d.out.route != "" {
		hs = append(hs, Header{"Route", d.out.route})
	}
	return hs
}

// sendInvite begins the transaction. d.mu is held.
func (d *Dialog) sendInvite(tx *clientInvite) error {
	e, c := d.e, d.out
	e.mu.Lock()
	e.invited[tx.branch] = d
	e.mu.Unlock()
	if err := e.send(tx.flow, tx.wire); err != nil {
		e.mu.Lock()
		delete(e.invited, tx.branch)
		e.mu.Unlock()
		return err
	}
	c.tx = tx
	patience := ackTime
	if len(c.targets) > 0 || !c.hurry.IsZero() {
		patience = c.patience(failoverTime)
	}
	d.repeatUntil(tx, patience, ackTime)
	return nil
}

// repeatUntil has tx.wire sent again until patience ends. d.mu is held.
func (d *Dialog) repeatUntil(tx *clientInvite, patience, longest time.Duration) {
	tx.end, tx.wait, tx.most = time.Now().Add(patience), t1, longest
	first := patience
	if !tx.flow.reliable() {
		first = min(t1, patience)
	}
	if tx.timer == nil {
		tx.timer = time.AfterFunc(first, func() { d.inviteTimer(tx) })
	} else {
		tx.timer.Reset(first)
	}
}

// inviteTimer is Timers A, B and E.
func (d *Dialog) inviteTimer(tx *clientInvite) {
	d.mu.Lock()
	defer d.drain()
	defer d.mu.Unlock()
	c := d.out
	if c == nil || c.tx != tx || tx.end.IsZero() || d.e.closing() {
		return
	}
	left := time.Until(tx.end)
	switch {
	case left <= 0:
		if tx.heard && c.stop == 0 { // it has said 100, and nothing since
			_ = d.e.send(tx.flow, d.cancelOf(tx))
		}
		d.endTx(tx, 0, "")
		if c.stop != 0 {
			d.giveUp()
			return
		}
		d.e.start(d.advance)
	case tx.wire == nil || tx.flow.reliable():
		tx.timer.Reset(left)
	default:
		d.e.stats.retransmitted.Add(1)
		_ = d.e.send(tx.flow, tx.wire)
		tx.wait = min(2*tx.wait, tx.most)
		tx.timer.Reset(min(tx.wait, left))
	}
}

// sendCancel gives up an INVITE that was heard of (RFC 3261 9.1). d.mu is held.
func (d *Dialog) sendCancel(tx *clientInvite) {
	tx.wire = d.cancelOf(tx)
	_ = d.e.send(tx.flow, tx.wire)
	d.repeatUntil(tx, ackTime, t2)
}

func (d *Dialog) cancelOf(tx *clientInvite) []byte {
	hs := append(d.head(tx),
		Header{"Max-Forwards", strconv.Itoa(maxForwards)},
		Header{"From", d.local}, Header{"To", d.remote}, Header{"Call-ID", d.callID},
		Header{"CSeq", cseqValue(tx.cseq, "CANCEL")}, Header{"User-Agent", d.e.cfg.UserAgent})
	return writeRequest("CANCEL", tx.uri, append(hs, d.out.why...), nil)
}

// tooLate is Outgoing.Timeout.
func (d *Dialog) tooLate() {
	d.mu.Lock()
	defer d.drain()
	defer d.mu.Unlock()
	c := d.out
	if c == nil || c.stop != 0 || d.e.closing() {
		return
	}
	c.stop, c.why, c.last = 408, []Header{{"Reason", `SIP;cause=408;text="Request Timeout"`}}, nil
	d.state = StateTerminating
	switch {
	case c.won != nil:
	case c.tx != nil && c.tx.heard:
		d.sendCancel(c.tx)
	default:
		d.giveUp()
	}
}

// endTx ends the transaction with the final status of the peer, 0: there was
// none. d.mu is held.
func (d *Dialog) endTx(tx *clientInvite, status int, reason string) {
	c := d.out
	c.tx = nil
	tx.timer.Stop()
	d.e.mu.Lock()
	delete(d.e.invited, tx.branch)
	d.e.mu.Unlock()
	a := &c.attempts[len(c.attempts)-1]
	a.Status, a.Reason, a.MS = status, reason, time.Since(a.At).Milliseconds()
	if status == 0 {
		a.Status, a.Reason = 408, "no answer"
	}
	d.e.rememberInvite(d, tx, status)
}

// giveUp is the end of a call that was not accepted: what the peer has said
// last, or what we have to say. d.mu is held.
func (d *Dialog) giveUp() {
	c := d.out
	if c.tx != nil {
		d.endTx(c.tx, 0, "")
	}
	ev := Event{Kind: EventRefused, Method: "INVITE", Status: 503, Local: true}
	switch n := len(c.attempts); {
	case c.stop == 408 || c.stop != 0 && c.last == nil:
		ev.Status, ev.Reason = c.stop, statusText(c.stop)
	case c.last != nil:
		ev = *c.last
	case n > 0 && c.attempts[n-1].Network != "":
		ev.Status, ev.Reason = c.attempts[n-1].Status, c.attempts[n-1].Reason
	case n > 0:
		ev.Reason = c.attempts[n-1].Reason
	}
	ev.Attempts = c.attempts
	d.push(ev)
	d.finish()
}

// mayUseTCP says whether a connection to addr is worth a try.
func (e *Endpoint) mayUseTCP(addr netip.AddrPort) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.speaks("tcp") && !time.Now().Before(e.deaf[addr])
}

// deafTo remembers that there is no TCP at addr.
func (e *Endpoint) deafTo(addr netip.AddrPort) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.deaf) >= maxDeaf {
		clear(e.deaf)
	}
	e.deaf[addr] = time.Now().Add(deafTime)
}

func newBranch() string { return "z9hG4bK" + crand.Text() }

func cseqValue(n uint32, method string) string {
	return strconv.FormatUint(uint64(n), 10) + " " + method
}

// via is the Via value of a request that we send by f.
func (e *Endpoint) via(f flow, branch string) string {
	host, port := e.shown(f.listener(), f.remote.Addr())
	return "SIP/2.0/" + strings.ToUpper(f.network()) + " " + host + ":" + strconv.Itoa(int(port)) + ";branch=" + branch + ";rport"
}

// writeRequest puts a request together.
func writeRequest(method, uri string, hs []Header, body []byte) []byte {
	n := len(method) + len(uri) + len(body) + 64
	for _, h := range hs {
		n += len(h.Name) + len(h.Value) + 4
	}
	b := slices.Grow([]byte(nil), n)
	b = append(b, method...)
	b = append(b, ' ')
	b = append(b, uri...)
	b = append(b, " SIP/2.0\r\n"...)
	for _, h := range hs {
		b = append(b, h.Name...)
		b = append(b, ": "...)
		b = append(b, h.Value...)
		b = append(b, "\r\n"...)
	}
	b = append(b, "Content-Length: "...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(b, "\r\n\r\n"...)
	return append(b, body...)
}
