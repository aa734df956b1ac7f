package media

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// closing is a Source that counts how often it is closed.
type closing struct {
	Source
	n   int
	err error
}

func (c *closing) Close() error { c.n++; return c.err }

// failing gives a frame and then err.
type failing struct {
	err  error
	done bool
}

func (f *failing) Rate() int { return 8000 }

func (f *failing) ReadFrame(dst []int16) (int, error) {
	if f.done {
		return 0, f.err
	}
	f.done = true
	return 160, nil
}

func TestConcatIsSeamless(t *testing.T) {
	all := Concat(NewClip(8000, counting(100)).Source(), Silence(0, 8000), NewClip(8000, counting(300)).Source())
	c, err := ReadAll(t.Context(), all, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.PCM()) != 400 || c.PCM()[99] != 99 || c.PCM()[100] != 0 || c.PCM()[399] != 299 {
		t.Errorf("%d samples: %v", len(c.PCM()), c.PCM())
	}
	n, err := Concat(NewClip(8000, counting(100)).Source(), NewClip(8000, counting(300)).Source()).ReadFrame(make([]int16, 500))
	if n != 160 || err != nil {
		t.Errorf("the first frame: %d, %v", n, err)
	}
	if n, err := Concat().ReadFrame(make([]int16, 10)); n != 0 || err != io.EOF {
		t.Errorf("nothing: %d, %v", n, err)
	}
}

func TestConcatJoinsRates(t *testing.T) {
	all := Concat(Silence(100*time.Millisecond, 8000), Silence(200*time.Millisecond, 44100), Silence(300*time.Millisecond, 16000))
	c, err := ReadAll(t.Context(), all, 0)
	if err != nil || c.Rate() != 8000 || c.Duration() != 600*time.Millisecond {
		t.Errorf("%v at %d Hz, %v", c.Duration(), c.Rate(), err)
	}
}

func TestConcatClosesAllAndPassesErrors(t *testing.T) {
	bad := errors.New("engine died")
	a, b := &closing{Source: &failing{err: bad}}, &closing{Source: Silence(time.Second, 16000), err: bad}
	all := Concat(a, b)
	buf := make([]int16, 160)
	if n, err := all.ReadFrame(buf); n != 160 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := all.ReadFrame(buf); n != 0 || !errors.Is(err, bad) {
		t.Errorf("%d, %v", n, err)
	}
	if err := all.(io.Closer).Close(); !errors.Is(err, bad) || a.n != 1 || b.n != 1 {
		t.Errorf("Close: %v, %d, %d", err, a.n, b.n)
	}
}

func TestReadAllLimits(t *testing.T) {
	for _, c := range []struct {
		length, limit time.Duration
		long          bool
	}{{time.Second, time.Second, false}, {time.Second + time.Millisecond, time.Second, true}, {time.Second, 0, false}} {
		src := &closing{Source: Silence(c.length, 8000)}
		clip, err := ReadAll(t.Context(), src, c.limit)
		if errors.Is(err, ErrTooLong) != c.long || (clip != nil) == c.long || src.n != 1 {
			t.Errorf("%v of %v: %v, %v, closed %d times", c.length, c.limit, clip, err, src.n)
		}
	}
	bad := errors.New("engine died")
	if _, err := ReadAll(t.Context(), &failing{err: bad}, 0); !errors.Is(err, bad) {
		t.Errorf("a failing source: %v", err)
	}
	if _, err := ReadAll(t.Context(), &closing{Source: Silence(0, 8000), err: bad}, 0); !errors.Is(err, bad) {
		t.Errorf("a failing Close: %v", err)
	}
	if _, err := ReadAll(t.Context(), Silence(0, 8), 0); !errors.Is(err, ErrRate) {
		t.Errorf("8 Hz: %v", err)
	}
	if n, err := Silence(-time.Second, 8000).ReadFrame(make([]int16, 160)); n != 0 || err != io.EOF {
		t.Errorf("negative silence: %d, %v", n, err)
	}
}

func TestReadAllWaitsForALateSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue(8000, 0)
		go func() {
			time.Sleep(time.Second)
			if err := q.Write(t.Context(), counting(500)); err != nil {
				t.Error(err)
			}
			q.CloseWrite(nil)
		}()
		c, err := ReadAll(t.Context(), q, 0)
		if err != nil || len(c.PCM()) != 500 {
			t.Errorf("%v, %v", c, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := ReadAll(ctx, NewQueue(8000, 0), 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a source that never comes: %v", err)
		}
	})
}

func TestQueueHoldsTheWriterBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue(8000, time.Second)
		begin := time.Now()
		var wrote time.Duration
		go func() {
			if err := q.Write(t.Context(), counting(8000*3)); err != nil {
				t.Error(err)
			}
			wrote = time.Since(begin)
			q.CloseWrite(nil)
		}()
		synctest.Wait()
		if q.Buffered() != time.Second {
			t.Errorf("%v are buffered", q.Buffered())
		}
		buf, got := make([]int16, 160), 0
		for {
			n, err := q.ReadFrame(buf)
			for _, v := range buf[:n] {
				if v != int16(got) {
					t.Fatalf("sample %d is %d", got, v)
				}
				got++
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(FrameDuration)
		}
		if got != 24000 || wrote < 1900*time.Millisecond || wrote > 2*time.Second {
			t.Errorf("%d samples; the writer took %v", got, wrote)
		}
	})
}

func TestQueueGivesWholeFramesUntilItsEnd(t *testing.T) {
	q := NewQueue(8000, 0)
	buf := make([]int16, 400)
	write := func(n int) {
		if err := q.Write(t.Context(), counting(n)); err != nil {
			t.Fatal(err)
		}
	}
	want := func(what string, n int, end error) {
		t.Helper()
		if got, err := q.ReadFrame(buf); got != n || !errors.Is(err, end) || (err == nil) != (end == nil) {
			t.Errorf("%s: %d, %v", what, got, err)
		}
	}
	want("empty", 0, nil)
	write(159)
	want("not yet a frame", 0, nil)
	write(2)
	want("a frame", 160, nil)
	bad := errors.New("engine died")
	q.CloseWrite(bad)
	q.CloseWrite(nil)
	want("the rest", 1, bad)
	want("the end", 0, bad)
	if err := q.Write(t.Context(), buf); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Write after CloseWrite: %v", err)
	}
	if n := testing.AllocsPerRun(10, func() { q.ReadFrame(buf) }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func TestQueueWriterIsSetFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, free := range map[string]func(*Queue, context.CancelCauseFunc){
			"by the player": func(q *Queue, _ context.CancelCauseFunc) { q.Close(); q.Close() },
			"by its ctx":    func(_ *Queue, cancel context.CancelCauseFunc) { cancel(io.ErrClosedPipe) },
		} {
			q := NewQueue(8000, time.Second)
			ctx, cancel := context.WithCancelCause(t.Context())
			result := make(chan error, 1)
			go func() { result <- q.Write(ctx, counting(10_000)) }()
			synctest.Wait()
			select {
			case err := <-result:
				t.Fatalf("%s: Write did not wait: %v", name, err)
			default:
			}
			free(q, cancel)
			if err := <-result; !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("%s: %v", name, err)
			}
			cancel(nil)
		}
	})
}
