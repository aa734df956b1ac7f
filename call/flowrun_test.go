package call_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/store"
)

// TestFlowRunEndsWithTheEngine: what runs on no call is waited for, and ended when it takes too long; nothing begins any more.
func TestFlowRunEndsWithTheEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, func(c *call.Config) { c.OnEvent = nil })
		var cause error
		long := flow.Func(func(ctx context.Context, leg action.Leg) error {
			<-ctx.Done()
			cause = context.Cause(ctx)
			return cause
		})
		got, err := h.RunFlow(t.Context(), call.FlowRunOptions{ID: "a", Flow: long, Variables: map[string]string{"x": "y", "voipbin.call.id": "forged"}})
		if err != nil || got.Status != call.ActiveflowRunning || got.ReferenceType != call.ReferenceAPI {
			t.Fatalf("%+v, %v", got, err)
		}
		if _, err := h.RunFlow(t.Context(), call.FlowRunOptions{ID: "a", Flow: long}); !errors.Is(err, call.ErrRunning) {
			t.Errorf("the id again: %v", err)
		}
		for _, bad := range []call.FlowRunOptions{{}, {ID: strings.Repeat("x", 300), Flow: long}, {Flow: long, Variables: map[string]string{"x": strings.Repeat("x", 1<<20)}}} {
			if _, err := h.RunFlow(t.Context(), bad); err == nil {
				t.Errorf("%+v runs", bad)
			}
		}
		begun := time.Now()
		h.stop()
		if took := time.Since(begun); cause == nil || took > 30*time.Second {
			t.Errorf("ended by %v after %v", cause, took)
		}
		if _, err := h.RunFlow(t.Context(), call.FlowRunOptions{Flow: long}); !errors.Is(err, call.ErrNoRoom) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// TestFlowRunsThatFollowEachOtherComeToAnEnd: a flow that follows itself runs a few times.
func TestFlowRunsThatFollowEachOtherComeToAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &web{}
		deps := action.Deps{HTTP: w}
		h := open(t, nil, withFlows(t, &deps, map[string]string{
			"self": `{"id":"self","on_complete_flow_id":"self","actions":[{"type":"webhook_send","option":{"sync":true,"uri":"http://x/","method":"POST","data":"${voipbin.activeflow.complete_count|0}"}}]}`}))
		p, err := h.FlowByID(t.Context(), "self")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.RunFlow(t.Context(), call.FlowRunOptions{ID: "first", Flow: p}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if got := fmt.Sprint(w.all()); got != "[0 1 2 3 4 5]" {
			t.Errorf("ran with the counts %s", got)
		}
		n := 0
		for a := range h.FlowRuns() {
			if n++; a.Status != call.ActiveflowEnded || a.FlowID != "self" || len(a.ExecutedActions) != 1 {
				t.Errorf("%+v", a)
			}
		}
		if n != 6 {
			t.Errorf("%d runs are known", n)
		}
		h.ForgetFlowRun("first")
		if _, ok := h.FlowRun("first"); ok {
			t.Error("one that is forgotten is known")
		}
		if ok, err := h.StopFlowRun(t.Context(), "first"); ok || err != nil {
			t.Errorf("stopped: %v, %v", ok, err)
		}
	})
}

// TestStoredFlowsAreFound: after those that there are, as they are stored now.
func TestStoredFlowsAreFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := store.Memory()
		put := func(f store.Flow) store.Flow {
			t.Helper()
			f, err := db.PutFlow(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
		one := put(store.Flow{ID: "one", Name: "one", Body: []byte(`{"id":"one","actions":[{"type":"answer"}]}`)})
		put(store.Flow{ID: "own", Body: []byte(`[{"type":"hangup"}]`)})
		put(store.Flow{ID: "bad", Body: []byte(`[{"type":"anser"}]`)})
		own := flow.Func(func(context.Context, action.Leg) error { return nil })
		h := open(t, nil, func(c *call.Config) {
			c.FlowByID = func(_ context.Context, id string) (flow.Program, error) {
				if id == "own" {
					return own, nil
				}
				return nil, fmt.Errorf("%w: id %q", call.ErrNoFlow, id)
			}
			c.UseStoredFlows(db)
		})
		length := func(id string) (flow.Program, int) {
			t.Helper()
			p, err := h.FlowByID(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			if f, ok := p.(*flow.Flow); ok {
				return p, f.Len()
			}
			return p, -1
		}
		first, n := length("one")
		if again, _ := length("one"); n != 1 || again != first {
			t.Errorf("%d actions; the same revision was parsed anew: %v", n, again != first)
		}
		one.Body = []byte(`[{"type":"answer"},{"type":"beep"}]`)
		put(one)
		if _, n := length("one"); n != 2 {
			t.Errorf("after a change: %d actions", n)
		}
		if _, n := length("own"); n != -1 {
			t.Error("a flow of the store hides one of the program")
		}
		if _, err := h.FlowByID(t.Context(), "none"); !errors.Is(err, call.ErrNoFlow) {
			t.Errorf("%v", err)
		}
		var bad *flow.Error
		if _, err := h.FlowByID(t.Context(), "bad"); !errors.As(err, &bad) {
			t.Errorf("%v", err)
		}
	})
}
