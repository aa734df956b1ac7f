package flow_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/callbin/callbin/action"
)

// TestDocumentationNamesEveryActionAndOption reads the table of doc.go: what it names is in the registry, and the other way
// round; each row says what we do.
func TestDocumentationNamesEveryActionAndOption(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(text), "// # The actions\n")
	if !ok {
		t.Fatal("the table is gone")
	}
	table, _, _ = strings.Cut(table, "// # ")
	documented := make(map[string][]string)
	current := ""
	for line := range strings.Lines(table) {
		row, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "//\t")
		if !ok {
			continue
		}
		option := strings.HasPrefix(row, "  ")
		name, what, _ := strings.Cut(strings.TrimSpace(row), " ")
		name = strings.TrimPrefix(name, "+")
		if strings.TrimSpace(what) == "" {
			t.Errorf("%s %s: it is not said what it does", current, name)
		}
		if option {
			documented[current] = append(documented[current], name)
		} else {
			current = name
			documented[name] = nil
		}
	}
	reg := action.Builtin(action.Deps{})
	for name, options := range documented {
		if !reg.Has(name) {
			t.Errorf("the registry has no %s", name)
		}
		var have []string
		for _, o := range reg.Options(name) {
			have = append(have, o.Name)
		}
		slices.Sort(have)
		slices.Sort(options)
		if !slices.Equal(have, options) {
			t.Errorf("%s has the options %v, and documented are %v", name, have, options)
		}
	}
	for _, name := range reg.Names() {
		if _, ok := documented[name]; !ok && reg.Canonical(name) == name {
			t.Errorf("%s is not documented", name)
		}
		if today := reg.Canonical(name); today != name && !strings.Contains(strings.Join(strings.Fields(table), " "), name+" ") && !strings.Contains(table, name) {
			t.Errorf("the older name %s of %s is not documented", name, today)
		}
	}
	if len(documented) < 45 {
		t.Errorf("%d actions", len(documented))
	}
}
