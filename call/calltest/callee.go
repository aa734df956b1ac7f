package calltest

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// WaitCall waits for the next INVITE that came to a phone without PhoneConfig.Accept.
func (p *Phone) WaitCall(t testing.TB) *PhoneCall {
	t.Helper()
	select {
	case c := <-p.incoming:
		return c
	case <-time.After(patience):
		t.Fatalf("calltest: nobody called %s", p.addr)
	case <-p.off:
		t.Fatalf("calltest: %s is switched off", p.addr)
	}
	return nil
}

// ring takes an INVITE outside of a dialog: it says 100 and lets the script go on.
func (p *Phone) ring(s *served) {
	p.respond(s, s.req.reply(100))
	c, err := p.arrive(s)
	switch {
	case err != nil:
		p.respond(s, s.req.reply(500))
	case !p.keep(c):
	case p.cfg.Accept != nil:
		p.spawn(func() { p.cfg.Accept(c) })
	default:
		select {
		case p.incoming <- c:
		default:
			c.Refuse(486)
		}
	}
}

// arrive makes the call of an INVITE, or one of them if it forks.
func (p *Phone) arrive(s *served) (*PhoneCall, error) {
	m := s.req
	c, err := p.newCall(m.get("Call-ID"))
	if err != nil {
		return nil, err
	}
	c.invite, c.served, c.uri, c.hop = m, s, strings.Fields(m.first)[1], s.from
	c.local = m.get("To") + ";tag=" + c.tag
	c.remote, c.target = m.get("From"), uriOf(m.get("Contact"))
	c.routes = m.all("Record-Route")
	next := c.target
	if len(c.routes) > 0 {
		next = uriOf(c.routes[0])
	}
	if a, ok := hostOf(next); ok {
		c.hop = a
	}
	p.mu.Lock()
	s.calls = append(s.calls, c)
	p.mu.Unlock()
	return c, nil
}

// hostOf is the address in a SIP URI, if it is a literal one.
func hostOf(uri string) (netip.AddrPort, bool) {
	_, host, _ := strings.Cut(uri, ":")
	host, _, _ = strings.Cut(host, ";")
	host = host[strings.LastIndexByte(host, '@')+1:]
	if a, err := netip.ParseAddrPort(host); err == nil {
		return a, true
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return netip.AddrPortFrom(a, 5060), err == nil
}

// Request is an INVITE.
type Request struct {
	URI string // request URI
	SDP string // "" in a late offer
	m   *message
}

// Header is the first value of a header, "" where there is none.
func (r *Request) Header(name string) string { return r.m.get(name) }

// Headers are all values of a header, in order.
func (r *Request) Headers(name string) []string { return r.m.all(name) }

// Invite is the INVITE of the call, as it came or was sent.
func (c *PhoneCall) Invite() *Request {
	return &Request{URI: c.uri, SDP: c.invite.body, m: c.invite}
}

// Ring sends 180.
func (c *PhoneCall) Ring() { c.respond(180, false) }

// Progress sends 183 with SDP: sound starts, as early media. With the headers "Require: 100rel" and
// "RSeq: 1" it is sent reliably, but once.
func (c *PhoneCall) Progress(headers ...string) { c.respond(183, true, headers...) }

// Provisional sends another response that decides nothing, 101 to 199, without SDP.
func (c *PhoneCall) Provisional(status int, headers ...string) { c.respond(status, false, headers...) }

// Answer sends 200 with SDP, until the ACK (RFC 3261 13.3.1.4), and returns at once: WaitAnswer waits for the
// ACK. Without one the call ends after 32 s, with a BYE. The headers of this and the other responses are of the form
// "Name: value". A response after the final one is not sent.
func (c *PhoneCall) Answer(headers ...string) { c.respond(200, true, headers...) }

// Refuse sends a final response and ends the call.
func (c *PhoneCall) Refuse(status int, headers ...string) { c.respond(status, false, headers...) }

// Redirect refuses with 3xx and the URI to call instead.
func (c *PhoneCall) Redirect(status int, contact string) {
	c.respond(status, false, "Contact: <"+contact+">")
}

// Fork is a second callee behind the same INVITE: its responses have another To tag, its sound
// another port. What it and c do is independent, but a CANCEL goes to both.
func (c *PhoneCall) Fork() (*PhoneCall, error) {
	f, err := c.phone.arrive(c.served)
	if err != nil {
		return nil, err
	}
	if !c.phone.keep(f) {
		return nil, f.err()
	}
	return f, nil
}

// AnswerFork answers as a Fork; after Answer that is a second 2xx with another To tag. The call that
// it returns tells whether that one is acknowledged (WaitAnswer) and hung up (WaitEnd).
func (c *PhoneCall) AnswerFork(t testing.TB) *PhoneCall {
	t.Helper()
	f, err := c.Fork()
	if err != nil {
		t.Fatal(err)
	}
	f.Answer()
	return f
}

// Cancelled tells whether a CANCEL came, and the value of its Reason header.
func (c *PhoneCall) Cancelled() (reason string, cancelled bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancel == nil {
		return "", false
	}
	return c.cancel.get("Reason"), true
}

// localTo is the To of our responses to the INVITE.
func (c *PhoneCall) localTo() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.local
}

// respond sends a response to the INVITE, unless the final one is sent already.
func (c *PhoneCall) respond(status int, described bool, headers ...string) {
	if c.served == nil {
		panic("calltest: a response to an INVITE that the phone sent itself")
	}
	c.mu.Lock()
	if c.ended || c.final {
		c.mu.Unlock()
		return
	}
	first := len(c.offers) == 0
	c.mu.Unlock()
	if offer := c.invite.body; described && offer != "" && first && !c.takeSDP(offer, true) {
		status, described = 488, false
	}
	c.mu.Lock()
	if c.final {
		c.mu.Unlock()
		return
	}
	c.final = status >= 200
	c.statuses = append(c.statuses, status)
	c.mu.Unlock()

	m := c.served.req.reply(status)
	m.set("To", c.localTo())
	if status < 300 {
		m.set("Contact", c.contact())
	}
	m.add(headers)
	if status/100 == 2 {
		m.add(c.phone.cfg.Headers)
	}
	if described {
		m.describe(c.sdp(c.invite.body != ""))
		c.sound.start()
	}
	switch {
	case status < 200:
		c.phone.respond(c.served, m)
	case status < 300:
		c.confirm(c.served, m, func() {
			c.end("no ACK")
			_, _ = c.exchange("BYE", "") // whether anybody is there or not
		})
	default:
		c.phone.respond(c.served, m)
		c.end(fmt.Sprint(status))
	}
}

// confirm sends the 2xx m until its ACK. lost, if not nil, is called if none comes.
func (c *PhoneCall) confirm(s *served, m *message, lost func()) {
	acked := make(chan struct{})
	c.mu.Lock()
	c.acks[m.cseq()] = acked
	c.mu.Unlock()
	c.phone.respond(s, m)
	c.phone.spawn(func() {
		if !c.phone.repeat(m, s.from, acked, c.done) && lost != nil {
			lost()
		}
	})
}

// acknowledged takes the ACK to a 2xx.
func (c *PhoneCall) acknowledged(m *message) {
	c.mu.Lock()
	acked := c.acks[m.cseq()]
	delete(c.acks, m.cseq())
	c.mu.Unlock()
	if acked == nil {
		return
	}
	if m.body != "" {
		c.takeSDP(m.body, false)
	}
	close(acked)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.up {
		c.up = true
		close(c.answered)
	}
}

// cancelled takes a CANCEL: 487, or what PhoneConfig.IgnoreCancel says.
func (c *PhoneCall) cancelled(m *message) {
	c.mu.Lock()
	c.cancel = m
	c.mu.Unlock()
	if c.phone.cfg.IgnoreCancel {
		c.Answer()
		return
	}
	c.respond(487, false)
}

// Statuses returns the status of each response to the INVITE, in order; of an incoming call those that the script sent.
func (c *PhoneCall) Statuses() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.statuses)
}
