package call_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/store"
)

// TestQueueAgentWithGroupcall has an agent whose phones get a call each: the one that answers is the agent, and it is free when all are over.
func TestQueueAgentWithGroupcall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := queueing(t, 0, call.QueueOptions{RoutingMethod: store.QueueLongestIdle}, func(c *call.Config) {
			c.Agents = call.ListAgents(call.Agent{ID: "team", Groupcall: true, Addresses: append(phones(1), agents("pair")...), Status: call.AgentAvailable, Tags: []string{"x"}},
				call.Agent{ID: "pair", Groupcall: true, Addresses: phones(2, 3)})
			c.Queues[0].Tags = []string{"x"}
		})
		callee(t, h, 1, ringing())
		callee(t, h, 2, refusing(486))
		last := callee(t, h, 3)
		a := queueCaller(t, h, 0)
		b := last.WaitCall(t)
		b.Ring()
		time.Sleep(time.Second)
		b.Answer()
		b.WaitAnswer(t)
		a.WaitAnswer(t)
		b.Say(calltest.Tone(800, time.Second))
		time.Sleep(1200 * time.Millisecond)
		if !calltest.Hears(a.Heard(), 800) || agentStatus(t, h, "team") != "busy queue" || agentStatus(t, h, "pair") != "offline set" {
			t.Errorf("team is %s, pair %s", agentStatus(t, h, "team"), agentStatus(t, h, "pair"))
		}
		b.Hangup(t)
		a.WaitEnd(t)
		h.nobodyLeft(t)
		if got := agentStatus(t, h, "team"); got != "available set" {
			t.Errorf("in the end the team is %s", got)
		}
		if kept := h.queuecalls(t); len(kept) != 1 || kept[0].ServiceAgentID != "team" || kept[0].Status != store.QueuecallDone {
			t.Errorf("kept %+v", kept)
		}
	})
}

// TestAgentOfTwoQueues gets the caller of the higher priority first, whichever queue that is in, then who came first.
func TestAgentOfTwoQueues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{
			"100": strings.Replace(join, "support", "sales", 1), "200": join,
		}, outbound, func(c *call.Config) {
			c.Queues = []call.QueueOptions{{ID: "sales"}, {ID: "support", Priority: 1}}
			c.Agents = call.ListAgents(call.Agent{ID: "a1", Addresses: phones(1)})
		})
		agent := callee(t, h, 1)
		var callers []*calltest.PhoneCall
		for n, to := range []string{"100", "100", "200"} {
			p := calltest.NewPhone(t, h.net, calltest.PhoneConfig{User: []string{"+12125551000", "+12125551001", "+12125551002"}[n]})
			callers = append(callers, p.Start(t, to))
			time.Sleep(time.Second)
		}
		h.setAgent(t, "a1", call.AgentAvailable)
		for _, want := range []string{"1002", "1000", "1001"} {
			b := agent.WaitCall(t)
			if from := b.Invite().Header("From"); !strings.Contains(from, want) {
				t.Errorf("served is %s, want %s", from, want)
			}
			b.Answer()
			b.WaitAnswer(t)
			time.Sleep(time.Second)
			b.Hangup(t)
		}
		for _, c := range callers {
			c.WaitEnd(t)
		}
	})
}

// changing are agents of a host's own, who come, go and change.
type changing map[string]call.Agent

func (c changing) Agent(_ context.Context, id string) (call.Agent, bool, error) {
	a, ok := c[id]
	return a, ok, nil
}

// TestRefreshAgent: agents that the engine was not told of, new tags, and one who is gone.
func TestRefreshAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book := changing{"a1": {Addresses: phones(1), Tags: []string{"dutch"}}}
		h := queueing(t, 0, call.QueueOptions{Tags: []string{"german"}}, func(c *call.Config) { c.Agents = book })
		h.setAgent(t, "a1", call.AgentAvailable)
		agent := callee(t, h, 1)
		a := queueCaller(t, h, 0)
		time.Sleep(time.Second)
		if c := h.queue(t).Calls(); len(c) != 1 || c[0].Status != store.QueuecallWaiting {
			t.Fatalf("%+v", c)
		}
		book["a1"] = call.Agent{Addresses: phones(1), Tags: []string{"german"}}
		if err := h.RefreshAgent(t.Context(), "a1"); err != nil {
			t.Fatal(err)
		}
		b := agent.WaitCall(t)
		delete(book, "a1")
		if err := h.RefreshAgent(t.Context(), "a1"); err == nil {
			t.Error("an agent who is gone is refreshed")
		}
		b.Answer()
		b.WaitAnswer(t)
		a.WaitAnswer(t)
		// It comes back while it talks: one agent still, who is not rung for the next.
		book["a1"] = call.Agent{Addresses: phones(1), Tags: []string{"german"}, Status: call.AgentAvailable}
		if err := h.RefreshAgent(t.Context(), "a1"); err != nil {
			t.Fatal(err)
		}
		next := queueCaller(t, h, 1)
		time.Sleep(5 * time.Second)
		if got := agentStatus(t, h, "a1"); got != "busy queue" || len(h.queue(t).Record().WaitQueuecallIDs) != 1 {
			t.Errorf("it is %s", got)
		}
		next.Cancel()
		delete(book, "a1")
		if err := h.RefreshAgent(t.Context(), "a1"); err == nil {
			t.Error("an agent who is gone is refreshed")
		}
		time.Sleep(time.Second)
		b.Hangup(t)
		a.WaitEnd(t)
		if _, ok := h.AgentState("a1"); ok || h.queue(t).Record().AgentsStaffed != 0 {
			t.Errorf("it is there: %+v", h.queue(t).Record())
		}
		for n := range h.AgentStates() {
			t.Errorf("left: %+v", n)
		}
	})
}
