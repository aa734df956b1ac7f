package tone

import (
	"fmt"
	"strings"
	"time"
)

const digitRows = "123A456B789C*0#D"

// DigitPair is the low and the high frequency of a DTMF digit: 0-9 * # A-D (ITU-T Q.23).
func DigitPair(digit byte) (low, high float64, ok bool) {
	i := strings.IndexByte(digitRows, digit)
	if i < 0 {
		return 0, 0, false
	}
	return [4]float64{697, 770, 852, 941}[i/4], [4]float64{1209, 1336, 1477, 1633}[i%4], true
}

// DTMF is digits as tones of length on, each followed by silence of length off; 0
// is 100 ms for each of the two.
func DTMF(digits string, on, off time.Duration) (Pattern, error) {
	if on <= 0 {
		on = 100 * time.Millisecond
	}
	if off <= 0 {
		off = 100 * time.Millisecond
	}
	p := Pattern{Level: -10}
	for i := range len(digits) {
		low, high, ok := DigitPair(digits[i])
		if !ok {
			return Pattern{}, fmt.Errorf("tone: %q at %d is no DTMF digit", digits[i], i)
		}
		p.Segments = append(p.Segments, Segment{Hz: []float64{low, high}, Duration: on}, Segment{Duration: off})
	}
	return p, nil
}
