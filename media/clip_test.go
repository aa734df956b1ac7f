package media

import (
	"errors"
	"io"
	"sync"
	"testing"
	"time"
)

// lowBytes makes a codec whose payload is the low byte of each sample.
func lowBytes() EncodeFunc {
	return func(dst []byte, pcm []int16) (int, error) {
		for i, s := range pcm {
			dst[i] = byte(s)
		}
		return len(pcm), nil
	}
}

func counting(n int) []int16 {
	pcm := make([]int16, n)
	for i := range pcm {
		pcm[i] = int16(i)
	}
	return pcm
}

func TestClipFacts(t *testing.T) {
	c := NewClip(16000, counting(24000))
	if c.Rate() != 16000 || c.Duration() != 1500*time.Millisecond || len(c.PCM()) != 24000 {
		t.Errorf("%d Hz, %v, %d samples", c.Rate(), c.Duration(), len(c.PCM()))
	}
	for _, rate := range []int{0, -8000, 1 << 30} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a clip of %d Hz", rate)
				}
			}()
			NewClip(rate, nil)
		}()
	}
}

func TestSourcesOfAClipAreIndependent(t *testing.T) {
	c := NewClip(8000, counting(400))
	a, b := c.Source(), c.Source()
	buf := make([]int16, 1000)
	for i, want := range []int{160, 160, 80} {
		n, err := a.ReadFrame(buf)
		if n != want || (err == io.EOF) != (i == 2) || buf[0] != int16(i*160) {
			t.Fatalf("frame %d: %d, %v, begins with %d", i, n, err, buf[0])
		}
	}
	if n, err := a.ReadFrame(buf); n != 0 || err != io.EOF {
		t.Errorf("after the end: %d, %v", n, err)
	}
	if n, err := b.ReadFrame(buf[:10]); n != 10 || err != nil || buf[0] != 0 {
		t.Errorf("the other one: %d, %v, begins with %d", n, err, buf[0])
	}
	if n, err := NewClip(8000, nil).Source().ReadFrame(buf); n != 0 || err != io.EOF {
		t.Errorf("an empty one: %d, %v", n, err)
	}
}

func TestClipAtIsComputedOnce(t *testing.T) {
	c := NewClip(48000, sineAt(48000, 48000, 1000, 8000))
	same, err := c.At(48000)
	if err != nil || same != c {
		t.Errorf("its own rate: %p, %v", same, err)
	}
	clips := make([]*Clip, 8)
	var wg sync.WaitGroup
	for i := range clips {
		wg.Go(func() {
			var err error
			if clips[i], err = c.At(8000); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, at := range clips {
		if at != clips[0] || at.Rate() != 8000 || at.Duration() != time.Second {
			t.Errorf("%p, %d Hz, %v", at, at.Rate(), at.Duration())
		}
	}
	for rate := 8000; rate < 8020; rate++ { // more than are kept
		if at, err := c.At(rate); err == nil && at.Rate() != rate {
			t.Errorf("%d Hz: %d", rate, at.Rate())
		}
	}
	if len(c.at) > maxVariants {
		t.Errorf("%d variants are kept", len(c.at))
	}
}

func TestEncodedFrames(t *testing.T) {
	c := NewClip(8000, counting(400))
	encoders := 0
	prepare := func(s Source) EncodedSource {
		e := s.(EncodedSource)
		if err := e.PrepareEncoded("LOW", 8000, func() EncodeFunc { encoders++; return lowBytes() }); err != nil {
			t.Fatal(err)
		}
		return e
	}
	a, b := prepare(c.Source()), prepare(c.Source())
	if encoders != 1 {
		t.Errorf("encoded %d times", encoders)
	}
	for i := range 3 {
		p, err := a.NextEncoded()
		if len(p) != 160 || cap(p) != 160 || err != nil || p[0] != byte(i*160) {
			t.Fatalf("frame %d: %d bytes, %v", i, len(p), err)
		}
		if i == 2 && (p[79] == 0 || p[80] != 0 || p[159] != 0) {
			t.Errorf("the last frame is not filled up with silence")
		}
	}
	if p, err := a.NextEncoded(); p != nil || err != io.EOF {
		t.Errorf("after the end: %v, %v", p, err)
	}
	// From one way of reading to the other, and back.
	buf := make([]int16, 160)
	if p, err := b.NextEncoded(); err != nil || p[0] != 0 {
		t.Errorf("first: %v", err)
	}
	if n, err := b.ReadFrame(buf); n != 160 || err != nil || buf[0] != 160 {
		t.Errorf("second: %d, %v, begins with %d", n, err, buf[0])
	}
	if p, err := b.NextEncoded(); err != nil || p[0] != byte(64) { // 320
		t.Errorf("third: %v, %v", p, err)
	}
	if n, err := b.ReadFrame(buf); n != 0 || err != io.EOF {
		t.Errorf("end: %d, %v", n, err)
	}
	third := prepare(c.Source())
	if a := testing.AllocsPerRun(100, func() { third.NextEncoded() }); a != 0 {
		t.Errorf("%v allocations a frame", a)
	}
}

func TestEncodedAtAnotherRateHasTheSameLength(t *testing.T) {
	for _, rate := range []int{11025, 16000, 44100, 48000} {
		c := NewClip(rate, sineAt(rate, rate, 440, 8000))
		s := c.Source().(EncodedSource)
		if err := s.PrepareEncoded("LOW", 8000, lowBytes); err != nil {
			t.Fatal(err)
		}
		frames := 0
		for {
			_, err := s.NextEncoded()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			frames++
		}
		if frames != 50 {
			t.Errorf("%d Hz: %d frames, want 50", rate, frames)
		}
	}
}

func TestEncodingErrors(t *testing.T) {
	s := NewClip(8000, counting(200)).Source().(EncodedSource)
	if _, err := s.NextEncoded(); !errors.Is(err, ErrNotPrepared) {
		t.Errorf("unprepared: %v", err)
	}
	broken := errors.New("no licence")
	err := s.PrepareEncoded("G729", 8000, func() EncodeFunc {
		return func([]byte, []int16) (int, error) { return 0, broken }
	})
	if !errors.Is(err, broken) || err.Error() != "media: encode clip as G729: frame 0: no licence" {
		t.Errorf("a failing encoder: %v", err)
	}
	for _, rate := range []int{0, 44099} {
		if err := s.PrepareEncoded("X", rate, lowBytes); !errors.Is(err, ErrRate) {
			t.Errorf("rate %d: %v", rate, err)
		}
	}
	if _, err := s.NextEncoded(); !errors.Is(err, ErrNotPrepared) {
		t.Errorf("still unprepared: %v", err)
	}
}

func TestManyPlayersEncodeOnce(t *testing.T) {
	c := NewClip(16000, sineAt(16000, 16000, 440, 8000))
	var mu sync.Mutex
	encoders := 0
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			s := c.Source().(EncodedSource)
			if err := s.PrepareEncoded("LOW", 8000, func() EncodeFunc {
				mu.Lock()
				defer mu.Unlock()
				encoders++
				return lowBytes()
			}); err != nil {
				t.Error(err)
			}
			for range 50 {
				if _, err := s.NextEncoded(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if encoders != 1 {
		t.Errorf("encoded %d times", encoders)
	}
}

func BenchmarkNextEncoded(b *testing.B) {
	c := NewClip(8000, counting(80000))
	s := c.Source().(*clipSource)
	if err := s.PrepareEncoded("LOW", 8000, lowBytes); err != nil {
		b.Fatal(err)
	}
	out := make([]byte, 160)
	for b.Loop() {
		p, err := s.NextEncoded()
		if err == io.EOF {
			s.pos = 0
		}
		copy(out, p)
	}
}
