package address_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/callbin/callbin/call/address"
)

func TestParseNumber(t *testing.T) {
	for _, c := range []struct {
		in, region      string
		want, country   string
		possible, valid bool
	}{
		{"+4930901820", "", "+4930901820", "DE", true, true},
		{"+49 (0)30 901820", "", "+4930901820", "DE", true, true},
		{"030/901820", "DE", "+4930901820", "DE", true, true},
		{"030/901820", "de", "+4930901820", "DE", true, true},
		{"00 33 1 40 20 50 50", "DE", "+33140205050", "FR", true, true},
		{"011 49 30 901820", "US", "+4930901820", "DE", true, true},
		{"(202) 456-1111", "US", "+12024561111", "US", true, true},
		{"tel:+1-202-456-1111", "", "+12024561111", "US", true, true},
		{"+1 204 204-2044", "", "+12042042044", "CA", true, true},
		{"+39 06 6982", "", "+39066982", "VA", true, true}, // Italy's plan keeps the zero; 06 698 is the Vatican
		{"\u202a+44\u00a020\u20117946\u00a00018\u202c", "", "+442079460018", "GB", true, true},
		{"+800 1234 5678", "", "+80012345678", "", true, true},
		{"+1 202 111 1111", "", "+12021111111", "US", true, false},
		{"+1 000 000 0000", "", "+10000000000", "US", true, false},
		{"+999 1234567", "", "+9991234567", "", false, false},
		{"+0000000", "", "+0000000", "", false, false},
	} {
		got, err := address.ParseNumber(c.in, c.region)
		if err != nil {
			t.Errorf("ParseNumber(%q, %q): %v", c.in, c.region, err)
			continue
		}
		if got.String() != c.want || (c.possible && got.Region() != c.country) || got.IsPossible() != c.possible || got.IsValid() != c.valid {
			t.Errorf("ParseNumber(%q, %q) = %s %s possible %v valid %v, want %+v", c.in, c.region,
				got, got.Region(), got.IsPossible(), got.IsValid(), c)
		}
		if same, err := address.ParseNumber(c.want, ""); err != nil || same != got {
			t.Errorf("ParseNumber(%q) = %#v, %v; want it equal to %#v", c.want, same, err, got)
		}
	}
}

func TestParseNumberRefuses(t *testing.T) {
	for _, c := range [][3]string{
		{"", "", "no digits"},
		{"+", "", "no digits"},
		{"030901820", "", "no country"},
		{"030901820", "XX", `unknown default region "XX"`},
		{"anonymous", "DE", `'a' (U+0061) at 0`},
		{"+1800FLOWERS", "", `'F'`},
		{"+49 30 1;ext=4", "", `';'`},
		{"+49+30901820", "", `'+' (U+002B) at 3`},
		{"+123", "", "too short"},
		{"+4930" + strings.Repeat("1", 20), "", "too long"},
		{"٠٣٠", "DE", "U+0660"},
		{strings.Repeat("1", 3000), "DE", "3000 bytes"},
		{"12", "DE", "too short"},
	} {
		got, err := address.ParseNumber(c[0], c[1])
		if err == nil || !errors.Is(err, address.ErrInvalid) || !strings.Contains(err.Error(), c[2]) {
			t.Errorf("ParseNumber(%.30q, %q) = %v, %v; want ErrInvalid with %q", c[0], c[1], got, err, c[2])
		}
	}
}

func TestIsE164(t *testing.T) {
	for s, want := range map[string]bool{
		"+1234567": true, "+123456789012345": true, "+123456": false, "+1234567890123456": false,
		"1234567": false, "+12345a7": false, "": false, "+1234567\n": false, "+１２３４５６７": false,
	} {
		if got := address.IsE164(s); got != want {
			t.Errorf("IsE164(%q) = %v, want %v", s, got, want)
		}
	}
}

func TestNumberAsText(t *testing.T) {
	n, err := address.ParseNumber("+4930901820", "")
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(map[string]address.Number{"n": n, "zero": {}})
	if err != nil || string(b) != `{"n":"+4930901820","zero":""}` {
		t.Fatalf("Marshal = %s, %v", b, err)
	}
	var back map[string]address.Number
	if err := json.Unmarshal(b, &back); err != nil || back["n"] != n || !back["zero"].IsZero() {
		t.Errorf("Unmarshal = %v, %v; want %v", back, err, n)
	}
	var bad address.Number
	if err := bad.UnmarshalText([]byte("x")); !errors.Is(err, address.ErrInvalid) {
		t.Errorf("UnmarshalText(x) = %v, want ErrInvalid", err)
	}
	if got := n.Address().String(); got != "tel:+4930901820" {
		t.Errorf("Address = %s", got)
	}
	if n.CountryCode() != 49 {
		t.Errorf("CountryCode = %d, want 49", n.CountryCode())
	}
}

func FuzzNumber(f *testing.F) {
	for _, s := range []string{"+4930901820", "030901820", "+1 (202) 456-1111", "tel:+39066982", "+5215512345678", "+00", "0049301234567"} {
		f.Add(s, "DE")
	}
	f.Add("02 12345678", "IT")
	f.Add("0000000", "AX") // found by this target: its zeros were taken off one at a time
	f.Fuzz(func(t *testing.T, s, region string) {
		n, err := address.ParseNumber(s, region)
		if err != nil {
			if !errors.Is(err, address.ErrInvalid) {
				t.Errorf("%v is not ErrInvalid", err)
			}
			return
		}
		if !address.IsE164(n.String()) {
			t.Errorf("ParseNumber(%q, %q) = %q, not E.164", s, region, n)
		}
		if n.IsPossible() {
			if again, err := address.ParseNumber(n.String(), ""); err != nil || again.String() != n.String() {
				t.Errorf("ParseNumber(%q, %q) = %s, then %s, %v", s, region, n, again, err)
			}
		}
	})
}

func ExampleParseNumber() {
	a, _ := address.ParseNumber("030 / 90 18 20", "DE")
	b, _ := address.ParseNumber("+49 (0)30 901820", "")
	fmt.Println(a, a.Region(), a.IsValid(), a == b)
	// Output: +4930901820 DE true true
}

func BenchmarkParseNumber(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := address.ParseNumber("+4930901820", ""); err != nil {
			b.Fatal(err)
		}
	}
}
