package calltest

import (
	"fmt"
	"testing"
	"time"
)

// Subscription is what a Phone watches (RFC 6665).
type Subscription struct {
	p      *Phone
	event  string
	user   string
	callID string
	tag    string // of the notifier
	cseq   int
	ch     chan Notified
}

// Notified is a NOTIFY: the value of Subscription-State, and the body.
type Notified struct {
	State, Body string
}

// Subscribe watches an event of user, as "dialog" or "message-summary", and returns the final response's status. A
// challenge is answered with the Password of the PhoneConfig.
func (p *Phone) Subscribe(t testing.TB, event, user string, expires time.Duration) (status int, s *Subscription) {
	t.Helper()
	s = &Subscription{p: p, event: event, user: user, callID: fmt.Sprintf("watch-%s-%d", p.name, p.number()), ch: make(chan Notified, 256)}
	p.mu.Lock()
	if p.watching == nil {
		p.watching = map[string]chan Notified{}
	}
	p.watching[s.callID] = s.ch
	p.mu.Unlock()
	return s.Refresh(t, expires), s
}

// Refresh subscribes for another time, 0 to end it, and returns the final response's status.
func (s *Subscription) Refresh(t testing.TB, expires time.Duration) (status int) {
	t.Helper()
	res := s.p.askKnown(t, func() *message { return s.request(expires) })
	if res.status() == 200 {
		s.tag = tagOf(res.get("To"))
	}
	return res.status()
}

func (s *Subscription) request(expires time.Duration) *message {
	p := s.p
	s.cseq++
	to := fmt.Sprintf("<sip:%s@%s>", s.user, p.cfg.Server.Addr())
	if s.tag != "" {
		to += ";tag=" + s.tag
	}
	return &message{first: fmt.Sprintf("SUBSCRIBE sip:%s@%s SIP/2.0", s.user, p.cfg.Server.Addr()), headers: [][2]string{
		{"Via", fmt.Sprintf("SIP/2.0/UDP %s;branch=z9hG4bK-%s-%d;rport", p.addr, s.callID, s.cseq)},
		{"Max-Forwards", "70"},
		{"From", fmt.Sprintf("<sip:%s@%s>;tag=%s", p.cfg.User, p.cfg.Server.Addr(), s.callID)},
		{"To", to},
		{"Call-ID", s.callID},
		{"CSeq", fmt.Sprintf("%d SUBSCRIBE", s.cseq)},
		{"Contact", fmt.Sprintf("<sip:%s@%s>", p.cfg.User, p.addr)},
		{"Event", s.event},
		{"Expires", fmt.Sprint(int(expires.Seconds()))},
	}}
}

// Wait returns the next NOTIFY.
func (s *Subscription) Wait(t testing.TB) Notified {
	t.Helper()
	select {
	case n := <-s.ch:
		return n
	case <-time.After(patience):
		t.Fatalf("calltest: no NOTIFY of %s", s.event)
		return Notified{}
	}
}

// Waiting is how many NOTIFYs are there that Wait has not returned.
func (s *Subscription) Waiting() int { return len(s.ch) }

// notified takes a NOTIFY; false: nobody has subscribed.
func (p *Phone) notified(m *message) bool {
	p.mu.Lock()
	ch := p.watching[m.get("Call-ID")]
	p.mu.Unlock()
	if ch == nil {
		return false
	}
	select {
	case ch <- Notified{State: m.get("Subscription-State"), Body: m.body}:
	default: // nobody looks
	}
	return true
}
