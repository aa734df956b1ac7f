package call

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/store"
)

// maxLegs is how many calls one hunt makes, in all of its groups.
const maxLegs = 256

// hunt rings the destinations of a connect or of a groupcall, and of the groupcalls within it, until one has
// answered. Its groups form a tree with one inbox: whoever takes notices from it, one goroutine at a time, owns the tree, so
// that an answer is either the first one or not, however many groups there are.
type hunt struct {
	engine     *Engine
	root       *Groupcall
	base       outgoing                                                       // what all legs have in common
	shows      func(dest address.Address) (source, otherwise address.Address) // who dest sees as calling; see Call.shows
	master     *Call                                                          // that the legs are chained to; nil: none
	first      bool                                                           // the first answer ends all others
	screen     bool                                                           // an answer counts when the leg's program says that it is accepted
	ring       time.Duration                                                  // of each leg; 0: the engine's
	winner     atomic.Pointer[Call]                                           // who answered first, where first says that there is one
	answeredAt address.Address                                                // of the root's destinations, the one behind which winner is
	end        *End                                                           // how legs end that are not wanted any more; nil: more may be dialled
	legs       map[*Call]*Groupcall                                           // those that are not over; owned by who takes notices
	made       []*Call                                                        // all legs, in the order in which they were made; owned by who takes notices

	mu    sync.Mutex
	inbox []notice      // guarded by mu
	deaf  bool          // guarded by mu; pickups come too late
	wake  chan struct{} // of who waits for a notice
}

// notice is what a leg, or the program, tells.
type notice struct {
	leg  *Call      // nil: the program
	what string     // of a leg as in DoTell, "screening" or "accepted"; of the program "hangup" and "expired"; of another call "pickup", in place of leg; of a Transfer "left", "limit", "complete" and "cancel"
	of   *Groupcall // of "hangup" and "expired"
	end  End        // of "hangup" and "expired"

	pickup *answering // of "pickup"

	gone  *Call      // of "left"
	reply chan error // of "complete" and "cancel"
}

func newHunt(e *Engine) *hunt {
	return &hunt{engine: e, legs: map[*Call]*Groupcall{}, wake: make(chan struct{}, 1)}
}

// post never blocks.
func (h *hunt) post(n notice) {
	h.mu.Lock()
	h.inbox = append(h.inbox, n)
	h.mu.Unlock()
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// poll takes a notice, if there is one.
func (h *hunt) poll() (n notice, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.inbox) == 0 {
		return notice{}, false
	}
	n = h.inbox[0]
	h.inbox = h.inbox[1:]
	return n, true
}

// next waits for a notice.
func (h *hunt) next(ctx context.Context) (notice, error) {
	for {
		if n, ok := h.poll(); ok {
			return n, nil
		}
		select {
		case <-h.wake:
		case <-ctx.Done():
			return notice{}, context.Cause(ctx)
		}
	}
}

// hear takes what a leg tells; it runs on the loop of the leg. That an answer is the first one is decided here,
// before the leg's flow begins.
func (h *hunt) hear(leg *Call, what string) {
	if what == "answered" && h.screen {
		what = "screening"
	}
	if what == "answered" && !h.claim(leg) {
		return
	}
	h.post(notice{leg: leg, what: what})
}

func (h *hunt) claim(leg *Call) bool {
	if !h.first || h.winner.CompareAndSwap(nil, leg) {
		return true
	}
	leg.hangUp(answeredElsewhere) // it crossed the CANCEL
	return false
}

// mayRun tells whether a leg's flow may begin.
func (h *hunt) mayRun(leg *Call) bool {
	w := h.winner.Load()
	return w == nil || w == leg
}

// take does what a notice asks for. It returns the leg whose answer this was, if that is the one that counts.
func (h *hunt) take(ctx context.Context, n notice) *Call {
	g := h.legs[n.leg] // nil: of the program, or of a leg that is over
	switch n.what {
	case "accepted":
		if g == nil || !h.claim(n.leg) {
			return nil
		}
		return h.answered(g, n.leg)
	case "answered":
		return h.answered(g, n.leg)
	case "ended":
		delete(h.legs, n.leg)
		g.change(func(r *store.Groupcall) { r.CallCount-- })
		g.settle(ctx)
	case "hangup":
		n.of.hangUp(n.end, false)
	case "expired":
		if r := n.of.Record(); r.TmProgressing.IsZero() && h.winner.Load() == nil {
			n.of.hangUp(n.end, true)
		}
	}
	return nil
}

// answered takes an answer that counts.
func (h *hunt) answered(g *Groupcall, leg *Call) *Call {
	g.answered(leg, nil)
	if !h.first {
		return nil
	}
	h.answeredAt = leg.out.rooted
	h.giveUp(leg, answeredElsewhere)
	return leg
}

// giveUp ends all legs but one, and dials no more.
func (h *hunt) giveUp(but *Call, end End) {
	if h.end == nil {
		h.end = &end
	}
	for _, leg := range h.made { // in order, so that the same happens each time
		if h.legs[leg] != nil && leg != but {
			leg.hangUp(end)
		}
	}
}

// over tells why nothing more is dialled; nil: more may be.
func (h *hunt) over() *End {
	switch {
	case h.end != nil:
		return h.end
	case h.master != nil && h.master.isEnding():
		return &masterEnded
	case h.first && h.winner.Load() != nil:
		return &answeredElsewhere
	}
	return nil
}

// run takes notices until all groups are over. It is the end of the legs that ends it, which a stopping engine sees to.
func (h *hunt) run() {
	for !h.root.isOver() {
		if n, err := h.next(context.Background()); err == nil {
			h.take(h.engine.callCtx, n)
		}
	}
}

// dial makes a leg to dest for g. One that may not go out is made, too, and ends at once: it has a record.
func (h *hunt) dial(ctx context.Context, g *Groupcall, dest address.Address, refused *Refusal) {
	o := h.base
	o.destination, o.rooted, o.shows = dest, dest, h.shows
	for up := g; up.parent != nil; up = up.parent {
		if o.rooted = up.of; up.of.Type == address.TypeAgent && o.asker.agent == "" {
			o.asker.agent = up.of.Target // whose addresses these are
		}
	}
	o.source, o.otherwise = h.shows(dest)
	o.hunt = h
	o.timeout, o.tell, o.refused = cmp.Or(g.each, h.ring), h.hear, cmp.Or(o.refused, refused)
	if g.told {
		o.groupcall = g.id
	}
	if h.first && !h.screen {
		o.mayRun = h.mayRun
	}
	switch n := h.engine.cfg.MaxCalls; {
	case o.refused != nil:
	case len(h.made) >= maxLegs:
		o.refused = &Refusal{Status: 503, Code: CodeTooManyCalls, Sentence: fmt.Sprintf("a groupcall makes %d calls at most", maxLegs)}
	case n > 0 && h.engine.count() >= n:
		o.refused = &Refusal{Status: 503, Code: CodeTooManyCalls, Sentence: "the engine has as many calls as it may"}
	}
	leg, _ := h.engine.place(o)
	if leg == nil {
		g.end = &stopping
		return
	}
	h.legs[leg] = g // what it tells waits in the inbox until this is over
	h.made = append(h.made, leg)
	g.change(func(r *store.Groupcall) {
		r.CallIDs = append(r.CallIDs, leg.id)
		r.CallCount++
	})
	if h.master == nil {
		return
	}
	if err := h.master.command(ctx, Command{Name: "chain", CallID: leg.id}); err != nil {
		leg.hangUp(gaveUp(h.master))
	}
}

// gaveUp is the end of a leg that is given up: the same whether the flow or the loop of its master, if any, is the first to notice.
func gaveUp(master *Call) End {
	if master != nil && master.isEnding() {
		return masterEnded
	}
	return connectEnd
}

var (
	connectEnd = End{By: "local", Reason: store.ReasonCancel, Status: 487, Cause: 16,
		Code: CodeConnectEnded, Sentence: "the connect was given up"}
	answeredElsewhere = End{By: "local", Reason: store.ReasonCancel, Status: 487, Cause: 26,
		Code: CodeAnsweredElsewhere, Sentence: "another destination answered first"}
	masterEnded = End{By: "local", Reason: store.ReasonNormal, Status: 487, Cause: 16,
		Code: CodeMasterEnded, Sentence: "the call that this one belongs to has ended"}
	nobodyInTime = End{By: "local", Reason: store.ReasonDialout, Status: 487, Cause: 19,
		Code: CodeDialTimeout, Sentence: "nobody answered in time"}
	stopping = End{By: "local", Reason: store.ReasonNormal, Status: 503, Cause: 16,
		Code: CodeShutdown, Sentence: "the server stops"}
)

// answered notes that leg, or the group sub, is the first that answered.
func (g *Groupcall) answered(leg *Call, sub *Groupcall) {
	fresh := false
	g.change(func(r *store.Groupcall) {
		if fresh = r.TmProgressing.IsZero(); !fresh {
			return
		}
		r.TmProgressing = store.At(time.Now())
		if sub != nil {
			r.AnswerGroupcallID = sub.id
		} else {
			r.AnswerCallID = leg.id
		}
	})
	if !fresh {
		return
	}
	g.emit("groupcall_progressing")
	if g.parent != nil {
		g.parent.answered(leg, g)
	}
}

// start rings: all, or the first.
func (g *Groupcall) start(ctx context.Context) {
	if g.told && g.parent != nil {
		g.hunt.engine.addGroupcall(g)
	}
	g.emit("groupcall_created")
	g.dialing = true
	if g.linear {
		g.dialNext(ctx)
	} else {
		for g.next < len(g.dests) && g.end == nil && g.hunt.over() == nil {
			g.dialNext(ctx)
		}
	}
	g.dialing = false
	g.settle(ctx)
}

// dialNext rings one destination.
func (g *Groupcall) dialNext(ctx context.Context) {
	i, h := g.next, g.hunt
	dest := g.dests[i]
	g.next++
	if g.linear {
		g.change(func(r *store.Groupcall) { r.DialIndex = i })
	}
	x, err := h.engine.expand(ctx, dest)
	switch {
	case err != nil:
		h.dial(ctx, g, dest, &Refusal{Status: 500, Code: CodeLookupFailed, Sentence: err.Error()})
	case len(x.destinations) == 0:
		h.dial(ctx, g, dest, nil)
	case g.depth+1 > maxNesting:
		h.dial(ctx, g, dest, &Refusal{Status: 482, Code: CodeNotDialable, Sentence: fmt.Sprintf("destinations stand for each other more than %d deep", maxNesting)})
	default:
		sub := newGroupcall(h, g, x.method, x.destinations)
		sub.of, sub.each = dest, x.each
		g.change(func(r *store.Groupcall) {
			r.GroupcallIDs = append(r.GroupcallIDs, sub.id)
			r.GroupcallCount++
		})
		sub.start(ctx)
	}
}

// settle goes on when none of the group is left: with the next destination, or to its end.
func (g *Groupcall) settle(ctx context.Context) {
	for !g.dialing && !g.isOver() {
		r := g.Record()
		if r.CallCount+r.GroupcallCount > 0 {
			return
		}
		why := g.end
		if why == nil {
			why = g.hunt.over()
		}
		if r.TmProgressing.IsZero() && why == nil && g.next < len(g.dests) {
			g.dialing = true // a group within it may be over at once
			g.dialNext(ctx)
			g.dialing = false
			continue
		}
		g.finish(why)
		if p := g.parent; p != nil {
			p.change(func(r *store.Groupcall) { r.GroupcallCount-- })
			p.settle(ctx)
		}
	}
}

// hangUp ends what is left of the group and of those within it; if ringing, only what rings still.
func (g *Groupcall) hangUp(end End, ringing bool) {
	if g.isOver() {
		return
	}
	if g.end == nil {
		g.end = &end
		g.change(func(r *store.Groupcall) { r.Status = store.GroupcallHangingup })
	}
	for _, leg := range g.hunt.made {
		if g.hunt.legs[leg] == g && (!ringing || leg.Record().TmProgressing.IsZero()) {
			leg.hangUp(end)
		}
	}
	for _, sub := range g.subs {
		sub.hangUp(end, ringing)
	}
}

// emit tells of the group, unless it is the inside of a connect.
func (g *Groupcall) emit(event string) {
	if !g.told {
		return
	}
	r := g.Record()
	g.hunt.engine.tellGuarded(Event{Type: event, Time: r.TmUpdate.Time, Data: r})
}

// finish is the end of the group, the only one.
func (g *Groupcall) finish(why *End) {
	code, sentence := "nobody_answered", "none of the destinations answered"
	if r := g.Record(); !r.TmProgressing.IsZero() {
		code, sentence = "answered", "one of the destinations answered, and that call is over"
	} else if why != nil {
		code, sentence = why.Code, why.Sentence
	}
	g.change(func(r *store.Groupcall) {
		r.Status, r.TmHangup, r.Code, r.Sentence = store.GroupcallHangup, store.At(time.Now()), code, sentence
	})
	if g.told {
		g.hunt.engine.keepGroupcall(g)
	}
	g.emit("groupcall_hangup")
	if g.told {
		g.hunt.engine.forgetGroupcall(g)
	}
	close(g.done)
}

func (g *Groupcall) isOver() bool {
	select {
	case <-g.done:
		return true
	default:
		return false
	}
}

// ErrMasterEnding is returned where a call is to be chained to one that has ended, or is ending.
var ErrMasterEnding = errors.New("call: the master call has ended, or is ending")
