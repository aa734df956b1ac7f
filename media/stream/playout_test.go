package stream

import (
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

// played reads n frames.
func played(t *testing.T, p *playout, n int) (pcm []int16) {
	t.Helper()
	frame := make([]int16, 160)
	for range n {
		k, err := p.ReadFrame(frame)
		if err != nil {
			t.Fatal(err)
		}
		pcm = append(pcm, frame[:k]...)
	}
	return pcm
}

// marksDue are the names of the marks that are due, with a ! after those whose sound was dropped.
func marksDue(p *playout) (names []string) {
	for {
		m, ok := p.due()
		if !ok {
			return names
		}
		if m.cleared {
			m.name += "!"
		}
		names = append(names, m.name)
	}
}

func TestPlayoutPlaysPiecesOfAnyLength(t *testing.T) {
	p := newPlayout(8000, time.Minute, make(chan struct{}, 1))
	var want []int16
	for i := range 100 {
		pcm := filled(1+i*7%501, int16(i))
		want = append(want, pcm...)
		p.put(pcm)
	}
	if got := played(t, p, len(want)/160+1); !slices.Equal(got, want) {
		t.Errorf("%d samples, want %d", len(got), len(want))
	}
	if !p.idle() {
		t.Error("it is not idle")
	}
}

func TestPlayoutTellsMarksWhenTheyAreReached(t *testing.T) {
	p := newPlayout(8000, time.Minute, make(chan struct{}, 1))
	p.mark("first", 0)
	if got := marksDue(p); !slices.Equal(got, []string{"first"}) {
		t.Errorf("with nothing before it: %q", got)
	}
	p.put(filled(320, 1))
	p.mark("a", 0)
	p.mark("b", 0)
	p.put(filled(160, 1))
	p.mark("c", 0)
	played(t, p, 1)
	if got := marksDue(p); got != nil {
		t.Errorf("too early: %q", got)
	}
	<-p.wake // of the marks
	played(t, p, 1)
	select {
	case <-p.wake:
	default:
		t.Error("nobody is woken for a mark that was reached")
	}
	if got := marksDue(p); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("at their place: %q", got)
	}
	p.clear()
	if got := marksDue(p); !slices.Equal(got, []string{"c!"}) {
		t.Errorf("after a clear: %q", got)
	}
	p.put(filled(160, 1))
	p.mark("d", 0)
	p.cutMarks()
	if got := marksDue(p); !slices.Equal(got, []string{"d!"}) || len(played(t, p, 1)) != 160 {
		t.Errorf("marks alone are cleared: %q", got)
	}
	for range maxMarks {
		p.put(filled(1, 1))
		if !p.mark("x", 0) {
			t.Fatal("a mark is refused")
		}
	}
	if p.mark("x", 0) {
		t.Error("there is no end of marks")
	}
}

func TestPlayoutClearFadesAndDrops(t *testing.T) {
	p := newPlayout(8000, time.Hour, make(chan struct{}, 1))
	p.put(filled(8000, 10000))
	played(t, p, 10)
	p.clear()
	p.put(filled(160, 7))
	got := played(t, p, 1)
	if len(got) != 160 || got[0] > 10000 || got[0] < 9000 || got[fadeSamples-1] != 0 || got[fadeSamples] != 7 {
		t.Errorf("after a clear: %v", got[:fadeSamples+2])
	}
	if got := played(t, p, 2); len(got) != fadeSamples || got[0] != 7 {
		t.Errorf("then %d samples", len(got))
	}
	// What was never heard is not faded either.
	for range 5 {
		played(t, p, 1)
	}
	p.put(filled(8000, 10000))
	p.clear()
	if got := played(t, p, 1); len(got) != 0 {
		t.Errorf("%d samples of what was cleared before it was heard", len(got))
	}
}

func TestPlayoutIsBounded(t *testing.T) {
	p := newPlayout(8000, time.Second, make(chan struct{}, 1))
	if d := p.put(filled(10000, 1)); d != 2000 || p.dropped.Load() != 2000 {
		t.Errorf("%d samples dropped", d)
	}
	played(t, p, 1)
	if d := p.put(filled(200, 1)); d != 40 {
		t.Errorf("%d samples dropped after a frame", d)
	}
}

func TestPlayoutEndsAfterALongSilence(t *testing.T) {
	p := newPlayout(8000, time.Second, make(chan struct{}, 1))
	p.put(filled(160, 1))
	played(t, p, 1)
	frame, n := make([]int16, 160), 0
	for {
		k, err := p.ReadFrame(frame)
		if err == io.EOF {
			break
		}
		if n++; k != 0 || err != nil || n > 100 {
			t.Fatalf("%d samples, %v, after %d frames", k, err, n)
		}
	}
	if n < 20 || n > 30 {
		t.Errorf("it ends after %d frames of silence", n)
	}
	p.put(filled(160, 2))
	if got := played(t, p, 1); len(got) != 160 || got[0] != 2 {
		t.Error("nothing more is heard after that")
	}
}

// TestPlayoutBesideItsWriter is for the race detector: all that was put is played or dropped by a clear, in order.
func TestPlayoutBesideItsWriter(t *testing.T) {
	p := newPlayout(8000, time.Hour, make(chan struct{}, 1))
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		defer close(done)
		r := rand.New(rand.NewPCG(1, 2))
		for range 3000 {
			p.put(filled(1+r.IntN(400), 5))
			if r.IntN(20) == 0 {
				p.mark("m", 0)
				p.clear()
			}
		}
	})
	frame := make([]int16, 160)
	for over := false; !over || !p.idle(); {
		select {
		case <-done:
			over = true
		default:
		}
		_, _ = p.ReadFrame(frame)
		marksDue(p)
	}
	wg.Wait()
	if p.passed() != p.written.Load() {
		t.Errorf("%d of %d samples", p.passed(), p.written.Load())
	}
}
