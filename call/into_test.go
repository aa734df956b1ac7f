package call_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/tone"
)

// toneSpeaker says everything as a second of 1000 Hz.
type toneSpeaker struct{}

func (toneSpeaker) Speak(context.Context, media.Utterance) (media.Source, error) {
	return tone.Sine(1000, time.Second).Source(8000), nil
}

// TestPlayInto: who is meant hears it, and nobody else; the talk goes on as it was after it.
func TestPlayInto(t *testing.T) {
	for who, want := range map[call.Ears][2]bool{"": {false, true}, call.EarsCall: {false, true}, call.EarsOthers: {true, false}, call.EarsAll: {true, true}} {
		t.Run("to "+string(who), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": connectTo("", "", 1)}, outbound, func(c *call.Config) { c.Deps.Speaker = toneSpeaker{} })
				k := newTalk(t, h)
				n, m := len(k.a.Heard()), len(k.b.Heard())
				if err := k.bLeg.PlayInto(t.Context(), tone.Sine(1200, time.Second).Source(8000), who); err != nil {
					t.Fatal(err)
				}
				if err := k.bLeg.TalkInto(t.Context(), media.Utterance{Text: "hello"}, who); err != nil {
					t.Fatal(err)
				}
				for _, hz := range []float64{1000, 1200} {
					if a, b := calltest.Hears(k.a.Heard()[n:], hz), calltest.Hears(k.b.Heard()[m:], hz); a != want[0] || b != want[1] {
						t.Errorf("%v Hz: a hears it: %v, b: %v", hz, a, b)
					}
				}
				a, b := k.next()
				onlyHears(t, "a after", a, 800)
				onlyHears(t, "b after", b, 500)
				if !passing(t, k.bLeg) {
					t.Error("the talk does not pass untouched any more")
				}
				k.a.Hangup(t)
			})
		})
	}
}

// TestPlayIntoAPlayingFlow: the flow's prompt waits for what is said into it, also on hold, and StopPlaying ends the one and the other.
func TestPlayIntoAPlayingFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"answer"},{"id":"p","type":"play","option":{"stream_urls":["http://tone/219"]}},
			{"id":"q","type":"play","option":{"stream_urls":["http://tone/400","http://tone/400"]}},{"type":"play","option":{"stream_urls":["http://tone/700"]}}]`}, holdTone(137))
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		time.Sleep(330 * time.Millisecond)
		live := h.up(t)
		begun := time.Now()
		if err := live.Hold(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		time.Sleep(410 * time.Millisecond)
		if err := live.PlayInto(t.Context(), tone.Sine(181, time.Second).Source(8000), ""); err != nil {
			t.Fatal(err)
		}
		if err := live.Hold(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		held := time.Since(begun)
		time.Sleep(900 * time.Millisecond) // the first prompt had less left than that
		smooth(t, a.Heard(), 400)
		for _, hz := range []float64{219, 137, 181} {
			if !calltest.Hears(a.Heard(), hz) {
				t.Errorf("%v Hz is not heard", hz)
			}
		}
		state, err := live.Activeflow()
		if err != nil || state.CurrentAction == nil || state.CurrentAction.ID != "q" {
			t.Fatalf("%+v, %v", state, err)
		}
		if first := state.ExecutedActions[1]; first.TmEnd.Sub(first.TmExecute.Time) < time.Second+held-40*time.Millisecond {
			t.Errorf("the prompt of a second took %v, and was held for %v", first.TmEnd.Sub(first.TmExecute.Time), held)
		}
		if !live.StopPlaying() {
			t.Error("nothing was stopped")
		}
		failed := make(chan error, 1)
		go func() {
			failed <- live.PlayInto(t.Context(), tone.Sine(1200, time.Minute).Source(8000), call.EarsCall)
		}()
		time.Sleep(500 * time.Millisecond)
		if !live.StopPlaying() {
			t.Error("nothing was stopped")
		}
		if err := <-failed; err == nil {
			t.Error("what was stopped ended without an error")
		}
		a.WaitEnd(t)
		if live.StopPlaying() || !calltest.Hears(a.Heard(), 1200) {
			t.Error("something was stopped on a call that is over, or 1200 Hz was never heard")
		}
		trace, err := call.DecodeTrace(live.Trace())
		if err != nil {
			t.Fatal(err)
		}
		var notes []string
		for i := range trace {
			if n := trace[i].Note; n != nil && (n.What == "play_into" || n.What == "skip") {
				notes = append(notes, n.What)
			}
		}
		// 1200 Hz replaced nothing: the last prompt was under it, and was stopped with it, which ended the call: that may be before the program notes its part.
		switch got := strings.Join(notes, " "); got {
		case "play_into skip skip play_into", "play_into skip play_into skip", "play_into skip skip":
		default:
			t.Errorf("notes %q", got)
		}
	})
}

func TestPlayIntoFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": waiting})
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		time.Sleep(time.Second)
		live := h.up(t)
		beep := func() media.Source { return tone.Sine(1200, time.Minute).Source(8000) }
		if err := live.PlayInto(t.Context(), beep(), call.EarsOthers); !errors.Is(err, call.ErrNotInBridge) {
			t.Errorf("to others of no bridge: %v", err)
		}
		if err := live.PlayInto(t.Context(), beep(), "dog"); err == nil {
			t.Error("ears that there are not heard it")
		}
		if err := live.TalkInto(t.Context(), media.Utterance{Text: "x"}, ""); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("without a speaker: %v", err)
		}
		done := make(chan error, 2)
		go func() { done <- live.PlayInto(t.Context(), beep(), "") }()
		synctest.Wait()
		go func() { done <- live.PlayInto(t.Context(), beep(), "") }()
		if err := <-done; !errors.Is(err, media.ErrReplaced) {
			t.Errorf("the first of two: %v", err)
		}
		a.Hangup(t)
		if err := <-done; !errors.Is(err, media.ErrClosed) && !errors.Is(err, action.ErrHangup) {
			t.Errorf("a call that has hung up: %v", err)
		}
	})
}
