package call_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/store"
)

// noise is what a voice is to a detector of energy: two tones that are no beep.
func noise(d time.Duration) []int16 {
	pcm, other := calltest.Tone(300, d), calltest.Tone(710, d)
	for i := range pcm {
		pcm[i] = pcm[i]/2 + other[i]/2
	}
	return pcm
}

// TestMustHave20AMD: a machine is told from a human on a call that we have placed, and is hung up with reason amd; both replay.
func TestMustHave20AMD(t *testing.T) {
	for name, tc := range map[string]struct {
		says    [][]int16
		verdict string
	}{
		"human":    {[][]int16{noise(500 * time.Millisecond)}, "human"},
		"greeting": {[][]int16{noise(4 * time.Second)}, "machine"},
		"beep":     {[][]int16{make([]int16, 4000), calltest.Tone(1000, 500*time.Millisecond)}, "machine"},
		"silence":  {nil, "machine"},
	} {
		for _, async := range []string{"false", "true"} {
			t.Run(name+" async "+async, func(t *testing.T) {
				var trace []byte
				synctest.Test(t, func(t *testing.T) {
					h := open(t, nil, outbound)
					callee(t, h, 1, accepting(func(c *calltest.PhoneCall) {
						c.Ring()
						c.Answer()
						for _, pcm := range tc.says {
							c.Say(pcm)
						}
					}))
					f := mustFlow(t, action.Builtin(action.Deps{Prompts: tonePrompts{}}), `[{"id":"who","type":"amd","option":{"machine_handle":"hangup","async":`+async+`}},
						{"type":"sleep","option":{"duration":6000}},{"type":"variable_set","option":{"key":"found","value":"${who.verdict}"}}]`)
					if bad := (&call.Config{Store: h.store}).Check(f); len(bad) > 0 && strings.Contains(bad[0].Message, "MachineDetector") {
						t.Errorf("%v", bad)
					}
					c, err := h.Dial(t.Context(), call.DialOptions{Destination: to("b1@10.0.1.1"), Flow: f})
					if err != nil {
						t.Fatal(err)
					}
					<-c.Done()
					r := h.records(t)[0]
					want := "normal"
					if tc.verdict == "machine" {
						want = "amd"
					} else if got := c.Vars().Get("found"); got != tc.verdict {
						t.Errorf("the flow finds %q", got)
					}
					if r.HangupReason != want || r.Status != store.StatusHangup || r.HangupBy != "local" {
						t.Errorf("%+v", r)
					}
					if trace, err = h.store.Trace(t.Context(), r.ID); err != nil || !strings.Contains(string(trace), `"what":"amd"`) {
						t.Errorf("the trace does not hold the verdict: %v", err)
					}
				})
				if _, err := calltest.ReplayTrace(t, trace, calltest.ReplayConfig{}); err != nil {
					t.Error(err)
				}
			})
		}
	}
}
