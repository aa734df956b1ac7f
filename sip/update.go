package sip

import "bytes"

// updateRequest takes an UPDATE (RFC 3311 5.2): with an offer it becomes an event,
// without one it refreshes the target and the session. d.mu is held.
func (d *Dialog) updateRequest(m *message) {
	target, ok := d.checkUpdate(m)
	if !ok {
		return
	}
	d.allows(m)
	if len(m.body) == 0 {
		d.refresh(m.from, target)
		d.updated(m)
		return
	}
	switch inv := d.inv; {
	case d.update.open():
		// An offer of the peer, of an earlier request, has no answer yet.
		d.e.refuse(m, 500, "", retrySoon())
	case d.offering.open():
		d.e.refuse(m, 491, "") // an offer of ours has none
	case inv == nil || inv.agreed() || inv.offered && inv.status == 200:
		d.takeOffer(m, target)
	case inv.offeredOurs || inv.status == 200:
		d.e.refuse(m, 491, "") // the one in our response
	default:
		d.e.refuse(m, 500, "", retrySoon()) // the one of the INVITE
	}
}

// earlyUpdate takes an UPDATE from one of those that our INVITE rings at. d.mu is held.
func (d *Dialog) earlyUpdate(m *message, fork *early) {
	target, ok := d.checkUpdate(m)
	switch {
	case !ok:
	case len(m.body) == 0:
		fork.retarget(target)
		d.done(m, Header{"Contact", d.contact}, Header{"Allow", d.e.inDialogAllowed()})
	case d.update.open():
		d.e.refuse(m, 500, "", retrySoon())
	case fork.answer == nil || d.offering.open():
		d.e.refuse(m, 491, "") // an offer of ours, that of the INVITE or a later one, has no answer yet
	default:
		d.takeOffer(m, target)
		d.update.fork = fork
	}
}

// checkUpdate refuses an UPDATE that is not in order, and finds its new target.
func (d *Dialog) checkUpdate(m *message) (target string, ok bool) {
	if status, h := m.checkBody(); status != 0 {
		d.e.refuse(m, status, "", h)
		return "", false
	}
	status, target := d.newTarget(m)
	if status != 0 {
		d.e.refuse(m, status, "Malformed Contact")
		return "", false
	}
	if status, phrase, hs := d.e.checkSession(m); status != 0 {
		d.e.refuse(m, status, phrase, hs...)
		return "", false
	}
	return target, true
}

// takeOffer hands the offer of an UPDATE or PRACK to the application. d.mu is held.
func (d *Dialog) takeOffer(m *message, target string) {
	d.offers++
	up := &serverUpdate{method: m.method, rep: m.reply(""), key: m.via.key(), cseq: m.cseq, offer: d.offers, target: target}
	up.wish, _ = m.sessionWish() // checked before
	ev := Event{Kind: EventOffer, Method: m.method, Offer: d.offers, Headers: m.all()}
	ev.ContentType, ev.Body = m.sdp()
	if d.out != nil {
		ev.Early = m.fromTag
	}
	up.sdp = ev.Body
	d.update = up
	d.push(ev)
}

// answerUpdate is Answer for an UPDATE or PRACK. d.mu is held.
func (d *Dialog) answerUpdate(up *serverUpdate, status int, body []byte) error {
	var hs []Header
	if up.fork != nil && d.out == nil && up.fork.tag != d.remoteTag {
		status = 481 // another one has taken the call
	}
	switch {
	case status >= 300:
		body = nil
	case up.method == "PRACK":
	case up.fork != nil && d.out != nil:
		up.fork.retarget(up.target)
		hs = []Header{{"Contact", d.contact}, {"Allow", d.e.inDialogAllowed()}}
	default:
		d.refresh(d.flow, up.target)
		hs = append(d.updateSessionHeaders(up.wish), Header{"Contact", d.contact}, Header{"Allow", d.e.inDialogAllowed()})
	}
	if status < 300 {
		d.sdp, d.remoteSDP = bytes.Clone(body), up.sdp
		if up.fork != nil {
			up.fork.changed = true
		}
	}
	res := up.rep.response(status, "", string(body), append(hs, d.server())...)
	_ = encode(res, func(b []byte) error { up.wire = bytes.Clone(b); return nil })
	up.rep = &reply{to: up.rep.to}
	return d.e.send(up.rep.to, up.wire)
}

// updated answers an UPDATE without an offer. The answer is kept: what it says of
// the session must not be missing when it is sent again. d.mu is held.
func (d *Dialog) updated(m *message) {
	w, _ := m.sessionWish() // checked before
	hs := append(d.updateSessionHeaders(w), Header{"Contact", d.contact}, Header{"Allow", d.e.inDialogAllowed()})
	if len(hs) == 2 || d.update.open() {
		d.done(m, hs...)
		return
	}
	up := &serverUpdate{method: "UPDATE", rep: m.reply(""), key: m.via.key(), cseq: m.cseq}
	res := up.rep.response(200, "", "", append(hs, d.server())...)
	_ = encode(res, func(b []byte) error { up.wire = bytes.Clone(b); return nil })
	up.rep = &reply{to: up.rep.to}
	d.update = up
	_ = d.e.send(up.rep.to, up.wire)
}

// updateSessionHeaders refreshes the session of an answered dialog (RFC 4028 9). d.mu is held.
func (d *Dialog) updateSessionHeaders(w sessionWish) []Header {
	if d.state != StateConfirmed && (d.state != StateAccepted || d.inv == nil || d.inv.accepting) {
		return nil
	}
	return d.refreshedBy("UPDATE", w)
}

// retarget moves the early dialog to where its peer wants to be reached. The parent's mu is held.
func (fork *early) retarget(target string) {
	if fork.dialog == nil || target == "" {
		return
	}
	fork.dialog.mu.Lock()
	fork.dialog.target = target
	fork.dialog.mu.Unlock()
}
