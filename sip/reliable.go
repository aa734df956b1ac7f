package sip

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Reliable says which provisional responses are sent reliably (RFC 3262) to a
// caller that supports it. One that requires it gets all of them so.
type Reliable string

// The choices of Config.Reliable.
const (
	ReliableSDP      Reliable = ""         // those with a session description, which early media hangs on
	ReliableAll      Reliable = "all"      // all but 100
	ReliableRequired Reliable = "required" // none that is not asked for with Require
	ReliableNever    Reliable = "never"    // none: the extension is not supported, and a Require gets 420
)

const (
	// repeatReliable replaces repeatTime: such a response arrives (RFC 3262 3, RFC 3261 13.3.1.1).
	repeatReliable = 150 * time.Second
	// maxReliable bounds the responses that wait for the PRACK of the one before.
	maxReliable = 16
)

// provisional is a response that was, or is to be, sent reliably.
//
//	                 T1, 2*T1, 4*T1, ...: again
//	                        \_/
//	Provisional -> queued -> sent -PRACK-> acknowledged: the next one, or the 2xx
//	                          |
//	                          | 64*T1
//	                          v
//	                    504 to the INVITE
type provisional struct {
	status  int
	body    []byte
	headers []Header
	offer   bool // body is an offer of ours: the INVITE had none, and no response before
	rseq    uint32
	res     *sip.Response
	wait    time.Duration
	sent    time.Time
	timer   *time.Timer
}

// reliably says whether a response goes out reliably. d.mu is held.
func (d *Dialog) reliably(inv *serverInvite, body []byte) bool {
	switch {
	case inv.needs100rel:
		return true
	case !inv.knows100rel:
		return false
	}
	switch d.e.cfg.Reliable {
	case ReliableSDP:
		return len(body) > 0
	case ReliableAll:
		// Of a late offer the first reliable response has to bring ours (RFC 3261 13.2.1).
		return len(body) > 0 || inv.offered || inv.offeredOurs
	}
	return false
}

// Reliable says whether a provisional response with a session description reaches the
// caller reliably (RFC 3262): then an INVITE without offer can have early media, for
// Provisional brings the offer and EventPrack the answer.
func (d *Dialog) Reliable() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.inv != nil && d.inv.offer == 0 && d.reliably(d.inv, []byte("v=0"))
}

// sendReliable queues a provisional response, and sends it when it is its turn: one
// at a time waits for its PRACK. d.mu is held.
func (d *Dialog) sendReliable(inv *serverInvite, status int, body []byte, h []Header) error {
	if len(body) == 0 && !inv.offered && !inv.offeredOurs {
		return nil // it had to bring our offer (RFC 3261 13.2.1): the peer does without
	}
	p := &provisional{status: status, body: bytes.Clone(body), headers: h}
	if inv.described {
		p.body = nil // the peer has it: what it is told twice it must ignore (RFC 3261 13.2.1)
	} else if len(body) > 0 {
		inv.described = true
		d.sdp = p.body
		p.offer = !inv.offered
		inv.offeredOurs = p.offer
	}
	if inv.rel == nil {
		return d.nextReliable(inv, p)
	}
	if n := len(inv.queue); n > 0 && inv.queue[n-1].status == p.status && len(p.body) == 0 {
		return nil // the same once more
	}
	if len(inv.queue) >= maxReliable {
		return fmt.Errorf("sip: provisional: %d of them wait for a PRACK: %w", len(inv.queue), ErrState)
	}
	inv.queue = append(inv.queue, p)
	return nil
}

// nextReliable sends p. d.mu is held.
func (d *Dialog) nextReliable(inv *serverInvite, p *provisional) error {
	if inv.rseq == 0 {
		inv.rseq = 1 + rand.Uint32N(1<<31-1<<16) // 7.1, with room to count
	} else {
		inv.rseq++
	}
	p.rseq, p.wait, p.sent = inv.rseq, t1, time.Now()
	p.res = inv.rep.response(p.status, "", string(p.body), append(p.headers[:len(p.headers):len(p.headers)], Header{"Contact", d.contact},
		Header{"Allow", d.e.inDialogAllowed()}, Header{"Require", "100rel"}, Header{"RSeq", strconv.FormatUint(uint64(p.rseq), 10)}, d.server())...)
	inv.rel, inv.prov, inv.provAt = p, p.res, p.sent
	p.timer = time.AfterFunc(t1, func() { d.resendReliable(inv, p) })
	if err := inv.tx.Respond(p.res); err != nil {
		return fmt.Errorf("sip: provisional %d: %w", p.status, err)
	}
	return nil
}

// resendReliable is the timer of a response without PRACK: on TCP as well, since it crosses proxies.
func (d *Dialog) resendReliable(inv *serverInvite, p *provisional) {
	d.mu.Lock()
	defer d.drain()
	defer d.mu.Unlock()
	if d.inv != inv || inv.rel != p || inv.status != 0 || d.e.closing() {
		return
	}
	left := ackTime - time.Since(p.sent)
	if left > 0 {
		d.e.stats.retransmitted.Add(1)
		_ = inv.tx.Respond(p.res)
		p.wait *= 2
		p.timer.Reset(min(p.wait, left))
		return
	}
	d.refuse(inv, 504, "PRACK Missing")
	d.push(Event{Kind: EventFailed, Status: 504, Reason: "a reliable response was not acknowledged"})
}

// prackRequest takes a PRACK (RFC 3262 3). d.mu is held.
func (d *Dialog) prackRequest(m *message) {
	inv := d.inv
	if inv == nil || inv.rel == nil || !inv.rel.matches(m.value("rack"), inv.cseq) {
		d.e.refuse(m, 481, "")
		return
	}
	if status, h := m.checkBody(); status != 0 {
		d.e.refuse(m, status, "", h)
		return
	}
	p := inv.rel
	switch {
	case len(m.body) == 0 && p.offer:
		d.e.refuse(m, 400, "Missing Answer")
		return
	case len(m.body) == 0:
		d.done(m)
	case p.offer:
		d.done(m)
		inv.answered = true
		ev := Event{Kind: EventPrack, Method: "PRACK", Headers: m.all()}
		ev.ContentType, ev.Body = m.sdp()
		d.remoteSDP = ev.Body
		d.push(ev)
	case !inv.described || d.update.open() || d.offering.open():
		// The offer of the INVITE, or a later one, has no answer yet (RFC 3262 5).
		d.e.refuse(m, 500, "", retrySoon())
		return
	default:
		d.takeOffer(m, "")
	}
	d.acknowledged(inv)
}

// stopReliable sends the response that waits for its PRACK no more; the PRACK may still come.
func (inv *serverInvite) stopReliable() {
	inv.queue = nil
	if inv.rel != nil {
		inv.rel.timer.Stop()
	}
}

// matches says whether the RAck header of a PRACK is for p (RFC 3262 7.2).
func (p *provisional) matches(rack string, cseq uint32) bool {
	f := strings.Fields(rack)
	if len(f) != 3 || f[2] != "INVITE" {
		return false
	}
	r, err1 := strconv.ParseUint(f[0], 10, 32)
	c, err2 := strconv.ParseUint(f[1], 10, 32)
	return err1 == nil && err2 == nil && uint32(r) == p.rseq && uint32(c) == cseq
}

// acknowledged goes on after a PRACK: with the response that waits for it. d.mu is held.
func (d *Dialog) acknowledged(inv *serverInvite) {
	inv.rel.timer.Stop()
	inv.rel = nil
	switch {
	case inv.status != 0:
	case inv.accepting:
		if err := d.sendOK(inv, nil); err != nil {
			d.push(Event{Kind: EventFailed, Reason: err.Error()})
			d.finish()
		}
	case len(inv.queue) > 0:
		p := inv.queue[0]
		inv.queue = slices.Delete(inv.queue, 0, 1)
		_ = d.nextReliable(inv, p) // an error terminates the transaction, and so the dialog
	}
}

// agreed says whether offer and answer of the INVITE have met in a reliable
// response (RFC 3262 5), so that an UPDATE may bring the next offer.
func (inv *serverInvite) agreed() bool {
	if inv.offeredOurs {
		return inv.answered
	}
	return inv.described && !slices.ContainsFunc(inv.queue, func(p *provisional) bool { return len(p.body) > 0 })
}
