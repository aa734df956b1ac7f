package call

import (
	"context"
	"fmt"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/sip"
)

// decideReplaces is decide for a call that is to take the place of the one whose dialog is old: it is verified like any other, and has its program from that.
func (e *Engine) decideReplaces(ctx context.Context, in *Incoming, c *Call, old *sip.Dialog) (v Verdict, p flow.Program, end *End) {
	var refused *Refusal
	err := guarded(func() (err error) { // Verify is the host's
		v, err = e.cfg.verify(ctx, in, e.verifier)
		return err
	})
	if err != nil {
		refused = asRefusal(err, CodeRefused)
	} else if refused = refusedBy(&v, e.auth != nil); refused == nil {
		p, refused = e.replacement(c, old)
	}
	if refused != nil {
		end = refusal(refused)
	}
	return v, p, end
}

// replacement is the program of a call that is to take the place of another one, whose dialog is old (RFC 3891). Only who has given the password of the
// extension that is at the far end of that other call may do that.
func (e *Engine) replacement(c *Call, old *sip.Dialog) (flow.Program, *Refusal) {
	var other *Call
	for o := range e.Calls() {
		if o.dialog.Load() == old {
			other = o
		}
	}
	if other == nil || other.isEnding() {
		return nil, &Refusal{Status: 481, Code: CodeRefused, Sentence: "the call that is to be replaced has no place to be taken"}
	}
	x, y := c.extension.Load(), other.extension.Load()
	if x == nil || y == nil || *x != *y {
		return nil, &Refusal{Status: 403, Code: CodeRefused, Sentence: "only a phone of the same extension may replace a call"}
	}
	if b := other.bridge.Load(); b == nil || b.other(other) == nil {
		return nil, &Refusal{Status: 488, Code: CodeRefused, Sentence: errNotTwo.Error()}
	}
	return flow.Func(func(ctx context.Context, l action.Leg) error {
		if err := c.answer(ctx); err != nil {
			return err
		}
		b, err := c.replace(ctx, other)
		if err != nil {
			return fmt.Errorf("call: replace call %s: %w", other.id, err)
		}
		err = b.wait(ctx, c)
		if ctx.Err() == nil {
			c.hangUp(otherSideEnded)
		}
		return err
	}), nil
}

// replace takes the place of other in its bridge, and ends it.
func (c *Call) replace(ctx context.Context, other *Call) (*Confbridge, error) {
	b := other.bridge.Load()
	if b == nil {
		return nil, errNotTwo
	}
	held := b.other(other)
	if held == nil {
		return nil, errNotTwo
	}
	t := &Transfer{engine: c.engine, by: other, held: held, bridge: b}
	if err := t.claim(other, held, c); err != nil {
		return nil, err
	}
	defer func() {
		t.release()
		c.transfer.CompareAndSwap(t, nil)
	}()
	if err := b.take(); err != nil {
		return nil, err
	}
	err := t.separate(ctx)
	if err == nil {
		t.seat, err = b.stepOut(other)
	}
	if err != nil {
		t.rechain(ctx)
		b.giveBack(true)
		return nil, err
	}
	if err := b.comeIn(c); err != nil { // it has hung up at this moment: nothing has happened
		if b.comeIn(other) != nil {
			b.close()
			t.seat.end(nil)
			return nil, err
		}
		t.rechain(c.engine.callCtx)
		b.giveBack(true)
		t.seat.end(b)
		return nil, err
	}
	b.mu.Lock()
	b.went = c.id
	b.mu.Unlock()
	c.link(LinkInput{What: LinkReplaces, CallID: other.id})
	other.link(LinkInput{What: LinkReplacedBy, CallID: c.id})
	other.hangUp(replacedEnd)
	b.giveBack(false)
	return b, nil
}

// seeOff hangs c up when it has had the time to do so itself.
func (t *Transfer) seeOff(c *Call) {
	timer := time.NewTimer(referLimit)
	defer timer.Stop()
	select {
	case <-timer.C:
		c.hangUp(transferredEnd)
	case <-c.flowCtx.Done():
	}
}
