package call

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/callbin/callbin/store"
)

// Statuses of an agent, VoIPBIN's. Who is AgentAvailable gets calls of queues; AgentRinging and AgentBusy come and go with calls.
const (
	AgentAvailable = "available"
	AgentAway      = "away"
	AgentBusy      = "busy"
	AgentOffline   = "offline"
	AgentRinging   = "ringing"
)

// Why an agent has the status that it has: AgentState.Reason.
const (
	AgentSet    = "set"     // SetAgentStatus, or Agent.Status, said so
	AgentQueue  = "queue"   // a call of a queue rings, or is talked
	AgentWrapUp = "wrap_up" // after a call, for QueueOptions.WrapUp
	AgentMissed = "missed"  // it did not take a call of a queue
	AgentCall   = "call"    // another call: to the agent, or to or from one of its extensions
)

// settable are the statuses that a person has by choice.
var settable = []string{AgentAvailable, AgentAway, AgentBusy, AgentOffline}

// AgentState is an agent as it stands, with VoIPBIN's JSON keys and, after them, ours.
type AgentState struct {
	Agent                  // its Status is the one of now
	Reason      string     `json:"reason"`
	QueuecallID string     `json:"queuecall_id,omitempty"` // that rings, or is talked
	Missed      int        `json:"missed,omitempty"`       // calls in a row that it did not take
	TmStatus    store.Time `json:"tm_status"`              // since when it has the status
}

// ErrNoAgent is matched where no agent has the id.
var ErrNoAgent = errors.New("call: there is no such agent")

// deskAgent is an agent as the queues see it. Guarded by desk.mu, but for id.
type deskAgent struct {
	id     string
	about  Agent // as Config.Agents had it last
	status string
	reason string
	since  time.Time
	ready  uint64 // when it became free: who has the lowest is idle for longest
	missed int
	stay   *stay  // that it is rung for, or talks with; nil: none
	wish   string // status to have after the call; "": as wrap-up says
	gone   bool   // dismissed; forgotten when its call is over, lest it comes back meanwhile and has two
	others int    // calls beside those of queues
	seats  []*seat
	timer  *time.Timer // that ends a rest or wrap-up; nil: none
	turn   int         // of the status, which makes late timers harmless
}

// free tells whether it can be rung now.
func (a *deskAgent) free() bool { return a.status == AgentAvailable && a.stay == nil }

// staffed tells whether it is going to take calls without anybody's doing.
func (a *deskAgent) staffed() bool {
	return a.status == AgentAvailable || a.status == AgentBusy || a.status == AgentRinging || a.timer != nil
}

func (a *deskAgent) state() AgentState {
	s := AgentState{Agent: a.about, Reason: a.reason, Missed: a.missed, TmStatus: store.At(a.since)}
	s.Status = a.status
	if a.stay != nil {
		s.QueuecallID = a.stay.id
	}
	s.Addresses, s.Tags = slices.Clone(s.Addresses), slices.Clone(s.Tags)
	return s
}

// become gives a the status, and a free one its places in the queues. d.mu is held.
func (d *desk) become(a *deskAgent, status, reason string) {
	was := a.staffed()
	if status == AgentAvailable && a.others > 0 {
		status, reason = AgentBusy, AgentCall
	}
	same := a.status == status && a.reason == reason
	a.turn++
	if a.timer != nil {
		a.timer.Stop()
		a.timer = nil
	}
	a.status, a.reason = status, reason
	if !same {
		a.since = time.Now()
	}
	d.staff(a, was)
	if a.free() {
		a.ready = d.next()
	}
	for _, s := range a.seats {
		s.queue.pool.set(s, a.free())
	}
	if !same && !a.gone {
		d.tell(Event{Type: "agent_status_updated", Time: a.since, Data: a.state()})
	}
	d.idle(a)
}

// staff counts a among those of its queues; was tells whether it is counted. d.mu is held.
func (d *desk) staff(a *deskAgent, was bool) {
	now := a.staffed()
	for _, s := range a.seats {
		if now != was {
			if s.queue.staffed--; now {
				s.queue.staffed += 2
			}
			s.queue.deserted()
		}
	}
}

// rest gives a the status for so long, after which it is available. d.mu is held.
func (d *desk) rest(a *deskAgent, status, reason string, long time.Duration) {
	d.become(a, status, reason)
	was := a.staffed()
	turn := a.turn
	a.timer = time.AfterFunc(long, func() {
		d.mu.Lock()
		if a.turn == turn && !d.closed {
			d.become(a, AgentAvailable, AgentSet)
		}
		d.unlock()
	})
	d.staff(a, was)
}

// free takes a out of its stay. settled: it is dismissed, or has become what it wanted to be after that; else wish may still be to be
// available. d.mu is held.
func (d *desk) free(a *deskAgent) (wish string, settled bool) {
	wish = a.wish
	a.stay, a.wish = nil, ""
	switch {
	case a.gone:
		delete(d.agents, a.id)
	case wish != "" && wish != AgentAvailable:
		d.become(a, wish, AgentSet)
	default:
		return wish, false
	}
	return wish, true
}

// release ends what a did for a stay: wrap is how long it has before the next. d.mu is held.
func (d *desk) release(a *deskAgent, wrap time.Duration) {
	switch wish, settled := d.free(a); {
	case settled:
	case wish == "" && wrap > 0:
		d.rest(a, AgentBusy, AgentWrapUp, wrap)
	default:
		d.become(a, AgentAvailable, AgentSet)
	}
}

// miss notes that a did not take a call: it rests, or is away from the queue's last straw on. d.mu is held.
func (d *desk) miss(a *deskAgent, o *QueueOptions) {
	a.missed++
	switch _, settled := d.free(a); {
	case settled:
	case o.MaxMisses > 0 && a.missed >= o.MaxMisses:
		d.become(a, AgentAway, AgentMissed)
	default:
		d.rest(a, AgentAway, AgentMissed, o.missRest())
	}
}

// SetAgentStatus gives an agent a status of its choice: AgentAvailable, AgentAway, AgentBusy or AgentOffline. While a call of a queue
// rings or is talked it counts from the end of that on; wrap-up time ends at once. ErrNoAgent.
func (e *Engine) SetAgentStatus(ctx context.Context, id, status string) error {
	if !slices.Contains(settable, status) {
		return fmt.Errorf("call: agent %.80q: status %.40q is none of %s", id, status, strings.Join(settable, ", "))
	}
	a, err := e.desk.find(ctx, id)
	if err != nil {
		return err
	}
	d := &e.desk
	d.mu.Lock()
	defer d.unlock()
	if d.agents[id] != a || a.gone {
		return fmt.Errorf("%w: %.80q", ErrNoAgent, id)
	}
	a.missed = 0
	if a.stay != nil {
		a.wish = status
		return nil
	}
	if a.status != status || a.timer != nil || a.reason != AgentSet {
		d.become(a, status, AgentSet)
	}
	return nil
}

// AgentState tells how an agent stands.
func (e *Engine) AgentState(id string) (AgentState, bool) {
	e.desk.mu.Lock()
	defer e.desk.mu.Unlock()
	a := e.desk.agents[id]
	if a == nil || a.gone {
		return AgentState{}, false
	}
	return a.state(), true
}

// AgentStates yields the agents that the engine has seen, by id: all of an AgentLister, else those that had a status set.
func (e *Engine) AgentStates() iter.Seq[AgentState] {
	e.desk.mu.Lock()
	all := make([]AgentState, 0, len(e.desk.agents))
	for _, a := range e.desk.agents {
		if !a.gone {
			all = append(all, a.state())
		}
	}
	e.desk.mu.Unlock()
	slices.SortFunc(all, func(a, b AgentState) int { return strings.Compare(a.ID, b.ID) })
	return slices.Values(all)
}

// RefreshAgent reads an agent anew from Config.Agents, because its tags or addresses have changed, it is new, or gone. What it does
// at the moment goes on. ErrNoAgent where there is none.
func (e *Engine) RefreshAgent(ctx context.Context, id string) error {
	about, ok, err := e.agent(ctx, id)
	if err != nil {
		return fmt.Errorf("call: %w", err)
	}
	if ok {
		about.ID = id
		if err := checkAgents("agents", []Agent{about}); err != nil {
			return fmt.Errorf("call: %w", err)
		}
	}
	d := &e.desk
	d.mu.Lock()
	defer d.unlock()
	if !ok {
		d.dismiss(id)
		return fmt.Errorf("%w: %.80q", ErrNoAgent, id)
	}
	d.hire(about)
	return nil
}

// find returns the agent id, whom it may have to ask Config.Agents for.
func (d *desk) find(ctx context.Context, id string) (*deskAgent, error) {
	d.mu.Lock()
	a := d.agents[id]
	known := a != nil && !a.gone
	d.mu.Unlock()
	if known {
		return a, nil
	}
	if err := d.engine.RefreshAgent(ctx, id); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if a = d.agents[id]; a == nil {
		return nil, fmt.Errorf("%w: %.80q", ErrNoAgent, id)
	}
	return a, nil
}

// hire takes an agent in, or what is new about it. d.mu is held.
func (d *desk) hire(about Agent) {
	a, event := d.agents[about.ID], "agent_updated"
	if a == nil {
		a, event = &deskAgent{id: about.ID, status: AgentOffline, reason: AgentSet, since: time.Now()}, "agent_created"
		d.agents[about.ID] = a
	}
	if a.gone {
		a.gone, event = false, "agent_created"
	}
	d.index(a, false)
	a.about = about
	d.index(a, true)
	d.unseat(a)
	for _, q := range d.queues {
		if q.o.serves(&a.about) {
			d.seat(a, q)
		}
	}
	d.tell(Event{Type: event, Time: time.Now(), Data: a.state()})
	switch s := about.Status; {
	case event != "agent_created" || s == "" || s == AgentOffline:
		d.idle(a)
	case a.stay != nil:
		a.wish = s
	default:
		d.become(a, s, AgentSet)
	}
}

// dismiss forgets an agent. d.mu is held.
func (d *desk) dismiss(id string) {
	a := d.agents[id]
	if a == nil || a.gone {
		return
	}
	d.unseat(a)
	d.index(a, false)
	a.gone = true
	if a.timer != nil {
		a.timer.Stop()
		a.timer = nil
	}
	if a.stay == nil {
		delete(d.agents, id)
	}
	d.tell(Event{Type: "agent_deleted", Time: time.Now(), Data: a.state()})
}
