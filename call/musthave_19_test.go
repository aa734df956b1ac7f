package call_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/store"
)

// TestMustHave19Queue is VoIPBIN's queue as a user knows it, over SIP: a flow with queue_join, a wait flow by id, agents with tags behind registered phones,
// one of whom does not answer; who waits first is served first; timeouts; and the queuecall's statuses in events and records.
func TestMustHave19Queue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{
			"100": `[{"id":"q","type":"queue_join","option":{"queue_id":"support"}},{"type":"answer"},{"type":"play","option":{"stream_urls":["http://tone/700"]}}]`,
		}, extensions, func(c *call.Config) {
			c.FlowByID = func(_ context.Context, id string) (flow.Program, error) {
				if id != "music" {
					return nil, call.ErrNoFlow
				}
				return musical(t), nil
			}
			c.Agents = call.ListAgents(
				call.Agent{ID: "silent", Tags: []string{"support"}, Addresses: []address.Address{{Type: address.TypeExtension, Target: "200"}}},
				call.Agent{ID: "anna", Tags: []string{"support"}, Addresses: []address.Address{{Type: address.TypeExtension, Target: "201"}}},
				call.Agent{ID: "sales", Tags: []string{"sales"}, Addresses: []address.Address{{Type: address.TypeExtension, Target: "202"}}, Status: call.AgentAvailable})
			c.Queues = []call.QueueOptions{{ID: "support", Name: "Support", Tags: []string{"support"}, RoutingMethod: store.QueueLongestIdle, WaitFlowID: "music",
				WaitTimeout: time.Minute, ServiceTimeout: 10 * time.Second, RingTimeout: 5 * time.Second, MaxMisses: 1}}
		})
		silent := extensionPhone(t, h, "200", 1, ringing())
		anna := extensionPhone(t, h, "201", 2)
		sales := extensionPhone(t, h, "202", 3, answering(0))
		for _, p := range []*calltest.Phone{silent, anna, sales} {
			register(t, p)
		}
		first := queueCaller(t, h, 1)
		time.Sleep(time.Second)
		second := queueCaller(t, h, 2)
		time.Sleep(3 * time.Second)
		if !calltest.Hears(first.Heard(), 400) || !calltest.Hears(second.Heard(), 400) {
			t.Error("who waits hears no wait flow")
		}
		h.setAgent(t, "silent", call.AgentAvailable)
		time.Sleep(time.Second)
		if got := agentStatus(t, h, "silent"); got != "ringing queue" {
			t.Errorf("the agent that rings is %s", got)
		}
		time.Sleep(6 * time.Second)
		if got := agentStatus(t, h, "silent"); got != "away missed" {
			t.Errorf("who has not answered is %s", got)
		}
		h.setAgent(t, "anna", call.AgentAvailable)
		for n, a := range []*calltest.PhoneCall{first, second} {
			b := anna.WaitCall(t)
			if want := fmt.Sprint("+1212555", 1001+n); !strings.Contains(b.Invite().Header("From"), want) {
				t.Errorf("served is %s, want %s", b.Invite().Header("From"), want)
			}
			b.Ring()
			time.Sleep(time.Second)
			b.Answer()
			b.WaitAnswer(t)
			heard := len(a.Heard())
			a.Say(calltest.Tone(500, time.Second))
			b.Say(calltest.Tone(800, time.Second))
			time.Sleep(1500 * time.Millisecond)
			if got := a.Heard()[heard:]; !calltest.Hears(got, 800) || !calltest.Hears(b.Heard(), 500) || calltest.Hears(b.Heard(), 400) {
				t.Errorf("caller %d and the agent do not hear each other alone", n+1)
			}
			if n == 0 {
				b.Hangup(t)
			} else if why := b.WaitEnd(t); !strings.HasPrefix(why, "BYE") { // the service timeout
				t.Errorf("the second talk ended by %q", why)
			}
			a.WaitEnd(t)
			if !calltest.Hears(a.Heard()[len(a.Heard())-6000:], 700) {
				t.Errorf("the flow of caller %d does not go on", n+1)
			}
		}
		h.setAgent(t, "anna", call.AgentOffline)
		third := queueCaller(t, h, 3)
		third.WaitEnd(t) // the wait timeout
		r := h.queue(t).Record()
		if r.TotalIncomingCount != 3 || r.TotalServicedCount != 2 || r.TotalAbandonedCount != 1 {
			t.Errorf("counters %+v", r)
		}
		var ends []string
		for _, s := range h.queuecalls(t) {
			ends = append(ends, fmt.Sprint(s.Status, " ", s.Code, " ", s.ServiceAgentID, " ", s.Tries))
		}
		if want := []string{"done served anna 2", "done service_timeout anna 1", "abandoned wait_timeout  0"}; !slices.Equal(ends, want) {
			t.Errorf("ended as %q, want %q", ends, want)
		}
		got := h.queueEvents("queuecall_")
		want := []string{"created initiating", "waiting waiting", "created initiating", "waiting waiting", "connecting connecting", "requeued waiting",
			"connecting connecting", "serviced service", "done done", "connecting connecting", "serviced service", "done done",
			"created initiating", "waiting waiting", "abandoned abandoned"}
		if !slices.Equal(got, want) {
			t.Errorf("events %q, want %q", got, want)
		}
	})
}
