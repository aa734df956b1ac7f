package call_test

import (
	"context"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/media/tone"
)

// TestMustHave20Activeflow: what a flow does now and has done, with the times, while the call is up and after; and the flow that follows the call.
func TestMustHave20Activeflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &web{}
		h := open(t, nil, withFlows(t, &action.Deps{HTTP: w, Prompts: tonePrompts{}}, map[string]string{
			"start": `{"on_complete_flow_id":"after","actions":[{"id":"a","type":"answer"},{"id":"p","type":"play","option":{"stream_urls":["http://tone/400"]}},
				{"id":"s","type":"sleep","option":{"duration":5000}}]}`,
			"after": `[{"type":"webhook_send","option":{"uri":"http://x/","data":"${voipbin.activeflow.reference_activeflow_id} ${voipbin.activeflow.complete_count} ${voipbin.call.hangup_reason}"}}]`,
		}))
		c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		time.Sleep(2 * time.Second)
		for leg := range h.Calls() {
			a, err := leg.Activeflow()
			if err != nil || a.Status != call.ActiveflowRunning || a.ReferenceType != "call" || a.ReferenceID != leg.ID() || a.CurrentAction == nil || a.CurrentAction.ID != "s" ||
				string(a.CurrentAction.Option) != `{"duration":5000}` || len(a.ExecutedActions) != 2 {
				t.Errorf("while it runs: %+v, %v", a, err)
			}
		}
		c.WaitEnd(t)
		r := h.records(t)[0]
		b, err := h.store.Trace(t.Context(), r.ID)
		if err != nil {
			t.Fatal(err)
		}
		trace, err := call.DecodeTrace(b)
		if err != nil {
			t.Fatal(err)
		}
		a := call.ActiveflowOf(trace)
		var ran []string
		for _, x := range a.ExecutedActions {
			ran = append(ran, x.ID)
		}
		if p := a.ExecutedActions[1]; a.Status != call.ActiveflowEnded || a.CurrentAction != nil || !slices.Equal(ran, []string{"a", "p", "s"}) || a.OnCompleteFlowID != "after" ||
			p.TmEnd.Sub(p.TmExecute.Time) < 950*time.Millisecond || p.TmEnd.Sub(p.TmExecute.Time) > 1100*time.Millisecond {
			t.Errorf("after it: %+v", a)
		}
		if all := w.all(); !slices.Equal(all, []string{r.ActiveflowID + " 1 normal"}) {
			t.Errorf("the flow that follows: %q", all)
		}
	})
}

// TestMustHave20RunawayFlows: a loop without time, flows within flows without end, and a flow that follows itself all come to an end.
func TestMustHave20RunawayFlows(t *testing.T) {
	for name, flows := range map[string]map[string]string{
		"loop":    {"start": `[{"type":"answer"},{"id":"x","type":"variable_set","option":{"key":"n","value":"1"},"next_id":"x"}]`},
		"nesting": {"start": `[{"type":"answer"},{"type":"fetch_flow","option":{"flow_id":"in"}}]`, "in": `[{"type":"empty"},{"type":"fetch_flow","option":{"flow_id":"in"}},{"type":"empty"}]`},
		"circle":  {"start": `{"on_complete_flow_id":"start","actions":[{"type":"webhook_send","option":{"uri":"http://x/","sync":true}}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &web{}
				h := open(t, nil, withFlows(t, &action.Deps{HTTP: w}, flows))
				c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
				c.WaitEnd(t)
				r := h.records(t)[0]
				if name == "circle" {
					if n := len(w.all()); n != 1+call.MaxCompletions {
						t.Errorf("it followed itself %d times", n-1)
					}
				} else if r.Code != call.CodeFlowFailed || r.TalkMS > 10000 || r.Sentence == "" {
					t.Errorf("%+v", r)
				}
			})
		})
	}
}

// TestMustHave20ExternalMedia: a program gets the caller's sound and is heard, in VoIPBIN's own words, until the flow stops that and goes on.
func TestMustHave20ExternalMedia(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &echoes{}
		h := open(t, map[string]string{"100": `[{"type":"answer"},{"id":"m","type":"external_media_start","option":{"external_host":"program:9092","encapsulation":"audiosocket","transport":"tcp",
			"transport_data":"40325ec2-5efd-4bd3-805f-53576e581d13","connection_type":"client","format":"slin","direction_listen":"in","direction_speak":"out"}},
			{"type":"sleep","option":{"duration":3000}},{"type":"external_media_stop"},{"type":"sleep","option":{"duration":3000}}]`}, func(cfg *call.Config) {
			cfg.Streams.Dial = func(context.Context, string, string) (net.Conn, error) {
				ours, theirs := net.Pipe()
				e.conns.Go(func() { e.audioSocket(theirs) })
				return ours, nil
			}
		})
		c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		c.Say(tone.Sine(1000, 10*time.Second).Clip(8000).PCM())
		time.Sleep(2500 * time.Millisecond)
		if !calltest.Hears(c.Heard(), 1000) {
			t.Error("the program is not heard")
		}
		time.Sleep(1500 * time.Millisecond)
		n := len(c.Heard())
		e.conns.Wait() // it was told of the end
		c.WaitEnd(t)
		if calltest.Hears(c.Heard()[n:], 1000) {
			t.Error("the program is heard after external_media_stop")
		}
		if r := h.records(t)[0]; r.Code != call.CodeFlowEnded {
			t.Errorf("the call ends by %s", r.Code)
		}
		var told []string
		for _, m := range h.streamed() {
			told = append(told, m.Reason)
		}
		if len(told) != 2 || told[1] != "stopped" {
			t.Errorf("events of external media: %q", told)
		}
	})
}
