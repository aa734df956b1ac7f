package call_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/flow"
)

// TestReplayOfAQueue runs callers again that were served, left, hung up and asked to be called back: what the wait flow did is no part of the call's
// own flow, what it has set is.
func TestReplayOfAQueue(t *testing.T) {
	for _, ending := range []string{"served", "key", "callback", "timeout", "hangup", "talking"} {
		t.Run(ending, func(t *testing.T) {
			var traces [][]byte
			synctest.Test(t, func(t *testing.T) {
				wait, err := flow.Parse([]byte(`[{"type":"answer"},{"id":"w","type":"digits_receive","option":{"length":1,"duration":3000}},
					{"type":"variable_set","option":{"key":"mood","value":"pressed ${w.digits}"}},{"type":"play","option":{"stream_urls":["http://tone/400"]}}]`),
					flow.ParseOptions{Registry: action.Builtin(call.Noted(action.Deps{Prompts: tonePrompts{}})), Name: "wait"})
				if err != nil {
					t.Fatal(err)
				}
				h := open(t, map[string]string{"100": `[{"id":"q","type":"queue_join","option":{"queue_id":"support"}},
					{"type":"variable_set","option":{"key":"x","value":"${q.status} ${q.reason} ${mood} ${voipbin.call.digits} ${voipbin.queue.name}"}},
					{"type":"answer"},{"type":"digits_receive","option":{"length":1,"duration":1500}},{"type":"play","option":{"stream_urls":["http://tone/700"]}}]`},
					outbound, func(c *call.Config) {
						c.Agents = call.ListAgents(call.Agent{ID: "a1", Addresses: phones(1)})
						c.Queues = []call.QueueOptions{{ID: "support", Name: "Support", WaitFlow: wait, WaitTimeout: 20 * time.Second, LeaveKey: "9",
							Callback: call.CallbackOptions{Key: "1"}}}
						c.Outbound.Tel = []string{"+1"}
						c.Trunks = []call.Trunk{{Name: "t", Address: "10.0.1.9:5060", Transport: "udp"}}
					})
				agent := callee(t, h, 1)
				a := queueCaller(t, h, 0)
				a.WaitAnswer(t)
				time.Sleep(time.Second)
				a.Press("5")
				time.Sleep(4 * time.Second)
				switch ending {
				case "key":
					a.Press("9")
				case "callback":
					a.Press("1")
				case "hangup":
					a.Hangup(t)
				case "served", "talking":
					h.setAgent(t, "a1", call.AgentAvailable)
					b := agent.WaitCall(t)
					b.Ring()
					time.Sleep(time.Second)
					b.Answer()
					b.WaitAnswer(t)
					a.Press("7")
					time.Sleep(2 * time.Second)
					if ending == "talking" {
						a.Hangup(t)
					} else {
						b.Hangup(t)
					}
				}
				a.WaitEnd(t)
				time.Sleep(time.Second)
				for _, rec := range h.records(t) {
					traces = append(traces, checkReplay(t, h, rec))
				}
			})
			for _, trace := range traces {
				checkFlowReplay(t, trace)
			}
			if len(traces) == 0 {
				t.Error("nothing was recorded")
			}
		})
	}
}
