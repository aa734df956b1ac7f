package media

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// toneLine is the line of a peer that says one tone, and keeps what it hears.
type toneLine struct {
	shard *Shard
	port  *Port
	hz    float64 // 0: it sends silent frames; negative: none at all
	amp   float64
	rate  int
	at    int

	forward PacketWriter
	keys    KeyWriter
	heard   []int16
	frames  []uint64
	shared  int // payloads that were encoded elsewhere
	packets int
	pulled  bool
	listen  bool
}

func (l *toneLine) WritePacket(*Packet)               { l.packets++ }
func (l *toneLine) WriteKey(*Key) bool                { return true }
func (l *toneLine) ForwardKeys(w KeyWriter)           { l.keys = w }
func (l *toneLine) Detach()                           { l.shard = nil }
func (l *toneLine) Attach(s *Shard)                   { l.shard = s }
func (l *toneLine) Forward(w PacketWriter, _ bool)    { l.forward = w }
func (l *toneLine) Listen(on bool)                    { l.listen = on }
func (l *toneLine) Pull(on bool)                      { l.pulled = on }
func (l *toneLine) Receive()                          {}
func (l *toneLine) WriteFrame(n uint64, pcm []int16)  { l.keep(n, pcm) }
func (l *toneLine) WriteEncoded(n uint64, pay []byte) { l.shared++; l.keep(n, decodeTest(pay)) }

func (l *toneLine) keep(n uint64, pcm []int16) {
	l.heard, l.frames = append(l.heard, pcm...), append(l.frames, n)
}

func (l *toneLine) ReadFrame(_ uint64, dst []int16) (int, bool) {
	if l.hz < 0 {
		return 0, false
	}
	for i := range dst {
		dst[i] = 0
		if l.hz > 0 {
			dst[i] = int16(l.amp * 32767 * math.Sin(2*math.Pi*l.hz*float64(l.at)/float64(l.rate)))
		}
		l.at++
	}
	return len(dst), false
}

// encodeTest is a codec that keeps 16 bits.
func encodeTest(dst []byte, pcm []int16) (int, error) {
	for i, v := range pcm {
		dst[2*i], dst[2*i+1] = byte(v>>8), byte(v)
	}
	return 2 * len(pcm), nil
}

func decodeTest(b []byte) []int16 {
	pcm := make([]int16, len(b)/2)
	for i := range pcm {
		pcm[i] = int16(b[2*i])<<8 | int16(b[2*i+1])
	}
	return pcm
}

// room is a bubble with shards and toneLines.
type room struct {
	t      *testing.T
	shards *Shards
	lines  []*toneLine
}

func inRoom(t *testing.T, shards int, f func(r *room)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &room{t: t, shards: NewShards(ShardsConfig{N: shards, Portable: true, Logger: slog.New(slog.DiscardHandler)})}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.shards.Run(ctx) }()
		time.Sleep(300 * time.Microsecond) // ticks are at whole milliseconds, what tests do is not
		f(r)
		for _, l := range r.lines {
			l.port.Close()
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// phone makes a line whose packets fit no other one.
func (r *room) phone(hz float64, rate int) *toneLine {
	sh := r.shards.all[len(r.lines)%len(r.shards.all)]
	l := &toneLine{shard: sh, hz: hz, amp: 0.02, rate: rate}
	l.port = NewPort(sh, l, rate)
	sh.Do(func() {
		l.port.SetFormat(&Format{Codec: "TEST", Rate: rate, Span: FrameDuration + time.Duration(len(r.lines)), Stateless: true, NewEncoder: func() EncodeFunc { return encodeTest }})
	})
	r.lines = append(r.lines, l)
	return l
}

func (r *room) join(b *Bridge, lines ...*toneLine) {
	r.t.Helper()
	for _, l := range lines {
		if err := b.Join(l.port); err != nil {
			r.t.Fatal(err)
		}
	}
}

// forget makes the lines forget what they heard until now.
func (r *room) forget() {
	for _, l := range r.lines {
		l.port.Do(func() { l.heard, l.frames, l.shared, l.packets = nil, nil, 0, 0 })
	}
}

// amplitude of a tone in what l heard.
func (l *toneLine) amplitude(hz float64) (amp float64) {
	l.port.Do(func() { amp = goertzel(l.heard, l.rate, hz) })
	return amp
}

// goertzel is media/tone's, which imports this package.
func goertzel(pcm []int16, rateHz int, hz float64) float64 {
	if len(pcm) == 0 {
		return 0
	}
	c := 2 * math.Cos(2*math.Pi*hz/float64(rateHz))
	var s1, s2 float64
	for _, v := range pcm {
		s1, s2 = float64(v)+c*s1-s2, s1
	}
	return 2 * math.Sqrt(max(0, s1*s1+s2*s2-c*s1*s2)) / float64(len(pcm)) / 32768
}

// checkTones fails unless each line hears exactly those of hears.
func (r *room) checkTones(hears func(who, whom int) bool) {
	r.t.Helper()
	for i, l := range r.lines {
		for k, o := range r.lines {
			if o.hz <= 0 {
				continue
			}
			got, want := l.amplitude(o.hz), 0.0
			if hears(i, k) {
				want = o.amp
			}
			if math.Abs(got-want) > 0.1*o.amp {
				r.t.Errorf("line %d hears %v Hz of line %d at %.4f, want %.4f", i, o.hz, k, got, want)
			}
		}
	}
}

func TestEachHearsTheOthers(t *testing.T) {
	for _, n := range []int{3, 20} {
		for _, shards := range []int{1, 2} {
			inRoom(t, shards, func(r *room) {
				t := r.t
				b := NewBridge(BridgeOptions{})
				for i := range n {
					r.join(b, r.phone(float64(300+150*i), 8000))
				}
				time.Sleep(100 * time.Millisecond)
				r.forget()
				time.Sleep(time.Second)
				r.checkTones(func(who, whom int) bool { return who != whom })
				if st := b.Stats(); st.Members != n || st.Passing || st.Parts != 1 || st.Shared != 0 || st.RateHz != 8000 {
					t.Errorf("%+v", st)
				}
			})
		}
	}
}

func TestTwoRoomsHearNothingOfEachOther(t *testing.T) {
	inRoom(t, 2, func(r *room) {
		t := r.t
		a, b := NewBridge(BridgeOptions{}), NewBridge(BridgeOptions{})
		for i := range 6 {
			l := r.phone(float64(400+200*i), 8000)
			r.join([]*Bridge{a, b}[i%2], l)
			if err := a.Join(l.port); !errors.Is(err, ErrBridged) {
				t.Errorf("joined twice: %v", err)
			}
		}
		time.Sleep(100 * time.Millisecond)
		r.forget()
		time.Sleep(time.Second)
		r.checkTones(func(who, whom int) bool { return who != whom && who%2 == whom%2 })
		a.Close()
		a.Close()
		r.forget()
		time.Sleep(time.Second)
		r.checkTones(func(who, whom int) bool { return who != whom && who%2 == 1 && whom%2 == 1 })
		if err := a.Join(r.lines[0].port); !errors.Is(err, ErrClosed) {
			t.Errorf("a closed bridge: %v", err)
		}
		r.join(b, r.lines[0])
		r.lines[0].port.Close()
		if err := a.Join(r.lines[0].port); !errors.Is(err, ErrClosed) {
			t.Errorf("a closed port: %v", err)
		}
		b.Leave(r.lines[1].port)
		b.Leave(r.lines[1].port)
		b.Leave(r.lines[2].port)
		if st := b.Stats(); st.Members != 2 {
			t.Errorf("%+v", st)
		}
	})
}

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

// A large room lives on all shards, and is heard as one.
func TestRoomOf400(t *testing.T) {
	inRoom(t, 4, func(r *room) {
		t := r.t
		b := NewBridge(BridgeOptions{})
		for i := range 400 {
			hz := 0.0
			if i%50 == 0 {
				hz = float64(300 + 8*i)
			}
			r.join(b, r.phone(hz, 8000))
		}
		if st := b.Stats(); st.Parts != 4 || st.Members != 400 {
			t.Errorf("%+v", st)
		}
		time.Sleep(110 * time.Millisecond)
		r.forget()
		was := b.Stats()
		time.Sleep(time.Second)
		now := b.Stats()
		r.checkTones(func(who, whom int) bool { return who != whom })
		if e := now.Encodes - was.Encodes; e != 50*(8+4) || now.Late != was.Late {
			t.Errorf("%d encodes in 50 frames, want 12 a frame; %d parts late", e, now.Late-was.Late)
		}
		for _, l := range r.lines {
			l.port.Do(func() { checkFrames(t, l.frames, 50) })
		}
	})
}

// checkFrames fails unless there are n frames that follow each other.
func checkFrames(t *testing.T, frames []uint64, n int) {
	t.Helper()
	if len(frames) != n {
		t.Errorf("%d frames, want %d", len(frames), n)
	}
	for i := 1; i < len(frames); i++ {
		if frames[i] != frames[i-1]+1 {
			t.Errorf("frame %d follows %d", frames[i], frames[i-1])
			return
		}
	}
}

// Whoever is left of a large room, wherever it lives, is heard.
func TestRoomShrinks(t *testing.T) {
	inRoom(t, 2, func(r *room) {
		t := r.t
		b := NewBridge(BridgeOptions{})
		for i := range roomHome + 4 {
			hz := -1.0
			if i >= roomHome {
				hz = float64(300 + 200*(i-roomHome))
			}
			r.join(b, r.phone(hz, 8000))
		}
		last := r.lines[roomHome:]
		far := slices.IndexFunc(last, func(l *toneLine) bool { return l.port.Shard() != r.lines[0].port.Shard() })
		if far < 0 {
			t.Fatal("all live on one shard")
		}
		for _, l := range r.lines[:roomHome] {
			b.Leave(l.port)
		}
		time.Sleep(100 * time.Millisecond)
		r.forget()
		time.Sleep(time.Second)
		r.checkTones(func(who, whom int) bool { return who != whom && who >= roomHome })
		var pcm []int16
		remove := b.Tap(tapFunc(func(_ uint64, in, _ []int16) { pcm = append(pcm, in...) }))
		for i, l := range last {
			if i != far {
				b.Leave(l.port)
			}
		}
		time.Sleep(100 * time.Millisecond)
		b.atHome(func() { pcm = nil })
		time.Sleep(time.Second)
		remove()
		if got := goertzel(pcm, 8000, last[far].hz); math.Abs(got-0.02) > 0.002 || len(pcm) < 49*160 {
			t.Errorf("the last member is recorded at %v in %d samples", got, len(pcm))
		}
	})
}

// A shard that is held up costs the others only what its own members say.
func TestLatePartIsNotWaitedFor(t *testing.T) {
	inRoom(t, 2, func(r *room) {
		t := r.t
		b := NewBridge(BridgeOptions{})
		for i := range roomHome + 10 {
			hz := 0.0
			switch i {
			case 0:
				hz = 500
			case roomHome + 1:
				hz = 900
			}
			r.join(b, r.phone(hz, 8000))
		}
		near, far := r.lines[1], r.lines[roomHome+1]
		time.Sleep(110 * time.Millisecond)
		r.forget()
		var once sync.Once
		remove := far.port.Tap(tapFunc(func(uint64, []int16, []int16) {
			once.Do(func() { time.Sleep(200 * time.Millisecond) })
		}))
		time.Sleep(150 * time.Millisecond)
		near.port.Do(func() {
			if n := len(near.frames); n < 6 {
				t.Errorf("%d frames in 150 ms beside a shard that stands still", n)
			}
			checkFrames(t, near.frames, len(near.frames))
		})
		remove()
		time.Sleep(time.Second)
		r.forget()
		was := b.Stats()
		time.Sleep(time.Second)
		r.checkTones(func(who, whom int) bool { return who != whom })
		if st := b.Stats(); st.Late == 0 || st.Late != was.Late {
			t.Errorf("late %d, and %d after the stall", st.Late, st.Late-was.Late)
		}
	})
}

func TestMemberKeepsPlayMuteAndTaps(t *testing.T) {
	inRoom(t, 1, func(r *room) {
		t := r.t
		b := NewBridge(BridgeOptions{})
		r.join(b, r.phone(500, 8000), r.phone(700, 8000), r.phone(900, 8000))
		a := r.lines[0]
		hears := func(what string, f func(who, whom int) bool) {
			t.Helper()
			time.Sleep(40 * time.Millisecond)
			r.forget()
			time.Sleep(time.Second)
			t.Log(what)
			r.checkTones(f)
		}
		ctx, cancel := context.WithCancel(t.Context())
		played := make(chan error, 1)
		go func() { played <- a.port.Play(ctx, &levels{n: 1000}) }()
		hears("what is played to a replaces the others", func(who, whom int) bool { return who != whom && who != 0 })
		cancel()
		<-played
		a.port.Mute(In, true)
		hears("a is muted", func(who, whom int) bool { return who != whom && whom != 0 })
		a.port.Mute(In, false)
		a.port.Mute(Out, true)
		hears("a is deaf", func(who, whom int) bool { return who != whom && who != 0 })
		a.port.Do(func() { checkFrames(t, a.frames, 50) }) // of silence
		a.port.Mute(Out, false)
		a.port.Echo(true)
		var in, out []int16
		remove := a.port.Tap(tapFunc(func(_ uint64, i, o []int16) { in, out = append(in, i...), append(out, o...) }))
		hears("a is tapped", func(who, whom int) bool { return who != whom })
		remove()
		for _, c := range []struct {
			pcm  []int16
			hz   float64
			want bool
		}{{in, 500, true}, {in, 700, false}, {out, 500, false}, {out, 700, true}, {out, 900, true}} {
			if got := goertzel(c.pcm, 8000, c.hz); (got > 0.015) != c.want {
				t.Errorf("the tap sees %v Hz at %v, want %v", c.hz, got, c.want)
			}
		}
		a.port.Echo(false)
	})
}

func TestRoomIsTappedAndPlayedTo(t *testing.T) {
	for _, members := range []int{1, 2, 3} {
		inRoom(t, 1, func(r *room) {
			t := r.t
			b := NewBridge(BridgeOptions{})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			src := &levels{n: 3}
			if err := b.Play(ctx, src); !errors.Is(err, context.DeadlineExceeded) || src.at != 0 || !src.closed {
				t.Errorf("Play to an empty room: %v after %d frames", err, src.at)
			}
			var pcm []int16
			remove := b.Tap(tapFunc(func(_ uint64, in, out []int16) {
				if out != nil {
					t.Error("a room has no out")
				}
				if in == nil {
					in = make([]int16, 160)
				}
				pcm = append(pcm, in...)
			}))
			for i := range members {
				r.join(b, r.phone(float64(500+200*i), 8000))
			}
			time.Sleep(time.Second)
			var seen []int16
			r.lines[0].port.Do(func() { seen = slices.Clone(pcm) })
			for i := range members {
				if got := goertzel(seen, 8000, float64(500+200*i)); math.Abs(got-0.02) > 0.002 {
					t.Errorf("%d members: the tap sees member %d at %v", members, i, got)
				}
			}
			r.forget()
			horn := NewClip(8000, sine(1900, 8000, 8000)).Source()
			if err := b.Play(t.Context(), horn); err != nil {
				t.Error(err)
			}
			for i, l := range r.lines {
				if got := l.amplitude(1900); got < 0.2 {
					t.Errorf("%d members: member %d hears what is played at %v", members, i, got)
				}
			}
			played := make(chan error, 1)
			go func() { played <- b.Play(t.Context(), &levels{n: 1000}) }()
			time.Sleep(100 * time.Millisecond)
			if err := b.Play(t.Context(), &levels{n: 1}); err != nil {
				t.Error(err)
			}
			if err := <-played; !errors.Is(err, ErrReplaced) {
				t.Errorf("replaced: %v", err)
			}
			remove()
			remove()
			n := len(pcm)
			go func() { played <- b.Play(t.Context(), &levels{n: 1000}) }()
			time.Sleep(100 * time.Millisecond)
			b.Close()
			if err := <-played; !errors.Is(err, ErrClosed) {
				t.Errorf("closed: %v", err)
			}
			if err := b.Play(t.Context(), &levels{n: 1}); !errors.Is(err, ErrClosed) {
				t.Errorf("Play on a closed bridge: %v", err)
			}
			if len(pcm) != n {
				t.Error("the tap sees more after it was removed")
			}
		})
	}
}

func sine(hz float64, rate, n int) []int16 {
	pcm := make([]int16, n)
	for i := range pcm {
		pcm[i] = int16(8000 * math.Sin(2*math.Pi*hz*float64(i)/float64(rate)))
	}
	return pcm
}

// A fault of a source or tap of the bridge ends only those.
func TestPanicInARoomEndsWhatPanicked(t *testing.T) {
	inRoom(t, 1, func(r *room) {
		t := r.t
		b := NewBridge(BridgeOptions{Logger: slog.New(slog.DiscardHandler)})
		r.join(b, r.phone(500, 8000), r.phone(700, 8000), r.phone(900, 8000))
		if err := b.Play(t.Context(), &panicky{}); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("Play: %v", err)
		}
		b.Tap(tapFunc(func(uint64, []int16, []int16) { panic("a fault of a tap") }))
		time.Sleep(100 * time.Millisecond)
		r.lines[0].port.Tap(tapFunc(func(uint64, []int16, []int16) { panic("a fault of a member's tap") }))
		time.Sleep(100 * time.Millisecond)
		r.forget()
		time.Sleep(time.Second)
		r.checkTones(func(who, whom int) bool { return who != whom && who > 0 && whom > 0 })
		if st := b.Stats(); st.Members != 2 {
			t.Errorf("%+v", st)
		}
	})
}

// Whatever members come and go, a third one hears a frame each 20 ms.
func TestJoiningAndLeavingDisturbsNobody(t *testing.T) {
	for _, shards := range []int{1, 3} {
		inRoom(t, shards, func(r *room) {
			t := r.t
			b := NewBridge(BridgeOptions{})
			third := r.phone(440, 8000)
			r.join(b, third, r.phone(550, 8000))
			time.Sleep(30 * time.Millisecond)
			r.forget()
			start := time.Now()
			var guests []*toneLine
			for i := range 10 {
				guests = append(guests, r.phone(float64(700+50*i), []int{8000, 16000}[i%2]))
			}
			rnd := rand.New(rand.NewPCG(1, 2))
			in := map[*toneLine]bool{}
			for range 1000 {
				g := guests[rnd.IntN(len(guests))]
				if in[g] {
					b.Leave(g.port)
				} else {
					r.join(b, g)
				}
				in[g] = !in[g]
				time.Sleep(time.Duration(rnd.IntN(8000)) * time.Microsecond)
			}
			n := int(time.Since(start) / FrameDuration)
			third.port.Do(func() {
				if got := len(third.frames); got < n-1 || got > n+1 {
					t.Errorf("%d frames in %d intervals", got, n)
				}
				checkFrames(t, third.frames, len(third.frames))
			})
		})
	}
}

// Ports are moved to and fro while all else happens to them.
func TestBridgesUnderFire(t *testing.T) {
	shards := NewShards(ShardsConfig{N: 3, Portable: true, Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- shards.Run(ctx) }()
	r := &room{t: t, shards: shards}
	bridges := []*Bridge{NewBridge(BridgeOptions{Digits: true}), NewBridge(BridgeOptions{}), NewBridge(BridgeOptions{})}
	for i := range 12 {
		r.phone(float64(300+i), []int{8000, 16000}[i%2])
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	posts := map[*Port][]int{} // guarded by mu
	for i, l := range r.lines {
		p := l.port
		wg.Go(func() { // membership: one goroutine a port, all over the shards
			rnd := rand.New(rand.NewPCG(uint64(i), 1))
			for range 60 {
				b := bridges[rnd.IntN(len(bridges))]
				if b.Join(p) == nil && p.Shard() != *shardOf(p) {
					t.Error("the port does not know where it lives")
				}
				b.Leave(p)
			}
		})
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(i), 2))
			for n := range 60 {
				p.Post(func() {
					mu.Lock()
					posts[p] = append(posts[p], n)
					mu.Unlock()
				})
				switch rnd.IntN(5) {
				case 0:
					ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
					_ = p.Play(ctx, &levels{n: 2})
					cancel()
				case 1:
					p.Tap(tapFunc(func(uint64, []int16, []int16) {}))()
				case 2:
					p.Mute(Both, n%2 == 0)
				case 3:
					bridges[0].Tap(tapFunc(func(uint64, []int16, []int16) {}))()
				case 4:
					_ = bridges[1].Stats()
				}
			}
			if i%4 == 3 {
				p.Close()
			}
		})
	}
	wg.Wait()
	for _, l := range r.lines {
		l.port.Do(func() {})
		want := make([]int, 60)
		for n := range want {
			want[n] = n
		}
		mu.Lock()
		if got := posts[l.port]; !slices.Equal(got, want) {
			t.Errorf("posts ran as %v", got)
		}
		mu.Unlock()
		l.port.Close()
	}
	for _, b := range bridges {
		if st := b.Stats(); st.Members != 0 {
			t.Errorf("%+v", st)
		}
		b.Close()
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// shardOf reads the port's shard where it may be read, on it.
func shardOf(p *Port) **Shard {
	s := new(*Shard)
	p.Do(func() { *s = p.shard })
	return s
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

func (l *muteLine) WriteFrame(uint64, []int16)  {}
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
func BenchmarkRoomTick(b *testing.B) {
	for _, n := range []int{3, 20, 400} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			tick, _ := roomOnTest(n)
			b.ReportAllocs()
			for b.Loop() {
				tick()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/member")
		})
	}
}
