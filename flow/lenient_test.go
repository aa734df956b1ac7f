package flow_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/flow/flowtest"
)

// TestLenientFlowsRun: what is wrong with a flow that is read leniently is a warning, and happens when it runs.
func TestLenientFlowsRun(t *testing.T) {
	for _, c := range []struct {
		what, text string
		warnings   []string // their rules
		run        []string // what runs, and how it ends
	}{
		{
			"an unknown key is passed over",
			`{"nmae":"x","actions":[{"type":"sleep","optoin":{},"option":{"duration":1,"unit":"ms"}},{"type":"stop"}]}`,
			[]string{"unknown-key", "unknown-key", "unknown-key"},
			[]string{"sleep", "stop", "end"},
		},
		{
			"an option of a wrong type has its default",
			`[{"type":"echo","option":{"duration":"1000"}},{"type":"sleep","option":[1]},{"type":"stop"}]`,
			[]string{"wrong-type", "wrong-type"},
			[]string{"echo", "sleep", "stop", "end"},
		},
		{
			"an unknown action fails",
			`[{"type":"tallk","option":{"text":7}},{"id":"a","option":{}},{"type":5},{"type":"stop"}]`,
			[]string{"unknown-type", "required", "wrong-type"},
			[]string{"tallk !", " !", " !", "stop", "end"},
		},
		{
			"its on_error is taken",
			`[{"type":"tallk","on_error":"e"},{"type":"beep"},{"id":"e","type":"stop"}]`,
			[]string{"unknown-type"},
			[]string{"tallk !", "stop", "end"},
		},
		{
			"what is required is missed by the action",
			`[{"type":"talk"},{"type":"play"},{"type":"stop"}]`,
			[]string{"required", "required"},
			[]string{"talk !", "play !", "stop", "end"},
		},
		{
			"of two actions with one id the first has it",
			`[{"id":"a","type":"beep"},{"type":"goto","option":{"target_id":"a","loop_count":1}},{"id":"a","type":"stop"}]`,
			[]string{"duplicate"},
			[]string{"beep", "goto", "beep", "goto", "stop", "end"},
		},
		{
			"a target that does not exist does no harm where it is not taken",
			`[{"type":"condition_variable","option":{"condition":"==","variable":"a${x|}","value_type":"string","value_string":"a","false_target_id":"b"}},{"type":"stop"}]`,
			[]string{"no-target"},
			[]string{"condition_variable", "stop", "end"},
		},
		{
			"and ends the flow where it is",
			`[{"type":"beep","next_id":"b"},{"type":"stop"}]`,
			[]string{"no-target", "unreachable"},
			[]string{"beep", `flow: action "action-1" (beep): there is no action with the id "b"`},
		},
		{
			"an action that is none fails",
			`["answer",7,null,{"type":"stop"}]`,
			[]string{"wrong-type", "wrong-type", "wrong-type"},
			[]string{" !", " !", " !", "stop", "end"},
		},
	} {
		t.Run(c.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				leg := newLeg(t, nil)
				f, err := flow.Parse([]byte(c.text), flow.ParseOptions{Registry: action.Builtin(leg.Deps()), Lenient: true})
				if err != nil {
					t.Fatal(err)
				}
				var rules []string
				for _, finding := range flow.Check(f, action.AllAbilities()) {
					if finding.Severity != flow.SeverityWarning {
						t.Errorf("not a warning: %s", finding)
					}
					rules = append(rules, finding.Rule)
				}
				if d := cmp.Diff(c.warnings, rules); d != "" {
					t.Error(d)
				}
				ran := new(ranTypes)
				err = f.Run(t.Context(), &watched{leg, ran})
				if *ran = append(*ran, "end"); err != nil {
					(*ran)[len(*ran)-1] = err.Error()
				}
				if d := cmp.Diff(c.run, []string(*ran)); d != "" {
					t.Error(d)
				}
				if _, err := flow.Parse([]byte(c.text), flow.ParseOptions{}); err == nil {
					t.Error("a strict reader takes it, too")
				}
			})
		})
	}
}

// TestLenientReadersHaveLimits: there are faults with which nothing can run.
func TestLenientReadersHaveLimits(t *testing.T) {
	for text, rule := range map[string]string{
		`[{"type":"stop"}`: action.RuleSyntax,
		``:                 action.RuleSyntax,
		`{"name":"x"}`:     flow.RuleNoActions,
		`{"actions":"x"}`:  flow.RuleNoActions,
		`"x"`:              flow.RuleNoActions,
		nest(9):            action.RuleLimit,
		`[{"type":"stop","id":"` + strings.Repeat("x", 257) + `"}]`:       action.RuleLimit,
		`[` + strings.Repeat(`{},`, flow.MaxActions) + `{"type":"stop"}]`: action.RuleLimit,
		`[` + strings.Repeat(` `, flow.MaxSize) + `]`:                     action.RuleLimit,
	} {
		f, err := flow.Parse([]byte(text), flow.ParseOptions{Lenient: true})
		bad, ok := errors.AsType[*flow.Error](err)
		if !ok || f != nil {
			t.Errorf("%.40q: got %v", text, err)
			continue
		}
		for _, finding := range bad.Findings {
			if finding.Severity == flow.SeverityError && finding.Rule != rule {
				t.Errorf("%.40q: got %s, want %s: %s", text, finding.Rule, rule, finding)
			}
		}
	}
}

// watched is a caller of whom only the types of what runs are noted.
type watched struct {
	*flowtest.Leg
	ran *ranTypes
}

type ranTypes []string

func (w *watched) ActionStarted(flow.Step) {}

func (w *watched) ActionEnded(s flow.Step, _ action.Outcome, err error) {
	line := s.Type
	if err != nil {
		line += " !"
	}
	*w.ran = append(*w.ran, line)
}
