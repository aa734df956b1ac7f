package media

import (
	"errors"
	"fmt"
	"io"
	"math"
	"testing"
)

var usualRates = []int{8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000}

func forEachRatio(t *testing.T, f func(t *testing.T, from, to int)) {
	for _, from := range usualRates {
		for _, to := range usualRates {
			if from != to {
				t.Run(fmt.Sprintf("%d to %d", from, to), func(t *testing.T) { f(t, from, to) })
			}
		}
	}
}

// sineAt is n samples of hz at rate.
func sineAt(n, rate int, hz, amplitude float64) []int16 {
	pcm := make([]int16, n)
	for i := range pcm {
		pcm[i] = int16(math.Round(amplitude * math.Sin(2*math.Pi*hz*float64(i)/float64(rate))))
	}
	return pcm
}

// fit is the amplitude of hz in pcm and that of all the rest, by least squares.
func fit(pcm []int16, rate int, hz float64) (signal, rest float64) {
	var ss, cc, sc, xs, xc, xx float64
	for i, v := range pcm {
		s, c := math.Sincos(2 * math.Pi * hz * float64(i) / float64(rate))
		x := float64(v)
		ss, cc, sc = ss+s*s, cc+c*c, sc+s*c
		xs, xc, xx = xs+x*s, xc+x*c, xx+x*x
	}
	det := ss*cc - sc*sc
	a, b := (xs*cc-xc*sc)/det, (xc*ss-xs*sc)/det
	left := xx - a*xs - b*xc
	return math.Hypot(a, b), math.Sqrt(2 * max(0, left) / float64(len(pcm)))
}

// resampleAll sends pcm through Resample and reads frame by frame.
func resampleAll(t *testing.T, pcm []int16, from, to int) []int16 {
	t.Helper()
	src := Resample(NewClip(from, pcm).Source(), to)
	var out []int16
	frame := make([]int16, FrameLen(to))
	for {
		n, err := src.ReadFrame(frame)
		out = append(out, frame[:n]...)
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if n != len(frame) {
			t.Fatalf("a frame of %d samples in mid-stream, want %d", n, len(frame))
		}
	}
}

func TestResampledTonesKeepLevelAndStayPure(t *testing.T) {
	forEachRatio(t, func(t *testing.T, from, to int) {
		low := float64(min(from, to))
		for _, part := range []float64{0.0125, 0.125, 0.25, 0.375, 0.425} {
			hz := part * low
			const amplitude = 16000
			out := resampleAll(t, sineAt(from/8, from, hz, amplitude), from, to)
			edge := len(out) / 5 // the tone is cut hard at both ends
			signal, rest := fit(out[edge:len(out)-edge], to, hz)
			if gain := 20 * math.Log10(signal/amplitude); math.Abs(gain) > 0.5 {
				t.Errorf("%.0f Hz has a gain of %.2f dB", hz, gain)
			}
			if noise := 20 * math.Log10(rest/amplitude); noise > -60 {
				t.Errorf("%.0f Hz has images of %.1f dB", hz, noise)
			}
		}
	})
}

func TestTonesAboveTheLowerRateDoNotAlias(t *testing.T) {
	forEachRatio(t, func(t *testing.T, from, to int) {
		if from < to {
			return // images of a rise are in the test above
		}
		nyquist := float64(to) / 2
		// Just above, where the filter is still closing, and then up to the end. Not on it:
		// there a sine has a sample at each of its zeros.
		tones := []float64{1.003 * nyquist, 1.02 * nyquist, 1.05 * nyquist}
		for hz := 1.1 * nyquist; hz < float64(from)/2*0.98; hz += nyquist / 5.3 {
			tones = append(tones, hz)
		}
		for _, hz := range tones {
			if hz >= float64(from)/2 {
				continue
			}
			out := resampleAll(t, sineAt(from/10, from, hz, 32000), from, to)
			edge := len(out) / 5
			var sum float64
			for _, v := range out[edge : len(out)-edge] {
				sum += float64(v) * float64(v)
			}
			rms := math.Sqrt(2 * sum / float64(len(out)-2*edge))
			if alias := 20 * math.Log10(max(rms, 1e-9)/32000); alias > -60 {
				t.Errorf("%.0f Hz comes through with %.1f dB", hz, alias)
			}
		}
	})
}

func TestResampledSoundKeepsItsTimeAndLength(t *testing.T) {
	forEachRatio(t, func(t *testing.T, from, to int) {
		for _, n := range []int{0, 1, 7, 160, from / 3} {
			pcm := make([]int16, n)
			out := resampleAll(t, pcm, from, to)
			if want := float64(n) * float64(to) / float64(from); math.Abs(float64(len(out))-want) > 1 {
				t.Errorf("%d samples become %d, want %.1f", n, len(out), want)
			}
		}
		// A short bump stays where it was.
		pcm := make([]int16, from/5)
		at := from / 10
		for i := -40; i <= 40; i++ {
			pcm[at+i] = int16(10000 * (0.5 + 0.5*math.Cos(math.Pi*float64(i)/41)))
		}
		out := resampleAll(t, pcm, from, to)
		best := 0
		for i, v := range out {
			if v > out[best] {
				best = i
			}
		}
		if got, want := float64(best)/float64(to), float64(at)/float64(from); math.Abs(got-want) > 1.5/float64(min(from, to)) {
			t.Errorf("what was at %.5f s is at %.5f s", want, got)
		}
	})
}

func TestClipAtEqualsTheStream(t *testing.T) {
	pcm := sineAt(12345, 44100, 523, 9000)
	clip, err := NewClip(44100, pcm).At(8000)
	if err != nil {
		t.Fatal(err)
	}
	out := resampleAll(t, pcm, 44100, 8000)
	if len(out) != len(clip.PCM()) {
		t.Fatalf("the stream has %d samples, the clip %d", len(out), len(clip.PCM()))
	}
	for i := range out {
		if out[i] != clip.PCM()[i] {
			t.Fatalf("sample %d: the stream has %d, the clip %d", i, out[i], clip.PCM()[i])
		}
	}
}

func TestOvershootIsClippedAndDoesNotWrap(t *testing.T) {
	square := make([]int16, 16000)
	for i := range square {
		square[i] = 32767
		if i/50%2 == 1 {
			square[i] = -32768
		}
	}
	for _, to := range []int{8000, 11025, 48000} {
		out := resampleAll(t, square, 16000, to)
		for i := 1; i < len(out); i++ {
			// A wrap goes from one end to the other within a sample of the higher rate.
			if to > 16000 && math.Abs(float64(out[i])-float64(out[i-1])) > 40000 {
				t.Fatalf("to %d: sample %d jumps from %d to %d", to, i, out[i-1], out[i])
			}
		}
		mid := len(out) / 2
		high := 0
		for _, v := range out[mid : mid+to/10] {
			if v > 30000 || v < -30000 {
				high++
			}
		}
		if high < to/10*3/4 {
			t.Errorf("to %d: only %d of %d samples are near full scale", to, high, to/10)
		}
	}
}

func TestResamplerGivesAFrameForAFrame(t *testing.T) {
	forEachRatio(t, func(t *testing.T, from, to int) {
		if from%50 != 0 || to%50 != 0 {
			return // 11025 has no whole frames of 20 ms
		}
		r, err := NewResampler(from, to)
		if err != nil {
			t.Fatal(err)
		}
		in := sineAt(from, from, 400, 10000)
		out := make([]int16, FrameLen(to)+10)
		for f := range 50 {
			w, n := r.Process(out, in[f*FrameLen(from):(f+1)*FrameLen(from)])
			if w != FrameLen(to) || n != FrameLen(from) {
				t.Fatalf("frame %d: %d samples of %d, want %d of %d", f, w, n, FrameLen(to), FrameLen(from))
			}
		}
		if delay := float64(r.Delay()) / float64(from); delay > 0.004 {
			t.Errorf("a delay of %.1f ms", delay*1000)
		}
	})
}

func TestResamplerDoesNotAllocate(t *testing.T) {
	r, err := NewResampler(8000, 44100)
	if err != nil {
		t.Fatal(err)
	}
	in, out := make([]int16, 160), make([]int16, 882)
	src := Resample(Silence(1000*FrameDuration, 44100), 8000)
	if n := testing.AllocsPerRun(100, func() {
		r.Process(out, in)
		src.ReadFrame(in)
	}); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func TestImpossibleRatesAreErrors(t *testing.T) {
	for _, c := range [][2]int{{0, 8000}, {8000, 0}, {-1, 8000}, {8000, 1 << 30}, {8000, 44099}} {
		if _, err := NewResampler(c[0], c[1]); !errors.Is(err, ErrRate) {
			t.Errorf("from %d to %d: %v", c[0], c[1], err)
		}
	}
	src := Resample(NewClip(8000, make([]int16, 10)).Source(), 44099)
	if n, err := src.ReadFrame(make([]int16, 10)); n != 0 || !errors.Is(err, ErrRate) {
		t.Errorf("ReadFrame = %d, %v", n, err)
	}
	if _, err := NewClip(8000, nil).At(44099); !errors.Is(err, ErrRate) {
		t.Errorf("At = %v", err)
	}
}

func TestResampledErrorOfSourceComesAfterItsSound(t *testing.T) {
	broken := errors.New("engine died")
	q := NewQueue(16000, 0)
	if err := q.Write(t.Context(), make([]int16, 320*3)); err != nil {
		t.Fatal(err)
	}
	q.CloseWrite(broken)
	src := Resample(q, 8000)
	got, frame := 0, make([]int16, 160)
	for {
		n, err := src.ReadFrame(frame)
		got += n
		if err != nil {
			if !errors.Is(err, broken) {
				t.Errorf("the error is %v", err)
			}
			break
		}
	}
	if got != 480 {
		t.Errorf("%d samples before the error, want 480", got)
	}
}

func BenchmarkResampleFrame(b *testing.B) {
	for _, usualRates := range [][2]int{{8000, 16000}, {16000, 8000}, {8000, 48000}, {48000, 8000}, {44100, 8000}} {
		b.Run(fmt.Sprintf("%d-%d", usualRates[0], usualRates[1]), func(b *testing.B) {
			r, err := NewResampler(usualRates[0], usualRates[1])
			if err != nil {
				b.Fatal(err)
			}
			in, out := make([]int16, FrameLen(usualRates[0])), make([]int16, FrameLen(usualRates[1])+1)
			b.ReportAllocs()
			for b.Loop() {
				r.Process(out, in)
			}
		})
	}
}

func BenchmarkNewFilter(b *testing.B) {
	for b.Loop() {
		newFilterBank(11025/25, 48000/25)
	}
}
