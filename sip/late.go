package sip

import (
	"context"
	"net/netip"
	"strconv"
)

// What comes for an INVITE of ours after its transaction has ended is answered
// from the response itself and a few words in the table of strays, so that a
// finished call keeps no more than that (RFC 6026 7.2, RFC 3261 13.2.2.4).

// inviteNote is what a response does not tell of the INVITE that we sent.
type inviteNote struct {
	to     netip.AddrPort
	uri    string
	remote string // To value, without tag
	route  string
	gaveUp bool // without a final response: it may still ring somewhere
	auth   *digestAuth
}

// maxLate bounds the goroutines that late 2xx can make us start: for an ACK that
// needs a look-up, and for a BYE.
const maxLate = 1000

func (e *Endpoint) invitedKey(callID, localTag, branch string, cseq uint32) uint64 {
	return e.strays.keyOf("invited", callID, localTag, branch, cseq)
}

// answerKey tells the 2xx of different forks apart.
func (e *Endpoint) answerKey(m *message) uint64 {
	return e.strays.keyOf("answered", m.callID, m.toTag, m.via.branch, m.cseq)
}

// rememberInvite leaves behind what its late responses need; status is the
// final one, 0: there was none. d.mu is held.
func (e *Endpoint) rememberInvite(d *Dialog, tx *clientInvite, status int) {
	key := e.invitedKey(d.callID, d.localTag, tx.branch, tx.cseq)
	gaveUp := status == 0
	if !gaveUp && (status < 300 || tx.flow.reliable()) {
		e.strays.add(key)
		return
	}
	e.strays.addNote(key, &inviteNote{tx.flow.remote, tx.uri, d.remote, d.out.route, gaveUp, d.auth})
}

// lateResponse takes a response to no INVITE that is on its way.
func (e *Endpoint) lateResponse(m *message) {
	key := e.invitedKey(m.callID, m.fromTag, m.via.branch, m.cseq)
	if m.method != "INVITE" || !e.strays.has(key) {
		e.stats.stray.Add(1)
		return
	}
	note := e.strays.note(key)
	if m.status >= 200 && m.status < 300 {
		e.late2xx(m, note)
		return
	}
	if note == nil {
		return
	}
	f := m.from
	if !f.reliable() {
		f.remote = note.to
	}
	via := trim(m.via.sentBy) + ";branch=" + m.via.branch + ";rport"
	switch {
	case m.status >= 300:
		e.sendLike(m, f, via, "ACK", note.uri, note.route, m.toValue)
	case note.gaveUp:
		// The address that was silent for so long rings after all.
		e.sendLike(m, f, via, "CANCEL", note.uri, note.route, note.remote)
	}
}

// sendLike sends the ACK of a refusal (RFC 3261 17.1.1.3), or the CANCEL, that
// belongs to the transaction of m.
func (e *Endpoint) sendLike(m *message, f flow, via, method, uri, route, to string) {
	hs := []Header{{"Via", via}}
	if route != "" {
		hs = append(hs, Header{"Route", route})
	}
	hs = append(hs, Header{"Max-Forwards", strconv.Itoa(maxForwards)},
		Header{"From", m.fromValue}, Header{"To", to}, Header{"Call-ID", m.callID},
		Header{"CSeq", cseqValue(m.cseq, method)})
	_ = e.send(f, writeRequest(method, uri, hs, nil))
}

// late2xx acknowledges a 2xx that comes again, or from a fork that was not the
// first to answer; the latter is hung up (RFC 3261 13.2.2.4).
func (e *Endpoint) late2xx(m *message, note *inviteNote) {
	fork := e.strays.addNew(e.answerKey(m))
	var auth *digestAuth
	var lines, why []Header
	var seq uint32
	if note != nil {
		auth = note.auth
	}
	e.mu.Lock()
	d := e.dialogs[m.fromTag]
	e.mu.Unlock()
	if d != nil && d.callID == m.callID {
		d.mu.Lock()
		auth, lines, seq = d.auth, d.ackAuth, d.forkSeq
		m.from.sticky = d.flow.sticky
		if d.out == nil {
			why = []Header{{"Reason", `SIP;cause=200;text="Call completed elsewhere"`}}
		}
		d.mu.Unlock()
	}
	m.body = nil // the reader's
	if e.ackNow(m, lines) {
		if fork {
			e.hangUp(m, auth, why, seq)
		}
		return
	}
	e.startLate(func() {
		e.ack2xx(m, lines)
		if fork {
			e.hangUp(m, auth, why, seq)
		}
	})
}

// startLate is start, unless too many are at it.
func (e *Endpoint) startLate(f func()) {
	if e.late.Add(1) <= maxLate && e.start(func() {
		defer e.late.Add(-1)
		f()
	}) {
		return
	}
	e.late.Add(-1)
}

// ack is the ACK of a 2xx to our INVITE, but for its Via. It is made of the 2xx
// alone, so that each copy of it gets the same; auth are the credentials that
// the INVITE had.
type ack struct {
	uri  string
	hs   []Header
	next uri
}

func (e *Endpoint) newAck(m *message, auth []Header) (a ack, err error) {
	target, routes := m.remote()
	a.uri, routes, a.next, err = routed(target, routes)
	if err != nil {
		return a, err
	}
	a.hs = make([]Header, 1, 12)
	for _, r := range routes {
		a.hs = append(a.hs, Header{"Route", r})
	}
	a.hs = append(a.hs, Header{"Max-Forwards", strconv.Itoa(maxForwards)},
		Header{"From", m.fromValue}, Header{"To", m.toValue}, Header{"Call-ID", m.callID},
		Header{"CSeq", cseqValue(m.cseq, "ACK")}, Header{"User-Agent", e.cfg.UserAgent})
	a.hs = append(a.hs, auth...)
	return a, nil
}

func (e *Endpoint) sendAck(m *message, a ack, f flow) {
	a.hs[0] = Header{"Via", e.via(f, "z9hG4bK"+strconv.FormatUint(e.answerKey(m)^e.secret, 36))}
	_ = e.send(f, writeRequest("ACK", a.uri, a.hs, nil))
}

// ackNow acknowledges m if it can do so without waiting.
func (e *Endpoint) ackNow(m *message, auth []Header) bool {
	a, err := e.newAck(m, auth)
	if err != nil {
		return false
	}
	f, ok := e.reachNow(a.next, m.from)
	if ok {
		e.sendAck(m, a, f)
	}
	return ok
}

// ack2xx acknowledges m. Where its route leads nowhere, the ACK goes to where
// the 2xx came from: better there than a call that nobody can end.
func (e *Endpoint) ack2xx(m *message, auth []Header) {
	a, err := e.newAck(m, auth)
	if err != nil {
		return // its route set is no route set: it gives up by itself
	}
	ctx, cancel := context.WithTimeout(e.life, resolveTimeout)
	defer cancel()
	f, err := e.reach(ctx, a.next, m.from)
	if err != nil {
		f = m.from
	}
	e.sendAck(m, a, f)
}

// hangUp ends the dialog that a 2xx has made and nobody wants. No request to it had a CSeq above
// that of the INVITE, or seq.
func (e *Endpoint) hangUp(m *message, auth *digestAuth, why []Header, seq uint32) {
	d := &Dialog{e: e, callID: m.callID, local: m.fromValue, remote: m.toValue, localSeq: max(m.cseq, seq), auth: auth, flow: m.from}
	d.target, d.routes = m.remote()
	e.startLate(func() { _ = d.exchange("BYE", why, nil) })
}
