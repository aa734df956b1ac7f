package call_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
)

const roomFlow = `[{"type":"answer"},{"type":"conference_join","option":{"conference_id":"${voipbin.call.destination.target}"}}]`

func TestRoomsAreHeardByTheirMembersOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"blue": roomFlow, "red": roomFlow}, func(c *call.Config) { c.OpenRooms = true })
		hz := []float64{400, 550, 700, 900, 1150}
		var calls []*calltest.PhoneCall
		for i, room := range []string{"blue", "blue", "blue", "red", "red"} {
			begun := time.Now()
			c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{PCMA: i%2 == 1}).Dial(t, room)
			t.Log(i, time.Since(begun))
			c.Say(calltest.Tone(hz[i], 5*time.Second))
			calls = append(calls, c)
		}
		time.Sleep(3 * time.Second)
		for i, c := range calls {
			heard := c.Heard()
			t.Log(i, len(heard))
			last := heard[max(0, len(heard)-8000):]
			for j := range hz {
				want := i != j && (i < 3) == (j < 3)
				if got := calltest.Hears(last, hz[j]); got != want {
					t.Errorf("phone %d hears %d: %v, want %v", i, j, got, want)
				}
			}
		}
		calls[0].Hangup(t)
	})
}
