package call

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/store"
)

// Defaults of QueueOptions.
const (
	DefaultAgentRing = 20 * time.Second
	DefaultMissRest  = 5 * time.Second
)

// What a queue does that has no agents: QueueOptions.NoAgents.
const (
	NoAgentsWait   = "wait"   // who comes waits all the same; what "" is
	NoAgentsRefuse = "refuse" // who comes is not taken; who waits already goes on waiting
	NoAgentsLeave  = "leave"  // who comes is not taken, and who waits leaves
)

// QueueOptions of one queue. The zero value has a random id, all agents, and no limits.
type QueueOptions struct {
	ID     string // any text of 1 to 255 bytes; "": a new UUID
	Name   string
	Detail string

	// RoutingMethod is store.QueueRandom, which is also what "" is, QueueLongestIdle, QueueRoundRobin or QueueRingAll.
	RoutingMethod string
	// Tags are skills: the agents of the queue share at least one with it or, with AllTags, have all. None: all agents are the queue's.
	Tags    []string
	AllTags bool

	// WaitFlowID is a flow that runs on a caller who waits, again and again, until an agent has answered (Config.FlowByID); WaitFlow is one at
	// hand, and comes first. None: nothing is heard; who has not been answered hears its own phone's ringing.
	WaitFlowID string
	WaitFlow   flow.Program
	// WhisperFlowID, or WhisperFlow, runs on the leg of the agent who answered, before it hears the caller: what it plays the caller
	// does not hear. It has the variables of the queue. Its failure is in the log only; an agent who hangs up meanwhile has not taken the call.
	WhisperFlowID string
	WhisperFlow   flow.Program

	Priority       int           // of callers for whom nothing else is said; higher is served first
	WaitTimeout    time.Duration // from the arrival; when an agent rings at that moment, that is waited for; 0: none
	ServiceTimeout time.Duration // of the talk; 0: none
	MaxLength      int           // of those that wait; who comes then is not taken; 0: none

	RingTimeout time.Duration // of an agent; 0: DefaultAgentRing
	// MissRest is how long an agent that did not take a call is left alone; who has missed MaxMisses in a row is away until somebody
	// says otherwise. 0: DefaultMissRest; MaxMisses 0: never.
	MissRest  time.Duration
	MaxMisses int
	WrapUp    time.Duration // that an agent has after each call, before the next

	NoAgents string // NoAgentsWait, NoAgentsRefuse or NoAgentsLeave
	// Overflow takes who is not taken, has waited too long, or has no agents any more: the caller is connected with the first of these that
	// answers. None: the flow goes on, with the reason in the result of its step.
	Overflow []address.Address
	LeaveKey string // keys, any one of which lets a waiting caller leave the queue
	Callback CallbackOptions
}

// CallbackOptions let a caller keep its place without waiting on the line: when it has an agent, the agent is rung, and the caller dialled.
type CallbackOptions struct {
	Key      string // keys, any one of which asks for it; the flow goes on then
	OnHangup bool   // who hangs up while it waits is called back, too
	// Source is who the caller sees as calling. The zero value: the Caller of the trunk.
	Source      address.Address
	RingTimeout time.Duration // of the caller's phone; 0: Config.RingTimeout
}

func (o *QueueOptions) ring() time.Duration     { return cmp.Or(o.RingTimeout, DefaultAgentRing) }
func (o *QueueOptions) missRest() time.Duration { return cmp.Or(o.MissRest, DefaultMissRest) }

// serves tells whether a is one of the queue's agents.
func (o *QueueOptions) serves(a *Agent) bool {
	if len(o.Tags) == 0 {
		return true
	}
	has := func(tag string) bool { return slices.Contains(a.Tags, tag) }
	if o.AllTags {
		return !slices.ContainsFunc(o.Tags, func(tag string) bool { return !has(tag) })
	}
	return slices.ContainsFunc(o.Tags, has)
}

// check tells all that is wrong with o; what says where it stands.
func (o *QueueOptions) check(what string) error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s %.40q: %w", what, o.ID, fmt.Errorf(format, args...)))
	}
	if o.ID != "" {
		if err := checkRoom(o.ID); err != nil {
			bad("%w", err)
		}
	}
	switch o.RoutingMethod {
	case "", store.QueueRandom, store.QueueLongestIdle, store.QueueRoundRobin, store.QueueRingAll:
	default:
		bad("routing method %.40q is none of %s, %s, %s and %s", o.RoutingMethod, store.QueueRandom, store.QueueLongestIdle, store.QueueRoundRobin, store.QueueRingAll)
	}
	switch o.NoAgents {
	case "", NoAgentsWait, NoAgentsRefuse, NoAgentsLeave:
	default:
		bad("no-agents policy %.40q is none of %s, %s and %s", o.NoAgents, NoAgentsWait, NoAgentsRefuse, NoAgentsLeave)
	}
	if min(o.WaitTimeout, o.ServiceTimeout, o.RingTimeout, o.MissRest, o.WrapUp, o.Callback.RingTimeout) < 0 || o.MaxLength < 0 || o.MaxMisses < 0 {
		bad("a time or limit is negative")
	}
	for _, keys := range []string{o.LeaveKey, o.Callback.Key} {
		if i := strings.IndexFunc(keys, func(r rune) bool { return !strings.ContainsRune("0123456789*#ABCD", r) }); i >= 0 {
			bad("%q is not a key", keys[i:])
		}
	}
	if strings.ContainsAny(o.LeaveKey, o.Callback.Key) {
		bad("a key cannot both leave the queue and ask for a callback")
	}
	if len(o.Overflow) > action.MaxDestinations {
		bad("%d overflow destinations are more than %d", len(o.Overflow), action.MaxDestinations)
	}
	for i, a := range o.Overflow {
		if a.Type == address.TypeConference {
			continue
		}
		if err := a.Normalize().Validate(); err != nil {
			bad("overflow[%d]: %w", i, err)
		}
	}
	return errors.Join(errs...)
}

func (o QueueOptions) clone() QueueOptions {
	o.Tags, o.Overflow = slices.Clone(o.Tags), slices.Clone(o.Overflow)
	o.RoutingMethod = cmp.Or(o.RoutingMethod, store.QueueRandom)
	return o
}

// Queue is where callers wait for agents. All of its methods are safe for any goroutine.
type Queue struct {
	desk *desk
	id   string

	// Guarded by desk.mu.
	o       QueueOptions
	line    waitLine
	seats   map[*deskAgent]*seat
	pool    pool
	stays   map[*stay]bool // those that are not over
	staffed int            // seats whose agents are staffed
	record  store.Queue    // its counters and times
	handle  time.Duration  // that an agent needs for a caller, a moving mean; 0: not known
	gone    bool           // deleted
}

var (
	// ErrQueueExists is returned by CreateQueue for an id that is taken.
	ErrQueueExists = errors.New("call: there is a queue of that id")
	// ErrNoQueuecall is matched where nobody is in a queue by that id.
	ErrNoQueuecall = errors.New("call: there is no such queuecall")
)

// CreateQueue makes a queue, which lives until DeleteQueue.
func (e *Engine) CreateQueue(o QueueOptions) (*Queue, error) {
	return e.createQueue(o, store.At(time.Now()))
}

// createQueue makes one that is there since a time.
func (e *Engine) createQueue(o QueueOptions, since store.Time) (*Queue, error) {
	if err := o.check("call: queue"); err != nil {
		return nil, err
	}
	o.ID = cmp.Or(o.ID, newID())
	d := &e.desk
	d.mu.Lock()
	defer d.unlock()
	if d.queues[o.ID] != nil {
		return nil, fmt.Errorf("%w: %q", ErrQueueExists, o.ID)
	}
	q := &Queue{desk: d, id: o.ID, seats: map[*deskAgent]*seat{}, stays: map[*stay]bool{}, record: store.Queue{TmCreate: since, TmUpdate: since}}
	d.queues[q.id] = q
	q.become(o)
	d.tell(Event{Type: "queue_created", Time: since.Time, Data: q.state()})
	return q, nil
}

// become gives q the options. d.mu is held.
func (q *Queue) become(o QueueOptions) {
	d := q.desk
	o.ID = q.id
	q.o = o.clone()
	q.seats, q.pool, q.staffed = map[*deskAgent]*seat{}, pool{method: q.o.RoutingMethod}, 0
	// In the order in which they became free, so that a new pool is as the old one.
	for _, a := range slices.SortedFunc(maps.Values(d.agents), func(a, b *deskAgent) int { return cmp.Or(cmp.Compare(a.ready, b.ready), cmp.Compare(a.id, b.id)) }) {
		a.seats = slices.DeleteFunc(a.seats, func(s *seat) bool { return s.queue == q })
		if !a.gone && q.o.serves(&a.about) {
			d.seat(a, q)
		}
	}
	d.match(q)
	q.deserted()
}

// Queue returns the queue called id, until it is deleted.
func (e *Engine) Queue(id string) (*Queue, bool) {
	e.desk.mu.Lock()
	defer e.desk.mu.Unlock()
	q, ok := e.desk.queues[id]
	return q, ok
}

// Queues yields the queues that there are, by id.
func (e *Engine) Queues() iter.Seq[*Queue] {
	e.desk.mu.Lock()
	defer e.desk.mu.Unlock()
	return slices.Values(slices.SortedFunc(maps.Values(e.desk.queues), func(a, b *Queue) int { return strings.Compare(a.id, b.id) }))
}

// DeleteQueue ends a queue: who waits in it leaves, and their flows go on; talks go on. action.ErrNoQueue.
func (e *Engine) DeleteQueue(id string) error {
	d := &e.desk
	d.mu.Lock()
	defer d.unlock()
	q := d.queues[id]
	if q == nil {
		return fmt.Errorf("call: delete queue %.80q: %w", id, action.ErrNoQueue)
	}
	delete(d.queues, id)
	q.gone = true
	now := store.At(time.Now())
	q.record.TmDelete, q.record.TmUpdate = now, now
	for _, a := range d.agents {
		a.seats = slices.DeleteFunc(a.seats, func(s *seat) bool { return s.queue == q })
	}
	q.seats, q.pool.seats = map[*deskAgent]*seat{}, nil
	for s := range q.stays {
		d.dismissStay(s, queueDeleted)
	}
	d.tell(Event{Type: "queue_deleted", Time: now.Time, Data: q.state()})
	return nil
}

// ID returns the queue's id.
func (q *Queue) ID() string { return q.id }

// Options returns what the queue was made or updated with.
func (q *Queue) Options() QueueOptions {
	q.desk.mu.Lock()
	defer q.desk.mu.Unlock()
	return q.o.clone()
}

// Update gives the queue other options, all but its id. Who waits keeps its place, and times that run.
func (q *Queue) Update(o QueueOptions) error {
	if err := o.check("call: queue"); err != nil {
		return err
	}
	d := q.desk
	d.mu.Lock()
	defer d.unlock()
	if q.gone {
		return fmt.Errorf("call: update queue %.80q: %w", q.id, action.ErrNoQueue)
	}
	q.record.TmUpdate = store.At(time.Now())
	q.become(o)
	d.tell(Event{Type: "queue_updated", Time: q.record.TmUpdate.Time, Data: q.state()})
	return nil
}

// Record returns the queue as it is now.
func (q *Queue) Record() store.Queue {
	q.desk.mu.Lock()
	defer q.desk.mu.Unlock()
	return q.state()
}

// Calls returns the queuecalls that are not over: those that wait in the order of service, then the others by age.
func (q *Queue) Calls() []store.Queuecall {
	q.desk.mu.Lock()
	defer q.desk.mu.Unlock()
	all := make([]store.Queuecall, 0, len(q.stays))
	for p := range q.line.all {
		all = append(all, p.stay.copied())
	}
	waiting := len(all)
	for s := range q.stays {
		if s.place == nil {
			all = append(all, s.copied())
		}
	}
	slices.SortFunc(all[waiting:], func(a, b store.Queuecall) int {
		return cmp.Or(a.TmCreate.Compare(b.TmCreate.Time), strings.Compare(a.ID, b.ID))
	})
	return all
}

// state is the queue as a record. d.mu is held.
func (q *Queue) state() store.Queue {
	r := q.record
	o := &q.o
	r.ID, r.Name, r.Detail, r.RoutingMethod, r.TagIDs, r.WaitFlowID = q.id, o.Name, o.Detail, o.RoutingMethod, slices.Clone(o.Tags), o.WaitFlowID
	r.WaitTimeout, r.ServiceTimeout = o.WaitTimeout.Milliseconds(), o.ServiceTimeout.Milliseconds()
	for p := range q.line.all {
		r.WaitQueuecallIDs = append(r.WaitQueuecallIDs, p.stay.id)
	}
	for s := range q.stays {
		if s.rec.Status == store.QueuecallService {
			r.ServiceQueuecallIDs = append(r.ServiceQueuecallIDs, s.id)
		}
	}
	r.AgentsAvailable, r.AgentsStaffed = q.pool.Len(), q.staffed
	return r
}
