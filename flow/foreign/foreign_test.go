package foreign_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/flow/flowtest"
	"github.com/callbin/callbin/flow/foreign"
)

// TestCorpus compares what documents become, and what is told of them, with the .want files beside them.
func TestCorpus(t *testing.T) {
	files, err := filepath.Glob("testdata/*.*")
	if err != nil || len(files) == 0 {
		t.Fatal("no documents", err)
	}
	for _, file := range files {
		read := map[string]func([]byte, foreign.Options) (json.RawMessage, []flow.Finding){".xml": foreign.ReadTwiML, ".json": foreign.ReadNCCO}[filepath.Ext(file)]
		if read == nil {
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			actions, findings := read(data, foreign.Options{URL: "https://app.example.com/voice/start?x=1", File: filepath.Base(file)})
			var b strings.Builder
			b.Write(actions)
			for _, f := range findings {
				fmt.Fprintln(&b, f)
			}
			if actions != nil {
				_, err := flow.Parse(actions, flow.ParseOptions{})
				if bad, ok := errors.AsType[*flow.Error](err); ok {
					t.Errorf("it is no flow: %v", bad)
				}
			}
			want, _ := os.ReadFile(file + ".want")
			if got := b.String(); got != string(want) {
				if !flowtest.Updating() {
					t.Fatalf("got (+), want (-):\n%s", cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")))
				}
				if err := os.WriteFile(file+".want", []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// fuzz: whatever a document holds, it becomes a flow that can be read, or is refused with a finding.
func fuzz(f *testing.F, pattern string, read func([]byte, foreign.Options) (json.RawMessage, []flow.Finding)) {
	files, err := filepath.Glob(pattern)
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		actions, findings := read(data, foreign.Options{URL: "https://app.example.com/"})
		for _, g := range findings {
			if g.Line < 1 || g.Column < 1 || g.Offset > len(data) {
				t.Errorf("no place: %+v", g)
			}
		}
		if actions == nil {
			if len(findings) == 0 {
				t.Error("refused without a word")
			}
			return
		}
		if _, err := flow.Parse(actions, flow.ParseOptions{Lenient: true}); err != nil {
			t.Errorf("%v\n%s", err, actions)
		}
	})
}

func FuzzTwiML(f *testing.F) { fuzz(f, "testdata/*.xml", foreign.ReadTwiML) }
func FuzzNCCO(f *testing.F)  { fuzz(f, "testdata/*.json", foreign.ReadNCCO) }
