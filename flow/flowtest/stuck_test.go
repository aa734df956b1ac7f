package flowtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow"
)

// TestStuckFlowIsAFailure has flows that do not return: each run fails, and those after it do not.
func TestStuckFlowIsAFailure(t *testing.T) {
	for name, p := range map[string]flow.Func{
		"blocked": func(context.Context, action.Leg) error { <-make(chan int); return nil },
		"sleeps":  func(context.Context, action.Leg) error { time.Sleep(100 * time.Hour); return nil },
		"background": func(_ context.Context, l action.Leg) error {
			return l.(*Leg).Background(func(ctx context.Context) { <-ctx.Done() })
		},
	} {
		r := NewProgram(t, name, p, Config{}).RunScript(t, Script{Hangup()})
		if len(r.Failures) != 1 || !errors.Is(r.Failures[0], errStuck) {
			t.Errorf("%s: got %v, want %v", name, r.Failures, errStuck)
		}
	}
	if r := NewProgram(t, "good", flow.Func(func(context.Context, action.Leg) error { return nil }), Config{}).RunScript(t, nil); len(r.Failures) > 0 {
		t.Error(r.Failures)
	}
}

// TestPanicOfAProgramEndsTheCall is as of an action: the error of that one call.
func TestPanicOfAProgramEndsTheCall(t *testing.T) {
	r := NewProgram(t, "panics", flow.Func(func(context.Context, action.Leg) error { panic("oh") }), Config{}).RunScript(t, nil)
	if p := (*flow.PanicError)(nil); !errors.As(r.Err, &p) || p.Value != "oh" {
		t.Errorf("got %v", r.Err)
	}
}

// TestShrinkIsBounded gives up after so many runs, with what it has.
func TestShrinkIsBounded(t *testing.T) {
	f := New(t, "flow", `[{"type":"answer"},{"type":"branch","option":{"target_ids":{"1":"end"}}},{"id":"end","type":"hangup"}]`, Config{})
	runs := 0
	s := shrinker{
		run:   func(s Script) *Result { runs++; return f.RunScript(t, s) },
		holds: func(*Result) error { return errors.New("it is so") },
		left:  7,
		best:  Script{Press("1"), Press("23"), Wait(time.Second), Says("one"), Says("two"), Leave(), Hangup()},
	}
	s.result = s.run(s.best)
	for s.drop() || s.merge() || s.simplify() {
	}
	if runs > 8 || len(s.best) != 0 {
		t.Errorf("%d runs, %q", runs, s.best)
	}
}
