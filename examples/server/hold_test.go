package main_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/tone"
)

// course is which of hz a phone heard, one after the other, for a fifth of a second at least.
func course(pcm []int16, hz ...float64) (heard []float64) {
	const window = 1600
	for at := 0; at+window <= len(pcm); at += window {
		for _, f := range hz {
			if tone.Goertzel(pcm[at:at+window], 8000, f) > 0.1 && (len(heard) == 0 || heard[len(heard)-1] != f) {
				heard = append(heard, f)
			}
		}
	}
	return heard
}

// TestBaresipIsHeldAndHolds has the engine hold one of two baresips that talk, and then that phone put its call on hold and resume it, by its
// menu: on hold the other one hears the music, or nothing.
func TestBaresipIsHeldAndHolds(t *testing.T) {
	need(t, "baresip")
	dir := t.TempDir()
	writeTone(t, filepath.Join(dir, "700.wav"), 700, 60)
	writeTone(t, filepath.Join(dir, "400.wav"), 400, 60)
	callee := baresip(t, filepath.Join(dir, "700.wav"), "answermode=auto")
	caller := baresip(t, filepath.Join(dir, "400.wav"))
	music := tone.Sine(1100, 2*time.Second).Clip(8000)
	f, err := flow.Parse([]byte(connectFlow(callee.port, "", "")), flow.ParseOptions{Registry: action.Builtin(action.Deps{}), Name: "200"})
	if err != nil {
		t.Fatal(err)
	}
	e, stop := calltest.Run(t, calltest.Loopback{}, call.Config{
		Route:       func(context.Context, *call.Incoming) (flow.Program, error) { return f, nil },
		Outbound:    call.Outbound{SIP: []string{"127.0.0.0/8"}},
		MusicOnHold: call.MusicOnHold{Open: func(context.Context) (media.Source, error) { return music.Loop(), nil }},
	})
	defer stop()
	caller.command(t, "dial", fmt.Sprintf("sip:200@127.0.0.1:%d", e.Addrs()[0].Addr.Port()))
	caller.wait(t, "CALL_ESTABLISHED")
	callee.wait(t, "CALL_ESTABLISHED")
	var leg *call.Call
	for c := range e.Calls() {
		if c.Record().Direction == "outgoing" {
			leg = c
		}
	}
	pauseFor(2 * time.Second)
	if err := leg.Hold(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if by := leg.Record().HoldBy; by != "local" {
		t.Errorf("hold_by %q", by)
	}
	if trace, err := call.DecodeTrace(leg.Trace()); err != nil || !slices.ContainsFunc(trace, func(in call.Input) bool {
		return in.SIP != nil && in.SIP.Kind == "answer" && strings.Contains(string(in.SIP.Body), "a=recvonly")
	}) {
		t.Errorf("the phone has not answered recvonly, %v", err)
	}
	pauseFor(2 * time.Second)
	if err := leg.Hold(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	pauseFor(2 * time.Second)
	callee.command(t, "hold", "")
	until(t, "the phone holds", func() bool { return leg.Record().HoldBy == "remote" })
	pauseFor(2 * time.Second)
	callee.command(t, "resume", "")
	until(t, "it does not hold any more", func() bool { return leg.Record().HoldBy == "" })
	pauseFor(2 * time.Second)
	caller.command(t, "hangup", "")
	caller.wait(t, "CALL_CLOSED")
	callee.wait(t, "CALL_CLOSED")
	<-leg.Done()
	if got := course(caller.heard(t), 700, 1100, 400); !slices.Equal(got, []float64{700, 1100, 700}) {
		t.Errorf("the caller heard %v, one after the other", got)
	}
	// What baresip hears after a re-INVITE it does not write down: that it gets the music shows in what was sent, which is all but its own
	// two seconds of hold.
	if got := course(callee.heard(t), 700, 1100, 400); !slices.Equal(got, []float64{400}) {
		t.Errorf("the called one heard %v, one after the other", got)
	}
	if n := leg.Record().PacketsOut; n < 370 || n > 430 {
		t.Errorf("%d packets were sent to the called one, of 8 seconds", n)
	}
}
