package sip

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// inviteResponse takes a response to an INVITE or CANCEL of ours.
func (e *Endpoint) inviteResponse(m *message) {
	e.mu.Lock()
	d := e.invited[m.via.branch]
	e.mu.Unlock()
	if d == nil || !d.answered(m) {
		e.lateResponse(m)
	}
}

// answered takes a response to the INVITE that is on its way; false: m is not
// for that one, or no more.
func (d *Dialog) answered(m *message) bool {
	d.mu.Lock()
	defer d.drain()
	defer d.mu.Unlock()
	c := d.out
	if c == nil {
		return d.reinviteAnswered(m)
	}
	if c.tx == nil || c.tx.branch != m.via.branch {
		return false
	}
	tx := c.tx
	switch {
	case m.callID != d.callID || m.fromTag != d.localTag || m.cseq != tx.cseq:
		return false
	case m.method == "CANCEL":
		if m.status >= 200 && c.stop != 0 {
			tx.wire = nil // it has arrived: what comes is the end of the INVITE, or nothing
		}
	case m.status < 200:
		d.progress(m, tx)
	case m.status < 300:
		d.accepted(m, tx)
	default:
		d.refused(m, tx)
	}
	return true
}

// progress takes a 1xx: from now on only the caller's patience ends the call.
// d.mu is held.
func (d *Dialog) progress(m *message, tx *clientInvite) {
	c := d.out
	if !tx.heard {
		tx.heard, tx.wire = true, nil
		tx.end = time.Time{}
		tx.timer.Stop()
		switch {
		case c.stop != 0:
			d.sendCancel(tx)
		case !c.hurry.IsZero():
			tx.end = c.hurry
			tx.timer.Reset(time.Until(tx.end))
		}
	}
	if m.status == 100 {
		return
	}
	fork := d.earlyOf(m.toTag)
	if m.toTag != "" && fork == nil && len(c.early) < maxEarly {
		fork = &early{tag: m.toTag}
		c.early = append(c.early, fork)
	}
	reliable := m.has("require", "100rel")
	if reliable && !d.reliable(m, tx, fork) || c.stop != 0 {
		return
	}
	if !tx.rings {
		tx.rings, tx.end = true, time.Time{}
		tx.timer.Stop()
		c.attempts[len(c.attempts)-1].Rang = time.Now()
	}
	d.state = StateEarly
	ev := m.event(EventProgress)
	ev.Early = m.toTag
	if fork != nil && fork.answer != nil {
		ev.ContentType, ev.Body = "", nil // there is an answer already (RFC 3261 13.2.1)
	} else if reliable && len(ev.Body) > 0 {
		fork.answer, c.agreed = ev.Body, fork
	}
	d.push(ev)
}

// event is what a response tells.
func (m *message) event(k EventKind) Event {
	ev := Event{Kind: k, Method: m.method, Status: m.status, Reason: m.phrase, Headers: m.all()}
	ev.ContentType, ev.Body = m.sdp()
	return ev
}

// earlyOf finds an early dialog. d.mu is held.
func (d *Dialog) earlyOf(tag string) *early {
	if d.out == nil {
		return nil
	}
	for _, e := range d.out.early {
		if e.tag == tag {
			return e
		}
	}
	return nil
}

// accepted takes the first 2xx (RFC 3261 13.2.2.4). The dialog is confirmed
// when the ACK has gone out, which can need a name to be looked up. d.mu is held.
func (d *Dialog) accepted(m *message, tx *clientInvite) {
	e, c := d.e, d.out
	d.endTx(tx, m.status, m.phrase)
	e.strays.add(e.answerKey(m))
	d.auth.passed()
	d.heard(m.from)
	m.from = d.flow
	ev := m.event(EventAccepted)
	ev.Early, ev.Attempts = m.toTag, c.attempts
	m.body = nil // the reader's
	c.won = m
	if e.ackNow(m, d.ackAuth) {
		d.confirm(ev)
		return
	}
	auth := d.ackAuth
	e.start(func() {
		e.ack2xx(m, auth)
		d.mu.Lock()
		defer d.drain()
		defer d.mu.Unlock()
		if d.out == c {
			d.confirm(ev)
		}
	})
}

// confirm makes the dialog of the 2xx (RFC 3261 12.1.2), unless the call was
// given up in the meantime: then it is hung up at once. d.mu is held.
func (d *Dialog) confirm(ev Event) {
	c := d.out
	m := c.won
	for _, f := range c.early {
		d.forkSeq = max(d.forkSeq, f.seqOfOurs())
	}
	if c.stop != 0 {
		d.e.hangUp(m, d.auth, c.why, d.forkSeq)
		d.giveUp()
		return
	}
	c.deadline.Stop()
	fork := d.earlyOf(m.toTag)
	d.out = nil
	d.state = StateConfirmed
	d.remoteTag, d.remote, d.localSeq = m.toTag, m.toValue, max(m.cseq, d.forkSeq)
	d.target, d.routes = m.remote()
	d.allows(m)
	if o := d.offering; o != nil && o.early != fork { // its early dialog is over
		d.dropOffering()
		d.push(Event{Kind: EventAnswer, Method: "UPDATE", Status: 481, Reason: statusText(481)})
	}
	if fork != nil {
		d.remoteSeq, d.fresh = fork.seq, !fork.heard
		switch {
		case fork.changed:
			ev.ContentType, ev.Body = "", nil
		case fork.answer != nil:
			ev.ContentType, ev.Body = "application/sdp", fork.answer
		}
		if fork.dialog != nil && len(m.list("allow")) == 0 {
			d.mayUpdate = fork.dialog.mayUpdate
		}
	}
	if d.sdp == nil {
		d.sdp, d.remoteSDP = c.body, ev.Body
	}
	w, _ := m.sessionWish() // what cannot be read is not there
	d.takeSession(w)
	d.push(ev)
	if fork != nil && fork.gone != nil {
		d.push(*fork.gone)
		d.finish()
	}
}

// remote is the remote target and the route set that a 2xx makes. A peer that
// forgot its Contact is called by its To.
func (m *message) remote() (target string, routes []string) {
	v, _ := cutOutside(m.contact, ',')
	a, err := ParseNameAddr(v)
	if err != nil || !strings.HasPrefix(strings.ToLower(a.URI), "sip") {
		a, _ = ParseNameAddr(m.toValue)
	}
	routes = m.list("record-route")
	slices.Reverse(routes)
	return a.URI, routes
}

// refused takes a final response of 300 or more, and decides what to do about
// it. d.mu is held.
func (d *Dialog) refused(m *message, tx *clientInvite) {
	e, c := d.e, d.out
	e.sendLike(m, tx.flow, tx.via, "ACK", tx.uri, c.route, m.toValue)
	d.endTx(tx, m.status, m.phrase)
	c.early, c.agreed = nil, nil
	if d.offering != nil { // its dialog is over
		d.dropOffering()
		d.push(Event{Kind: EventAnswer, Method: "UPDATE", Status: 481, Reason: statusText(481)})
	}
	ev := m.event(EventRefused)
	ev.Cause, _ = parseReason(ev.Headers)
	a := &c.attempts[len(c.attempts)-1]
	a.Cause, a.Said = reasonOf(ev.Headers)
	c.last = &ev
	if c.setup > 0 {
		c.hurry = time.Now().Add(c.setup)
	}
	again := target{network: tx.flow.network(), addr: tx.flow.remote, settled: true, by: c.by}
	switch {
	case c.stop != 0 || m.status >= 600:
		d.giveUp()
		return
	case m.status == 503 && len(c.targets) > 0:
	case (m.status == 401 || m.status == 407) && c.challenges < maxChallenges && d.auth.challenged(ev.Headers):
		c.challenges++
		c.last = nil
		d.localSeq++
		c.targets = append([]target{again}, c.targets...)
	case m.status == 422 && d.tooShort(m.final().session()):
		c.last = nil
		d.localSeq++
		c.targets = append([]target{again}, c.targets...)
	case m.status <= 302 && c.redirect != nil && c.redirects < maxRedirects:
		c.redirects++
		c.targets = nil
		e.start(func() { d.redirect(c, m.contacts()) })
		return
	default:
		c.targets = nil // they all lead to the same place
	}
	e.start(d.advance)
}

// contacts are the sip URIs of a 3xx, the most welcome first.
func (m *message) contacts() (uris []string) {
	type contact struct {
		uri string
		q   float64
	}
	var cs []contact
	for _, v := range m.list("contact") {
		a, err := ParseNameAddr(v)
		if err != nil || callable(a.URI) != nil {
			continue
		}
		q := 1.0
		if v, ok := a.Params["q"]; ok {
			if f, err := strconv.ParseFloat(v, 64); err == nil && f >= 0 && f <= 1 {
				q = f
			}
		}
		cs = append(cs, contact{a.URI, q})
	}
	slices.SortStableFunc(cs, func(a, b contact) int { return cmp.Compare(b.q, a.q) })
	for _, c := range cs {
		uris = append(uris, c.uri)
	}
	return uris
}

// redirect asks the application where a 3xx may lead, and goes there.
func (d *Dialog) redirect(c *calling, uris []string) {
	defer d.advance()
	defer d.e.recovered("Outgoing.Redirect", d)
	var allowed []string
	for _, uri := range uris {
		d.mu.Lock()
		fresh := len(c.seen) <= maxContacts && !slices.ContainsFunc(c.seen, func(s string) bool { return strings.EqualFold(s, uri) })
		if fresh {
			c.seen = append(c.seen, uri)
		}
		d.mu.Unlock()
		if fresh && c.redirect(uri) {
			allowed = append(allowed, uri)
		}
	}
	d.mu.Lock()
	if c.contacts = append(allowed, c.contacts...); len(c.contacts) > 0 {
		c.last = nil
	}
	d.mu.Unlock()
}
