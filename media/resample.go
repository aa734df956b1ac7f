package media

import (
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
)

// ErrRate says that a sample rate, or the ratio of two, is not supported.
var ErrRate = errors.New("media: sample rate is not supported")

// The filter, in parts of the lower of the two rates: with 8000 Hz it is flat to
// 3400 Hz and shut from 4000 Hz on.
const (
	passEdge     = 0.425
	stopEdge     = 0.5
	tapsPerLow   = 56  // taps for each sample of the lower rate: what 68 dB needs between the edges
	kaiserBeta   = 6.6 // about 68 dB
	maxPhases    = 2048
	minRate      = 4000
	maxRate      = 192000
	maxBanks     = 32
	inputReserve = 512 // samples that a Resampler takes in at a time beyond its filter
)

// Resampler converts a stream of samples from one rate to another by a polyphase
// filter: no alias and no image above -60 dB, gain 1, overshoot is clipped. It delays
// by Delay; n samples in give n*to/from out. One goroutine at a time may use it.
type Resampler struct {
	bank  *filterBank
	buf   []float32 // input that is still needed; cap is fixed
	pos   int       // where in buf the window of the next sample starts
	phase int       // which of bank's filters makes it
}

// NewResampler returns a Resampler between two rates in Hz, 4000 to 192000 each. All
// ratios among 8, 11.025, 12, 16, 22.05, 24, 32, 44.1 and 48 kHz exist; its error matches ErrRate.
// The first use of a ratio computes its filter, up to some milliseconds.
func NewResampler(fromHz, toHz int) (*Resampler, error) {
	b, err := filters.get(fromHz, toHz)
	if err != nil {
		return nil, err
	}
	r := &Resampler{bank: b}
	r.buf = make([]float32, b.taps-1, b.taps+inputReserve)
	return r, nil
}

// newAligned returns a Resampler without delay: it gives a sample once it has seen
// half a filter more of input.
func newAligned(b *filterBank) *Resampler {
	r := &Resampler{bank: b}
	r.buf = make([]float32, b.taps/2-1, b.taps+inputReserve)
	return r
}

// Delay is how many samples of input the output is late: half the filter, 3 ms at 8000 Hz.
func (r *Resampler) Delay() int { return r.bank.taps / 2 }

// follow makes r go on as o, of the same rates, would.
func (r *Resampler) follow(o *Resampler) {
	if o != nil {
		r.buf = append(r.buf[:0], o.buf...)
		r.pos, r.phase = o.pos, o.phase
	}
}

// Process takes samples from src and writes what they give to dst, until src is
// used up or dst is full. It returns how many it wrote and how many it took. It
// does not allocate.
func (r *Resampler) Process(dst, src []int16) (written, taken int) {
	for {
		written += r.produce(dst[written:])
		if written == len(dst) || taken == len(src) {
			return written, taken
		}
		taken += r.consume(src[taken:])
	}
}

// produce writes samples as long as there are input and room.
func (r *Resampler) produce(dst []int16) int {
	b := r.bank
	n := 0
	for n < len(dst) && r.pos+b.taps <= len(r.buf) {
		dst[n] = toInt16(dot(b.filter(r.phase), r.buf[r.pos:r.pos+b.taps]))
		n++
		r.phase += b.stepPhase
		r.pos += b.step
		if r.phase >= b.phases {
			r.phase -= b.phases
			r.pos++
		}
	}
	return n
}

// consume appends what fits of src, after dropping what no window needs any more.
func (r *Resampler) consume(src []int16) int {
	if drop := min(r.pos, len(r.buf)); drop > 0 {
		r.buf = r.buf[:copy(r.buf, r.buf[drop:])]
		r.pos -= drop
	}
	n := min(len(src), cap(r.buf)-len(r.buf))
	for _, s := range src[:n] {
		r.buf = append(r.buf, float32(s))
	}
	return n
}

// dot is the heart: four sums keep the processor's adders busy.
func dot(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float32
	for len(a) >= 4 && len(b) >= 4 {
		s0 += a[0] * b[0]
		s1 += a[1] * b[1]
		s2 += a[2] * b[2]
		s3 += a[3] * b[3]
		a, b = a[4:], b[4:]
	}
	return s0 + s1 + s2 + s3 // the number of taps is a multiple of 4
}

func toInt16(f float32) int16 {
	switch {
	case f >= 32767:
		return 32767
	case f <= -32768:
		return -32768
	case f < 0:
		return int16(f - 0.5)
	}
	return int16(f + 0.5)
}

// filterBank holds the filters of one ratio: phases of them, one for each place that an
// output sample can have between two of input. It is never written to once made.
type filterBank struct {
	taps, phases    int
	step, stepPhase int // from one output sample to the next: input samples, and phases
	coeffs          []float32
}

func (b *filterBank) filter(phase int) []float32 {
	return b.coeffs[phase*b.taps : (phase+1)*b.taps]
}

// filters keeps the banks of all ratios in use. It is the one thing in this package
// that is shared by all: a pure function's results, at most maxBanks of them.
var filters bankCache

type bankCache struct {
	mu    sync.Mutex
	banks map[[2]int]*filterBank // guarded by mu
}

func (c *bankCache) get(fromHz, toHz int) (*filterBank, error) {
	if fromHz < minRate || fromHz > maxRate || toHz < minRate || toHz > maxRate {
		return nil, fmt.Errorf("%w: from %d to %d Hz, want %d to %d", ErrRate, fromHz, toHz, minRate, maxRate)
	}
	d := gcd(fromHz, toHz)
	key := [2]int{fromHz / d, toHz / d}
	if key[1] > maxPhases {
		return nil, fmt.Errorf("%w: from %d to %d Hz is a ratio of %d/%d", ErrRate, fromHz, toHz, key[1], key[0])
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if b, ok := c.banks[key]; ok {
		return b, nil
	}
	b := newFilterBank(key[0], key[1])
	if c.banks == nil {
		c.banks = map[[2]int]*filterBank{}
	}
	if len(c.banks) < maxBanks { // what comes later works too, it is only computed each time
		c.banks[key] = b
	}
	return b, nil
}

// newFilterBank designs a low pass by the Kaiser window for a ratio in lowest terms.
func newFilterBank(from, to int) *filterBank {
	low := min(from, to)
	taps := (tapsPerLow*from + low - 1) / low
	taps = (taps + 3) &^ 3
	b := &filterBank{
		taps: taps, phases: to, step: from / to, stepPhase: from % to,
		coeffs: make([]float32, taps*to),
	}
	cutoff := (passEdge + stopEdge) * float64(low) / float64(from) // in half cycles per input sample
	half := float64(taps) / 2
	h := make([]float64, taps)
	for phase := range to {
		var sum float64
		for j := range h {
			t := float64(j) - half + 1 - float64(phase)/float64(to)
			h[j] = sinc(cutoff*t) * kaiser(t/half)
			sum += h[j]
		}
		// Each filter by itself has gain 1, so that a constant stays one.
		for j, v := range h {
			b.coeffs[phase*taps+j] = float32(v / sum)
		}
	}
	return b
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// kaiser is the window at x of -1 to 1.
func kaiser(x float64) float64 {
	if x < -1 || x > 1 {
		return 0
	}
	return bessel0(kaiserBeta*math.Sqrt(1-x*x)) / bessel0(kaiserBeta)
}

// bessel0 is the modified Bessel function of the first kind and order 0.
func bessel0(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > sum*1e-12; k++ {
		term *= (x / (2 * k)) * (x / (2 * k))
		sum += term
	}
	return sum
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// Resample returns src at another rate, in Hz: in time with src, as long as src within a
// sample, and closing src when it is closed. Where src has that rate already it
// is src itself. Where the ratio is not supported, each ReadFrame returns an error
// that matches ErrRate.
func Resample(src Source, rateHz int) Source {
	if src.Rate() == rateHz {
		return src
	}
	b, err := filters.get(src.Rate(), rateHz)
	s := &resampled{src: src, rate: rateHz, err: err}
	if err == nil {
		s.r = newAligned(b)
		s.in = make([]int16, FrameLen(src.Rate()))
	}
	return s
}

type resampled struct {
	src  Source
	r    *Resampler
	rate int
	in   []int16 // one frame of src,
	have []int16 // and what of it was not taken yet
	got  int64   // samples that src gave
	gave int64   // samples given out
	err  error   // why src gives no more
}

func (s *resampled) Rate() int { return s.rate }

func (s *resampled) Close() error { return closeSource(s.src) }

func (s *resampled) ReadFrame(dst []int16) (n int, err error) {
	if s.r == nil {
		return 0, s.err
	}
	dst = dst[:min(len(dst), FrameLen(s.rate))]
	for n < len(dst) {
		if len(s.have) == 0 && s.err == nil {
			var k int
			k, s.err = s.src.ReadFrame(s.in)
			s.have, s.got = s.in[:k], s.got+int64(k)
			if k == 0 && s.err == nil {
				return n, nil // nothing yet
			}
		}
		if len(s.have) == 0 {
			return s.finish(dst, n)
		}
		w, t := s.r.Process(dst[n:], s.have)
		s.have = s.have[t:]
		s.gave += int64(w)
		n += w
	}
	if s.err != nil && s.left() == 0 {
		return n, s.err
	}
	return n, nil
}

// left is how many samples are still to come of what src gave.
func (s *resampled) left() int64 {
	from, to := int64(s.src.Rate()), int64(s.rate)
	return (s.got*to+from-1)/from - s.gave
}

// finish lets what is in the filter run out behind the end of src.
func (s *resampled) finish(dst []int16, n int) (int, error) {
	room := dst[n:min(int64(len(dst)), int64(n)+s.left())]
	clear(s.in)
	for len(room) > 0 {
		w, _ := s.r.Process(room, s.in)
		room, n, s.gave = room[w:], n+w, s.gave+int64(w)
	}
	if s.left() > 0 {
		return n, nil
	}
	return n, s.err
}

// closeSource closes src where it can be closed.
func closeSource(src Source) error {
	if c, ok := src.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
