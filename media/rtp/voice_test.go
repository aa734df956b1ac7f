package rtp

import (
	"testing"
	"time"

	"github.com/callbin/callbin/media/codec"
	"github.com/callbin/callbin/media/tone"
)

func TestSoundIsToldFromSilence(t *testing.T) {
	for _, c := range []codec.Codec{codec.PCMU, codec.PCMA} {
		enc := c.NewEncoder()
		payload := make([]byte, 160)
		for hz, want := range map[float64]bool{0: false, 150: true, 440: true, 8000.0 / 14: true, 8000.0 / 9: true, 1000: true, 1600: true, 3000: true} {
			pcm := make([]int16, 160)
			if hz > 0 {
				copy(pcm, tone.Sine(hz, time.Second).Clip(8000).PCM()[800:])
			}
			if _, err := enc.Encode(payload, pcm); err != nil {
				t.Fatal(err)
			}
			if got := sounds(payload, levels()[c.Name()]); got != want {
				t.Errorf("%s at %v Hz: sound %v", c.Name(), hz, got)
			}
		}
	}
	if sounds(nil, levels()["PCMU"]) {
		t.Error("nothing makes a sound")
	}
}
