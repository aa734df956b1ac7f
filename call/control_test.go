package call_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
)

// up returns the one call that is up.
func (h *house) up(t *testing.T) *call.Call {
	t.Helper()
	for c := range h.Calls() {
		return c
	}
	t.Fatal("no call is up")
	return nil
}

// TestFlowIsContinuedAndSkippedByItsStamp: a request with the stamp of a step that is over is harmless.
func TestFlowIsContinuedAndSkippedByItsStamp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"id":"a","type":"answer"},{"id":"b","type":"block"},
			{"id":"loop","type":"sleep","option":{"duration":60000}},{"type":"goto","option":{"target_id":"loop","loop_count":1}},
			{"id":"c","type":"block"},{"id":"end","type":"hangup","option":{"reason":"busy"}}]`})
		c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		time.Sleep(time.Second)
		live := h.up(t)
		now := func() *call.ExecutedAction {
			t.Helper()
			synctest.Wait()
			a, err := live.Activeflow()
			if err != nil || a.Status != call.ActiveflowRunning || a.CurrentAction == nil {
				t.Fatalf("activeflow %+v, %v", a, err)
			}
			return a.CurrentAction
		}
		if at := now(); at.ID != "b" || at.Execution != 2 {
			t.Fatalf("stands at %+v", at)
		}
		for what, err := range map[string]error{
			"an action that does not run": live.Continue("a", 0),
			"another execution":           live.Continue("b", 1),
			"an action that is not there": live.Skip("x", 0),
			"the right one":               live.Continue("b", 2),
		} {
			if (err == nil) != (what == "the right one") || err != nil && !errors.Is(err, call.ErrStaleStep) {
				t.Errorf("%s: %v", what, err)
			}
		}
		first := now()
		if first.ID != "loop" {
			t.Fatalf("after the block: %+v", first)
		}
		if err := live.Continue("loop", first.Execution); !errors.Is(err, call.ErrStaleStep) {
			t.Errorf("a sleep was continued like a block: %v", err)
		}
		if err := live.Skip("loop", first.Execution); err != nil {
			t.Error(err)
		}
		second := now()
		if second.ID != "loop" || second.Execution <= first.Execution {
			t.Fatalf("after the skip: %+v", second)
		}
		if err := live.Skip("loop", first.Execution); !errors.Is(err, call.ErrStaleStep) {
			t.Errorf("the stamp of an execution that is over: %v", err)
		}
		if err := live.Skip("loop", 0); err != nil {
			t.Error(err)
		}
		if err := live.Continue("c", now().Execution); err != nil {
			t.Error(err)
		}
		c.WaitEnd(t)
		rec := h.records(t)[0]
		lines, err := h.store.Trace(t.Context(), rec.ID)
		if err != nil {
			t.Fatal(err)
		}
		trace, err := call.DecodeTrace(lines)
		if err != nil {
			t.Fatal(err)
		}
		a := call.ActiveflowOf(trace)
		var ids, errs []string
		for _, x := range a.ExecutedActions {
			ids = append(ids, x.ID)
			errs = append(errs, x.Error)
			if x.TmEnd.Before(x.TmExecute.Time) {
				t.Errorf("%s ended before it began", x.ID)
			}
		}
		if d := cmp.Diff([]string{"a", "b", "loop", "action-4", "loop", "action-4", "c", "end"}, ids); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff("..action: skipped..action: skipped...", strings.Join(errs, ".")); d != "" {
			t.Error(d)
		}
		if a.Status != call.ActiveflowEnded || a.ID != rec.ActiveflowID || a.ReferenceID != rec.ID || a.CurrentAction != nil || rec.HangupReason != "busy" && rec.Code != call.CodeFlowHungUp {
			t.Errorf("in the end %+v of %+v", a, rec)
		}
	})
}

func TestStopFlowHangsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"answer"},{"id":"b","type":"block"}]`})
		c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		time.Sleep(time.Second)
		h.up(t).StopFlow()
		if why := c.WaitEnd(t); !strings.HasPrefix(why, "BYE") {
			t.Errorf("the call ended by %q", why)
		}
		if r := h.records(t)[0]; r.HangupBy != "local" || r.HangupReason != "normal" || r.Code != call.CodeFlowEnded {
			t.Errorf("record %+v", r)
		}
	})
}

// TestPanicOfAnActionGoesToItsOnError: the process lives, the call goes on.
func TestPanicOfAnActionGoesToItsOnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := action.Builtin(action.Deps{Prompts: tonePrompts{}})
		reg.Add("broken", func() action.Action {
			return action.Func(func(context.Context, action.Leg) (action.Outcome, error) { panic("oh") })
		})
		f := mustFlow(t, reg, `[{"type":"answer"},{"type":"broken","on_error":"tell"},{"type":"stop"},{"id":"tell","type":"play","option":{"stream_urls":["http://tone/700"]}}]`)
		h := open(t, nil, func(c *call.Config) { c.Route = always(f) })
		c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		c.WaitEnd(t)
		if l := level(c.Heard()[400:7600], 700); l < 0.1 {
			t.Errorf("700 Hz at %v", l)
		}
		if r := h.records(t)[0]; r.Code != call.CodeFlowEnded {
			t.Errorf("record %+v", r)
		}
	})
}
