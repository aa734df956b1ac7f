package tone

import (
	"math"
	"time"

	"github.com/callbin/callbin/media"
)

// Rates and times of the tune.
const (
	tuneRate  = 16000
	tuneBeat  = 400 * time.Millisecond
	tuneDecay = 700 * time.Millisecond // in which a note falls to a third
	tunePeak  = 5000                   // of a note, of 32767: quiet enough to be spoken over
)

// tuneNotes are the notes of the tune, two bars of broken chords a line, in semitones above A (220 Hz); rest is none. They are
// made up for this, and nobody's.
var tuneNotes = []int{
	3, 7, 10, 15, 10, 7, 12, 10, // C major
	0, 3, 7, 12, 15, 12, 7, 3, // A minor
	-4, 0, 3, 8, 12, 8, 3, 0, // F major
	-2, 2, 5, 10, 14, 10, 5, rest, // G major
	3, 7, 10, 14, 10, 7, 15, 14,
	0, 3, 8, 12, 8, 3, 10, 8,
	-4, 0, 5, 8, 5, 0, 2, 5,
	3, rest, 10, rest, 15, rest, rest, rest, rest, rest, rest, rest,
}

const rest = -100

// Tune is music for somebody who has to wait: half a minute that begins and ends in silence, to be looped.
func Tune() *media.Clip {
	beat := samples(tuneBeat, tuneRate)
	sum := make([]float64, beat*len(tuneNotes))
	decay := math.Exp(-1 / float64(samples(tuneDecay, tuneRate)))
	attack := float64(samples(8*time.Millisecond, tuneRate))
	for i, note := range tuneNotes {
		if note == rest {
			continue
		}
		turn := 2 * math.Pi * 220 * math.Pow(2, float64(note)/12) / tuneRate
		level := 1.0
		out := sum[i*beat:]
		for k := range out {
			if level < 1e-4 {
				break
			}
			phase := turn * float64(k)
			out[k] += level * min(1, float64(k)/attack) * (math.Sin(phase) + 0.3*level*math.Sin(2*phase) + 0.1*level*math.Sin(3*phase))
			level *= decay
		}
	}
	pcm := make([]int16, len(sum))
	for i, v := range sum {
		pcm[i] = int16(max(-32767, min(32767, v*tunePeak)))
	}
	return media.NewClip(tuneRate, pcm)
}
