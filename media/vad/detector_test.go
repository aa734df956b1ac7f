package vad_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/tone"
	"github.com/callbin/callbin/media/vad"
)

func detector(t testing.TB, cfg vad.Config) *vad.Detector {
	t.Helper()
	d, err := vad.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func events(d *vad.Detector, pcm []int16) (all []vad.Event) {
	size := media.FrameLen(d.Rate())
	for ; len(pcm) >= size; pcm = pcm[size:] {
		if e, ok := d.Frame(pcm[:size]); ok {
			all = append(all, e)
		}
	}
	return all
}

// quality is what a table of sounds shows.
type quality struct {
	speech, missed int // samples within speech, and those of them that were not found
	quiet, false   int // samples without, and those that were taken for speech
	onset, end     []time.Duration
	cut            int // utterances that were never found
}

// measure has the voices in noise that add makes, each between a second of nothing else, and compares with the clean sound.
func measure(t testing.TB, rateHz int, add func(n int, r *rand.Rand) []int16) (q quality) {
	r := rand.New(rand.NewPCG(7, 7))
	for _, voice := range voices(t) {
		clean := slices.Concat(make([]int16, rate), scaled(voice, -24), make([]int16, 2*rate))
		clean = clean[:len(clean)/160*160]
		heard := mixed(clean, add(len(clean), r))
		if rateHz == 16000 {
			heard = up2(heard)
		}
		d := detector(t, vad.Config{Rate: rateHz})
		factor := int64(rateHz / rate)
		found := make([]bool, len(clean))
		all := events(d, heard)
		truth := sounded(clean, rate/2) // with gaps of the hangover
		for i, e := range all {
			if e.Kind != vad.Started {
				continue
			}
			end := int64(len(clean))
			if i+1 < len(all) {
				end = all[i+1].At / factor
			}
			for k := e.At / factor; k < end; k++ {
				found[k] = true
			}
		}
		for _, s := range truth {
			hit := false
			for i, e := range all {
				at := int(e.Found / factor)
				if e.Kind == vad.Started && at > s[0] && at < s[1] && !hit {
					hit = true
					q.onset = append(q.onset, time.Duration(at-s[0])*time.Second/rate)
				}
				if e.Kind == vad.Ended && i > 0 && int(e.At/factor) > s[0] && at < s[1]+2*rate && at > s[1] {
					q.end = append(q.end, time.Duration(at-s[1])*time.Second/rate)
					break
				}
			}
			if !hit {
				q.cut++
			}
		}
		inside := make([]bool, len(clean))
		for _, s := range truth {
			for k := s[0]; k < s[1]; k++ {
				inside[k] = true
			}
		}
		for k := range clean {
			switch {
			case inside[k] && !found[k]:
				q.missed++
			case !inside[k] && found[k]:
				q.false++
			}
			if inside[k] {
				q.speech++
			} else {
				q.quiet++
			}
		}
	}
	return q
}

func share(a, b int) float64 { return 100 * float64(a) / float64(max(b, 1)) }

func most(d []time.Duration, part float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(d))
	return s[int(part*float64(len(s)-1))].Round(time.Millisecond)
}

func (q quality) String() string {
	return fmt.Sprintf("missed %4.1f %%  false %4.1f %%  lost %d of %d  onset p50 %v p90 %v  end p50 %v p90 %v",
		share(q.missed, q.speech), share(q.false, q.quiet), q.cut, q.cut+len(q.onset), most(q.onset, 0.5), most(q.onset, 0.9), most(q.end, 0.5), most(q.end, 0.9))
}

// TestVoices is the table of package vad's promises; -v prints it.
func TestVoices(t *testing.T) {
	noise := func(make func(int, float64, *rand.Rand) []int16, db float64) func(int, *rand.Rand) []int16 {
		return func(n int, r *rand.Rand) []int16 { return make(n, db, r) }
	}
	silence := func(n int, _ *rand.Rand) []int16 { return make([]int16, n) }
	humming := func(db float64) func(int, *rand.Rand) []int16 {
		return func(n int, _ *rand.Rand) []int16 { return hum(n, db, 50) }
	}
	for _, c := range []struct {
		name          string
		rate          int
		add           func(int, *rand.Rand) []int16
		missed, false float64 // per cent, at most
		onset         time.Duration
	}{
		{"silence", rate, silence, 3, 3, 120 * time.Millisecond},
		{"silence, 16 kHz", 16000, silence, 3, 3, 120 * time.Millisecond},
		{"line noise", rate, noise(white, -65), 3, 3, 120 * time.Millisecond},
		{"white, 30 dB", rate, noise(white, -54), 3, 3, 120 * time.Millisecond},
		{"white, 20 dB", rate, noise(white, -44), 4, 3, 140 * time.Millisecond},
		{"white, 20 dB, 16 kHz", 16000, noise(white, -44), 4, 3, 140 * time.Millisecond},
		{"white, 10 dB", rate, noise(white, -34), 6, 3, 160 * time.Millisecond},
		{"white, 5 dB", rate, noise(white, -29), 12, 3, 240 * time.Millisecond},
		{"white, 0 dB", rate, noise(white, -24), 35, 5, 500 * time.Millisecond},
		{"pink, 20 dB", rate, noise(pink, -44), 4, 3, 140 * time.Millisecond},
		{"pink, 10 dB", rate, noise(pink, -34), 6, 3, 160 * time.Millisecond},
		{"hum, 20 dB", rate, humming(-44), 4, 3, 140 * time.Millisecond},
		{"hum, 10 dB", rate, humming(-34), 6, 3, 160 * time.Millisecond},
	} {
		q := measure(t, c.rate, c.add)
		t.Logf("%-22s %v", c.name, q)
		if share(q.missed, q.speech) > c.missed || share(q.false, q.quiet) > c.false || most(q.onset, 0.5) > c.onset {
			t.Errorf("%s: %v; want at most %v %% missed, %v %% false, onset %v", c.name, q, c.missed, c.false, c.onset)
		}
	}
}

// TestNoSpeech has sounds without a voice, a minute each.
func TestNoSpeech(t *testing.T) {
	const n = 60 * rate
	r := rand.New(rand.NewPCG(3, 3))
	keys := func(on, off time.Duration) []int16 {
		p, err := tone.DTMF(strings.Repeat("1234567890*#ABCD", 10), on, off)
		if err != nil {
			t.Fatal(err)
		}
		return slices.Concat(make([]int16, rate), p.Clip(rate).PCM())
	}
	half := func(pcm []int16) []int16 { clear(pcm[:2*rate]); return pcm } // begins after 2 s
	for name, pcm := range map[string][]int16{
		"silence":            make([]int16, n),
		"line noise":         white(n, -60, r),
		"white":              white(n, -30, r),
		"white that begins":  half(white(n, -30, r)),
		"loud white":         white(n, -15, r),
		"pink":               pink(n, -25, r),
		"pink that begins":   half(pink(n, -25, r)),
		"hum":                hum(n, -25, 50),
		"hum of 60 Hz":       hum(n, -25, 60),
		"keys":               keys(100*time.Millisecond, 100*time.Millisecond),
		"short keys":         keys(50*time.Millisecond, 50*time.Millisecond),
		"long keys":          keys(400*time.Millisecond, 200*time.Millisecond),
		"keys in line noise": mixed(keys(100*time.Millisecond, 100*time.Millisecond), white(33*rate, -50, r)),
		"a beep":             slices.Concat(make([]int16, rate), tone.Sine(1000, time.Second).Clip(rate).PCM(), make([]int16, rate)),
		"clicks":             clicks(n, r),
	} {
		if got := events(detector(t, vad.Config{}), pcm); len(got) > 0 {
			t.Errorf("%s: %d events, the first at %.2f s", name, len(got), float64(got[0].At)/rate)
		}
	}
	for name, pcm := range map[string][]int16{"hum that begins": half(hum(n, -25, 50)), "music": music(n, -20)} { // see the caveats
		got := events(detector(t, vad.Config{}), pcm)
		sum := int64(0)
		for i, e := range got {
			if e.Kind == vad.Started {
				end := int64(len(pcm))
				if i+1 < len(got) {
					end = got[i+1].At
				}
				sum += end - e.At
			}
		}
		t.Logf("%s: %d events, %.1f s of 60 s taken for speech", name, len(got), float64(sum)/rate)
	}
}

func clicks(n int, r *rand.Rand) []int16 {
	out := make([]int16, n)
	for i := 0; i < n; i += 400 + r.IntN(8000) {
		out[i] = 20000
	}
	return out
}

// TestDetectorTimes has one voice with the times of the config.
func TestDetectorTimes(t *testing.T) {
	voice := scaled(voices(t)[0], -20)
	span := sounded(voice, rate)
	pcm := slices.Concat(make([]int16, rate), voice[span[0][0]:span[0][1]], make([]int16, 3*rate))
	begin, end := int64(rate), int64(rate+span[0][1]-span[0][0])
	for _, hangover := range []time.Duration{300 * time.Millisecond, time.Second, 2 * time.Second} {
		got := events(detector(t, vad.Config{Hangover: hangover}), pcm)
		if len(got) < 2 || got[0].Kind != vad.Started || got[len(got)-1].Kind != vad.Ended {
			t.Fatalf("hangover %v: %v", hangover, got)
		}
		first, last := got[0], got[len(got)-1]
		if first.At < begin-480 || first.At > begin+640 || last.At < end-1600 || last.At > end+640 {
			t.Errorf("hangover %v: speech of %d to %d was found at %d to %d", hangover, begin, end, first.At, last.At)
		}
		if wait := last.Found - last.At; wait != int64(hangover*rate/time.Second) {
			t.Errorf("hangover %v: the end was told after %d samples", hangover, wait)
		}
	}
	quick, slow := events(detector(t, vad.Config{Attack: 20 * time.Millisecond}), pcm), events(detector(t, vad.Config{Attack: 160 * time.Millisecond}), pcm)
	if d := slow[0].Found - quick[0].Found; d < 1120 {
		t.Errorf("an attack of 160 ms takes %d samples more than one of 20 ms", d)
	}
	if got := events(detector(t, vad.Config{Level: -10}), pcm); len(got) > 0 {
		t.Errorf("a voice at -20 dB passes a level of -10 dB: %v", got)
	}
}

func TestNewDetectorRefuses(t *testing.T) {
	for _, rateHz := range []int{-8000, 1, 4000, 11025, 44100, 96000} {
		if _, err := vad.New(vad.Config{Rate: rateHz}); err == nil {
			t.Errorf("%d Hz is taken", rateHz)
		}
	}
}

func TestFrameDoesNotAllocate(t *testing.T) {
	pcm := slices.Concat(voices(t)...)
	d := detector(t, vad.Config{})
	at := 0
	if a := testing.AllocsPerRun(5000, func() {
		d.Frame(pcm[at : at+160])
		at = (at + 160) % (len(pcm) - 160)
	}); a != 0 {
		t.Errorf("%v allocations a frame", a)
	}
}

// FuzzDetector has any frames of any lengths: events alternate, their places grow, and the same sound gives the same.
func FuzzDetector(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, pcm := range [][]int16{voices(f)[0][:4000], white(4000, -20, r), music(4000, -10)} {
		b := make([]byte, 0, 2*len(pcm))
		for _, v := range pcm {
			b = append(b, byte(v), byte(v>>8))
		}
		f.Add(b, uint8(1), uint8(0))
	}
	f.Add([]byte{0, 128, 255, 127}, uint8(2), uint8(160))
	f.Fuzz(func(t *testing.T, b []byte, factor, short uint8) {
		rateHz := rate * []int{1, 2, 3, 4, 6}[factor%5]
		run := func() (all []vad.Event) {
			d := detector(t, vad.Config{Rate: rateHz, Attack: 20 * time.Millisecond, Hangover: 20 * time.Millisecond, Level: -90, Margin: 1})
			size := max(1, media.FrameLen(rateHz)+40-int(short))
			frame := make([]int16, size)
			for i := 0; i+2*size <= min(len(b), 400*size); i += 2 * size { // of small frames not too many
				for k := range frame {
					frame[k] = int16(uint16(b[i+2*k]) | uint16(b[i+2*k+1])<<8)
				}
				if e, ok := d.Frame(frame); ok {
					all = append(all, e)
				}
				if e, ok := d.Frame(nil); ok {
					all = append(all, e)
				}
			}
			return all
		}
		all := run()
		for i, e := range all {
			if want := vad.Started + vad.Kind(i%2); e.Kind != want || e.At >= e.Found || e.At < 0 || i > 0 && (e.At < all[i-1].At || e.Found <= all[i-1].Found) {
				t.Fatalf("event %d of %v", i, all)
			}
		}
		if again := run(); !slices.Equal(all, again) {
			t.Fatalf("%v, then %v", all, again)
		}
	})
}

func BenchmarkFrame(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	for name, pcm := range map[string][]int16{"speech": slices.Concat(voices(b)...), "silence": make([]int16, 16000), "noise": white(16000, -30, r)} {
		b.Run(name, func(b *testing.B) {
			d := detector(b, vad.Config{})
			at := 0
			b.ReportAllocs()
			for b.Loop() {
				d.Frame(pcm[at : at+160])
				at = (at + 160) % (len(pcm) - 160)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())*50/float64(b.N), "us/call-second")
		})
	}
}
