package flow_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow"
)

// push is an action that pushes what its options say.
type push struct {
	Flow    string          `json:"flow"`
	Actions json.RawMessage `json:"actions"`
}

func (p *push) Run(context.Context, action.Leg) (action.Outcome, error) {
	return action.Outcome{Push: &action.Push{FlowID: p.Flow, Actions: p.Actions}}, nil
}

// library is a leg that knows flows and remembers its steps.
type library struct {
	watcher
	flows map[string]flow.Program
}

func (l *library) FlowByID(_ context.Context, id string) (action.Program, error) {
	if p, ok := l.flows[id]; ok {
		return p, nil
	}
	return nil, action.ErrNoFlow
}

func pushRegistry() *action.Registry {
	reg := action.Builtin(action.Deps{})
	action.Register[push](reg, "push")
	return reg
}

// way runs f and tells the steps, with their depth, and how it ended.
func way(t *testing.T, f *flow.Flow, l *library, from flow.Position) string {
	t.Helper()
	err := f.RunFrom(t.Context(), l, from)
	var b strings.Builder
	for _, s := range l.steps {
		fmt.Fprintf(&b, "%s%s ", strings.Repeat(">", len(s.Stack)), s.ID)
	}
	if err != nil {
		fmt.Fprint(&b, err)
	}
	return strings.TrimSpace(b.String())
}

func TestStacks(t *testing.T) {
	reg := pushRegistry()
	flows := map[string]flow.Program{
		"leaf":   mustParse(t, reg, `[{"id":"l1","type":"mute"},{"id":"l2","type":"mute"}]`),
		"out":    mustParse(t, reg, `[{"id":"o1","type":"mute"},{"id":"o2","type":"goto","option":{"target_id":"o1","loop_count":1}}]`),
		"go":     flow.Func(func(_ context.Context, leg action.Leg) error { return leg.Vars().Set("ran", "yes") }),
		"bad":    flow.Func(func(context.Context, action.Leg) error { return errors.New("oh") }),
		"panics": flow.Func(func(context.Context, action.Leg) error { panic("oh") }),
	}
	for _, c := range []struct{ name, flow, want string }{
		{"after a pushed flow comes the next action", `[{"id":"a","type":"push","option":{"flow":"leaf"}},{"id":"b","type":"mute"}]`, `a >l1 >l2 b`},
		{"or next_id", `[{"id":"a","type":"push","option":{"flow":"leaf"},"next_id":"c"},{"id":"b","type":"mute"},{"id":"c","type":"mute"}]`, `a >l1 >l2 c`},
		{"within one another", `[{"id":"a","type":"push","option":{"actions":[{"id":"b","type":"push","option":{"flow":"leaf"}},{"id":"c","type":"mute"}]}}]`, `a >b >>l1 >>l2 >c`},
		{"actions without ids run", `[{"id":"a","type":"push","option":{"actions":[{"type":"mute"},{"type":"mute"}]}}]`, `a >action-1 >action-2`},
		{"a list without actions is passed over", `[{"id":"a","type":"push","option":{"actions":[]}},{"id":"b","type":"mute"}]`, `a b`},
		{"a jump outward leaves the inner flows", `[{"id":"a","type":"push","option":{"actions":[{"type":"push","option":{"actions":[{"type":"mute","next_id":"z"}]}},{"type":"mute"}]}},{"id":"y","type":"mute"},{"id":"z","type":"mute"}]`, `a >action-1 >>action-1 z`},
		{"the innermost id wins", `[{"id":"a","type":"push","option":{"actions":[{"type":"mute","next_id":"z"},{"type":"mute"},{"id":"z","type":"mute"}]}},{"id":"z","type":"mute"}]`, `a >action-1 >z z`},
		{"stop within ends all", `[{"id":"a","type":"push","option":{"actions":[{"type":"stop"}]}},{"id":"b","type":"mute"}]`, `a >action-1`},
		{"gotos start afresh in a flow that is pushed again", `[{"id":"a","type":"push","option":{"flow":"out"}},{"type":"goto","option":{"target_id":"a","loop_count":1}}]`, `a >o1 >o2 >o1 >o2 action-2 a >o1 >o2 >o1 >o2 action-2`},
		{"plain Go is a part of the step", `[{"id":"a","type":"push","option":{"flow":"go"}},{"id":"b","type":"mute"}]`, `a b`},
		{"its error is the step's", `[{"id":"a","type":"push","option":{"flow":"bad"},"on_error":"c"},{"id":"b","type":"mute"},{"id":"c","type":"mute"}]`, `a c`},
		{"so is its panic", `[{"id":"a","type":"push","option":{"flow":"panics"},"on_error":"c"},{"id":"b","type":"mute"},{"id":"c","type":"mute"}]`, `a c`},
		{"a flow that nobody knows is fatal", `[{"id":"a","type":"push","option":{"flow":"none"}},{"id":"b","type":"mute"}]`, `a flow: test: action "a" (push): flow: flow "none": action: there is no such flow`},
		{"unless there is on_error", `[{"id":"a","type":"push","option":{"flow":"none"},"on_error":"b"},{"id":"b","type":"mute"}]`, `a b`},
		{"actions that are no flow are fatal", `[{"id":"a","type":"push","option":{"actions":{}}}]`, `a flow: test: action "a" (push): flow: the actions that were fetched: 1:1: error: key "actions" is required: the list of actions`},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := mustParse(t, reg, c.flow)
			l := &library{flows: flows}
			if got := way(t, f, l, flow.Position{}); got != c.want {
				t.Fatalf("got  %s\nwant %s", got, c.want)
			}
			// Cut at each of its steps and taken up from the position as it was written down, the rest is the same.
			for i, s := range l.steps {
				b, err := json.Marshal(s.Position())
				if err != nil {
					t.Fatal(err)
				}
				var p flow.Position
				if err := json.Unmarshal(b, &p); err != nil {
					t.Fatal(err)
				}
				rest := &library{flows: flows}
				got := way(t, f, rest, p)
				want := strings.Join(strings.Split(c.want, " ")[i:], " ")
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("from %s: %s", b, d)
				}
			}
		})
	}
}

func TestStacksAreBounded(t *testing.T) {
	reg := pushRegistry()
	l := &library{flows: map[string]flow.Program{}}
	f := mustParse(t, reg, `[{"id":"a","type":"push","option":{"flow":"me"}}]`)
	l.flows["me"] = f
	err := f.Run(t.Context(), l)
	if err == nil || !strings.Contains(err.Error(), "more than 100 deep") || len(l.steps) != flow.MaxStacks+1 {
		t.Errorf("got %v after %d steps", err, len(l.steps))
	}
}

// TestLongWaitIsNotCut is the queue's wait loop of VoIPBIN, which its step limit cuts: a pushed flow, again and again.
func TestLongWaitIsNotCut(t *testing.T) {
	reg := pushRegistry()
	l := &library{flows: map[string]flow.Program{"wait": mustParse(t, reg, `[{"type":"sleep","option":{"duration":1}},{"type":"mute"}]`)}}
	f := mustParse(t, reg, `[{"id":"a","type":"push","option":{"flow":"wait"}},{"type":"goto","option":{"target_id":"a","loop_count":300}}]`)
	if err := f.Run(t.Context(), l); err != nil || len(l.steps) != 301*4 {
		t.Errorf("got %v after %d steps", err, len(l.steps))
	}
}
