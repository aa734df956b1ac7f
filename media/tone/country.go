package tone

import (
	"strings"
	"time"
)

const ms = time.Millisecond

// Ringback is what a caller of a country hears while the phone rings (ITU-T E.180
// supplement 2): "us", "uk", "de", "jp", "fr", "kr".
func Ringback(country string) (Pattern, bool) {
	switch strings.ToLower(country) {
	case "us":
		return cadence([]float64{440, 480}, 2000*ms, 4000*ms), true
	case "uk", "gb":
		return cadence([]float64{400, 450}, 400*ms, 200*ms, 400*ms, 2000*ms), true
	case "de":
		return cadence([]float64{425}, 1000*ms, 4000*ms), true
	case "jp":
		return cadence([]float64{384, 416}, 1000*ms, 2000*ms), true // 400 Hz modulated with 16 Hz
	case "fr":
		return cadence([]float64{440}, 1500*ms, 3500*ms), true
	case "kr":
		return cadence([]float64{440, 480}, 1000*ms, 2000*ms), true
	}
	return Pattern{}, false
}

// Busy is what a caller hears when the phone is in use. Countries are those of Ringback.
func Busy(country string) (Pattern, bool) {
	switch strings.ToLower(country) {
	case "us":
		return cadence([]float64{480, 620}, 500*ms, 500*ms), true
	case "uk", "gb":
		return cadence([]float64{400}, 375*ms, 375*ms), true
	case "de":
		return cadence([]float64{425}, 480*ms, 480*ms), true
	case "jp":
		return cadence([]float64{400}, 500*ms, 500*ms), true
	case "fr":
		return cadence([]float64{440}, 500*ms, 500*ms), true
	case "kr":
		return cadence([]float64{480, 620}, 500*ms, 500*ms), true
	}
	return Pattern{}, false
}

// cadence is endless: on, off, on, off.
func cadence(hz []float64, durations ...time.Duration) Pattern {
	p := Pattern{Endless: true}
	for i, d := range durations {
		s := Segment{Duration: d}
		if i%2 == 0 {
			s.Hz = hz
		}
		p.Segments = append(p.Segments, s)
	}
	return p
}
