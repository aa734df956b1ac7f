package sip

import (
	"bytes"
	"fmt"
	"strings"
)

// request handles a request within the dialog (RFC 3261 12.2.2).
func (d *Dialog) request(m *message) {
	d.mu.Lock()
	defer d.drain()
	defer d.mu.Unlock()
	switch {
	case d.out != nil:
		d.earlyRequest(m)
		return
	case m.fromTag != d.remoteTag:
		d.e.refuse(m, 481, "") // another fork has become the dialog in this moment
		return
	case d.state == StateEnded && d.inv != nil && m.method == "PRACK":
		d.prackRequest(m) // also after the refusal (RFC 3262 3)
		return
	case (d.state == StateEnded || d.state == StateTerminating && m.method != "BYE") && !d.outlives(m):
		d.e.refuse(m, 481, "")
		return
	case d.again(m):
		d.e.stats.repeated.Add(1)
		return
	case m.cseq <= d.remoteSeq && !d.fresh:
		d.e.refuse(m, 500, "CSeq Out Of Order")
		return
	}
	d.remoteSeq, d.fresh = m.cseq, false
	switch m.method {
	case "BYE":
		d.byeRequest(m)
	case "INVITE":
		d.reinvite(m)
	case "UPDATE":
		d.updateRequest(m)
	case "INFO":
		d.info(m)
	case "OPTIONS":
		d.done(m, d.e.abilities()...)
	case "PRACK":
		d.prackRequest(m)
	case "REFER":
		d.referRequest(m)
	case "SUBSCRIBE":
		d.subscribeRequest(m)
	case "NOTIFY":
		d.notifyRequest(m)
	}
}

// outlives tells whether m is of a subscription, which the end of the call does not end, or a REFER that came again. d.mu is held.
func (d *Dialog) outlives(m *message) bool {
	return len(d.referrals) > 0 && (m.method == "SUBSCRIBE" || m.method == "REFER" && d.referralOf(m.cseq) != nil)
}

// earlyRequest handles a request from one of those that our INVITE rings at, or
// from the one that has answered while the ACK is on its way. d.mu is held.
func (d *Dialog) earlyRequest(m *message) {
	fork := d.earlyOf(m.fromTag)
	if fork == nil {
		fork = &early{tag: m.fromTag} // it answered without ringing
		d.out.early = append(d.out.early, fork)
	}
	if d.again(m) {
		d.e.stats.repeated.Add(1)
		return
	}
	if fork.heard && m.cseq <= fork.seq {
		d.e.refuse(m, 500, "CSeq Out Of Order")
		return
	}
	fork.seq, fork.heard = m.cseq, true
	switch m.method {
	case "BYE":
		// It may not (RFC 3261 15), so its 2xx is late. Should none come, this
		// is one phone of several that has hung up: the INVITE goes on.
		d.done(m)
		ev := byeEvent(m)
		fork.gone = &ev
	case "INVITE":
		d.e.refuse(m, 491, "") // ours is not through (RFC 3261 14.2)
	case "UPDATE":
		d.earlyUpdate(m, fork)
	case "PRACK":
		d.e.refuse(m, 481, "") // we are not the one who sends reliable responses
	case "INFO":
		d.info(m)
	case "OPTIONS":
		d.done(m, d.e.abilities()...)
	case "REFER":
		d.e.refuse(m, 403, "Not Answered Yet")
	case "SUBSCRIBE", "NOTIFY":
		d.e.refuse(m, 481, "")
	}
}

// again answers a retransmission of what the dialog itself still knows.
func (d *Dialog) again(m *message) bool {
	if inv := d.inv; inv != nil && m.method == "INVITE" && inv.cseq == m.cseq && inv.key == m.via.key() {
		d.repeat(inv)
		return true
	}
	if m.method == "REFER" {
		r := d.referralOf(m.cseq)
		if r == nil || r.key != m.via.key() {
			return false
		}
		if len(r.wire) > 0 {
			d.e.stats.retransmitted.Add(1)
			_ = d.e.send(r.rep.to, r.wire)
		}
		return true
	}
	if up := d.update; up != nil && m.method == up.method && up.cseq == m.cseq && up.key == m.via.key() {
		if up.wire != nil {
			d.e.stats.retransmitted.Add(1)
			_ = d.e.send(up.rep.to, up.wire)
		}
		return true
	}
	return false
}

// done answers m with 200 and remembers that.
func (d *Dialog) done(m *message, hs ...Header) {
	d.e.strays.add(d.e.strays.key(m))
	d.e.reply(m, 200, "", hs...)
}

// byeRequest ends the dialog on the peer's wish (RFC 3261 15.1.2).
func (d *Dialog) byeRequest(m *message) {
	d.done(m)
	if d.state == StateTerminating {
		return // both at once: the answer to ours is still to come
	}
	d.push(byeEvent(m))
	d.end()
}

func byeEvent(m *message) Event {
	ev := Event{Kind: EventBye, Method: "BYE", Headers: m.all()}
	ev.Cause, ev.Reason = parseReason(ev.Headers)
	return ev
}

// end answers what is still open with 487 and finishes the dialog. d.mu is held.
func (d *Dialog) end() {
	d.settle()
	switch inv := d.inv; {
	case inv == nil || inv.status != 0:
		d.finish()
	case inv.offer == 0:
		d.refuse(inv, 487, "") // finishes when that is acknowledged
	default:
		d.dropOffer(inv, 487)
		inv.tx.OnTerminate(func(string, error) { d.e.forget(d) })
		d.forgetReinvite()
		d.state = StateEnded
		d.keepUsage()
	}
}

// reinvite takes a re-INVITE (RFC 3261 14.2).
func (d *Dialog) reinvite(m *message) {
	switch {
	case d.inv != nil || d.update.open():
		d.e.refuse(m, 500, "", retrySoon()) // the one before is not through
		return
	case d.offering.open():
		d.e.refuse(m, 491, "") // ours is not (RFC 3261 14.2)
		return
	}
	if status, phrase, hs := d.e.checkSession(m); status != 0 {
		d.e.refuse(m, status, phrase, hs...)
		return
	}
	status, h := m.checkBody()
	var target string
	if status == 0 {
		status, target = d.newTarget(m)
	}
	if status != 0 {
		if h.Name == "" {
			d.e.refuse(m, status, "Malformed Contact")
			return
		}
		d.e.refuse(m, status, "", h)
		return
	}
	rep := m.reply("")
	inv := d.e.newServerInvite(m, rep)
	d.offers++
	inv.offer, inv.target = d.offers, target
	d.inv = inv
	d.heard(m.from)
	inv.sendTrying()
	ev := Event{Kind: EventOffer, Method: "INVITE", Offer: inv.offer, Headers: m.all()}
	ev.ContentType, ev.Body = m.sdp()
	inv.sdp, inv.offered = ev.Body, len(ev.Body) > 0
	d.allows(m)
	d.push(ev)
}

// newTarget reads the Contact of a target refresh request; "" leaves the target as it is.
func (d *Dialog) newTarget(m *message) (status int, target string) {
	if m.contact == "" {
		return 0, ""
	}
	v, _ := cutOutside(m.contact, ',')
	a, err := ParseNameAddr(v)
	if err != nil || !strings.HasPrefix(strings.ToLower(a.URI), "sip") {
		return 400, ""
	}
	return 0, a.URI
}

// refresh is the target refresh of RFC 3261 12.2.2, done when the request is accepted.
func (d *Dialog) refresh(from flow, target string) {
	d.heard(from)
	if target != "" {
		d.target = target
	}
}

// Answer answers the offer of that number (see EventOffer): 200 with body, the
// SDP answer, or our offer when the peer's re-INVITE had none; or a status of
// 300 and above, such as 488, which leaves the session as it was. It returns
// ErrState when that offer was answered before or has been cancelled, ErrEnded
// after the end.
func (d *Dialog) Answer(offer int, status int, body []byte) error {
	if status < 200 || status > 699 {
		return fmt.Errorf("sip: answer: status %d is not final", status)
	}
	d.mu.Lock()
	defer d.drain()
	defer d.mu.Unlock()
	if d.state == StateEnded || d.state == StateTerminating {
		return fmt.Errorf("sip: answer: %w", ErrEnded)
	}
	if inv := d.inv; inv != nil && inv.offer == offer && offer > 0 && inv.status == 0 {
		if status >= 300 {
			d.dropOffer(inv, status)
			return nil
		}
		d.refresh(d.flow, inv.target)
		d.remoteSDP = inv.sdp
		if err := d.sendOK(inv, body); err != nil {
			d.push(Event{Kind: EventFailed, Reason: err.Error()})
			d.finish()
			return err
		}
		return nil
	}
	if up := d.update; up.open() && up.offer == offer {
		return d.answerUpdate(up, status, body)
	}
	return fmt.Errorf("sip: answer: offer %d: %w", offer, ErrState)
}

// dropOffer refuses a re-INVITE; the session stays as it was. d.mu is held.
func (d *Dialog) dropOffer(inv *serverInvite, status int) {
	inv.status = status
	// The transaction ends by the ACK, or when it gives up waiting for it; the
	// next re-INVITE must not wait for that.
	inv.tx.OnTerminate(func(string, error) { d.e.start(func() { d.offerDone(inv) }) })
	_ = inv.tx.Respond(inv.rep.response(status, "", "", d.server()))
}

func (d *Dialog) offerDone(inv *serverInvite) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inv == inv {
		d.inv = nil
	}
}

// info takes an INFO without a package (RFC 6086 4.2.1): the two ways of
// sending digits that phones use.
func (d *Dialog) info(m *message) {
	switch t := mediaType(m.ctype); {
	case len(m.body) == 0:
	case t == "application/dtmf-relay" || t == "application/dtmf":
		ev := Event{Kind: EventInfo, Method: "INFO", ContentType: t, Body: bytes.Clone(m.body), Headers: m.all()}
		if d.out != nil {
			ev.Early = m.fromTag
		}
		d.push(ev)
	default:
		d.e.refuse(m, 415, "", Header{"Accept", "application/dtmf-relay, application/dtmf"})
		return
	}
	d.done(m)
}
