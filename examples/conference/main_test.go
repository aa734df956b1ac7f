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
	p.WaitOutput(t, "blue", "red", "joined", "conference_talking_started", "leaved hung_up")
}

// TestBoard has the two phones of the board hear nobody until the moderator is there.
func TestBoard(t *testing.T) {
	p := calltest.RunProgram(t, ".")
	var calls []*calltest.PhoneCall
	for i, pin := range []string{"2468", "1357"} {
		if i == 1 {
			<-time.After(2 * time.Second)
			heard := calls[0].Heard()
			if level := tone.Goertzel(heard[len(heard)-3200:], 8000, 900); level > 0.01 {
				t.Errorf("somebody is heard before the moderator is there: %v", level)
			}
		}
		phone := calltest.NewPhone(t, calltest.Loopback{}, calltest.PhoneConfig{Addr: p.SIP.Addr(), Server: p.SIP})
		c := phone.Dial(t, "board")
		<-time.After(time.Second)
		c.Press(pin + "#")
		<-time.After(time.Second)
		c.Press("#") // no name
		<-time.After(time.Second)
		c.Say(tone.Sine([]float64{700, 900}[i], 20*time.Second).Clip(8000).PCM())
		calls = append(calls, c)
	}
	<-time.After(2 * time.Second)
	for i, c := range calls {
		heard := c.Heard()
		if level := tone.Goertzel(heard[len(heard)-8000:], 8000, []float64{900, 700}[i]); level < 0.05 {
			t.Errorf("phone %d hears the other at %v", i, level)
		}
		c.Press("*6")
	}
	p.WaitOutput(t, "board", "joined")
}
