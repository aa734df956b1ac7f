package call_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/store"
)

// TestNothingLeaksBetweenRooms has members come, go, and be muted, deafened, kicked and put back at random in two rooms at
// once. After each step each member hears exactly those of its room that it should, and of the other room nobody, nor what is
// announced there.
func TestNothingLeaksBetweenRooms(t *testing.T) {
	for seed := range uint64(seeds(200)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { randomRooms(t, seed) })
		})
	}
}

// guest is a phone of randomRooms.
type guest struct {
	*calltest.PhoneCall
	room       int // -1: in none
	id         string
	hz         float64
	mute, deaf bool
	listener   bool
	mark       int
}

func randomRooms(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 5))
	flows := map[string]string{}
	names := []string{"blue", "red"}
	for _, n := range names {
		flows[n] = `[{"type":"answer"},{"type":"conference_join","option":{"conference_id":"` + n + `"}}]`
	}
	h := open(t, flows)
	var rooms []*call.Conference
	for i, n := range names {
		f, err := h.CreateConference(call.ConferenceOptions{ID: n, TalkerEvents: i == rnd.IntN(2), MusicUntilSecond: false})
		if err != nil {
			t.Fatal(err)
		}
		rooms = append(rooms, f)
	}
	guests := make([]*guest, 6)
	for i := range guests {
		guests[i] = &guest{room: -1, hz: float64(400 + 170*i)}
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for step := range 8 {
		for range 1 + rnd.IntN(3) {
			g := guests[rnd.IntN(len(guests))]
			if g.room < 0 {
				g.room, g.mute, g.deaf, g.listener = rnd.IntN(2), false, false, false
				g.PhoneCall = calltest.NewPhone(t, h.net, calltest.PhoneConfig{PCMA: rnd.IntN(2) == 0}).Dial(t, names[g.room])
				g.Say(calltest.Tone(g.hz, 2*time.Minute))
				time.Sleep(600 * time.Millisecond)
				all := rooms[g.room].Calls()
				g.id = all[len(all)-1].ReferenceID
				continue
			}
			f := rooms[g.room]
			switch rnd.IntN(5) {
			case 0:
				g.Hangup(t)
				g.room = -1
			case 1:
				check(f.Kick(g.id))
				g.WaitEnd(t)
				g.room = -1
			case 2:
				if !g.listener {
					g.mute = !g.mute
					check(f.Mute(g.id, g.mute))
				}
			case 3:
				g.deaf = !g.deaf
				check(f.Deafen(g.id, g.deaf))
			case 4:
				g.listener = !g.listener
				check(f.SetRole(g.id, map[bool]string{true: store.RoleListener, false: store.RoleParticipant}[g.listener]))
			}
		}
		// Where somebody is left of the first room, it gets an announcement.
		announced := slices.ContainsFunc(guests, func(g *guest) bool { return g.room == 0 })
		time.Sleep(200 * time.Millisecond)
		for _, g := range guests {
			if g.room >= 0 {
				g.mark = len(g.Heard())
			}
		}
		if announced {
			check(rooms[0].Announce(t.Context(), call.AnnounceOptions{Sound: call.Sound{URL: "http://tone/700"}}))
		} else {
			time.Sleep(time.Second)
		}
		for i, g := range guests {
			if g.room < 0 {
				continue
			}
			heard := g.Heard()[g.mark:]
			for j, o := range guests {
				want := i != j && o.room == g.room && !o.mute && !o.listener && !g.deaf
				if got := calltest.Hears(heard, o.hz); got != want {
					t.Errorf("seed %d, step %d: guest %d of room %d hears %d of room %d: %v", seed, step, i, g.room, j, o.room, got)
				}
			}
			if got, want := calltest.Hears(heard, 700), announced && g.room == 0 && !g.deaf; got != want {
				t.Errorf("seed %d, step %d: guest %d of room %d hears what is said in the first: %v", seed, step, i, g.room, got)
			}
		}
		if t.Failed() {
			t.Fatal("stop here")
		}
	}
	for _, f := range rooms {
		f.Terminate()
		<-f.Done()
	}
	for _, g := range guests {
		if g.room >= 0 {
			g.WaitEnd(t)
		}
	}
}
