package main_test

import (
	"testing"
	"time"

	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/media/tone"
)

// TestSumIsBeeped runs the program, presses 2 and 1, and counts three beeps.
func TestSumIsBeeped(t *testing.T) {
	server := calltest.RunProgram(t, ".").SIP
	// The phone repeats its INVITE until the program listens.
	c := calltest.NewPhone(t, calltest.Loopback{}, calltest.PhoneConfig{Addr: server.Addr(), Server: server}).Dial(t, "sum")
	c.Press("2")
	<-time.After(100 * time.Millisecond)
	c.Press("1")
	c.WaitEnd(t)
	if n := beeps(c.Heard()); n != 3 {
		t.Errorf("2 and 1 give %d beeps", n)
	}
}

// beeps counts bursts of 1 kHz, as many half seconds of it as there are.
func beeps(pcm []int16) int {
	loud := 0
	for i := 0; i+160 <= len(pcm); i += 160 {
		if tone.Goertzel(pcm[i:i+160], 8000, 1000) > 0.05 {
			loud++
		}
	}
	return (loud + 12) / 25 // 25 frames a beep
}
