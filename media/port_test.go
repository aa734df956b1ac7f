package media

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// testLine records what a port sends, and says frames of its number.
type testLine struct {
	shard     *Shard
	listening bool
	forward   PacketWriter
	sent      []sentFrame
	encoded   int
	pulled    bool
	received  int
	level     int16 // of what the peer says; 0: nothing
}

type sentFrame struct {
	frame uint64
	at    time.Duration
	level int16
}

func (l *testLine) Pull(on bool)                   { l.pulled = on }
func (l *testLine) Receive()                       { l.received++ }
func (l *testLine) WritePacket(*Packet)            {}
func (l *testLine) Forward(w PacketWriter, _ bool) { l.forward = w }
func (l *testLine) WriteKey(*Key) bool             { return true }
func (l *testLine) ForwardKeys(KeyWriter)          {}
func (l *testLine) Detach()                        {}
func (l *testLine) Attach(s *Shard)                { l.shard = s }
func (l *testLine) Listen(on bool)                 { l.listening = on }
func (l *testLine) WriteEncoded(uint64, []byte)    { l.encoded++ }

func (l *testLine) ReadFrame(_ uint64, dst []int16) (int, bool) {
	if l.level == 0 {
		return 0, false
	}
	for i := range dst {
		dst[i] = l.level
	}
	return len(dst), false
}

func (l *testLine) WriteFrame(frame uint64, pcm []int16) {
	l.sent = append(l.sent, sentFrame{frame, l.shard.Now(), pcm[0]})
}

// levels is a source of n frames whose samples are all 1, 2, 3...
type levels struct {
	n, at  int
	closed bool
}

func (s *levels) Rate() int    { return 8000 }
func (s *levels) Close() error { s.closed = true; return nil }
func (s *levels) ReadFrame(dst []int16) (int, error) {
	if s.at == s.n {
		return 0, io.EOF
	}
	s.at++
	for i := range dst {
		dst[i] = int16(s.at)
	}
	if s.at == s.n {
		return len(dst), io.EOF
	}
	return len(dst), nil
}

type tapFunc func(n uint64, in, out []int16)

func (f tapFunc) Tick(n uint64, in, out []int16) { f(n, in, out) }

// portTest runs f in a bubble with a port that can send.
func portTest(t *testing.T, f func(t *testing.T, p *Port, l *testLine, shards *Shards)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		shards := NewShards(ShardsConfig{N: 1, Portable: true})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- shards.Run(ctx) }()
		synctest.Wait()
		sh := shards.Pick()
		l := &testLine{shard: sh}
		p := NewPort(sh, l, 8000)
		sh.Do(func() {
			p.SetFormat(&Format{Codec: "TEST", Rate: 8000, NewEncoder: func() EncodeFunc {
				return func(dst []byte, pcm []int16) (int, error) { dst[0] = byte(pcm[0]); return 1, nil }
			}})
		})
		f(t, p, l, shards)
		p.Close()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestPlaySendsAFrameEach20ms(t *testing.T) {
	portTest(t, func(t *testing.T, p *Port, l *testLine, shards *Shards) {
		time.Sleep(7*time.Millisecond + 300*time.Microsecond)
		src := &levels{n: 50}
		start := time.Now()
		if err := p.Play(t.Context(), src); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 980*time.Millisecond || took > time.Second {
			t.Errorf("50 frames took %v, want 49 intervals and at most one to the slot", took)
		}
		if len(l.sent) != 50 || !src.closed {
			t.Fatalf("%d frames sent, closed %v", len(l.sent), src.closed)
		}
		for i, f := range l.sent {
			if f.level != int16(i+1) {
				t.Errorf("frame %d has level %d", i, f.level)
			}
			if i > 0 && (f.frame != l.sent[i-1].frame+1 || f.at-l.sent[i-1].at != FrameDuration) {
				t.Errorf("frame %d: number %d at %v after %d at %v", i, f.frame, f.at, l.sent[i-1].frame, l.sent[i-1].at)
			}
		}
		l.shard.Do(func() {
			if l.pulled || l.received != 50 {
				t.Errorf("the line is pulled: %v, was read %d times in 50 frames", l.pulled, l.received)
			}
		})
		if st := shards.Lateness(); st.Ticks < 50 || st.Max != 0 {
			t.Errorf("lateness %+v in a bubble without load", st)
		}
	})
}

func TestIdlePortDoesNotTick(t *testing.T) {
	portTest(t, func(t *testing.T, p *Port, l *testLine, shards *Shards) {
		time.Sleep(time.Hour)
		p.Echo(true) // untouched packets need no tick either
		time.Sleep(time.Hour)
		if st := shards.Lateness(); st.Ticks != 0 {
			t.Errorf("%d ticks", st.Ticks)
		}
		l.shard.Do(func() {
			if l.forward != PacketWriter(l) {
				t.Error("echo without a tap does not pass packets through")
			}
		})
	})
}

func TestPlayEndsWithItsContext(t *testing.T) {
	portTest(t, func(t *testing.T, p *Port, l *testLine, _ *Shards) {
		why := errors.New("barge-in")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(100*time.Millisecond, func() { cancel(why) })
		src := &levels{n: 1000}
		start := time.Now()
		if err := p.Play(ctx, src); !errors.Is(err, why) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took > 120*time.Millisecond || !src.closed {
			t.Errorf("ended after %v, closed %v", took, src.closed)
		}
		n := len(l.sent)
		time.Sleep(time.Second)
		if len(l.sent) != n {
			t.Error("frames were sent after Play had returned")
		}
		src = &levels{n: 1}
		if err := p.Play(ctx, src); !errors.Is(err, why) || !src.closed {
			t.Errorf("Play in an ended context: %v, closed %v", err, src.closed)
		}
	})
}

func TestPlayReplacesPlay(t *testing.T) {
	portTest(t, func(t *testing.T, p *Port, _ *testLine, _ *Shards) {
		first := make(chan error, 1)
		go func() { first <- p.Play(t.Context(), &levels{n: 1000}) }()
		time.Sleep(100 * time.Millisecond)
		if err := p.Play(t.Context(), &levels{n: 3}); err != nil {
			t.Error(err)
		}
		if err := <-first; !errors.Is(err, ErrReplaced) {
			t.Errorf("the first one returned %v", err)
		}
	})
}

func TestClosedPortRefusesToPlay(t *testing.T) {
	portTest(t, func(t *testing.T, p *Port, _ *testLine, _ *Shards) {
		first := make(chan error, 1)
		go func() { first <- p.Play(t.Context(), &levels{n: 1000}) }()
		time.Sleep(100 * time.Millisecond)
		p.Close()
		p.Close()
		if err := <-first; !errors.Is(err, ErrClosed) {
			t.Errorf("Play that was running returned %v", err)
		}
		if err := p.Play(t.Context(), &levels{n: 1}); !errors.Is(err, ErrClosed) {
			t.Errorf("Play on a closed port returned %v", err)
		}
		p.Echo(true)
		p.Tap(tapFunc(func(uint64, []int16, []int16) { t.Error("a closed port ticks") }))()
		time.Sleep(time.Second)
		<-p.Done()
	})
}

func TestPlayWaitsForTheLine(t *testing.T) {
	portTest(t, func(t *testing.T, _ *Port, _ *testLine, shards *Shards) {
		sh := shards.Pick()
		l := &testLine{shard: sh}
		p := NewPort(sh, l, 16000)
		if p.Rate() != 16000 {
			t.Errorf("rate %d", p.Rate())
		}
		done := make(chan error, 1)
		go func() { done <- p.Play(t.Context(), &levels{n: 5}) }()
		time.Sleep(time.Second)
		if len(l.sent) != 0 {
			t.Error("sent before the line could")
		}
		sh.Do(func() { p.SetFormat(&Format{Codec: "TEST", Rate: 8000}) })
		if err := <-done; err != nil || len(l.sent) < 5 {
			t.Errorf("%v after %d frames", err, len(l.sent))
		}
		p.Close()
	})
}

func TestTapSeesBothWays(t *testing.T) {
	portTest(t, func(t *testing.T, p *Port, l *testLine, _ *Shards) {
		time.Sleep(10 * time.Millisecond) // changes come between ticks, which are at multiples of 20 ms
		l.level = 1000
		var in, out []int16
		var frames []uint64
		remove := p.Tap(tapFunc(func(n uint64, i, o []int16) {
			frames = append(frames, n)
			in, out = append(in, head(i)), append(out, head(o))
		}))
		time.Sleep(40 * time.Millisecond)
		if err := p.Play(t.Context(), &levels{n: 3}); err != nil {
			t.Fatal(err)
		}
		p.Echo(true)
		time.Sleep(50 * time.Millisecond)
		p.Mute(In, true)
		time.Sleep(40 * time.Millisecond)
		p.Mute(In, false)
		p.Mute(Out, true)
		time.Sleep(40 * time.Millisecond)
		remove()
		remove()
		if want := []int16{0, 0, 1, 2, 3, 1000, 1000, 0, 0, 0, 0}; !slices.Equal(out, want) {
			t.Errorf("out %v, want %v", out, want)
		}
		if want := []int16{1000, 1000, 1000, 1000, 1000, 1000, 1000, 0, 0, 1000, 1000}; !slices.Equal(in, want) {
			t.Errorf("in %v, want %v", in, want)
		}
		for i := 1; i < len(frames); i++ {
			if frames[i] != frames[i-1]+1 {
				t.Errorf("frames %v", frames)
			}
		}
		n := len(frames)
		time.Sleep(time.Second)
		if len(frames) != n {
			t.Error("Tick after remove had returned")
		}
		sh := l.shard
		sh.Do(func() {
			if l.listening {
				t.Error("the line still decodes")
			}
		})
	})
}

func head(pcm []int16) int16 {
	if pcm == nil {
		return 0
	}
	return pcm[0]
}

// A media thread that was held up goes on with the present frame.
func TestStallSkipsFrames(t *testing.T) {
	for _, tc := range []struct {
		stall   time.Duration
		skipped uint64
		rebases uint64
	}{{50 * time.Millisecond, 0, 0}, {300 * time.Millisecond, 14, 1}} {
		portTest(t, func(t *testing.T, p *Port, l *testLine, shards *Shards) {
			var frames []uint64
			remove := p.Tap(tapFunc(func(n uint64, _, _ []int16) {
				if frames = append(frames, n); len(frames) == 10 {
					time.Sleep(tc.stall)
				}
			}))
			time.Sleep(time.Second)
			remove()
			var gap uint64
			for i := 1; i < len(frames); i++ {
				gap += frames[i] - frames[i-1] - 1
			}
			st := shards.Lateness()
			if gap != tc.skipped || st.Rebases != tc.rebases || st.CatchUps == 0 && tc.rebases == 0 {
				t.Errorf("stall of %v: %d frames skipped, want %d; %+v", tc.stall, gap, tc.skipped, st)
			}
			if n := frames[len(frames)-1] - frames[0]; n < 48 || n > 50 {
				t.Errorf("stall of %v: the clock lost time: %d frames in a second", tc.stall, n)
			}
		})
	}
}

func TestClipIsSentEncodedUntilATapComes(t *testing.T) {
	portTest(t, func(t *testing.T, p *Port, l *testLine, _ *Shards) {
		time.Sleep(10 * time.Millisecond)
		pcm := make([]int16, 160*20)
		for i := range pcm {
			pcm[i] = int16(i/160 + 1)
		}
		done := make(chan error, 1)
		go func() { done <- p.Play(t.Context(), NewClip(8000, pcm).Source()) }()
		time.Sleep(200 * time.Millisecond)
		remove := p.Tap(tapFunc(func(uint64, []int16, []int16) {}))
		time.Sleep(100 * time.Millisecond)
		remove()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if len(l.sent) != 5 || l.encoded != 15 {
			t.Errorf("%d frames of PCM, %d encoded", len(l.sent), l.encoded)
		}
		if l.sent[0].level != 11 {
			t.Errorf("the first frame after the change is %d", l.sent[0].level)
		}
	})
}

func TestShardsEndClosesPorts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shards := NewShards(ShardsConfig{N: 2, Portable: true})
		ctx, cancel := context.WithCancel(t.Context())
		sh := shards.Pick()
		l := &testLine{shard: sh}
		p := NewPort(sh, l, 8000)
		r := &portResident{p}
		sh.Post(func() { sh.Admit(r) }) // before Run: kept
		if sh2 := shards.Pick(); sh2 == sh {
			t.Error("Pick returns the busy shard")
		}
		play := make(chan error, 1)
		go func() { play <- p.Play(context.Background(), &levels{n: 1000}) }()
		done := make(chan error, 1)
		go func() { done <- shards.Run(ctx) }()
		time.Sleep(time.Second)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := <-play; !errors.Is(err, ErrClosed) {
			t.Errorf("Play: %v", err)
		}
		p.Close() // the shard is gone: the caller does its work
		if err := p.Play(context.Background(), &levels{n: 1}); !errors.Is(err, ErrClosed) {
			t.Errorf("Play after the end: %v", err)
		}
		if shards.Run(t.Context()) == nil {
			t.Error("Run twice")
		}
	})
}

type portResident struct{ p *Port }

func (r *portResident) ShardEnds() { r.p.End() }

type panicky struct{ levels }

func (s *panicky) ReadFrame([]int16) (int, error) { panic("a fault of the program") }

func TestPanicOfASourceEndsOnePort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shards := NewShards(ShardsConfig{N: 1, Portable: true, Logger: slog.New(slog.DiscardHandler)})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- shards.Run(ctx) }()
		sh := shards.Pick()
		var ports []*Port
		for range 2 {
			p := NewPort(sh, &testLine{shard: sh}, 8000)
			sh.Do(func() { p.SetFormat(&Format{Codec: "TEST", Rate: 8000}) })
			ports = append(ports, p)
		}
		other := make(chan error, 1)
		go func() { other <- ports[1].Play(t.Context(), &levels{n: 50}) }()
		src := &panicky{}
		if err := ports[0].Play(t.Context(), src); err == nil || !strings.Contains(err.Error(), "a fault of the program") || !src.closed {
			t.Errorf("got %v, closed %v", err, src.closed)
		}
		if err := ports[0].Play(t.Context(), &levels{n: 1}); !errors.Is(err, ErrClosed) {
			t.Errorf("the port goes on: %v", err)
		}
		if err := <-other; err != nil {
			t.Errorf("the other port: %v", err)
		}
		synctest.Wait() // the shard sleeps: this goroutine does the work
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			sh.Post(func() { panic("posted") })
		}()
		ports[1].Close() // the shard still works
		cancel()
		<-done
	})
}

func TestPortTickDoesNotAllocate(t *testing.T) {
	shards := NewShards(ShardsConfig{N: 1, Portable: true})
	sh := shards.Pick()
	l := &testLine{shard: sh, level: 5}
	p := NewPort(sh, l, 8000)
	p.format.Store(&Format{Codec: "TEST", Rate: 8000})
	p.Tap(tapFunc(func(uint64, []int16, []int16) {}))
	p.Echo(true)
	l.sent = make([]sentFrame, 0, 4096)
	now := time.Second
	if n := testing.AllocsPerRun(1000, func() {
		now += FrameDuration
		sh.clock.run(now)
		_ = sh.clock.next()
	}); n != 0 {
		t.Errorf("%v allocations a tick", n)
	}
	if len(l.sent) < 1000 {
		t.Fatalf("only %d frames", len(l.sent))
	}
}
