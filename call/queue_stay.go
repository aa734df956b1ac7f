package call

import (
	"context"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/store"
)

// stay is a caller's time in a queue, from its arrival to the end of its talk with an agent. One goroutine owns it, the caller's flow or,
// once the caller is to be called back, one of its own; agents, programs and timers only leave a word for it.
type stay struct {
	queue   *Queue
	id      string
	caller  *Call  // who joined; with callback set it has left
	arrival uint64 // its place among equals, also when it comes back
	wake    chan struct{}
	timer   *time.Timer // of the wait timeout; nil: none

	// Guarded by desk.mu.
	rec     store.Queuecall
	place   *spot        // in the line; nil: agents ring, or it is served
	offer   []*deskAgent // that are to ring for it and whom its owner has not seen yet
	leaving *departure   // somebody wants it to leave

	// Owned by the goroutine that the stay belongs to.
	hold     *hold           // what the caller hears; nil: nothing
	callback address.Address // where the caller is called back; zero: it is on the line
}

// departure is why a stay ends.
type departure struct {
	code, sentence string
	overflow       bool // QueueOptions.Overflow takes it
	patient        bool // an agent that rings already is waited for
}

// Codes of a Queuecall: why it ended.
const (
	QueueServed         = "served"          // an agent has spoken with the caller
	QueueServiceTimeout = "service_timeout" // so it was, for as long as a talk may take
	QueueHungUp         = "hung_up"         // the caller did, or its step was ended
	QueueWaitTimeout    = "wait_timeout"
	QueueKey            = "key" // the caller pressed the key that leaves
	QueueKicked         = "kicked"
	QueueDeleted        = "queue_deleted"
	QueueFull           = "full"
	QueueNoAgents       = "no_agents"
	QueueCallback       = "callback"        // of a step, not of a Queuecall: the caller is going to be called back
	QueueCallbackFailed = "callback_failed" // the caller was called back and did not answer
	QueueFailed         = "failed"          // the caller's call could not be answered, or joined
)

var (
	kicked           = departure{code: QueueKicked, sentence: "the caller was put out of the queue"}
	queueDeleted     = departure{code: QueueDeleted, sentence: "the queue was deleted"}
	noAgentsLeft     = departure{code: QueueNoAgents, sentence: "the queue has no agents", overflow: true}
	queueIsFull      = departure{code: QueueFull, sentence: "as many as may wait in the queue", overflow: true}
	waitedTooLong    = departure{code: QueueWaitTimeout, sentence: "no agent has answered in time", overflow: true, patient: true}
	callerLeft       = departure{code: QueueHungUp, sentence: "the caller hung up, or left the step"}
	keyLeft          = departure{code: QueueKey, sentence: "the caller pressed the key that leaves the queue"}
	callbackAsked    = departure{code: QueueCallback, sentence: "the caller wants to be called back", patient: true}
	callbackFailed   = departure{code: QueueCallbackFailed, sentence: "the caller was called back and did not answer"}
	callFailed       = departure{code: QueueFailed, sentence: "caller and agent could not be joined"}
	queueShutdown    = departure{code: CodeShutdown, sentence: "the server stops"}
	agentServed      = departure{code: QueueServed, sentence: "an agent has spoken with the caller"}
	agentServedLimit = departure{code: QueueServiceTimeout, sentence: "the talk reached the longest time that it may take"}
)

// varPriority is a variable of a flow that says a caller's priority, varCallback one with the number at which it is called back.
const (
	varPriority = "queue_priority"
	varCallback = "queue_callback"
)

// join takes a caller in. A departure: it is not taken, and its stay is over.
func (d *desk) join(q *Queue, c *Call) (*stay, *departure) {
	rec := c.Record()
	now := store.At(time.Now())
	s := &stay{queue: q, id: newID(), caller: c, wake: make(chan struct{}, 1)}
	d.mu.Lock()
	defer d.unlock()
	o := &q.o
	s.rec = store.Queuecall{
		ID: s.id, QueueID: q.id, ReferenceType: store.ReferenceCall, ReferenceID: c.id, ReferenceActiveflowID: rec.ActiveflowID, JourneyID: rec.JourneyID,
		Source: rec.Source, RoutingMethod: o.RoutingMethod, TagIDs: slices.Clone(o.Tags), Priority: o.Priority, TmCreate: now,
	}
	if p, err := strconv.Atoi(c.vars.Get(varPriority)); err == nil {
		s.rec.Priority = p
	}
	q.record.TotalIncomingCount++
	s.arrival = d.next()
	d.stays[s.id], q.stays[s] = s, true
	d.moved(s, store.QueuecallInitiating, "queuecall_created")
	var why *departure
	switch {
	case q.gone:
		why = &queueDeleted
	case q.staffed == 0 && (o.NoAgents == NoAgentsRefuse || o.NoAgents == NoAgentsLeave):
		why = &noAgentsLeft
	case o.MaxLength > 0 && q.line.len() >= o.MaxLength && q.pool.Len() == 0:
		why = &queueIsFull
	}
	if why != nil {
		d.abandon(s, why)
		return s, why
	}
	d.moved(s, store.QueuecallWaiting, "queuecall_waiting")
	if o.WaitTimeout > 0 {
		s.timer = time.AfterFunc(o.WaitTimeout, func() {
			d.mu.Lock()
			d.dismissStay(s, waitedTooLong)
			d.unlock()
		})
	}
	d.enter(s)
	return s, nil
}

// poke wakes the owner.
func (s *stay) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// copied is the record. d.mu is held.
func (s *stay) copied() store.Queuecall {
	r := s.rec
	r.TagIDs = slices.Clone(r.TagIDs)
	return r
}

// look is what the owner has to do: let agents ring, or leave.
func (s *stay) look() (offer []*deskAgent, why *departure) {
	d := s.queue.desk
	d.mu.Lock()
	defer d.mu.Unlock()
	offer, why = s.offer, s.leaving
	if len(offer) > 0 {
		s.offer = nil
		return offer, nil
	}
	return nil, why
}

// impatient tells why the stay has to leave at once, agents or not; nil: it has not.
func (s *stay) impatient() *departure {
	s.queue.desk.mu.Lock()
	defer s.queue.desk.mu.Unlock()
	if s.leaving == nil || s.leaving.patient {
		return nil
	}
	return s.leaving
}

// options of the queue as they are now.
func (s *stay) options() QueueOptions { return s.queue.Options() }

// back puts s into the line again, at its place. With whoever rang for it comes later: see settle.
func (d *desk) back(s *stay) {
	d.mu.Lock()
	defer d.unlock()
	if s.leaving != nil && s.leaving.code != QueueCallback {
		return
	}
	d.moved(s, store.QueuecallWaiting, "queuecall_requeued")
	d.enter(s)
}

// serve notes that caller and agent are joined.
func (d *desk) serve(s *stay, a *deskAgent, leg *Call) {
	d.mu.Lock()
	defer d.unlock()
	s.rec.ServiceAgentID, s.rec.AgentCallID = a.id, leg.id
	s.rec.TmService = store.At(time.Now())
	s.rec.DurationWaiting = s.rec.TmService.Sub(s.rec.TmCreate.Time).Milliseconds()
	s.queue.record.TotalServicedCount++
	d.moved(s, store.QueuecallService, "queuecall_serviced")
}

// done notes that their talk is over.
func (d *desk) done(s *stay, why departure) {
	d.mu.Lock()
	s.over(store.QueuecallDone, &why)
	s.rec.DurationService = s.rec.TmEnd.Sub(s.rec.TmService.Time).Milliseconds()
	s.queue.learn(time.Duration(s.rec.DurationService)*time.Millisecond + s.queue.o.WrapUp)
	d.moved(s, store.QueuecallDone, "queuecall_done")
	d.unlock()
	d.keep(s)
}

// abandon ends a stay that no agent has served. d.mu is held.
func (d *desk) abandon(s *stay, why *departure) {
	if s.place != nil {
		s.queue.line.remove(s.place)
		s.place = nil
	}
	s.over(store.QueuecallAbandoned, why)
	s.rec.DurationWaiting = s.rec.TmEnd.Sub(s.rec.TmCreate.Time).Milliseconds()
	s.queue.record.TotalAbandonedCount++
	d.moved(s, store.QueuecallAbandoned, "queuecall_abandoned")
}

// over takes s off the lists. d.mu is held.
func (s *stay) over(status string, why *departure) {
	if s.timer != nil {
		s.timer.Stop()
	}
	delete(s.queue.desk.stays, s.id)
	delete(s.queue.stays, s)
	s.rec.Status, s.rec.Code, s.rec.Sentence = status, why.code, why.sentence
	s.rec.TmEnd = store.At(time.Now())
}

// leave ends a stay that no agent has served. Agents that were to ring for it do not.
func (s *stay) leave(why departure) {
	d := s.queue.desk
	d.mu.Lock()
	offer := s.offer
	s.offer = nil
	d.abandon(s, &why)
	for _, a := range offer {
		d.release(a, 0)
	}
	d.unlock()
	d.keep(s)
}

// keep stores the record of a stay that is over, where the store can.
func (d *desk) keep(s *stay) {
	kept, ok := d.engine.cfg.Store.(store.Queuecalls)
	if !ok {
		return
	}
	d.mu.Lock()
	rec := s.copied()
	d.mu.Unlock()
	log := d.engine.log
	defer func() {
		if r := recover(); r != nil { // of the host's store
			log.Error("record not stored", "queuecall", s.id, "panic", r, "stack", string(debug.Stack()))
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	if err := kept.PutQueuecall(ctx, rec); err != nil {
		log.Error("record not stored", "queuecall", s.id, "err", err)
	}
}

// queued is what the flow of the caller learns.
func (s *stay) queued(why string) action.Queued {
	d := s.queue.desk
	d.mu.Lock()
	defer d.mu.Unlock()
	r := &s.rec
	return action.Queued{QueuecallID: s.id, Status: r.Status, Reason: why, AgentCallID: r.AgentCallID, Waited: time.Duration(r.DurationWaiting) * time.Millisecond}
}

// describe sets the variables of queue and queuecall, VoIPBIN's and ours; those that change are looked up when they are read.
func (s *stay) describe(vars *action.Vars, log func(name string, err error)) {
	o := s.options()
	for name, value := range map[string]string{
		"voipbin.queue.id": s.queue.id, "voipbin.queue.name": o.Name, "voipbin.queue.detail": o.Detail, "voipbin.queuecall.id": s.id,
		"voipbin.queuecall.timeout_wait":    strconv.FormatInt(o.WaitTimeout.Milliseconds(), 10),
		"voipbin.queuecall.timeout_service": strconv.FormatInt(o.ServiceTimeout.Milliseconds(), 10),
	} {
		if err := vars.Set(name, value); err != nil {
			log(name, err)
		}
	}
	number := func(f func() int) func() string {
		return func() string {
			s.queue.desk.mu.Lock()
			defer s.queue.desk.mu.Unlock()
			if n := f(); n > 0 {
				return strconv.Itoa(n)
			}
			return ""
		}
	}
	position := func() int {
		if s.place == nil {
			return 1 // agents ring
		}
		return s.queue.line.position(s.place)
	}
	vars.Define("voipbin.queuecall.position", number(position))
	vars.Define("voipbin.queuecall.estimated_wait", number(func() int {
		return int((s.queue.estimate(position()) + time.Second - 1) / time.Second)
	}))
	vars.Define("voipbin.queue.waiting", number(func() int { return s.queue.line.len() }))
	vars.Define("voipbin.queue.agents", number(func() int { return s.queue.staffed }))
}

// reach is where the caller is called back: at the number that its flow knows, or the one that it came from.
func (s *stay) reach() (address.Address, *Refusal) {
	to := s.rec.Source
	if v := strings.TrimSpace(s.caller.vars.Get(varCallback)); v != "" {
		to = address.Address{Type: address.TypeTel, Target: v}
		if strings.Contains(v, "@") {
			to.Type = address.TypeSIP
		} else if s.queue.desk.engine.cfg.Extensions != nil && !strings.HasPrefix(v, "+") {
			to.Type = address.TypeExtension
		}
	}
	to = to.Normalize()
	if to.Type == address.TypeExtension && s.queue.desk.engine.cfg.Extensions != nil {
		return to, nil
	}
	e := s.queue.desk.engine
	_, refusal := e.dialplan(s.caller.asker()).way(to)
	if refusal == nil {
		refusal = e.callable(to)
	}
	return to, refusal
}
