package main_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/media/tone"
	"github.com/callbin/callbin/store"
)

// TestBaresipsInAConference has three real phones type a PIN and talk, one of them as moderator; then one mutes itself by the
// menu, and the moderator's last key ends the conference. A fourth, which types a wrong PIN, hears none of it.
func TestBaresipsInAConference(t *testing.T) {
	need(t, "baresip")
	room, err := flow.Parse([]byte(`[{"type":"conference_join","option":{"conference_id":"team"}}]`), flow.ParseOptions{Registry: action.Builtin(action.Deps{})})
	if err != nil {
		t.Fatal(err)
	}
	e, stop := calltest.Run(t, calltest.Loopback{}, call.Config{
		Route: func(context.Context, *call.Incoming) (flow.Program, error) { return room, nil }, Store: store.Memory(),
	})
	defer stop()
	f, err := e.CreateConference(call.ConferenceOptions{ID: "team", PIN: "4711", ModeratorPIN: "8150", PINAttempts: 1, Menu: call.DefaultMenu()})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	hz := []float64{400, 700, 1100, 1500}
	pins := []string{"8150", "4711", "4711", "4712"}
	press := func(p *softphone, keys string) {
		for _, k := range keys {
			p.command(t, "sndcode", string(k))
			pauseFor(250 * time.Millisecond)
			p.command(t, "sndcode", "\x00") // the key goes up
			pauseFor(100 * time.Millisecond)
		}
	}
	var phones []*softphone
	for i := range hz {
		say := filepath.Join(dir, fmt.Sprint(i, ".wav"))
		writeTone(t, say, hz[i], 60)
		p := baresip(t, say, []string{"audio_codecs=PCMU", "audio_codecs=PCMA"}[i%2])
		phones = append(phones, p)
		p.command(t, "dial", fmt.Sprintf("sip:team@127.0.0.1:%d", e.Addrs()[0].Addr.Port()))
		p.wait(t, "CALL_ESTABLISHED")
		pauseFor(time.Second)
		press(p, pins[i])
	}
	joined := func() (n int) {
		for _, m := range f.Calls() {
			if m.Status == store.ConferencecallJoined {
				n++
			}
		}
		return n
	}
	until(t, "three are in the conference", func() bool { return joined() == 3 && len(f.Calls()) == 3 })
	phones[3].wait(t, "CALL_CLOSED")
	pauseFor(3 * time.Second)
	press(phones[1], "*6")
	until(t, "the second one is muted", func() bool { return f.Calls()[1].Muted })
	pauseFor(4 * time.Second)
	press(phones[0], "*9")
	for _, p := range phones[:3] {
		p.wait(t, "CALL_CLOSED")
	}
	<-f.Done()
	second := func(pcm []int16, fromEnd int) []int16 {
		if len(pcm) < fromEnd*8000 {
			t.Fatalf("only %d samples heard", len(pcm))
		}
		return pcm[len(pcm)-fromEnd*8000 : len(pcm)-(fromEnd-1)*8000]
	}
	for i, p := range phones[:3] {
		heard := p.heard(t)
		for j := range hz {
			// The last second but one or two is that of the menu's keys.
			for what, c := range map[string]struct {
				pcm  []int16
				want bool
			}{
				"while all talk":    {second(heard, 7), i != j && j < 3},
				"when one is muted": {second(heard, 3), i != j && j < 3 && j != 1},
			} {
				level := tone.Goertzel(c.pcm, 8000, hz[j])
				if c.want != (level > 0.05) {
					t.Errorf("%s phone %d hears %d at %.3f, want it: %v", what, i, j, level, c.want)
				}
			}
		}
	}
	for j := range hz[:3] {
		if level := tone.Goertzel(phones[3].heard(t), 8000, hz[j]); level > 0.005 {
			t.Errorf("who typed a wrong PIN hears %d at %.3f", j, level)
		}
	}
	if r := f.Record(); r.AllCalls != 3 || r.MostCalls != 3 || r.Code != "terminated" {
		t.Errorf("%+v", r)
	}
}
