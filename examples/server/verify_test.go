package main_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/callbin/callbin/call/calltest"
)

// TestServerGuardsItsNumbers: the numbers that have flows are guarded without a word in the settings; what the settings say about others holds.
func TestServerGuardsItsNumbers(t *testing.T) {
	s := start(t, serverOptions{
		flows:  map[string]string{"+16062067563.json": `[{"type":"answer"}]`, "100.json": `[{"type":"answer"}]`},
		config: `{"verify":{"policy":{"anonymous":"reject"},"exceptions":[{"numbers":["+16062067563"],"networks":["127.0.0.2/32"]}]}}`,
	})
	server := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(s.port))
	for _, c := range []struct{ addr, user, want string }{
		{"127.0.0.1", "+1-606-206-7563", "403"},
		{"127.0.0.1", "6062067563", "403"},
		{"127.0.0.2", "6062067563", "BYE"},
		{"127.0.0.1", "anonymous", "433"},
		{"127.0.0.1", "+442079460018", "BYE"},
	} {
		p := calltest.NewPhone(t, calltest.Loopback{}, calltest.PhoneConfig{Addr: netip.MustParseAddr(c.addr), Server: server, User: c.user})
		if why := p.Start(t, "100").WaitEnd(t); !strings.HasPrefix(why, c.want) {
			t.Errorf("%s from %s gets %s, want %s", c.user, c.addr, why, c.want)
		}
	}
	if log := s.log.String(); !strings.Contains(log, "own_number_spoofed") || !strings.Contains(log, "the caller has not passed verification") {
		t.Errorf("the log does not tell:\n%s", log)
	}
}
