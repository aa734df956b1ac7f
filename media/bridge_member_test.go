package media

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"testing"
	"time"
)

// Who is muted is heard by nobody, who is deaf hears nobody, whether two are in the room or more, at any rate.
func TestMembersAreMutedAndDeafened(t *testing.T) {
	for _, rates := range [][]int{{8000, 8000}, {8000, 8000, 8000, 8000}, {8000, 16000, 8000, 16000}} {
		inRoom(t, 1, func(r *room) {
			t := r.t
			b := NewBridge(BridgeOptions{})
			for i, rate := range rates {
				l := r.phone(float64(500+300*i), rate)
				as := Membership{Mute: i == 0}
				if err := b.JoinAs(l.port, as, nil); err != nil {
					t.Fatal(err)
				}
			}
			r.checkTones(func(who, whom int) bool { return false }) // not even a frame of it
			for _, c := range []struct{ mute, deaf int }{{0, -1}, {-1, -1}, {-1, 1}, {1, 0}, {-1, -1}} {
				as := map[*Port]Membership{}
				for i, l := range r.lines {
					as[l.port] = Membership{Mute: i == c.mute, Deaf: i == c.deaf}
				}
				b.SetMembers(as)
				time.Sleep(200 * time.Millisecond)
				r.forget()
				time.Sleep(time.Second)
				r.checkTones(func(who, whom int) bool { return who != whom && whom != c.mute && who != c.deaf })
			}
			for _, l := range r.lines {
				l.port.Do(func() { checkFrames(t, l.frames, 50) })
			}
		})
	}
}

// A tap of the room does not hear who is muted; one of the muted member's own port does.
func TestMutedMemberIsNotRecordedWithTheRoom(t *testing.T) {
	for _, members := range []int{2, 3} {
		inRoom(t, 1, func(r *room) {
			b := NewBridge(BridgeOptions{})
			for i := range members {
				r.join(b, r.phone(float64(500+300*i), 8000))
			}
			b.SetMembers(map[*Port]Membership{r.lines[0].port: {Mute: true}})
			time.Sleep(100 * time.Millisecond)
			var room, own []int16
			b.Tap(tapFunc(func(_ uint64, in, _ []int16) { room = append(room, in...) }))
			r.lines[0].port.Tap(tapFunc(func(_ uint64, in, _ []int16) { own = append(own, in...) }))
			time.Sleep(time.Second)
			r.lines[0].port.Do(func() {
				if got := goertzel(room, 8000, 500); got > 0.002 {
					r.t.Errorf("the room's tap hears who is muted at %v", got)
				}
				if got := goertzel(room, 8000, 800); got < 0.018 {
					r.t.Errorf("the room's tap hears the other at %v", got)
				}
				if got := goertzel(own, 8000, 500); got < 0.018 {
					r.t.Errorf("the port's own tap hears it at %v", got)
				}
			})
		})
	}
}

// What is played to one, or to all but one, is heard by those, with what they hear of each other, and without a gap in it.
func TestPlayedToSome(t *testing.T) {
	for _, c := range []struct{ members, shards, rate int }{{1, 1, 8000}, {2, 1, 8000}, {3, 1, 8000}, {4, 1, 16000}, {70, 3, 8000}} {
		inRoom(t, c.shards, func(r *room) {
			t := r.t
			b := NewBridge(BridgeOptions{})
			for i := range c.members {
				hz := 0.0
				if i < 3 {
					hz = float64(500 + 300*i)
				}
				rate := 8000
				if i == 1 {
					rate = c.rate
				}
				r.join(b, r.phone(hz, rate))
			}
			horn := func() Source { return NewClip(8000, sine(1900, 8000, 8000)).Source() }
			check := func(what string, hears func(i int) bool) {
				t.Helper()
				for i, l := range r.lines {
					got := l.amplitude(1900)
					if want := hears(i); want != (got > 0.15) || !want && got > 0.005 {
						t.Errorf("%s: member %d of %d hears it at %.3f", what, i, c.members, got)
					}
				}
				r.checkTones(func(who, whom int) bool { return who != whom })
				r.lines[0].port.Do(func() { checkFrames(t, r.lines[0].frames, len(r.lines[0].frames)) })
			}
			time.Sleep(100 * time.Millisecond)
			for _, who := range []int{0, min(1, c.members-1), c.members - 1} {
				r.forget()
				if err := b.PlayTo(t.Context(), horn(), Audience{Only: r.lines[who].port}); err != nil {
					t.Error(err)
				}
				check("only", func(i int) bool { return i == who })
				r.forget()
				if err := b.PlayTo(t.Context(), horn(), Audience{Except: r.lines[who].port}); err != nil {
					t.Error(err)
				}
				check("except", func(i int) bool { return i != who })
			}
			// Music goes on below, a member that hears nothing else hears what is played to it.
			ctx, cancel := context.WithCancelCause(t.Context())
			music := make(chan error, 1)
			go func() { music <- b.Music(ctx, NewClip(8000, sine(2500, 8000, 80000)).Source()) }()
			b.SetMembers(map[*Port]Membership{r.lines[0].port: {Deaf: true}})
			time.Sleep(100 * time.Millisecond)
			r.forget()
			if err := b.PlayTo(t.Context(), horn(), Audience{Only: r.lines[0].port}); err != nil {
				t.Error(err)
			}
			for i, l := range r.lines {
				if got := l.amplitude(2500); (got > 0.15) != (i > 0) {
					t.Errorf("member %d hears the music at %.3f", i, got)
				}
				if got := l.amplitude(1900); (got > 0.15) != (i == 0) {
					t.Errorf("member %d hears what is played to the first one at %.3f", i, got)
				}
			}
			why := errors.New("enough")
			cancel(why)
			if err := <-music; err != why {
				t.Errorf("Music: %v", err)
			}
		})
	}
}

func TestPlayToOneEnds(t *testing.T) {
	inRoom(t, 1, func(r *room) {
		t := r.t
		b := NewBridge(BridgeOptions{Logger: slog.New(slog.DiscardHandler)})
		r.join(b, r.phone(500, 8000), r.phone(700, 8000), r.phone(900, 8000))
		stranger := r.phone(400, 8000)
		src := &levels{n: 1}
		if err := b.PlayTo(t.Context(), src, Audience{Only: stranger.port}); !errors.Is(err, ErrNotMember) || !src.closed {
			t.Errorf("to who is no member: %v", err)
		}
		p := r.lines[0].port
		start := func(src Source) chan error {
			done := make(chan error, 1)
			go func() { done <- b.PlayTo(t.Context(), src, Audience{Only: p}) }()
			time.Sleep(100 * time.Millisecond)
			return done
		}
		first := start(&levels{n: 1000})
		second := start(&levels{n: 1000})
		if err := <-first; !errors.Is(err, ErrReplaced) {
			t.Errorf("replaced: %v", err)
		}
		b.Leave(p)
		if err := <-second; !errors.Is(err, ErrClosed) {
			t.Errorf("left: %v", err)
		}
		r.join(b, r.lines[0])
		if err := b.PlayTo(t.Context(), &panicky{}, Audience{Only: p}); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("a fault of the source: %v", err)
		}
		if st := b.Stats(); st.Members != 3 {
			t.Errorf("members are lost by it: %+v", st)
		}
	})
}

// Levels are those of the peers, also of two whose packets pass untouched, and 0 for who is muted, silent or gone.
func TestLevels(t *testing.T) {
	for _, members := range []int{1, 2, 4} {
		inRoom(t, 1, func(r *room) {
			t := r.t
			b := NewBridge(BridgeOptions{Levels: true})
			for i := range members {
				l := r.phone(0, 8000)
				if i < 2 {
					l.hz, l.amp = 1000, 0.1*float64(i+1)
				}
				r.join(b, l)
			}
			check := func(what string, want ...float64) {
				t.Helper()
				time.Sleep(300 * time.Millisecond)
				for i, l := range r.lines {
					if got := l.port.Level(); math.Abs(got-want[i]) > 0.1*want[i]+0.001 {
						t.Errorf("%s: level of member %d of %d is %.4f, want %.4f", what, i, members, got, want[i])
					}
				}
			}
			one, two := 0.1*2/math.Pi, 0.2*2/math.Pi
			check("begun", one, two, 0, 0)
			b.SetMembers(map[*Port]Membership{r.lines[0].port: {Mute: true}})
			check("muted", 0, two, 0, 0)
			b.SetMembers(map[*Port]Membership{r.lines[0].port: {}})
			check("unmuted", one, two, 0, 0)
			r.lines[0].port.Mute(In, true)
			check("the port is muted", 0, two, 0, 0)
			r.lines[0].port.Mute(In, false)
			b.SetLevels(false)
			check("switched off", 0, 0, 0, 0)
			b.SetLevels(true)
			check("switched on", one, two, 0, 0)
			b.Leave(r.lines[0].port)
			check("left", 0, two, 0, 0)
		})
	}
}

func TestRoomWithLevelsDoesNotAllocate(t *testing.T) {
	tick, b := roomOnTest(20)
	b.SetLevels(true)
	tick()
	if n := testing.AllocsPerRun(500, tick); n != 0 {
		t.Errorf("%v allocations a tick", n)
	}
}
