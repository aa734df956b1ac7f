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

// TestCorpus holds small flows with one fault each, and everything that is found in them by an engine that can do
// all: no more and no less.
func TestCorpus(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "corpus", "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	rules := make(map[string]bool)
	flows := 0
	for _, file := range files {
		ar, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+1 < len(ar.Files); i += 2 {
			name, text, want := ar.Files[i].Name, ar.Files[i].Data, string(ar.Files[i+1].Data)
			flows++
			var b strings.Builder
			for _, f := range findAll([]byte(strings.TrimSuffix(string(text), "\n"))) {
				fmt.Fprintln(&b, f)
				rules[f.Rule] = true
				if f.Rule == "" {
					t.Errorf("%s: %s: a finding without a rule: %s", file, name, f)
				}
			}
			if b.Len() == 0 {
				t.Errorf("%s: %s: nothing is found", file, name)
			}
			if flowtest.Updating() {
				ar.Files[i+1].Data = []byte(b.String())
			} else if d := cmp.Diff(strings.Split(want, "\n"), strings.Split(b.String(), "\n")); d != "" {
				t.Errorf("%s: %s: %s", file, name, d)
			}
		}
		if flowtest.Updating() {
			if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if flows < 150 {
		t.Errorf("%d flows, want 150", flows)
	}
	for _, rule := range []string{
		action.RuleSyntax, action.RuleLimit, action.RuleDuplicate, action.RuleUnknownKey, action.RuleWrongType, action.RuleRequired,
		action.RuleBadValue, flow.RuleNoActions, flow.RuleUnknownType, flow.RuleNoTarget, flow.RuleUnreachable, flow.RuleBusyLoop,
		flow.RuleNeverEnds, flow.RuleUnsetVariable, flow.RuleCallState, flow.RuleDigit,
	} {
		if !rules[rule] {
			t.Errorf("no flow breaks the rule %s", rule)
		}
	}
}
