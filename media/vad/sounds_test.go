package vad_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/callbin/callbin/media/tone"
	"github.com/callbin/callbin/media/wav"
)

const rate = 8000

// voices are the prompts of examples/server: synthetic voices of twelve languages, both genders, 8 kHz.
func voices(t testing.TB) [][]int16 {
	t.Helper()
	names, err := filepath.Glob("../../examples/server/speech/*.wav")
	if err != nil || len(names) < 10 {
		t.Fatalf("the prompts of examples/server are not there: %v", err)
	}
	var all [][]int16
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		clip, err := wav.Decode(bytes.NewReader(b), wav.Limits{})
		if err != nil || clip.Rate() != rate {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, clip.PCM())
	}
	return all
}

// sounded are the samples that hold speech: frames within 35 dB of the loudest one, with gaps of less than gap samples.
func sounded(pcm []int16, gap int) (spans [][2]int) {
	const frame = rate / 50
	most := 0.0
	for i := 0; i+frame <= len(pcm); i += frame {
		most = max(most, tone.Level(pcm[i:i+frame]))
	}
	for i := 0; i+frame <= len(pcm); i += frame {
		if tone.Level(pcm[i:i+frame]) < most*0.018 {
			continue
		}
		if n := len(spans); n > 0 && i-spans[n-1][1] < gap {
			spans[n-1][1] = i + frame
		} else {
			spans = append(spans, [2]int{i, i + frame})
		}
	}
	return spans
}

// level is the root mean square of the frames that hold speech.
func level(pcm []int16) float64 {
	sum, n := 0.0, 0
	for _, s := range sounded(pcm, 0) {
		for _, v := range pcm[s[0]:s[1]] {
			sum += float64(v) * float64(v)
			n++
		}
	}
	return math.Sqrt(sum / float64(n))
}

// scaled brings speech to db of full scale.
func scaled(pcm []int16, db float64) []int16 {
	f := 32768 * math.Pow(10, db/20) / level(pcm)
	out := make([]int16, len(pcm))
	for i, v := range pcm {
		out[i] = clip(float64(v) * f)
	}
	return out
}

func clip(v float64) int16 { return int16(max(-32768, min(32767, math.Round(v)))) }

func mixed(a, b []int16) []int16 {
	out := make([]int16, len(a))
	for i := range a {
		out[i] = clip(float64(a[i]) + float64(b[i]))
	}
	return out
}

// white is noise of db of full scale.
func white(n int, db float64, r *rand.Rand) []int16 {
	out := make([]int16, n)
	for i := range out {
		out[i] = clip(32768 * math.Pow(10, db/20) * r.NormFloat64())
	}
	return out
}

// pink has the same power in each octave, as a street or a fan.
func pink(n int, db float64, r *rand.Rand) []int16 {
	var b [3]float64
	x, sum := make([]float64, n), 0.0
	for i := range x { // Kellet's filter
		w := r.NormFloat64()
		b[0] = 0.99765*b[0] + w*0.0990460
		b[1] = 0.96300*b[1] + w*0.2965164
		b[2] = 0.57000*b[2] + w*1.0526913
		x[i] = b[0] + b[1] + b[2] + w*0.1848
		sum += x[i] * x[i]
	}
	f := 32768 * math.Pow(10, db/20) / math.Sqrt(sum/float64(n))
	out := make([]int16, n)
	for i := range x {
		out[i] = clip(x[i] * f)
	}
	return out
}

// hum is that of the mains, with harmonics that fall by 6 dB each.
func hum(n int, db, hz float64) []int16 {
	out := make([]int16, n)
	for i := range out {
		v, a := 0.0, 1.0
		for k := 1.0; k <= 10; k++ {
			v += a * math.Sin(2*math.Pi*hz*k*float64(i)/rate)
			a /= 2
		}
		out[i] = clip(32768 * math.Pow(10, db/20) * math.Sqrt2 * v)
	}
	return out
}

// music is a slow melody of plucked notes with harmonics, each with a fifth.
func music(n int, db float64) []int16 {
	notes := []float64{262, 330, 392, 523, 440, 349, 294, 392}
	out := make([]int16, n)
	for i := range out {
		at := float64(i%4000) / rate
		hz := notes[i/4000%len(notes)]
		v := 0.0
		for k := 1.0; k <= 6; k++ {
			v += (math.Sin(2*math.Pi*hz*k*at) + 0.6*math.Sin(3*math.Pi*hz*k*at)) / k
		}
		out[i] = clip(32768 * math.Pow(10, db/20) * v * math.Exp(-3*at))
	}
	return out
}

// up2 is pcm at 16 kHz.
func up2(pcm []int16) []int16 {
	out := make([]int16, 2*len(pcm))
	for i, v := range pcm {
		next := v
		if i+1 < len(pcm) {
			next = pcm[i+1]
		}
		out[2*i], out[2*i+1] = v, int16((int(v)+int(next))/2)
	}
	return out
}

// readPrompt is one sentence.
func readPrompt() ([]byte, error) {
	return os.ReadFile("../../examples/server/speech/a9976faafbb1deac1ece57c04d292add15bfa9d43e47c9a0ba8319114d99104b.wav")
}
