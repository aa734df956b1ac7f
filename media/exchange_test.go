package media

import (
	"math"
	"slices"
	"sync"
	"testing"
	"time"
)

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
