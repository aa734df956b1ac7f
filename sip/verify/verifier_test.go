package verify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/sip/verify"
)

// peer is where calls come from.
var peer = netip.MustParseAddrPort("203.0.113.9:5060")

// invite is an INVITE to to with more header lines.
func invite(t testing.TB, from, to string, headers ...string) *sip.Request {
	t.Helper()
	more := strings.Join(append(headers, ""), "\r\n")
	r, err := sip.ParseRequest([]byte("INVITE sip:"+to+"@pbx.example.com SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.9;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"+
		"From: "+from+";tag=1\r\nTo: <sip:"+to+"@pbx.example.com>\r\nCall-ID: 1@203.0.113.9\r\nCSeq: 1 INVITE\r\nContact: <sip:203.0.113.9>\r\n"+more+"Content-Length: 0\r\n\r\n"), peer)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// caller is who has sent r, by no trunk.
func caller(r *sip.Request) *verify.Caller { return byTrunk(r, "", false) }

func byTrunk(r *sip.Request, trunk string, trusted bool) *verify.Caller {
	return &verify.Caller{
		Request: r, Source: verify.Source(r, trusted), Destination: address.FromSIPUser(r.User), Peer: r.Source, Trunk: trunk, Trusted: trusted,
	}
}

// house owns two numbers and the extensions 200 and anna, at pbx.example.com and 192.0.2.1.
func house() verify.Config {
	return verify.Config{
		Owned: func(_ context.Context, a address.Address) (bool, error) {
			switch a.Type {
			case address.TypeTel:
				return a.Target == "+16062067563" || a.Target == "+4930901820", nil
			case address.TypeExtension:
				return a.Target == "200" || a.Target == "anna", nil
			}
			return a.Target == "anna@realm.example", nil
		},
		Host:    func(h string) bool { return h == "pbx.example.com" || h == "192.0.2.1" || h == "xn--bcher-kva.example" },
		Regions: []string{"US", "DE"},
	}
}

func look(t testing.TB, cfg verify.Config, c *verify.Caller) verify.Verdict {
	t.Helper()
	v, err := verify.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return v.Verify(t.Context(), c)
}

// result is what became of one check.
func result(v verify.Verdict, name string) verify.Check {
	for _, k := range v.Checks {
		if k.Name == name {
			return k
		}
	}
	return verify.Check{}
}

// stub is a Checker that finds what it is told to.
type stub struct {
	check  verify.Check
	set    func(v *verify.Verdict)
	called *int
}

func (s stub) Check(_ context.Context, _ *verify.Caller, v *verify.Verdict) {
	if s.called != nil {
		*s.called++
	}
	if s.set != nil {
		s.set(v)
	}
	v.Checks = append(v.Checks, s.check)
}

func TestChecksComeInOrder(t *testing.T) {
	cfg := house()
	cfg.Identity = stub{check: verify.Check{Name: verify.CheckIdentity, Result: verify.CheckSkip}}
	cfg.Checkers = []verify.Checker{stub{check: verify.Check{Name: verify.CheckVelocity, Result: verify.CheckPass}}}
	v := look(t, cfg, caller(invite(t, `"Bob" <sip:+12125551234@example.com>`, "100")))
	var names []string
	for _, k := range v.Checks {
		names = append(names, k.Name)
		if k.Name == verify.CheckIdentity {
			names = append(names, verify.CheckDiverted) // which only calls have that were diverted
		}
	}
	if !slices.Equal(names, verify.CheckNames()) || v.Result != verify.Pass || v.Class != verify.ClassE164 {
		t.Errorf("%+v", v)
	}
}

// TestPolicy has each kind of row decide: what it says, by which status, and what is looked at after it.
func TestPolicy(t *testing.T) {
	identity := verify.Check{Name: verify.CheckIdentity, Result: verify.CheckFail, Code: "stale_date", Status: 403, Reason: `STIR;cause=403;text="Stale Date"`, Evidence: "too old"}
	velocity := verify.Check{Name: verify.CheckVelocity, Result: verify.CheckFail, Code: "too_fast", Status: 486, Evidence: "ten a second"}
	spoof := `<sip:+16062067563@example.com>`
	for _, tt := range []struct {
		name, from string
		policy     verify.Policy
		identity   verify.Check
		velocity   verify.Check
		password   string
		want       string // result, status, code, reason
		counted    int    // calls that the last Checker has seen
	}{
		{"all is well", `<sip:+12125551234@example.com>`, nil, verify.Check{}, verify.Check{}, "", "pass 0  ", 1},
		{"default of a built-in row", spoof, nil, verify.Check{}, verify.Check{}, "", "reject 403 own_number_spoofed ", 0},
		{"a row's status", spoof, verify.Policy{verify.CodeOwnNumberSpoofed: {Do: verify.DoReject, Status: 608}}, verify.Check{}, verify.Check{}, "", "reject 608 own_number_spoofed ", 0},
		{"a row lets it go on", spoof, verify.Policy{verify.CodeOwnNumberSpoofed: {Do: verify.DoContinue}}, verify.Check{}, verify.Check{}, "", "pass 0  ", 1},
		{"a row asks", spoof, verify.Policy{verify.CodeOwnNumberSpoofed: {Do: verify.DoChallenge}}, verify.Check{}, verify.Check{}, "", "challenge 407 own_number_spoofed ", 1},
		{"who has answered goes on", `<sip:nobody@example.com>`, verify.Policy{"too_fast": {Do: verify.DoChallenge}}, verify.Check{}, velocity, "200", "pass 0  ", 1},
		{"a later refusal is stronger than a question", spoof, verify.Policy{verify.CodeOwnNumberSpoofed: {Do: verify.DoChallenge}}, verify.Check{}, velocity, "", "reject 486 too_fast ", 1},
		{"the first refusal decides", spoof, nil, identity, velocity, "", `reject 403 stale_date STIR;cause=403;text="Stale Date"`, 0},
		{"a code without a row is refused with the check's status", `<sip:+12125551234@example.com>`, nil, verify.Check{}, velocity, "", "reject 486 too_fast ", 1},
		{"a failure that goes on is told", `<sip:+12125551234@example.com>`, verify.Policy{"stale_date": {Do: verify.DoContinue}}, identity, verify.Check{}, "", `pass 0  STIR;cause=403;text="Stale Date"`, 1},
		{"anonymous with its own status", `<sip:anonymous@anonymous.invalid>`, verify.Policy{verify.CodeAnonymous: {Do: verify.DoReject}}, verify.Check{}, verify.Check{}, "", "reject 433 anonymous ", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg, counted := house(), 0
			cfg.Policy = tt.policy
			cfg.Identity = stub{check: tt.identity}
			cfg.Checkers = []verify.Checker{stub{check: tt.velocity, called: &counted}}
			r := invite(t, tt.from, "100")
			r.Authenticated = tt.password
			v := look(t, cfg, caller(r))
			if got := fmt.Sprint(v.Result, " ", v.Status, " ", v.Code, " ", v.Reason); got != tt.want || counted != tt.counted {
				t.Errorf("%s, counted %d, want %s and %d\n%+v", got, counted, tt.want, tt.counted, v.Checks)
			}
			if v.Result != verify.Pass && v.Sentence == "" {
				t.Error("nobody is told why")
			}
		})
	}
}

func TestRulesAreTexts(t *testing.T) {
	var p verify.Policy
	if err := json.Unmarshal([]byte(`{"anonymous":"reject 433","scanner":"continue","source_unknown":"challenge","own_number_spoofed":"reject"}`), &p); err != nil {
		t.Fatal(err)
	}
	want := verify.Policy{"anonymous": {Do: verify.DoReject, Status: 433}, "scanner": {Do: verify.DoContinue}, "source_unknown": {Do: verify.DoChallenge}, "own_number_spoofed": {Do: verify.DoReject}}
	if fmt.Sprint(p) != fmt.Sprint(want) || !p.Challenges() {
		t.Errorf("%v", p)
	}
	if b, err := json.Marshal(p); err != nil || !strings.Contains(string(b), `"anonymous":"reject 433"`) {
		t.Errorf("%s, %v", b, err)
	}
	for _, bad := range []string{"", "drop", "reject 200", "reject x", "reject 700", "continue 403", "reject 0", "challenge 407"} {
		var r verify.Rule
		if err := r.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q is a rule: %v", bad, r)
		}
	}
	for code, r := range verify.Defaults() {
		if r.Do != verify.DoReject && r.Do != verify.DoContinue {
			t.Errorf("%s: %v: a default must not ask for a password, which there may be none of", code, r)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	for want, cfg := range map[string]verify.Config{
		`policy: anonymous: "hide" is no rule`: {Policy: verify.Policy{"anonymous": {Do: "hide"}}},
		"acl.allow[0]: it is no network":       {ACL: verify.ACL{Allow: []netip.Prefix{{}}}},
		`acl.deny_trunks[0]: "a" stands in`:    {ACL: verify.ACL{Trunks: []string{"a"}, DenyTrunks: []string{"a"}}},
		"exceptions[0]: it is empty":           {Exceptions: []verify.Exception{{}}},
		"exceptions[0].numbers[0]":             {Exceptions: []verify.Exception{{Numbers: []string{"(606)"}}}},
		"exceptions[0].networks[0]":            {Exceptions: []verify.Exception{{Networks: []netip.Prefix{{}}}}},
		"scanners.agents[0]: it is empty":      {Scanners: verify.Scanners{Agents: []string{" "}}},
		`regions[0]: "Mars" is no country`:     {Regions: []string{"Mars"}},
	} {
		if _, err := verify.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestScanners(t *testing.T) {
	r := func(agent string) *verify.Caller {
		return caller(invite(t, "<sip:100@example.com>", "100", "User-Agent: "+agent))
	}
	v, err := verify.New(verify.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, agent := range append(verify.DefaultScanners(), "Friendly-Scanner", "x sipvicious 0.3") {
		if !v.Drops(agent) {
			t.Errorf("%s gets an answer", agent)
		}
		if got := v.Verify(t.Context(), r(agent)); got.Code != verify.CodeScanner || got.Status != 403 {
			t.Errorf("%s: %+v", agent, got)
		}
	}
	for _, agent := range []string{"", "baresip v1.0.0", "Linphone/5", "Asterisk PBX", "SIPp"} {
		if v.Drops(agent) {
			t.Errorf("%s gets no answer", agent)
		}
	}
	for name, s := range map[string]verify.Scanners{"none": {Agents: []string{}}, "others": {Agents: []string{"nmap"}}, "answered": {Answer: true}} {
		v, err := verify.New(verify.Config{Scanners: s})
		if err != nil {
			t.Fatal(err)
		}
		if v.Drops("sipvicious") || v.Drops("NMAP 7") != (name == "others") {
			t.Error(name)
		}
	}
	if got := look(t, verify.Config{Scanners: verify.Scanners{Answer: true}}, r("sipvicious")); got.Code != verify.CodeScanner {
		t.Errorf("%+v", got)
	}
}

func TestACL(t *testing.T) {
	nets := func(s ...string) (all []netip.Prefix) {
		for _, n := range s {
			all = append(all, netip.MustParsePrefix(n))
		}
		return all
	}
	for _, tt := range []struct {
		name  string
		acl   verify.ACL
		peer  string
		trunk string
		want  string
	}{
		{"nothing said", verify.ACL{}, "203.0.113.9", "", "skip"},
		{"allowed", verify.ACL{Allow: nets("203.0.113.0/24")}, "203.0.113.9", "", "pass"},
		{"allowed, as IPv6", verify.ACL{Allow: nets("203.0.113.0/24")}, "::ffff:203.0.113.9", "", "pass"},
		{"network written as IPv6", verify.ACL{Allow: nets("::ffff:203.0.113.0/120")}, "203.0.113.9", "", "pass"},
		{"zone", verify.ACL{Allow: nets("fe80::/10")}, "fe80::1%eth0", "", "pass"},
		{"somebody else", verify.ACL{Allow: nets("10.0.0.0/8")}, "203.0.113.9", "", "source_unknown"},
		{"IPv6 is not all of IPv4", verify.ACL{Allow: nets("::/0")}, "203.0.113.9", "", "source_unknown"},
		{"denied", verify.ACL{Deny: nets("203.0.113.0/24")}, "203.0.113.9", "", "source_denied"},
		{"denied, as IPv6", verify.ACL{Deny: nets("203.0.113.0/24")}, "::ffff:203.0.113.9", "", "source_denied"},
		{"not denied", verify.ACL{Deny: nets("10.0.0.0/8")}, "203.0.113.9", "", "pass"},
		{"a hole in what is denied", verify.ACL{Allow: nets("203.0.113.9/32"), Deny: nets("203.0.113.0/24")}, "203.0.113.9", "", "pass"},
		{"a hole in what is allowed", verify.ACL{Allow: nets("203.0.113.0/24"), Deny: nets("203.0.113.9/32")}, "203.0.113.9", "", "source_denied"},
		{"both", verify.ACL{Allow: nets("203.0.113.0/24"), Deny: nets("203.0.113.0/24")}, "203.0.113.9", "", "source_denied"},
		{"a trunk", verify.ACL{Trunks: []string{"a"}}, "203.0.113.9", "a", "pass"},
		{"a trunk beats networks", verify.ACL{Trunks: []string{"a"}, Deny: nets("203.0.113.0/24")}, "203.0.113.9", "a", "pass"},
		{"another trunk", verify.ACL{Trunks: []string{"a"}}, "203.0.113.9", "b", "source_unknown"},
		{"no trunk", verify.ACL{Trunks: []string{"a"}}, "203.0.113.9", "", "source_unknown"},
		{"a trunk that is denied", verify.ACL{DenyTrunks: []string{"a"}, Allow: nets("0.0.0.0/0")}, "203.0.113.9", "a", "source_denied"},
		{"nobody knows from where", verify.ACL{Allow: nets("10.0.0.0/8")}, "", "", "skip"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := byTrunk(invite(t, "<sip:bob@example.com>", "100"), tt.trunk, false)
			c.Peer = netip.AddrPort{}
			if tt.peer != "" {
				c.Peer = netip.AddrPortFrom(netip.MustParseAddr(tt.peer), 5060)
			}
			v := look(t, verify.Config{ACL: tt.acl}, c)
			k := result(v, verify.CheckSource)
			if got := k.Result; got != tt.want && k.Code != tt.want || (k.Code != "") != (v.Result == verify.Reject) {
				t.Errorf("%+v", v)
			}
		})
	}
}
