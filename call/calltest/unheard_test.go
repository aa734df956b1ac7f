package calltest

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/callbin/callbin/flow/flowtest"
)

// failures are those of a call of f.
func failures(t *testing.T, f *flowtest.Flow, script string, faults Faults) string {
	t.Helper()
	s, err := flowtest.ParseScript(script)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	synctest.Test(t, func(t *testing.T) {
		net := NewNet()
		net.SetFaults(faults)
		for _, err := range play(t, net, f, s, ScriptOptions{}).Failures {
			text.WriteString(err.Error() + "\n")
		}
	})
	return text.String()
}

func TestFailuresOfRunScript(t *testing.T) {
	f := flowtest.New(t, "talk.json", `[{"type":"sleep","option":{"duration":1000}},{"type":"talk","option":{"text":"hello hello"}},{"type":"sleep","option":{"duration":1000}}]`, flowtest.Config{})
	for name, tc := range map[string]struct {
		script string
		faults Faults
		want   string
	}{
		"all is well":    {"hears hello", Faults{}, ""},
		"no sound":       {"hears hello", Faults{Lose: []Traffic{{RTP: true, From: ServerAddr.Addr()}}}, `"hello hello" was played from 1.02s to 2.1s, but the caller did not hear its`},
		"in vain":        {"hears good bye", Faults{}, "the call was over; before: \"hello hello\""},
		"keys too early": {"press 1", Faults{}, "press 1: no sound goes to the engine yet"},
		"nobody leaves":  {"leave", Faults{}, "leave: nobody is joined"},
		"a machine":      {"machine 2s human", Faults{}, `line 1: "machine 2s human": the engine has no side for it`},
		"a fault":        {"wait 1s\nleg play fails", Faults{}, `line 2: "leg play fails": the engine has no side for it`},
	} {
		t.Run(name, func(t *testing.T) {
			got := failures(t, f, tc.script, tc.faults)
			if !strings.Contains(got, tc.want) || tc.want == "" && got != "" {
				t.Errorf("failures %q, want %q", got, tc.want)
			}
		})
	}
}
