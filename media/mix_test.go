package media

import (
	"strconv"
	"testing"
	"time"
)

func TestSilentMembersShareOnePayload(t *testing.T) {
	inRoom(t, 1, func(r *room) {
		t := r.t
		b := NewBridge(BridgeOptions{})
		for i := range 10 {
			hz := 0.0
			if i < 2 {
				hz = float64(500 + 500*i)
			}
			r.join(b, r.phone(hz, 8000))
		}
		time.Sleep(100 * time.Millisecond)
		r.forget()
		was := b.Stats()
		time.Sleep(time.Second)
		now := b.Stats()
		if e, s := now.Encodes-was.Encodes, now.Shared-was.Shared; e != 150 || s != 350 {
			t.Errorf("in 50 frames %d were encoded and %d shared, want 3 and 7 a frame", e, s)
		}
		r.checkTones(func(who, whom int) bool { return who != whom })
	})
}

// A sum that leaves the range is clipped at the end, once: who shouts does not hear itself.
func TestSumIsClippedOnce(t *testing.T) {
	inRoom(t, 1, func(r *room) {
		t := r.t
		b := NewBridge(BridgeOptions{})
		for range 3 {
			l := r.phone(500, 8000)
			l.amp = 0.9
			r.join(b, l)
		}
		quiet := r.phone(0, 8000)
		r.join(b, quiet)
		time.Sleep(100 * time.Millisecond)
		r.forget()
		time.Sleep(time.Second)
		for i, l := range r.lines {
			got := l.amplitude(500)
			if got < 1.1 || got > 1.3 { // clipped sines are nearly squares: 4/pi at most
				t.Errorf("line %d hears %v", i, got)
			}
		}
		r.lines[2].port.Close()
		r.lines[1].port.Close()
		r.forget()
		time.Sleep(time.Second)
		if got := r.lines[0].amplitude(500); got != 0 {
			t.Errorf("it hears itself at %v", got)
		}
	})
}

func TestRatesMeetAtTheHighest(t *testing.T) {
	inRoom(t, 1, func(r *room) {
		t := r.t
		b := NewBridge(BridgeOptions{})
		narrow := []*toneLine{r.phone(500, 8000), r.phone(800, 8000), r.phone(0, 8000)}
		wide := []*toneLine{r.phone(1000, 16000), r.phone(6000, 16000)}
		r.join(b, append(narrow, wide...)...)
		if b.Rate() != 16000 {
			t.Errorf("rate %d", b.Rate())
		}
		time.Sleep(100 * time.Millisecond)
		r.forget()
		time.Sleep(time.Second)
		r.checkTones(func(who, whom int) bool { return who != whom && (whom != 4 || r.lines[who].rate == 16000) })
		// One that talks by turns: the change of resampler is not heard.
		quiet := narrow[2]
		for range 20 {
			quiet.port.Do(func() { quiet.hz, quiet.amp = 300, 0.02 })
			time.Sleep(100 * time.Millisecond)
			quiet.port.Do(func() { quiet.hz = 0 })
			time.Sleep(100 * time.Millisecond)
		}
		quiet.port.Do(func() {
			h := quiet.heard
			for i := 2; i < len(h); i++ {
				// Of three tones of 0.02 at 1 kHz or below no second difference is larger.
				if d := int(h[i]) - 2*int(h[i-1]) + int(h[i-2]); d > 1000 || d < -1000 {
					t.Errorf("a click at %d: %v", i, h[i-2:i+1])
					return
				}
			}
		})
		b.Leave(wide[0].port)
		b.Leave(wide[1].port)
		if b.Rate() != 8000 {
			t.Errorf("rate %d without wide members", b.Rate())
		}
		r.forget()
		time.Sleep(time.Second)
		r.checkTones(func(who, whom int) bool { return who != whom && who < 3 && whom < 3 })
	})
}

// roomOnTest is a room whose one shard is the test itself; a quarter of the members talk.
func roomOnTest(n int) (tick func(), b *Bridge) {
	shards := NewShards(ShardsConfig{N: 1, Portable: true})
	sh := shards.Pick()
	b = NewBridge(BridgeOptions{})
	for i := range n {
		l := &muteLine{level: int16(1000 * (i % 4 / 3))}
		p := NewPort(sh, l, 8000)
		p.SetFormat(&Format{Codec: "TEST", Rate: 8000, Stateless: true, NewEncoder: func() EncodeFunc { return encodeTest }})
		if err := b.Join(p); err != nil {
			panic(err)
		}
	}
	now := time.Second
	return func() {
		now += FrameDuration
		sh.clock.run(now)
		_ = sh.clock.next()
	}, b
}

// muteLine says a level and forgets what it hears.
type muteLine struct {
	toneLine
	level int16
}

func (l *muteLine) WriteFrame(uint64, []int16) {}

func (l *muteLine) WriteEncoded(uint64, []byte) {}

func (l *muteLine) ReadFrame(_ uint64, dst []int16) (int, bool) {
	for i := range dst {
		dst[i] = l.level
	}
	return len(dst), false
}

func TestRoomTickDoesNotAllocate(t *testing.T) {
	tick, b := roomOnTest(20)
	b.Tap(tapFunc(func(uint64, []int16, []int16) {}))
	tick()
	if n := testing.AllocsPerRun(500, tick); n != 0 {
		t.Errorf("%v allocations a tick", n)
	}
	if st := b.Stats(); st.Shared < 500*14 || st.Encodes < 500*6 {
		t.Errorf("%+v", st)
	}
}

// BenchmarkRoomTick is one frame of all members, without sockets.
func BenchmarkRoomTick(b *testing.B) { benchmarkRoom(b, false) }

// BenchmarkRoomTickWithLevels is the same where the members are measured.
func BenchmarkRoomTickWithLevels(b *testing.B) { benchmarkRoom(b, true) }

func benchmarkRoom(b *testing.B, levels bool) {
	for _, n := range []int{3, 20, 400} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			tick, bridge := roomOnTest(n)
			bridge.SetLevels(levels)
			b.ReportAllocs()
			for b.Loop() {
				tick()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/member")
		})
	}
}
