package tone

import (
	"math"
	"math/bits"
	"math/cmplx"
)

// Goertzel is the amplitude of hz in pcm, 1 being a sine of full scale. It tells
// frequencies apart that differ by more than rateHz/len(pcm).
func Goertzel(pcm []int16, rateHz int, hz float64) float64 {
	if len(pcm) == 0 {
		return 0
	}
	w := 2 * math.Pi * hz / float64(rateHz)
	c := 2 * math.Cos(w)
	var s1, s2 float64
	for _, v := range pcm {
		s1, s2 = float64(v)+c*s1-s2, s1
	}
	power := s1*s1 + s2*s2 - c*s1*s2
	return 2 * math.Sqrt(max(0, power)) / float64(len(pcm)) / 32768
}

// Level is the root mean square of pcm, 1 being a square wave of full scale; a sine
// of full scale has 0.707.
func Level(pcm []int16) float64 {
	if len(pcm) == 0 {
		return 0
	}
	var sum float64
	for _, v := range pcm {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum/float64(len(pcm))) / 32768
}

// Correlate looks for the lag at which b resembles a most: b[i+lag] is then like a[i].
// peak is 1 for the same sound at any volume, about 0 for another one. At least half of
// the shorter one must overlap. Ten seconds at 8000 Hz take some 0.1 s.
func Correlate(a, b []int16) (peak float64, lag int) {
	least := (min(len(a), len(b)) + 1) / 2
	if least == 0 {
		return 0, 0
	}
	size := 1 << bits.Len(uint(len(a)+len(b)))
	x, y := spectrum(a, size), spectrum(b, size)
	for i := range x {
		x[i] = cmplx.Conj(x[i]) * y[i]
	}
	// The inverse transform, by conjugating before and after.
	for i := range x {
		x[i] = cmplx.Conj(x[i])
	}
	fft(x)
	ea, eb := energy(a), energy(b)
	peak = math.Inf(-1)
	for l := least - len(a); l <= len(b)-least; l++ {
		from, to := max(0, -l), min(len(a), len(b)-l) // of a, what overlaps
		e := (ea[to] - ea[from]) * (eb[to+l] - eb[from+l])
		if to-from < least || e <= 0 {
			continue
		}
		v := real(x[(l+size)%size]) / float64(size) / math.Sqrt(e)
		if v > peak {
			peak, lag = v, l
		}
	}
	if math.IsInf(peak, -1) {
		return 0, 0 // one of them is silent
	}
	return peak, lag
}

// energy is the sum of squares of the first i samples, for each i.
func energy(pcm []int16) []float64 {
	e := make([]float64, len(pcm)+1)
	for i, v := range pcm {
		e[i+1] = e[i] + float64(v)*float64(v)
	}
	return e
}

func spectrum(pcm []int16, size int) []complex128 {
	x := make([]complex128, size)
	for i, v := range pcm {
		x[i] = complex(float64(v), 0)
	}
	fft(x)
	return x
}

// fft transforms x in place; its length is a power of two.
func fft(x []complex128) {
	n := len(x)
	shift := 64 - bits.TrailingZeros(uint(n))
	for i := range x {
		if j := int(bits.Reverse64(uint64(i)) >> shift); n > 1 && i < j {
			x[i], x[j] = x[j], x[i]
		}
	}
	roots := make([]complex128, n/2)
	for i := range roots {
		sin, cos := math.Sincos(-2 * math.Pi * float64(i) / float64(n))
		roots[i] = complex(cos, sin)
	}
	for size := 2; size <= n; size *= 2 {
		step := n / size
		for start := 0; start < n; start += size {
			lower, upper := x[start:start+size/2], x[start+size/2:start+size]
			for k := range lower {
				t := upper[k] * roots[k*step]
				lower[k], upper[k] = lower[k]+t, lower[k]-t
			}
		}
	}
}
