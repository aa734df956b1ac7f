package call

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/store"
)

func (c *Call) connect(ctx context.Context, o action.ConnectOptions) (action.Connected, error) {
	by := byConnect
	if o.CallBack {
		by = byVoicemail
	}
	return c.connectWith(ctx, o, c.asker(), by, nil)
}

// connectWith is connect, on behalf of who; joined, if not nil, is told when the two are joined.
func (c *Call) connectWith(ctx context.Context, o action.ConnectOptions, who asker, by string, joined func(leg *Call)) (action.Connected, error) {
	if len(o.Destinations) == 0 || len(o.Destinations) > action.MaxDestinations {
		return action.Connected{}, fmt.Errorf("call: connect: %d destinations are not 1 to %d", len(o.Destinations), action.MaxDestinations)
	}
	for _, d := range o.Destinations {
		if d.Type == address.TypeConference { // a room answers at once
			return c.connectRoom(ctx, cmp.Or(d.Target, d.TargetName))
		}
	}
	k := &connecting{call: c, o: o, hunt: newHunt(c.engine), bridge: c.engine.newConfbridge(newID(), store.TypeConnect), start: time.Now(), onJoined: joined, asker: who, by: by}
	if o.Screening != nil {
		var err error
		if k.screen, err = c.engine.program(ctx, action.DialOptions{FlowID: o.Screening.FlowID, Actions: o.Screening.Actions, Dir: o.Screening.Dir}); err != nil {
			return action.Connected{}, fmt.Errorf("call: connect: screening: %w", err) // nobody is let through unasked
		}
	}
	defer k.bridge.closeOwn()
	defer k.stopRingback()
	defer k.handOver()
	defer k.hunt.refusePickups()
	defer func() { c.tellDenied(ctx, k.hunt.made...) }()
	if stop := k.prepare(); stop != nil {
		defer stop()
	}
	k.hunt.root.start(ctx)
	return k.run(ctx)
}

// connecting is one connect; it belongs to the goroutine of the flow.
type connecting struct {
	call   *Call
	o      action.ConnectOptions
	hunt   *hunt
	bridge *Confbridge
	screen flow.Program // nil: none
	start  time.Time

	early    *Call // whose early media the caller hears
	ringback func()
	handed   bool       // the hunt has another owner
	picked   *answering // who answered in place of the legs; nil: a leg did

	onJoined func(leg *Call) // nil: nobody wants to know

	asker asker  // on whose behalf
	by    string // and by what

	joined time.Time // zero: never
	parted time.Time
	ended  string
	cut    atomic.Pointer[End] // that ended the talk; nil: one of the two did
}

// prepare says how the hunt goes. What it returns, if anything, is called at the end.
func (k *connecting) prepare() (stop func()) {
	c, h := k.call, k.hunt
	rec := c.Record()
	h.first, h.screen = true, k.screen != nil
	h.ring = k.o.RingTimeout
	if t := k.o.Timeout; t > 0 && (h.ring == 0 || t < h.ring) {
		h.ring = t
	}
	h.shows = func(dest address.Address) (source, otherwise address.Address) { return c.shows(k.o.Source, rec, dest) }
	h.base = outgoing{connects: true, anonymous: c.hides(k.o.Anonymous), earlyMedia: k.o.EarlyMedia, prefer: c.codecOf(), program: flow.Func(k.leg), asker: k.asker, by: k.by}
	h.inherit(c)
	h.hops(c, &rec)
	method := store.RingAll
	if k.o.RingMethod == store.RingLinear {
		method = store.RingLinear
	}
	root := newGroupcall(h, nil, method, k.o.Destinations)
	root.told = false
	if k.o.Timeout == 0 || method == store.RingAll && c.engine.cfg.Agents == nil {
		return nil // the legs' own timers do
	}
	t := time.AfterFunc(k.o.Timeout, root.expire)
	return func() { t.Stop() }
}

// handOver lets groupcalls within the connect come to their end without it.
func (k *connecting) handOver() {
	if !k.handed && !k.hunt.root.isOver() {
		k.handed = true
		k.call.engine.wg.Go(k.hunt.run)
	}
}

// shows is who dest sees as calling when the call, whose record is rec, dials it: named, whom the flow
// names; else a phone sees the caller, and a provider the trunk's number or the one that was called: a
// foreign number does not leave by our trunk because a flow says nothing. Otherwise is for a trunk without a number.
func (c *Call) shows(named address.Address, rec store.Call, dest address.Address) (source, otherwise address.Address) {
	switch {
	case named != (address.Address{}):
		return named, otherwise
	case dest.Type != address.TypeTel:
		return rec.Source, otherwise
	case rec.Destination.Type == address.TypeTel && rec.Direction == store.DirectionIncoming:
		return source, rec.Destination
	case rec.Source.Type == address.TypeTel:
		return source, otherwise
	}
	return source, rec.Source // a phone of ours
}

// leg is the program of each leg: it is screened, and stays until its time in the bridge is over.
func (k *connecting) leg(ctx context.Context, l action.Leg) error {
	c, ok := l.(*Call)
	if !ok {
		return errors.ErrUnsupported
	}
	if k.screen != nil {
		err := runGuarded(ctx, k.screen, c)
		if ctx.Err() != nil || c.isEnding() { // it hung up, or was hung up, be it this moment: that is a no
			return cmp.Or(context.Cause(ctx), error(action.ErrHangup))
		}
		if err != nil {
			c.log().Warn("screening failed", "err", err)
			c.hangUp(End{By: "local", Reason: store.ReasonFailed, Status: 200, Cause: 16, Code: CodeFlowFailed, Sentence: "the screening failed: " + err.Error()})
			return err
		}
		k.hunt.post(notice{leg: c, what: "accepted"})
	}
	select {
	case <-c.out.joined:
		return k.bridge.wait(ctx, c)
	case <-ctx.Done():
		k.bridge.leave(c) // it may have been let in at this moment
		return context.Cause(ctx)
	}
}

// run waits for the first answer.
func (k *connecting) run(ctx context.Context) (action.Connected, error) {
	for !k.hunt.root.isOver() {
		n, err := k.hunt.next(ctx)
		if err != nil {
			k.hunt.giveUp(nil, gaveUp(k.call))
			return k.result(nil), err
		}
		if n.what == "pickup" {
			if r, ok, err := k.pickedUp(ctx, n); ok {
				return r, err
			}
			continue
		}
		if winner := k.hunt.take(ctx, n); winner != nil {
			k.hunt.refusePickups()
			k.handOver()
			return k.talk(ctx, winner)
		}
		switch n.what {
		case "ringing":
			k.rings()
		case "screening":
			k.silence(n.leg)
			k.rings()
		case "early":
			if err := k.listen(ctx, n.leg); err != nil {
				k.call.log().Warn("early media not passed on", "leg", n.leg.id, "err", err)
			}
		case "ended":
			k.silence(n.leg)
		}
	}
	k.stopRingback()
	if ctx.Err() != nil {
		return k.result(nil), context.Cause(ctx)
	}
	return k.result(nil), nil
}

// rings lets an answered caller hear that it rings. An unanswered one has got 180, and hears its own
// phone's tone.
func (k *connecting) rings() {
	if k.ringback != nil || k.early != nil || k.call.Record().Status != store.StatusProgressing {
		return
	}
	k.ringback = k.call.hearRinging()
}

func (k *connecting) stopRingback() {
	if k.ringback != nil {
		k.ringback()
		k.ringback = nil
	}
}

// listen lets the caller hear the far end before it answers: the first that has something to say.
func (k *connecting) listen(ctx context.Context, leg *Call) error {
	if !k.o.EarlyMedia || k.early != nil {
		return nil
	}
	if _, err := k.call.port(ctx); err != nil { // 183 with SDP
		return err
	}
	k.stopRingback()
	k.early = leg
	return errors.Join(k.bridge.enter(leg), k.bridge.enter(k.call))
}

// silence takes a leg out that is not heard any more: it came to nothing, or listens to its screening.
func (k *connecting) silence(leg *Call) {
	if k.early == leg {
		k.bridge.leave(leg)
		k.early = nil
	}
}

// Why a talk ends before one of the two hangs up.
var (
	talkKey = End{By: "local", Reason: store.ReasonNormal, Status: 200, Cause: 16,
		Code: CodeHangupKey, Sentence: "the caller pressed the key that ends the talk"}
	talkLimit = End{By: "local", Reason: store.ReasonTimeout, Status: 200, Cause: 16,
		Code: CodeTalkLimit, Sentence: "the talk reached the longest time that it may take"}
	errTalkOver = errors.New("call: the talk is over")
)

// talk joins the call with the leg that answered, until one of the two leaves.
func (k *connecting) talk(ctx context.Context, leg *Call) (action.Connected, error) {
	k.stopRingback()
	if k.early != nil && k.early != leg {
		k.bridge.leave(k.early)
	}
	err := k.call.answer(ctx)
	if err == nil {
		err = errors.Join(k.bridge.enter(leg), k.bridge.enter(k.call))
	}
	if err != nil {
		k.drop(leg, gaveUp(k.call))
		if ctx.Err() != nil {
			return k.result(leg), context.Cause(ctx)
		}
		if leg.isEnding() { // it hung up at once
			return k.result(leg), nil
		}
		return k.result(leg), err
	}
	k.joined = time.Now()
	k.bridge.settle()
	if k.onJoined != nil {
		k.onJoined(leg)
	}
	if k.picked == nil {
		close(leg.out.joined)
	}
	if leg.isEnding() || k.picked != nil && k.picked.hasLeft() { // before it could notice that it is in a bridge
		k.bridge.leave(leg)
	}
	ctx, cut := context.WithCancelCause(ctx)
	defer cut(nil)
	part := func(end *End) {
		if k.bridge.isKept() { // a transfer has changed who talks to whom
			return
		}
		if k.cut.CompareAndSwap(nil, end) {
			k.drop(leg, *end) // first: what parts the two ends its flow, too
			cut(errTalkOver)
		}
	}
	if keys := k.o.HangupKey; keys != "" {
		k.bridge.onDigit(func(from *Call, digit string) {
			if from == k.call && strings.Contains(keys, digit) {
				part(&talkKey)
			}
		})
	}
	if k.o.MaxDuration > 0 {
		t := time.AfterFunc(k.o.MaxDuration, func() { part(&talkLimit) })
		defer t.Stop()
	}
	err = k.bridge.waitThen(ctx, k.call, func() {
		// Before the bridge ends, which ends the flow of leg for no reason.
		if k.bridge.isKept() { // a transfer sees to who is left
			return
		}
		k.drop(leg, gaveUp(k.call))
	})
	k.parted = time.Now()
	switch k.cut.Load() {
	case &talkKey:
		k.ended, err = "key", nil
	case &talkLimit:
		k.ended, err = "duration", nil
	default:
		if err == nil {
			k.ended = "callee"
		}
	}
	r := k.result(leg)
	if k.ended == "duration" {
		r.Reason = store.ReasonTimeout // its loop may not know yet
	}
	return r, err
}

// result tells what became of the legs: winner answered, nil where none did.
func (k *connecting) result(winner *Call) action.Connected {
	r := action.Connected{EndedBy: k.ended}
	for _, leg := range k.hunt.made {
		r.CallIDs = append(r.CallIDs, leg.id)
	}
	if winner != nil {
		rec := winner.Record()
		r.CallID, r.Reason, r.Status = winner.id, cmp.Or(rec.HangupReason, store.ReasonNormal), 200
		r.Destination = k.hunt.answeredAt
		r.TransferredTo = k.bridge.wentTo()
		r.Ring = time.Since(k.start)
		if !k.joined.IsZero() {
			r.Ring, r.Talk = k.joined.Sub(k.start), k.parted.Sub(k.joined)
		}
		return r
	}
	r.Ring = time.Since(k.start)
	best := -2
	for _, leg := range k.hunt.made {
		rec := leg.Record()
		reason, status := rec.HangupReason, rec.SIPCode
		switch {
		case k.screen != nil && !rec.TmProgressing.IsZero(): // somebody was there, who was not let through
			reason, status = store.ReasonNoAnswer, 603
			r.EndedBy = "screening"
		case reason == "": // its loop has not heard yet that it is given up
			reason, status = store.ReasonCancel, 487
		}
		if rank := rankOf(reason); rank > best {
			best, r.Reason, r.Status = rank, reason, status
		}
	}
	return r
}

// telling are the reasons of attempts that came to nothing, the one that says most last: a busy phone
// is a better answer than a wrong number.
var telling = []string{store.ReasonCancel, store.ReasonFailed, store.ReasonDialout, store.ReasonNoAnswer, store.ReasonBusy}

// rankOf is how much reason says, -1 for one that is none of these.
func rankOf(reason string) int { return slices.Index(telling, reason) }

// hides tells whether those who are called must not see the caller: "yes" or "no" says so, "auto", which is
// also what nothing stands for, does as the caller itself has asked.
func (c *Call) hides(anonymous string) bool {
	return anonymous == "yes" || anonymous != "no" && c.wantsPrivacy()
}

// wantsPrivacy tells whether the caller asked not to be shown (RFC 3323).
func (c *Call) wantsPrivacy() bool {
	d := c.dialog.Load()
	if d == nil || c.out != nil {
		return c.out != nil && c.out.anonymous
	}
	v, _ := d.Invite().Header("Privacy")
	for p := range strings.SplitSeq(v, ";") {
		switch strings.ToLower(strings.TrimSpace(p)) {
		case "id", "user", "header":
			return true
		}
	}
	return false
}

func (c *Call) dial(ctx context.Context, o action.DialOptions) ([]string, error) {
	if len(o.Destinations) == 0 || len(o.Destinations) > action.MaxDestinations {
		return nil, fmt.Errorf("call: dial: %d destinations are not 1 to %d", len(o.Destinations), action.MaxDestinations)
	}
	program, err := c.engine.program(ctx, o)
	if err != nil {
		return nil, err
	}
	rec := c.Record()
	who := c.asker()
	var ids []string
	var errs []error
	var legs []*Call
	defer func() { c.tellDenied(ctx, legs...) }()
	for _, dest := range o.Destinations {
		if id, ok, err := c.dialGroup(ctx, o, dest, rec, program); ok {
			if errs = append(errs, err); err == nil {
				ids = append(ids, id)
			}
			continue
		}
		out := outgoing{
			destination: dest, program: program, early: o.EarlyExecution,
			anonymous: c.hides(o.Anonymous),
			metadata:  rec.Metadata, journey: rec.JourneyID, behalf: c, asker: who, by: byCall,
			shows: func(to address.Address) (source, otherwise address.Address) { return c.shows(o.Source, rec, to) },
		}
		out.source, out.otherwise = c.shows(o.Source, rec, dest)
		if o.Chained {
			out.master = c.id
		} else {
			out.parent = c.id
		}
		out.maxForwards, out.refused = c.hops(&rec)
		if !c.engine.mayPlace() {
			out.refused = &Refusal{Status: 503, Code: CodeTooManyCalls, Sentence: "no more calls are placed"}
		}
		leg, refusal := c.engine.place(out)
		legs = append(legs, leg)
		if refusal != nil {
			errs = append(errs, refusal)
			continue
		}
		ids = append(ids, leg.id)
		if o.Chained {
			if err := c.command(ctx, Command{Name: "chain", CallID: leg.id}); err != nil {
				leg.hangUp(gaveUp(c))
			}
		}
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("call: dial: %w", errors.Join(errs...))
	}
	return ids, nil
}

// dialGroup dials a destination that stands for several, as a groupcall of its own; false: dest is none.
func (c *Call) dialGroup(ctx context.Context, o action.DialOptions, dest address.Address, rec store.Call, program flow.Program) (id string, ok bool, err error) {
	x, err := c.engine.expand(ctx, dest.Normalize())
	if err == nil && len(x.destinations) == 0 {
		return "", false, nil
	}
	source, _ := c.shows(o.Source, rec, dest)
	group := GroupcallOptions{
		Destinations: x.destinations, Source: source, Flow: program, EarlyExecution: o.EarlyExecution,
		RingMethod: x.method, RingTimeout: x.each, AnswerMethod: store.AnswerHangupOthers, Metadata: rec.Metadata, JourneyID: rec.JourneyID,
	}
	if c.hides(o.Anonymous) {
		group.Anonymous = "yes"
	}
	group.asker, group.by, group.parent = c.asker(), byCall, c.id
	if o.Chained {
		group.MasterCallID, group.parent = c.id, ""
	}
	if err != nil {
		return "", true, fmt.Errorf("call: dial %s: %w", dest, err)
	}
	g, err := c.engine.Groupcall(ctx, group)
	if err != nil {
		return "", true, err
	}
	return g.id, true, nil
}

// program is what runs on the calls of a call action.
func (e *Engine) program(ctx context.Context, o action.DialOptions) (flow.Program, error) {
	if len(o.Actions) > 0 {
		return flow.Parse(o.Actions, flow.ParseOptions{Registry: e.cfg.registry(), Name: "inline", Dir: o.Dir})
	}
	if e.cfg.FlowByID == nil {
		return nil, fmt.Errorf("call: dial: flow %q: %w", o.FlowID, ErrNoFlow)
	}
	return e.cfg.FlowByID(ctx, o.FlowID)
}
