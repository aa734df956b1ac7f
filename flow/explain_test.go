package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
)

// actor is a leg that notes which steps run, and hangs up after so many.
type actor struct {
	vars  action.Vars
	flows map[string]*Flow
	most  int
	ran   []string
	end   context.CancelCauseFunc
}

func (a *actor) ID() string                                      { return "call" }
func (a *actor) Vars() *action.Vars                              { return &a.vars }
func (a *actor) Answer(context.Context) error                    { return nil }
func (a *actor) Hangup(context.Context, action.Ending) error     { return nil }
func (a *actor) ActionEnded(s Step, o action.Outcome, err error) {}
func (a *actor) ActionStarted(s Step) {
	if len(a.ran) == a.most {
		a.end(action.ErrHangup)
		return
	}
	a.ran = append(a.ran, fmt.Sprintf("%s %s %s", s.Flow, s.ID, s.Option))
}

func (a *actor) FlowByID(_ context.Context, id string) (action.Program, error) {
	if f := a.flows[id]; f != nil {
		return f, nil
	}
	return nil, action.ErrNoFlow
}

// straight returns a random flow in which all is known beforehand.
func straight(rnd *rand.Rand) string {
	n := 1 + rnd.IntN(10)
	id := func() string { return fmt.Sprintf("s%d", rnd.IntN(n)) }
	name := func() string { return fmt.Sprintf("v%d", rnd.IntN(3)) }
	var actions []map[string]any
	for i := range n {
		a := map[string]any{"id": fmt.Sprintf("s%d", i)}
		var option map[string]any
		switch rnd.IntN(10) {
		case 0:
			a["type"], option = "sleep", map[string]any{"duration": rnd.IntN(3) * 500}
		case 1:
			a["type"], option = "goto", map[string]any{"target_id": id(), "loop_count": rnd.IntN(4)}
		case 2:
			a["type"], option = "branch", map[string]any{"variable": name(), "target_ids": map[string]string{"1": id(), "12": id(), "": id()}}
			if rnd.IntN(3) > 0 {
				option["default_target_id"] = id()
			}
		case 3:
			a["type"], option = "condition_variable", map[string]any{
				"variable": "${" + name() + "}", "condition": []string{"==", "<"}[rnd.IntN(2)], "value_type": "length", "value_length": rnd.IntN(4), "false_target_id": id()}
		case 4:
			a["type"], option = "condition_datetime", map[string]any{"condition": "<", "hour": 24 * rnd.IntN(2) / 2, "false_target_id": id()}
		case 5:
			a["type"], option = "fetch_flow", map[string]any{"flow_id": fmt.Sprint(rnd.IntN(4))}
		case 6:
			a["type"], option = "condition_call_digits", map[string]any{"length": 1, "false_target_id": id()}
		case 7:
			a["type"] = []string{"answer", "empty", "hangup", "stop"}[rnd.IntN(4)]
		default:
			value := []string{"1", "${v0}2", "", "${last.status|x}", fmt.Sprintf("${s%d.result}", rnd.IntN(n)), fmt.Sprintf("${s%d.value}", rnd.IntN(n))}[rnd.IntN(6)]
			a["type"], option = "variable_set", map[string]any{"key": name(), "value": value}
		}
		if rnd.IntN(5) == 0 {
			a["next_id"] = id()
		}
		if rnd.IntN(4) == 0 && a["type"] != "answer" && a["type"] != "sleep" && a["type"] != "hangup" {
			a["on_error"] = id()
		}
		if option != nil {
			a["option"] = option
		}
		actions = append(actions, a)
	}
	b, _ := json.Marshal(actions) // maps of strings
	return string(b)
}

// TestExplainedIsWhatRuns: where all is known beforehand, the actions that Explain tells of are those that run, with
// the same options, in the same order, in all flows.
func TestExplainedIsWhatRuns(t *testing.T) {
	runs := 1500
	if testing.Short() {
		runs = 500
	}
	var steps, ends, loops, unknown int
	for seed := range runs {
		rnd := rand.New(rand.NewPCG(uint64(seed), 11))
		flows := make(map[string]*Flow)
		var first *Flow
		var texts []string
		for i := range 3 {
			texts = append(texts, straight(rnd))
			f, err := Parse([]byte(texts[i]), ParseOptions{Name: fmt.Sprint("flow", i)})
			if err != nil {
				t.Fatalf("%s: %v", texts[i], err)
			}
			flows[fmt.Sprint(i)] = f
			if first == nil {
				first = f
			}
		}
		at := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // of each bubble
		a := &actor{flows: flows}
		w := Explain(t.Context(), first, ExplainOptions{At: at, FlowByID: a.FlowByID, MaxSteps: 200})
		var told []string
		certain := true // what follows an option that is not known is no matter of this test
		for _, e := range w.Steps {
			if certain = len(e.Unknown) == 0; !certain {
				break
			}
			told = append(told, fmt.Sprintf("%s %s %s", e.Flow, e.ID, e.Option))
		}
		a.most = len(told)
		var err error
		synctest.Test(t, func(t *testing.T) {
			var ctx context.Context
			ctx, a.end = context.WithCancelCause(t.Context())
			err = first.Run(ctx, a)
			a.end(nil)
		})
		if !slices.Equal(a.ran, told) {
			t.Fatalf("%s\nran:\n%s\ntold:\n%s", strings.Join(texts, "\n"), strings.Join(a.ran, "\n"), strings.Join(told, "\n"))
		}
		goesOn := !certain || w.Joins > 0 || w.Cut
		if errors.Is(err, action.ErrHangup) != goesOn {
			t.Fatalf("%s\nran %v: %v\ntold that it ends: %t, %q", strings.Join(texts, "\n"), a.ran, err, !goesOn, w.End)
		}
		steps += len(told)
		switch {
		case !certain:
			unknown++
		case goesOn:
			loops++
		default:
			ends++
		}
	}
	t.Logf("%d flows, %d steps: %d came to an end, %d went on for ever, %d to what nobody knows", runs, steps, ends, loops, unknown)
	if ends < runs/10 || loops < runs/20 {
		t.Error("the random flows show too little")
	}
}

// TestExplainEnds: whatever is unknown, what is told is bounded, each step has its own number, and each way an end.
func TestExplainEnds(t *testing.T) {
	for seed := range 2000 {
		text := waysText(t, randomWays(rand.New(rand.NewPCG(uint64(seed), 12))))
		text = []byte(strings.ReplaceAll(string(text), `"${k}"`, `"${voipbin.call.ring_ms}"`))
		f, err := Parse(text, ParseOptions{})
		if err != nil {
			t.Fatal(err)
		}
		w := Explain(t.Context(), f, ExplainOptions{MaxSteps: 300})
		told := 0
		var look func(w *Course)
		look = func(w *Course) {
			for _, e := range w.Steps {
				if told++; e.N != told {
					t.Fatalf("%s: step %d has the number %d", text, told, e.N)
				}
			}
			ended := w.Joins > 0 || w.End != ""
			for i := range w.Ways {
				v := &w.Ways[i]
				if ended = ended || v.At == told; v.At == 0 || v.When == "" {
					t.Fatalf("%s: a way from nowhere: %+v", text, v)
				}
			}
			if w.Joins > told || !ended && len(w.Ways) == 0 {
				t.Fatalf("%s: a way without end: %+v", text, w)
			}
			for i := range w.Ways {
				look(&w.Ways[i])
			}
		}
		look(&w)
		if told > 300 {
			t.Fatalf("%s: %d steps", text, told)
		}
	}
}

// TestExplainTellsOfOwnActions: of an action of a program nothing is known, but where it may go.
func TestExplainTellsOfOwnActions(t *testing.T) {
	reg := action.Builtin(action.Deps{})
	reg.Add("own", func() action.Action {
		return action.Func(func(context.Context, action.Leg) (action.Outcome, error) { panic("it runs") })
	})
	f, err := Parse([]byte(`[{"type": "variable_set", "option": {"key": "a", "value": "1"}}, {"type": "own"},
		{"type": "condition_variable", "option": {"variable": "${a}", "condition": "==", "value_type": "string", "value_string": "1", "false_target_id": "x"}},
		{"id": "x", "type": "stop"}]`), ParseOptions{Registry: reg})
	if err != nil {
		t.Fatal(err)
	}
	w := Explain(t.Context(), f, ExplainOptions{})
	if len(w.Steps) != 3 || !w.Steps[1].Opaque || !slices.Equal(w.Steps[2].Unknown, []string{"a"}) || len(w.Ways) != 2 || w.Ways[1].Joins != 4 {
		t.Errorf("%+v", w)
	}
}
