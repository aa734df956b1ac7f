package codec

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/zaf/g711"
)

func TestEncodeIsBitIdenticalToTheReference(t *testing.T) {
	pcm := make([]int16, 1<<16)
	for i := range pcm {
		pcm[i] = int16(uint16(i))
	}
	got := make([]byte, len(pcm))
	for _, c := range []struct {
		codec Codec
		want  func(int16) uint8
	}{{PCMU, g711.EncodeUlawFrame}, {PCMA, g711.EncodeAlawFrame}} {
		if n, err := c.codec.NewEncoder().Encode(got, pcm); n != len(pcm) || err != nil {
			t.Fatalf("%s: Encode = %d, %v", c.codec.Name(), n, err)
		}
		for i, s := range pcm {
			if want := c.want(s); got[i] != want {
				t.Fatalf("%s: sample %d gives %#x, want %#x", c.codec.Name(), s, got[i], want)
			}
		}
	}
}

func TestDecodeIsBitIdenticalToTheReference(t *testing.T) {
	payload := allBytes()
	got := make([]int16, 256)
	for _, c := range []struct {
		codec Codec
		want  func(uint8) int16
	}{{PCMU, g711.DecodeUlawFrame}, {PCMA, g711.DecodeAlawFrame}} {
		if n, err := c.codec.NewDecoder().Decode(got, payload); n != 256 || err != nil {
			t.Fatalf("%s: Decode = %d, %v", c.codec.Name(), n, err)
		}
		for i, b := range payload {
			if want := c.want(b); got[i] != want {
				t.Fatalf("%s: byte %#x gives %d, want %d", c.codec.Name(), b, got[i], want)
			}
		}
	}
}

func TestTableEqualsDecodingAndEncoding(t *testing.T) {
	for _, pair := range [][2]Codec{{PCMU, PCMA}, {PCMA, PCMU}} {
		table, ok := Table(pair[0], pair[1])
		if !ok {
			t.Fatalf("no table from %s to %s", pair[0].Name(), pair[1].Name())
		}
		got := allBytes()
		if n := Translate(got, got, table); n != 256 {
			t.Fatalf("Translate = %d, want 256", n)
		}
		pcm, want := make([]int16, 256), make([]byte, 256)
		if _, err := pair[0].NewDecoder().Decode(pcm, allBytes()); err != nil {
			t.Fatal(err)
		}
		if _, err := pair[1].NewEncoder().Encode(want, pcm); err != nil {
			t.Fatal(err)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%s %#x gives %s %#x, want %#x", pair[0].Name(), i, pair[1].Name(), got[i], want[i])
			}
		}
	}
	if _, ok := Table(PCMU, PCMU); ok {
		t.Error("there is a table from PCMU to itself")
	}
}

func TestCodecFacts(t *testing.T) {
	for _, c := range []struct {
		codec Codec
		name  string
		pt    uint8
	}{{PCMU, "PCMU", 0}, {PCMA, "PCMA", 8}} {
		if c.codec.Name() != c.name || c.codec.PayloadType() != c.pt || c.codec.ClockRate() != 8000 || c.codec.SampleRate() != 8000 {
			t.Errorf("%s: type %d, clock %d, rate %d", c.codec.Name(), c.codec.PayloadType(), c.codec.ClockRate(), c.codec.SampleRate())
		}
	}
	for name, want := range map[string]Codec{"PCMU": PCMU, "pcma": PCMA, "G729": nil, "": nil} {
		if got, ok := ByName(name); got != want || ok != (want != nil) {
			t.Errorf("ByName(%q) = %v, %v, want %v", name, got, ok, want)
		}
	}
}

func TestShortBufferIsRefused(t *testing.T) {
	for _, c := range []Codec{PCMU, PCMA} {
		if n, err := c.NewEncoder().Encode(make([]byte, 159), make([]int16, 160)); n != 0 || !errors.Is(err, ErrShortBuffer) {
			t.Errorf("%s: Encode = %d, %v", c.Name(), n, err)
		}
		if n, err := c.NewDecoder().Decode(make([]int16, 159), make([]byte, 160)); n != 0 || !errors.Is(err, ErrShortBuffer) {
			t.Errorf("%s: Decode = %d, %v", c.Name(), n, err)
		}
	}
}

func TestNothingAllocates(t *testing.T) {
	table, _ := Table(PCMU, PCMA)
	for _, c := range []Codec{PCMU, PCMA} {
		enc, dec := c.NewEncoder(), c.NewDecoder()
		pcm, payload := sine(160, 0, 300, 8000), make([]byte, 160)
		if n := testing.AllocsPerRun(100, func() {
			enc.Encode(payload, pcm)
			dec.Decode(pcm, payload)
			dec.Conceal(pcm)
			dec.Decode(pcm, payload)
			Translate(payload, payload, table)
		}); n != 0 {
			t.Errorf("%s: %v allocations a frame", c.Name(), n)
		}
	}
}

func TestConcealBeforeAnythingIsSilence(t *testing.T) {
	pcm := sine(160, 0, 300, 8000)
	if n := PCMU.NewDecoder().Conceal(pcm); n != 160 {
		t.Fatalf("Conceal = %d, want 160", n)
	}
	for i, s := range pcm {
		if s != 0 {
			t.Fatalf("sample %d is %d, want silence", i, s)
		}
	}
}

// A voiced sound goes on at its pitch, fades, and comes back, without a step that is
// larger than those of the sound itself.
func TestLossIsConcealedWithoutClicks(t *testing.T) {
	for _, hz := range []float64{90, 131, 187, 300, 440} {
		for _, lost := range []int{1, 2, 3, 6} {
			t.Run(fmt.Sprintf("%v Hz, %d lost", hz, lost), func(t *testing.T) {
				const frames = 16
				enc, dec := PCMA.NewEncoder(), PCMA.NewDecoder()
				in := sine(frames*160, 0, hz, 10000)
				out := make([]int16, len(in))
				payload := make([]byte, 160)
				for f := range frames {
					dst := out[f*160 : (f+1)*160]
					if f >= 5 && f < 5+lost {
						dec.Conceal(dst)
						continue
					}
					enc.Encode(payload, in[f*160:(f+1)*160])
					dec.Decode(dst, payload)
				}
				// The steepest step of the sound, plus the coarse steps of A-law at this
				// level, plus what blending two phases can add.
				most := 2*10000*math.Pi*hz/8000*1.5 + 1200
				for i := 1; i < len(out); i++ {
					if step := math.Abs(float64(out[i]) - float64(out[i-1])); step > most {
						t.Fatalf("a click at sample %d: %v, at most %v", i, step, most)
					}
				}
				if e := energyOf(out[5*160:6*160]) / energyOf(in[5*160:6*160]); e < 0.4 || e > 1.2 {
					t.Errorf("the first lost frame has %.2f of the energy", e)
				}
				if lost == 6 && energyOf(out[8*160:11*160]) != 0 {
					t.Errorf("60 ms into a loss there is still sound")
				}
				if e := energyOf(out[(6+lost)*160:]) / energyOf(in[(6+lost)*160:]); e < 0.98 || e > 1.02 {
					t.Errorf("after the loss there is %.2f of the energy", e)
				}
			})
		}
	}
}

// What fills a gap in a voice is like what was lost: it goes on at the voice's pitch.
func TestLostVoiceGoesOnAtItsPitch(t *testing.T) {
	for _, period := range []int{41, 57, 80, 99, 119} {
		voice := make([]int16, 7*160) // pulses that ring, as of a larynx
		for i := range voice {
			at := float64(i % period)
			voice[i] = int16(12000 * math.Exp(-at/15) * math.Sin(2*math.Pi*at*700/8000))
		}
		enc, dec := PCMA.NewEncoder(), PCMA.NewDecoder()
		payload, pcm := make([]byte, 160), make([]int16, 160)
		for f := range 6 {
			enc.Encode(payload, voice[f*160:(f+1)*160])
			dec.Decode(pcm, payload)
		}
		dec.Conceal(pcm)
		lost := voice[6*160:]
		var dot float64
		for i, s := range pcm {
			dot += float64(s) * float64(lost[i])
		}
		if like := dot / math.Sqrt(energyOf(pcm)*energyOf(lost)); like < 0.95 {
			t.Errorf("a period of %d samples: the concealed frame is like the lost one by %.2f", period, like)
		}
	}
}

func TestOddFramesAreConcealed(t *testing.T) {
	d := PCMU.NewDecoder()
	pcm := make([]int16, 2000)
	for _, n := range []int{0, 1, 39, 80, 281, 282, 480, 2000} {
		if got, err := d.Decode(pcm, make([]byte, n)); got != n || err != nil {
			t.Errorf("Decode of %d bytes = %d, %v", n, got, err)
		}
		if got := d.Conceal(pcm[:n]); got != n {
			t.Errorf("Conceal of %d samples = %d", n, got)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, c := range []Codec{PCMU, PCMA} {
		b.Run(c.Name(), func(b *testing.B) {
			enc, pcm, payload := c.NewEncoder(), sine(160, 0, 300, 8000), make([]byte, 160)
			b.SetBytes(160)
			b.ReportAllocs()
			for b.Loop() {
				enc.Encode(payload, pcm)
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, c := range []Codec{PCMU, PCMA} {
		b.Run(c.Name(), func(b *testing.B) {
			dec, pcm, payload := c.NewDecoder(), make([]int16, 160), allBytes()[:160]
			b.SetBytes(160)
			b.ReportAllocs()
			for b.Loop() {
				dec.Decode(pcm, payload)
			}
		})
	}
}

func BenchmarkTranslate(b *testing.B) {
	table, _ := Table(PCMU, PCMA)
	payload := allBytes()[:160]
	b.SetBytes(160)
	for b.Loop() {
		Translate(payload, payload, table)
	}
}

func BenchmarkConcealOneOfTen(b *testing.B) {
	dec, enc := PCMU.NewDecoder(), PCMU.NewEncoder()
	pcm, payload := sine(160, 0, 131, 8000), make([]byte, 160)
	enc.Encode(payload, pcm)
	for b.Loop() {
		for range 9 {
			dec.Decode(pcm, payload)
		}
		dec.Conceal(pcm)
	}
}

func allBytes() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

func sine(n, from int, hz, amplitude float64) []int16 {
	pcm := make([]int16, n)
	for i := range pcm {
		pcm[i] = int16(amplitude * math.Sin(2*math.Pi*hz*float64(from+i)/8000))
	}
	return pcm
}

func energyOf(pcm []int16) (e float64) {
	for _, s := range pcm {
		e += float64(s) * float64(s)
	}
	return e
}
