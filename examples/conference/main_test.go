package main_test

import (
	"testing"
	"time"

	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/media/tone"
)

// TestThreeInARoom has three phones in one room and one in another: each hears the others of its room.
func TestThreeInARoom(t *testing.T) {
	p := calltest.RunProgram(t, ".")
	var calls []*calltest.PhoneCall
	hz := []float64{400, 550, 700, 900}
	for i, room := range []string{"blue", "blue", "blue", "red"} {
		phone := calltest.NewPhone(t, calltest.Loopback{}, calltest.PhoneConfig{Addr: p.SIP.Addr(), Server: p.SIP, PCMA: i == 1})
		c := phone.Dial(t, room)
		c.Say(tone.Sine(hz[i], 4*time.Second).Clip(8000).PCM())
		calls = append(calls, c)
	}
	<-time.After(2500 * time.Millisecond)
	for i, c := range calls {
		heard := c.Heard()
		last := heard[max(0, len(heard)-8000):]
		for j := range hz {
			level := tone.Goertzel(last, 8000, hz[j])
			if want := i != j && i < 3 && j < 3; want != (level > 0.05) {
				t.Errorf("phone %d hears %d at %v, want it: %v", i, j, level, want)
			}
		}
	}
	calls[0].Hangup(t)
	p.WaitOutput(t, "blue", "red", "joined", "leaved")
}
