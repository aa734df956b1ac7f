package flowtest

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// mayFail are the flows of testdata/valid in which something that fails ends the flow: they have no on_error for it.
var mayFail = map[string]string{
	"old_keys":             "ai_talk",
	"old_names":            "fetch",
	"screen":               "call",
	"voipbin_ai":           "ai_talk",
	"voipbin_call":         "call",
	"voipbin_call_inline":  "call",
	"voipbin_fetch":        "fetch",
	"voipbin_message_mail": "message_send",
}

// TestValidFlows looks for faults in the flows of package flow that have none but those of mayFail.
func TestValidFlows(t *testing.T) {
	for _, file := range validFlows(t) {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			found := Open(t, file, Config{}).Find(t, Explore{Runs: 40})
			if len(found) == 1 && found[0].Invariant == NoError && mayFail[name] != "" &&
				strings.Contains(found[0].Err.Error(), "("+mayFail[name]+")") {
				return
			}
			for _, f := range found {
				t.Error(f)
			}
			if mayFail[name] != "" {
				t.Errorf("not found: %s fails", mayFail[name])
			}
		})
	}
}

func validFlows(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../testdata/valid/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no flows: %v", err)
	}
	return files
}

// TestSameSeedFindsTheSame compares findings, byte for byte.
func TestSameSeedFindsTheSame(t *testing.T) {
	for _, b := range append(readBugs(t)[:4], bugsInGo()...) {
		find := func() string {
			var text strings.Builder
			b.explore.Runs, b.explore.MaxDuration = 40, 10*time.Minute
			for _, f := range New(t, b.name, b.bad, b.cfg).Find(t, b.explore) {
				fmt.Fprintln(&text, f)
			}
			return text.String()
		}
		if d := cmp.Diff(find(), find()); d != "" {
			t.Errorf("%s: %s", b.name, d)
		}
	}
}

// TestRunsAreTheSame runs scripts again and again: what happens at one instant must not depend on chance.
func TestRunsAreTheSame(t *testing.T) {
	for _, file := range validFlows(t) {
		f := Open(t, file, Config{})
		for n := range 2 {
			s := f.Generate(t, 2, n+10)
			first := f.RunScript(t, s).String()
			for range again {
				if d := cmp.Diff(first, f.RunScript(t, s).String()); d != "" {
					t.Fatalf("%s: the script\n%s%s", f.name, s, d)
				}
			}
		}
	}
}

// again is how often TestRunsAreTheSame runs each script.
const again = 2

// TestGenerateNeedsNoHistory makes the same script whatever was made before.
func TestGenerateNeedsNoHistory(t *testing.T) {
	f := Open(t, "../testdata/valid/ivr.json", Config{})
	g := f.study(t)
	for n := range 50 {
		want := g.script(7, n).String()
		if got := f.Generate(t, 7, n).String(); got != want {
			t.Errorf("run %d: got\n%swant\n%s", n, got, want)
		}
		if _, err := ParseScript(want); err != nil {
			t.Error(err)
		}
	}
}
