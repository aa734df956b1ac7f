package call

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/sip"
)

func rules() dialplan {
	return dialplan{
		out: &Outbound{
			SIP: []string{"10.0.1.0/24", "100@pbx.example"}, Countries: []string{"DE"}, IRSF: []string{"+4930999"}, Deny: []string{"+493066", "10.0.1.66"}, Gateways: []string{"gw.example"},
			Rules: []OutboundRule{
				{Source: "agent:*", Tel: []string{"+49170"}},
				{Source: "extension:200", Countries: []string{"US", "DE"}, MaxRisk: RiskSpecial, Risky: []string{"+49900"}},
				{Source: "trunk:*"},
				{Source: "flow:f1", Tel: []string{"+33"}},
				{Source: "program", Tel: []string{"+"}, MaxRisk: RiskIRSF},
			},
			Emergency: &Emergency{Country: "DE", Short: []string{"116117"}, Trunks: []string{"t"}, Deny: []string{"110"}},
		},
		trunks: []Trunk{{Name: "t", Address: "10.0.1.9"}},
	}
}

// TestOutboundRules: the first rule for who asks counts, in place of the default one.
func TestOutboundRules(t *testing.T) {
	for _, c := range []struct {
		who    asker
		number string
		code   string
	}{
		{asker{}, "+4930901820", ""},
		{asker{}, "+12125550123", CodeOutboundCountry},
		{asker{extension: "200"}, "+12125550123", ""},
		{asker{extension: "200"}, "+18765230123", CodeOutboundCountry}, // Jamaica
		{asker{extension: "200"}, "+491801234567", ""},
		{asker{extension: "200"}, "+499001234567", ""}, // named
		{asker{extension: "200"}, "+19002345678", CodeOutboundRisk},
		{asker{extension: "200"}, "+4930999123", CodeOutboundRisk},
		{asker{extension: "201"}, "+12125550123", CodeOutboundCountry},
		{asker{trunk: "x"}, "+4930901820", CodeOutboundDenied},
		{asker{trunk: "x", extension: "200"}, "+4930901820", ""},
		{asker{trunk: "x", agent: "a"}, "+491701234567", ""},
		{asker{flow: "f1"}, "+33140205050", ""},
		{asker{flow: "f1"}, "+4930901820", CodeOutboundDenied},
		{asker{program: true}, "+4930999123", ""},
		{asker{program: true}, "+493066123", CodeOutboundDenyList},
		{asker{trunk: "x"}, "112", ""}, // no rule stops that
		{asker{trunk: "x"}, "116117", ""},
		{asker{}, "110", CodeOutboundDenyList},
		{asker{}, "11833", CodeShortNoRoute},
	} {
		p := rules()
		p.who = c.who
		w, r := p.way(address.Address{Type: address.TypeTel, Target: c.number})
		if got := ""; r != nil {
			if got = r.Code; got != c.code {
				t.Errorf("%s dials %s: %v, want %q", c.who, c.number, r, c.code)
			}
		} else if c.code != "" || w.trunk == nil || w.evidence == "" {
			t.Errorf("%s dials %s by %+v, want %q", c.who, c.number, w, c.code)
		}
	}
	p := rules()
	p.out.Emergency.Trunks = nil
	if _, r := p.way(address.Address{Type: address.TypeTel, Target: "112"}); r == nil || r.Code != CodeEmergencyNoRoute {
		t.Errorf("%v", r)
	}
	for target, code := range map[string]string{"100@pbx.example": "", "101@pbx.example": CodeOutboundDenied, "b@10.0.1.66": CodeOutboundDenyList} {
		if _, r := p.way(address.Address{Type: address.TypeSIP, Target: target}); (r == nil) != (code == "") || r != nil && r.Code != code {
			t.Errorf("%s: %v, want %q", target, r, code)
		}
	}
	if err := p.CheckDestination(address.Address{Type: address.TypeTel, Target: "+33140205050"}); err != nil {
		t.Errorf("a rule lets it out: %v", err)
	}
	p.out.Rules = nil
	if err := p.CheckDestination(address.Address{Type: address.TypeTel, Target: "+33140205050"}); err == nil {
		t.Error("nobody may dial that")
	}
}

func TestDiversions(t *testing.T) {
	for v, want := range map[string]int{
		"Diversion: <sip:a@x>;counter=3, <sip:b@x>":                          4,
		`Diversion: "a, b" <sip:a@x>`:                                        1,
		"History-Info: <sip:a@x>;index=1, <sip:b@x>;index=1.1":               1,
		"History-Info: <sip:a@x>;index=1, <sip:b@x>;index=1.1;rc=1":          1,
		"History-Info: <sip:a@x>;index=1,<sip:b@x;cause=302>;index=1.1;mp=1": 1,
		"Diversion: <sip:a@x>;counter=999999999999999999999":                 1,
		"X: y": 0,
	} {
		name, value, _ := strings.Cut(v, ": ")
		if got := diversions(&sip.Request{Headers: []sip.Header{{Name: name, Value: value}}}); got != want {
			t.Errorf("%s: %d, want %d", v, got, want)
		}
	}
}

func TestMayCallBack(t *testing.T) {
	e := &Engine{cfg: Config{MayCallBack: func(n string) error { return os.ErrPermission }}}
	if r := e.mayCallBack(&outgoing{by: byVoicemail, destination: address.Address{Type: address.TypeTel, Target: "+4930901820"}}); r == nil || r.Code != CodeOutboundCallback {
		t.Errorf("%v", r)
	}
	if r := e.mayCallBack(&outgoing{by: byConnect, destination: address.Address{Type: address.TypeTel, Target: "+4930901820"}}); r != nil {
		t.Errorf("what is no call-back is refused: %v", r)
	}
}

func TestIRSFFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "irsf.txt")
	if err := os.WriteFile(file, []byte("# known\n+37112 # Latvia\n\n+4930999\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := Outbound{IRSF: []string{"+1"}, IRSFFile: file}
	if err := o.readIRSF("x"); err != nil || strings.Join(o.IRSF, " ") != "+1 +37112 +4930999" {
		t.Errorf("%v %v", o.IRSF, err)
	}
	if p := newPrefixes(o.IRSF); longest(p, o.IRSF, "+4930999123") != "+4930999" || longest(p, o.IRSF, "+493099") != "" {
		t.Error("the longest prefix is not found")
	}
	if err := os.WriteFile(file, []byte("+1\nx\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := o.readIRSF("x"); err == nil || !strings.Contains(err.Error(), ":2: ") {
		t.Errorf("%v", err)
	}
}

// FuzzGate: what goes out on the wire reads as the number that was allowed, and as nothing else.
func FuzzGate(f *testing.F) {
	for _, s := range []string{"+4930901820", "+49 (30) 90-18 20", "+4930901820,,5", "+4930901820@10.0.1.9", "%2B4930901820@10.0.1.9", "sip:+37112345678@10.0.1.9;user=phone", "b@10.0.1.9", "112", "*31#+4930901820", "+4930901820;ext=5@10.0.1.9", "b%40x@10.0.1.1"} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, target string, tel bool) {
		p := rules()
		p.out.Emergency = nil
		typ := address.TypeSIP
		if tel {
			typ = address.TypeTel
		}
		w, r := p.way(address.Address{Type: typ, Target: target})
		if r != nil {
			return
		}
		a, err := sip.ParseNameAddr("<" + w.uri + ">")
		if err != nil || strings.ContainsAny(w.uri, "\r\n?<>\"") {
			t.Fatalf("%q goes out as %q: %v", target, w.uri, err)
		}
		user, err := url.PathUnescape(a.User)
		if err != nil {
			t.Fatalf("%q goes out as %q: %v", target, w.uri, err)
		}
		if !tel && !w.gateway {
			return
		}
		if !tel && !looksDialled(user) { // a name at the trunk's host
			return
		}
		n, err := address.ParseNumber(user, "")
		if err != nil || n.String() != user || n.Country() != "DE" || strings.HasPrefix(user, "+4930999") || strings.HasPrefix(user, "+493066") || riskOf(n.Kind()) != RiskLow {
			t.Fatalf("%q goes out as %q, which is %s of %s, %v", target, w.uri, user, n.Country(), err)
		}
	})
}
