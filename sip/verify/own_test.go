package verify_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"unicode"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/sip/verify"
)

// TestOwnNumberVariants: whatever a caller from outside shows that could be taken for a number or an extension of ours is a spoof.
func TestOwnNumberVariants(t *testing.T) {
	honest := "<sip:+12125551234@example.com>"
	for name, tt := range map[string]struct {
		from    string
		headers []string
		to      string
	}{
		"plain":                        {from: "<sip:+16062067563@example.com>"},
		"another number":               {from: "<sip:+4930901820@example.com>"},
		"sips":                         {from: "<sips:+16062067563@example.com>"},
		"tel":                          {from: "<tel:+16062067563>"},
		"tel with separators":          {from: "<tel:+1-606-206-7563>"},
		"tel, upper case":              {from: "<TEL:+1.606.206.7563>"},
		"tel with parameters":          {from: "<tel:+16062067563;npdi;rn=+12125550000>"},
		"tel with context":             {from: "<tel:2067563;phone-context=+1606>"},
		"tel with context and a zero":  {from: "<tel:030901820;phone-context=+49>"},
		"sip with context":             {from: "<sip:2067563;phone-context=+1606@example.com;user=phone>"},
		"escaped context":              {from: "<sip:2067563%3bphone-context=%2B1606@example.com>"},
		"separators":                   {from: "<sip:+1-(606)-206.7563@example.com>"},
		"user parameters":              {from: "<sip:+16062067563;npdi=yes@example.com>"},
		"password":                     {from: "<sip:+16062067563:x@example.com>"},
		"uri parameters":               {from: "<sip:+16062067563@example.com;user=phone;x=y>"},
		"no brackets":                  {from: "sip:+16062067563@example.com"},
		"escaped":                      {from: "<sip:%2B1%36062067563@example.com>"},
		"all escaped":                  {from: "<sip:%2b%31%36%30%36%32%30%36%37%35%36%33@example.com>"},
		"escaped twice":                {from: "<sip:%252B16062067563@example.com>"},
		"without plus":                 {from: "<sip:16062067563@example.com>"},
		"national":                     {from: "<sip:6062067563@example.com>"},
		"national with separators":     {from: "<sip:(606)206-7563@example.com>"},
		"national with a 1":            {from: "<sip:1-606-206-7563@example.com>"},
		"national, German":             {from: "<sip:030901820@example.com>"},
		"national, German, separators": {from: "<sip:030.901.820@example.com>"},
		"00":                           {from: "<sip:0016062067563@example.com>"},
		"+00":                          {from: "<sip:+0016062067563@example.com>"},
		"011":                          {from: "<sip:0114930901820@example.com>"},
		"0011, from Australia":         {from: "<sip:00114930901820@example.com>"},
		"national prefix within":       {from: "<sip:+49(0)30901820@example.com>"},
		"of the called country":        {from: "<sip:6062067563@example.com>", to: "+16062067563"},
		"full width digits":            {from: "<sip:%EF%BC%8B%EF%BC%91%EF%BC%96%EF%BC%90%EF%BC%96%EF%BC%92%EF%BC%90%EF%BC%96%EF%BC%97%EF%BC%95%EF%BC%96%EF%BC%93@example.com>"},
		"Arabic digits":                {from: "<sip:%D9%A1%D9%A6%D9%A0%D9%A6%D9%A2%D9%A0%D9%A6%D9%A7%D9%A5%D9%A6%D9%A3@example.com>"},
		"within a name":                {from: "<sip:call16062067563@example.com>"},
		"with an underscore":           {from: "<sip:1_606_206_7563@example.com>"},
		"prefix tel in the user":       {from: "<sip:tel%3A+16062067563@example.com>"},
		"with spaces":                  {from: "<sip:+1%20606%20206%207563@example.com>"},

		"P-Asserted-Identity":           {from: honest, headers: []string{"P-Asserted-Identity: <sip:+16062067563@example.com>"}},
		"P-Asserted-Identity, tel":      {from: honest, headers: []string{"P-Asserted-Identity: <tel:+16062067563>"}},
		"P-Asserted-Identity, second":   {from: honest, headers: []string{"P-Asserted-Identity: <sip:bob@example.com>, <tel:+1-606-206-7563>"}},
		"P-Asserted-Identity, lower":    {from: honest, headers: []string{"p-asserted-identity: <tel:+16062067563>"}},
		"P-Asserted-Identity, two":      {from: honest, headers: []string{"P-Asserted-Identity: <sip:bob@example.com>", "P-Asserted-Identity: <tel:+16062067563>"}},
		"P-Preferred-Identity":          {from: honest, headers: []string{"P-Preferred-Identity: <sip:+16062067563@example.com>"}},
		"Remote-Party-ID":               {from: honest, headers: []string{`Remote-Party-ID: "Bob" <sip:6062067563@example.com>;party=calling;privacy=off`}},
		"anonymous From, asserted":      {from: "<sip:anonymous@anonymous.invalid>", headers: []string{"P-Asserted-Identity: <tel:+16062067563>", "Privacy: id"}},
		"Contact":                       {from: honest, headers: []string{}},
		"extension":                     {from: "<sip:200@pbx.example.com>"},
		"extension at our address":      {from: "<sip:200@192.0.2.1>"},
		"extension, port and parameter": {from: "<sip:200@192.0.2.1:5060;transport=udp>"},
		"extension, host in upper case": {from: "<sip:200@PBX.Example.COM>"},
		"extension, dot at the end":     {from: "<sip:200@pbx.example.com.>"},
		"extension, dots at the end":    {from: "<sip:200@pbx.example.com..>"},
		"extension, IPv4 in IPv6":       {from: "<sip:200@[::ffff:192.0.2.1]>"},
		"extension, IPv4 in IPv6, hex":  {from: "<sip:200@[::ffff:c000:201]>"},
		"extension, international host": {from: "<sip:200@b\u00fccher.example>"},
		"extension, its ASCII form":     {from: "<sip:200@XN--bcher-kva.example>"},
		"extension, full width host":    {from: "<sip:200@\uff50\uff42\uff58.example.com>"},
		"extension, escaped":            {from: "<sip:%32%30%30@pbx.example.com>"},
		"extension, parameters":         {from: "<sip:200;x=y@pbx.example.com>"},
		"extension, spaces":             {from: "<sip:%20200%20@pbx.example.com>"},
		"extension by name":             {from: "<sip:anna@pbx.example.com>"},
		"extension at the realm":        {from: "<sip:anna@realm.example>"},
		"extension at the realm, upper": {from: "<sip:anna@REALM.example.>"},
		"extension, asserted":           {from: honest, headers: []string{"P-Asserted-Identity: <sip:200@pbx.example.com>"}},
		"extension, prefix in the user": {from: "<sip:extension%3a200@pbx.example.com>"},
		"extension, Remote-Party-ID":    {from: honest, headers: []string{"Remote-Party-ID: <sip:200@pbx.example.com>"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := invite(t, tt.from, cmpOr(tt.to, "100"), tt.headers...)
			if name == "Contact" {
				r.Contact.URI, r.Contact.User, r.Contact.Host = "sip:+16062067563@203.0.113.9", "+16062067563", "203.0.113.9"
			}
			v := look(t, house(), caller(r))
			if v.Result != verify.Reject || v.Status != 403 || v.Code != verify.CodeOwnNumberSpoofed && v.Code != verify.CodeCallerMalformed {
				t.Errorf("%s of %s", v.Result, r.From.URI)
				for _, k := range v.Checks {
					t.Logf("%+v", k)
				}
			}
		})
	}
}

func cmpOr(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// TestOwnNumberInName: a phone that shows names shows a number of ours there as well.
func TestOwnNumberInName(t *testing.T) {
	for name, want := range map[string]string{
		"+16062067563": verify.CodeOwnNumberInName, "+1 (606) 206-7563": verify.CodeOwnNumberInName, "Help 606-206-7563": verify.CodeOwnNumberInName,
		"4711 +16062067563": verify.CodeOwnNumberInName, "5 16062067563": verify.CodeOwnNumberInName, "030 901820": verify.CodeOwnNumberInName, "200": verify.CodeOwnNumberInName,
		" 200.": verify.CodeOwnNumberInName, "(200)": verify.CodeOwnNumberInName,
		"Bob": "", "Bob 200": "", "201": "", "+12125551234": "", "": "", "Room 7563": "",
	} {
		v := look(t, house(), caller(invite(t, `"`+name+`" <sip:+12125551234@example.com>`, "100")))
		if v.Code != want {
			t.Errorf("%q: %+v", name, v)
		}
	}
}

// TestHonestCallers are those that a rule which looks too closely would refuse.
func TestHonestCallers(t *testing.T) {
	for _, from := range []string{
		`"Bob" <sip:+12125551234@example.com>`, "<sip:200@example.com>", "<sip:anna@example.com>", "<sip:bob@pbx.example.com>", "<sip:2067563@example.com>",
		"<sip:+160620675630@example.com>", "<sip:+6062067563@example.com>", "<tel:+12125551234;phone-context=+1606>", "<sip:anonymous@anonymous.invalid>",
		"<sip:example.com>", "<sip:sipp@192.0.2.1:5061>", "<sip:200@pbx.example.com.evil.example>", "<sip:200@notpbx.example.com>", `"200 main street" <sip:+12125551234@example.com>`,
	} {
		if v := look(t, house(), caller(invite(t, from, "100"))); v.Result != verify.Pass {
			t.Errorf("%s: %+v", from, v)
		}
	}
}

// TestOwnNumberExcuses: who may show a number of ours all the same, and who nearly may.
func TestOwnNumberExcuses(t *testing.T) {
	const spoof = "<sip:+16062067563@example.com>"
	attested := func(attest, div string) func(*verify.Verdict) {
		return func(v *verify.Verdict) { v.Attest, v.Div = attest, div }
	}
	one := []verify.Exception{{Numbers: []string{"+16062067563"}, Networks: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}}}
	for name, tt := range map[string]struct {
		from       string
		exceptions []verify.Exception
		identity   func(*verify.Verdict)
		trunk      string
		journey    string
		headers    []string
		ok         bool
	}{
		"nothing":                            {from: spoof},
		"attested A":                         {from: spoof, identity: attested("A", ""), ok: true},
		"attested A, national":               {from: "<sip:6062067563@example.com>", identity: attested("A", ""), ok: true},
		"attested B":                         {from: spoof, identity: attested("B", "")},
		"attested C":                         {from: spoof, identity: attested("C", "")},
		"attested A, another one beside":     {from: "<sip:+12125551234@example.com>", identity: attested("A", ""), headers: []string{"Remote-Party-ID: " + spoof}},
		"attested A, an extension":           {from: "<sip:200@pbx.example.com>", identity: attested("A", "")},
		"diverted":                           {from: spoof, identity: attested("", "+12125550000"), ok: true},
		"our journey":                        {from: spoof, journey: "6f3c1a52-4d0e-4f5b-9a53-0c8e5d1b7a10", ok: true},
		"declared":                           {from: spoof, exceptions: one, ok: true},
		"declared, the other number":         {from: "<sip:+4930901820@example.com>", exceptions: one},
		"declared for another network":       {from: spoof, exceptions: []verify.Exception{{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}}},
		"declared for a trunk":               {from: spoof, exceptions: []verify.Exception{{Trunks: []string{"a"}}}, trunk: "a", ok: true},
		"declared for another trunk":         {from: spoof, exceptions: []verify.Exception{{Trunks: []string{"a"}}}, trunk: "b"},
		"declared for a trunk, came by none": {from: spoof, exceptions: []verify.Exception{{Trunks: []string{"a"}}}},
		"declared number, wrong trunk":       {from: spoof, exceptions: []verify.Exception{{Numbers: []string{"+16062067563"}, Trunks: []string{"a"}}}, trunk: "b"},
		"declared extension":                 {from: "<sip:200@pbx.example.com>", exceptions: []verify.Exception{{Numbers: []string{"200"}}}, ok: true},
		"in the name, declared":              {from: `"+16062067563" <sip:+12125551234@example.com>`, exceptions: []verify.Exception{{Trunks: []string{"a"}}}, trunk: "a", ok: true},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := house()
			cfg.Exceptions = tt.exceptions
			cfg.Identity = stub{set: tt.identity}
			c := byTrunk(invite(t, tt.from, "100", tt.headers...), tt.trunk, false)
			c.Journey = tt.journey
			v := look(t, cfg, c)
			if (v.Result == verify.Pass) != tt.ok || tt.ok && !strings.Contains(tt.from, `"`) && result(v, verify.CheckOwnNumber).Evidence == "" {
				t.Errorf("%+v", v)
			}
		})
	}
}

func TestExtensionWithItsPassword(t *testing.T) {
	for from, want := range map[string]string{
		"<sip:200@pbx.example.com>": "", "<sip:anna@pbx.example.com>": verify.CodeOwnNumberSpoofed, "<sip:anna@PBX.example.com.>": verify.CodeOwnNumberSpoofed,
		"<sip:+16062067563@pbx.example.com>": "", "<sip:anonymous@anonymous.invalid>": "", "<sip:anna@example.com>": "",
	} {
		r := invite(t, from, "100")
		r.Authenticated = "200"
		if v := look(t, house(), caller(r)); v.Code != want || v.Class != verify.ClassExtension {
			t.Errorf("%s: %+v", from, v)
		}
	}
	r := invite(t, "<sip:200@pbx.example.com>", "100")
	r.Authenticated = "200"
	if v := look(t, verify.Config{}, caller(r)); v.Result != verify.Pass || result(v, verify.CheckOwnNumber).Evidence == "" {
		t.Errorf("%+v", v)
	}
}

func TestLookupThatFails(t *testing.T) {
	cfg := house()
	cfg.Owned = func(context.Context, address.Address) (bool, error) { return false, errors.New("no database") }
	v := look(t, cfg, caller(invite(t, "<sip:+12125551234@example.com>", "100")))
	if v.Result != verify.Reject || v.Status != 500 || v.Code != verify.CodeLookupFailed {
		t.Errorf("%+v", v)
	}
}

// TestExtensionRule: who looks like an extension and has not given a password is none of ours.
func TestExtensionRule(t *testing.T) {
	for _, tt := range []struct{ from, trunk, class, want string }{
		{"<sip:201@pbx.example.com>", "", verify.ClassExtension, verify.CodeExtensionUnknown},
		{"<sip:201@example.com>", "", verify.ClassExtension, ""},
		{"<sip:201@example.com>", "a", verify.ClassShort, ""},
		{"<sip:bob@pbx.example.com>", "", verify.ClassAlphanumeric, ""},
	} {
		c := byTrunk(invite(t, tt.from, "100"), tt.trunk, false)
		v := look(t, house(), c)
		if k := result(v, verify.CheckExtension); k.Code != tt.want || v.Class != tt.class || c.Source.Type != address.TypeSIP {
			t.Errorf("%s: %+v", tt.from, v)
		}
	}
}

// TestEveryDigitCounts: the digits of each script are read by what they are worth.
func TestEveryDigitCounts(t *testing.T) {
	const number = "16062067563"
	check := func(zero rune) {
		user := strings.Map(func(r rune) rune { return zero + r - '0' }, number)
		r := invite(t, "<sip:x@example.com>", "100")
		r.From.User = user
		if v := look(t, house(), caller(r)); v.Code != verify.CodeOwnNumberSpoofed {
			t.Errorf("digits from %U on: %+v", zero, v)
		}
	}
	n := 0
	for _, x := range unicode.Nd.R16 {
		for lo := rune(x.Lo); lo <= rune(x.Hi); lo += 10 {
			check(lo)
			n++
		}
	}
	for _, x := range unicode.Nd.R32 {
		for lo := rune(x.Lo); lo <= rune(x.Hi); lo += 10 {
			check(lo)
			n++
		}
	}
	if n < 60 {
		t.Errorf("%d scripts", n)
	}
}
