package call_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/store"
)

// TestQueueCallback: who asks for it, by key or by hanging up, keeps its place; the agent is rung first, then the caller.
func TestQueueCallback(t *testing.T) {
	for _, hangs := range []bool{false, true} {
		for _, there := range []bool{true, false} {
			t.Run(fmt.Sprint(hangs, there), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					o := call.QueueOptions{WaitFlow: musical(t), WrapUp: time.Second, Callback: call.CallbackOptions{Key: "1", OnHangup: hangs}}
					h := queueing(t, 1, o, func(c *call.Config) {
						c.Outbound.Tel = []string{"+1212"}
						c.Trunks = []call.Trunk{{Name: "t", Address: "10.0.1.7:5060", Transport: "udp", Caller: "+16062067563"}}
					})
					h.setAgent(t, "a1", call.AgentAway)
					agent, outside := callee(t, h, 1), callee(t, h, 7)
					a := queueCaller(t, h, 0)
					a.WaitAnswer(t)
					time.Sleep(time.Second)
					second := queueCaller(t, h, 1)
					second.WaitAnswer(t)
					time.Sleep(time.Second)
					if hangs {
						a.Hangup(t)
					} else {
						a.Press("1")
						a.WaitEnd(t)
						if !calltest.Hears(a.Heard(), 700) {
							t.Error("the flow does not go on")
						}
					}
					time.Sleep(10 * time.Second)
					waiting := h.queue(t).Calls()
					if len(waiting) != 2 || !strings.HasSuffix(waiting[0].Source.Target, "1000") || waiting[0].Status != store.QueuecallWaiting {
						t.Fatalf("who waits: %+v", waiting)
					}
					h.setAgent(t, "a1", call.AgentAvailable)
					b := agent.WaitCall(t)
					b.Ring()
					time.Sleep(time.Second)
					b.Answer()
					b.WaitAnswer(t)
					c := outside.WaitCall(t)
					if !strings.Contains(c.Invite().URI, "+12125551000") || !strings.Contains(c.Invite().Header("From"), "+16062067563") {
						t.Errorf("called back at %s from %s", c.Invite().URI, c.Invite().Header("From"))
					}
					if h.queue(t).Record().TotalServicedCount != 0 {
						t.Error("serviced before the caller has answered")
					}
					c.Ring()
					time.Sleep(time.Second)
					if there {
						c.Answer()
						c.WaitAnswer(t)
						b.Say(calltest.Tone(800, time.Second))
						c.Say(calltest.Tone(500, time.Second))
						time.Sleep(1500 * time.Millisecond)
						if !calltest.Hears(c.Heard(), 800) || !calltest.Hears(b.Heard(), 500) {
							t.Error("agent and caller do not hear each other")
						}
						c.Hangup(t)
					} else {
						c.Refuse(486)
					}
					b.WaitEnd(t)
					next := agent.WaitCall(t)
					next.Answer()
					next.WaitAnswer(t)
					time.Sleep(time.Second)
					next.Hangup(t)
					second.WaitEnd(t)
					h.nobodyLeft(t)
					r := h.queue(t).Record()
					kept := h.queuecalls(t)
					first := kept[0]
					want := "done served"
					if !there {
						want = "abandoned callback_failed"
					}
					if len(kept) != 2 || first.Status+" "+first.Code != want || there != (first.CallbackCallID != "") || there != (first.ServiceAgentID == "a1") {
						t.Errorf("kept %+v", kept)
					}
					if served := int64(1 + strings.Count(want, "served")); r.TotalIncomingCount != 2 || r.TotalServicedCount != served || r.TotalAbandonedCount != 2-served {
						t.Errorf("%+v", r)
					}
				})
			})
		}
	}
}

// TestQueueCallbackPassesTheGate: a number that may not be dialled is not called back, whatever the caller presses.
func TestQueueCallbackPassesTheGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := queueing(t, 1, call.QueueOptions{WaitFlow: musical(t), Callback: call.CallbackOptions{Key: "1", OnHangup: true}})
		h.setAgent(t, "a1", call.AgentAway)
		a := queueCaller(t, h, 0)
		a.WaitAnswer(t)
		a.Press("1")
		time.Sleep(3 * time.Second)
		if c := h.queue(t).Calls(); len(c) != 1 || a.Ended() != "" {
			t.Errorf("the caller does not wait: %+v", c)
		}
		a.Hangup(t)
		h.nobodyLeft(t)
		if kept := h.queuecalls(t); kept[0].Code != call.QueueHungUp {
			t.Errorf("kept %+v", kept)
		}
	})
}

// TestQueueCallbackAgentGoesAway: an agent who does not wait until the caller has answered has missed the call, which keeps its place.
func TestQueueCallbackAgentGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := queueing(t, 1, call.QueueOptions{WaitFlow: musical(t), MissRest: 3 * time.Second, Callback: call.CallbackOptions{Key: "1"}}, func(c *call.Config) {
			c.Outbound.Tel = []string{"+1212"}
			c.Trunks = []call.Trunk{{Name: "t", Address: "10.0.1.7:5060", Transport: "udp"}}
		})
		h.setAgent(t, "a1", call.AgentAway)
		agent, outside := callee(t, h, 1), callee(t, h, 7)
		a := queueCaller(t, h, 0)
		a.WaitAnswer(t)
		a.Press("1")
		a.WaitEnd(t)
		h.setAgent(t, "a1", call.AgentAvailable)
		for try := range 2 {
			b := agent.WaitCall(t)
			b.Answer()
			b.WaitAnswer(t)
			c := outside.WaitCall(t)
			c.Ring()
			time.Sleep(time.Second)
			if try == 0 {
				b.Hangup(t)
				c.WaitEnd(t)
				continue
			}
			c.Answer()
			c.WaitAnswer(t)
			time.Sleep(time.Second)
			c.Hangup(t)
			b.WaitEnd(t)
		}
		h.nobodyLeft(t)
		if kept := h.queuecalls(t); len(kept) != 1 || kept[0].Status != store.QueuecallDone || kept[0].Tries != 2 {
			t.Errorf("kept %+v", kept)
		}
	})
}
