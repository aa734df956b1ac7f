package main_test

import (
	"strings"
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
	p.WaitOutput(t, "joins bridge", "hangs up leg 2 (callee_hung_up)", "hangs up leg 3 (callee_hung_up)", "leg 1 hangs up", "(flow_ended)", "flowchart LR", "hung up (flow_ended)")
	out := p.Output()
	if n := strings.Count(out, "joins bridge"); n%4 != 0 { // two bridges of two, whenever it is printed
		t.Errorf("%d joins", n)
	}
	for _, name := range []string{"agent@", "billing@", "alice@"} {
		if !strings.Contains(out, name) {
			t.Errorf("%s is not in it", name)
		}
	}
}
