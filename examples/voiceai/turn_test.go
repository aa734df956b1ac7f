package main

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/tone"
)

func TestWordsWithin(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want string
	}{
		{"", 0, ""}, {"", 9, ""}, {"one", 9, ""}, {"one two three", 0, ""}, {"one two three", 2, ""}, {"one two three", 3, "one"},
		{"one two three", 8, "one two"}, {"one two three", 99, "one two"}, {"你好你好", 7, "你好"},
	} {
		if got := wordsWithin(c.text, c.n); got != c.want {
			t.Errorf("%q within %d: %q, want %q", c.text, c.n, got, c.want)
		}
	}
}

// TestHangupEndsEverything hangs up at every stage of an answer; the bubble fails where a goroutine is left.
func TestHangupEndsEverything(t *testing.T) {
	for after := 500 * time.Millisecond; after < 6*time.Second; after += 700 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, nil)
			time.Sleep(time.Second)
			w.call.Say(phrase(t, "second question"))
			time.Sleep(after)
			w.call.Hangup(t)
		})
	}
}

// TestEchoDoesNotInterrupt has the phone send back what it hears, 20 dB below it.
func TestEchoDoesNotInterrupt(t *testing.T) {
	ear, err := media.NewEar(media.EarOptions{})
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{ear: ear}
	loud, echo := tone.Sine(500, time.Second).Clip(8000).PCM(), make([]int16, 8000)
	for i := range loud {
		echo[i] = loud[i] / 10
	}
	read := func() float64 {
		pcm := make([]int16, 160)
		if _, err := ear.Read(t.Context(), pcm); err != nil {
			t.Fatal(err)
		}
		return tone.Level(pcm)
	}
	g.Tick(1, echo[:160], loud[:160])
	if l := read(); l != 0 {
		t.Errorf("an echo has the level %v", l)
	}
	g.Tick(2, loud[:160], loud[:160])
	if l := read(); l < 0.1 {
		t.Errorf("a caller has the level %v", l)
	}
}

// TestNoiseIsNoQuestion says what nobody knows into an answer: the bot asks, and the model is not.
func TestNoiseIsNoQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.fake.hear = func(*media.Clip, string) (string, error) { return "", nil }
		time.Sleep(300 * time.Millisecond)
		w.call.Say(phrase(t, "third question"))
		time.Sleep(6 * time.Second)
		if !calltest.Hears(w.call.Heard(), 900) || len(w.requests()) > 0 {
			t.Errorf("asked: %s", strings.Join(w.requests(), "; "))
		}
		w.call.Hangup(t)
	})
}
