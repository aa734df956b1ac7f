package sip

import "testing"

func TestParseVia(t *testing.T) {
	for _, tt := range []struct {
		in, host, branch string
		port             uint16
		rport            bool
		bad              bool
	}{
		{in: "SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK1", host: "192.0.2.1", port: 5070, branch: "z9hG4bK1"},
		{in: "SIP / 2.0 / tcp  host.example.com ; rport ; Branch=x", host: "host.example.com", branch: "x", rport: true},
		{in: "SIP/2.0/UDP [2001:db8::1]:5060;rport=7", host: "2001:db8::1", port: 5060},
		{in: `SIP/2.0/UDP h;a="x;branch=no,y";branch=b, SIP/2.0/UDP other`, host: "h", branch: "b"},
		{in: "SIP/2.0/UDP", bad: true},
		{in: "SIP/2.0/UDP ;branch=x", bad: true},
		{in: "SIP/2.0/UDP h:99999", bad: true},
		{in: "SIP/2.0/UDP a b:5060", bad: true},
		{in: "HTTP/1.1/UDP h", bad: true},
		{in: "", bad: true},
	} {
		v, err := parseVia(tt.in)
		if tt.bad != (err != nil) || v.host != tt.host && !tt.bad || v.branch != tt.branch || v.port != tt.port || v.rport != tt.rport {
			t.Errorf("%q: got %+v, %v", tt.in, v, err)
		}
	}
}

func TestParseNameAddr(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want NameAddr
		err  string
	}{
		{in: "sip:a@b;tag=1", want: NameAddr{URI: "sip:a@b", User: "a", Host: "b", Tag: "1"}},
		{in: `A  B <sips:a%40x:pw@[::1]:5061;lr> ; TAG = 2 ; x`, want: NameAddr{Display: "A B", URI: "sips:a%40x:pw@[::1]:5061;lr", User: "a@x", Host: "::1", Tag: "2", Params: map[string]string{"x": ""}}},
		{in: `"<sip:x@y>" <tel:+49-30;ext=5>`, want: NameAddr{Display: "<sip:x@y>", URI: "tel:+49-30;ext=5", User: "+49-30"}},
		{in: `"a\\\"b" <sip:%zz@c>`, want: NameAddr{Display: `a\"b`, URI: "sip:%zz@c", User: "%zz", Host: "c"}},
		{in: `"open <sip:a@b>`, err: "sip: parse address: unbalanced quote"},
		{in: `"x" sip:a@b`, err: "sip: parse address: missing < after the display name"},
		{in: "<sip:a@b", err: "sip: parse address: missing >"},
		{in: "<sip:a@b> x", err: `sip: parse address: "x" after >`},
		{in: "< sip:a@b >", err: `sip: parse address: URI " sip:a@b " has no scheme`},
		{in: "<sip:a b@c>", err: `sip: parse address: URI "sip:a b@c" holds ' '`},
		{in: "sip:a@b?x=y", err: "sip: parse address: a URI with , or ? must stand in brackets"},
		{in: "a@b", err: `sip: parse address: URI "a@b" has no scheme`},
		{in: "sip:@", err: `sip: parse address: URI "sip:@" has no host`},
		{in: "sip:a@b:70000", err: `sip: parse address: URI "sip:a@b:70000" has the port "70000"`},
		{in: "", err: `sip: parse address: URI "" has no scheme`},
	} {
		got, err := ParseNameAddr(tt.in)
		msg := ""
		if err != nil {
			msg = err.Error()
		}
		if msg != tt.err {
			t.Errorf("%q: got error %q, want %q", tt.in, msg, tt.err)
		}
		if got.Display != tt.want.Display || got.URI != tt.want.URI || got.User != tt.want.User || got.Host != tt.want.Host ||
			got.Tag != tt.want.Tag || len(got.Params) != len(tt.want.Params) {
			t.Errorf("%q: got %+v, want %+v", tt.in, got, tt.want)
		}
	}
}

func TestParseReason(t *testing.T) {
	for _, tt := range []struct {
		in    []string
		cause int
		text  string
	}{
		{nil, 0, ""},
		{[]string{`SIP;cause=200;text="Call completed elsewhere"`}, 200, "Call completed elsewhere"},
		{[]string{`SIP ;cause=487, Q.850 ;cause=16;text="a \"b\", c"`}, 16, `a "b", c`},
		{[]string{"Q.850;cause=17", "SIP;cause=486"}, 17, ""},
		{[]string{"Preemption;cause=1", "SIP;cause=x"}, 0, ""},
	} {
		var hs []Header
		for _, v := range tt.in {
			hs = append(hs, Header{"Reason", v})
		}
		if cause, text := parseReason(hs); cause != tt.cause || text != tt.text {
			t.Errorf("%q: got %d %q, want %d %q", tt.in, cause, text, tt.cause, tt.text)
		}
	}
}

func TestStatusText(t *testing.T) {
	for status, want := range map[int]string{486: "Busy Here", 199: "Session Progress", 299: "OK", 399: "Multiple Choices", 499: "Bad Request", 599: "Server Internal Error", 699: "Decline"} {
		if got := statusText(status); got != want {
			t.Errorf("%d: got %q, want %q", status, got, want)
		}
	}
}
