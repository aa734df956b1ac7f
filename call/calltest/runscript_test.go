package calltest_test

import (
	"fmt"
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

// only are the scripts of package flow that only a simulated call can follow, and why, beside those with a line
// that RunScript refuses.
var only = map[string]string{
	"amd_async_timeout": "the engine detects no machines", "amd_hangup": "so", "amd_timeout": "so",
	"external_media": "there is no program to connect to", "external_media_start_fails": "so",
	"fetch_twiml": "its requests hold the id of the call and the caller: package foreign compares applications", "fetch_ncco": "so",
	"confbridge": "the engine opens no bridge by itself", "confbridge_hangup": "so",
	"connect_screening": "the steps of a screening are in the trace of the leg", "connect_screening_flow": "so", "connect_screening_nobody": "so",
	"connect_screening_unknown": "every flow that is run on another leg is known",
	"block_hangup":              "a call that is not answered ends after ten minutes", "condition_datetime": "so", "fetch_flow_again": "so", "long": "so",
	"transcribe": "a simulated transcription says good bye, for half a second", "transcribe_start_default": "so", "transcribe_stop_hangup": "so",
}

// readScript reads a script of package flow and its flow.
func readScript(t *testing.T, name string) (*flowtest.Flow, string) {
	t.Helper()
	ar, err := txtar.ParseFile(filepath.Join("..", "..", "flow", "testdata", "script", name+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	return flowtest.New(t, "", string(ar.Files[0].Data), flowtest.Config{Dir: "/flows", Unchecked: true}), string(ar.Comment)
}

// TestScriptsOverSIP runs the scripts of package flow over an engine: what happens is what happens in a simulated call.
func TestScriptsOverSIP(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "flow", "testdata", "script", "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	agree := 0
	var drift time.Duration
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		f, script := readScript(t, name)
		if only[name] != "" || calltest.Playable(script) != nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			simulated := f.Run(t, script)
			// Many of the flows do not answer, and read keys all the same.
			real := calltest.RunScript(t, calltest.NewNet(), f, script, calltest.ScriptOptions{EarlyMedia: strings.Contains(script, "press ")})
			if err := flowtest.Compare(simulated, real, within); err != nil {
				t.Error(err)
				return
			}
			agree++
			drift = max(drift, flowtest.Drift(simulated, real))
		})
	}
	t.Logf("%d scripts agree within %s", agree, drift)
}

// TestScriptsOverLoopback takes the time that the calls take. A machine that is busy with something else gets
// another try.
func TestScriptsOverLoopback(t *testing.T) {
	for _, name := range []string{"connect_busy", "digits_length", "talk_next", "webhook"} {
		t.Run(name, func(t *testing.T) {
			f, script := readScript(t, name)
			simulated := f.Run(t, script)
			var err error
			for range 3 {
				real := calltest.RunScript(t, calltest.Loopback{}, f, script, calltest.ScriptOptions{EarlyMedia: strings.Contains(script, "press ")})
				if err = flowtest.Compare(simulated, real, within); err == nil {
					return
				}
			}
			t.Error(err)
		})
	}
}

// TestScriptOnABadNetwork has the same story where packets are lost, come late, twice and in another order.
func TestScriptOnABadNetwork(t *testing.T) {
	f := flowtest.New(t, "menu.json", `[{"type":"answer"},
		{"id":"menu","type":"talk","option":{"text":"press one for sales or two for everything else","digits_handle":"next"}},
		{"type":"digits_receive","option":{"length":1}},
		{"type":"branch","option":{"target_ids":{"1":"sales"},"default_target_id":"menu"}},
		{"id":"sales","type":"connect","option":{"destinations":[{"type":"tel","target":"+16062067563"}]}},
		{"type":"talk","option":{"text":"good bye"}}]`, flowtest.Config{})
	const script = `
		caller +12125550100
		peer +16062067563 answers 4s
		hears press one
		wait 1s
		press 3
		hears press one
		wait 2s
		press 1
		dials +16062067563
		wait 10s
		leave
		hears good bye`
	simulated := f.Run(t, script)
	for seed := range uint64(10) {
		real := calltest.RunScript(t, calltest.NewNet(), f, script, calltest.ScriptOptions{Faults: calltest.Faults{
			Delay: 20 * time.Millisecond, Jitter: 20 * time.Millisecond, Loss: 0.02, Reorder: 0.02, Duplicate: 0.05, Seed: seed,
		}})
		if err := flowtest.Compare(simulated, real, 5*time.Second); err != nil { // what is lost is sent again after a while
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

func TestRealCallTellsWhatItIs(t *testing.T) {
	f := flowtest.New(t, "who.json", `[{"type":"talk","option":{"text":"${voipbin.call.source.target} ${voipbin.call.destination.target} ${who}"}}]`, flowtest.Config{Around: "var who=Ann"})
	r := calltest.RunScript(t, calltest.NewNet(), f, "caller +12125550100\ncalled +16062067563", calltest.ScriptOptions{})
	if got, want := fmt.Sprint(r.Heard()), `["+12125550100 +16062067563 Ann"]`; got != want {
		t.Errorf("heard %s, want %s", got, want)
	}
}
