package sip

import (
	"net/netip"
	"strings"
	"testing"
)

func TestPickSocket(t *testing.T) {
	mk := func(network, bound string) *listener {
		return &listener{network: network, bound: netip.MustParseAddrPort(bound)}
	}
	u4, u6 := mk("udp", "192.0.2.1:5060"), mk("udp", "[2001:db8::1]:5060")
	t4, any6 := mk("tcp", "192.0.2.1:5060"), mk("udp", "[::]:5060")
	e := &Endpoint{listeners: []*listener{u4, u6, t4}}
	for _, tt := range []struct {
		network, to string
		like, want  *listener
	}{
		{"udp", "192.0.2.9", nil, u4},
		{"udp", "192.0.2.9", u6, u4},
		{"udp", "2001:db8::9", u4, u6},
		{"udp", "192.0.2.9", any6, any6},
		{"tcp", "192.0.2.9", u4, t4},
		{"tcp", "2001:db8::9", u6, u6}, // dials without listening
		{"udp", "2001:db8::9", t4, u6},
	} {
		if got := e.pick(tt.network, netip.MustParseAddr(tt.to), tt.like); got != tt.want {
			t.Errorf("%s to %s: got %v, want %v", tt.network, tt.to, got, tt.want)
		}
	}
	if got := (&Endpoint{listeners: []*listener{t4}}).pick("udp", netip.MustParseAddr("192.0.2.9"), t4); got != nil {
		t.Errorf("got %v for udp without a udp socket", got)
	}
}

// The request that a dialog sends, for each kind of route set (RFC 3261 12.2.1.1).
func TestRequestWithinDialog(t *testing.T) {
	for _, tt := range []struct {
		name   string
		routes []string
		uri    string
		route  string
		next   string
	}{
		{"none", nil, "sip:bob@192.0.2.4:5070;x=1", "", "192.0.2.4"},
		{"loose", []string{"<sip:p1.example;lr>", "<sip:p2.example;lr>"}, "sip:bob@192.0.2.4:5070;x=1", "<sip:p1.example;lr>,<sip:p2.example;lr>", "p1.example"},
		{"loose with a value", []string{"\"P, 1\" <sip:p1.example;lr=on>"}, "sip:bob@192.0.2.4:5070;x=1", "\"P, 1\" <sip:p1.example;lr=on>", "p1.example"},
		{"strict", []string{"<sip:p1.example>", "<sip:p2.example;lr>"}, "sip:p1.example", "<sip:p2.example;lr>,<sip:bob@192.0.2.4:5070;x=1>", "p1.example"},
		{"strict with headers", []string{"<sip:p1.example?a=b>"}, "sip:p1.example", "<sip:bob@192.0.2.4:5070;x=1>", "p1.example"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := &Dialog{e: &Endpoint{cfg: Config{UserAgent: "UA"}}, callID: "c", local: "<sip:a@b>;tag=l", remote: "<sip:c@d>;tag=r",
				localSeq: 41, target: "sip:bob@192.0.2.4:5070;x=1", routes: tt.routes, contact: "<sip:us>"}
			req, next, err := d.newRequest("INFO", []Header{{"X-A", "1"}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			var text string
			_ = encode(req, func(b []byte) error { text = string(b); return nil })
			m := parseText(t, []byte(text))
			if m.start != "INFO "+tt.uri+" SIP/2.0" || strings.Join(m.all("Route"), ",") != tt.route || next.host != tt.next {
				t.Errorf("to %s:\n%s", next.host, text)
			}
			if m.get("CSeq") != "42 INFO" || m.get("Contact") != "<sip:us>" || m.get("From") != d.local || m.get("To") != d.remote || m.get("X-A") != "1" {
				t.Errorf("got\n%s", text)
			}
			if n := len(tt.routes); n != len(d.routes) || d.localSeq != 42 {
				t.Error("the route set has changed")
			}
		})
	}
}
