package flow_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/flow/flowtest"
)

func TestParseGivesTheFlowsOwnNameAndID(t *testing.T) {
	data := []byte("\xef\xbb\xbf" + `{"id":"F0000000-0000-4000-8000-000000000001","name":"menu","actions":[{"type":"stop"}],
		"on_complete_flow_id":"f0000000-0000-4000-8000-000000000002"}`)
	f, err := flow.Parse(data, flow.ParseOptions{Name: "100"})
	if err != nil {
		t.Fatal(err)
	}
	got := []any{f.ID(), f.Name(), f.OnCompleteFlowID(), f.Len()}
	want := []any{"f0000000-0000-4000-8000-000000000001", "menu", "f0000000-0000-4000-8000-000000000002", 1}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if f, err = flow.Parse([]byte(`[]`), flow.ParseOptions{Name: "100"}); err != nil || f.Name() != "100" {
		t.Errorf("name of a bare list: %v, %v", f, err)
	}
}

func TestFindingsHaveFields(t *testing.T) {
	_, err := flow.Parse([]byte("[\n {\"id\":\"menu\",\"type\":\"digits_receive\",\n  \"option\":{\"lenght\":1}}]"), flow.ParseOptions{File: "100.json"})
	bad, ok := errors.AsType[*flow.Error](err)
	if !ok {
		t.Fatalf("error is %T", err)
	}
	want := []flow.Finding{{
		Severity: flow.SeverityError, Rule: action.RuleUnknownKey, File: "100.json", Line: 3, Column: 13, Offset: 53,
		Action: "menu", Type: "digits_receive", Path: "lenght", Pointer: "/0/option/lenght",
		Message: `option "lenght" is unknown, did you mean "length"?`,
	}}
	if d := cmp.Diff(want, bad.Findings); d != "" {
		t.Error(d)
	}
	if got, want := err.Error(), `100.json:3:13: error: action "menu" (digits_receive): option "lenght" is unknown, did you mean "length"?`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestParseKeepsItsLimits(t *testing.T) {
	stop := `{"type":"stop"}`
	stops := strings.Repeat(stop+",", flow.MaxActions/2) + stop
	for name, c := range map[string]struct{ data, want string }{
		"size":    {"[" + strings.Repeat(" ", flow.MaxSize) + "]", "bytes, at most 1048576"},
		"actions": {"[" + strings.Repeat(stop+",", flow.MaxActions) + stop + "]", "10001 actions, at most 10000"},
		"depth":   {strings.Repeat("[", 100) + strings.Repeat("]", 100), "nested more than 64 deep"},
		"deep":    {strings.Repeat("[", 100_000), "not valid JSON"},
		"values":  {"[" + strings.Repeat("1,", 250_000) + "1]", "more than 200000 values"},
		"nested actions": {
			"[" + strings.Repeat(stop+",", flow.MaxActions/2-1) + inCall("["+stops+"]") + "]",
			`"action-5000" (call): in "actions": the flow has 10001 actions, at most 10000`,
		},
		"nesting": {nest(flow.MaxNesting + 1), "flows stand within flows more than 8 deep"},
		"id":      {`[{"type":"stop","id":"` + strings.Repeat("x", 257) + `"}]`, "the id has 257 bytes, at most 256"},
	} {
		f, err := flow.Parse([]byte(c.data), flow.ParseOptions{})
		if err == nil || f != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %.200v, want %q", name, err, c.want)
		}
	}
}

// inCall is an action that calls somebody with a flow.
func inCall(actions string) string {
	return `{"type":"call","option":{"destinations":[{"type":"agent","target":"a"}],"actions":` + actions + `}}`
}

// nest returns a flow with others n deep in it.
func nest(n int) string {
	actions := `[{"type":"mute"}]`
	for range n {
		actions = "[" + inCall(actions) + "]"
	}
	return actions
}

func TestFlowsStandWithinFlows(t *testing.T) {
	f, err := flow.Parse([]byte(nest(flow.MaxNesting)), flow.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	findings := flow.Check(f, action.AbilitiesOf(action.CanDial))
	if len(findings) != 1 || strings.Count(findings[0].Message, `in "actions"`) != flow.MaxNesting ||
		findings[0].Path != "actions" || findings[0].Action != "action-1" || findings[0].Type != "call" {
		t.Errorf("got %v", findings)
	}
}

// pair is an action with two options that may hold flows; it also names one that it has not.
type pair struct {
	A json.RawMessage `json:"a"`
	B json.RawMessage `json:"b"`
}

func (p *pair) Run(context.Context, action.Leg) (action.Outcome, error) {
	return action.Continue(), nil
}
func (p *pair) NestedOptions() []string { return []string{"a", "b", "c"} }

func TestOwnActionsHoldFlows(t *testing.T) {
	reg := action.Builtin(action.Deps{})
	action.Register[pair](reg, "pair")
	_, err := flow.Parse([]byte(`[{"type":"pair"},{"type":"pair","option":{"a":null}},
{"id":"p","type":"pair","option":{"a":[{"id":"x","type":"stop"}],"b":[{"type":"stop","next_id":"x"}]}}]`), flow.ParseOptions{Registry: reg})
	if got, want := fmt.Sprint(err), `2:96: error: action "p" (pair): in "b": action "action-1" (stop): next_id: there is no action with the id "x"; no action has one`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestGeneratedIDsGiveWay(t *testing.T) {
	c := newLeg(t, nil)
	f, err := flow.Parse([]byte(`[{"type":"stop","next_id":"action-1"},{"id":"action-1","type":"stop"}]`), flow.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Run(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if got := flowtest.Transcript(c.Events()); !strings.Contains(got, "action-1x stop {}") {
		t.Errorf("got %s", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, dir := range []string{"script", "bad"} {
		files, err := filepath.Glob(filepath.Join("testdata", dir, "*.txtar"))
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(ar.Files[0].Data)
		}
	}
	_, texts := readValid(f)
	for _, text := range texts {
		f.Add(text)
	}
	reg := action.Builtin(action.Deps{})
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := flow.Parse(data, flow.ParseOptions{Registry: reg})
		if (got == nil) == (err == nil) {
			t.Fatalf("flow %v and error %v", got, err)
		}
		var findings []flow.Finding
		if bad, ok := errors.AsType[*flow.Error](err); ok {
			findings = bad.Findings
		} else if err != nil {
			t.Fatalf("error of type %T", err)
		} else {
			findings = flow.Check(got, action.Abilities{})
		}
		tree, double := action.ParseJSON(data)
		lines := strings.Count(string(data), "\n") + 1
		for _, x := range findings {
			if x.Line < 1 || x.Line > lines || x.Column < 1 || x.Column > len(data)+1 || x.Message == "" || x.Rule == "" {
				t.Fatalf("finding out of the text: %+v", x)
			}
			if tree != nil && len(double) == 0 && !resolves(tree, x.Pointer) { // of a key that stands twice the last one is found
				t.Fatalf("the pointer %q leads nowhere: %+v", x.Pointer, x)
			}
		}
		// A lenient reader takes what a strict one takes, and tells of nothing but warnings where it takes it.
		lenient, err := flow.Parse(data, flow.ParseOptions{Registry: reg, Lenient: true})
		if got != nil && err != nil {
			t.Fatalf("refused by a lenient reader only: %v", err)
		}
		if lenient != nil {
			flow.Check(lenient, action.AllAbilities())
		}
	})
}

// resolves tells whether a JSON pointer leads to a value.
func resolves(n *action.Node, pointer string) bool {
	for part := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		if pointer == "" {
			break
		}
		key := strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")
		if index, err := strconv.Atoi(part); err == nil && n.Kind == action.Array && index < len(n.Elems) {
			n = n.Elems[index]
		} else if n = n.Member(key); n == nil {
			return false
		}
	}
	return true
}

// TestBenchFlows reads flows that are written elsewhere, where they are at hand.
func TestBenchFlows(t *testing.T) {
	dir := filepath.Join("..", "..", "shared", "bench", "flows")
	known := []string{"answer.json", "bridge.json", "default.json", "echo.json", "play.json", "recbridge.json", "record.json"}
	for _, name := range known {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Skip("no flows beside the repository: ", err)
		}
		if _, err := flow.Parse(data, flow.ParseOptions{File: name}); err != nil {
			t.Error(err)
		}
	}
}
