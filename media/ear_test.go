package media

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func newEar(t testing.TB, o EarOptions) *Ear {
	t.Helper()
	e, err := NewEar(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// hearAll reads until the end, step samples at a time.
func hearAll(t *testing.T, s Stream, step int) []int16 {
	t.Helper()
	var all []int16
	buf := make([]int16, step)
	for {
		n, err := s.Read(t.Context(), buf)
		all = append(all, buf[:n]...)
		if err != nil {
			if n != 0 || !errors.Is(err, io.EOF) {
				t.Fatalf("Read: %d, %v", n, err)
			}
			return all
		}
		if n == 0 {
			t.Fatal("Read returned nothing")
		}
	}
}

func TestEarHearsItsDirection(t *testing.T) {
	for direction, want := range map[Direction][]int16{
		"":   {100, 0, 30000, 0, 7},
		In:   {100, 0, 30000, 0, 7},
		Out:  {-30, -30, 30000, 0, 0},
		Both: {70, -30, 32767, 0, 7},
	} {
		e := newEar(t, EarOptions{Direction: direction})
		e.Tick(9, constant(100), constant(-30))
		e.Tick(10, nil, constant(-30))
		e.Tick(11, constant(30000), constant(30000))
		e.Tick(12, nil, nil)
		e.Tick(13, constant(7)[:100], nil) // a short frame is filled up
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		e.Tick(14, constant(1), constant(1)) // too late
		got := hearAll(t, e, 333)
		if len(got) != 5*160 {
			t.Fatalf("%q: %d samples", direction, len(got))
		}
		for i, v := range want {
			if got[i*160] != v {
				t.Errorf("%q: frame %d is %d, want %d", direction, i, got[i*160], v)
			}
		}
		if got[4*160+100] != 0 {
			t.Errorf("%q: the short frame ends with %d", direction, got[4*160+100])
		}
		if n, err := e.Read(t.Context(), make([]int16, 1)); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("Read after the end: %d, %v", n, err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestEarReaderWaitsForSound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEar(t, EarOptions{Rate: 16000})
		if e.Rate() != 16000 {
			t.Errorf("Rate: %d", e.Rate())
		}
		frame := slices.Repeat([]int16{5}, 320)
		begin := time.Now()
		time.AfterFunc(10*time.Second, func() { e.Tick(0, frame, nil) })
		buf := make([]int16, 1000)
		n, err := e.Read(t.Context(), buf)
		if n != 320 || err != nil || buf[319] != 5 {
			t.Errorf("Read: %d, %v", n, err)
		}
		if took := time.Since(begin); took > 10*time.Second+FrameDuration {
			t.Errorf("heard after %v", took)
		}
		// Close wakes the reader at once.
		begin = time.Now()
		time.AfterFunc(time.Millisecond, func() { _ = e.Close() })
		if n, err := e.Read(t.Context(), buf); n != 0 || !errors.Is(err, io.EOF) || time.Since(begin) != time.Millisecond {
			t.Errorf("Read at Close: %d, %v after %v", n, err, time.Since(begin))
		}
	})
}

func TestEarReaderGivesUpWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEar(t, EarOptions{})
		why := errors.New("hung up")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(why) })
		if n, err := e.Read(ctx, make([]int16, 10)); n != 0 || !errors.Is(err, why) {
			t.Errorf("Read: %d, %v", n, err)
		}
		e.Tick(0, constant(1), nil)
		if n, err := e.Read(ctx, make([]int16, 10)); n != 0 || !errors.Is(err, why) {
			t.Errorf("Read with sound: %d, %v", n, err)
		}
		if n, err := e.Read(t.Context(), nil); n != 0 || err != nil {
			t.Errorf("Read into nothing: %d, %v", n, err)
		}
	})
}

func TestSlowReaderLosesTheOldest(t *testing.T) {
	e := newEar(t, EarOptions{Buffer: 200 * time.Millisecond}) // ten frames
	for n := range uint64(25) {
		e.Tick(n, constant(int16(n)+1), nil)
	}
	if got := e.Dropped(); got != 15*160 {
		t.Errorf("dropped %d samples, want %d", got, 15*160)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	got := hearAll(t, e, 160)
	if len(got) != 10*160 {
		t.Fatalf("%d samples", len(got))
	}
	for i := range 10 {
		if want := int16(15 + i + 1); got[i*160] != want || got[i*160+159] != want {
			t.Errorf("frame %d is %d, want %d", i, got[i*160], want)
		}
	}
}

// A reader that is held up within its copy: the slot it reads is not written to.
func TestFrameThatIsBeingReadIsNotOverwritten(t *testing.T) {
	e := newEar(t, EarOptions{Buffer: 40 * time.Millisecond}) // two frames
	e.Tick(0, constant(1), nil)
	e.Tick(1, constant(2), nil)
	e.busy.Store(1) // take, up to its copy
	e.tail.Store(1)
	e.Tick(2, constant(3), nil)
	if e.pcm[0] != 1 || e.Dropped() != 160 {
		t.Errorf("slot holds %d, %d dropped", e.pcm[0], e.Dropped())
	}
	e.busy.Store(0)
	e.Tick(3, constant(4), nil)
	_ = e.Close()
	got := hearAll(t, e, 160)
	if len(got) != 320 || got[0] != 2 || got[160] != 4 {
		t.Errorf("%d samples, %v", len(got), got[:1])
	}
}

func TestHoleOfTheClockIsSilenceUpToASecond(t *testing.T) {
	for _, c := range []struct{ jump, silence uint64 }{{1, 0}, {4, 3}, {1000, 50}, {1 << 62, 50}} {
		e := newEar(t, EarOptions{})
		e.Tick(7, constant(1), nil)
		e.Tick(7+c.jump, constant(2), nil)
		e.Tick(3, constant(3), nil) // a clock that goes back loses nothing
		_ = e.Close()
		got := hearAll(t, e, 160)
		if want := int(c.silence+3) * 160; len(got) != want {
			t.Fatalf("jump of %d: %d samples, want %d", c.jump, len(got), want)
		}
		if got[159] != 1 || got[len(got)-320] != 2 || got[len(got)-160] != 3 || c.silence > 0 && got[160] != 0 {
			t.Errorf("jump of %d: wrong sound", c.jump)
		}
	}
}

func TestEarRefusesWrongOptions(t *testing.T) {
	if _, err := NewEar(EarOptions{Rate: 10}); !errors.Is(err, ErrRate) {
		t.Errorf("rate: %v", err)
	}
	if _, err := NewEar(EarOptions{Direction: "up"}); err == nil || err.Error() != `media: new ear: direction "up" is not in, out or both` {
		t.Errorf("direction: %v", err)
	}
}

// The media thread and a reader at once, for the race detector: each frame that is heard is
// whole and in order, and what is not heard is counted.
func TestEarTicksWhileReading(t *testing.T) {
	e := newEar(t, EarOptions{Buffer: 60 * time.Millisecond})
	const ticks = 30_000
	var media sync.WaitGroup
	media.Go(func() {
		frame := make([]int16, 160)
		for n := range uint64(ticks) {
			for i := range frame {
				frame[i] = int16(n + 1)
			}
			e.Tick(n, frame, nil)
		}
		_ = e.Close()
	})
	got := hearAll(t, e, 160)
	media.Wait()
	if uint64(len(got))+e.Dropped() != ticks*160 || len(got)%160 != 0 {
		t.Errorf("%d heard and %d dropped, of %d", len(got), e.Dropped(), ticks*160)
	}
	last := int16(0)
	for i := 0; i < len(got); i += 160 {
		v := got[i]
		if v <= last {
			t.Fatalf("frame %d after %d", v, last)
		}
		last = v
		if j := slices.IndexFunc(got[i:i+160], func(s int16) bool { return s != v }); j >= 0 {
			t.Fatalf("frame %d is torn at sample %d: %d", v, j, got[i+j])
		}
	}
}

func TestEarTickDoesNotAllocate(t *testing.T) {
	e := newEar(t, EarOptions{Direction: Both, Buffer: 100 * time.Millisecond})
	in, n := constant(1), uint64(0)
	if a := testing.AllocsPerRun(100, func() { e.Tick(n, in, in); n += 2 }); a != 0 {
		t.Errorf("%v allocations a tick", a)
	}
}

func BenchmarkEarTick(b *testing.B) {
	e := newEar(b, EarOptions{})
	in := constant(1)
	n := uint64(0)
	for b.Loop() {
		e.Tick(n, in, in)
		n++
	}
}
