package call_test

import (
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow/flowtest"
	"github.com/callbin/callbin/store"
)

// TestJourneyOfTheREADME draws the journey that the README shows. With -update it is written there.
func TestJourneyOfTheREADME(t *testing.T) {
	const file, begin, end = "../README.md", "<!-- journey: go test ./call -run JourneyOfTheREADME -update -->\n", "<!-- end of the journey -->"
	var j *call.Journey
	synctest.Test(t, func(t *testing.T) { j = journeyOfREADME(t) })
	checkGraph(t, j)
	text := "```mermaid\n" + j.Mermaid(call.JourneyStyle{Mask: true}) + "```\n"
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), begin)
	shown, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the journey", file)
	}
	if flowtest.Updating() {
		if err := os.WriteFile(file, []byte(before+begin+text+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if shown != text {
		t.Errorf("the README shows another journey; -update writes\n%s", text)
	}
}

// journeyOfREADME is a caller who waits for one of two agents, of whom the first does not answer.
func journeyOfREADME(t *testing.T) *call.Journey {
	h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"queue_join","option":{"queue_id":"support"}},{"type":"hangup"}]`}, outbound, func(c *call.Config) {
		c.Agents = call.ListAgents(
			call.Agent{ID: "anna", Addresses: phones(1), Status: call.AgentAvailable},
			call.Agent{ID: "bob", Addresses: phones(2), Status: call.AgentAvailable})
		c.Queues = []call.QueueOptions{{ID: "support", RoutingMethod: store.QueueLongestIdle, RingTimeout: 8 * time.Second}}
	})
	h.net.SetFaults(calltest.Faults{Delay: 10 * time.Millisecond})
	callee(t, h, 1, ringing())
	callee(t, h, 2, accepting(func(c *calltest.PhoneCall) {
		c.Ring()
		time.Sleep(3 * time.Second)
		c.Answer()
	}))
	a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{User: "+4930901820", FromUser: "+4930901820"}).Dial(t, "100")
	time.Sleep(30 * time.Second)
	a.Hangup(t)
	time.Sleep(time.Second)
	return h.journey(t)
}
