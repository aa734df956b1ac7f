package calltest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// Dial calls user and returns when the call is answered. It fails the test when it is not.
func (p *Phone) Dial(t testing.TB, user string) *PhoneCall {
	t.Helper()
	c, err := p.Invite(context.Background(), user)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// StatusError is a call that was refused.
type StatusError struct {
	Status int
	Reason string // value of the Reason header
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("calltest: refused with %d %s", e.Status, e.Reason)
}

// Invite calls user and waits for the answer. A refusal is a *StatusError; when ctx ends the
// call is cancelled, and hung up if it is answered all the same. The PhoneCall is not nil in either case.
func (p *Phone) Invite(ctx context.Context, user string) (*PhoneCall, error) {
	c, err := p.start(user)
	if err != nil {
		return nil, err
	}
	select {
	case <-c.answered:
		return c, nil
	case <-c.done:
		select {
		case <-c.answered: // and then over at once
			return c, nil
		default:
			return c, c.err()
		}
	case <-ctx.Done():
	}
	c.Cancel()
	select {
	case <-c.done:
	case <-c.answered: // both crossed
		_, _ = c.exchange("BYE", "") // it is over whatever the far end says
		c.end("hung up")
	}
	return c, ctx.Err()
}

// Start calls user and returns at once.
func (p *Phone) Start(t testing.TB, user string) *PhoneCall {
	t.Helper()
	c, err := p.start(user)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (p *Phone) start(user string) (*PhoneCall, error) {
	c, err := p.newCall("")
	if err != nil {
		return nil, err
	}
	c.uri, c.hop, c.cseq = fmt.Sprintf("sip:%s@%s", user, p.cfg.Server), p.cfg.Server, 1
	c.local = fmt.Sprintf("<sip:%s@%s>;tag=%s", p.cfg.FromUser, p.cfg.Host, c.tag)
	c.remote = "<" + c.uri + ">"
	body := ""
	if !p.cfg.LateOffer {
		body = c.sdp(false)
	}
	c.invite = c.request("INVITE", 1, c.branch, body, p.cfg.Headers...)
	c.expect(c.invite)
	c.sound.start()
	if !p.keep(c) {
		return nil, c.err()
	}
	p.spawn(c.resend)
	return c, nil
}

// resend sends the INVITE until there is a response (RFC 3261 17.1.1.2).
func (c *PhoneCall) resend() {
	over := time.After(64 * t1)
	for d := t1; ; d *= 2 {
		c.phone.send(c.invite, c.hop)
		select {
		case <-c.ringing:
			return
		case <-c.done:
			return
		case <-over:
			c.end("no response")
			return
		case <-time.After(d):
		}
	}
}

// Cancel sends CANCEL, with headers of the form "Name: value", and returns at once; the 487 ends the call.
func (c *PhoneCall) Cancel(headers ...string) {
	c.mu.Lock()
	invite := c.invite
	c.mu.Unlock()
	m := c.request("CANCEL", 1, c.branch, "", headers...)
	m.set("Via", invite.get("Via"))
	m.set("CSeq", invite.cseq()+" CANCEL")
	m.first = "CANCEL " + c.uri + " SIP/2.0"
	m.set("To", "<"+c.uri+">")
	m.headers = slices.DeleteFunc(m.headers, func(h [2]string) bool { return h[0] == "Route" || h[0] == "Contact" })
	c.phone.spawn(func() { _, _ = c.await(m) }) // what counts is the response to the INVITE
}

// response takes one to any request of ours.
func (c *PhoneCall) response(m *message) {
	c.mu.Lock()
	sent := c.pending[m.transaction(m.method())]
	c.mu.Unlock()
	switch {
	case sent == nil:
	case m.method() == "INVITE":
		c.invited(m, sent)
	case m.status() >= 200:
		c.replied(sent, m)
	}
}

// invited takes a response to an INVITE or re-INVITE of ours.
func (c *PhoneCall) invited(m *message, sent *pending) {
	status := m.status()
	c.mu.Lock()
	first := sent.req == c.invite
	c.statuses = append(c.statuses, status)
	if !c.rang {
		c.rang = true
		close(c.ringing)
	}
	stray := first && status/100 == 2 && (c.ended && !c.up || c.up && tagOf(m.get("To")) != tagOf(c.remote))
	if status > 100 && !stray {
		if !c.up {
			c.remote = m.get("To")
			c.routes = slices.Clone(m.all("Record-Route"))
			slices.Reverse(c.routes)
		}
		if ct := m.get("Contact"); ct != "" {
			c.target = uriOf(ct)
		}
	}
	c.mu.Unlock()
	if stray {
		c.disown(m)
		return
	}
	if m.body != "" {
		c.takeSDP(m.body, first && c.phone.cfg.LateOffer)
	}
	switch {
	case status < 200:
		if status > 100 && m.get("Require") == "100rel" {
			c.prack(m)
		}
	case status < 300:
		c.accepted(m, sent, first)
	default:
		c.phone.send(refusalACK(sent.req, m), c.hop)
		if first && c.challenged(m) {
			return
		}
		if !first {
			c.replied(sent, m)
			return
		}
		c.mu.Lock()
		c.refused = &StatusError{status, m.get("Reason")}
		c.mu.Unlock()
		c.end(fmt.Sprint(status))
	}
}

// prack acknowledges a reliable response, each once (RFC 3262 4).
func (c *PhoneCall) prack(m *message) {
	rseq := m.get("RSeq")
	c.mu.Lock()
	again := c.pracked[rseq]
	c.pracked[rseq] = true
	c.mu.Unlock()
	if again {
		return
	}
	body := ""
	if m.body != "" && c.phone.cfg.LateOffer {
		body = c.sdp(true)
	}
	rack := "RAck: " + rseq + " " + m.get("CSeq")
	c.phone.spawn(func() { _, _ = c.exchange("PRACK", body, rack) }) // without an answer the far end ends the call
}

// Pracks is how many reliable responses the call has acknowledged, or, of one that came to the phone, has got
// acknowledged.
func (c *PhoneCall) Pracks() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.pracked)
}

// refusalACK is of the INVITE's own transaction (RFC 3261 17.1.1.3).
func refusalACK(invite, m *message) *message {
	_, rest, _ := strings.Cut(invite.first, " ")
	ack := &message{first: "ACK " + rest}
	for _, h := range invite.headers {
		switch h[0] {
		case "Via", "Max-Forwards", "Route", "From", "Call-ID":
			ack.headers = append(ack.headers, h)
		}
	}
	ack.set("To", m.get("To"))
	ack.set("CSeq", m.cseq()+" ACK")
	return ack
}

// accepted acknowledges a 2xx, each time that it comes.
func (c *PhoneCall) accepted(m *message, sent *pending, first bool) {
	body := ""
	if first && c.phone.cfg.LateOffer && m.body != "" {
		body = c.sdp(true)
	}
	c.ack(m, body, "", "")
	c.mu.Lock()
	if !c.up {
		c.up = true
		close(c.answered)
	}
	c.mu.Unlock()
	c.replied(sent, m)
}

// ack acknowledges the 2xx m; to and target are those of a dialog that is not the call's, if not "".
func (c *PhoneCall) ack(m *message, body, to, target string) {
	if c.phone.cfg.NoACK {
		return
	}
	ack := c.request("ACK", 0, fmt.Sprintf("%s-ack%s%s", c.branch, m.cseq(), tagOf(to)), body)
	ack.set("CSeq", m.cseq()+" ACK")
	if to != "" {
		ack.first = "ACK " + target + " SIP/2.0"
		ack.set("To", to)
	}
	c.phone.send(ack, c.hop)
}

// disown acknowledges a 2xx that we do not want, of another branch of a fork or
// after the end, and hangs it up (RFC 3261 13.2.2.4).
func (c *PhoneCall) disown(m *message) {
	to, target := m.get("To"), uriOf(m.get("Contact"))
	c.ack(m, "", to, target)
	c.mu.Lock()
	again := c.forks[tagOf(to)]
	c.forks[tagOf(to)] = true
	c.mu.Unlock()
	if again {
		return
	}
	bye := c.request("BYE", 2, c.branch+"-bye"+tagOf(to), "")
	bye.first = "BYE " + target + " SIP/2.0"
	bye.set("To", to)
	c.phone.spawn(func() { _, _ = c.await(bye) }) // the far end ends the dialog or not, this call has no part in it
}
