package main

import (
	"testing"
	"time"

	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/media/tone"
)

// TestParrot runs the program as a newcomer does, without a key, over real sockets: what the caller has said comes back.
func TestParrot(t *testing.T) {
	server := calltest.RunProgram(t, ".", "-fake").SIP
	c := calltest.NewPhone(t, calltest.Loopback{}, calltest.PhoneConfig{Addr: server.Addr(), Server: server}).Dial(t, "bot")
	for deadline := time.After(20 * time.Second); ; { // the greeting: real speech, or a beep where there is no espeak-ng
		pcm := c.Heard()
		if n := len(pcm); n > 16000 && tone.Level(pcm) > 0.005 && tone.Level(pcm[n-8000:]) < 0.001 {
			break
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-deadline:
			t.Fatal("there is no greeting")
		}
	}
	from, said := len(c.Heard()), sayings(t)["what is the weather"]
	c.Say(said)
	best := 0.0
	for deadline := time.After(20 * time.Second); best < 0.7; {
		select {
		case <-time.After(250 * time.Millisecond):
		case <-deadline:
			t.Fatalf("what was said does not come back: correlation %.2f", best)
		}
		if pcm := c.Heard()[from:]; len(pcm) > len(said) {
			best, _ = tone.Correlate(said, pcm)
		}
	}
	c.Hangup(t)
	c.WaitEnd(t)
}
