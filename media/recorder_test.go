package media

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// sheet is a PCMWriter in memory.
type sheet struct {
	mu     sync.Mutex
	pcm    []int16       // guarded by mu
	closed int           // guarded by mu
	fail   error         // of Write
	bad    error         // of Close
	stall  chan struct{} // where not nil, Write waits for it
}

func (s *sheet) Write(pcm []int16) error {
	if s.stall != nil {
		<-s.stall
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	s.pcm = append(s.pcm, pcm...)
	return nil
}

func (s *sheet) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed++
	return s.bad
}

func (s *sheet) channel(c int) []int16 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []int16
	for i := c; i < len(s.pcm); i += 2 {
		out = append(out, s.pcm[i])
	}
	return out
}

func constant(v int16) []int16 { return slices.Repeat([]int16{v}, 160) }

// tickFor ticks r once every 20 ms for d, with in and out.
func tickFor(r *Recorder, from uint64, d time.Duration, in, out []int16) (next uint64) {
	for range d / FrameDuration {
		r.Tick(from, in, out)
		from++
		time.Sleep(FrameDuration)
	}
	return from
}

func startRecording(t *testing.T, s *Recorders, w PCMWriter, o RecorderOptions) *Recorder {
	t.Helper()
	r, err := s.Start(w, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRecordingHasBothSidesAndAllOfTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Recorders
		w := &sheet{}
		var ends []Recording
		r := startRecording(t, &s, w, RecorderOptions{OnEnd: func(x Recording) { ends = append(ends, x) }})
		begin := time.Now()
		n := tickFor(r, 1000, 2*time.Second, constant(100), constant(-200))
		n = tickFor(r, n, time.Second, nil, constant(-200))
		tickFor(r, n, time.Second, constant(100), nil)
		lasted := time.Since(begin)
		rec, err := r.Stop(t.Context())
		if err != nil || rec.Duration != lasted || rec.Reason != EndStopped || rec.Lost != 0 || rec.Bytes != 4*32000 {
			t.Errorf("%+v, %v", rec, err)
		}
		if again, err := r.Stop(t.Context()); again != rec || err != nil {
			t.Errorf("second Stop: %+v, %v", again, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if len(ends) != 1 || ends[0] != rec || w.closed != 1 {
			t.Errorf("ends %+v, closed %d times", ends, w.closed)
		}
		want := func(c int, values ...int16) {
			pcm := w.channel(c)
			if len(pcm) != 4*8000 {
				t.Fatalf("channel %d has %d samples", c, len(pcm))
			}
			for i, v := range pcm {
				if v != values[i/8000] {
					t.Fatalf("channel %d: sample %d is %d, want %d", c, i, v, values[i/8000])
				}
			}
		}
		want(0, 100, 100, 0, 100)
		want(1, -200, -200, -200, 0)
	})
}

func TestGapsOfTheClockBecomeSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Recorders
		defer s.Close()
		w := &sheet{}
		r := startRecording(t, &s, w, RecorderOptions{})
		r.Tick(5, constant(1), constant(2))
		r.Tick(6, constant(1), constant(2))
		r.Tick(16, constant(3), constant(4)) // nine are missing
		r.Tick(16, constant(5), constant(6)) // a clock that stands or goes back loses nothing
		r.Tick(3, constant(7)[:10], constant(8))
		rec, err := r.Stop(t.Context())
		if err != nil || rec.Duration != 14*FrameDuration || rec.Lost != 9*FrameDuration {
			t.Errorf("%+v, %v", rec, err)
		}
		pcm := w.channel(0)
		for frame, want := range []int16{1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 5, 7} {
			if got := pcm[frame*160]; got != want {
				t.Errorf("frame %d is %d, want %d", frame, got, want)
			}
		}
		if pcm[13*160+9] != 7 || pcm[13*160+10] != 0 || w.channel(1)[13*160+10] != 8 {
			t.Error("a short frame is not filled up with silence")
		}
	})
}

func TestMonstrousJumpDoesNotFillTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Recorders
		defer s.Close()
		r := startRecording(t, &s, &sheet{}, RecorderOptions{Rate: 4000})
		r.Tick(0, nil, nil)
		r.Tick(1<<62, nil, nil)
		r.Tick(1<<62+1, nil, nil)
		rec, err := r.Stop(t.Context())
		if err != nil || rec.Duration != maxGap+3*FrameDuration {
			t.Errorf("%+v, %v", rec, err)
		}
	})
}

func TestStalledDiskCostsSilenceAndNeverTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Recorders
		defer s.Close()
		w := &sheet{stall: make(chan struct{})}
		r := startRecording(t, &s, w, RecorderOptions{Buffer: time.Second})
		begin := time.Now()
		n := tickFor(r, 0, 5*time.Second, constant(1), constant(2))
		if took := time.Since(begin); took != 5*time.Second {
			t.Errorf("the media thread was held up: %v", took)
		}
		close(w.stall)
		time.Sleep(time.Second)
		tickFor(r, n+50, time.Second, constant(1), constant(2))
		rec, err := r.Stop(t.Context())
		if err != nil || rec.Duration != 7*time.Second {
			t.Errorf("%+v, %v", rec, err)
		}
		// The ring held a second of five; the second in which nothing ticked is silence too.
		if rec.Lost < 4*time.Second || rec.Lost > 5*time.Second+300*time.Millisecond {
			t.Errorf("lost %v", rec.Lost)
		}
	})
}

func TestStallUntilTheEndKeepsTheLength(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Recorders
		defer s.Close()
		w := &sheet{stall: make(chan struct{})}
		r := startRecording(t, &s, w, RecorderOptions{Buffer: time.Second})
		tickFor(r, 0, 3*time.Second, constant(1), constant(2))
		time.AfterFunc(time.Second, func() { close(w.stall) })
		rec, err := r.Stop(t.Context())
		if err != nil || rec.Duration != 3*time.Second || rec.Lost != 2*time.Second {
			t.Errorf("%+v, %v", rec, err)
		}
	})
}

func TestRecordingEndsByItself(t *testing.T) {
	voice, noise := sineAt(160, 8000, 400, 8000), sineAt(160, 8000, 400, 100)
	for name, c := range map[string]struct {
		o      RecorderOptions
		speak  time.Duration
		reason EndReason
		length time.Duration
	}{
		"longest":             {RecorderOptions{MaxDuration: 1505 * time.Millisecond}, time.Minute, EndDuration, 1505 * time.Millisecond},
		"silence":             {RecorderOptions{EndOfSilence: 2 * time.Second}, 3 * time.Second, EndSilence, 5 * time.Second},
		"silence from start":  {RecorderOptions{EndOfSilence: 2 * time.Second}, 0, EndSilence, 2 * time.Second},
		"silence before long": {RecorderOptions{EndOfSilence: time.Second, MaxDuration: 4 * time.Second}, 2 * time.Second, EndSilence, 3 * time.Second},
		"long before silence": {RecorderOptions{EndOfSilence: 3 * time.Second, MaxDuration: 4 * time.Second}, 2 * time.Second, EndDuration, 4 * time.Second},
		"level":               {RecorderOptions{EndOfSilence: time.Second, SilenceLevel: 30, MaxDuration: 4 * time.Second}, 0, EndDuration, 4 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s Recorders
				defer s.Close()
				var r *Recorder
				w := &sheet{}
				ended := make(chan Recording, 1)
				c.o.OnEnd = func(x Recording) {
					if y, err := r.Stop(t.Context()); y != x || err != nil {
						t.Errorf("Stop within OnEnd: %+v, %v", y, err)
					}
					ended <- x
				}
				r = startRecording(t, &s, w, c.o)
				// What the peer hears is never silence of the peer's.
				n := tickFor(r, 0, c.speak, voice, voice)
				for len(ended) == 0 && n < 5000 {
					n = tickFor(r, n, FrameDuration, noise, voice)
				}
				got := <-ended
				if got.Reason != c.reason || got.Duration != c.length || got.Err != nil {
					t.Errorf("%+v, want %s after %v", got, c.reason, c.length)
				}
				select {
				case <-r.Done():
				default:
					t.Error("ended, and not done")
				}
				if n := len(w.channel(0)); n != int(c.length*8000/time.Second) {
					t.Errorf("%d samples are written", n)
				}
			})
		})
	}
}

func TestPauseInSpeechEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Recorders
		defer s.Close()
		r := startRecording(t, &s, &sheet{}, RecorderOptions{EndOfSilence: time.Second})
		n := uint64(0)
		for range 4 {
			n = tickFor(r, n, 900*time.Millisecond, nil, nil)
			n = tickFor(r, n, 100*time.Millisecond, constant(1000), nil)
		}
		if rec, err := r.Stop(t.Context()); err != nil || rec.Reason != EndStopped || rec.Duration != 4*time.Second {
			t.Errorf("%+v, %v", rec, err)
		}
	})
}

func TestDiskErrorEndsTheRecording(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Recorders
		defer s.Close()
		full := errors.New("no space left on device")
		w, other := &sheet{fail: full}, &sheet{}
		r, ok := startRecording(t, &s, w, RecorderOptions{}), startRecording(t, &s, other, RecorderOptions{})
		tickFor(r, 0, time.Second, constant(1), nil)
		<-r.Done()
		rec, err := r.Stop(t.Context())
		if !errors.Is(err, full) || rec.Reason != EndError || w.closed != 1 {
			t.Errorf("%+v, %v, closed %d times", rec, err, w.closed)
		}
		if err.Error() != "media: write recording: no space left on device" {
			t.Errorf("the error reads %q", err)
		}
		r.Tick(60, constant(1), nil) // goes nowhere

		ok.Tick(1, constant(1), nil)
		other.bad = full
		if rec, err := ok.Stop(t.Context()); !errors.Is(err, full) || rec.Reason != EndError || rec.Duration != FrameDuration {
			t.Errorf("failing Close: %+v, %v", rec, err)
		}
	})
}

func TestCloseWritesWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Recorders
		sheets := make([]*sheet, 20)
		for i := range sheets {
			sheets[i] = &sheet{}
			r := startRecording(t, &s, sheets[i], RecorderOptions{})
			for n := range uint64(i) {
				r.Tick(n, constant(1), nil)
			}
		}
		begin := time.Now()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if time.Since(begin) != 0 {
			t.Errorf("Close waited %v for nothing", time.Since(begin))
		}
		for i, w := range sheets {
			if len(w.channel(0)) != i*160 || w.closed != 1 {
				t.Errorf("recording %d has %d samples, closed %d times", i, len(w.channel(0)), w.closed)
			}
		}
		if _, err := s.Start(&sheet{}, RecorderOptions{}); !errors.Is(err, ErrRecorderClosed) {
			t.Errorf("Start after Close: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
		var unused Recorders
		if err := unused.Close(); err != nil {
			t.Errorf("Close of an unused one: %v", err)
		}
	})
}

func TestStopGivesUpWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Recorders
		w := &sheet{stall: make(chan struct{})}
		r := startRecording(t, &s, w, RecorderOptions{})
		r.Tick(0, constant(1), nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stop: %v", err)
		}
		close(w.stall)
		<-r.Done()
		if err := s.Close(); err != nil || len(w.channel(0)) != 160 {
			t.Errorf("%v, %d samples", err, len(w.channel(0)))
		}
	})
}

func TestStartRefusesAWrongRate(t *testing.T) {
	var s Recorders
	if _, err := s.Start(&sheet{}, RecorderOptions{Rate: 10}); !errors.Is(err, ErrRate) {
		t.Errorf("%v", err)
	}
}

// The media thread and the disk goroutine at once, for the race detector.
func TestTicksWhileWriting(t *testing.T) {
	s := Recorders{Interval: time.Millisecond}
	w := &sheet{}
	r := startRecording(t, &s, w, RecorderOptions{Buffer: 100 * time.Millisecond})
	const ticks = 20_000
	var media sync.WaitGroup
	media.Go(func() {
		for n := range uint64(ticks) {
			r.Tick(n, constant(int16(n%1000)+1), constant(-int16(n%1000)-1))
		}
	})
	media.Wait()
	rec, err := r.Stop(t.Context())
	if err != nil || rec.Duration != ticks*FrameDuration {
		t.Errorf("%+v, %v", rec, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	left, right := w.channel(0), w.channel(1)
	for i, v := range left {
		if want := int16(i/160%1000) + 1; v != 0 && v != want || right[i] != -v {
			t.Fatalf("sample %d is %d and %d, want %d or silence", i, v, right[i], want)
		}
	}
}

func TestRecorderTickDoesNotAllocate(t *testing.T) {
	var s Recorders
	defer s.Close()
	r := startRecording(t, &s, &sheet{}, RecorderOptions{})
	in, n := constant(1), uint64(0)
	if a := testing.AllocsPerRun(100, func() { r.Tick(n, in, in); n++ }); a != 0 {
		t.Errorf("%v allocations a tick", a)
	}
}

func BenchmarkRecorderTick(b *testing.B) {
	var s Recorders
	defer s.Close()
	r, err := s.Start(nowhere{}, RecorderOptions{})
	if err != nil {
		b.Fatal(err)
	}
	in := constant(1)
	n := uint64(0)
	for b.Loop() {
		r.Tick(n, in, in)
		n++
		r.tail.Store(r.head.Load()) // the ring is never full
	}
}

type nowhere struct{}

func (nowhere) Write([]int16) error { return nil }
func (nowhere) Close() error        { return nil }

// A mono recording has what the peer, or a room, says.
func TestMonoRecording(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var group Recorders
		s := &sheet{}
		r, err := group.Start(s, RecorderOptions{Mono: true, EndOfSilence: 100 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		loud := make([]int16, 160)
		for i := range loud {
			loud[i] = 1000
		}
		r.Tick(1, loud, loud)
		r.Tick(2, nil, loud)
		r.Tick(4, loud, nil)
		for n := range uint64(10) {
			r.Tick(5+n, nil, loud)
		}
		<-r.Done()
		got, err := r.Stop(t.Context())
		if err != nil || got.Reason != EndSilence || got.Duration != 180*time.Millisecond || got.Lost != 20*time.Millisecond || got.Bytes != 2*1440 {
			t.Errorf("%+v, %v", got, err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for i, v := range s.pcm {
			if want := (i < 160 || i >= 480 && i < 640); (v == 1000) != want {
				t.Fatalf("sample %d is %d", i, v)
			}
		}
		if len(s.pcm) != 1440 {
			t.Errorf("%d samples", len(s.pcm))
		}
		_ = group.Close()
	})
}
