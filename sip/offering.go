package sip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// maxOffers is how often an offer of ours is sent before the peer's refusal stands.
const maxOffers = 10

// offering is an offer of ours within the dialog, from Dialog.Offer to its
// answer: a re-INVITE, or an UPDATE before the call is answered.
//
//	            491, 500 with Retry-After, 401, 407, 422: again
//	             +---------------------------------+
//	             v                                 |
//	Offer -> waiting -> sent -2xx-> answered       |
//	            \         |----------------------->+
//	             \        | 481, 408, none: the call is lost
//	      the end \       | other: refused, the session stays as it was
type offering struct {
	body    []byte
	early   *early // an UPDATE to that one of our INVITE's
	update  bool
	refresh bool // nobody asked for it: it keeps the session up
	tries   int
	busy    bool          // the UPDATE is on its way
	tx      *clientInvite // the re-INVITE that is on its way
	retry   *time.Timer
}

// reacked is what answers the final response to our last re-INVITE when it comes again.
type reacked struct {
	branch string
	flow   flow
	auth   []Header // credentials, which the ACK of a 2xx repeats (RFC 3261 22.1)
	wire   []byte
}

// open says whether the peer has our offer and has not answered it.
func (o *offering) open() bool { return o != nil && (o.busy || o.tx != nil) }

// Offer offers the peer another session: by a re-INVITE, or, while the call is
// not answered yet, by an UPDATE (RFC 3311 5.1). EventAnswer brings its answer,
// or its refusal, after which the session goes on as it was. Where both sides offer at once,
// it is tried again after the waits of RFC 3261 14.1. Where the peer does not know the dialog any more, or
// does not answer, EventLost comes instead. It returns ErrState while
// another offer, of either side, has no answer, or when the peer takes no UPDATE, and
// ErrEnded after the end.
func (d *Dialog) Offer(body []byte) error {
	if len(body) == 0 {
		return errors.New("sip: offer: no session description")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	o := &offering{body: bytes.Clone(body)}
	switch {
	case d.state == StateEnded || d.state == StateTerminating || d.byeWanted:
		return fmt.Errorf("sip: offer: %w", ErrEnded)
	case d.offering != nil || d.update.open() || d.ackOpen():
		return fmt.Errorf("sip: offer: another one is open: %w", ErrState)
	case d.state == StateConfirmed:
		d.offering = o
		d.e.start(func() { d.sendReinvite(o) })
		return nil
	}
	o.update = true
	if c := d.out; c != nil {
		o.early = c.agreed
		if c.stop != 0 || o.early == nil || !o.early.dialog.mayUpdate {
			return fmt.Errorf("sip: offer: the peer takes no UPDATE before its answer: %w", ErrState)
		}
	} else if inv := d.inv; inv == nil || inv.status != 0 || !inv.agreed() || inv.rel != nil && len(inv.rel.body) > 0 || !d.mayUpdate {
		return fmt.Errorf("sip: offer: the peer takes no UPDATE before our answer: %w", ErrState)
	}
	d.offering = o
	d.e.start(func() { d.sendUpdate(o) })
	return nil
}

// ackOpen says whether an INVITE of the peer is not through. d.mu is held.
func (d *Dialog) ackOpen() bool { return d.inv != nil && d.state == StateConfirmed }

// sendUpdate sends an offer by UPDATE, and waits for what comes of it.
func (d *Dialog) sendUpdate(o *offering) {
	d.mu.Lock()
	if d.offering != o {
		d.mu.Unlock()
		return
	}
	o.tries++
	o.busy = true
	via := d
	if o.early != nil && d.out != nil {
		via = o.early.dialog
	}
	d.mu.Unlock()
	res := via.exchange("UPDATE", []Header{{"Supported", d.e.supported()}}, o.body)
	d.mu.Lock()
	defer d.drain()
	defer d.mu.Unlock()
	o.busy = false
	if d.offering != o || d.state == StateEnded || d.state == StateTerminating {
		return
	}
	if target := res.target(); res.status < 300 && target != "" {
		if via == d {
			d.target = target
		} else {
			o.early.retarget(target)
		}
	}
	if o.early != nil && res.status < 300 {
		o.early.changed = true
	}
	d.offerAnswered(o, res)
}

// sendReinvite sends the re-INVITE, once the way is known.
func (d *Dialog) sendReinvite(o *offering) {
	d.mu.Lock()
	defer d.drain()
	defer d.mu.Unlock()
	_, _, next, err := routed(d.target, d.routes)
	like := d.flow
	var f flow
	if err == nil {
		d.mu.Unlock()
		ctx, cancel := context.WithTimeout(d.e.life, ackTime)
		f, err = d.e.reach(ctx, next, like)
		cancel()
		d.mu.Lock()
	}
	switch {
	case d.offering != o || d.state != StateConfirmed || d.e.closing():
		return
	case err == nil && (d.inv != nil || d.update.open()):
		d.offerAgain(o, glareWait(d.outgoing)) // the peer was faster
		return
	}
	var req *sip.Request
	if err == nil {
		hs := append(d.offeredSession(), Header{"Supported", d.e.inDialogSupported()})
		req, _, err = d.newRequest("INVITE", hs, o.body)
	}
	if err == nil {
		err = d.sendInDialog(o, req, f)
	}
	if err != nil {
		d.offerAnswered(o, &final{status: 503, phrase: err.Error()})
	}
}

// inDialogSupported leaves 100rel out: a re-INVITE has nothing to ring for.
func (e *Endpoint) inDialogSupported() string {
	if e.cfg.Session.Off {
		return ""
	}
	return "timer"
}

// sendInDialog begins the transaction of a re-INVITE (RFC 3261 17.1.1). d.mu is held.
func (d *Dialog) sendInDialog(o *offering, req *sip.Request, f flow) error {
	o.tries++
	tx := &clientInvite{branch: newBranch(), cseq: d.localSeq, flow: f, uri: req.Recipient.String()}
	tx.via = d.e.via(f, tx.branch)
	req.PrependHeader(sip.NewHeader("Via", tx.via))
	_ = encode(req, func(b []byte) error { tx.wire = bytes.Clone(b); return nil })
	d.forgetReinvite()
	d.e.mu.Lock()
	d.e.invited[tx.branch] = d
	d.e.mu.Unlock()
	d.reacked = reacked{branch: tx.branch, flow: f}
	for _, h := range req.Headers() {
		switch longName(h.Name()) {
		case "authorization", "proxy-authorization":
			d.reacked.auth = append(d.reacked.auth, Header{h.Name(), h.Value()})
		}
	}
	if err := d.e.send(f, tx.wire); err != nil {
		return err
	}
	o.tx = tx
	tx.end, tx.wait = time.Now().Add(ackTime), t1
	first := ackTime
	if !f.reliable() {
		first = t1
	}
	tx.timer = time.AfterFunc(first, func() { d.reinviteTimer(o, tx) })
	return nil
}

// reinviteTimer is Timers A and B.
func (d *Dialog) reinviteTimer(o *offering, tx *clientInvite) {
	d.mu.Lock()
	defer d.drain()
	defer d.mu.Unlock()
	if d.offering != o || o.tx != tx || d.e.closing() {
		return
	}
	left := time.Until(tx.end)
	switch {
	case left <= 0:
		o.tx = nil
		d.offerAnswered(o, &final{status: 408, phrase: statusText(408)})
	case tx.heard || tx.flow.reliable():
		tx.timer.Reset(left)
	default:
		d.e.stats.retransmitted.Add(1)
		_ = d.e.send(tx.flow, tx.wire)
		tx.wait *= 2
		tx.timer.Reset(min(tx.wait, left))
	}
}

// reinviteAnswered takes a response to a re-INVITE of ours; false: m is for none. d.mu is held.
func (d *Dialog) reinviteAnswered(m *message) bool {
	r := &d.reacked
	if r.branch == "" || r.branch != m.via.branch || m.method != "INVITE" || m.callID != d.callID || m.toTag != d.remoteTag && m.status < 300 {
		return false
	}
	o := d.offering
	if o == nil || o.tx == nil || o.tx.branch != r.branch {
		if m.status >= 200 && r.wire != nil {
			_ = d.e.send(r.flow, r.wire)
		}
		return true
	}
	tx := o.tx
	switch {
	case m.cseq != tx.cseq:
		return false
	case m.status < 200:
		if !tx.heard {
			tx.heard, tx.end = true, time.Now().Add(2*ackTime)
			tx.timer.Reset(2 * ackTime)
		}
		return true
	case m.status < 300:
		if _, target := d.newTarget(m); target != "" {
			d.target = target
		}
	}
	tx.timer.Stop()
	o.tx = nil
	d.ackReinvite(m, tx)
	d.offerAnswered(o, m.final())
	return true
}

// ackReinvite acknowledges the final response m. d.mu is held.
func (d *Dialog) ackReinvite(m *message, tx *clientInvite) {
	uri, routes, next, err := routed(d.target, d.routes)
	if err != nil {
		return
	}
	f, via := tx.flow, tx.via
	if m.status < 300 {
		via = ""
		if g, ok := d.e.reachNow(next, m.from); ok {
			f = g
		}
		via = d.e.via(f, newBranch())
	} else {
		uri = tx.uri
	}
	hs := []Header{{"Via", via}}
	if len(routes) > 0 {
		hs = append(hs, Header{"Route", strings.Join(routes, ", ")})
	}
	hs = append(hs, Header{"Max-Forwards", strconv.Itoa(maxForwards)},
		Header{"From", d.local}, Header{"To", d.remote}, Header{"Call-ID", d.callID},
		Header{"CSeq", cseqValue(m.cseq, "ACK")}, Header{"User-Agent", d.e.cfg.UserAgent})
	if m.status < 300 {
		hs = append(hs, d.reacked.auth...)
	}
	d.reacked.flow, d.reacked.wire = f, writeRequest("ACK", uri, hs, nil)
	_ = d.e.send(f, d.reacked.wire)
}

// forgetReinvite gives the branch of our last re-INVITE up. d.mu is held.
func (d *Dialog) forgetReinvite() {
	if d.reacked.branch == "" {
		return
	}
	d.e.mu.Lock()
	delete(d.e.invited, d.reacked.branch)
	d.e.mu.Unlock()
	d.reacked = reacked{}
}

// offerAnswered decides what comes of a final response to an offer of ours. d.mu is held.
func (d *Dialog) offerAnswered(o *offering, res *final) {
	w := res.session()
	method := "INVITE"
	if o.update {
		method = "UPDATE"
	}
	switch {
	case res.status < 300:
		d.offering = nil
		changed := !bytes.Equal(res.body, d.remoteSDP)
		d.sdp, d.remoteSDP = o.body, res.body
		if !o.update {
			d.refreshed(method, w)
		}
		if o.refresh && !changed {
			return
		}
		d.push(Event{Kind: EventAnswer, Method: method, Status: res.status, Reason: res.phrase, ContentType: res.ctype, Body: res.body, Local: o.refresh})
		return
	case o.tries >= maxOffers:
	case res.status == 491:
		d.offerAgain(o, glareWait(d.outgoing))
		return
	case res.status == 422 && d.tooShort(w), !o.update && (res.status == 401 || res.status == 407) && d.auth.challenged(res.headers):
		d.offerAgain(o, 0)
		return
	case res.status == 500 && res.retryAfter() >= 0:
		d.offerAgain(o, res.wait(d.outgoing, 0))
		return
	}
	if res.dead() && d.state == StateConfirmed {
		d.lost(res.status, res.phrase)
		return
	}
	d.offering = nil
	if o.refresh {
		d.session.retry(res.wait(d.outgoing, retryRefresh))
		d.armSession()
		return
	}
	d.push(Event{Kind: EventAnswer, Method: method, Status: res.status, Reason: res.phrase})
}

// offerAgain sends an offer once more after wait, unless the dialog ends before. d.mu is held.
func (d *Dialog) offerAgain(o *offering, wait time.Duration) {
	send := func() { d.sendReinvite(o) }
	if o.update {
		send = func() { d.sendUpdate(o) }
	}
	o.retry = time.AfterFunc(wait, func() { d.e.start(send) })
}

// dropOffering gives an offer of ours up, because the dialog ends. d.mu is held.
func (d *Dialog) dropOffering() {
	o := d.offering
	if o == nil {
		return
	}
	d.offering = nil
	if o.retry != nil {
		o.retry.Stop()
	}
	if o.tx != nil {
		o.tx.timer.Stop()
	}
}

// glareWait is how long an offer waits that met one of the other side (RFC 3261
// 14.1): in units of 10 ms, longer for who made the Call-ID.
func glareWait(owner bool) time.Duration {
	const unit = 10 * time.Millisecond
	if owner {
		return 2100*time.Millisecond + time.Duration(rand.IntN(191))*unit
	}
	return time.Duration(rand.IntN(201)) * unit
}
