package calltest

import (
	"math"
	"time"

	"github.com/callbin/callbin/media/tone"
)

// window is what Hears listens to at once: 200 ms, which tell 5 Hz apart.
const window = 10 * frame

// Tone is a sine of hz, 8 kHz, to Say.
func Tone(hz float64, d time.Duration) []int16 { return tone.Sine(hz, d).Clip(8000).PCM() }

// Hears tells whether hz sounds in pcm (8 kHz) for 200 ms somewhere, alone or among others: at -40 dB of
// full scale or more, with a twentieth of the power or more. pcm shorter than that is judged as a whole.
func Hears(pcm []int16, hz float64) bool {
	for at := 0; at == 0 || at+window <= len(pcm); at += window / 2 {
		w := pcm[at:min(at+window, len(pcm))]
		amplitude, level := tone.Goertzel(w, 8000, hz), tone.Level(w)
		if amplitude >= 0.01 && amplitude/math.Sqrt2 >= level*math.Sqrt(0.05) {
			return true
		}
	}
	return false
}
