package call

import (
	"context"
	"fmt"
	"slices"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/store"
)

// answering is a directed pickup: a call answers in place of the phones that ring for another one.
type answering struct {
	by   *Call
	over chan action.Picked // of one; closed: the caller was faster, or somebody else
	left chan struct{}      // closed when it does not want to any more
}

func (c *Call) pickup(ctx context.Context, o action.PickupOptions) (action.Picked, error) {
	switch {
	case (o.Orbit == "") == (o.Extension == ""):
		return action.Picked{}, fmt.Errorf("call: pickup: one of orbit and extension is needed: %w", action.ErrNoOrbit)
	case o.Orbit != "":
		return c.pickUp(ctx, o.Orbit)
	}
	for _, leg := range c.engine.ringingAt(o.Extension) {
		a := &answering{by: c, over: make(chan action.Picked, 1), left: make(chan struct{})}
		if !leg.out.hunt.offer(leg, a) {
			continue
		}
		select {
		case got, ok := <-a.over:
			if !ok {
				continue // it has just been answered, or given up
			}
			return got, nil
		case <-ctx.Done():
		}
		close(a.left)
		if b := c.bridge.Load(); b != nil { // else who is about to put it in sees that it has left
			b.leave(c)
		}
		return <-a.over, context.Cause(ctx)
	}
	return action.Picked{}, fmt.Errorf("call: pickup: nothing rings at extension %.40q: %w", o.Extension, action.ErrNoOrbit)
}

// ringsAt tells whether o rings phones of an extension, be it one of an agent's addresses.
func (o *outgoing) ringsAt(extension string) bool {
	is := func(a address.Address) bool {
		return a.Type == address.TypeExtension && (a.Target == extension || a.TargetName == extension)
	}
	return is(o.destination) || slices.ContainsFunc(o.stages, func(s stage) bool {
		return slices.ContainsFunc(s.targets, func(t target) bool { return is(t.address) })
	})
}

// ringingAt are the legs of connects that ring at an extension, the one that has rung longest first.
func (e *Engine) ringingAt(extension string) []*Call {
	var legs []*Call
	for c := range e.Calls() {
		if o := c.out; o == nil || !o.connects || o.hunt == nil || !o.ringsAt(extension) {
			continue
		}
		if r := c.Record(); r.Status == store.StatusDialing || r.Status == store.StatusRinging {
			legs = append(legs, c)
		}
	}
	slices.SortFunc(legs, func(a, b *Call) int { return a.Record().TmCreate.Compare(b.Record().TmCreate.Time) })
	return legs
}

// offer hands a to whoever takes the notices of the hunt, who closes a.over, or answers; false: there is nobody any more.
func (h *hunt) offer(leg *Call, a *answering) bool {
	h.mu.Lock()
	if h.deaf {
		h.mu.Unlock()
		return false
	}
	h.inbox = append(h.inbox, notice{leg: leg, what: "pickup", pickup: a})
	h.mu.Unlock()
	select {
	case h.wake <- struct{}{}:
	default:
	}
	return true
}

// refusePickups tells those who want to answer in place of a phone that it is too late, from now on.
func (h *hunt) refusePickups() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.deaf = true
	for _, n := range h.inbox {
		if n.what == "pickup" {
			close(n.pickup.over)
		}
	}
	h.inbox = slices.DeleteFunc(h.inbox, func(n notice) bool { return n.what == "pickup" })
}

// pickedUp lets the caller talk with who answers in place of the phones, which are given up as answered elsewhere. False: it
// was too late.
func (k *connecting) pickedUp(ctx context.Context, n notice) (r action.Connected, ok bool, err error) {
	h, a := k.hunt, n.pickup
	if h.legs[n.leg] == nil || a.by == k.call || a.hasLeft() || !h.winner.CompareAndSwap(nil, a.by) {
		close(a.over)
		return r, false, nil
	}
	h.answeredAt = n.leg.out.destination
	for g := h.legs[n.leg]; g.parent != nil; g = g.parent {
		h.answeredAt = g.of
	}
	h.root.answered(a.by, nil)
	h.giveUp(nil, answeredElsewhere)
	h.refusePickups()
	k.handOver()
	why := "in place of " + n.leg.id
	k.call.link(LinkInput{What: LinkPickup, CallID: a.by.id, Detail: why})
	a.by.link(LinkInput{What: LinkPickup, CallID: k.call.id, Detail: why})
	k.picked = a
	if err = a.by.answer(ctx); err == nil {
		r, err = k.talk(ctx, a.by)
	} else {
		r = k.result(nil)
		if ctx.Err() == nil { // it is the other one that is not there any more
			err = nil
		}
	}
	k.bridge.leave(a.by)
	got := action.Picked{CallID: k.call.id}
	if !k.joined.IsZero() {
		got.Talk = k.parted.Sub(k.joined)
	}
	a.over <- got
	return r, true, err
}

// drop ends what leg does in the talk: it is hung up, but for one that came by itself, whose flow goes on.
func (k *connecting) drop(leg *Call, end End) {
	if k.picked != nil {
		k.bridge.leave(leg)
		return
	}
	leg.hangUp(end)
}

// hasLeft tells whether it does not want to any more.
func (a *answering) hasLeft() bool {
	select {
	case <-a.left:
		return true
	default:
		return a.by.isEnding()
	}
}
