package tone

import (
	"io"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/callbin/callbin/media"
)

func db(amplitude float64) float64 { return 20 * math.Log10(amplitude) }

func TestSineHasItsFrequencyAndLevel(t *testing.T) {
	for _, rate := range []int{8000, 16000, 48000} {
		clip := Sine(1000, time.Second).Clip(rate)
		if clip.Duration() != time.Second || clip.Rate() != rate {
			t.Errorf("%v at %d Hz", clip.Duration(), clip.Rate())
		}
		if got := db(Goertzel(clip.PCM(), rate, 1000)); math.Abs(got+12) > 0.1 {
			t.Errorf("%d Hz: 1000 Hz has %.2f dB, want -12", rate, got)
		}
		for _, hz := range []float64{500, 900, 1100, 2000, 3000} {
			if got := db(Goertzel(clip.PCM(), rate, hz)); got > -60 {
				t.Errorf("%d Hz: %v Hz has %.1f dB", rate, hz, got)
			}
		}
	}
}

func TestNothingClicks(t *testing.T) {
	p, err := DTMF("159D", 80*time.Millisecond, 40*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []Pattern{Beep(), p} {
		pcm := p.Clip(8000).PCM()
		for i := range edge * 8000 / time.Second {
			// 3 ms up: no sample may be beyond the line that the edge draws, twice as steep.
			most := 40 + 2*32767*float64(i)/24
			if v := math.Abs(float64(pcm[i])); v > most {
				t.Errorf("sample %d is %v", i, v)
			}
		}
		if pcm[0] != 0 || pcm[len(pcm)-1] > 40 {
			t.Errorf("begins with %d, ends with %d", pcm[0], pcm[len(pcm)-1])
		}
	}
}

func TestCadences(t *testing.T) {
	for _, c := range []struct {
		name    string
		pattern func(string) (Pattern, bool)
		country string
		hz      []float64
		on, off time.Duration
	}{
		{"ringback", Ringback, "us", []float64{440, 480}, 2 * time.Second, 4 * time.Second},
		{"ringback", Ringback, "UK", []float64{400, 450}, 400 * ms, 200 * ms},
		{"ringback", Ringback, "de", []float64{425}, time.Second, 4 * time.Second},
		{"ringback", Ringback, "jp", []float64{384, 416}, time.Second, 2 * time.Second},
		{"ringback", Ringback, "fr", []float64{440}, 1500 * ms, 3500 * ms},
		{"ringback", Ringback, "kr", []float64{440, 480}, time.Second, 2 * time.Second},
		{"busy", Busy, "us", []float64{480, 620}, 500 * ms, 500 * ms},
		{"busy", Busy, "gb", []float64{400}, 375 * ms, 375 * ms},
		{"busy", Busy, "de", []float64{425}, 480 * ms, 480 * ms},
		{"busy", Busy, "jp", []float64{400}, 500 * ms, 500 * ms},
		{"busy", Busy, "fr", []float64{440}, 500 * ms, 500 * ms},
		{"busy", Busy, "kr", []float64{480, 620}, 500 * ms, 500 * ms},
	} {
		p, ok := c.pattern(c.country)
		if !ok || !p.Endless {
			t.Errorf("%s %s: %+v, %v", c.name, c.country, p, ok)
			continue
		}
		pcm := p.Clip(8000).PCM()
		on, off := samples(c.on, 8000), samples(c.off, 8000)
		for _, hz := range c.hz {
			if got := db(Goertzel(pcm[:on], 8000, hz)); math.Abs(got+12) > 0.5 {
				t.Errorf("%s %s: %v Hz has %.1f dB", c.name, c.country, hz, got)
			}
		}
		if got := Level(pcm[on : on+off]); got != 0 {
			t.Errorf("%s %s: the pause has a level of %v", c.name, c.country, got)
		}
	}
	if _, ok := Ringback("atlantis"); ok {
		t.Error("ringback of atlantis")
	}
	if _, ok := Busy(""); ok {
		t.Error("busy of nowhere")
	}
}

func TestEndlessPatternGoesRound(t *testing.T) {
	p, _ := Busy("us")
	src := p.Source(8000)
	frame := make([]int16, 160)
	var second []int16
	for f := range 3 * 50 {
		n, err := src.ReadFrame(frame)
		if n != 160 || err != nil {
			t.Fatalf("frame %d: %d, %v", f, n, err)
		}
		if f >= 100 {
			second = append(second, frame...)
		}
	}
	if got := db(Goertzel(second[:4000], 8000, 480)); math.Abs(got+12) > 0.5 {
		t.Errorf("third round: 480 Hz has %.1f dB", got)
	}
	if got := Level(second[4000:]); got != 0 {
		t.Errorf("third round: the pause has %v", got)
	}
}

func TestSourceKeepsTheContract(t *testing.T) {
	src := Sine(700, 50*time.Millisecond).Source(8000)
	big := make([]int16, 1000)
	for i, want := range []int{160, 160, 80} {
		n, err := src.ReadFrame(big)
		if n != want || (err == io.EOF) != (i == 2) {
			t.Fatalf("frame %d: %d, %v", i, n, err)
		}
	}
	if n, err := src.ReadFrame(big); n != 0 || err != io.EOF {
		t.Errorf("after the end: %d, %v", n, err)
	}
	for name, p := range map[string]Pattern{
		"empty":         {},
		"empty endless": {Endless: true},
		"too short":     {Endless: true, Segments: []Segment{{Duration: time.Microsecond}, {Duration: time.Microsecond}}},
	} {
		if n, err := p.Source(8000).ReadFrame(big); n != 0 || err != io.EOF {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
	endless := Sine(700, 0).Source(8000)
	if n := testing.AllocsPerRun(100, func() { endless.ReadFrame(big) }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func TestLoudPatternIsClipped(t *testing.T) {
	p := Pattern{Segments: []Segment{{Hz: []float64{500, 501, 502}, Duration: 100 * ms}}, Level: 6}
	for i, v := range p.Clip(8000).PCM()[100:700] {
		// Three in phase at twice full scale are far beyond it: a wrap would change the sign.
		if want := math.Sin(2 * math.Pi * 501 * float64(i+100) / 8000); math.Abs(want) > 0.3 && float64(v)*want < 0 {
			t.Fatalf("sample %d is %d", i+100, v)
		}
	}
}

func TestDTMFPairs(t *testing.T) {
	for _, d := range "0123456789*#ABCD" {
		p, err := DTMF(string(d), 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		pcm := p.Clip(8000).PCM()[:800]
		low, high, _ := DigitPair(byte(d))
		for _, hz := range []float64{697, 770, 852, 941, 1209, 1336, 1477, 1633} {
			got := db(Goertzel(pcm, 8000, hz))
			if in := hz == low || hz == high; in != (got > -12) || !in && got > -30 {
				t.Errorf("%c: %v Hz has %.1f dB", d, hz, got)
			}
		}
	}
	if _, err := DTMF("12x", 0, 0); err == nil || err.Error() != `tone: 'x' at 2 is no DTMF digit` {
		t.Errorf("12x: %v", err)
	}
}

func TestCorrelateFindsTheLag(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	a := make([]int16, 12_000)
	for i := range a {
		a[i] = int16(rnd.IntN(20000) - 10000)
	}
	for _, lag := range []int{0, 1, 1234, 5_000} {
		later := make([]int16, len(a)+lag)
		for i, v := range a {
			later[i+lag] = v/3 + int16(rnd.IntN(100)-50)
		}
		if peak, got := Correlate(a, later); got != lag || peak < 0.99 {
			t.Errorf("lag %d: found %d with %.3f", lag, got, peak)
		}
		if peak, got := Correlate(later, a); got != -lag || peak < 0.99 {
			t.Errorf("lag %d: found %d with %.3f", -lag, got, peak)
		}
	}
	if peak, lag := Correlate(a, a[3_000:8_000]); lag != -3_000 || peak < 0.999 {
		t.Errorf("a piece: lag %d with %.3f", lag, peak)
	}
	other := make([]int16, len(a))
	for i := range other {
		other[i] = int16(rnd.IntN(20000) - 10000)
	}
	if peak, _ := Correlate(a, other); peak > 0.1 {
		t.Errorf("other noise is like it: %.3f", peak)
	}
	for _, silent := range [][]int16{nil, make([]int16, 100)} {
		if peak, lag := Correlate(a, silent); peak != 0 || lag != 0 {
			t.Errorf("silence: %v, %d", peak, lag)
		}
	}
	if peak, lag := Correlate([]int16{5}, []int16{9}); math.Abs(peak-1) > 1e-9 || lag != 0 {
		t.Errorf("one sample: %v, %d", peak, lag)
	}
}

func TestMeasuresOfNothing(t *testing.T) {
	if Goertzel(nil, 8000, 1000) != 0 || Level(nil) != 0 {
		t.Error("nothing has a level")
	}
}

func BenchmarkRingbackFrame(b *testing.B) {
	p, _ := Ringback("us")
	src, frame := p.Source(8000), make([]int16, media.FrameLen(8000))
	for b.Loop() {
		src.ReadFrame(frame)
	}
}

func BenchmarkCorrelateTenSeconds(b *testing.B) {
	pcm := Sine(440, 10*time.Second).Clip(8000).PCM()
	for b.Loop() {
		Correlate(pcm, pcm)
	}
}
