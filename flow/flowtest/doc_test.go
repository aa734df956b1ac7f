package flowtest

import (
	"os"
	"regexp"
	"testing"
)

// TestDocumentationNamesEveryLine compares the tables of the documentation with the lines that there are.
func TestDocumentationNamesEveryLine(t *testing.T) {
	b, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	named := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^//\t([a-z]+) `).FindAllSubmatch(b, -1) {
		named[string(m[1])] = true
	}
	for _, m := range regexp.MustCompile(`(?m)^//\t(hangup|leave|skip|continue|quiet)\b`).FindAllSubmatch(b, -1) {
		named[string(m[1])] = true
	}
	delete(named, "func")
	for verb := range verbs {
		if !named[verb] {
			t.Errorf("%s is not documented", verb)
		}
		delete(named, verb)
	}
	for name := range named {
		if name != "menu" {
			t.Errorf("%s is documented, and no line", name)
		}
	}
}

// TestCoverageIsJudged has a flow of which too little is tested.
func TestCoverageIsJudged(t *testing.T) {
	f := New(t, "f.json", `[{"type":"digits_receive","option":{"length":1,"duration":1000},"on_timeout":"late"},
		{"type":"branch","option":{"target_ids":{"1":"one","2":"two"},"default_target_id":"late"}},
		{"id":"one","type":"beep","next_id":"late"},{"id":"two","type":"beep"},{"id":"late","type":"hangup"}]`, Config{})
	for i, c := range []struct {
		script, line string
		missing      int
	}{
		{"wait 2s", "actions 2 of 5 (40 %), branches 1 of 5 (20 %), digits 0 of 2 (0 %)", 4},
		{"at 500ms press 1", "actions 4 of 5 (80 %), branches 3 of 5 (60 %), digits 1 of 2 (50 %)", 4},
		{"at 500ms press 7", "actions 4 of 5 (80 %), branches 4 of 5 (80 %), digits 1 of 2 (50 %)", 3},
		{"at 500ms press 2", "actions 5 of 5 (100 %), branches 5 of 5 (100 %), digits 2 of 2 (100 %)", 0},
	} {
		f.Run(t, c.script)
		if got, want := f.cover.String(), "flowtest: f.json: coverage: "+c.line; got != want {
			t.Errorf("%d: got  %s\nwant %s", i, got, want)
		}
		if got := f.cover.Missing(); len(got) != c.missing {
			t.Errorf("%d: missing: %q", i, got)
		}
		if _, under := f.cover.report(90); under != (c.missing > 0) {
			t.Errorf("%d: under 90 %%: %t", i, under)
		}
	}
}
