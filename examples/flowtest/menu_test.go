package main

import (
	"slices"
	"testing"
	"time"

	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow/flowtest"
)

// TestMenu is step 1 and 2: callers, and how much of the menu they have met.
func TestMenu(t *testing.T) {
	menu := flowtest.Open(t, "menu.json", flowtest.Config{Cover: 80})
	menu.Test(t, "sales", `
		peer +16062067563 answers 4s
		hears press 1 for sales
		press 1
		requests crm.example.com
		dials +16062067563
		wait 30s
		leave`)
	menu.Test(t, "sales is busy", "peer * busy 2s 486\nhears press 1\npress 1\nhears not free")
	menu.Test(t, "hours", "hears press 1\npress 2\nhears nine to five")
	menu.Test(t, "silence", "hears press 1\nhears press 1\nhears press 1")
	menu.Test(t, "the CRM is down", "http * error\nhears press 1\npress 1\ndials +16062067563\nhangup")
	menu.Files(t, "testdata/*.txtar") // step 3
}

// TestWhoIsToldWhat is step 2, too: what went out, exactly.
func TestWhoIsToldWhat(t *testing.T) {
	menu := flowtest.Open(t, "menu.json", flowtest.Config{Around: "caller +14155550100"})
	r := menu.Run(t, "hears press 1\npress 1\ndials +16062067563\nhangup")
	if got := r.Requests[0].Body; got != `{"number": "+14155550100"}` {
		t.Errorf("the CRM was told %s", got)
	}
	if got := r.Dialled(); !slices.Equal(got, []string{"tel:+16062067563"}) {
		t.Errorf("dialled %s", got)
	}
}

// TestAnyCaller is step 4: whatever a caller does.
func TestAnyCaller(t *testing.T) {
	menu := flowtest.Open(t, "menu.json", flowtest.Config{})
	menu.Explore(t, flowtest.Explore{Invariants: []flowtest.Invariant{
		flowtest.OnlyDials("+16062067563"),
		flowtest.OnlyRequests("https://crm.example.com/"),
	}})
}

// TestOverSIP is step 5: the same call in the simulator, and over SIP and RTP.
func TestOverSIP(t *testing.T) {
	const script = `
		peer +16062067563 answers 2s
		hears press 1 for sales
		wait 500ms
		press 1
		dials +16062067563
		wait 3s
		leave`
	menu := flowtest.Open(t, "menu.json", flowtest.Config{Around: "caller +14155550100"})
	simulated := menu.Run(t, script)
	real := calltest.RunScript(t, calltest.NewNet(), menu, script, calltest.ScriptOptions{EarlyMedia: true})
	if err := flowtest.Compare(simulated, real, 60*time.Millisecond); err != nil {
		t.Error(err)
	}
}

// TestRecordedCall is step 6: a call that was, against the menu and the code of today.
func TestRecordedCall(t *testing.T) {
	calltest.Replay(t, "testdata/call.trace", calltest.ReplayConfig{Flow: text})
}
