package vad

import "math"

const (
	fftLen  = 256        // samples that are looked at, 32 ms
	binHz   = 31.25      // workRate / fftLen
	bins    = fftLen / 2 // without the last one, at 4 kHz
	lowBin  = 6          // 187 Hz: what is below is hum as often as voice
	highBin = 115        // 3594 Hz: above it telephone lines have little
)

// edges of the bands, in bins: each about as wide as the ear would have it.
var edges = [bandCount + 1]int{lowBin, 13, 22, 35, 54, 80, highBin}

const bandCount = 6

// window is Hann's, scaled so that the bins of a sine sum up to its power, 1 being a square wave of full scale.
var window = func() (w [fftLen]float32) {
	for i := range w {
		w[i] = float32((0.5 - 0.5*math.Cos(2*math.Pi*(float64(i)+0.5)/fftLen)) * math.Sqrt(2/(fftLen*fftLen*0.375)))
	}
	return w
}()

// twiddles are e^(-2 pi i k / fftLen).
var twiddles = func() (t [fftLen / 2]complex64) {
	for k := range t {
		s, c := math.Sincos(-2 * math.Pi * float64(k) / fftLen)
		t[k] = complex(float32(c), float32(s))
	}
	return t
}()

// reversed is where each point of a transform of half of fftLen begins.
var reversed = func() (r [fftLen / 2]int) {
	for i := range r {
		for bit := 1; bit < len(r); bit <<= 1 {
			r[i] <<= 1
			if i&bit != 0 {
				r[i] |= 1
			}
		}
	}
	return r
}()

// spectrum is the power of the last 32 ms by frequency.
type spectrum struct {
	past  [fftLen]float32
	power [bins]float64
}

// add takes a frame.
func (s *spectrum) add(frame []float32) {
	copy(s.past[:], s.past[len(frame):])
	copy(s.past[fftLen-len(frame):], frame)
	// A real transform of n points by a complex one of half as many.
	const n = fftLen / 2
	var x [n]complex64
	for i, at := range reversed {
		x[at] = complex(s.past[2*i]*window[2*i], s.past[2*i+1]*window[2*i+1])
	}
	for size := 2; size <= n; size *= 2 {
		half, step := size/2, fftLen/size
		for from := 0; from < n; from += size {
			a, b := x[from:from+half], x[from+half:from+size]
			for k := range a {
				t := twiddles[k*step] * b[k]
				a[k], b[k] = a[k]+t, a[k]-t
			}
		}
	}
	for k := lowBin - 2; k < highBin+2; k++ {
		p, q := x[k], x[n-k]
		q = complex(real(q), -imag(q))
		even, odd := (p+q)*0.5, (p-q)*complex(0, -0.5)
		v := even + twiddles[k]*odd
		s.power[k] = float64(real(v)*real(v) + imag(v)*imag(v))
	}
}

// bands sums the power up.
func (s *spectrum) bands(b *[bandCount]float64) (total float64) {
	for i := range b {
		for _, p := range s.power[edges[i]:edges[i+1]] {
			b[i] += p
		}
		total += b[i]
	}
	return total
}

func fromDB(db float64) float64  { return math.Pow(10, db/10) }
func toDB(power float64) float64 { return 10 * math.Log10(power) }
