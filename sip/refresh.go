package sip

import "time"

// retryRefresh is how long a refresh waits that could not be sent, or that the
// peer refused for a reason that says nothing about the call.
const retryRefresh = 10 * time.Second

// sessionTick is the timer of the session: a refresh is due, or none came in time.
func (d *Dialog) sessionTick() {
	d.mu.Lock()
	defer d.drain()
	defer d.mu.Unlock()
	s := &d.session
	if s.interval == 0 || d.state != StateConfirmed && d.state != StateAccepted || d.e.closing() {
		return
	}
	now := time.Now()
	switch {
	case !now.Before(s.deadline()):
		d.lost(0, "the session was not refreshed in time")
		return
	case s.mine && !s.busy && !now.Before(s.due):
		d.refreshSession()
	}
	d.armSession()
}

// refreshSession sends the UPDATE or re-INVITE that keeps the session up (RFC 4028
// 10). d.mu is held.
func (d *Dialog) refreshSession() {
	s := &d.session
	s.retry(retryRefresh)
	switch {
	case d.state != StateConfirmed || d.offering != nil:
		return // until the ACK, or the answer to an offer of ours, which refreshes as well
	case d.mayUpdate && !s.byInvite:
		s.busy = true
		d.e.start(d.updateSession)
	case d.inv != nil || d.update.open() || len(d.sdp) == 0:
		return // the peer is at it
	default:
		o := &offering{body: d.sdp, refresh: true}
		d.offering = o
		d.e.start(func() { d.sendReinvite(o) })
	}
}

// retry has the next refresh sent after wait, or earlier when the session would be over by then.
func (s *session) retry(wait time.Duration) {
	s.due = time.Now().Add(min(wait, time.Until(s.deadline())/2))
}

// updateSession refreshes by an UPDATE without an offer. It waits for the answer.
func (d *Dialog) updateSession() {
	d.mu.Lock()
	hs := append(d.offeredSession(), Header{"Supported", d.e.supported()})
	d.mu.Unlock()
	res := d.exchange("UPDATE", hs, nil)
	d.mu.Lock()
	defer d.drain()
	defer d.mu.Unlock()
	s := &d.session
	s.busy = false
	if d.state != StateConfirmed || d.e.closing() {
		return
	}
	switch w := res.session(); {
	case res.status < 300:
		d.refreshed("UPDATE", w)
		if target := res.target(); target != "" {
			d.target = target
		}
		return
	case res.dead():
		d.lost(res.status, res.phrase)
		return
	case res.status == 422 && d.tooShort(w):
		s.due = time.Now()
	case res.status == 491 || res.status == 500 || res.status == 503:
		s.retry(res.wait(d.outgoing, retryRefresh))
	case res.status == 501 || res.status/100 == 4:
		s.byInvite = true
		s.due = time.Now()
	default:
		s.retry(retryRefresh)
	}
	d.armSession()
}

// refreshed notes that the peer has taken a refresh of ours. d.mu is held.
func (d *Dialog) refreshed(method string, w sessionWish) {
	d.takeSession(w)
	d.push(Event{Kind: EventRefresh, Method: method, Local: true, Session: int(d.session.interval / time.Second)})
}

// refreshedBy takes a refresh of the peer, and gives the headers of our 2xx. d.mu is held.
func (d *Dialog) refreshedBy(method string, w sessionWish) []Header {
	hs := d.answerSession(w)
	if hs != nil {
		d.push(Event{Kind: EventRefresh, Method: method, Session: int(d.session.interval / time.Second)})
	}
	return hs
}

// lost hangs up a session that the peer does not know any more. d.mu is held.
func (d *Dialog) lost(status int, why string) {
	d.push(Event{Kind: EventLost, Status: status, Reason: why, Local: status == 0})
	d.sendBye([]Header{{"Reason", `SIP;cause=408;text="Session expired"`}})
}
