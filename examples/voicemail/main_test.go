package main_test

import (
	"testing"
	"time"

	"github.com/callbin/callbin/call/calltest"
)

// TestMessageIsLeftAndHeard has a phone leave a tone in mailbox 200, and another hear it, and delete it.
func TestMessageIsLeftAndHeard(t *testing.T) {
	p := calltest.RunProgram(t, ".", "-pin", "271828")
	phone := func() *calltest.Phone {
		return calltest.NewPhone(t, calltest.Loopback{}, calltest.PhoneConfig{Addr: p.SIP.Addr(), Server: p.SIP})
	}
	a := phone().Dial(t, "200")
	a.Press("1") // cuts the greeting, where there is a voice
	<-time.After(1200 * time.Millisecond)
	a.Say(calltest.Tone(700, 4*time.Second))
	<-time.After(3500 * time.Millisecond)
	a.Hangup(t)
	p.WaitOutput(t, "voicemail_created 200", "new")
	b := phone().Dial(t, "listen")
	for _, keys := range []string{"200#", "271828#"} {
		<-time.After(300 * time.Millisecond)
		b.Press(keys)
	}
	<-time.After(200 * time.Millisecond)
	for range 100 { // until the words before it are said
		if calltest.Hears(b.Heard(), 700) {
			break
		}
		<-time.After(200 * time.Millisecond)
	}
	if !calltest.Hears(b.Heard(), 700) {
		t.Error("the message is not heard")
	}
	b.Press("3")
	<-time.After(300 * time.Millisecond)
	b.Hangup(t)
	p.WaitOutput(t, "voicemail_deleted 200")
}
