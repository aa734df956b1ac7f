package main_test

import (
	"regexp"
	"testing"
	"time"

	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/media/tone"
)

// TestCallerMeetsTwo calls the program: an agent answers, talks and hangs up, then the second destination.
func TestCallerMeetsTwo(t *testing.T) {
	var phones []*calltest.Phone
	for range 2 {
		at := calltest.FreePort(t)
		phones = append(phones, calltest.NewPhone(t, calltest.Loopback{}, calltest.PhoneConfig{Addr: at.Addr(), Port: at.Port()}))
	}
	p := calltest.RunProgram(t, ".", "-agent", "agent@"+phones[0].Addr().String(), "-second", "billing@"+phones[1].Addr().String())
	caller := calltest.NewPhone(t, calltest.Loopback{}, calltest.PhoneConfig{Addr: p.SIP.Addr(), Server: p.SIP}).Start(t, "100")
	for i, hz := range []float64{500, 800} {
		c := phones[i].WaitCall(t)
		c.Ring()
		c.Answer()
		c.WaitAnswer(t)
		if i == 0 {
			caller.WaitAnswer(t)
		}
		c.Say(tone.Sine(hz, 3*time.Second).Clip(8000).PCM())
		<-time.After(1500 * time.Millisecond)
		heard := caller.Heard()
		if level := tone.Goertzel(heard[len(heard)-4000:], 8000, hz); level < 0.1 {
			t.Errorf("the caller hears destination %d at %v", i, level)
		}
		c.Hangup(t)
	}
	caller.WaitEnd(t)
	p.WaitOutput(t, "outgoing call alice", "callee_hung_up", "incoming call alice", "flow_ended")
	ids := regexp.MustCompile(`journey (\w{8}):`).FindAllStringSubmatch(p.Output(), -1)
	if len(ids) != 3 || ids[0][1] != ids[1][1] || ids[0][1] != ids[2][1] {
		t.Errorf("journeys %v, want three lines of one", ids)
	}
}
