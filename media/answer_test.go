package media

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// speech is what a voice sounds like to a detector of energy: harmonics of a pitch that moves, in syllables of a fifth of a second.
func speech(d time.Duration, r *rand.Rand) []int16 {
	pcm := make([]int16, int(d.Seconds()*8000))
	phase, pitch := 0.0, 110.0
	for i := range pcm {
		if i%400 == 0 {
			pitch += r.Float64()*20 - 10
			pitch = min(max(pitch, 80), 220)
		}
		phase += 2 * math.Pi * pitch / 8000
		v := 0.0
		for k := 1; k < 12; k++ {
			v += math.Sin(float64(k)*phase) / float64(k)
		}
		envelope := 0.6 + 0.4*math.Sin(2*math.Pi*float64(i)/1600)
		pcm[i] = int16(4000*v*envelope + 100*(r.Float64()-0.5))
	}
	return pcm
}

func hush(d time.Duration, r *rand.Rand) []int16 {
	pcm := make([]int16, int(d.Seconds()*8000))
	for i := range pcm {
		pcm[i] = int16(80 * (r.Float64() - 0.5)) // a line is never quite silent
	}
	return pcm
}

func beep(hz float64, d time.Duration) []int16 {
	pcm := make([]int16, int(d.Seconds()*8000))
	for i := range pcm {
		pcm[i] = int16(6000 * math.Sin(2*math.Pi*hz*float64(i)/8000))
	}
	return pcm
}

func TestAnswerDetector(t *testing.T) {
	const ms = time.Millisecond
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		words := func(n int, word, pause time.Duration) (pcm []int16) {
			for range n {
				pcm = append(append(pcm, speech(word, r)...), hush(pause, r)...)
			}
			return pcm
		}
		for name, tc := range map[string]struct {
			pcm            []int16
			verdict, cause string
			least, most    time.Duration
		}{
			"hello":            {append(hush(600*ms, r), words(1, 500*ms, 2*time.Second)...), AnswerHuman, AnswerByPause, 1800 * ms, 2000 * ms},
			"hello, who?":      {append(hush(300*ms, r), words(2, 400*ms, 200*ms)...), AnswerHuman, AnswerByPause, 2100 * ms, 2400 * ms},
			"a greeting":       {append(hush(300*ms, r), speech(4*time.Second, r)...), AnswerMachine, AnswerByGreeting, 1700 * ms, 1900 * ms},
			"a greeting apart": {append(hush(300*ms, r), words(8, 250*ms, 150*ms)...), AnswerMachine, AnswerByWords, 1400 * ms, 2000 * ms},
			"nothing":          {nil, AnswerMachine, AnswerBySilence, 2500 * ms, 2500 * ms},
			"clicks":           {append(words(2, 40*ms, 300*ms), hush(5*time.Second, r)...), AnswerMachine, AnswerBySilence, 2400 * ms, 2600 * ms},
			"a beep":           {append(hush(700*ms, r), beep(1000, 500*ms)...), AnswerMachine, AnswerByBeep, 880 * ms, 940 * ms},
			"a low beep":       {append(hush(700*ms, r), beep(440, 500*ms)...), AnswerMachine, AnswerByBeep, 880 * ms, 940 * ms},
			"word and beep":    {append(words(1, 400*ms, 300*ms), beep(1400, 300*ms)...), AnswerMachine, AnswerByBeep, 880 * ms, 960 * ms},
			"late":             {append(hush(2400*ms, r), words(9, 120*ms, 700*ms)...), AnswerMachine, AnswerByWords, 4 * time.Second, 5 * time.Second},
		} {
			d := NewAnswerDetector(AnswerOptions{})
			pcm := append(tc.pcm, hush(6*time.Second, r)...)
			for n := uint64(7); len(pcm) >= 160; n++ {
				d.Tick(n, pcm[:160], nil)
				pcm = pcm[160:]
			}
			got := <-d.Found()
			if got.Verdict != tc.verdict || got.Cause != tc.cause || got.After < tc.least || got.After > tc.most {
				t.Errorf("seed %d: %s: %+v, want %s by %s after %v to %v", seed, name, got, tc.verdict, tc.cause, tc.least, tc.most)
			}
		}
	}
}

func TestAnswerDetectorIsNotSure(t *testing.T) {
	d := NewAnswerDetector(AnswerOptions{Total: time.Second})
	for n := range uint64(20) {
		d.Tick(n, nil, nil)
	}
	d.Tick(200, nil, nil) // the clock jumps
	if got := <-d.Found(); got.Verdict != AnswerNotSure || got.Cause != AnswerByTime {
		t.Errorf("%+v", got)
	}
}

func TestAnswerDetectorDoesNotAllocate(t *testing.T) {
	d := NewAnswerDetector(AnswerOptions{Total: math.MaxInt64, Greeting: math.MaxInt64, MaxWords: math.MaxInt})
	pcm := speech(FrameDuration, rand.New(rand.NewPCG(1, 1)))
	n := uint64(0)
	if a := testing.AllocsPerRun(1000, func() { d.Tick(n, pcm, nil); n++ }); a != 0 {
		t.Errorf("%v allocations a tick", a)
	}
}

func BenchmarkAnswerDetectorTick(b *testing.B) {
	d := NewAnswerDetector(AnswerOptions{Total: math.MaxInt64, Greeting: math.MaxInt64, MaxWords: math.MaxInt})
	pcm := speech(FrameDuration, rand.New(rand.NewPCG(1, 1)))
	b.ReportAllocs()
	n := uint64(0)
	for b.Loop() {
		d.Tick(n, pcm, nil)
		n++
	}
}
