package call

import (
	"context"
	"errors"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/store"
)

// referLimit is how long who has transferred by REFER may stay in its call when it has been told of the success.
const referLimit = 10 * time.Second

// dial prepares the calls to the targets.
func (t *Transfer) dial(o TransferOptions, told bool, headers ...sip.Header) {
	e := t.engine
	h := t.hunt
	h.first, h.ring = true, o.RingTimeout
	seen := t.held
	if t.consult != nil {
		seen = t.by
	}
	rec := t.by.Record()
	h.shows = func(dest address.Address) (source, otherwise address.Address) {
		if o.Source == (address.Address{}) && dest.Type != address.TypeTel {
			return seen.party(), otherwise
		}
		return t.by.shows(o.Source, rec, dest)
	}
	h.base = outgoing{program: flow.Func(t.leg), journey: rec.JourneyID, metadata: rec.Metadata, behalf: t.by, far: true, anonymous: seen.hides("auto"), headers: headers, prefer: t.held.codecOf(), asker: t.asker, by: t.dialsBy}
	h.hops(t.by, &rec)
	root := newGroupcall(h, nil, store.RingAll, o.Destinations)
	if root.told = told; told {
		t.change(func(r *TransferRecord) { r.GroupcallID = root.id })
		e.addGroupcall(root)
	}
}

// party is who is at the far end of the call.
func (c *Call) party() address.Address {
	rec := c.Record()
	if rec.Direction == store.DirectionOutgoing {
		return rec.Destination
	}
	return rec.Source
}

// leg is the program of each call to a target: it stays until its time in the bridge is over.
func (t *Transfer) leg(ctx context.Context, l action.Leg) error {
	c, ok := l.(*Call)
	if !ok {
		return errors.ErrUnsupported
	}
	select {
	case <-c.out.joined:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	b := t.bridge
	if t.consult != nil {
		b = t.consult
	}
	err := b.wait(ctx, c)
	if ctx.Err() == nil {
		c.hangUp(otherSideEnded)
	}
	return err
}

// run sees the transfer through, and then stays until the calls that it has made are over.
func (t *Transfer) run() {
	ctx, h := t.engine.callCtx, t.hunt
	defer func() {
		if t.limit != nil {
			t.limit.Stop()
		}
	}()
	t.play()
	h.root.start(ctx)
	for {
		if !t.settled && h.root.isOver() && t.target == nil {
			t.fail(t.nobody())
		}
		if t.settled && h.root.isOver() {
			return
		}
		n, err := h.next(context.Background()) // calls end when the engine does
		if err != nil {
			continue
		}
		if leg := h.take(ctx, n); leg != nil && !t.settled {
			t.answered(ctx, leg)
			continue
		}
		t.heard(n)
	}
}

// play lets those who wait hear what they wait for.
func (t *Transfer) play() {
	t.sound()
	t.sound = func() {}
	switch {
	case t.consult == nil:
		t.sound = t.held.hearRinging()
	case t.target == nil:
		ringing, held := t.by.hearRinging(), t.held.hearHeld()
		t.sound = func() {
			ringing()
			held()
		}
	default:
		t.sound = t.held.hearHeld()
	}
}

// silence ends it.
func (t *Transfer) silence() {
	t.sound()
	t.sound = func() {}
}

// answered takes the first answer.
func (t *Transfer) answered(ctx context.Context, leg *Call) {
	t.target = leg
	t.change(func(r *TransferRecord) { r.TransfereeCallID = leg.id })
	if t.consult == nil {
		t.silence()
		t.complete(ctx)
		return
	}
	t.play()
	err := t.consult.comeIn(leg)
	if err == nil {
		err = t.consult.comeIn(t.by)
	}
	close(leg.out.joined)
	if err != nil {
		t.targetLost()
	}
}

// heard takes what is no first answer.
func (t *Transfer) heard(n notice) {
	reply := func(err error) {
		if n.reply != nil {
			n.reply <- err
		}
	}
	switch {
	case n.what == "limit":
		t.by.hangUp(transferredEnd)
		return
	case t.settled:
		reply(ErrTransferOver)
		return
	}
	switch n.what {
	case "ringing":
		t.tellReferrer(180)
	case "ended":
		if n.leg == t.target {
			t.targetLost()
		}
	case "left":
		t.gone(n.gone)
	case "complete":
		switch {
		case t.consult == nil || t.target == nil:
			reply(ErrNobodyAnswered)
		default:
			t.silence()
			t.complete(t.engine.callCtx)
			reply(nil)
		}
	case "cancel":
		t.fail(transferCancelled)
		reply(nil)
	}
}

// gone takes that the transferer, or who is transferred, is not there any more.
func (t *Transfer) gone(c *Call) {
	switch {
	case c == t.held && t.consult != nil && t.target != nil && !t.parted: // the two others talk on
		t.silence()
		t.hunt.giveUp(t.target, otherSideEnded)
		t.bridge.close()
		t.consult.giveBack(false)
		t.seat.end(t.consult)
		t.settle(TransferFailed, End{Code: CodeConnectEnded, Sentence: "who was to be transferred has ended"})
	case c == t.held:
		t.fail(otherSideEnded)
	case c == t.by && !t.parted:
		t.parted = true
		switch {
		case t.consult == nil: // it has sent REFER and its BYE
		case t.target != nil:
			t.silence()
			t.complete(t.engine.callCtx)
		default:
			t.fail(End{By: "local", Reason: store.ReasonCancel, Status: 487, Cause: 16, Code: CodeConnectEnded, Sentence: "who transferred has hung up before the answer"})
		}
	}
}

// complete joins the target with who is transferred.
func (t *Transfer) complete(ctx context.Context) {
	leg := t.target
	var err error
	if t.consult == nil {
		err = t.bridge.comeIn(leg)
		close(leg.out.joined)
	} else {
		var a *absence
		if a, err = t.consult.stepOut(leg); err == nil {
			if t.by.bridge.Load() == t.consult {
				t.consult.leave(t.by)
			}
			err = t.bridge.comeIn(leg)
			a.end(t.bridge)
		}
	}
	if err != nil {
		t.targetLost()
		return
	}
	t.bridge.mu.Lock()
	t.bridge.went = leg.id
	t.bridge.mu.Unlock()
	detail := t.Record().Type
	if !t.parted { // else it was noted before its end
		t.link(leg.id, detail)
	}
	for _, c := range []*Call{t.held, leg} {
		c.link(LinkInput{What: LinkTransferredBy, CallID: t.by.id, Detail: detail})
	}
	if t.consult != nil {
		t.consult.close()
	}
	t.tellReferrer(200)
	switch {
	case t.parted:
	case t.refer != 0:
		t.limit = time.AfterFunc(referLimit, func() { t.hunt.post(notice{what: "limit"}) })
	default:
		t.by.hangUp(transferredEnd)
	}
	t.bridge.giveBack(false)
	t.settle(TransferCompleted, End{})
}

// targetLost takes that who has answered is not there any more.
func (t *Transfer) targetLost() {
	t.fail(End{By: "remote", Reason: store.ReasonNormal, Status: 480, Cause: 16, Code: CodeCalleeHungUp, Sentence: "who was called has hung up"})
}

// fail ends the transfer without success: the old talk goes on where the two are still there, else the connect is over.
func (t *Transfer) fail(why End) {
	t.silence()
	t.hunt.giveUp(nil, transferCancelled)
	if t.target != nil && t.consult == nil {
		select {
		case <-t.target.out.joined:
		default:
			close(t.target.out.joined) // its program has nothing to wait for
		}
	}
	if t.consult != nil {
		if t.by.bridge.Load() == t.consult {
			t.consult.leave(t.by)
		}
		t.consult.close()
	}
	t.tellReferrer(max(why.Status, 300))
	if t.parted || t.held.isEnding() || t.bridge.comeIn(t.by) != nil {
		t.bridge.close()
		t.seat.end(nil)
	} else {
		t.rechain(t.engine.callCtx)
		t.bridge.giveBack(true)
		t.seat.end(t.bridge)
	}
	t.settle(TransferFailed, why)
}

// nobody is why none of the targets has answered: the most telling of the attempts.
func (t *Transfer) nobody() End {
	end := End{Status: 480, Code: CodeCalleeUnavailable, Sentence: "nobody has answered"}
	best := -1
	for _, leg := range t.hunt.made {
		rec := leg.Record()
		if rank := rankOf(rec.HangupReason); rank > best && rec.SIPCode >= 300 {
			best, end = rank, End{Status: rec.SIPCode, Code: rec.Code, Sentence: rec.Sentence}
		}
	}
	return end
}

// settle is the end of the transfer, the only one.
func (t *Transfer) settle(status string, why End) {
	t.settled = true
	t.change(func(r *TransferRecord) {
		r.Status, r.SIPCode, r.Code, r.Sentence = status, why.Status, why.Code, why.Sentence
		r.TmEnd = store.At(time.Now())
	})
	t.release()
	t.emit("transfer_" + status)
	close(t.done)
}

// tellReferrer sends NOTIFY to who has sent REFER.
func (t *Transfer) tellReferrer(status int) {
	if t.refer == 0 {
		return
	}
	if d := t.by.dialog.Load(); d != nil {
		if err := d.NotifyRefer(t.refer, status, ""); err != nil && !errors.Is(err, sip.ErrState) {
			t.by.log().Warn("transfer not told of", "err", err)
		}
	}
}
