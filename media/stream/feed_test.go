package stream

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/callbin/callbin/media"
)

func filled(n int, v int16) []int16 { return slices.Repeat([]int16{v}, n) }

func TestFeedKeepsFramesInOrderAroundItsEnd(t *testing.T) {
	f := newFeed(2000, media.Both, make(chan struct{}, 1))
	f.begin()
	var fr frame
	for n := range uint64(1000) {
		size := 160
		if n%3 == 0 {
			size = 320 // the port's rate may change
		}
		number := n | 5<<40
		f.Tick(number, filled(size, int16(n)), filled(size, -int16(n)))
		if n%7 == 0 {
			f.Tick(number, nil, nil)
			if !f.take(&fr) || fr.n != number || len(fr.in) != size || fr.in[size-1] != int16(n) || len(fr.out) != size || fr.out[0] != -int16(n) {
				t.Fatalf("frame %d: number %d, %d and %d samples", n, fr.n, len(fr.in), len(fr.out))
			}
			if !f.take(&fr) || len(fr.in) != 0 || len(fr.out) != 0 {
				t.Fatal("silence is not silence")
			}
		} else if !f.take(&fr) || fr.n != number || len(fr.in) != size || fr.in[0] != int16(n) {
			t.Fatalf("frame %d is lost", n)
		}
	}
	if f.take(&fr) || f.dropped.Load() != 0 {
		t.Errorf("more frames than there were, or %d dropped", f.dropped.Load())
	}
}

func TestFeedDropsWhatIsTooMuch(t *testing.T) {
	f := newFeed(1660, media.In, make(chan struct{}, 1)) // ten frames
	f.Tick(0, filled(160, 1), nil)
	if f.dropped.Load() != 1 {
		t.Error("it keeps frames before anybody reads")
	}
	f.begin()
	for n := range uint64(15) {
		f.Tick(n, filled(160, 1), filled(160, 1))
	}
	var fr frame
	got := 0
	for f.take(&fr) {
		if got++; len(fr.out) != 0 {
			t.Fatal("it has a direction that is not listened to")
		}
	}
	if got != 10 || f.dropped.Load() != 6 {
		t.Errorf("%d frames, %d dropped, want 10 and 6", got, f.dropped.Load())
	}
}

// TestMediaThreadAllocatesNothing: neither for what goes to the program, nor for what comes from it.
func TestMediaThreadAllocatesNothing(t *testing.T) {
	wake := make(chan struct{}, 1)
	f := newFeed(1<<20, media.Both, wake)
	f.begin()
	p := newPlayout(8000, 10*time.Minute, wake)
	for range 3000 {
		p.put(filled(160, 1000))
	}
	p.mark("m", 0)
	pcm, dst, n := filled(160, 500), make([]int16, 160), uint64(0)
	if a := testing.AllocsPerRun(2000, func() {
		f.Tick(n, pcm, pcm)
		n++
		if k, err := p.ReadFrame(dst); k != 160 || err != nil {
			t.Fatalf("%d samples, %v", k, err)
		}
	}); a != 0 {
		t.Errorf("%v allocations a frame", a)
	}
	p.clear()
	if a := testing.AllocsPerRun(1, func() { p.ReadFrame(dst) }); a != 0 {
		t.Errorf("%v allocations at a clear", a)
	}
}

// TestFeedBesideItsReader is for the race detector.
func TestFeedBesideItsReader(t *testing.T) {
	f := newFeed(4096, media.In, make(chan struct{}, 1))
	f.begin()
	const frames = 20000
	done := make(chan struct{})
	var wg sync.WaitGroup
	got := uint64(0)
	wg.Go(func() {
		var fr frame
		last := uint64(0)
		for {
			for f.take(&fr) {
				if fr.n <= last || fr.in[0] != int16(fr.n) || fr.in[159] != int16(fr.n) {
					t.Errorf("frame %d after %d holds %d", fr.n, last, fr.in[0])
				}
				last = fr.n
				got++
			}
			select {
			case <-f.wake:
			case <-done:
				if !f.take(&fr) {
					return
				}
				got++
			}
		}
	})
	pcm := make([]int16, 160)
	for n := uint64(1); n <= frames; n++ {
		for i := range pcm {
			pcm[i] = int16(n)
		}
		f.Tick(n, pcm, nil)
	}
	close(done)
	wg.Wait()
	if got+f.dropped.Load() != frames {
		t.Errorf("%d read and %d dropped of %d", got, f.dropped.Load(), frames)
	}
}

func BenchmarkTick(b *testing.B) {
	f := newFeed(1<<14, media.In, make(chan struct{}, 1))
	f.begin()
	pcm := filled(160, 500)
	var fr frame
	b.ReportAllocs()
	for b.Loop() {
		f.Tick(1, pcm, nil)
		f.take(&fr)
	}
}
