package call_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/store"
)

const join = `[{"id":"q","type":"queue_join","option":{"queue_id":"support"}},{"type":"answer"},{"type":"play","option":{"stream_urls":["http://tone/700"]}}]`

// queueing is a house with the queue support, of agents a1 to an, who have the phones 1 to n.
func queueing(t *testing.T, n int, o call.QueueOptions, change ...func(*call.Config)) *house {
	t.Helper()
	o.ID = "support"
	return open(t, map[string]string{"100": join}, append([]func(*call.Config){outbound, func(c *call.Config) {
		c.Queues = []call.QueueOptions{o}
		var list []call.Agent
		for i := 1; i <= n; i++ {
			list = append(list, call.Agent{ID: fmt.Sprint("a", i), Addresses: phones(i), Status: call.AgentAvailable})
		}
		c.Agents = call.ListAgents(list...)
	}}, change...)...)
}

// caller n, whose number tells who it is.
func queueCaller(t *testing.T, h *house, n int) *calltest.PhoneCall {
	t.Helper()
	p := calltest.NewPhone(t, h.net, calltest.PhoneConfig{User: fmt.Sprint("+1212555", 1000+n), Addr: netip.AddrFrom4([4]byte{10, 0, 2, byte(n + 1)})})
	return p.Start(t, "100")
}

func (h *house) queue(t *testing.T) *call.Queue {
	t.Helper()
	q, ok := h.Queue("support")
	if !ok {
		t.Fatal("there is no queue")
	}
	return q
}

// queuecalls stops the engine and returns what it kept, the oldest first.
func (h *house) queuecalls(t *testing.T) []store.Queuecall {
	t.Helper()
	h.stop()
	page, _, err := h.store.(store.Queuecalls).ListQueuecalls(t.Context(), store.QueuecallFilter{})
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(page)
	return page
}

// of are the events of a type's beginning, as "type status".
func (h *house) queueEvents(prefix string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []string
	for _, e := range h.events {
		switch d := e.Data.(type) {
		case store.Queuecall:
			if strings.HasPrefix(e.Type, prefix) {
				all = append(all, strings.TrimPrefix(e.Type, "queuecall_")+" "+d.Status)
			}
		case call.AgentState:
			if strings.HasPrefix(e.Type, prefix) {
				all = append(all, d.ID+" "+d.Status+" "+d.Reason)
			}
		}
	}
	return all
}

func agentStatus(t *testing.T, h *house, id string) string {
	t.Helper()
	s, ok := h.AgentState(id)
	if !ok {
		t.Fatalf("there is no agent %s", id)
	}
	return s.Status + " " + s.Reason
}

func (h *house) setAgent(t *testing.T, id, status string) {
	t.Helper()
	if err := h.SetAgentStatus(t.Context(), id, status); err != nil {
		t.Fatal(err)
	}
}

// TestQueueServesACaller: the caller hears the wait flow, an agent rings, both hear each other, and the caller's flow goes on after it.
func TestQueueServesACaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := queueing(t, 1, call.QueueOptions{Name: "Support", WaitFlow: musical(t), WrapUp: 10 * time.Second})
		h.setAgent(t, "a1", call.AgentAway)
		agent := callee(t, h, 1)
		a := queueCaller(t, h, 1)
		a.WaitAnswer(t) // by the wait flow
		time.Sleep(3 * time.Second)
		if !calltest.Hears(a.Heard(), 400) {
			t.Error("the caller hears no music")
		}
		q := h.queue(t)
		if r := q.Record(); len(r.WaitQueuecallIDs) != 1 || r.TotalIncomingCount != 1 || r.TotalServicedCount != 0 || r.AgentsStaffed != 0 {
			t.Errorf("while it waits: %+v", r)
		}
		h.setAgent(t, "a1", call.AgentAvailable)
		b := agent.WaitCall(t)
		b.Ring()
		time.Sleep(2 * time.Second)
		if got := agentStatus(t, h, "a1"); got != "ringing queue" {
			t.Errorf("the agent that rings is %s", got)
		}
		if c := q.Calls(); len(c) != 1 || c[0].Status != store.QueuecallConnecting || c[0].Tries != 1 {
			t.Errorf("while it rings: %+v", c)
		}
		heard := len(a.Heard())
		b.Answer()
		b.WaitAnswer(t)
		a.Say(calltest.Tone(500, time.Second))
		b.Say(calltest.Tone(800, time.Second))
		time.Sleep(1500 * time.Millisecond)
		if got := a.Heard()[heard+2000:]; !calltest.Hears(got, 800) || calltest.Hears(got, 400) || !calltest.Hears(b.Heard(), 500) || calltest.Hears(b.Heard(), 400) {
			t.Error("the two do not hear each other, and nothing else")
		}
		if got := agentStatus(t, h, "a1"); got != "busy queue" {
			t.Errorf("the agent that talks is %s", got)
		}
		b.Hangup(t)
		a.WaitEnd(t)
		if !calltest.Hears(a.Heard()[len(a.Heard())-6000:], 700) {
			t.Error("the caller's flow does not go on")
		}
		if got := agentStatus(t, h, "a1"); got != "busy wrap_up" {
			t.Errorf("the agent after the call is %s", got)
		}
		time.Sleep(10 * time.Second)
		if got := agentStatus(t, h, "a1"); got != "available set" {
			t.Errorf("the agent after its wrap-up is %s", got)
		}
		if got, want := h.queueEvents("queuecall_"), []string{"created initiating", "waiting waiting", "connecting connecting", "serviced service", "done done"}; !slices.Equal(got, want) {
			t.Errorf("events %v, want %v", got, want)
		}
		if got, want := h.queueEvents("agent_"), []string{"a1 away set", "a1 available set", "a1 ringing queue", "a1 busy queue", "a1 busy wrap_up", "a1 available set"}; !slices.Equal(got, want) {
			t.Errorf("events of the agent %v, want %v", got, want)
		}
		kept := h.queuecalls(t)
		if len(kept) != 1 || kept[0].Status != store.QueuecallDone || kept[0].Code != call.QueueServed || kept[0].ServiceAgentID != "a1" || kept[0].AgentCallID == "" ||
			kept[0].DurationWaiting < 5000 || kept[0].DurationWaiting > 5200 || kept[0].DurationService < 1400 || kept[0].DurationService > 1700 || kept[0].QueueID != "support" {
			t.Errorf("kept %+v", kept)
		}
		in, out := byDirection(t, h)
		if len(out) != 1 || out[0].MasterCallID != in.ID || out[0].ID != kept[0].AgentCallID || out[0].JourneyID != in.JourneyID {
			t.Errorf("legs %+v", out)
		}
		wantLinks(t, h, in.ID, "queue_enter support waiting", "queue_agent support ringing", "queue_agent support answered", "queue_leave support done")
		if r := q.Record(); r.TotalIncomingCount != 1 || r.TotalServicedCount != 1 || r.TotalAbandonedCount != 0 {
			t.Errorf("counters %+v", r)
		}
	})
}

// musical is a wait flow: it answers, and plays 400 Hz for a second.
func musical(t *testing.T) flow.Program {
	t.Helper()
	f, err := flow.Parse([]byte(`[{"type":"answer"},{"type":"play","option":{"stream_urls":["http://tone/400"]}}]`),
		flow.ParseOptions{Registry: action.Builtin(action.Deps{Prompts: tonePrompts{}}), Name: "wait"})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// wantLinks compares the links in the trace of a call that is over.
func wantLinks(t *testing.T, h *house, id string, want ...string) {
	t.Helper()
	trace, err := h.store.Trace(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	inputs, err := call.DecodeTrace(trace)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, in := range inputs {
		if l := in.Link; l != nil {
			got = append(got, strings.Join([]string{l.What, l.Queue, l.Detail}, " "))
			if (l.What == "queue_agent") != (l.CallID != "") {
				t.Errorf("link %+v", l)
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("links %q, want %q", got, want)
	}
}

// TestQueueServesInOrder: by priority, then by arrival, whatever the agents do.
func TestQueueServesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := queueing(t, 1, call.QueueOptions{RoutingMethod: store.QueueLongestIdle, WaitFlow: musical(t)})
		h.setAgent(t, "a1", call.AgentAway)
		agent := callee(t, h, 1)
		var callers []*calltest.PhoneCall
		for n := range 5 {
			callers = append(callers, queueCaller(t, h, n))
			time.Sleep(time.Second)
		}
		q := h.queue(t)
		waiting := q.Calls()
		if err := h.SetQueuecallPriority(waiting[3].ID, 7); err != nil {
			t.Fatal(err)
		}
		if err := h.SetQueuecallPriority(waiting[0].ReferenceID, -1); err != nil {
			t.Fatal(err)
		}
		h.setAgent(t, "a1", call.AgentAvailable)
		var order []string
		for range 5 {
			b := agent.WaitCall(t)
			from := b.Invite().Header("From")
			order = append(order, from[strings.Index(from, "+1212555")+9:][:3])
			b.Answer()
			b.WaitAnswer(t)
			time.Sleep(time.Second)
			b.Hangup(t)
		}
		if want := []string{"003", "001", "002", "004", "000"}; !slices.Equal(order, want) {
			t.Errorf("served in the order %v, want %v", order, want)
		}
		for _, c := range callers {
			c.WaitEnd(t)
		}
	})
}

// ringOrder has n callers come one after the other, each of whom talks for a second, and returns which phones rang for them.
func ringOrder(t *testing.T, h *house, agents, calls int) []int {
	t.Helper()
	rang := make(chan int, 100)
	for n := 1; n <= agents; n++ {
		callee(t, h, byte(n), accepting(func(c *calltest.PhoneCall) {
			rang <- n
			c.Ring()
			time.Sleep(time.Second)
			c.Answer()
			time.Sleep(time.Second)
			c.Hangup(t)
		}))
	}
	var order []int
	for n := range calls {
		a := queueCaller(t, h, n)
		order = append(order, <-rang)
		a.WaitEnd(t)
		time.Sleep(time.Second)
	}
	return order
}

// TestQueueMethods tells who rings, by each method.
func TestQueueMethods(t *testing.T) {
	for method, want := range map[string][]int{store.QueueLongestIdle: {1, 2, 3, 1, 2}, store.QueueRoundRobin: {1, 2, 3, 1, 2}} {
		t.Run(method, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := queueing(t, 3, call.QueueOptions{RoutingMethod: method})
				if got := ringOrder(t, h, 3, 5); !slices.Equal(got, want) {
					t.Errorf("rang %v, want %v", got, want)
				}
			})
		})
	}
	t.Run("a pause", func(t *testing.T) { // makes an agent the one that is idle for the shortest time, but not the last in the round
		for method, want := range map[string][]int{store.QueueLongestIdle: {2, 3, 1}, store.QueueRoundRobin: {1, 2, 3}} {
			synctest.Test(t, func(t *testing.T) {
				h := queueing(t, 3, call.QueueOptions{RoutingMethod: method})
				for _, id := range []string{"a1"} {
					h.setAgent(t, id, call.AgentAway)
					h.setAgent(t, id, call.AgentAvailable)
				}
				if method == store.QueueRoundRobin { // whose turn it never was: by how long they are idle
					want = []int{2, 3, 1}
				}
				if got := ringOrder(t, h, 3, 3); !slices.Equal(got, want) {
					t.Errorf("%s rang %v, want %v", method, got, want)
				}
			})
		}
	})
	t.Run(store.QueueRandom, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := queueing(t, 3, call.QueueOptions{})
			got := ringOrder(t, h, 3, 40)
			for n := 1; n <= 3; n++ {
				if !slices.Contains(got, n) { // by chance once in ten million
					t.Errorf("%d never rang: %v", n, got)
				}
			}
		})
	})
	t.Run(store.QueueRingAll, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := queueing(t, 3, call.QueueOptions{RoutingMethod: store.QueueRingAll})
			var all []*calltest.Phone
			for n := 1; n <= 3; n++ {
				all = append(all, callee(t, h, byte(n)))
			}
			a := queueCaller(t, h, 0)
			var legs []*calltest.PhoneCall
			for _, p := range all {
				c := p.WaitCall(t)
				c.Ring()
				legs = append(legs, c)
			}
			time.Sleep(time.Second)
			legs[1].Answer()
			a.WaitAnswer(t)
			legs[0].WaitEnd(t)
			legs[2].WaitEnd(t)
			synctest.Wait()
			for n, want := range []string{"available set", "busy queue", "available set"} {
				if got := agentStatus(t, h, fmt.Sprint("a", n+1)); got != want {
					t.Errorf("agent %d is %s, want %s", n+1, got, want)
				}
			}
			legs[1].Hangup(t)
			a.WaitEnd(t)
		})
	})
}

// TestQueueSkills: agents share a tag with the queue, or have all of its tags.
func TestQueueSkills(t *testing.T) {
	for _, c := range []struct {
		tags []string
		all  bool
		want []int
	}{{nil, false, []int{1, 2, 3}}, {[]string{"german", "dutch"}, false, []int{2, 3}}, {[]string{"german", "dutch"}, true, []int{3}}} {
		synctest.Test(t, func(t *testing.T) {
			h := queueing(t, 0, call.QueueOptions{Tags: c.tags, AllTags: c.all, RoutingMethod: store.QueueRingAll}, func(cfg *call.Config) {
				cfg.Agents = call.ListAgents(
					call.Agent{ID: "a1", Addresses: phones(1), Tags: []string{"french"}, Status: call.AgentAvailable},
					call.Agent{ID: "a2", Addresses: phones(2), Tags: []string{"german"}, Status: call.AgentAvailable},
					call.Agent{ID: "a3", Addresses: phones(3), Tags: []string{"dutch", "german"}, Status: call.AgentAvailable})
			})
			rang := make(chan int, 3)
			for n := 1; n <= 3; n++ {
				callee(t, h, byte(n), accepting(func(*calltest.PhoneCall) { rang <- n }))
			}
			a := queueCaller(t, h, 0)
			time.Sleep(time.Second)
			a.Cancel()
			var got []int
			for len(rang) > 0 {
				got = append(got, <-rang)
			}
			slices.Sort(got)
			if !slices.Equal(got, c.want) || h.queue(t).Record().AgentsAvailable+h.queue(t).Record().AgentsStaffed < len(c.want) {
				t.Errorf("%v, all %t: rang %v, want %v", c.tags, c.all, got, c.want)
			}
			time.Sleep(time.Second)
		})
	}
}

// TestQueueAgentDoesNotTakeIt: the caller comes back to the head of the line, the agent rests, and is away in the end.
func TestQueueAgentDoesNotTakeIt(t *testing.T) {
	for name, phone := range map[string]func(*calltest.PhoneConfig){
		"silent": ringing(), "busy": refusing(486), "declines": refusing(603), "deaf": func(p *calltest.PhoneConfig) {
			p.IgnoreCancel = true
			p.Accept = func(c *calltest.PhoneCall) { c.Ring() }
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := queueing(t, 2, call.QueueOptions{RoutingMethod: store.QueueLongestIdle, RingTimeout: 4 * time.Second, MissRest: 3 * time.Second, MaxMisses: 2, WaitFlow: musical(t)})
				h.setAgent(t, "a2", call.AgentOffline)
				callee(t, h, 1, phone)
				second := callee(t, h, 2)
				a := queueCaller(t, h, 0)
				time.Sleep(100 * time.Millisecond)
				late := queueCaller(t, h, 1)
				time.Sleep(5 * time.Second)
				if got := agentStatus(t, h, "a1"); name != "deaf" && got != "away missed" && got != "ringing queue" {
					t.Errorf("the agent is %s", got)
				}
				time.Sleep(55 * time.Second)
				if got := agentStatus(t, h, "a1"); got != "away missed" {
					t.Errorf("the agent in the end is %s", got)
				}
				if c := h.queue(t).Calls(); len(c) != 2 || c[0].Tries != 2 || c[1].Tries != 0 || c[0].Status != store.QueuecallWaiting {
					t.Errorf("who waits: %+v", c)
				}
				h.setAgent(t, "a2", call.AgentAvailable)
				b := second.WaitCall(t)
				if from := b.Invite().Header("From"); !strings.Contains(from, "1000") {
					t.Errorf("served first is %s", from)
				}
				b.Answer()
				b.WaitAnswer(t)
				time.Sleep(time.Second)
				b.Hangup(t)
				a.WaitEnd(t)
				late.Hangup(t)
				time.Sleep(time.Minute)
				if got, want := h.queueEvents("queuecall_requeued"), []string{"requeued waiting", "requeued waiting"}; !slices.Equal(got, want) {
					t.Errorf("events %v", got)
				}
				if r := h.queue(t).Record(); r.TotalIncomingCount != 2 || r.TotalServicedCount != 1 || r.TotalAbandonedCount != 1 {
					t.Errorf("%+v", r)
				}
			})
		})
	}
}

// TestQueuePassesOverWhoIsInAnotherCall: one that an agent got as an agent, by its extension, or has placed itself.
func TestQueuePassesOverWhoIsInAnotherCall(t *testing.T) {
	for name, other := range map[string]func(t *testing.T, h *house, p *calltest.Phone) (b *calltest.PhoneCall){
		"to the agent": func(t *testing.T, h *house, p *calltest.Phone) *calltest.PhoneCall {
			if _, err := h.Dial(t.Context(), call.DialOptions{Destination: agents("a1")[0], Flow: new(stay).program()}); err != nil {
				t.Fatal(err)
			}
			return p.WaitCall(t)
		},
		"to its extension": func(t *testing.T, h *house, p *calltest.Phone) *calltest.PhoneCall {
			if _, err := h.Dial(t.Context(), call.DialOptions{Destination: address.Address{Type: address.TypeExtension, Target: "200"}, Flow: new(stay).program()}); err != nil {
				t.Fatal(err)
			}
			return p.WaitCall(t)
		},
		"its own": func(t *testing.T, h *house, p *calltest.Phone) *calltest.PhoneCall { return p.Start(t, "echo") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": join, "echo": `[{"type":"sleep","option":{"duration":1000}},{"type":"answer"},{"type":"echo"}]`}, extensions, func(c *call.Config) {
					c.Agents = call.ListAgents(call.Agent{ID: "a1", Status: call.AgentAvailable, Addresses: []address.Address{{Type: address.TypeExtension, Target: "200"}}})
					c.Queues = []call.QueueOptions{{ID: "support"}}
				})
				p := extensionPhone(t, h, "200", 1, func(p *calltest.PhoneConfig) { p.Server = h.Addrs()[0].Addr })
				register(t, p)
				b := other(t, h, p)
				time.Sleep(500 * time.Millisecond)
				if got := agentStatus(t, h, "a1"); got != "ringing call" {
					t.Errorf("while it rings the agent is %s", got)
				}
				if name != "its own" {
					b.Ring()
					time.Sleep(500 * time.Millisecond)
					b.Answer()
				}
				b.WaitAnswer(t)
				a := queueCaller(t, h, 0)
				time.Sleep(5 * time.Second)
				if got := agentStatus(t, h, "a1"); got != "busy call" || len(h.queue(t).Record().WaitQueuecallIDs) != 1 {
					t.Errorf("the agent is %s, the queue %+v", got, h.queue(t).Record())
				}
				b.Hangup(t)
				q := p.WaitCall(t)
				q.Answer()
				q.WaitAnswer(t)
				time.Sleep(time.Second)
				q.Hangup(t)
				a.WaitEnd(t)
				h.nobodyLeft(t)
			})
		})
	}
}
