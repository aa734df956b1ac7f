package main

import (
	"testing"
	"time"

	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/media/tone"
)

// TestParrot runs the README's command: the caller hears its own voice.
func TestParrot(t *testing.T) {
	p := calltest.RunProgram(t, ".", "-fake")
	p.WaitOutput(t, "voiceai: ready")
	c := calltest.NewPhone(t, calltest.Loopback{}, calltest.PhoneConfig{Addr: p.SIP.Addr(), Server: p.SIP}).Dial(t, "bot")
	<-time.After(3 * time.Second) // of greeting
	said := phrase(t, "first question")
	c.Say(said)
	peak := 0.0
	for range 50 {
		<-time.After(200 * time.Millisecond)
		heard := c.Heard()
		for at := 0; at+4000 <= len(said); at += 2000 { // any half second: a busy machine loses a packet here and there
			found, _ := tone.Correlate(said[at:at+4000], heard[min(len(heard), 3*8000):])
			peak = max(peak, found)
		}
		if peak > 0.7 {
			break
		}
	}
	if peak <= 0.7 {
		t.Errorf("what is heard resembles what was said by %.2f", peak)
	}
	c.Hangup(t)
	p.WaitOutput(t, "voiceai: turn")
}
