package call

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/media/tone"
	"github.com/callbin/callbin/store"
)

func (c *Call) connect(ctx context.Context, o action.ConnectOptions) (action.Connected, error) {
	if len(o.Destinations) == 0 || len(o.Destinations) > action.MaxDestinations {
		return action.Connected{}, fmt.Errorf("call: connect: %d destinations are not 1 to %d", len(o.Destinations), action.MaxDestinations)
	}
	for _, d := range o.Destinations {
		if d.Type == address.TypeConference { // a room answers at once
			return action.Connected{Reason: store.ReasonNormal, Status: 200}, c.joinConference(ctx, cmp.Or(d.Target, d.TargetName))
		}
	}
	k := &connecting{
		call: c, o: o, bridge: c.engine.newConfbridge(newID(), store.TypeConnect),
		// A leg tells four things at most, so that no loop ever waits.
		notices: make(chan notice, 4*len(o.Destinations)),
	}
	defer k.bridge.close()
	defer k.stopRingback()
	k.dial(ctx)
	return k.run(ctx)
}

// connecting is one connect; it belongs to the goroutine of the flow.
type connecting struct {
	call    *Call
	o       action.ConnectOptions
	bridge  *Confbridge
	notices chan notice

	legs     []*Call
	early    *Call // whose early media the caller hears
	ringback func()
}

// notice is what a leg tells: see DoTell.
type notice struct {
	leg  *Call
	what string
}

// dial sets all legs going.
func (k *connecting) dial(ctx context.Context) {
	c := k.call
	rec := c.Record()
	base := outgoing{
		anonymous: c.hides(k.o.Anonymous), timeout: k.o.Timeout, earlyMedia: k.o.EarlyMedia,
		metadata: rec.Metadata, journey: rec.JourneyID, master: c.id, prefer: c.codecOf(),
		program: flow.Func(k.leg),
		tell:    func(leg *Call, what string) { k.notices <- notice{leg, what} },
	}
	if d := c.dialog.Load(); rec.Direction == store.DirectionIncoming && d != nil {
		// One less than the caller's request had left: a circle of calls comes to an end.
		if base.maxForwards = d.Invite().MaxForwards - 1; base.maxForwards <= 0 {
			base.refused = &Refusal{Status: 483, Code: CodeTooManyHops, Sentence: "the call has taken too many hops"}
		}
	} else if c.out != nil {
		base.maxForwards = c.out.maxForwards
	}
	if n := c.engine.cfg.MaxCalls; base.refused == nil && n > 0 && c.engine.count()+len(k.o.Destinations) > n {
		base.refused = &Refusal{Status: 503, Code: CodeTooManyCalls, Sentence: "the engine has as many calls as it may"}
	}
	for _, dest := range k.o.Destinations {
		o := base
		o.destination = dest
		o.source, o.otherwise = c.shows(k.o.Source, rec, dest)
		o.shows = func(to address.Address) (source, otherwise address.Address) { return c.shows(k.o.Source, rec, to) }
		leg, _ := c.engine.place(o)
		k.legs = append(k.legs, leg)
		if err := c.command(ctx, Command{Name: "chain", CallID: leg.id}); err != nil {
			leg.hangUp(connectEnd)
		}
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

// leg is the program of each leg: it stays until its time in the bridge is over.
func (k *connecting) leg(ctx context.Context, l action.Leg) error {
	c, ok := l.(*Call)
	if !ok {
		return errors.ErrUnsupported
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
	for alive := len(k.legs); alive > 0; {
		var s notice
		select {
		case s = <-k.notices:
		case <-ctx.Done():
			k.giveUp(nil, connectEnd)
			return k.result(nil), context.Cause(ctx)
		}
		switch s.what {
		case "ringing":
			k.rings()
		case "early":
			if err := k.listen(ctx, s.leg); err != nil {
				k.call.log().Warn("early media not passed on", "leg", s.leg.id, "err", err)
			}
		case "ended":
			alive--
			k.ended(s.leg)
		case "answered":
			k.giveUp(s.leg, answeredElsewhere)
			return k.talk(ctx, s.leg)
		}
	}
	k.stopRingback()
	return k.result(nil), nil
}

var (
	connectEnd = End{By: "local", Reason: store.ReasonCancel, Status: 487, Cause: 16,
		Code: CodeConnectEnded, Sentence: "the connect was given up"}
	answeredElsewhere = End{By: "local", Reason: store.ReasonCancel, Status: 487, Cause: 26,
		Code: CodeAnsweredElsewhere, Sentence: "another destination answered first"}
)

// giveUp ends all legs but one.
func (k *connecting) giveUp(but *Call, end End) {
	for _, leg := range k.legs {
		if leg != but {
			leg.hangUp(end)
		}
	}
}

// rings lets an answered caller hear that it rings. An unanswered one has got 180, and hears its own
// phone's tone.
func (k *connecting) rings() {
	if k.ringback != nil || k.early != nil || k.call.Record().Status != store.StatusProgressing {
		return
	}
	p, ok := tone.Ringback(cmp.Or(k.call.engine.cfg.Ringback, "us"))
	if !ok {
		p, _ = tone.Ringback("us")
	}
	ctx, stop := context.WithCancel(k.call.flowCtx)
	done := make(chan struct{})
	k.call.engine.wg.Go(func() {
		defer close(done)
		_ = k.call.play(ctx, p.Source(k.call.rate())) // ended by stop, or with the call
	})
	k.ringback = func() {
		stop()
		<-done
	}
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

// ended takes a leg out that came to nothing.
func (k *connecting) ended(leg *Call) {
	if k.early == leg {
		k.bridge.leave(leg)
		k.early = nil
	}
}

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
		leg.hangUp(connectEnd)
		if ctx.Err() != nil {
			return k.result(leg), context.Cause(ctx)
		}
		if leg.State().Phase == PhaseEnded { // it hung up at once
			return k.result(leg), nil
		}
		return k.result(leg), err
	}
	k.bridge.settle()
	close(leg.out.joined)
	if leg.State().Phase == PhaseEnded { // before it could notice that it is in a bridge
		k.bridge.leave(leg)
	}
	err = k.bridge.wait(ctx, k.call)
	return k.result(leg), err
}

// result tells what became of the legs: winner answered, nil where none did.
func (k *connecting) result(winner *Call) action.Connected {
	var r action.Connected
	for _, leg := range k.legs {
		r.CallIDs = append(r.CallIDs, leg.id)
	}
	if winner != nil {
		rec := winner.Record()
		r.CallID, r.Reason, r.Status = winner.id, cmp.Or(rec.HangupReason, store.ReasonNormal), 200
		return r
	}
	best := -2
	for _, leg := range k.legs {
		rec := leg.Record()
		reason, status := rec.HangupReason, rec.SIPCode
		if reason == "" { // its loop has not heard yet that it is given up
			reason, status = connectEnd.Reason, connectEnd.Status
		}
		if rank := slices.Index(telling, reason); rank > best {
			best, r.Reason, r.Status = rank, reason, status
		}
	}
	return r
}

// telling are the reasons of attempts that came to nothing, the one that says most last: a busy phone
// is a better answer than a wrong number.
var telling = []string{store.ReasonCancel, store.ReasonFailed, store.ReasonDialout, store.ReasonNoAnswer, store.ReasonBusy}

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
	var ids []string
	var errs []error
	for _, dest := range o.Destinations {
		out := outgoing{
			destination: dest, program: program, early: o.EarlyExecution,
			anonymous: c.hides(o.Anonymous),
			metadata:  rec.Metadata, journey: rec.JourneyID,
			shows: func(to address.Address) (source, otherwise address.Address) { return c.shows(o.Source, rec, to) },
		}
		out.source, out.otherwise = c.shows(o.Source, rec, dest)
		if o.Chained {
			out.master = c.id
		}
		if ok, _ := c.engine.ready(); !ok {
			out.refused = &Refusal{Status: 503, Code: CodeTooManyCalls, Sentence: "no more calls are placed"}
		}
		leg, refusal := c.engine.place(out)
		if refusal != nil {
			errs = append(errs, refusal)
			continue
		}
		ids = append(ids, leg.id)
		if o.Chained {
			if err := c.command(ctx, Command{Name: "chain", CallID: leg.id}); err != nil {
				leg.hangUp(connectEnd)
			}
		}
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("call: dial: %w", errors.Join(errs...))
	}
	return ids, nil
}

// program is what runs on the calls of a call action.
func (e *Engine) program(ctx context.Context, o action.DialOptions) (flow.Program, error) {
	if len(o.Actions) > 0 {
		reg := e.cfg.Actions
		if reg == nil {
			reg = action.Builtin(e.cfg.Deps)
		}
		return flow.Parse(o.Actions, flow.ParseOptions{Registry: reg, Name: "inline", Dir: o.Dir})
	}
	if e.cfg.FlowByID == nil {
		return nil, fmt.Errorf("call: dial: flow %q: %w", o.FlowID, ErrNoFlow)
	}
	return e.cfg.FlowByID(ctx, o.FlowID)
}
