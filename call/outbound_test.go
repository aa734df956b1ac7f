package call

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/sip"
)

func policy() dialplan {
	return dialplan{
		out:    &Outbound{SIP: []string{"10.0.1.0/24", "2001:db8::/32", "Pbx.example.com", "*.phones.example"}, Tel: []string{"+1", "+4930"}},
		trunks: []Trunk{{Name: "t", Address: "provider.example:5070"}},
	}
}

// TestOutboundPolicy goes through the ways by which a destination could lead elsewhere than it says.
func TestOutboundPolicy(t *testing.T) {
	e := policy()
	for target, code := range map[string]string{
		"b@10.0.1.1":                             "",
		"sip:b@10.0.1.1:5090":                    "",
		"sip:b@10.0.1.1;transport=tcp":           "",
		"SIP:b@PBX.example.com":                  "",
		"b@pbx.example.com.":                     "",
		"b@[2001:db8::7]:5060":                   "",
		"b@[::ffff:10.0.1.1]":                    "", // the same host, in other words
		"b@x.phones.example":                     "",
		"b;tag=1@10.0.1.1":                       "",
		"b@phones.example":                       CodeOutboundDenied,
		"b@10.0.2.1":                             CodeOutboundDenied,
		"b@example.com":                          CodeOutboundDenied,
		"b@pbx.example.com.evil.example":         CodeOutboundDenied,
		"b@evilphones.example":                   CodeOutboundDenied,
		"b@10.0.1.1.evil.example":                CodeOutboundDenied,
		"b@10.0.1.1;maddr=10.0.2.1":              CodeOutboundDenied,
		"b@10.0.1.1;%6daddr=10.0.2.1":            CodeOutboundDenied, // no maddr for package sip, but for whom it goes to?
		"b@10.0.1.1;MADDR=10.0.2.1":              CodeOutboundDenied,
		"b@10.0.1.1?Route=%3Csip:10.0.2.1;lr%3E": CodeOutboundDenied,
		"b@10.0.2.1@10.0.1.1":                    CodeNotDialable,
		"b@10.0.1.1@10.0.2.1":                    CodeNotDialable,
		"10.0.1.1@":                              CodeNotDialable,
		"b@":                                     CodeNotDialable,
		"":                                       CodeNotDialable,
		"b@0x0a000101":                           CodeOutboundDenied,
		"b@167772417":                            CodeOutboundDenied,
		"b@[fe80::1%25eth0]":                     CodeOutboundDenied,
		"b@10.0.1.1\r\nX: y":                     CodeNotDialable,
		"b c@10.0.1.1":                           CodeNotDialable,
		"tel:+12125550100":                       CodeNotDialable,
		"mailto:b@10.0.1.1":                      CodeNotDialable,
	} {
		w, refusal := e.way(address.Address{Type: address.TypeSIP, Target: target})
		got := ""
		if refusal != nil {
			got = refusal.Code
		}
		if got != code {
			t.Errorf("%q: %q (%v, %v), want %q", target, got, w.uri, refusal, code)
		}
	}
	for number, code := range map[string]string{
		"+12125550100": "", "+4930901820": "", "+49 30 901820": "",
		"+498912345678": CodeOutboundDenied, "+442079460000": CodeOutboundDenied,
		"911": CodeEmergencyNoRoute, "411": CodeShortNoRoute, "12125550100": CodeNotDialable, "+12125550100;phone-context=evil": CodeNotDialable, "+1": CodeNotDialable,
	} {
		w, refusal := e.way(address.Address{Type: address.TypeTel, Target: number})
		if got := refusal; code == "" != (got == nil) || got != nil && got.Code != code {
			t.Errorf("%q: %v, %v, want %q", number, w, got, code)
		} else if got == nil && w.host != "provider.example" {
			t.Errorf("%q goes to %q", number, w.host)
		}
	}
	for _, typ := range []address.Type{address.TypeNone, address.TypeEmail, address.TypeAgent, address.TypeLine, "carrier-pigeon"} {
		if _, refusal := e.way(address.Address{Type: typ, Target: "b@10.0.1.1"}); refusal == nil {
			t.Errorf("a destination of type %q goes out", typ)
		}
	}
}

// FuzzOutboundPolicy: whatever a flow or a redirect names, where package sip would send it is a host that the policy names.
func FuzzOutboundPolicy(f *testing.F) {
	for _, s := range []string{"b@10.0.1.1", "sip:b@10.0.1.1;maddr=x", "b@[2001:db8::1]", "b@10.0.1.1@x", "sips:a;b?c@pbx.example.com:1"} {
		f.Add(s)
	}
	e := policy()
	net4, net6 := netip.MustParsePrefix("10.0.1.0/24"), netip.MustParsePrefix("2001:db8::/32")
	f.Fuzz(func(t *testing.T, target string) {
		w, refusal := e.way(address.Address{Type: address.TypeSIP, Target: target})
		if refusal != nil {
			return
		}
		a, err := sip.ParseNameAddr("<" + w.uri + ">")
		if err != nil {
			t.Fatalf("%q is let out as %q: %v", target, w.uri, err)
		}
		host := strings.ToLower(strings.TrimSuffix(a.Host, "."))
		ip, err := netip.ParseAddr(host)
		named := host == "pbx.example.com" || strings.HasSuffix(host, ".phones.example")
		if err == nil {
			named = net4.Contains(ip.Unmap()) || net6.Contains(ip.WithZone(""))
		}
		if !named || strings.ContainsAny(w.uri, "\r\n?") {
			t.Fatalf("%q is let out to %q by %q", target, a.Host, w.uri)
		}
	})
}

func TestOutboundSettings(t *testing.T) {
	for what, err := range map[string]error{
		"network":   (&Outbound{SIP: []string{"10.0.0.0/33"}}).check("outbound"),
		"name":      (&Outbound{SIP: []string{"a b"}}).check("outbound"),
		"prefix":    (&Outbound{Tel: []string{"1"}}).check("outbound"),
		"twice":     checkTrunks("trunks", []Trunk{{Name: "a", Address: "x"}, {Name: "a", Address: "y"}}),
		"address":   checkTrunks("trunks", []Trunk{{Name: "a", Address: "sip:x@y"}}),
		"caller":    checkTrunks("trunks", []Trunk{{Name: "a", Address: "x", Caller: "123"}}),
		"transport": checkTrunks("trunks", []Trunk{{Name: "a", Address: "x", Transport: "tls"}}),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	if err := checkTrunks("trunks", policy().trunks); err != nil {
		t.Error(err)
	}
}

// TestSettingsOfTheREADME reads the settings that it shows.
func TestSettingsOfTheREADME(t *testing.T) {
	b, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(b), "```json\n")
	text, _, _ = strings.Cut(text, "```")
	file := filepath.Join(t.TempDir(), "settings.json")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := ReadSettings(file)
	if err != nil || len(s.Trunks) != 1 || !s.Outbound.any() {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestCheckWarnsOfDestinations tells when a flow is loaded what its connect would find out in a call.
func TestCheckWarnsOfDestinations(t *testing.T) {
	cfg := Config{Outbound: Outbound{SIP: []string{"10.0.1.1"}}}
	cfg.Deps = NewDeps(Settings{Outbound: cfg.Outbound}, nil, nil)
	f, err := flow.Parse([]byte(`[{"type":"connect","option":{"destinations":[{"type":"sip","target":"a@10.0.1.1"},
		{"type":"sip","target":"a@10.0.1.2"},{"type":"sip","target":"${who|nobody@10.0.1.1}"},{"type":"conference","target":"blue"}]}}]`),
		flow.ParseOptions{Registry: action.Builtin(cfg.Deps), File: "f.json"})
	if err != nil {
		t.Fatal(err)
	}
	found := cfg.Check(f)
	const want = `f.json:2:3: warning: action "action-1" (connect): option "destinations[1]" will not be called: "a@10.0.1.2" may not be dialled: the configuration does not name its host`
	if len(found) != 1 || found[0].String() != want {
		t.Errorf("%v", found)
	}
}
