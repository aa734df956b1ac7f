package verify_test

import (
	"strings"
	"testing"

	"github.com/callbin/callbin/sip/verify"
)

// TestRFC5079_3 is who counts as anonymous: by From, by its name, and by Privacy "id" and "user", not by "header" and "session".
func TestRFC5079_3(t *testing.T) {
	refuse := verify.Policy{verify.CodeAnonymous: {Do: verify.DoReject}}
	for _, tt := range []struct {
		from, privacy string
		anonymous     bool
	}{
		{`"Anonymous" <sip:anonymous@anonymous.invalid>`, "", true},
		{"<sip:x@Anonymous.Invalid.>", "", true},
		{"<sip:x@a.anonymous.invalid>", "", true},
		{"<sip:ANONYMOUS@x.example>", "", true},
		{"<sip:x.example>", "", true},
		{`"anonymous" <sip:bob@x.example>`, "", true},
		{"<sip:+12125551234@x.example>", "id", true},
		{"<sip:+12125551234@x.example>", "ID;critical", true},
		{"<sip:+12125551234@x.example>", "header; user", true},
		{"<sip:+12125551234@x.example>", "header", false},
		{"<sip:+12125551234@x.example>", "session", false},
		{"<sip:+12125551234@x.example>", "none", false},
		{"<sip:+12125551234@x.example>", "", false},
		{"<sip:anonymous.bob@x.example>", "", false},
	} {
		var hs []string
		if tt.privacy != "" {
			hs = []string{"Privacy: " + tt.privacy}
		}
		c := caller(invite(t, tt.from, "100", hs...))
		if v := look(t, verify.Config{Policy: refuse}, c); (v.Status == 433) != tt.anonymous {
			t.Errorf("%s, Privacy %q: %+v", tt.from, tt.privacy, v)
		}
		if v := look(t, verify.Config{}, c); v.Result != verify.Pass || (result(v, verify.CheckAnonymous).Result == verify.CheckFail) != tt.anonymous {
			t.Errorf("by default %s, Privacy %q: %+v", tt.from, tt.privacy, v)
		}
	}
}

// TestRFC3325_5 is whose P-Asserted-Identity is believed: that of a trusted trunk, which is then who is judged and shown.
func TestRFC3325_5(t *testing.T) {
	const from = `"Bob" <sip:+12125551234@x.example>`
	for name, tt := range map[string]struct {
		from    string
		headers []string
		trusted bool
		source  string // who is shown
		display string
		check   string // result of the check "asserted"
		code    string // of the verdict
	}{
		"none":                     {from, nil, true, "tel:+12125551234", "Bob", "skip", ""},
		"believed":                 {from, []string{`P-Asserted-Identity: "Carol" <sip:+442079460018@x.example>`}, true, "tel:+442079460018", "Carol", "pass", ""},
		"believed, without a name": {from, []string{"P-Asserted-Identity: <tel:+442079460018>"}, true, "tel:+442079460018", "Bob", "pass", ""},
		"of two the number":        {from, []string{`P-Asserted-Identity: "C" <sip:carol@x.example>, <tel:+442079460018>`}, true, "tel:+442079460018", "C", "pass", ""},
		"in two headers":           {from, []string{"P-Asserted-Identity: <tel:+442079460018>", "P-Asserted-Identity: <sip:carol@x.example>"}, true, "tel:+442079460018", "Bob", "pass", ""},
		"a name":                   {from, []string{"P-Asserted-Identity: <sip:carol@x.example>"}, true, "sip:carol@x.example", "Bob", "pass", ""},
		"not trusted":              {from, []string{"P-Asserted-Identity: <tel:+442079460018>"}, false, "tel:+12125551234", "Bob", "skip", ""},
		"two numbers":              {from, []string{"P-Asserted-Identity: <tel:+442079460018>, <tel:+442079460019>"}, true, "tel:+12125551234", "Bob", "fail", ""},
		"three":                    {from, []string{"P-Asserted-Identity: <tel:+442079460018>, <sip:a@b>, <sip:c@d>"}, true, "tel:+12125551234", "Bob", "fail", ""},
		"not to be read":           {from, []string{"P-Asserted-Identity: <sip:"}, true, "tel:+12125551234", "Bob", "fail", ""},
		"another scheme":           {from, []string{"P-Asserted-Identity: <mailto:a@b>"}, true, "tel:+12125551234", "Bob", "fail", ""},
		"hidden": {"<sip:anonymous@anonymous.invalid>", []string{"P-Asserted-Identity: <tel:+442079460018>", "Privacy: id"}, true,
			"sip:anonymous@anonymous.invalid", "", "pass", ""},
		"privacy none": {from, []string{"P-Asserted-Identity: <tel:+442079460018>", "Privacy: none"}, true, "tel:+442079460018", "Bob", "pass", ""},

		"judged": {from, []string{"P-Asserted-Identity: <tel:+16062067563>"}, true, "tel:+16062067563", "Bob", "pass", verify.CodeOwnNumberSpoofed},
		"judged, though hidden": {"<sip:anonymous@anonymous.invalid>", []string{"P-Asserted-Identity: <tel:+16062067563>", "Privacy: id"}, true,
			"sip:anonymous@anonymous.invalid", "", "pass", verify.CodeOwnNumberSpoofed},
		"in place of From":              {"<sip:+16062067563@x.example>", []string{"P-Asserted-Identity: <tel:+442079460018>"}, true, "tel:+442079460018", "", "pass", ""},
		"From's name stays":             {`"+16062067563" <sip:x@x.example>`, []string{"P-Asserted-Identity: <tel:+442079460018>"}, true, "tel:+442079460018", "+16062067563", "pass", verify.CodeOwnNumberInName},
		"in place of From, not trusted": {"<sip:+16062067563@x.example>", []string{"P-Asserted-Identity: <tel:+442079460018>"}, false, "tel:+16062067563", "", "skip", verify.CodeOwnNumberSpoofed},
		"malformed, and asserted":       {from, []string{"P-Asserted-Identity: <sip:+12@x.example>"}, true, "sip:+12@x.example", "Bob", "pass", verify.CodeCallerMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			c := byTrunk(invite(t, tt.from, "100", tt.headers...), "carrier", tt.trusted)
			v := look(t, house(), c)
			if c.Source.String() != tt.source || c.Source.TargetName != tt.display || result(v, verify.CheckAsserted).Result != tt.check || v.Code != tt.code {
				t.Errorf("%+v, %+v", c.Source, v)
			}
			if tt.check == "skip" && len(tt.headers) > 0 && !strings.Contains(result(v, verify.CheckAsserted).Evidence, "ignored") {
				t.Error("nobody is told that it is ignored")
			}
		})
	}
}
