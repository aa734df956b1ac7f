package media

import (
	"slices"
	"testing"
	"time"
)

// TestMembership: of a room of n, at several rates and on several threads, the last one is heard by nobody, by one, and by all. Who hears
// it makes no difference for what the others hear, nor for a recording.
func TestMembership(t *testing.T) {
	for _, c := range []struct {
		n, shards int
		rates     []int
	}{{2, 1, []int{8000}}, {3, 1, []int{8000}}, {3, 2, []int{8000, 16000}}, {5, 1, []int{16000, 8000}}, {70, 2, []int{8000}}} {
		inRoom(t, c.shards, func(r *room) {
			b := NewBridge(BridgeOptions{Digits: true})
			for i := range c.n {
				l := r.phone(float64(300+45*i), c.rates[i%len(c.rates)])
				if i < c.n-1 {
					r.join(b, l)
				}
			}
			spy, target := c.n-1, c.n-2
			if c.n == 70 {
				target = 66 // beyond those that live with the first one
			}
			if err := b.JoinAs(r.lines[spy].port, Membership{Mute: true}, r.lines[target].port); err != nil {
				t.Fatal(err)
			}
			var tapped []int16
			remove := b.Tap(tapFunc(func(_ uint64, in, _ []int16) { tapped = append(tapped, in...) }))
			check := func(what string, a Membership, hears func(who int) bool) {
				t.Helper()
				b.SetMember(r.lines[spy].port, a)
				time.Sleep(200 * time.Millisecond)
				r.forget()
				time.Sleep(time.Second)
				r.checkTones(func(who, whom int) bool { return who != whom && (whom != spy || hears(who)) })
				if t.Failed() {
					t.Fatalf("%s, room of %d", what, c.n)
				}
			}
			check("nobody", Membership{Mute: true}, func(int) bool { return false })
			check("one", Membership{Only: r.lines[target].port}, func(who int) bool { return who == target })
			if c.n > 2 && c.n < 70 {
				check("another one", Membership{Only: r.lines[0].port}, func(who int) bool { return who == 0 })
			}
			recorded := slices.Clone(tapped)
			if amp := goertzel(recorded[len(recorded)-8000:], b.Rate(), r.lines[spy].hz); amp > 0.002 {
				t.Errorf("room of %d: what one was told is in the recording, at %v", c.n, amp)
			}
			check("all", Membership{}, func(int) bool { return true })
			check("nobody again", Membership{Mute: true}, func(int) bool { return false })
			remove()
			b.Leave(r.lines[target].port)
			b.SetMember(r.lines[spy].port, Membership{Only: r.lines[target].port})
			r.forget()
			time.Sleep(time.Second)
			for i := range r.lines {
				if amp := r.lines[i].amplitude(r.lines[spy].hz); amp > 0.002 {
					t.Errorf("room of %d: whom the spy spoke to has left, and line %d hears it", c.n, i)
				}
			}
		})
	}
}

// TestSecretMembersPassNothing: two whose packets would fit are mixed where one of them is not for the other's ears.
func TestSecretMembersPassNothing(t *testing.T) {
	inRoom(t, 1, func(r *room) {
		b := NewBridge(BridgeOptions{Digits: true})
		for i, hz := range []float64{500, 800} {
			l := r.phone(hz, 8000)
			l.port.Do(func() {
				l.port.SetFormat(&Format{Codec: "TEST", Rate: 8000, Span: FrameDuration, Stateless: true, NewEncoder: func() EncodeFunc { return encodeTest }})
			})
			if i == 0 {
				r.join(b, l)
			} else if err := b.JoinAs(l.port, Membership{Mute: true}, nil); err != nil {
				t.Fatal(err)
			}
		}
		spy := r.lines[1]
		forwards := func() (f, k bool) {
			spy.port.Do(func() { f, k = spy.forward != nil, spy.keys != nil })
			return f, k
		}
		if f, k := forwards(); f || k {
			t.Errorf("the spy's packets pass: %v, its keys: %v", f, k)
		}
		b.SetMember(spy.port, Membership{})
		if f, k := forwards(); !f || !k {
			t.Errorf("heard by all, its packets pass: %v, its keys: %v", f, k)
		}
	})
}

func TestCoachedRoomTickDoesNotAllocate(t *testing.T) {
	tick, b := roomOnTest(20)
	members := (*b.parts.Load())[0].members
	b.SetMember(members[19].port, Membership{Only: members[2].port})
	tick()
	if n := testing.AllocsPerRun(500, tick); n != 0 {
		t.Errorf("%v allocations a tick", n)
	}
}
