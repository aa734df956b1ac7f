package sip

import (
	"bytes"
	"fmt"
	"time"
)

// Provisional sends a 1xx other than 100: 180 without a body, 183 with SDP for
// early media. It may be sent again and changed; it is repeated once a minute.
//
// Where Config.Reliable and the caller agree it is sent reliably (RFC 3262): then it
// waits until those before it are acknowledged, a body is sent once only, and a call whose
// caller does not acknowledge it within 32 seconds ends with 504 and EventFailed. To an INVITE without offer the first
// reliable one has to bring ours (EventPrack brings the answer); one without a body is not sent there.
//
// Headers that the dialog itself writes, and values with line breaks, are refused. It returns ErrState after a final response and ErrEnded after the end.
func (d *Dialog) Provisional(status int, body []byte, h ...Header) error {
	if status <= 100 || status > 199 {
		return fmt.Errorf("sip: provisional: status %d is not 101 to 199", status)
	}
	for _, h := range h {
		if err := h.check(); err != nil {
			return err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	inv, err := d.unanswered("provisional")
	if err != nil {
		return err
	}
	if d.reliably(inv, body) {
		d.state = StateEarly
		return d.sendReliable(inv, status, body, h)
	}
	inv.prov = inv.rep.response(status, "", string(body), append(h[:len(h):len(h)], Header{"Contact", d.contact}, d.server())...)
	d.state = StateEarly
	if err := inv.tx.Respond(inv.prov); err != nil {
		return fmt.Errorf("sip: provisional %d: %w", status, err)
	}
	return nil
}

// Accept answers the INVITE with 200 and body, the SDP answer, or the offer
// when the INVITE had none (RFC 3264; the answer then comes with EventAck). The
// 200 is retransmitted until the ACK (RFC 3261 13.3.1.4): EventAck, or after
// 32 seconds EventAckTimeout and a BYE. While a reliable response with a session description
// is not acknowledged the 200 is held back; it has no body when that went out
// reliably. It returns ErrState after a final response and ErrEnded after the end.
func (d *Dialog) Accept(body []byte) error {
	d.mu.Lock()
	inv, err := d.unanswered("accept")
	if err == nil {
		d.state = StateAccepted
		d.setup.Stop()
		if inv.rel != nil && len(inv.rel.body) > 0 {
			inv.accepting, inv.queue = true, nil // RFC 3262 3
		} else if err = d.sendOK(inv, body); err != nil {
			d.push(Event{Kind: EventFailed, Reason: err.Error()})
			d.finish()
		}
	}
	d.mu.Unlock()
	d.drain()
	return err
}

// Reject answers the INVITE with a final status from 300 to 699. An empty
// reason stands for the phrase of the RFC. Headers that the dialog itself
// writes, and values with line breaks, are refused. No event follows. It returns
// ErrState after Accept and ErrEnded after the end.
func (d *Dialog) Reject(status int, reason string, h ...Header) error {
	if status < 300 || status > 699 {
		return fmt.Errorf("sip: reject: status %d is not 300 to 699", status)
	}
	if err := checkValue(reason); err != nil {
		return fmt.Errorf("sip: reject: reason: %w", err)
	}
	for _, h := range h {
		if h.Name == "Contact" && status < 400 && checkValue(h.Value) == nil {
			continue // where to go instead
		}
		if err := h.check(); err != nil {
			return err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	inv, err := d.unanswered("reject")
	if err != nil {
		return err
	}
	d.refuse(inv, status, reason, h...)
	return nil
}

// unanswered returns the first INVITE while it can be answered. d.mu is held.
func (d *Dialog) unanswered(op string) (*serverInvite, error) {
	switch d.state {
	case StateProceeding, StateEarly:
		if d.inv != nil { // nil: the INVITE is ours
			return d.inv, nil
		}
	case StateEnded, StateTerminating:
		return nil, fmt.Errorf("sip: %s: %w", op, ErrEnded)
	}
	return nil, fmt.Errorf("sip: %s: %w", op, ErrState)
}

func (d *Dialog) server() Header { return Header{"Server", d.e.cfg.UserAgent} }

// refuse sends a final response of 300 or more to the first INVITE. The dialog
// stays in the tables until that was acknowledged or given up. d.mu is held.
func (d *Dialog) refuse(inv *serverInvite, status int, reason string, h ...Header) {
	d.state = StateEnded
	d.settle()
	if d.setup != nil {
		d.setup.Stop()
	}
	inv.stopReliable()
	inv.status, inv.prov = status, nil
	inv.tx.OnTerminate(func(string, error) { d.e.forget(d) })
	h = append(h[:len(h):len(h)], d.server())
	// An error terminates the transaction, and so the dialog.
	_ = inv.tx.Respond(inv.rep.response(status, reason, "", h...))
}

// sendOK answers inv with 200 for the first time. d.mu is held. Its error
// means that the peer cannot be reached any more.
func (d *Dialog) sendOK(inv *serverInvite, body []byte) error {
	for _, p := range inv.queue {
		if len(p.body) > 0 { // it goes with the 200 instead
			inv.described, inv.offeredOurs = false, false
		}
	}
	inv.stopReliable()
	if inv.described {
		body = nil
	} else {
		d.sdp = bytes.Clone(body)
	}
	hs := []Header{{"Contact", d.contact}, {"Allow", d.e.inDialogAllowed()}, {"Supported", d.e.supported()}}
	if inv.offer > 0 {
		hs = append(hs, d.refreshedBy("INVITE", inv.wish)...)
	} else {
		hs = append(hs, d.answerSession(inv.wish)...)
	}
	res := inv.rep.response(200, "", string(body), append(hs, d.server())...)
	// From here on the retransmissions are ours (RFC 3261 13.3.1.4); that of
	// the INVITE is answered by inviteAgain.
	inv.tx.Terminate()
	inv.status, inv.prov = 200, nil
	inv.wait, inv.sent = t1, time.Now()
	_ = encode(res, func(b []byte) error { inv.wire = bytes.Clone(b); return nil })
	if err := d.e.send(inv.rep.to, inv.wire); err != nil && inv.rep.to.reliable() {
		return err
	}
	inv.timer = time.AfterFunc(inv.wait, func() { d.resendOK(inv) })
	return nil
}

// resendOK is the timer of an unacknowledged 2xx: after 0.5, 1, 2, 4, 4, ...
// seconds, on TCP as well, for 32 seconds.
func (d *Dialog) resendOK(inv *serverInvite) {
	d.mu.Lock()
	defer d.drain()
	defer d.mu.Unlock()
	if d.inv != inv || d.e.closing() {
		return
	}
	left := ackTime - time.Since(inv.sent)
	if left > 0 {
		d.e.stats.retransmitted.Add(1)
		_ = d.e.send(inv.rep.to, inv.wire)
		inv.wait = min(2*inv.wait, t2)
		inv.timer.Reset(min(inv.wait, left))
		return
	}
	d.inv = nil
	d.push(Event{Kind: EventAckTimeout, Method: "INVITE", Offer: inv.offer})
	if !d.byeWanted {
		d.bye = []Header{{"Reason", `SIP;cause=408;text="ACK missing"`}}
	}
	d.sendBye(d.bye)
}

// inviteAgain answers a retransmission of the first INVITE with what was sent last.
func (d *Dialog) inviteAgain() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inv != nil && d.inv.offer == 0 {
		d.repeat(d.inv)
	}
}

// repeat sends the last response to inv again. d.mu is held.
func (d *Dialog) repeat(inv *serverInvite) {
	if inv.wire != nil {
		d.e.stats.retransmitted.Add(1)
		_ = d.e.send(inv.rep.to, inv.wire)
		return
	}
	_ = inv.tx.Receive(inv.tx.Origin())
}

// stillRinging is the timer of an unanswered call.
func (d *Dialog) stillRinging() {
	d.mu.Lock()
	defer d.drain()
	defer d.mu.Unlock()
	inv, err := d.unanswered("")
	if err != nil || d.e.closing() {
		return
	}
	left := d.patience - time.Since(d.begun)
	if left <= 0 {
		status, why := 480, "not answered in time"
		if d.expires {
			status, why = 487, "the INVITE has expired"
		}
		d.refuse(inv, status, "")
		d.push(Event{Kind: EventFailed, Status: status, Reason: why})
		return
	}
	next := repeatTime
	switch age := time.Since(inv.provAt); {
	case inv.conn.held.Load():
		if inv.prov == nil {
			inv.sendTrying()
		}
		inv.conn.held.Store(false)
		next = repeatTime - tryingTime
	case inv.prov == nil:
	case inv.provAt.IsZero():
		_ = inv.tx.Respond(inv.prov)
	case age < repeatReliable:
		next = repeatReliable - age
	default:
		if inv.rel == nil {
			_ = d.nextReliable(inv, &provisional{status: inv.prov.StatusCode})
		}
		next = repeatReliable
	}
	d.setup.Reset(min(next, left))
}

// ack ends the INVITE transaction that m acknowledges.
func (d *Dialog) ack(m *message) {
	d.mu.Lock()
	defer d.drain()
	defer d.mu.Unlock()
	inv := d.inv
	if inv == nil || inv.cseq != m.cseq || inv.status == 0 {
		d.e.stats.stray.Add(1) // repeated, like as not
		return
	}
	d.inv = nil
	if inv.timer != nil {
		inv.timer.Stop()
	}
	if inv.status >= 300 {
		inv.tx.Terminate()
		return
	}
	ev := Event{Kind: EventAck, Method: "ACK", Offer: inv.offer, Headers: m.all()}
	ev.ContentType, ev.Body = m.sdp()
	if len(ev.Body) > 0 {
		d.remoteSDP = ev.Body
	}
	if inv.offer > 0 {
		ev.Kind = EventOfferAck
	} else {
		d.state = StateConfirmed
		d.heard(m.from)
	}
	d.push(ev)
	if d.byeWanted {
		d.sendBye(d.bye)
	}
}

// cancel answers a CANCEL and gives the INVITE up that it is meant for, if
// that has no final response yet (RFC 3261 9.2); false: there is none.
func (d *Dialog) cancel(m *message) bool {
	d.mu.Lock()
	defer d.drain()
	defer d.mu.Unlock()
	inv := d.inv
	if inv == nil || inv.cseq != m.cseq || inv.key != m.via.key() {
		if m.toTag != "" || d.cseq0 != m.cseq || d.inviteVia != m.via.key() {
			return false
		}
		inv = nil // too late, but there was such a transaction
	}
	rep := m.reply(d.localTag)
	_ = encode(rep.response(200, "", "", d.server()), func(b []byte) error { return d.e.send(rep.to, b) })
	if inv == nil || inv.status != 0 {
		return true
	}
	if inv.offer > 0 {
		d.dropOffer(inv, 487)
		return true
	}
	ev := Event{Kind: EventCancel, Method: "CANCEL", Status: 487, Headers: m.all()}
	ev.Cause, ev.Reason = parseReason(ev.Headers)
	d.refuse(inv, 487, "")
	d.push(ev)
	return true
}
