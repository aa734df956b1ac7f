package call

import (
	"context"
	"errors"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/store"
)

var _ action.Queuer = (*Call)(nil)

// QueuedNote is what stands in the trace for JoinQueue: what became of it, and the variables that the wait flow has set.
type QueuedNote struct {
	action.Queued
	Vars map[string]string `json:"vars,omitempty"`
}

// JoinQueue lets the call wait in the queue called id until an agent has answered and the two have parted, or it leaves the queue without: that is no
// error, Queued tells why. While it waits it hears the queue's wait flow. It is answered when an agent has answered, or by the wait flow.
func (c *Call) JoinQueue(ctx context.Context, id string) (action.Queued, error) {
	start := time.Now()
	before := c.vars.All()
	got, err := c.joinQueue(ctx, id)
	note := QueuedNote{Queued: got}
	for name, value := range c.vars.All() {
		if was, ok := before[name]; !ok || was != value {
			if note.Vars == nil {
				note.Vars = map[string]string{}
			}
			note.Vars[name] = value
		}
	}
	c.noted(ctx, start, Note{What: "queue", Target: id, Result: asJSON(note)}, err)
	return got, err
}

func (c *Call) joinQueue(ctx context.Context, id string) (action.Queued, error) {
	d := &c.engine.desk
	q, err := d.queue(id)
	if err != nil {
		return action.Queued{}, err
	}
	if c.waiting.Load() != nil {
		return action.Queued{}, errQueueInQueue
	}
	s, refused := d.join(q, c)
	c.link(LinkInput{What: LinkQueueEnter, Queue: q.id, Detail: store.QueuecallWaiting})
	var why departure
	if refused != nil {
		why = *refused
		d.keep(s)
	} else {
		why, err = s.attend(ctx)
		s.end()
		if s.calledBack(ctx, why) {
			c.link(LinkInput{What: LinkQueueLeave, Queue: q.id, Detail: QueueCallback})
			return s.queued(QueueCallback), err
		}
		if why.code != QueueServed && why.code != QueueServiceTimeout {
			s.leave(why)
		}
	}
	c.link(LinkInput{What: LinkQueueLeave, Queue: q.id, Detail: s.status()})
	got := s.queued(why.code)
	if o := s.options(); why.overflow && len(o.Overflow) > 0 && ctx.Err() == nil {
		conn, cerr := c.connectWith(ctx, action.ConnectOptions{Destinations: o.Overflow}, c.asker(), byQueue, nil)
		got.OverflowCallID = conn.CallID
		return got, cerr
	}
	return got, err
}

// status of the queuecall.
func (s *stay) status() string {
	s.queue.desk.mu.Lock()
	defer s.queue.desk.mu.Unlock()
	return s.rec.Status
}

// attend waits until s is over, or has to leave. The error is the cause of ctx, or why the caller could not be joined.
func (s *stay) attend(ctx context.Context) (departure, error) {
	for {
		if s.hold == nil && s.callback.IsZero() {
			s.begin(ctx)
		}
		offer, why := s.look()
		switch {
		case len(offer) > 0:
			over, err := s.ring(ctx, offer)
			if over != nil {
				return *over, err
			}
			continue
		case why != nil && why.code == QueueCallback:
			to, refusal := s.reach()
			if refusal == nil && s.callback.IsZero() {
				return *why, nil
			}
			s.stays()                                                                 // nobody could be called there
			if refusal != nil && s.caller.vars.Get(varOutboundCode) != refusal.Code { // one record, however often the key is pressed
				s.caller.refusedDial(to, byCallback, s.caller.asker(), refusal)
			}
			continue
		case why != nil:
			return *why, nil
		case !s.callback.IsZero() && s.queue.desk.engine.draining.Load():
			return queueShutdown, nil
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return callerLeft, context.Cause(ctx)
		}
	}
}

// stays takes back that s wants to leave.
func (s *stay) stays() {
	d := s.queue.desk
	d.mu.Lock()
	s.leaving = nil
	d.mu.Unlock()
}

// calledBack lets s go on without its caller on the line, if that is what the caller wants, and the queue has it.
func (s *stay) calledBack(ctx context.Context, why departure) bool {
	o := s.options()
	hungUp := why.code == QueueHungUp && o.Callback.OnHangup && errors.Is(context.Cause(ctx), action.ErrHangup) && s.caller.Record().HangupBy == "remote"
	d := s.queue.desk
	if why.code != QueueCallback && !hungUp || d.engine.draining.Load() {
		return false
	}
	to, refusal := s.reach()
	if refusal != nil {
		return false
	}
	d.mu.Lock()
	if s.queue.gone || s.leaving != nil && s.leaving.code != QueueCallback {
		d.mu.Unlock()
		return false
	}
	s.leaving = nil
	if s.timer != nil {
		s.timer.Stop() // it does not wait on the line
	}
	d.moved(s, store.QueuecallWaiting, "queuecall_callback")
	if s.place == nil && len(s.offer) == 0 {
		d.enter(s)
	}
	d.unlock()
	s.callback = to
	d.engine.wg.Go(func() {
		why, _ := s.attend(d.engine.callCtx)
		switch {
		case why.code == QueueServed || why.code == QueueServiceTimeout:
			return
		case why.code == QueueHungUp: // nobody can but the engine, which stops
			why = queueShutdown
		}
		s.leave(why)
	})
	return true
}

// connectJoined is connect, on behalf of who, which tells when the two are joined.
func (c *Call) connectJoined(ctx context.Context, to address.Address, o *CallbackOptions, who asker, most time.Duration, joined func(leg *Call)) (action.Connected, error) {
	return c.connectWith(ctx, action.ConnectOptions{
		Destinations: []address.Address{to}, Source: o.Source, RingTimeout: o.RingTimeout, MaxDuration: most, Anonymous: "no",
	}, who, byCallback, joined)
}
