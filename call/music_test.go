package call_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/tone"
)

// TestMusicAndSilence: each of the two, with mute and hold, in all orders, comes to the same sound.
func TestMusicAndSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": connectTo("", "", 1)}, outbound, holdTone(holdHz))
		k := newTalk(t, h)
		ctx := t.Context()
		state := map[string]bool{}
		do := map[string]func(bool) error{
			"moh":      func(on bool) error { return k.bLeg.MOH(ctx, on) },
			"silence":  func(on bool) error { return k.bLeg.Silence(ctx, on) },
			"mute in":  func(on bool) error { return k.bLeg.Mute(ctx, media.In, on) },
			"mute out": func(on bool) error { return k.bLeg.Mute(ctx, media.Out, on) },
			"hold":     func(on bool) error { return k.bLeg.Hold(ctx, on) },
		}
		check := func(what string) {
			t.Helper()
			a, b := k.next()
			if state["hold"] || state["mute in"] {
				onlyHears(t, what+": a", a)
			} else {
				onlyHears(t, what+": a", a, 800)
			}
			switch {
			case state["silence"] || state["mute out"]:
				onlyHears(t, what+": b", b)
			case state["moh"] || state["hold"]:
				onlyHears(t, what+": b", b, holdHz)
			default:
				onlyHears(t, what+": b", b, 500)
			}
		}
		for _, order := range []string{
			"moh, moh", "silence, silence", "hold, moh, hold, moh", "moh, hold, moh, hold", "moh, silence, moh, silence", "mute in, moh, mute in, moh",
			"silence, mute out, silence, mute out", "hold, silence, mute in, hold, silence, mute in",
		} {
			for what := range strings.SplitSeq(order, ", ") {
				state[what] = !state[what]
				if err := do[what](state[what]); err != nil {
					t.Fatal(err)
				}
				check(order + " at " + what)
			}
			if !passing(t, k.bLeg) {
				t.Errorf("after %s the talk does not pass untouched", order)
			}
		}
		r := k.bLeg.Record()
		if r.MOH || r.Silence || r.MuteDirection != "" || r.HoldBy != "" {
			t.Errorf("%+v", r)
		}
		k.a.Hangup(t)
	})
}

// TestMuteOfOneDirection: the two directions are independent of each other, and the record tells.
func TestMuteOfOneDirection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": waiting})
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		time.Sleep(time.Second)
		live := h.up(t)
		for _, c := range []struct {
			d    media.Direction
			on   bool
			want string
		}{
			{media.Both, true, "both"}, {media.In, false, "out"}, {media.Out, false, ""}, {media.In, true, "in"}, {media.Out, true, "both"},
			{"", false, ""}, {"", true, "both"}, {media.Out, false, "in"},
		} {
			if err := live.Mute(t.Context(), c.d, c.on); err != nil {
				t.Fatal(err)
			}
			if got := live.Record().MuteDirection; got != c.want {
				t.Errorf("mute %q %v: %q, want %q", c.d, c.on, got, c.want)
			}
		}
		if err := live.Mute(t.Context(), "up", true); err == nil {
			t.Error("a direction that there is not was muted")
		}
		a.Hangup(t)
	})
}

// TestMusicWhileAnActionPlays: the prompt waits, and goes on where it was; what is heard has neither hole nor jump.
func TestMusicWhileAnActionPlays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"play","option":{"stream_urls":["http://tone/219","http://tone/219"]}}]`}, holdTone(137)) // not whole within a frame
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		time.Sleep(530 * time.Millisecond)
		live := h.up(t)
		if err := live.MOH(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3070 * time.Millisecond)
		if err := live.MOH(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		a.WaitEnd(t)
		if rest := time.Since(begun); rest < 1400*time.Millisecond || rest > 1800*time.Millisecond {
			t.Errorf("after the music the prompt lasted %v, want what was left of it: 1.5 s", rest)
		}
		smooth(t, a.Heard(), 219)
		packets := a.Packets()
		for i := 1; i < len(packets); i++ {
			if d := packets[i].Timestamp - packets[i-1].Timestamp; packets[i].Sequence != packets[i-1].Sequence+1 || d != 160 && !packets[i].Marker {
				t.Errorf("packet %d: sequence %d after %d, time +%d", i, packets[i].Sequence, packets[i-1].Sequence, d)
			}
		}
	})
}

// TestMusicOnHoldOfAnySource: one that ends is begun anew, one that fails is replaced by our own, a prompt is opened by its name, and Off is
// silence, by an offer that says so.
func TestMusicOnHoldOfAnySource(t *testing.T) {
	quiet := func(pcm []int16) bool { return tone.Level(pcm) < 0.001 }
	for name, c := range map[string]struct {
		music     call.MusicOnHold
		direction string
		hears     func(pcm []int16) bool
	}{
		"our own": {direction: "sendonly", hears: func(pcm []int16) bool { return tone.Level(pcm) > 0.02 }},
		"a short one": {call.MusicOnHold{Open: func(context.Context) (media.Source, error) {
			return tone.Sine(holdHz, 1500*time.Millisecond).Clip(8000).Source(), nil
		}}, "sendonly", func(pcm []int16) bool { return level(pcm[len(pcm)-4000:], holdHz) > 0.1 }},
		"a broken one": {call.MusicOnHold{Open: func(context.Context) (media.Source, error) { return nil, errors.New("oh") }},
			"sendonly", func(pcm []int16) bool { return tone.Level(pcm) > 0.02 }},
		"a prompt": {call.MusicOnHold{Prompt: "http://tone/700"}, "sendonly", func(pcm []int16) bool { return calltest.Hears(pcm, 700) }},
		"off":      {call.MusicOnHold{Off: true}, "inactive", quiet},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": waiting}, func(cfg *call.Config) {
					cfg.MusicOnHold = c.music
					cfg.Deps.Prompts = tonePrompts{}
				})
				a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
				time.Sleep(time.Second)
				if err := h.up(t).Hold(t.Context(), true); err != nil {
					t.Fatal(err)
				}
				if d := a.Direction(); d != c.direction {
					t.Errorf("offered %s", d)
				}
				time.Sleep(5 * time.Second)
				if pcm := a.Heard(); len(pcm) > 0 && !c.hears(pcm[len(pcm)/2:]) || len(pcm) == 0 && c.direction == "sendonly" {
					t.Errorf("hears something else, in %d samples, at %v", len(pcm), tone.Level(pcm))
				}
				a.Hangup(t) // while it is held: the engine ends, and with it all that plays
			})
		})
	}
}

// TestMusicInATalkLeavesNoHole: the talk's packets pass untouched, then music comes in their place, and goes. Who hears it gets one stream, without a
// hole or a double; who talks with it does not notice.
func TestMusicInATalkLeavesNoHole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": connectTo("", "", 1)}, outbound, holdTone(holdHz))
		k := newTalk(t, h)
		from := len(k.b.Packets())
		for range 3 {
			for _, on := range []bool{true, false} {
				if err := k.bLeg.MOH(t.Context(), on); err != nil {
					t.Fatal(err)
				}
				time.Sleep(730 * time.Millisecond)
			}
		}
		if !passing(t, k.bLeg) {
			t.Error("after it the talk does not pass untouched")
		}
		check := func(who string, packets []calltest.Packet, longest time.Duration) {
			t.Helper()
			for i := 1; i < len(packets); i++ {
				p, q := packets[i-1], packets[i]
				if q.Sequence != p.Sequence+1 || q.SSRC != p.SSRC || int32(q.Timestamp-p.Timestamp) < 160 {
					t.Errorf("%s: packet %d has sequence %d after %d, time +%d", who, i, q.Sequence, p.Sequence, int32(q.Timestamp-p.Timestamp))
				}
				if d := q.At.Sub(p.At); d > longest {
					t.Errorf("%s: %v without a packet", who, d)
				}
			}
		}
		check("who hears the music", k.b.Packets()[from:], 60*time.Millisecond)
		check("the other one", k.a.Packets(), 21*time.Millisecond)
		a := k.a.Heard()[8000:]
		for at := 0; at+160 <= len(a); at += 160 {
			if tone.Level(a[at:at+160]) < 0.05 {
				t.Errorf("the other one hears a hole at sample %d", at)
			}
		}
		k.a.Hangup(t)
	})
}

// smooth fails where pcm, sines of hz at most and of the usual level, has a step that no such sine has: a click.
func smooth(t *testing.T, pcm []int16, hz float64) {
	t.Helper()
	peak := 0
	for _, v := range pcm {
		peak = max(peak, int(v), -int(v))
	}
	most := float64(peak) * 2 * math.Pi * hz / 8000 * 1.15 // with what G.711 makes of it
	for i := 1; i < len(pcm); i++ {
		if d := float64(pcm[i]) - float64(pcm[i-1]); d > most || d < -most {
			t.Errorf("a step of %v at sample %d, more than %v", d, i, most)
			return
		}
	}
}
