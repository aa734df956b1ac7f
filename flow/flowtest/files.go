package flowtest

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

func init() {
	if flag.Lookup("update") == nil {
		flag.Bool("update", false, "write what happens into the scripts and transcripts of tests, in place of comparing")
	}
}

// Updating tells whether the test was called with -update: golden files are to be written then.
func Updating() bool {
	f := flag.Lookup("update")
	return f != nil && f.Value.String() == "true"
}

// Files runs each script that pattern names, as a subtest, and compares the transcript. A file is an archive in txtar
// format: the script, then in "want" the transcript of the call. go test -update writes it.
func (f *Flow) Files(t *testing.T, pattern string) {
	t.Helper()
	eachFile(t, pattern, func(t *testing.T, ar *txtar.Archive) string { return f.Run(t, string(ar.Comment)).String() })
}

// Files is Flow.Files for archives that have the flow in them, as "flow.json".
func Files(t *testing.T, pattern string, cfg Config) {
	t.Helper()
	eachFile(t, pattern, func(t *testing.T, ar *txtar.Archive) string {
		text, ok := member(ar, "flow.json")
		if !ok {
			t.Fatal("flowtest: the archive holds no flow.json")
		}
		return New(t, "flow.json", text, cfg).Run(t, string(ar.Comment)).String()
	})
}

func member(ar *txtar.Archive, name string) (text string, ok bool) {
	i := slices.IndexFunc(ar.Files, func(f txtar.File) bool { return f.Name == name })
	if i < 0 {
		return "", false
	}
	return string(ar.Files[i].Data), true
}

func eachFile(t *testing.T, pattern string, run func(*testing.T, *txtar.Archive) string) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("flowtest: no file is called %s: %v", pattern, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := run(t, ar)
			want, _ := member(ar, "want")
			switch {
			case got == want:
			case Updating():
				if err := update(file, ar, got); err != nil {
					t.Fatal(err)
				}
			default:
				t.Errorf("flowtest: %s: another transcript, see -update:\n%s", file, differ(want, got))
			}
		})
	}
}

func update(file string, ar *txtar.Archive, want string) error {
	ar.Files = slices.DeleteFunc(ar.Files, func(f txtar.File) bool { return f.Name == "want" })
	ar.Files = append(ar.Files, txtar.File{Name: "want", Data: []byte(want)})
	return os.WriteFile(file, txtar.Format(ar), 0o644)
}

// differ shows where got begins to differ from want, with some lines around.
func differ(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	same := 0
	for same < min(len(w), len(g)) && w[same] == g[same] {
		same++
	}
	tail := 0
	for tail < min(len(w), len(g))-same && w[len(w)-1-tail] == g[len(g)-1-tail] {
		tail++
	}
	var b strings.Builder
	show := func(mark string, lines []string) {
		for i, line := range lines {
			if i == 20 {
				fmt.Fprintf(&b, "%s ... and %d lines more\n", mark, len(lines)-i)
				break
			}
			fmt.Fprintf(&b, "%s %s\n", mark, line)
		}
	}
	show(" ", w[max(0, same-3):same])
	show("-", w[same:len(w)-tail])
	show("+", g[same:len(g)-tail])
	show(" ", w[len(w)-tail:min(len(w), len(w)-tail+3)])
	return b.String()
}
