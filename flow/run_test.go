package flow_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/flow/flowtest"
)

// bare is a leg that can do nothing.
type bare struct{ vars action.Vars }

func (b *bare) ID() string         { return "bare" }
func (b *bare) Vars() *action.Vars { return &b.vars }

// watcher is a bare leg that remembers its steps.
type watcher struct {
	bare
	steps []flow.Step
	errs  []error
}

func (w *watcher) ActionStarted(s flow.Step)                            { w.steps = append(w.steps, s) }
func (w *watcher) ActionEnded(_ flow.Step, _ action.Outcome, err error) { w.errs = append(w.errs, err) }

func mustParse(t testing.TB, reg *action.Registry, data string) *flow.Flow {
	t.Helper()
	f, err := flow.Parse([]byte(data), flow.ParseOptions{Registry: reg, Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestPanicEndsOneCallWithItsStack(t *testing.T) {
	reg := action.Builtin(action.Deps{})
	reg.Add("broken", func() action.Action {
		return action.Func(func(context.Context, action.Leg) (action.Outcome, error) { panic("oh") })
	})
	err := mustParse(t, reg, `[{"type":"sleep"},{"id":"b","type":"broken"}]`).Run(t.Context(), &bare{})
	step, ok := errors.AsType[*flow.StepError](err)
	if !ok || step.ID != "b" || step.Type != "broken" || step.Index != 1 || step.Flow != "test" {
		t.Fatalf("got %v", err)
	}
	p, ok := errors.AsType[*flow.PanicError](err)
	if !ok || p.Value != "oh" || !strings.Contains(string(p.Stack), "TestPanicEndsOneCallWithItsStack") ||
		!strings.HasPrefix(err.Error(), `flow: test: action "b" (broken): flow: action panicked: oh`+"\n") {
		t.Errorf("got %v", err)
	}
}

// picky panics when it is decoded from a certain value.
type picky string

func (p *picky) UnmarshalText(b []byte) error {
	if string(b) == "bang" {
		panic("bang")
	}
	if string(b) == "no" {
		return errors.New("not this")
	}
	*p = picky(b)
	return nil
}

type pickyAction struct {
	P picky `json:"p"`
}

func (a *pickyAction) Run(context.Context, action.Leg) (action.Outcome, error) {
	return action.Outcome{Result: map[string]string{"p": string(a.P)}}, nil
}

func TestOptionThatIsKnownAtRunTimeOnly(t *testing.T) {
	reg := action.NewRegistry()
	action.Register[pickyAction](reg, "picky")
	if _, err := flow.Parse([]byte(`[{"type":"picky","option":{"p":"no"}}]`), flow.ParseOptions{Registry: reg}); err == nil || !strings.Contains(err.Error(), "not this") {
		t.Errorf("a value that is refused: got %v", err)
	}
	f := mustParse(t, reg, `[{"type":"picky","option":{"p":"${x}"}}]`)
	for value, want := range map[string]string{"": "", "fine": "", "no": "not this"} {
		w := &watcher{}
		if err := w.vars.Set("x", value); err != nil {
			t.Fatal(err)
		}
		if err := f.Run(t.Context(), w); err != nil {
			t.Errorf("%q: %v", value, err)
		}
		if got := fmt.Sprint(w.errs[0]); (want == "") != (w.errs[0] == nil) || !strings.Contains(got, want) {
			t.Errorf("%q: got %s, want %q", value, got, want)
		}
	}
	w := &watcher{}
	if err := w.vars.Set("x", "bang"); err != nil {
		t.Fatal(err)
	}
	if _, ok := errors.AsType[*flow.PanicError](f.Run(t.Context(), w)); !ok {
		t.Error("a panic while decoding is not fatal")
	}
}

// TestLegThatCanDoNothing runs every built-in action on it: all fail, none fatally.
func TestLegThatCanDoNothing(t *testing.T) {
	reg := action.Builtin(action.Deps{})
	w := &watcher{}
	f := mustParse(t, reg, `[{"type":"answer"},{"type":"play","option":{"stream_urls":["file:a.wav"]}},{"type":"talk","option":{"text":"x"}},
		{"type":"beep"},{"type":"echo"},{"type":"digits_receive"},{"type":"recording_start"},{"type":"recording_stop"},
		{"type":"webhook_send","option":{"uri":"http://localhost/"}},
		{"type":"connect","option":{"destinations":[{"type":"agent","target":"a"}],"relay_reason":true}},
		{"type":"call","option":{"destinations":[{"type":"agent","target":"a"}],"flow_id":"f"}},
		{"type":"confbridge_join","option":{"confbridge_id":"b"}},{"type":"conference_join","option":{"conference_id":"c"}},
		{"type":"digits_send","option":{"digits":"1"}},{"type":"mute"},{"type":"hangup"}]`)
	if err := f.Run(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	if len(w.errs) != f.Len() {
		t.Fatalf("%d of %d steps ran", len(w.errs), f.Len())
	}
	for i, err := range w.errs {
		if err == nil {
			t.Errorf("%s did not fail", w.steps[i].Type)
		}
	}
}

func TestContextsCauseIsReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("redirected")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(cause) })
		start := time.Now()
		err := mustParse(t, nil, `[{"type":"sleep","option":{"duration":5000}},{"type":"stop"}]`).Run(ctx, &bare{})
		if !errors.Is(err, cause) || time.Since(start) != time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		w := &watcher{}
		if err := mustParse(t, nil, `[{"type":"stop"}]`).Run(ctx, w); !errors.Is(err, cause) || len(w.steps) != 0 {
			t.Errorf("a context that has ended: got %v after %d steps", err, len(w.steps))
		}
	})
}

// TestResume cuts a flow with nested loops at each of its steps, takes it up from the
// position as it was written down, and expects the rest of the steps.
func TestResume(t *testing.T) {
	f := mustParse(t, nil, `[{"id":"a","type":"variable_set","option":{"key":"k","value":"v"}},
		{"type":"goto","option":{"target_id":"a","loop_count":2}},
		{"type":"goto","option":{"target_id":"a","loop_count":1}},
		{"type":"stop"}]`)
	all := &watcher{}
	if err := f.Run(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	if len(all.steps) != 6+6+2+1 {
		t.Fatalf("%d steps", len(all.steps))
	}
	for i, s := range all.steps {
		b, err := json.Marshal(s.Position())
		if err != nil {
			t.Fatal(err)
		}
		var p flow.Position
		if err := json.Unmarshal(b, &p); err != nil {
			t.Fatal(err)
		}
		rest := &watcher{}
		if err := f.RunFrom(t.Context(), rest, p); err != nil {
			t.Fatal(err)
		}
		ids := func(steps []flow.Step) (ids []string) {
			for _, s := range steps {
				ids = append(ids, s.ID)
			}
			return ids
		}
		if d := cmp.Diff(ids(all.steps[i:]), ids(rest.steps)); d != "" {
			t.Errorf("from %s: %s", b, d)
		}
	}
	for _, p := range []flow.Position{{Index: -1}, {Index: 4}, {ID: "gone", Index: 99}} {
		if err := f.RunFrom(t.Context(), &bare{}, p); err == nil {
			t.Errorf("from %+v: no error", p)
		}
	}
	if err := mustParse(t, nil, `[]`).RunFrom(t.Context(), &bare{}, flow.Position{}); err != nil {
		t.Errorf("an empty flow from its start: %v", err)
	}
}

func TestStepIsJSON(t *testing.T) {
	w := &watcher{}
	if err := w.vars.Set("who", `"Ann" \ & `); err != nil {
		t.Fatal(err)
	}
	f := mustParse(t, nil, `[{"type":"variable_set","option":{"key":"k", "value":"${who}"}}]`)
	if err := f.Run(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(w.steps[0])
	if err != nil {
		t.Fatal(err)
	}
	var got flow.Step
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	var option struct{ Value string }
	if err := json.Unmarshal(got.Option, &option); err != nil || option.Value != `"Ann" \ & ` {
		t.Errorf("got %s, %v", got.Option, err)
	}
	got.Option = w.steps[0].Option // json.Marshal escapes & again
	if d := cmp.Diff(w.steps[0], got); d != "" {
		t.Error(d)
	}
}

// plain is a leg that looks after no background work.
type plain struct {
	*flowtest.Leg
	ended func(error)
}

// Background hides that of the leg.
func (plain) Background() {}

func (p *plain) ActionEnded(_ flow.Step, _ action.Outcome, err error) { p.ended(err) }

func TestBackgrounderKeepsWorkBeyondTheFlow(t *testing.T) {
	f := flowtest.New(t, "flow.json", `[{"type":"webhook_send","option":{"uri":"https://example.com/"}}]`, flowtest.Config{})
	r := f.Run(t, "http error\nhttp 200")
	if len(r.Requests) != 2 || r.Events[len(r.Events)-1].Kind != flowtest.KindRequest {
		t.Errorf("the webhook was not delivered after the end of the flow:\n%s", r)
	}
}

// TestEndOfTheFlowWaitsForBackgroundWork of a leg that looks after none, for a while.
func TestEndOfTheFlowWaitsForBackgroundWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &plain{Leg: newLeg(t, flowtest.Script{flowtest.Around("http", "hang")}), ended: func(error) {}}
		f := mustParse(t, action.Builtin(l.Deps()), `[{"type":"webhook_send","option":{"uri":"https://example.com/"}}]`)
		start := time.Now()
		if err := f.Run(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start).Truncate(time.Millisecond); d != action.BackgroundGrace {
			t.Errorf("the flow ended after %v", d)
		}
	})
}

func TestBackgroundWorkIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var busy int
		l := &plain{Leg: newLeg(t, flowtest.Script{flowtest.Around("http", "*", "hang")}), ended: func(err error) {
			if errors.Is(err, action.ErrBusy) {
				busy++
			}
		}}
		f := mustParse(t, action.Builtin(l.Deps()), `[{"id":"a","type":"webhook_send","option":{"uri":"https://example.com/"}},
			{"type":"goto","option":{"target_id":"a","loop_count":99}}]`)
		if err := f.Run(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		if got := len(l.Requests()); got != action.MaxBackground || busy != 100-action.MaxBackground {
			t.Errorf("%d requests, %d refused", got, busy)
		}
	})
}

func TestFlowRunsOnManyLegsAtOnce(t *testing.T) {
	f := mustParse(t, nil, `[{"id":"a","type":"variable_set","option":{"key":"n","value":"${n}x"}},
		{"type":"goto","option":{"target_id":"a","loop_count":9}}]`)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			b := &bare{}
			if err := f.Run(t.Context(), b); err != nil || b.vars.Get("n") != "xxxxxxxxxx" {
				t.Errorf("got %q, %v", b.vars.Get("n"), err)
			}
		})
	}
	wg.Wait()
}

func BenchmarkStep(b *testing.B) {
	for name, data := range map[string]string{
		"Static":   `[{"id":"a","type":"variable_set","option":{"key":"k","value":"v"},"next_id":"a"}]`,
		"Variable": `[{"id":"a","type":"variable_set","option":{"key":"k","value":"${v}"},"next_id":"a"}]`,
		"Goto":     `[{"id":"a","type":"goto","option":{"target_id":"a","loop_count":1000000}}]`,
		"Branch":   `[{"id":"a","type":"branch","option":{"target_ids":{"":"a"}}}]`,
		"Sleep":    `[{"id":"a","type":"sleep","next_id":"a"}]`,
	} {
		b.Run(name, func(b *testing.B) {
			f := mustParse(b, nil, data)
			b.ReportAllocs()
			// One run is cut after MaxIdleSteps steps.
			steps := 0
			for b.Loop() {
				if steps%flow.MaxIdleSteps == 0 {
					if err := f.Run(b.Context(), &bare{}); !errors.Is(err, flow.ErrLoop) {
						b.Fatal(err)
					}
				}
				steps++
			}
		})
	}
}
