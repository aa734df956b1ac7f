package call_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow"
)

// TestCallGoesOnInAnotherEngine loses an engine in the middle of a call, without a BYE, and takes
// the call up in another one: the caller hears the rest of the flow and is hung up in the same dialog.
func TestCallGoesOnInAnotherEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := `[{"type":"answer"},{"type":"variable_set","option":{"key":"tone","value":"700"}},{"id":"x","type":"beep"},
			{"type":"goto","option":{"target_id":"x","loop_count":2}},
			{"id":"wait","type":"sleep","option":{"duration":5000}},
			{"type":"play","option":{"stream_urls":["http://tone/${tone}"]}}]`
		a := open(t, map[string]string{"100": text})
		c := calltest.NewPhone(t, a.net, calltest.PhoneConfig{}).Dial(t, "100")
		time.Sleep(3 * time.Second) // three beeps, and some of the sleep
		var snap call.Snapshot
		for live := range a.Calls() {
			b, err := json.Marshal(live.Snapshot())
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(b, &snap); err != nil {
				t.Fatal(err)
			}
		}
		if p := snap.State.Position; p == nil || p.ID != "wait" {
			t.Fatalf("the snapshot stands at %+v, want the sleep", p)
		}
		a.net.SetFaults(calltest.Faults{Loss: 1})
		a.stop()
		a.net.SetFaults(calltest.Faults{})

		f, err := flow.Parse([]byte(text), flow.ParseOptions{Registry: action.Builtin(action.Deps{Prompts: tonePrompts{}})})
		if err != nil {
			t.Fatal(err)
		}
		engine, stop := calltest.Run(t, a.net, call.Config{Store: a.store, Route: func(context.Context, *call.Incoming) (flow.Program, error) { return f, nil }})
		if _, err := engine.Restore(snap, f); err != nil {
			t.Fatal(err)
		}
		before := len(c.Heard())
		if why := c.WaitEnd(t); !strings.HasPrefix(why, "BYE") {
			t.Errorf("the call ended by %q, want BYE", why)
		}
		heard := c.Heard()
		if l := level(heard[max(before, len(heard)-8000):], 700); l < 0.1 {
			t.Errorf("after the change: 700 Hz at %v", l)
		}
		stop()
		rec, err := a.store.Call(t.Context(), snap.State.Record.ID)
		if err != nil || rec.Code != call.CodeFlowEnded || rec.TalkMS < 8000 {
			t.Errorf("record %+v, %v", rec, err)
		}
		lines, err := a.store.Trace(t.Context(), rec.ID)
		if err != nil {
			t.Fatal(err)
		}
		trace, err := call.DecodeTrace(lines)
		if err != nil {
			t.Fatal(err)
		}
		if state, _ := call.Replay(trace); state.Record.Code != rec.Code || !state.Finished {
			t.Errorf("the trace of the second engine replays to %+v", state.Record)
		}
	})
}
