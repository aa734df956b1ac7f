package flow_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/flow/flowtest"
)

// newLeg is a simulated leg whose context does not matter.
func newLeg(t testing.TB, s flowtest.Script) *flowtest.Leg {
	t.Helper()
	w, err := flowtest.NewWorld(s)
	if err != nil {
		t.Fatal(err)
	}
	leg, _ := flowtest.NewLeg(t.Context(), w)
	return leg
}

// eachScript runs f on every script of a folder and compares with its "want".
func eachScript(t *testing.T, dir string, f func(t *testing.T, script, flowJSON []byte) string) {
	files, err := filepath.Glob(filepath.Join("testdata", dir, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts in testdata/%s: %v", dir, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if len(ar.Files) == 0 || ar.Files[0].Name != "flow.json" {
				t.Fatal("the first file must be flow.json")
			}
			got := f(t, ar.Comment, ar.Files[0].Data)
			want := ""
			if len(ar.Files) > 1 {
				want = string(ar.Files[1].Data)
			}
			if got == want {
				return
			}
			if !flowtest.Updating() {
				t.Errorf("got (+), want (-):\n%s", cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")))
				return
			}
			ar.Files = append(ar.Files[:1], txtar.File{Name: "want", Data: []byte(got)})
			if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestScripts runs flows against a scripted caller: package flowtest has the lines.
func TestScripts(t *testing.T) {
	eachScript(t, "script", func(t *testing.T, script, flowJSON []byte) string {
		f := flowtest.New(t, "", string(flowJSON), flowtest.Config{Dir: "/flows", Unchecked: true})
		s, err := flowtest.ParseScript(string(script))
		if err != nil {
			t.Fatal(err)
		}
		r := f.RunScript(t, s)
		for _, err := range r.Failures {
			t.Error(err)
		}
		return r.String()
	})
}

// TestBad holds flows that are refused or doubtful, and what is said of them.
func TestBad(t *testing.T) {
	eachScript(t, "bad", func(t *testing.T, script, flowJSON []byte) string {
		leg := newLeg(t, nil)
		deps, able := leg.Deps(), action.LegAbilities(leg)
		for line := range strings.Lines(string(script)) {
			if strings.TrimSpace(line) == "bare engine" {
				deps, able = action.Deps{}, action.Abilities{}
			}
		}
		able = able.With(deps.Abilities())
		f, err := flow.Parse(flowJSON, flow.ParseOptions{Registry: action.Builtin(deps), File: "100.json"})
		if err != nil {
			if f != nil {
				t.Error("a flow beside an error")
			}
			return err.Error() + "\n"
		}
		var b strings.Builder
		for _, finding := range flow.Check(f, able) {
			fmt.Fprintln(&b, finding)
		}
		return b.String()
	})
}
