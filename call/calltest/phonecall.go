package calltest

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
)

// PhoneCall is a call as the phone sees it, placed by it or come to it. Its methods may be called from any
// goroutine; those that take a testing.TB end their goroutine when what they wait for does not come.
type PhoneCall struct {
	phone  *Phone
	id     string
	tag    string         // ours
	branch string         // what those of our requests begin with
	uri    string         // request URI of the INVITE
	hop    netip.AddrPort // where our requests go
	sound  *sound
	invite *message // sent or got
	served *served  // the INVITE that came; nil in a call that we placed

	ringing  chan struct{} // closed at the first response to an INVITE of ours
	answered chan struct{} // closed at the 2xx to an INVITE of ours, or the ACK to our 2xx
	done     chan struct{}

	mu         sync.Mutex
	cseq       int      // guarded by mu; of our last request
	local      string   // guarded by mu; From of our requests
	remote     string   // guarded by mu; To of our requests
	target     string   // guarded by mu; Contact of the far end
	routes     []string // guarded by mu; Route of our requests
	rang, up   bool     // guarded by mu; ringing, answered are closed
	authorized bool     // guarded by mu; the INVITE was sent again with a password
	final      bool     // guarded by mu; we sent the final response to the INVITE
	statuses   []int    // guarded by mu
	ended      bool     // guarded by mu
	why        string   // guarded by mu
	refused    *StatusError
	cancel     *message                 // guarded by mu; CANCEL that came
	pending    map[string]*pending      // guarded by mu; our requests by transaction
	pracked    map[string]bool          // guarded by mu; RSeq of reliable responses, or RAck of those that we sent
	asked      []string                 // guarded by mu; methods of the requests that came in the dialog
	acks       map[string]chan struct{} // guarded by mu; by CSeq of the INVITE that our 2xx answers
	forks      map[string]bool          // guarded by mu; To tags of answers that we did not want
	told       []string                 // guarded by mu; see Told
	refers     []string                 // guarded by mu; see ReferredTo

	offers    []string // guarded by mu; all SDP that came
	direction string   // guarded by mu; of the last of them
	wish      string   // guarded by mu; the direction that we want
	stubborn  int      // guarded by mu; offers within the call are refused with it; 0: they are not
	old       bool     // guarded by mu; our SDP has the address 0.0.0.0, as RFC 2543 holds
	version   int      // guarded by mu; of our SDP
	described string   // guarded by mu; our SDP as version 0
}

// pending is a request of ours.
type pending struct {
	req   *message
	done  chan struct{} // closed when reply is there
	reply *message      // guarded by PhoneCall.mu; the final response, never changed
}

// newCall makes a call with sound; it still has to be kept.
func (p *Phone) newCall(id string) (*PhoneCall, error) {
	rtp, err := p.net.Listen(netip.AddrPortFrom(p.cfg.Addr, 0))
	if err != nil {
		return nil, err
	}
	n := p.number()
	if id == "" {
		id = fmt.Sprintf("call%d-%d@%s", n, p.addr.Port(), p.cfg.Addr)
	}
	return &PhoneCall{
		phone: p, id: id, tag: fmt.Sprintf("tag%d-%s", n, p.name), branch: fmt.Sprintf("z9hG4bK-%s-%d", p.name, n), wish: "sendrecv",
		ringing: make(chan struct{}), answered: make(chan struct{}), done: make(chan struct{}),
		pending: map[string]*pending{}, acks: map[string]chan struct{}{}, forks: map[string]bool{}, pracked: map[string]bool{},
		sound: newSound(rtp, p.cfg),
	}, nil
}

// contact is our own URI.
func (c *PhoneCall) contact() string {
	return fmt.Sprintf("<sip:%s@%s>", c.phone.cfg.User, c.phone.addr)
}

// request makes a request in the dialog, as far as there is one.
func (c *PhoneCall) request(method string, cseq int, branch, body string, headers ...string) *message {
	c.mu.Lock()
	defer c.mu.Unlock()
	uri := c.uri
	if c.target != "" {
		uri = c.target
	}
	m := &message{first: method + " " + uri + " SIP/2.0", headers: [][2]string{
		{"Via", fmt.Sprintf("SIP/2.0/UDP %s;branch=%s;rport", c.phone.addr, branch)},
		{"Max-Forwards", "70"},
	}}
	for _, r := range c.routes {
		m.headers = append(m.headers, [2]string{"Route", r})
	}
	m.headers = append(m.headers, [][2]string{
		{"From", c.local},
		{"To", c.remote},
		{"Call-ID", c.id},
		{"CSeq", fmt.Sprintf("%d %s", cseq, method)},
		{"Contact", c.contact()},
	}...)
	m.add(headers)
	m.describe(body)
	return m
}

// exchange sends an in-dialog request and returns its final response.
func (c *PhoneCall) exchange(method, body string, headers ...string) (*message, error) {
	c.mu.Lock()
	c.cseq++
	n := c.cseq
	c.mu.Unlock()
	return c.await(c.request(method, n, fmt.Sprintf("%s-%d", c.branch, n), body, headers...))
}

// await sends req until its final response is there.
func (c *PhoneCall) await(req *message) (*message, error) {
	sent := c.expect(req)
	c.phone.send(req, c.hop)
	c.phone.repeat(req, c.hop, sent.done, nil)
	c.mu.Lock()
	defer c.mu.Unlock()
	if sent.reply == nil {
		return nil, fmt.Errorf("calltest: no response to %s", req.method())
	}
	return sent.reply, nil
}

// expect lets the response to req find its way.
func (c *PhoneCall) expect(req *message) *pending {
	c.mu.Lock()
	defer c.mu.Unlock()
	sent := &pending{req: req, done: make(chan struct{})}
	c.pending[req.transaction(req.method())] = sent
	return sent
}

// replied takes the final response to sent; the first one counts.
func (c *PhoneCall) replied(sent *pending, m *message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if sent.reply == nil {
		sent.reply = m
		close(sent.done)
	}
}

// accepts tells whether a request with our tag is of this dialog: it has the far end's tag too, which an
// unanswered call of ours does not know for sure.
func (c *PhoneCall) accepts(m *message) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.served == nil && !c.up || tagOf(m.get("From")) == tagOf(c.remote)
}

// requested answers a request in the dialog.
func (c *PhoneCall) requested(s *served) {
	p, m := c.phone, s.req
	c.mu.Lock()
	ended := c.ended
	c.asked = append(c.asked, m.method())
	if m.method() == "PRACK" {
		c.pracked[m.get("RAck")] = true
	}
	c.mu.Unlock()
	switch method := m.method(); {
	case method == "BYE":
		if !p.cfg.NoBYEAnswer {
			p.respond(s, m.reply(200))
		}
		if c.served != nil {
			c.respond(487, false) // does nothing if it is answered
		}
		c.end(strings.TrimSpace("BYE " + m.get("Reason")))
	case method == "NOTIFY": // also after the end: a subscription outlives the call
		c.notified(m)
		p.respond(s, m.reply(200))
	case ended:
		p.respond(s, m.reply(481))
	case method == "REFER":
		c.referred(s)
	case method == "INVITE" || method == "UPDATE":
		c.renegotiate(s)
	default:
		p.respond(s, m.reply(200))
	}
}

// Asked returns the methods of the requests that came in the dialog, in order.
func (c *PhoneCall) Asked() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.asked...)
}

// renegotiate answers a re-INVITE or an UPDATE: hold is answered as hold, an INVITE
// without SDP gets an offer.
func (c *PhoneCall) renegotiate(s *served) {
	m := s.req
	c.mu.Lock()
	if ct := m.get("Contact"); ct != "" {
		c.target = uriOf(ct)
	}
	c.mu.Unlock()
	ok := m.reply(200)
	ok.set("Contact", c.contact())
	c.mu.Lock()
	stubborn := c.stubborn
	c.mu.Unlock()
	if stubborn != 0 {
		c.phone.respond(s, m.reply(stubborn))
		return
	}
	if m.body != "" && !c.takeSDP(m.body, true) {
		c.phone.respond(s, m.reply(488))
		return
	}
	if se := m.get("Session-Expires"); se != "" { // as who asks wants it (RFC 4028 9)
		ok.set("Session-Expires", se)
	}
	if m.body != "" || m.method() == "INVITE" {
		ok.describe(c.sdp(m.body != ""))
	}
	if m.method() == "INVITE" {
		c.confirm(s, ok, nil)
		return
	}
	c.phone.respond(s, ok)
}

// takeSDP takes what the far end offers, or answers to our offer. It is false if there
// is no codec for it.
func (c *PhoneCall) takeSDP(body string, offer bool) bool {
	a := parseAudio(body)
	c.mu.Lock()
	c.direction = a.direction
	c.offers = append(c.offers, body)
	send := sends(meet(c.wish, a.direction))
	c.mu.Unlock()
	return c.sound.negotiate(a, offer, c.phone.cfg.PCMA, !c.phone.cfg.NoEvents, send)
}

// sdp describes our sound: an offer, or the answer to the SDP that came last.
func (c *PhoneCall) sdp(answer bool) string {
	codec, events := c.sound.formats()
	host := c.sound.addr.Addr().String()
	if h := c.phone.cfg.SDPHost; h != "" {
		host = h
	}
	port := int(c.sound.addr.Port())
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.old {
		host = "0.0.0.0"
	}
	direction := c.wish
	if answer {
		direction = meet(c.wish, c.direction)
	}
	if d := describe(host, port, 0, codec, events, direction); d != c.described {
		c.described = d
		c.version++
	}
	return describe(host, port, c.version, codec, events, direction)
}

// end is the end of the call, told to nobody.
func (c *PhoneCall) end(why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.ended, c.why = true, why
	close(c.done)
	c.sound.close()
}

func (c *PhoneCall) err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refused != nil {
		return c.refused
	}
	return fmt.Errorf("calltest: the call ended: %s", c.why)
}
