package call

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/store"
)

// serving is one try to have an agent answer a stay, from the ringing to the end of the talk. It belongs to the owner of the stay.
type serving struct {
	stay   *stay
	o      QueueOptions
	offer  []*deskAgent // that are not settled
	handed bool         // the hunt has another owner
	hunt   *hunt
	bridge *Confbridge
	begun  time.Time

	briefed chan struct{} // closed when the agent who answered has heard the whisper
	agent   *deskAgent    // who answered; nil: nobody has
	talked  bool          // with the caller

	// Of a callback, set by the agent's leg before over is closed.
	over chan struct{}
	talk action.Connected
}

// ring has the agents of an offer ring. Nil: nobody took it, and s waits again; else it is over.
func (s *stay) ring(ctx context.Context, offer []*deskAgent) (*departure, error) {
	e := s.queue.desk.engine
	v := &serving{stay: s, o: s.options(), offer: offer, hunt: newHunt(e), begun: time.Now(), bridge: e.newConfbridge(newID(), store.TypeConnect),
		briefed: make(chan struct{}), over: make(chan struct{})}
	defer v.bridge.close()
	missed := false // those that are left have not taken it, though they might have
	defer func() { v.settle(v.offer, missed, v.talked) }()
	if s.impatient() == nil {
		if leg := v.hunted(ctx); leg != nil {
			if why, err := v.serve(ctx, leg); why != nil {
				return why, err
			}
		}
	}
	if ctx.Err() != nil {
		return &callerLeft, context.Cause(ctx)
	}
	if why := s.impatient(); why != nil {
		return why, nil
	}
	missed = true
	s.queue.desk.back(s)
	return nil, nil
}

// prepare says how the hunt goes.
func (v *serving) prepare() {
	s, h := v.stay, v.hunt
	c := s.caller
	rec := c.Record()
	h.first = true
	h.shows = func(dest address.Address) (source, otherwise address.Address) {
		return c.shows(address.Address{}, rec, dest)
	}
	h.base = outgoing{queued: true, anonymous: c.hides(""), prefer: c.codecOf(), program: flow.Func(v.leg), asker: c.asker(), by: byQueue}
	if s.callback.IsZero() {
		h.inherit(c)
		h.hops(c, &rec)
	} else {
		h.base.journey, h.base.metadata, h.base.fresh, h.base.prefer = rec.JourneyID, rec.Metadata, true, ""
	}
	var dests []address.Address
	for _, a := range v.offer {
		dests = append(dests, address.Address{Type: address.TypeAgent, Target: a.id})
	}
	newGroupcall(h, nil, store.RingAll, dests).told = false
}

// hunted rings, and returns the leg of the agent who answered; nil: nobody has.
func (v *serving) hunted(ctx context.Context) *Call {
	s, h := v.stay, v.hunt
	v.prepare()
	defer func() { s.caller.tellDenied(ctx, h.made...) }()
	tired := time.NewTimer(v.o.ring())
	defer tired.Stop()
	h.root.start(ctx)
	linked := 0
	for !h.root.isOver() {
		for ; linked < len(h.made); linked++ {
			s.caller.link(LinkInput{What: LinkQueueAgent, Queue: s.queue.id, CallID: h.made[linked].id, Detail: AgentRinging})
		}
		n, ok := h.poll()
		if ok {
			if leg := h.take(ctx, n); leg != nil {
				return leg
			}
			continue
		}
		select {
		case <-h.wake:
			continue
		case <-s.wake:
			if s.impatient() == nil {
				continue
			}
		case <-tired.C:
			if h.winner.Load() != nil {
				continue // it has answered at this moment
			}
			h.giveUp(nil, nobodyInTime)
			return nil
		case <-ctx.Done():
		}
		h.giveUp(nil, gaveUp(h.master))
		return nil
	}
	return nil
}

// leg is the program of the agent who answered.
func (v *serving) leg(ctx context.Context, l action.Leg) error {
	c, ok := l.(*Call)
	if !ok {
		return errors.ErrUnsupported
	}
	s := v.stay
	s.describe(c.vars, func(name string, err error) { c.log().Warn("variable not set", "name", name, "err", err) })
	if err := v.whisper(ctx, c); err != nil {
		c.log().Warn("whisper failed", "queue", s.queue.id, "err", err)
	}
	if ctx.Err() != nil || c.isEnding() {
		return cmp.Or(context.Cause(ctx), error(action.ErrHangup))
	}
	close(v.briefed)
	if !s.callback.IsZero() {
		defer close(v.over)
		var err error
		v.talk, err = c.connectJoined(ctx, s.callback, v.callbackShows(), s.caller.asker(), v.o.ServiceTimeout, func(caller *Call) {
			s.queue.desk.mu.Lock()
			s.rec.CallbackCallID = caller.id
			s.queue.desk.mu.Unlock()
			s.queue.desk.serve(s, v.agent, c)
		})
		return err
	}
	select {
	case <-c.out.joined:
		return v.bridge.wait(ctx, c)
	case <-ctx.Done():
		v.bridge.leave(c) // it may have been let in at this moment
		return context.Cause(ctx)
	}
}

// whisper tells the agent what call it is.
func (v *serving) whisper(ctx context.Context, c *Call) error {
	p := v.o.WhisperFlow
	if p == nil && v.o.WhisperFlowID != "" {
		var err error
		if p, err = c.engine.flowByID(ctx, v.o.WhisperFlowID); err != nil {
			return err
		}
	}
	if p == nil {
		return nil
	}
	if err := runGuarded(ctx, p, c); err != nil && ctx.Err() == nil && !c.isEnding() {
		return err
	}
	return nil
}

// callbackShows is how the caller is called back: by a number of its own choice, or the one that it has called.
func (v *serving) callbackShows() *CallbackOptions {
	o := v.o.Callback
	if o.Source.IsZero() && v.stay.callback.Type != address.TypeTel {
		o.Source = v.stay.caller.Record().Destination
	}
	return &o
}

// serve sees the agent who answered through to the end. Nil: it has not come to a talk.
func (v *serving) serve(ctx context.Context, leg *Call) (*departure, error) {
	s, d := v.stay, v.stay.queue.desk
	v.answered()
	s.caller.link(LinkInput{What: LinkQueueAgent, Queue: s.queue.id, CallID: leg.id, Detail: "answered"})
	var why *departure
wait:
	for {
		select {
		case <-v.briefed:
			break wait
		case <-leg.flowCtx.Done():
			return nil, nil
		case <-ctx.Done():
		case <-s.wake:
			if why = s.impatient(); why == nil {
				continue
			}
		}
		leg.hangUp(gaveUp(v.hunt.master))
		return nil, nil
	}
	if !s.callback.IsZero() {
		return v.serveCallback(ctx, leg)
	}
	s.end()
	k := &connecting{call: s.caller, o: action.ConnectOptions{MaxDuration: v.o.ServiceTimeout}, hunt: v.hunt, bridge: v.bridge, start: v.begun,
		onJoined: func(leg *Call) { d.serve(s, v.agent, leg) }}
	got, err := k.talk(ctx, leg)
	if k.joined.IsZero() {
		if err == nil || ctx.Err() != nil {
			return nil, nil // the agent hung up at this moment, or the caller
		}
		return &callFailed, err
	}
	return v.served(got.EndedBy), err
}

// served is the end of a talk.
func (v *serving) served(endedBy string) *departure {
	why := agentServed
	if endedBy == "duration" {
		why = agentServedLimit
	}
	v.talked = true
	v.stay.queue.desk.done(v.stay, why)
	return &why
}

// serveCallback waits while the agent's leg calls the caller.
func (v *serving) serveCallback(ctx context.Context, leg *Call) (*departure, error) {
	s := v.stay
	for {
		select {
		case <-v.over:
			switch {
			case s.status() == store.QueuecallService:
				return v.served(v.talk.EndedBy), nil
			case leg.Record().HangupBy == "remote": // the agent did not wait for the caller
				return nil, nil
			}
			return &callbackFailed, nil
		case <-ctx.Done():
			leg.hangUp(stopping)
			<-v.over
			if s.status() == store.QueuecallService {
				return v.served(""), nil
			}
			return &queueShutdown, nil
		case <-s.wake:
			if s.impatient() != nil && s.status() != store.QueuecallService {
				leg.hangUp(connectEnd)
			}
		}
	}
}

// answered notes who has answered.
func (v *serving) answered() {
	d := v.stay.queue.desk
	i := max(0, slices.IndexFunc(v.offer, func(a *deskAgent) bool { return a.id == v.hunt.answeredAt.Target }))
	v.agent = v.offer[i]
	others := slices.Delete(v.offer, i, i+1)
	v.offer = []*deskAgent{v.agent}
	d.mu.Lock()
	d.become(v.agent, AgentBusy, AgentQueue)
	d.unlock()
	v.settle(others, false, false)
}

// settle lets the hunt come to its end without its owner, and gives agents back, each when its own phones are silent: else it would be rung
// while it rings. They have missed the call, or talked, or neither.
func (v *serving) settle(agents []*deskAgent, missed, talked bool) {
	e, h, d := v.stay.queue.desk.engine, v.hunt, v.stay.queue.desk
	legs := map[string][]*Call{}
	for _, leg := range h.made {
		legs[leg.out.rooted.Target] = append(legs[leg.out.rooted.Target], leg)
	}
	if h.root != nil && !h.root.isOver() && !v.handed {
		v.handed = true
		e.wg.Go(h.run)
	}
	for _, a := range agents {
		e.wg.Go(func() {
			for _, leg := range legs[a.id] {
				<-leg.Done()
			}
			d.mu.Lock()
			defer d.unlock()
			switch {
			case missed:
				d.miss(a, &v.o)
			case talked:
				a.missed = 0
				d.release(a, v.o.WrapUp)
			default:
				d.release(a, 0)
			}
		})
	}
}
