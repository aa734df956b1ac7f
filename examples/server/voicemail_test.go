package main_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/callbin/callbin/call/calltest"
)

// TestVoicemailOfSettings has a message left, and heard by who knows the PIN of the settings and by the owner's phone.
func TestVoicemailOfSettings(t *testing.T) {
	s := start(t, serverOptions{
		config: `{"extensions":[{"name":"200","password":"secret200"}],"mailboxes":[{"id":"200","pin":"271828"}]}`,
		flows: map[string]string{
			"leave.json": `[{"type":"voicemail","option":{"mailbox_id":"200","greeting":{"text":"This is what you said."},"end_of_silence":2}}]`,
			"main.json":  `[{"type":"voicemail_main"}]`,
		},
	})
	c := phone(t, s).Dial(t, "leave")
	c.Press("1") // cuts the greeting
	pauseFor(1200 * time.Millisecond)
	c.Say(calltest.Tone(700, 4*time.Second))
	c.WaitEnd(t)
	hears := func(c *calltest.PhoneCall) {
		t.Helper()
		until(t, "the message is heard", func() bool { return calltest.Hears(c.Heard(), 700) })
		c.Hangup(t)
	}
	b := phone(t, s).Dial(t, "main")
	for _, keys := range []string{"200#", "271828#"} {
		pauseFor(300 * time.Millisecond)
		b.Press(keys)
	}
	hears(b)
	lo := netip.MustParseAddr("127.0.0.1")
	own := calltest.NewPhone(t, calltest.Loopback{}, calltest.PhoneConfig{
		Addr: lo, Server: netip.AddrPortFrom(lo, uint16(s.port)), User: "200", Password: "secret200", Host: "127.0.0.1",
	})
	hears(own.Dial(t, "main"))
}
