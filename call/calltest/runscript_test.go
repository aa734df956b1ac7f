package calltest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow/flowtest"
)

// within is how far apart a simulated and a real call may be.
const within = 60 * time.Millisecond

// readScript reads a script of package flow and its flow.
func readScript(t *testing.T, name string) (*flowtest.Flow, string) {
	t.Helper()
	ar, err := txtar.ParseFile(filepath.Join("..", "..", "flow", "testdata", "script", name+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	return flowtest.New(t, "", string(ar.Files[0].Data), flowtest.Config{Dir: "/flows", Unchecked: true}), string(ar.Comment)
}

func TestAll(t *testing.T) {
	files, _ := filepath.Glob("../../flow/testdata/script/*.txtar")
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		if only := os.Getenv("ONLY"); only != "" && only != name {
			continue
		}
		t.Run(name, func(t *testing.T) {
			f, script := readScript(t, name)
			if notOurs(script) {
				t.Skip()
			}
			early := strings.Contains(script, "press")
			simulated := f.Run(t, script)
			real := calltest.RunScript(t, calltest.NewNet(), f, script, calltest.ScriptOptions{EarlyMedia: early})
			if err := flowtest.Compare(simulated, real, within); err != nil {
				t.Error(err)
			}
			t.Logf("DRIFT %s", flowtest.Drift(simulated, real))
		})
	}
}

func notOurs(script string) bool {
	for line := range strings.Lines(script) {
		for _, verb := range []string{"queue ", "machine ", "status ", "recording "} {
			if strings.HasPrefix(line, verb) {
				return true
			}
		}
		if strings.HasPrefix(line, "leg ") && !strings.HasPrefix(line, "leg speaker") && !strings.HasPrefix(line, "leg prompts") {
			return true
		}
	}
	return false
}
