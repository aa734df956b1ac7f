package sip

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// referLife is how long the subscription that a REFER makes lasts, unless the peer refreshes it: a call rings no longer.
	referLife = 3 * time.Minute
	// referPatience is how long a REFER waits for Dialog.AnswerRefer (RFC 4320: no answer in time is worse than a refusal).
	referPatience = 5 * time.Second
	// maxReferrals bounds the REFERs of one dialog that are known at a time; one is known for 32 seconds more than it lasts.
	maxReferrals = 16

	eventPackageRefer = "refer"
)

// Refer is a REFER that came within a dialog (RFC 3515).
type Refer struct {
	ID         uint32  `json:"id"` // CSeq, by which its NOTIFYs are known
	To         ReferTo `json:"to"`
	ReferredBy string  `json:"referred_by,omitempty"` // value of Referred-By (RFC 3892), unproven
	Silent     bool    `json:"silent,omitempty"`      // no NOTIFY is wanted (RFC 4488)
}

// referral is a REFER of the peer and the subscription that it made, guarded by Dialog.mu:
//
//	REFER -> asked -AnswerRefer 202-> active -NotifyRefer final-> over -NOTIFY answered-> told
//	           |                        |  expired, Expires: 0 ---^                        ^
//	           +-- 300 and above, or nobody says anything for 5 s -------------------------+
type referral struct {
	id      uint32
	key     string // of the REFER's transaction
	rep     *reply
	wire    []byte // its response; nil: not yet
	silent  bool
	timer   *time.Timer
	expires time.Time
	status  int // of what became of it
	phrase  string
	changed bool // there is something to be told
	sending bool
	over    string // reason of its end; "": it goes on
	told    bool   // nothing more is sent
}

// referRequest takes a REFER. d.mu is held.
func (d *Dialog) referRequest(m *message) {
	to, status, phrase := m.referTo()
	switch {
	case status != 0:
		d.e.refuse(m, status, phrase)
		return
	case d.state != StateConfirmed && d.state != StateAccepted:
		d.e.refuse(m, 403, "Not Answered Yet")
		return
	case len(d.referrals) >= maxReferrals:
		d.e.refuse(m, 503, "", retryAfter(int(strayLife/time.Second)))
		return
	}
	d.heard(m.from)
	d.allows(m)
	r := &referral{id: m.cseq, key: m.via.key(), rep: m.reply(""), status: 100}
	r.silent = strings.EqualFold(trim(m.value("refer-sub")), "false")
	r.timer = time.AfterFunc(referPatience, func() { d.e.start(func() { _ = d.AnswerRefer(r.id, 503) }) })
	d.referrals = append(d.referrals, r)
	d.push(Event{Kind: EventRefer, Method: "REFER", Headers: m.all(),
		Refer: &Refer{ID: m.cseq, To: to, ReferredBy: m.value("referred-by"), Silent: r.silent}})
}

// referTo reads where a REFER leads; a status refuses it (RFC 3515 2.4.2).
func (m *message) referTo() (to ReferTo, status int, phrase string) {
	vs := m.values("refer-to")
	if len(vs) != 1 {
		return ReferTo{}, 400, "Not One Refer-To"
	}
	if _, more := cutOutside(vs[0], ','); more != "" {
		return ReferTo{}, 400, "Not One Refer-To"
	}
	if len(m.values("referred-by")) > 1 {
		return ReferTo{}, 400, "More Than One Referred-By"
	}
	to, err := ParseReferTo(vs[0])
	switch {
	case err != nil:
		return ReferTo{}, 400, "Malformed Refer-To"
	case to.Scheme != "sip" && to.Scheme != "sips" && to.Scheme != "tel":
		return ReferTo{}, 416, ""
	case to.Method != "":
		return ReferTo{}, 403, "Only INVITE May Be Asked For"
	}
	return to, 0, ""
}

// AnswerRefer answers the REFER of that id (see EventRefer): 202 takes it, and what becomes of it is to be told by
// NotifyRefer; 300 and above refuses it. It returns ErrState when that one was answered before, or there is none. A
// REFER that nobody answers for 5 seconds gets 503.
func (d *Dialog) AnswerRefer(id uint32, status int) error {
	if status != 202 && (status < 300 || status > 699) {
		return fmt.Errorf("sip: answer REFER: status %d is neither 202 nor a refusal", status)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.referralOf(id)
	if r == nil || r.wire != nil {
		return fmt.Errorf("sip: answer REFER %d: %w", id, ErrState)
	}
	r.timer.Stop()
	err := d.respondRefer(r, status)
	if status != 202 || r.silent {
		d.referralTold(r)
		return err
	}
	d.armReferral(r, referLife)
	r.changed = true // at once (RFC 3515 2.4.4)
	d.tellReferral(r)
	return err
}

// respondRefer sends the response to the REFER, and keeps it. d.mu is held.
func (d *Dialog) respondRefer(r *referral, status int) error {
	hs := []Header{d.server()}
	if status == 202 {
		hs = append(hs, Header{"Contact", d.contact})
		if r.silent {
			hs = append(hs, Header{"Refer-Sub", "false"})
		}
	}
	_ = encode(r.rep.response(status, "", "", hs...), func(b []byte) error { r.wire = bytes.Clone(b); return nil })
	to := r.rep.to
	r.rep = &reply{to: to}
	return d.e.send(to, r.wire)
}

// NotifyRefer tells the peer what became of the REFER that was accepted: the status of a response to the INVITE that
// it has caused, and its phrase ("": the usual one). One of 200 and above is the last. It returns ErrState when the
// REFER was not accepted, or the peer does not want to know any more. It does not wait.
func (d *Dialog) NotifyRefer(id uint32, status int, phrase string) error {
	if status < 100 || status > 699 {
		return fmt.Errorf("sip: notify of REFER: status %d", status)
	}
	if err := checkValue(phrase); err != nil {
		return fmt.Errorf("sip: notify of REFER: phrase: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.referralOf(id)
	if r == nil || r.wire == nil || r.told || r.over != "" {
		return fmt.Errorf("sip: notify of REFER %d: %w", id, ErrState)
	}
	if r.status == status && r.phrase == phrase && status < 200 {
		return nil
	}
	r.status, r.phrase, r.changed = status, phrase, true
	if status >= 200 {
		r.over = "noresource" // RFC 3515 2.4.7
	}
	d.tellReferral(r)
	return nil
}

func (d *Dialog) referralOf(id uint32) *referral {
	if i := slices.IndexFunc(d.referrals, func(r *referral) bool { return r.id == id }); i >= 0 {
		return d.referrals[i]
	}
	return nil
}

// armReferral has the subscription end after life.
func (d *Dialog) armReferral(r *referral, life time.Duration) {
	r.timer.Stop()
	r.expires = time.Now().Add(life)
	r.timer = time.AfterFunc(life, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if r.over == "" && !r.expires.After(time.Now()) {
			d.endReferral(r, "timeout")
		}
	})
}

// endReferral ends a subscription that has no result. d.mu is held.
func (d *Dialog) endReferral(r *referral, reason string) {
	if r.over == "" && !r.told {
		r.over, r.changed = reason, true
		d.tellReferral(r)
	}
}

// tellReferral sends a NOTIFY if there is something to be told, one at a time. d.mu is held.
func (d *Dialog) tellReferral(r *referral) {
	if r.changed && !r.sending && !r.told {
		r.sending = d.e.start(func() { d.notifyReferral(r) })
	}
}

// notifyReferral sends NOTIFYs until all is told. Those of a subscription follow the rules of a Notifier's: see endsUsage.
func (d *Dialog) notifyReferral(r *referral) {
	for {
		d.mu.Lock()
		if !r.changed || r.told {
			r.sending = false
			d.mu.Unlock()
			return
		}
		r.changed = false
		last := r.over != ""
		state := "terminated;reason=" + r.over
		if !last {
			state = "active;expires=" + strconv.Itoa(int(math.Ceil(max(0, time.Until(r.expires).Seconds()))))
		}
		hs := []Header{{"Event", eventPackageRefer + ";id=" + strconv.FormatUint(uint64(r.id), 10)},
			{"Subscription-State", state}, {"Content-Type", "message/sipfrag;version=2.0"}}
		body := sipfrag(r.status, r.phrase)
		d.mu.Unlock()

		res := d.exchange("NOTIFY", hs, body)
		if d.e.closing() {
			return
		}
		again := !last && res.status >= 300 && !endsUsage(res.status)
		d.mu.Lock()
		switch {
		case last || endsUsage(res.status):
			d.referralTold(r)
		case again:
			r.changed = true
		}
		d.mu.Unlock()
		if again && !d.e.pause(max(notifyAgain, time.Duration(res.retryAfter())*time.Second)) {
			return
		}
	}
}

// referralTold ends what is sent of r; it is known for its REFER's retransmissions. d.mu is held.
func (d *Dialog) referralTold(r *referral) {
	r.told = true
	r.timer.Stop()
	r.timer = time.AfterFunc(strayLife, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.referrals = slices.DeleteFunc(d.referrals, func(o *referral) bool { return o == r })
		d.releaseUsage()
	})
}

// aboutRefer reads the Event header of a SUBSCRIBE or NOTIFY within the dialog, and refuses one of another package.
func (d *Dialog) aboutRefer(m *message) (params string, ok bool) {
	event, params := cutOutside(m.value("event"), ';')
	if !strings.EqualFold(trim(event), eventPackageRefer) {
		d.e.refuse(m, 489, "", Header{"Allow-Events", eventPackageRefer})
		return "", false
	}
	return params, true
}

// subscribeRequest refreshes the subscription of a REFER, or ends it (RFC 6665 4.1.2.2, 4.1.2.3). d.mu is held.
func (d *Dialog) subscribeRequest(m *message) {
	params, ok := d.aboutRefer(m)
	if !ok {
		return
	}
	r := d.subscribed(params)
	if r == nil {
		d.e.refuse(m, 481, "")
		return
	}
	life := referLife
	if v := m.value("expires"); v != "" {
		seconds, ok := deltaSeconds(v)
		if !ok {
			d.e.refuse(m, 400, "Malformed Expires")
			return
		}
		if seconds < uint64(referLife/time.Second) {
			life = time.Duration(seconds) * time.Second
		}
	}
	d.done(m, Header{"Expires", strconv.Itoa(int(life / time.Second))}, Header{"Contact", d.contact})
	if life == 0 {
		d.endReferral(r, "timeout")
		return
	}
	d.armReferral(r, life)
	r.changed = true
	d.tellReferral(r)
}

// subscribed is the subscription of the Event header's params. Without an id it is the first one. d.mu is held.
func (d *Dialog) subscribed(params string) *referral {
	id, given := param(params, "id")
	n, err := strconv.ParseUint(id, 10, 32)
	for _, r := range d.referrals {
		if r.wire == nil || r.told || r.over != "" || r.silent {
			continue
		}
		if !given || err == nil && r.id == uint32(n) {
			return r
		}
	}
	return nil
}

// keepUsage keeps a dialog that is over as a call known while subscriptions of it are left (RFC 5057 4.2). d.mu is held.
func (d *Dialog) keepUsage() {
	for _, r := range d.referrals {
		if r.wire == nil { // there is nobody left to be transferred
			_ = d.respondRefer(r, 481)
			d.referralTold(r)
		}
	}
	if len(d.referrals) == 0 {
		return
	}
	d.e.mu.Lock()
	defer d.e.mu.Unlock()
	if d.e.usages == nil {
		d.e.usages = make(map[string]*Dialog)
	}
	if !d.e.closed && len(d.e.usages) < d.e.cfg.MaxDialogs {
		d.e.usages[d.localTag] = d
	}
}

// releaseUsage forgets it when the last one is over. d.mu is held.
func (d *Dialog) releaseUsage() {
	if len(d.referrals) > 0 {
		return
	}
	d.e.mu.Lock()
	delete(d.e.usages, d.localTag)
	d.e.mu.Unlock()
}

// dropReferrals ends the timers: the endpoint closes. d.mu is held.
func (d *Dialog) dropReferrals() {
	for _, r := range d.referrals {
		r.timer.Stop()
	}
	d.referrals = nil
}

var errNotReferable = errors.New("sip: refer: only a call that is up can be referred")
