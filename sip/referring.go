package sip

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// referWait is how long a REFER of ours that was accepted may go on without a final result.
const referWait = 5 * time.Minute

// referring is a REFER of ours, guarded by Dialog.mu.
type referring struct {
	id       int
	seqs     []uint32 // CSeqs that it was sent with: more than one where a password was asked for
	accepted bool
	timer    *time.Timer
}

// Refer asks the peer to call somebody else (RFC 3515 2.3), with more headers h, as Referred-By. It does not wait: EventReferral
// with the id that it returns tells what becomes of it, the last one with Final. It returns ErrState before the call is answered and
// ErrEnded after its end, which also ends what is told.
func (d *Dialog) Refer(to ReferTo, h ...Header) (id int, err error) {
	value := to.String()
	if _, err := ParseReferTo(value); err != nil {
		return 0, err
	}
	for _, h := range h {
		if err := h.check(); err != nil {
			return 0, err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.state == StateEnded || d.state == StateTerminating || d.byeWanted:
		return 0, fmt.Errorf("sip: refer: %w", ErrEnded)
	case d.state != StateConfirmed:
		return 0, fmt.Errorf("%w: %w", errNotReferable, ErrState)
	case len(d.referrings) >= maxReferrals:
		return 0, fmt.Errorf("sip: refer: %d are under way: %w", maxReferrals, ErrState)
	}
	d.refers++
	r := &referring{id: d.refers}
	d.referrings = append(d.referrings, r)
	hs := append([]Header{{"Refer-To", value}}, h...)
	if !d.e.start(func() { d.refer(r, hs) }) {
		return 0, errClosed
	}
	return r.id, nil
}

// refer sends the REFER and takes its answer. A NOTIFY may come first (RFC 6665 4.1.2.4).
func (d *Dialog) refer(r *referring, hs []Header) {
	res := d.exchangeAs("REFER", hs, nil, func(seq uint32) { r.seqs = append(r.seqs, seq) })
	d.mu.Lock()
	defer d.drain()
	defer d.mu.Unlock()
	if !slices.Contains(d.referrings, r) || d.e.closing() {
		return // it is over already
	}
	silent := strings.EqualFold(trim(res.value("refer-sub")), "false")
	final := res.status >= 300 || silent
	d.push(Event{Kind: EventReferral, Method: "REFER", Referral: r.id, Status: res.status, Reason: res.phrase, Final: final})
	if final {
		d.referred(r)
		return
	}
	r.accepted = true
	r.timer = time.AfterFunc(referWait, func() {
		d.mu.Lock()
		defer d.drain()
		defer d.mu.Unlock()
		if slices.Contains(d.referrings, r) {
			d.push(Event{Kind: EventReferral, Method: "NOTIFY", Referral: r.id, Status: 408, Reason: "no result", Final: true, Local: true})
			d.referred(r)
		}
	})
}

// referred forgets r. d.mu is held.
func (d *Dialog) referred(r *referring) {
	if r.timer != nil {
		r.timer.Stop()
	}
	d.referrings = slices.DeleteFunc(d.referrings, func(o *referring) bool { return o == r })
}

// notifyRequest takes a NOTIFY of what became of a REFER of ours. d.mu is held.
func (d *Dialog) notifyRequest(m *message) {
	params, ok := d.aboutRefer(m)
	if !ok {
		return
	}
	r := d.referringOf(params)
	if r == nil {
		d.e.refuse(m, 481, "")
		return
	}
	state, stateParams := cutOutside(m.value("subscription-state"), ';')
	if state == "" {
		d.e.refuse(m, 400, "Missing Subscription-State")
		return
	}
	over := strings.EqualFold(state, "terminated")
	ev := Event{Kind: EventReferral, Method: "NOTIFY", Referral: r.id, Final: over}
	switch {
	case len(m.body) > 0 && mediaType(m.ctype) != "message/sipfrag":
		d.e.refuse(m, 415, "", Header{"Accept", "message/sipfrag"})
		return
	case len(m.body) > 0:
		var err error
		if ev.Status, ev.Reason, err = ParseSipfrag(m.body); err != nil {
			d.e.refuse(m, 400, "Malformed Sipfrag")
			return
		}
	case !over:
		d.e.refuse(m, 400, "Missing Sipfrag") // RFC 3515 2.4.5
		return
	}
	if ev.Reason == "" {
		ev.Reason, _ = param(stateParams, "reason")
	}
	ev.Final = over || ev.Status >= 200
	d.done(m)
	d.push(ev)
	if ev.Final {
		d.referred(r)
	}
}

// referringOf is the REFER of ours that a NOTIFY is of. Without an id it is the first one (RFC 3515 2.4.6). d.mu is held.
func (d *Dialog) referringOf(params string) *referring {
	id, given := param(params, "id")
	n, err := strconv.ParseUint(id, 10, 32)
	for _, r := range d.referrings {
		if !given && len(r.seqs) > 0 || given && err == nil && slices.Contains(r.seqs, uint32(n)) {
			return r
		}
	}
	return nil
}

// dropReferrings ends what is told of REFERs of ours. d.mu is held.
func (d *Dialog) dropReferrings() {
	for _, r := range d.referrings {
		if r.timer != nil {
			r.timer.Stop()
		}
	}
	d.referrings = nil
}
