package call

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/sip/verify"
	"github.com/callbin/callbin/store"
)

// referred does what the far end asks for with a REFER: a blind transfer, or, with Replaces, an attended one.
func (c *Call) referred(r sip.Refer) {
	d := c.dialog.Load()
	if d == nil {
		return
	}
	if rep := r.To.Replaces; rep != nil && c.extension.Load() != nil {
		if second := c.engine.named(*rep); second != nil { // nobody is called
			c.join(d, r.ID, second)
			return
		}
	}
	var dest address.Address
	var refused *Refusal
	if err := guarded(func() error { // Verify and Route are the host's
		dest, refused = c.mayRefer(c.engine.callCtx, r.To)
		return nil
	}); err != nil {
		c.log().Error("panic in Verify or Route", "err", err)
		refused = &Refusal{Status: 500, Code: CodePanic, Sentence: "an internal fault"}
	}
	if refused != nil {
		c.log().Info("REFER is refused", "to", r.To.URI, "status", refused.Status, "code", refused.Code, "why", refused.Sentence)
		c.refusedDial(dest, byRefer, c.referrer(), refused)
		_ = d.AnswerRefer(r.ID, refusalStatus(refused))
		return
	}
	var headers []sip.Header
	if rep := r.To.Replaces; rep != nil {
		if c.engine.isOwn(r.To.Host) { // it is none of ours, and would be
			c.resultOnly(d, r.ID, 481)
			return
		}
		headers = []sip.Header{{Name: "Replaces", Value: rep.String()}, {Name: "Require", Value: "replaces"}}
	}
	if r.ReferredBy != "" {
		headers = append(headers, sip.Header{Name: "Referred-By", Value: r.ReferredBy})
	}
	o := TransferOptions{Type: TransferBlind, Destinations: []address.Address{dest}, Back: true}
	t, err := c.beginTransfer(c.engine.callCtx, o)
	if err != nil {
		c.log().Info("REFER is refused", "to", r.To.URI, "err", err)
		_ = d.AnswerRefer(r.ID, busyStatus(err))
		return
	}
	t.refer, t.asker, t.dialsBy = r.ID, c.referrer(), byRefer
	_ = d.AnswerRefer(r.ID, 202)
	t.dial(o, false, headers...)
	c.engine.wg.Go(t.run)
}

// busyStatus is what a REFER gets that is allowed, but not possible now.
func busyStatus(err error) int {
	if errors.Is(err, ErrTransferring) {
		return 491
	}
	return 403
}

func refusalStatus(r *Refusal) int {
	if r.Status < 300 || r.Status > 699 {
		return 403
	}
	return r.Status
}

// resultOnly accepts a REFER of which it is clear what becomes of it.
func (c *Call) resultOnly(d *sip.Dialog, id uint32, status int) {
	_ = d.AnswerRefer(id, 202)
	_ = d.NotifyRefer(id, status, "")
}

// mayRefer finds what to stands for, as if the phone at the far end had dialled it: only who has given the password of an extension may
// dial, and what that may. Without a nil Refusal nothing is to be done.
func (c *Call) mayRefer(ctx context.Context, to sip.ReferTo) (address.Address, *Refusal) {
	x := c.extension.Load()
	if x == nil {
		return c.referTarget(to), &Refusal{Status: 403, Code: CodeOutboundDenied, Sentence: "only an extension that has given its password may transfer"}
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	e := c.engine
	req := &sip.Request{
		Method: "INVITE", URI: to.URI, User: to.User, Host: to.Host, MaxForwards: 70, Authenticated: *x,
		From: sip.NameAddr{URI: "sip:" + sipUser(*x) + "@" + e.ownHost(), User: *x, Host: strings.Trim(e.ownHost(), "[]")},
	}
	in := newIncoming(newID(), req, &e.cfg, nil)
	if d := c.dialog.Load(); d != nil {
		in.Peer = d.RemoteAddr()
		req.Source, req.Network = in.Peer, d.Network()
	}
	in.Destination = c.referTarget(to)
	v, err := e.cfg.verify(ctx, in, e.verifier)
	in.Verdict = v
	if err != nil {
		return in.Destination, asRefusal(err, CodeRefused)
	}
	if r := refusedBy(&v, false); r != nil {
		return in.Destination, r
	}
	return in.Destination, e.mayDial(ctx, in)
}

// referTarget is what to names.
func (c *Call) referTarget(to sip.ReferTo) address.Address {
	a := address.FromSIPUser(to.User)
	switch {
	case to.Scheme == "tel":
		a = address.Address{Type: address.TypeTel, Target: to.User}
	case !c.engine.isOwn(to.Host):
		a = address.Address{Type: address.TypeSIP, Target: strings.TrimPrefix(to.URI, "sip:")}
	}
	return a.Normalize()
}

// referrer is who asks where the far end of c sends a REFER: the phone there, not who has called whom in the end.
func (c *Call) referrer() asker {
	a := asker{caller: c.party()}
	if x := c.extension.Load(); x != nil {
		a.extension = *x
	}
	return a
}

// mayDial tells why in must not, or cannot, be dialled as the leg of a call.
func (e *Engine) mayDial(ctx context.Context, in *Incoming) *Refusal {
	dest := in.Destination
	if dest.Type == address.TypeExtension && e.cfg.Extensions != nil {
		if _, ok, err := e.cfg.Extensions.Extension(ctx, extensionName(dest)); err != nil {
			return &Refusal{Status: 500, Code: CodeLookupFailed, Sentence: fmt.Sprintf("extension %q cannot be looked up: %v", extensionName(dest), err)}
		} else if ok {
			return nil
		}
	}
	p, err := e.cfg.answered(ctx, in)
	switch {
	case err == nil && p != nil:
		return &Refusal{Status: 501, Code: CodeNotDialable, Sentence: fmt.Sprintf("%q is answered by a flow, to which nobody can be transferred", dest.Target)}
	case err != nil && !errors.Is(err, ErrNoFlow) && !errors.Is(err, store.ErrNotFound):
		return asRefusal(err, CodeRouteFailed)
	}
	switch dest.Type {
	case address.TypeTel, address.TypeSIP:
		_, refused := e.dialplan(askerOf(in)).way(dest)
		return refused
	case address.TypeAgent:
		_, refused := e.stages(ctx, dest, askerOf(in))
		return refused
	}
	return &Refusal{Status: 404, Code: CodeNoFlow, Sentence: fmt.Sprintf("nothing answers %q", dest.Target)}
}

// isOwn tells whether host is one of ours.
func (e *Engine) isOwn(host string) bool {
	host = verify.Host(host)
	return e.hosts[host] || strings.EqualFold(host, e.cfg.Realm) || e.cfg.Realm == "" && host == DefaultRealm
}

// named is the call whose dialog r names; nil: none of ours.
func (e *Engine) named(r sip.Replaces) *Call {
	for c := range e.Calls() {
		if d := c.dialog.Load(); d != nil && d.Names(r) && !c.isEnding() {
			return c
		}
	}
	return nil
}

// join is the end of an attended transfer by REFER whose two talks are both here: the other sides of c and of c's second call are
// joined, and nobody is called.
func (c *Call) join(d *sip.Dialog, id uint32, second *Call) {
	t, err := c.joinOthers(c.engine.callCtx, second)
	if err != nil {
		c.log().Info("REFER is refused", "replaces", second.id, "err", err)
		switch {
		case errors.Is(err, errNotYours):
			_ = d.AnswerRefer(id, 403)
		case errors.Is(err, ErrTransferring):
			_ = d.AnswerRefer(id, 491)
		default:
			c.resultOnly(d, id, 481)
		}
		return
	}
	_ = d.AnswerRefer(id, 202)
	_ = d.NotifyRefer(id, 200, "")
	c.engine.wg.Go(func() { t.seeOff(c) })
}

// errNotYours is why somebody else's call is not touched.
var errNotYours = errors.New("call: that call is of another extension")

// joinOthers takes the place of c, in its talk, with whom second talks to.
func (c *Call) joinOthers(ctx context.Context, second *Call) (*Transfer, error) {
	x, y := c.extension.Load(), second.extension.Load()
	if x == nil || y == nil || *x != *y {
		return nil, errNotYours
	}
	b, b2 := c.bridge.Load(), second.bridge.Load()
	if b == nil || b2 == nil || b == b2 || c == second {
		return nil, errNotTwo
	}
	target := b2.other(second)
	if target == nil {
		return nil, errNotTwo
	}
	t, err := c.beginTransfer(ctx, TransferOptions{Type: TransferAttended, Destinations: []address.Address{target.party()}})
	if err != nil {
		return nil, err
	}
	back := func(err error) (*Transfer, error) {
		if t.held.isEnding() || t.bridge.comeIn(t.by) != nil {
			t.bridge.close()
			t.seat.end(nil)
		} else {
			t.rechain(ctx)
			t.bridge.giveBack(true)
			t.seat.end(t.bridge)
		}
		t.settle(TransferFailed, End{Code: CodeRefused, Sentence: err.Error()})
		return nil, err
	}
	if err := t.claim(second, target); err != nil {
		return back(err)
	}
	defer func() {
		second.transfer.CompareAndSwap(t, nil)
		target.transfer.CompareAndSwap(t, nil)
	}()
	if err := b2.take(); err != nil {
		return back(err)
	}
	var seat *absence
	if _, err = unchain(ctx, second, target); err == nil {
		seat, err = b2.stepOut(target)
	}
	if err == nil {
		err = t.bridge.comeIn(target)
		seat.end(t.bridge)
	}
	second.link(LinkInput{What: LinkTransfer, CallID: target.id, Detail: TransferAttended})
	second.hangUp(transferredEnd)
	b2.close()
	if err != nil {
		target.hangUp(otherSideEnded)
		return back(err)
	}
	t.target = target
	t.change(func(r *TransferRecord) { r.TransfereeCallID = target.id })
	t.bridge.mu.Lock()
	t.bridge.went = target.id
	t.bridge.mu.Unlock()
	c.link(LinkInput{What: LinkTransfer, CallID: target.id, Detail: TransferAttended})
	for _, o := range []*Call{t.held, target} {
		o.link(LinkInput{What: LinkTransferredBy, CallID: c.id, Detail: TransferAttended})
	}
	t.bridge.giveBack(false)
	t.settle(TransferCompleted, End{})
	return t, nil
}
