package call_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/store"
)

// TestQueueInRandomOrders has 20 callers and 5 agents in random orders of arrivals, hang-ups, keys, answers, refusals, silence, phones that are deaf to
// CANCEL, agents that come, go and pause, kicks, priorities and callbacks, by all methods. Each time every caller ends exactly once, as
// served or not; no agent is rung for two, nor has two calls; all counters are exact; and nothing is left.
func TestQueueInRandomOrders(t *testing.T) {
	for seed := range seeds(300) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := &queueTest{rnd: rand.New(rand.NewPCG(uint64(seed), 7)), own: map[int][]*calltest.PhoneCall{}, agents: map[string]string{}}
				q.run(t)
			})
		})
	}
}

type queueTest struct {
	*house
	rnd *rand.Rand

	mu     sync.Mutex
	rings  []*calltest.PhoneCall         // guarded by mu
	own    map[int][]*calltest.PhoneCall // guarded by mu; of each agent's phone
	agents map[string]string             // guarded by mu; the queuecall of each agent, by the events
}

const queueCallers, queueAgents = 20, 5

func (q *queueTest) some(most int) time.Duration {
	return time.Duration(q.rnd.IntN(most)) * 20 * time.Millisecond // coarse steps make them meet
}

func (q *queueTest) run(t *testing.T) {
	methods := []string{"", store.QueueLongestIdle, store.QueueRoundRobin, store.QueueRingAll}
	o := call.QueueOptions{
		RoutingMethod: methods[q.rnd.IntN(4)], RingTimeout: 300*time.Millisecond + q.some(10), MissRest: 20*time.Millisecond + q.some(20), MaxMisses: q.rnd.IntN(5), WrapUp: q.some(10),
		LeaveKey: "9", Callback: call.CallbackOptions{Key: "1", OnHangup: q.rnd.IntN(4) == 0},
	}
	if q.rnd.IntN(2) == 0 {
		o.WaitFlow = musical(t)
	}
	if q.rnd.IntN(3) == 0 {
		o.WhisperFlow = musical(t)
	}
	if q.rnd.IntN(2) == 0 {
		o.WaitTimeout = q.some(300) + time.Millisecond
	}
	if q.rnd.IntN(2) == 0 {
		o.ServiceTimeout = q.some(100) + time.Millisecond
	}
	if q.rnd.IntN(4) == 0 {
		o.MaxLength = 1 + q.rnd.IntN(10)
	}
	if q.rnd.IntN(4) == 0 {
		o.Overflow = phones(9)
	}
	o.NoAgents = []string{"", call.NoAgentsRefuse, call.NoAgentsLeave}[q.rnd.IntN(3)]
	callable := q.rnd.IntN(2) == 0
	q.house = queueing(t, queueAgents, o, func(c *call.Config) {
		if callable {
			c.Outbound.Tel = []string{"+1"}
			c.Trunks = []call.Trunk{{Name: "t", Address: "10.0.1.9:5060", Transport: "udp"}}
		}
		told := c.OnEvent
		c.OnEvent = func(e call.Event) {
			q.event(t, e)
			told(e)
		}
	})
	q.net.SetFaults(calltest.Faults{Delay: time.Duration(q.rnd.IntN(30)) * time.Millisecond})
	for n := 1; n <= queueAgents; n++ {
		q.phone(t, n)
	}
	callee(t, q.house, 9, answering(100*time.Millisecond))
	callers := make([]*calltest.PhoneCall, 0, queueCallers)
	for step := 0; step < 120; step++ {
		time.Sleep(q.some(5))
		if len(callers) < queueCallers && q.rnd.IntN(3) == 0 {
			callers = append(callers, queueCaller(t, q.house, len(callers)))
		}
		q.act(t, callers)
	}
	time.Sleep(5 * time.Second)
	for _, a := range callers {
		q.goAway(t, a)
	}
	for _, s := range q.queue(t).Calls() { // who is to be called back
		_ = q.KickQueuecall(s.ID) // one that is served is no fault
	}
	for c := range q.Calls() { // or is
		_ = c.Hangup(t.Context(), action.Ending{}) // it may be over
	}
	time.Sleep(90 * time.Second) // phones that are deaf to CANCEL
	q.nothingLeft(t, len(callers))
}

// act is one random thing that somebody does.
func (q *queueTest) act(t *testing.T, callers []*calltest.PhoneCall) {
	switch q.rnd.IntN(10) {
	case 0:
		statuses := []string{call.AgentAvailable, call.AgentAvailable, call.AgentAway, call.AgentOffline, call.AgentBusy}
		q.setAgent(t, fmt.Sprint("a", 1+q.rnd.IntN(queueAgents)), statuses[q.rnd.IntN(len(statuses))])
	case 1:
		if len(callers) > 0 {
			q.goAway(t, callers[q.rnd.IntN(len(callers))])
		}
	case 2:
		if len(callers) > 0 {
			c := callers[q.rnd.IntN(len(callers))]
			if len(c.Answers()) > 0 {
				c.Press([]string{"1", "9", "5"}[q.rnd.IntN(3)])
			}
		}
	case 3:
		all := q.queue(t).Calls()
		if len(all) > 0 {
			_ = q.SetQueuecallPriority(all[q.rnd.IntN(len(all))].ID, q.rnd.IntN(3)) // it may be over by now
		}
	case 4:
		all := q.queue(t).Calls()
		if len(all) > 0 && q.rnd.IntN(4) == 0 {
			_ = q.KickQueuecall(all[q.rnd.IntN(len(all))].ID) // so
		}
	case 5:
		o := q.queue(t).Options()
		o.WrapUp = q.some(10)
		if err := q.queue(t).Update(o); err != nil {
			t.Error(err)
		}
	}
}

// goAway hangs up. It does so beside the steps of all else: two BYEs of the very same moment get 481.
func (q *queueTest) goAway(t *testing.T, a *calltest.PhoneCall) {
	time.Sleep(777 * time.Microsecond)
	select {
	case <-a.Done():
	default:
		if len(a.Answers()) > 0 {
			a.Hangup(t)
		} else {
			a.Cancel()
		}
	}
}

// phone is an agent's, whose every call goes by chance.
func (q *queueTest) phone(t *testing.T, n int) {
	deaf := q.rnd.IntN(8) == 0
	dice := rand.New(rand.NewPCG(q.rnd.Uint64(), uint64(n)))
	callee(t, q.house, byte(n), func(p *calltest.PhoneConfig) {
		p.IgnoreCancel = deaf
		p.Accept = func(c *calltest.PhoneCall) {
			q.mu.Lock()
			q.rings = append(q.rings, c)
			before := q.own[n]
			q.own[n] = append(q.own[n], c)
			ring, act, talk, what := time.Duration(dice.IntN(4))*20*time.Millisecond, time.Duration(dice.IntN(20))*20*time.Millisecond,
				time.Duration(dice.IntN(60))*20*time.Millisecond, dice.IntN(9)
			q.mu.Unlock()
			time.Sleep(time.Millisecond) // what came before the INVITE, the phone has taken by then
			for _, o := range before {
				select {
				case <-o.Done():
				default:
					if !deaf { // such a phone rings on when the engine has given up
						t.Errorf("the phone of agent %d has two calls", n)
					}
				}
			}
			time.Sleep(ring)
			c.Ring()
			time.Sleep(act)
			switch what {
			case 0:
				c.Refuse(486)
			case 1:
				c.Refuse(603)
			case 2: // rings for ever
			default:
				c.Answer()
				select {
				case <-c.Done():
				case <-time.After(talk):
					if what > 4 && !deaf {
						q.goAway(t, c)
					}
				}
			}
		}
	})
}

// event looks at each event: an agent has one queuecall at a time, and a queuecall with one agent has one.
func (q *queueTest) event(t *testing.T, e call.Event) {
	a, ok := e.Data.(call.AgentState)
	if !ok {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	was := q.agents[a.ID]
	if a.QueuecallID != "" && was != "" && a.QueuecallID != was {
		t.Errorf("%s has %s while it has %s", a.ID, a.QueuecallID, was)
	}
	if (a.Status == call.AgentRinging) && a.QueuecallID == "" {
		t.Errorf("%s rings for nobody", a.ID)
	}
	q.agents[a.ID] = a.QueuecallID
}

func (q *queueTest) nothingLeft(t *testing.T, came int) {
	for a := range q.AgentStates() {
		if a.QueuecallID != "" || a.Status == call.AgentRinging || a.Status == call.AgentBusy && a.Reason != call.AgentSet {
			t.Errorf("left: %+v", a)
		}
	}
	q.mu.Lock()
	for i, c := range q.rings {
		select {
		case <-c.Done():
		default:
			t.Errorf("call %d of %d of the agents is left", i, len(q.rings))
		}
	}
	q.mu.Unlock()
	if left := q.queue(t).Calls(); len(left) > 0 {
		t.Errorf("left in the queue: %+v", left)
	}
	if n := q.Stats().Calls; n != 0 {
		t.Errorf("%d calls are left", n)
	}
	r := q.queue(t).Record()
	var served, abandoned int64
	ends := map[string]int{}
	q.house.mu.Lock()
	for _, e := range q.events {
		s, ok := e.Data.(store.Queuecall)
		if !ok {
			continue
		}
		if ends[s.ID] > 0 {
			t.Errorf("%s after the end of %s", e.Type, s.ID)
		}
		switch e.Type {
		case "queuecall_done":
			served++
			ends[s.ID]++
		case "queuecall_abandoned":
			abandoned++
			ends[s.ID]++
		case "queuecall_created":
			ends[s.ID] = 0
		}
	}
	q.house.mu.Unlock()
	for id, n := range ends {
		if n != 1 {
			t.Errorf("%s has ended %d times", id, n)
		}
	}
	// A caller who came too late for its call to get as far as the queue is none.
	if len(ends) > came || int(r.TotalIncomingCount) != len(ends) || r.TotalServicedCount != served || r.TotalAbandonedCount != abandoned || served+abandoned != int64(len(ends)) {
		t.Errorf("%d came, %d were served and %d not: %+v", came, served, abandoned, r)
	}
	kept := q.queuecalls(t)
	if len(kept) != len(ends) {
		t.Errorf("%d queuecalls are kept of %d", len(kept), len(ends))
	}
	for _, s := range kept {
		if !s.Over() || s.Code == "" || s.TmEnd.IsZero() || (s.Status == store.QueuecallDone) != (s.ServiceAgentID != "") {
			t.Errorf("kept %+v", s)
		}
	}
}
