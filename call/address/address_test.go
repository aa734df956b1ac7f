package address_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/callbin/callbin/call/address"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		in   string
		want address.Address
	}{
		{"+4930901820", address.Address{Type: "tel", Target: "+4930901820"}},
		{" +49 (30) 90-18 20 ", address.Address{Type: "tel", Target: "+4930901820"}},
		{"tel:+1-202-555-0143;ext=5", address.Address{Type: "tel", Target: "+12025550143"}},
		{"TEL:+12025550143", address.Address{Type: "tel", Target: "+12025550143"}},
		{"2001", address.Address{Type: "extension", Target: "2001"}},
		{"extension:Büro.1", address.Address{Type: "extension", Target: "Büro.1"}},
		{"agent:6f1c", address.Address{Type: "agent", Target: "6f1c"}},
		{"conference:6f1c", address.Address{Type: "conference", Target: "6f1c"}},
		{"Alice@EXAMPLE.com:5061;transport=TCP", address.Address{Type: "sip", Target: "Alice@example.com:5061;transport=TCP"}},
		{"sip:Alice@EXAMPLE.com", address.Address{Type: "sip", Target: "Alice@example.com"}},
		{"sips:Alice@EXAMPLE.com", address.Address{Type: "sip", Target: "sips:Alice@example.com"}},
		{"sip:[2001:DB8::1]:5060", address.Address{Type: "sip", Target: "[2001:DB8::1]:5060"}},
		{"sip:a@[2001:DB8::1]:5060", address.Address{Type: "sip", Target: "a@[2001:db8::1]:5060"}},
		{"email:Jo@Example.com", address.Address{Type: "email", Target: "jo@example.com"}},
		{"whatsapp:+44 20 7946 0018", address.Address{Type: "whatsapp", Target: "+442079460018"}},
	} {
		got, err := address.Parse(c.in)
		if err != nil || got != c.want {
			t.Errorf("Parse(%q) = %+v, %v; want %+v", c.in, got, err, c.want)
			continue
		}
		again, err := address.Parse(got.String())
		if err != nil || again != got {
			t.Errorf("Parse(%q) = %+v, %v; want %+v back", got.String(), again, err, got)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for in, want := range map[string]string{
		"":                           "empty",
		"  ":                         "empty",
		"+49":                        "7 to 15 digits",
		"+1234567890123456":          "7 to 15 digits",
		"tel:anonymous":              "7 to 15 digits",
		"tel:0301234567":             "7 to 15 digits",
		"20 01":                      `' ' (U+0020) at 2`,
		"20-01":                      `'-' (U+002D) at 2`,
		"(20)":                       `'(' (U+0028) at 0`,
		"a\x00b":                     `'\x00' (U+0000) at 1`,
		"a/../b":                     `'/' (U+002F) at 1`,
		"a\u200bb":                   "U+200B",
		"\xff1":                      "0xff (not UTF-8) at 0",
		"fax:123":                    "':'",
		"agent:":                     "no target",
		"conference:a\nb":            `'\n'`,
		"sip:@host":                  "no user",
		"sip:a@":                     "no host",
		"sip:a@;x":                   "no host",
		"sip:a@b@c":                  "more than one @",
		"sip:a@b\r\nVia: x":          "space",
		"sip:a@b\r\nX":               `'\r'`,
		"email:foo":                  "not user@host",
		strings.Repeat("1", 65):      "65 characters are more than 64",
		strings.Repeat("1", 5000):    "5000 bytes",
		"..":                         "file systems",
		"extension:+2001":            "tel",
		"sip:a@h,sip:b@h":            "space < >",
		"agent:" + "\u202e" + "gnp.": "U+202E",
	} {
		got, err := address.Parse(in)
		if err == nil {
			t.Errorf("Parse(%.40q) = %+v, want an error", in, got)
			continue
		}
		if !errors.Is(err, address.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%.40q): %v; want ErrInvalid with %q", in, err, want)
		}
		if len(err.Error()) > 400 {
			t.Errorf("Parse(%.40q): an error of %d bytes", in, len(err.Error()))
		}
	}
}

func TestFromSIPUser(t *testing.T) {
	for in, want := range map[string]address.Address{
		"":                             {},
		"+4930901820":                  {Type: "tel", Target: "+4930901820"},
		"+1-202-555-0143;phone-cont=x": {Type: "tel", Target: "+12025550143"},
		"+":                            {Type: "tel", Target: "+"},
		"0301234":                      {Type: "extension", Target: "0301234"},
		"anonymous":                    {Type: "extension", Target: "anonymous"},
		"agent:a":                      {Type: "agent", Target: "a"},
		"conference:c":                 {Type: "conference", Target: "c"},
		"line:l":                       {Type: "line", Target: "l"},
		"extension:2001":               {Type: "extension", Target: "2001"},
		"sip:A@B":                      {Type: "sip", Target: "A@b"},
		"tel:+4930901820":              {Type: "tel", Target: "+4930901820"},
		"tel:anonymous":                {Type: "tel", Target: "anonymous"},
		"email:x@y":                    {Type: "extension", Target: "email:x@y"}, // no user of a registrar domain
		"alice:secret":                 {Type: "extension", Target: "alice:secret"},
	} {
		if got := address.FromSIPUser(in); got != want {
			t.Errorf("FromSIPUser(%q) = %+v, want %+v", in, got, want)
		}
	}
}

func TestNormalizeKeepsWhatItCannotRead(t *testing.T) {
	for _, c := range [][3]string{
		{"tel", "anonymous", "anonymous"},
		{"tel", " unknown ", " unknown "},
		{"tel", "", ""},
		{"tel", "00 49-30", "004930"},
		{"tel", "1+2", "1+2"},
		{"tel", "+4930901820,,5", "+4930901820,,5"}, // not another number
		{"tel", "+49309018&+1900", "+49309018&+1900"},
		{"tel", "+49309018p20", "+49309018p20"},
		{"tel", "+493090182\uff10", "+493090182\uff10"},
		{"tel", "+493090182\u200b0", "+493090182\u200b0"},
		{"tel", "tel:+4930901820", "tel:+4930901820"},
		{"tel", "+1;ext=5", "+1;ext=5"},
		{"whatsapp", "+49 30 1", "+49301"},
		{"sip", " Bob ", "Bob"},
		{"sip", "sip:HOST;Lr", "sip:host;Lr"},
		{"email", " Ü@X.De ", "ü@x.de"},
		{"email", "\xffA@B", "\xffa@b"},
		{"extension", " A b ", " A b "},
		{"agent", "ABC", "ABC"},
		{"nonsense", " X ", " X "},
	} {
		a := address.Address{Type: address.Type(c[0]), Target: c[1], Name: " N "}
		if got := a.Normalize(); got.Target != c[2] || got.Name != " N " {
			t.Errorf("Normalize(%s %q) = %q, want %q", c[0], c[1], got.Target, c[2])
		}
	}
}

func TestValidateExtensionByEitherName(t *testing.T) {
	for _, c := range []struct {
		a  address.Address
		ok bool
	}{
		{address.Address{Type: "extension", Target: "2001"}, true},
		{address.Address{Type: "extension", Target: "5b6c7d-8e", TargetName: "2001"}, true}, // an id has hyphens
		{address.Address{Type: "extension", TargetName: "2001"}, true},
		{address.Address{Type: "extension", Target: "x", TargetName: "20 01"}, false},
		{address.Address{Type: "extension"}, false},
		{address.Address{Type: "pigeon", Target: "x"}, false},
		{address.Address{}, false},
	} {
		if err := c.a.Validate(); (err == nil) != c.ok {
			t.Errorf("Validate(%+v) = %v, want ok %v", c.a, err, c.ok)
		}
	}
}

func TestSame(t *testing.T) {
	for _, c := range []struct {
		a, b address.Address
		want bool
	}{
		{address.Address{Type: "tel", Target: "+49 30 1"}, address.Address{Type: "tel", Target: "+49301", Name: "x"}, true},
		{address.Address{Type: "sip", Target: "sip:a@B"}, address.Address{Type: "sip", Target: "a@b"}, true},
		{address.Address{Type: "sip", Target: "A@b"}, address.Address{Type: "sip", Target: "a@b"}, false},
		{address.Address{Type: "extension", Target: "id", TargetName: "1"}, address.Address{Type: "extension", Target: "1"}, true},
		{address.Address{Type: "extension", Target: "1"}, address.Address{Type: "line", Target: "1"}, false},
	} {
		if got := c.a.Same(c.b); got != c.want {
			t.Errorf("%+v.Same(%+v) = %v, want %v", c.a, c.b, got, c.want)
		}
	}
}

func TestJSONKeysAreVoIPBINs(t *testing.T) {
	b, err := json.Marshal(address.Address{Type: "tel", Target: "t", TargetName: "tn", Name: "n", Detail: "d"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(b), `{"type":"tel","target":"t","target_name":"tn","name":"n","detail":"d"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTypes(t *testing.T) {
	if !address.TypeTel.Dialable() || address.TypeConference.Dialable() || !address.TypeWebSession.Known() || address.Type("x").Known() {
		t.Error("Dialable or Known is wrong about a type")
	}
}

func FuzzAddress(f *testing.F) {
	for _, s := range []string{"+4930901820", "sip:Alice@EX.com;x=Y", "agent:x", "email:İ@X", "a@b@C", "tel:+1;x", "\xff", "sips:", " \u00a0+1", "ǅ", "SIP:A"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, typ := range []address.Type{"tel", "sip", "email", "extension", "whatsapp", ""} {
			once := address.Address{Type: typ, Target: s}.Normalize()
			if twice := once.Normalize(); twice != once {
				t.Errorf("Normalize(%s %q) = %q, then %q", typ, s, once.Target, twice.Target)
			}
		}
		if a := address.FromSIPUser(s); s != "" && a.Type == "" {
			t.Errorf("FromSIPUser(%q) has no type", s)
		}
		a, err := address.Parse(s)
		if err != nil {
			if !errors.Is(err, address.ErrInvalid) {
				t.Errorf("Parse(%q): %v is not ErrInvalid", s, err)
			}
			return
		}
		if err := a.Validate(); err != nil {
			t.Errorf("Parse(%q) = %+v, which is not valid: %v", s, a, err)
		}
		if b, err := address.Parse(a.String()); err != nil || b != a {
			t.Errorf("Parse(%q) = %+v, then of %q %+v, %v", s, a, a.String(), b, err)
		}
	})
}

func FuzzExtension(f *testing.F) {
	f.Add("2001")
	f.Add("a\u2010b")
	f.Add("\u3000")
	f.Fuzz(func(t *testing.T, s string) {
		if address.CheckExtension(s) != nil {
			return
		}
		if strings.ContainsAny(s, " ()-/\\@:\x00\r\n") {
			t.Errorf("CheckExtension(%q) is nil", s)
		}
		if a := address.FromSIPUser(s); a.Type != address.TypeExtension || a.Target != s {
			t.Errorf("FromSIPUser(%q) = %+v, want the extension", s, a)
		}
	})
}

func ExampleParse() {
	for _, s := range []string{"+49 (30) 90 18-20", "2001", "Alice@Example.COM", "20 01"} {
		a, err := address.Parse(s)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(a)
	}
	// Output:
	// tel:+4930901820
	// extension:2001
	// sip:Alice@example.com
	// address: extension "20 01": character ' ' (U+0020) at 2 is not allowed: invalid address
}

func ExampleFromSIPUser() {
	for _, user := range []string{"+4930901820", "conference:6f1c", "2001"} {
		a := address.FromSIPUser(user)
		fmt.Println(a.Type, a.Target)
	}
	// Output:
	// tel +4930901820
	// conference 6f1c
	// extension 2001
}

func BenchmarkFromSIPUser(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if address.FromSIPUser("2001").Validate() != nil || address.FromSIPUser("+4930901820").Validate() != nil {
			b.Fatal("refused")
		}
	}
}
