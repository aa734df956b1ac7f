package call_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/store"
)

// result is what the step q of the only incoming call came to.
func (h *house) result(t *testing.T) map[string]string {
	t.Helper()
	in, _ := byDirection(t, h)
	trace, err := h.store.Trace(t.Context(), in.ID)
	if err != nil {
		t.Fatal(err)
	}
	inputs, err := call.DecodeTrace(trace)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range call.ActiveflowOf(inputs).ExecutedActions {
		if a.ID == "q" {
			return a.Result
		}
	}
	t.Fatal("queue_join has not ended")
	return nil
}

// nobodyLeft looks, a while after the end, whether the agents are free and nobody is in the queue.
func (h *house) nobodyLeft(t *testing.T) {
	t.Helper()
	time.Sleep(45 * time.Second)
	if c := h.queue(t).Calls(); len(c) != 0 {
		t.Errorf("left in the queue: %+v", c)
	}
	for a := range h.AgentStates() {
		if a.QueuecallID != "" || a.Status == call.AgentRinging || a.Status == call.AgentBusy {
			t.Errorf("left: %+v", a)
		}
	}
	if n := h.Stats().Calls; n != 0 {
		t.Errorf("%d calls are left", n)
	}
}

// TestQueueCallerHangsUp in each phase of its stay.
func TestQueueCallerHangsUp(t *testing.T) {
	for phase, want := range map[string]string{"waiting": "abandoned hung_up", "ringing": "abandoned hung_up", "whisper": "abandoned hung_up", "talking": "done served"} {
		t.Run(phase, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := queueing(t, 1, call.QueueOptions{WaitFlow: musical(t), WhisperFlow: musical(t), WrapUp: time.Second})
				if phase == "waiting" {
					h.setAgent(t, "a1", call.AgentOffline)
				}
				agent := callee(t, h, 1)
				a := queueCaller(t, h, 0)
				a.WaitAnswer(t)
				var b *calltest.PhoneCall
				if phase != "waiting" {
					b = agent.WaitCall(t)
					b.Ring()
					time.Sleep(500 * time.Millisecond)
				}
				if phase == "whisper" || phase == "talking" {
					b.Answer()
					b.WaitAnswer(t)
					time.Sleep(500 * time.Millisecond)
				}
				if phase == "talking" {
					time.Sleep(2 * time.Second)
				}
				a.Hangup(t)
				if b != nil {
					b.WaitEnd(t)
				}
				h.nobodyLeft(t)
				kept := h.queuecalls(t)
				if len(kept) != 1 || kept[0].Status+" "+kept[0].Code != want {
					t.Errorf("kept %+v", kept)
				}
				r := h.queue(t).Record()
				if served := int64(strings.Count(want, "served")); r.TotalIncomingCount != 1 || r.TotalServicedCount != served || r.TotalAbandonedCount != 1-served {
					t.Errorf("%+v", r)
				}
			})
		})
	}
}

// TestQueueWhisper: only the agent hears what call it is, and one who hangs up meanwhile has not taken it.
func TestQueueWhisper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var names []string
		whisper := flow.Func(func(ctx context.Context, l action.Leg) error {
			names = append(names, l.Vars().Get("voipbin.queue.name"))
			return l.(action.Player).Play(ctx, media.NewClip(8000, calltest.Tone(900, time.Second)).Source())
		})
		h := queueing(t, 1, call.QueueOptions{Name: "Sales", WaitFlow: musical(t), WhisperFlow: whisper, MissRest: time.Second})
		agent := callee(t, h, 1)
		a := queueCaller(t, h, 0)
		b := agent.WaitCall(t)
		b.Answer()
		b.WaitAnswer(t)
		time.Sleep(500 * time.Millisecond)
		if c := h.queue(t).Calls(); len(c) != 1 || c[0].Status != store.QueuecallConnecting || h.queue(t).Record().TotalServicedCount != 0 {
			t.Errorf("during the whisper %+v", c)
		}
		b.Hangup(t)
		b = agent.WaitCall(t)
		b.Answer()
		b.WaitAnswer(t)
		time.Sleep(1300 * time.Millisecond)
		if !calltest.Hears(b.Heard(), 900) || calltest.Hears(a.Heard(), 900) || !calltest.Hears(a.Heard(), 400) {
			t.Error("the whisper is heard by the wrong one")
		}
		b.Say(calltest.Tone(800, time.Second))
		time.Sleep(time.Second)
		if !calltest.Hears(a.Heard(), 800) {
			t.Error("the caller does not hear the agent")
		}
		b.Hangup(t)
		a.WaitEnd(t)
		if !slices.Equal(names, []string{"Sales", "Sales"}) {
			t.Errorf("whispered %q", names)
		}
		if kept := h.queuecalls(t); kept[0].Tries != 2 || kept[0].Status != store.QueuecallDone {
			t.Errorf("kept %+v", kept)
		}
	})
}

// TestQueueWithoutAnAgent: what the flow of a caller learns whom no agent has served, and where overflow takes it.
func TestQueueWithoutAnAgent(t *testing.T) {
	for name, c := range map[string]struct {
		o    call.QueueOptions
		do   func(t *testing.T, h *house, a *calltest.PhoneCall)
		want string
	}{
		"wait timeout": {call.QueueOptions{WaitTimeout: 7 * time.Second}, nil, call.QueueWaitTimeout},
		"key": {call.QueueOptions{LeaveKey: "#", WaitFlow: musical(t)}, func(t *testing.T, _ *house, a *calltest.PhoneCall) {
			a.WaitAnswer(t)
			a.Press("1#")
		}, call.QueueKey},
		"kick": {call.QueueOptions{}, func(t *testing.T, h *house, _ *calltest.PhoneCall) {
			if err := h.KickQueuecall(h.queue(t).Calls()[0].ReferenceID); err != nil {
				t.Error(err)
			}
		}, call.QueueKicked},
		"deleted": {call.QueueOptions{}, func(t *testing.T, h *house, _ *calltest.PhoneCall) {
			if err := h.DeleteQueue("support"); err != nil {
				t.Error(err)
			}
		}, call.QueueDeleted},
		"refused": {call.QueueOptions{NoAgents: call.NoAgentsRefuse}, nil, call.QueueNoAgents},
		"last agent leaves": {call.QueueOptions{NoAgents: call.NoAgentsLeave}, func(t *testing.T, h *house, _ *calltest.PhoneCall) {
			h.setAgent(t, "a1", call.AgentAway)
		}, call.QueueNoAgents},
	} {
		for _, overflow := range []bool{false, true} {
			t.Run(fmt.Sprint(name, overflow), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					o := c.o
					if overflow {
						o.Overflow = phones(9)
					}
					h := queueing(t, 1, o, func(cfg *call.Config) {
						if o.NoAgents == call.NoAgentsRefuse {
							cfg.Agents = nil
						}
					})
					if o.NoAgents == "" {
						h.setAgent(t, "a1", call.AgentOffline)
					}
					if o.NoAgents == call.NoAgentsLeave {
						h.setAgent(t, "a1", call.AgentBusy)
					}
					callee(t, h, 9, answering(time.Second))
					q := h.queue(t)
					a := queueCaller(t, h, 0)
					time.Sleep(time.Second)
					if c.do != nil {
						c.do(t, h, a)
					}
					a.WaitAnswer(t)
					if taken := overflow && c.want != call.QueueKey && c.want != call.QueueKicked && c.want != call.QueueDeleted; taken {
						time.Sleep(10 * time.Second)
						a.Say(calltest.Tone(500, time.Second))
						a.Hangup(t)
						if r := h.result(t); r["overflow_call_id"] == "" || r["reason"] != c.want || r["status"] != "abandoned" {
							t.Errorf("result %v", r)
						}
					} else {
						a.WaitEnd(t)
						if !calltest.Hears(a.Heard(), 700) {
							t.Error("the flow does not go on")
						}
						if r := h.result(t); r["overflow_call_id"] != "" || r["reason"] != c.want || r["status"] != "abandoned" || r["agent_call_id"] != "" {
							t.Errorf("result %v", r)
						}
					}
					if r := q.Record(); r.TotalIncomingCount != 1 || r.TotalAbandonedCount != 1 || r.TotalServicedCount != 0 || len(r.WaitQueuecallIDs) != 0 {
						t.Errorf("%+v", r)
					}
					if kept := h.queuecalls(t); len(kept) != 1 || kept[0].Code != c.want || kept[0].Status != store.QueuecallAbandoned {
						t.Errorf("kept %+v", kept)
					}
				})
			})
		}
	}
}

// TestQueueWaitTimeoutWhileAnAgentRings: it is waited for.
func TestQueueWaitTimeoutWhileAnAgentRings(t *testing.T) {
	for _, takes := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			h := queueing(t, 1, call.QueueOptions{WaitTimeout: 2 * time.Second, RingTimeout: 5 * time.Second})
			agent := callee(t, h, 1)
			a := queueCaller(t, h, 0)
			b := agent.WaitCall(t)
			time.Sleep(3 * time.Second)
			want := call.QueueWaitTimeout
			if takes {
				want = call.QueueServed
				b.Answer()
				b.WaitAnswer(t)
				time.Sleep(time.Second)
				b.Hangup(t)
			}
			a.WaitEnd(t)
			h.nobodyLeft(t)
			if kept := h.queuecalls(t); len(kept) != 1 || kept[0].Code != want {
				t.Errorf("kept %+v", kept)
			}
		})
	}
}

func TestQueueServiceTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := queueing(t, 1, call.QueueOptions{ServiceTimeout: 5 * time.Second})
		agent := callee(t, h, 1)
		a := queueCaller(t, h, 0)
		b := agent.WaitCall(t)
		b.Answer()
		b.WaitEnd(t)
		a.WaitEnd(t)
		if !calltest.Hears(a.Heard(), 700) {
			t.Error("the flow does not go on")
		}
		if kept := h.queuecalls(t); len(kept) != 1 || kept[0].Code != call.QueueServiceTimeout || kept[0].Status != store.QueuecallDone || kept[0].DurationService/100 != 50 {
			t.Errorf("kept %+v", kept)
		}
	})
}

func TestQueueMaxLength(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := queueing(t, 1, call.QueueOptions{MaxLength: 2, WaitFlow: musical(t)})
		h.setAgent(t, "a1", call.AgentAway)
		var in []*calltest.PhoneCall
		for n := range 2 {
			in = append(in, queueCaller(t, h, n))
			time.Sleep(100 * time.Millisecond)
		}
		third := queueCaller(t, h, 2)
		third.WaitEnd(t)
		for _, a := range in {
			a.Hangup(t)
		}
		h.nobodyLeft(t)
		var codes []string
		for _, q := range h.queuecalls(t) {
			codes = append(codes, q.Code)
		}
		if !slices.Equal(codes, []string{call.QueueHungUp, call.QueueHungUp, call.QueueFull}) {
			t.Errorf("%v", codes)
		}
	})
}

// TestQueueVariables: the wait flow knows where the caller stands; what it sets is the flow's, what the queue sets is gone after it.
func TestQueueVariables(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var heard []string // guarded by mu
		wait := flow.Func(func(ctx context.Context, l action.Leg) error {
			mu.Lock()
			defer mu.Unlock()
			said := l.Vars().Substitute("${voipbin.queue.id} ${voipbin.queue.name} ${voipbin.queuecall.position} of ${voipbin.queue.waiting}, ${voipbin.queuecall.estimated_wait|nobody knows} ${voipbin.queue.agents|0}")
			if !slices.Contains(heard, said) {
				heard = append(heard, said)
			}
			return l.Vars().Set("mood", "patient")
		})
		h := queueing(t, 1, call.QueueOptions{Name: "Help", WaitFlow: wait, WaitTimeout: 30 * time.Second, Priority: 3})
		callee(t, h, 1, answering(time.Second))
		a := queueCaller(t, h, 0)
		a.WaitAnswer(t)
		time.Sleep(20 * time.Second)
		a.Hangup(t)
		time.Sleep(time.Second)
		h.setAgent(t, "a1", call.AgentBusy)
		for n := range 2 {
			queueCaller(t, h, n+1)
			time.Sleep(time.Second)
		}
		if c := h.queue(t).Calls(); c[0].Priority != 3 {
			t.Errorf("%+v", c)
		}
		time.Sleep(40 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		if want := []string{"support Help 1 of , nobody knows 1", "support Help 1 of 1, 20 1", "support Help 2 of 2, 40 1", "support Help 1 of 2, 20 1"}; !slices.Equal(heard, want) {
			t.Errorf("heard %q, want %q", heard, want)
		}
		h.stop()
		traces := 0
		for _, r := range h.records(t) {
			if r.Direction != store.DirectionIncoming {
				continue
			}
			lines, err := h.store.Trace(t.Context(), r.ID)
			if err != nil {
				t.Fatal(err)
			}
			inputs, err := call.DecodeTrace(lines)
			if err != nil {
				t.Fatal(err)
			}
			for _, in := range inputs {
				if in.Note != nil && in.Note.What == "queue" {
					traces++
					if !strings.Contains(string(in.Note.Result), `"vars":{"mood":"patient"}`) {
						t.Errorf("the note is %s", in.Note.Result)
					}
				}
			}
		}
		if traces != 3 {
			t.Errorf("%d notes", traces)
		}
	})
}

func TestBadQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := queueing(t, 0, call.QueueOptions{})
		for want, o := range map[string]call.QueueOptions{
			"there is a queue":                {ID: "support"},
			`routing method "fair"`:           {RoutingMethod: "fair"},
			`no-agents policy "x"`:            {NoAgents: "x"},
			"a time or limit is negative":     {WrapUp: -1},
			`"x" is not a key`:                {LeaveKey: "1x"},
			"both leave the queue":            {LeaveKey: "1", Callback: call.CallbackOptions{Key: "1"}},
			`overflow[0]`:                     {Overflow: []address.Address{{Type: address.TypeTel, Target: "1"}}},
			"cannot be the name of a room":    {ID: "\n"},
			"overflow destinations are more ": {Overflow: make([]address.Address, 1000)},
		} {
			if _, err := h.CreateQueue(o); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
		}
		q, err := h.CreateQueue(call.QueueOptions{Name: "b"})
		if err != nil {
			t.Fatal(err)
		}
		if err := q.Update(call.QueueOptions{Name: "c", Tags: []string{"x"}}); err != nil || q.Record().Name != "c" || q.Options().Name != "c" {
			t.Errorf("%v %+v", err, q.Record())
		}
		var ids []string
		for q := range h.Queues() {
			ids = append(ids, q.ID())
		}
		if len(ids) != 2 || !slices.Contains(ids, q.ID()) {
			t.Errorf("queues %v", ids)
		}
		if err := errors.Join(h.DeleteQueue(q.ID())); err != nil {
			t.Error(err)
		}
		if err := h.DeleteQueue(q.ID()); !errors.Is(err, action.ErrNoQueue) {
			t.Errorf("again: %v", err)
		}
		if err := q.Update(call.QueueOptions{}); !errors.Is(err, action.ErrNoQueue) {
			t.Errorf("update: %v", err)
		}
		if err := h.KickQueuecall("none"); !errors.Is(err, call.ErrNoQueuecall) {
			t.Error(err)
		}
		if err := h.SetAgentStatus(t.Context(), "none", call.AgentAway); !errors.Is(err, call.ErrNoAgent) {
			t.Error(err)
		}
		if err := h.SetAgentStatus(t.Context(), "none", call.AgentRinging); err == nil || !strings.Contains(err.Error(), "is none of") {
			t.Error(err)
		}
		var types []string
		h.mu.Lock()
		for _, e := range h.events {
			types = append(types, e.Type)
		}
		h.mu.Unlock()
		if !slices.Equal(types, []string{"queue_created", "queue_updated", "queue_deleted"}) {
			t.Errorf("events %v", types)
		}
	})
}
