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
			if strings.Contains(script, "queue ") || strings.Contains(script, "machine ") || strings.Contains(script, "leg ") || strings.Contains(script, "status ") || strings.Contains(script, "recording ") {
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
