package call_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/wav"
)

// TestMustHave16Control does to a call that talks, from outside, what a user of VoIPBIN can: mute in, out and both, hold, music, silence,
// talk, record, hang up. After each of these the two hear each other as before.
func TestMustHave16Control(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": connectTo("", "", 1)}, outbound, holdTone(holdHz), func(c *call.Config) { c.Deps.Speaker = toneSpeaker{} })
		k := newTalk(t, h)
		ctx, b := t.Context(), k.bLeg
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		check := func(what string, wantA, wantB []float64) {
			t.Helper()
			pcmA, pcmB := k.next()
			onlyHears(t, what+": a", pcmA, wantA...)
			onlyHears(t, what+": b", pcmB, wantB...)
		}
		a, both := []float64{800}, []float64{500}
		check("before", a, both)
		for _, c := range []struct {
			what   string
			do     func(on bool) error
			as, bs []float64
		}{
			{"mute in", func(on bool) error { return b.Mute(ctx, media.In, on) }, nil, both},
			{"mute out", func(on bool) error { return b.Mute(ctx, media.Out, on) }, a, nil},
			{"mute both", func(on bool) error { return b.Mute(ctx, media.Both, on) }, nil, nil},
			{"hold", func(on bool) error { return b.Hold(ctx, on) }, nil, []float64{holdHz}},
			{"moh", func(on bool) error { return b.MOH(ctx, on) }, a, []float64{holdHz}},
			{"silence", func(on bool) error { return b.Silence(ctx, on) }, a, nil},
		} {
			must(c.do(true))
			check(c.what, c.as, c.bs)
			must(c.do(false))
			check("after "+c.what, a, both)
		}

		id, err := b.StartRecording(ctx, action.RecordOptions{})
		must(err)
		n := len(k.b.Heard())
		must(b.TalkInto(ctx, media.Utterance{Text: "your call may be recorded"}, call.EarsCall))
		onlyHears(t, "talk: b", k.b.Heard()[n+800:], 1000)
		check("after the talk", a, both)
		must(b.StopRecording(ctx))

		must(b.Hangup(ctx, action.Ending{}))
		k.b.WaitEnd(t)
		k.a.WaitEnd(t)
		h.stop()
		rec, err := h.store.Recording(ctx, id)
		if err != nil || len(rec.Files) != 1 {
			t.Fatalf("%+v, %v", rec, err)
		}
		f, err := h.store.OpenBlob(ctx, rec.Files[0].Name)
		must(err)
		defer f.Close()
		clip, err := wav.Decode(f, wav.Limits{})
		must(err)
		if d := clip.Duration(); d < 2*time.Second || d > 3*time.Second {
			t.Errorf("the recording has %v", d)
		}
		first, last := clip.PCM()[:8000], clip.PCM()[len(clip.PCM())-8000:] // the talk, and the two after it
		for hz, pcm := range map[float64][]int16{1000: first, 800: first, 500: last} {
			if clip.Rate() != 8000 || level(pcm, hz) < 0.02 {
				t.Errorf("%v Hz is not in the recording", hz)
			}
		}
	})
}
