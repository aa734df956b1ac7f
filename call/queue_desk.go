package call

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/store"
)

// desk is where callers and agents of all queues are brought together. Nothing polls: an arrival, a status, an end of a call each look at the
// queues that they are about, under one lock that is held for O(log n) steps and for nothing else. While a caller waits in
// a queue none of the queue's agents is free; all below keeps that true.
type desk struct {
	engine *Engine

	mu     sync.Mutex
	agents map[string]*deskAgent   // guarded by mu
	queues map[string]*Queue       // guarded by mu
	stays  map[string]*stay        // guarded by mu; those that are not over, by id
	phones map[string][]*deskAgent // guarded by mu; agents by the names of their extensions
	others map[*Call][]*deskAgent  // guarded by mu; whose calls they are that are not of queues
	turns  uint64                  // guarded by mu; orders what happens
	closed bool                    // guarded by mu

	outbox outbox // guarded by mu
}

// maxRung is how many agents ring_all rings for one caller.
const maxRung = 64

// openQueues makes the queues of the config, and takes all agents in.
func (e *Engine) openQueues() error {
	d := &e.desk
	d.engine, d.agents, d.queues, d.stays = e, map[string]*deskAgent{}, map[string]*Queue{}, map[string]*stay{}
	d.phones, d.others = map[string][]*deskAgent{}, map[*Call][]*deskAgent{}
	d.outbox.telling = true // nobody is told what is so from the start
	defer func() { d.outbox = outbox{} }()
	var errs []error
	if l, ok := e.cfg.Agents.(AgentLister); ok {
		ctx, cancel := context.WithTimeout(e.callCtx, storeTimeout)
		defer cancel()
		var all []Agent
		err := guarded(func() (err error) {
			all, err = l.AllAgents(ctx)
			return err
		})
		if err == nil {
			err = checkAgents("Config.Agents", all)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("call: the agents: %w", err))
			all = nil
		}
		d.mu.Lock()
		for _, a := range all {
			d.hire(a)
		}
		d.mu.Unlock()
	}
	for i, o := range e.cfg.Queues {
		if _, err := e.CreateQueue(o); err != nil {
			errs = append(errs, fmt.Errorf("call: Config.Queues[%d]: %w", i, err))
		}
	}
	return errors.Join(errs...)
}

// close lets no agent become available any more.
func (d *desk) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for _, a := range d.agents {
		if a.timer != nil {
			a.timer.Stop()
		}
	}
}

// next is a number that grows. d.mu is held.
func (d *desk) next() uint64 {
	d.turns++
	return d.turns
}

// tell notes an event, and keeps it for unlock. d.mu is held.
func (d *desk) tell(ev Event) {
	if d.engine.listened() {
		d.outbox.note(d.engine, ev)
	}
}

// unlock gives mu back and tells what has happened.
func (d *desk) unlock() { d.outbox.unlock(&d.mu, d.engine) }

// seat gives a its place in q. d.mu is held.
func (d *desk) seat(a *deskAgent, q *Queue) {
	s := &seat{agent: a, queue: q, index: -1}
	a.seats = append(a.seats, s)
	q.seats[a] = s
	if a.staffed() {
		q.staffed++
	}
	q.pool.set(s, a.free())
}

// unseat takes a out of all queues. d.mu is held.
func (d *desk) unseat(a *deskAgent) {
	seats := a.seats
	a.seats = nil
	for _, s := range seats {
		q := s.queue
		q.pool.set(s, false)
		delete(q.seats, a)
		if a.staffed() {
			q.staffed--
			q.deserted()
		}
	}
}

// idle looks for a caller for a, in all of its queues: the one of the highest priority and, of these, the one who came first. d.mu is held.
func (d *desk) idle(a *deskAgent) {
	for a.free() && !d.closed {
		var best *Queue
		var first *spot
		for _, s := range a.seats {
			if p := s.queue.line.head(); p != nil && (first == nil || p.before(first)) {
				best, first = s.queue, p
			}
		}
		if best == nil {
			return
		}
		d.match(best)
	}
}

// match brings those who wait in q together with its free agents. d.mu is held.
func (d *desk) match(q *Queue) {
	for q.pool.Len() > 0 && !d.closed {
		p := q.line.head()
		if p == nil {
			return
		}
		d.offer(p.stay, q.pool.pick(maxRung))
	}
}

// offer has agents ring for s: they are nobody else's from now on. d.mu is held.
func (d *desk) offer(s *stay, seats []*seat) {
	q := s.queue
	q.line.remove(s.place)
	s.place = nil
	s.offer = nil
	for _, st := range seats {
		st.turn = d.next()
		st.agent.stay = s
		s.offer = append(s.offer, st.agent)
	}
	s.rec.Tries++
	d.moved(s, store.QueuecallConnecting, "queuecall_connecting")
	for _, a := range s.offer {
		d.become(a, AgentRinging, AgentQueue)
	}
	s.poke()
}

// enter puts s into the line, and brings it together with whoever is free. d.mu is held.
func (d *desk) enter(s *stay) {
	s.place = &spot{stay: s, priority: s.rec.Priority, arrival: s.arrival}
	s.queue.line.add(s.place)
	d.match(s.queue)
}

// moved gives s a status and tells. d.mu is held.
func (d *desk) moved(s *stay, status, event string) {
	s.rec.Status, s.rec.TmUpdate = status, store.At(time.Now())
	d.tell(Event{Type: event, CallID: s.rec.ReferenceID, Time: s.rec.TmUpdate.Time, Data: s.copied()})
}

// deserted lets who waits leave a queue that has lost its last agent, where the queue wants that. d.mu is held.
func (q *Queue) deserted() {
	if q.staffed > 0 || q.o.NoAgents != NoAgentsLeave {
		return
	}
	for p := range q.line.all {
		q.desk.dismissStay(p.stay, noAgentsLeft)
	}
}

// dismissStay asks the owner of s to leave, for reason why. d.mu is held.
func (d *desk) dismissStay(s *stay, why departure) {
	if s.leaving == nil && s.rec.Status != store.QueuecallService {
		s.leaving = &why
		s.poke()
	}
}

// KickQueuecall puts a caller who waits out of its queue, by the id of its queuecall or of its call: its flow goes on. Talks are not
// ended: hang one of their calls up. ErrNoQueuecall.
func (e *Engine) KickQueuecall(id string) error {
	d := &e.desk
	d.mu.Lock()
	defer d.unlock()
	s := d.stayOf(id)
	if s == nil || s.rec.Status == store.QueuecallService {
		return fmt.Errorf("%w, or it is served: %.80q", ErrNoQueuecall, id)
	}
	d.dismissStay(s, kicked)
	return nil
}

// SetQueuecallPriority moves a caller up or down the line, by the id of its queuecall or of its call. ErrNoQueuecall.
func (e *Engine) SetQueuecallPriority(id string, priority int) error {
	d := &e.desk
	d.mu.Lock()
	defer d.unlock()
	s := d.stayOf(id)
	if s == nil {
		return fmt.Errorf("%w: %.80q", ErrNoQueuecall, id)
	}
	s.rec.Priority = priority
	if s.place != nil {
		s.queue.line.remove(s.place)
		d.enter(s)
	}
	return nil
}

// Queuecall returns a queuecall that is not over, by its id or that of its call.
func (e *Engine) Queuecall(id string) (store.Queuecall, bool) {
	e.desk.mu.Lock()
	defer e.desk.mu.Unlock()
	s := e.desk.stayOf(id)
	if s == nil {
		return store.Queuecall{}, false
	}
	return s.copied(), true
}

// stayOf finds a stay by its own id, or by that of its call. d.mu is held.
func (d *desk) stayOf(id string) *stay {
	if s := d.stays[id]; s != nil {
		return s
	}
	for _, s := range d.stays { // by people and programs, not for each event
		if s.rec.ReferenceID == id {
			return s
		}
	}
	return nil
}

// queue finds a queue for who wants to join it.
func (d *desk) queue(id string) (*Queue, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if q := d.queues[id]; q != nil {
		return q, nil
	}
	return nil, fmt.Errorf("call: %.80q: %w", id, action.ErrNoQueue)
}

// estimate is how long who stands at position has to wait; 0: not known. d.mu is held.
func (q *Queue) estimate(position int) time.Duration {
	return q.handle * time.Duration(position) / time.Duration(max(1, q.staffed))
}

// learn takes what a call took of an agent into the mean. d.mu is held.
func (q *Queue) learn(took time.Duration) {
	if q.handle == 0 {
		q.handle = took
	}
	q.handle += (took - q.handle) / 8
}
