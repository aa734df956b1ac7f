package media

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

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
