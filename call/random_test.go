package call_test

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/store"
)

// TestRandomConnects lets callers and those they are connected with do anything at any time: in the end nothing is
// left of them, every call has one record and one call_hangup, which is its last event.
func TestRandomConnects(t *testing.T) {
	seeds := 80
	if testing.Short() {
		seeds = 15
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { randomConnect(t, rand.New(rand.NewPCG(uint64(seed), 11))) })
		})
	}
}

func randomConnect(t *testing.T, rnd *rand.Rand) {
	options := []string{"", `,"early_media":true`, `,"relay_reason":true`, `,"timeout":400`, `,"early_media":true,"timeout":700`}[rnd.IntN(5)]
	before := []string{"", `{"type":"answer"},`, `{"type":"answer"},{"type":"recording_start"},`}[rnd.IntN(3)]
	h := open(t, map[string]string{
		"100": "[" + before + connectTo(options, `,{"type":"beep"}`, 1, 2)[1:],
		"200": `[{"type":"conference_join","option":{"conference_id":"blue"}},{"type":"beep"}]`,
	}, outbound, func(c *call.Config) { c.OpenRooms = true })
	if rnd.IntN(2) == 0 {
		share := func() float64 { return []float64{0, 0.1}[rnd.IntN(2)] }
		h.net.SetFaults(calltest.Faults{
			Delay: time.Duration(rnd.IntN(40)) * time.Millisecond, Jitter: time.Duration(rnd.IntN(30)) * time.Millisecond,
			Loss: share(), Reorder: share(), Duplicate: share(), Seed: rnd.Uint64(),
		})
	}
	pause := func() { time.Sleep(time.Duration(rnd.IntN(300)) * time.Millisecond) }
	for n := range 2 {
		base, calls := rnd.Uint64(), new(atomic.Uint64)
		callee(t, h, byte(n+1), func(p *calltest.PhoneConfig) {
			p.IgnoreCancel = rnd.IntN(3) == 0
			p.PCMA = rnd.IntN(2) == 0
			p.NoEvents = rnd.IntN(4) == 0
			p.NoBYEAnswer = rnd.IntN(6) == 0
			p.Silent = rnd.IntN(8) == 0
			p.Accept = func(c *calltest.PhoneCall) {
				script := rand.New(rand.NewPCG(base, calls.Add(1)))
				for range 6 {
					time.Sleep(time.Duration(script.IntN(200)) * time.Millisecond)
					switch script.IntN(10) {
					case 0:
						c.Ring()
					case 1:
						c.Progress()
					case 2, 3, 4:
						c.Answer()
					case 5:
						c.Refuse([]int{486, 480, 404, 500, 603}[script.IntN(5)])
					case 6:
						c.Press("7")
					case 7:
						c.Redirect(302, "sip:b2@10.0.1.2")
					case 8:
						c.Say(calltest.Tone(600, 100*time.Millisecond))
					case 9:
						if script.IntN(2) == 0 {
							c.Vanish()
						}
					}
				}
			}
		})
	}
	var calls []*calltest.PhoneCall
	for range 1 + rnd.IntN(3) {
		dest := []string{"100", "100", "200"}[rnd.IntN(3)]
		calls = append(calls, calltest.NewPhone(t, h.net, calltest.PhoneConfig{PCMA: rnd.IntN(2) == 0, NoACK: rnd.IntN(8) == 0}).Start(t, dest))
		pause()
	}
	for _, c := range calls {
		pause()
		switch rnd.IntN(4) {
		case 0:
			c.Press("5")
		case 1:
			c.Say(calltest.Tone(500, 200*time.Millisecond))
		}
		pause()
		if rnd.IntN(8) == 0 {
			c.Vanish()
		}
		if rnd.IntN(2) == 0 {
			select {
			case <-c.Done():
			default:
				if len(c.Answers()) > 0 {
					c.Hangup(t)
				} else {
					c.Cancel()
				}
			}
		}
	}
	if rnd.IntN(4) > 0 {
		time.Sleep(40 * time.Second) // whoever said nothing at all is given up by then
	}
	ended := map[string]int{}
	for _, r := range h.records(t) { // stops the engine, which hangs up what is left
		ended[r.ID] = 0
		if r.Status != store.StatusHangup || r.HangupReason == "" || r.Code == "" || r.TmHangup.IsZero() || r.ConfbridgeID != "" || r.RecordingID != "" {
			t.Errorf("left behind: %+v", r)
		}
	}
	for f := range h.Conferences() {
		t.Errorf("conference %s is left", f.ID())
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.events {
		c, ok := e.Data.(store.Call)
		if !ok {
			continue
		}
		n, known := ended[c.ID]
		switch {
		case !known:
			t.Errorf("%s of a call without a record", e.Type)
		case n > 0:
			t.Errorf("%s after call_hangup", e.Type)
		case e.Type == "call_hangup":
			ended[c.ID]++
		}
	}
	for id, n := range ended {
		if n != 1 {
			t.Errorf("call %s has %d call_hangup", id, n)
		}
	}
}
