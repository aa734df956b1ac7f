package main_test

import (
	"testing"
	"time"

	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/media/tone"
)

// TestHotline has one agent register, who declines the first call and takes it when it comes again.
func TestHotline(t *testing.T) {
	p := calltest.RunProgram(t, ".")
	rings := make(chan *calltest.PhoneCall, 4)
	agent := calltest.NewPhone(t, calltest.Loopback{}, calltest.PhoneConfig{Addr: p.SIP.Addr(), Server: p.SIP, User: "201", Password: "secret201",
		Accept: func(c *calltest.PhoneCall) { rings <- c }})
	caller := calltest.NewPhone(t, calltest.Loopback{}, calltest.PhoneConfig{Addr: p.SIP.Addr(), Server: p.SIP, User: "+12125550100"})
	a := caller.Dial(t, "support") // the wait flow answers
	<-time.After(time.Second)
	if !calltest.Hears(a.Heard(), 1000) {
		t.Error("the caller does not hear the wait flow")
	}
	if status, _ := agent.Register(t, time.Hour); status != 200 {
		t.Fatalf("REGISTER gets %d", status)
	}
	p.WaitOutput(t, "agent 201 available", "agent 201 ringing")
	(<-rings).Refuse(486)
	p.WaitOutput(t, "agent 201 away")
	b := <-rings // after its rest
	b.Answer()
	b.WaitAnswer(t)
	heardA, heardB := len(a.Heard()), len(b.Heard())
	a.Say(tone.Sine(500, 2*time.Second).Clip(8000).PCM())
	b.Say(tone.Sine(800, 2*time.Second).Clip(8000).PCM())
	<-time.After(1500 * time.Millisecond)
	if !calltest.Hears(a.Heard()[heardA:], 800) || !calltest.Hears(b.Heard()[heardB:], 500) {
		t.Error("caller and agent do not hear each other")
	}
	b.Hangup(t)
	a.WaitEnd(t)
	p.WaitOutput(t, "service 201", "done 201 served", "agent 201 busy")
}
