package verify_test

import (
	"strings"
	"testing"

	"github.com/callbin/callbin/sip/verify"
)

// TestCallerNumbers: the class of what is shown, and what is wrong with the number.
func TestCallerNumbers(t *testing.T) {
	for name, tt := range map[string]struct {
		from, to    string
		trunk       string
		class, code string
	}{
		"US":                       {"<sip:+12125551234@x.example>", "100", "", "e164", ""},
		"DE":                       {"<sip:+4930123456@x.example>", "100", "", "e164", ""},
		"toll-free of the world":   {"<sip:+80012345678@x.example>", "100", "", "e164", ""},
		"national":                 {"<sip:2125551234@x.example>", "100", "", "e164", ""},
		"00":                       {"<sip:004930123456@x.example>", "100", "", "e164", ""},
		"011":                      {"<sip:0114930123456@x.example>", "100", "", "e164", ""},
		"country without plus":     {"<sip:442079460000@x.example>", "100", "", "e164", ""},
		"national, of the called":  {"<sip:0293744000@x.example>", "+61293744001", "", "e164", ""},
		"unassigned country code":  {"<sip:+9991234567@x.example>", "100", "", "e164", verify.CodeNumberImpossible},
		"country code 210":         {"<sip:+2101234567@x.example>", "100", "", "e164", verify.CodeNumberImpossible},
		"too short":                {"<sip:+1212555@x.example>", "100", "", "e164", verify.CodeNumberImpossible},
		"too long for its country": {"<sip:+121255512345@x.example>", "100", "", "e164", verify.CodeNumberImpossible},
		"zeros":                    {"<sip:+00000000000@x.example>", "100", "", "e164", verify.CodeNumberImpossible},
		"area N11":                 {"<sip:+19115551234@x.example>", "100", "", "e164", verify.CodeNumberImpossible},
		"office N11":               {"<sip:+12129111234@x.example>", "100", "", "e164", verify.CodeNumberImpossible},
		"area begins with 1":       {"<sip:+11235551234@x.example>", "100", "", "e164", verify.CodeNumberImpossible},
		"office begins with 0":     {"<sip:+12120551234@x.example>", "100", "", "e164", verify.CodeNumberImpossible},
		"555-01xx":                 {"<sip:+12125550123@x.example>", "100", "", "e164", verify.CodeNumberFictional},
		"not assigned":             {"<sip:+12005551234@x.example>", "100", "", "e164", verify.CodeNumberUnassigned},
		"as the callee":            {"<sip:+12125551234@x.example>", "+12125551234", "", "e164", verify.CodeSameAsCallee},
		"as the callee, national":  {"<sip:(212)555-1234@x.example>", "+12125551234", "", "e164", verify.CodeSameAsCallee},
		"sixteen digits":           {"<sip:+1234567890123456@x.example>", "100", "", "invalid", verify.CodeCallerMalformed},
		"six digits":               {"<sip:+123456@x.example>", "100", "", "invalid", verify.CodeCallerMalformed},
		"letters after plus":       {"<sip:+1212CALLME@x.example>", "100", "", "invalid", verify.CodeCallerMalformed},
		"plus alone":               {"<sip:+@x.example>", "100", "", "invalid", verify.CodeCallerMalformed},
		"digits of nowhere":        {"<sip:99999999999999@x.example>", "100", "", "invalid", verify.CodeNumberInvalid},
		"short, by a trunk":        {"<sip:11833@x.example>", "100", "a", "short", ""},
		"shaped like an extension": {"<sip:200@x.example>", "100", "", "extension", ""},
		"name":                     {"<sip:alice@x.example>", "100", "", "alphanumeric", ""},
		"name with digits":         {"<sip:alice2@x.example>", "100", "", "alphanumeric", ""},
		"anonymous":                {"<sip:anonymous@anonymous.invalid>", "100", "", "anonymous", ""},
		"nobody":                   {"<sip:x.example>", "100", "", "anonymous", ""},
	} {
		t.Run(name, func(t *testing.T) {
			v := look(t, verify.Config{Regions: []string{"US"}}, byTrunk(invite(t, tt.from, tt.to), tt.trunk, false))
			code := result(v, verify.CheckNumber).Code
			if v.Code != "" {
				code = v.Code
			}
			if v.Class != tt.class || code != tt.code {
				t.Errorf("%s, %q: %+v", v.Class, code, v.Checks)
			}
		})
	}
}

func TestCallerFormat(t *testing.T) {
	for name, tt := range map[string]struct {
		from string
		ok   bool
	}{
		"a long name":       {`"` + strings.Repeat("x", 257) + `" <sip:bob@x.example>`, false},
		"a name":            {`"` + strings.Repeat("x", 256) + `" <sip:bob@x.example>`, true},
		"a long user":       {"<sip:" + strings.Repeat("x", 257) + "@x.example>", false},
		"control character": {"<sip:bob%07@x.example>", false},
		"line break":        {"<sip:bob%0d%0aX@x.example>", false},
		"NUL":               {"<sip:bob%00@x.example>", false},
		"escape sequence":   {`"` + "\x1b[31mBob" + `" <sip:bob@x.example>`, false},
		"right to left":     {`"` + "\u202eboB" + `" <sip:bob@x.example>`, false},
		"zero width":        {"<sip:b%E2%80%8Bob@x.example>", false},
		"not UTF-8":         {"<sip:b%FFob@x.example>", false},
		"umlaut":            {`"Jürgen" <sip:j%C3%BCrgen@x.example>`, true},
		"Japanese":          {`"田中" <sip:bob@x.example>`, true},
	} {
		v := look(t, verify.Config{}, caller(invite(t, tt.from, "100")))
		if (v.Result == verify.Pass) != tt.ok || !tt.ok && v.Code != verify.CodeCallerMalformed {
			t.Errorf("%s: %+v", name, v)
		}
	}
	many := make([]string, 9)
	for i := range many {
		many[i] = "Remote-Party-ID: <sip:bob@x.example>"
	}
	if v := look(t, verify.Config{}, caller(invite(t, "<sip:bob@x.example>", "100", many...))); v.Code != verify.CodeCallerMalformed {
		t.Errorf("ten identities: %+v", v)
	}
}
