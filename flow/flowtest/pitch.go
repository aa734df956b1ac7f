package flowtest

import (
	"hash/fnv"
	"io"
	"math"
)

// Pitch is two tones that sound at once, in Hz.
type Pitch struct{ Low, High float64 }

// Tones stand this far apart, so that 100 ms of sound tell them from each other.
const (
	lowest     = 450
	apart      = 40
	lowTones   = 24 // below highest of low
	highTones  = 40
	firstOfTop = lowest + lowTones*apart
)

// PitchOf is the pitch of the sound with that name: text in quotes, or a URL.
func PitchOf(name string) Pitch {
	h := fnv.New32a()
	_, _ = io.WriteString(h, name) // never fails
	n := h.Sum32()
	return Pitch{
		Low:  float64(lowest + n%lowTones*apart),
		High: float64(firstOfTop + n/lowTones%highTones*apart),
	}
}

// fill writes the sound from its first sample on, at rate Hz.
func (p Pitch) fill(dst []int16, first, rate int) {
	low, high := 2*math.Pi*p.Low/float64(rate), 2*math.Pi*p.High/float64(rate)
	for i := range dst {
		t := float64(first + i)
		dst[i] = int16(6000*math.Sin(low*t) + 6000*math.Sin(high*t))
	}
}
