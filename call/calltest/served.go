package calltest

import (
	"net/netip"
	"time"
)

// Timers of RFC 3261 17.1.1.1.
const (
	t1 = 500 * time.Millisecond
	t2 = 4 * time.Second
)

// served is a request that the phone got, as a server transaction keeps it (RFC 3261 17.2): when
// the request comes again it gets the last response again.
type served struct {
	req   *message
	from  netip.AddrPort
	acked chan struct{} // closed by the ACK to a refusal

	calls []*PhoneCall // guarded by Phone.mu; those that an INVITE rings, more than one if it forked
	last  *message     // guarded by Phone.mu
	over  bool         // guarded by Phone.mu; acked is closed
}

// serve keeps m. It is nil if m came before: then it was dealt with.
func (p *Phone) serve(m *message, from netip.AddrPort) *served {
	key := m.transaction(m.method())
	p.mu.Lock()
	s := p.served[key]
	if s == nil {
		s = &served{req: m, from: from, acked: make(chan struct{})}
		p.served[key] = s
		p.mu.Unlock()
		return s
	}
	last := s.last
	p.mu.Unlock()
	if last != nil {
		p.send(last, s.from)
	}
	return nil
}

// respond sends m, and a refused INVITE's again until the ACK (RFC 3261 17.2.1).
func (p *Phone) respond(s *served, m *message) {
	p.mu.Lock()
	s.last = m
	p.mu.Unlock()
	p.send(m, s.from)
	if s.req.method() == "INVITE" && m.status() >= 300 {
		p.spawn(func() { p.repeat(m, s.from, s.acked, nil) })
	}
}

// invited is the INVITE whose transaction m, an ACK or a CANCEL, belongs to.
func (p *Phone) invited(m *message) (s *served, calls []*PhoneCall) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s = p.served[m.transaction("INVITE")]; s == nil {
		return nil, nil
	}
	return s, append(calls, s.calls...)
}

// acknowledge takes an ACK: of a refusal by its branch, of a 2xx by its dialog.
func (p *Phone) acknowledge(m *message) {
	if s, _ := p.invited(m); s != nil {
		p.mu.Lock()
		if !s.over && s.last != nil && s.last.status() >= 300 {
			s.over = true
			close(s.acked)
		}
		p.mu.Unlock()
		return
	}
	if c := p.dialog(m.get("Call-ID"), tagOf(m.get("To"))); c != nil {
		c.acknowledged(m)
	}
}

// cancel answers a CANCEL and tells the calls that its INVITE rings.
func (p *Phone) cancel(s *served) {
	invite, calls := p.invited(s.req)
	if invite == nil {
		p.respond(s, s.req.reply(481))
		return
	}
	ok := s.req.reply(200)
	if len(calls) > 0 {
		ok.set("To", calls[0].localTo())
	}
	p.respond(s, ok)
	for _, c := range calls {
		c.cancelled(s.req)
	}
}

// repeat sends m again, first after T1 and then at twice the distance up to T2, until stop, done or
// the phone is closed; stop and done may be nil. It is false if none was within 64*T1.
func (p *Phone) repeat(m *message, to netip.AddrPort, stop, done <-chan struct{}) bool {
	over := time.NewTimer(64 * t1)
	defer over.Stop()
	for d := t1; ; d = min(2*d, t2) {
		next := time.NewTimer(d)
		select {
		case <-next.C:
			p.send(m, to)
			continue
		case <-over.C:
			next.Stop()
			return false
		case <-stop:
		case <-done:
		case <-p.off:
		}
		next.Stop()
		return true
	}
}
