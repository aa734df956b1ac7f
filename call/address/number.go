package address

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
)

// Number is a telephone number in E.164: "+" and 7 to 15 digits, with what the
// numbering plans say about it. The zero Number is none. Values are comparable:
// the same number is == however it was written. Safe for concurrent use.
type Number struct {
	e164    string
	region  string
	country int
	grade   grade
}

// grade is what is known about the number, each including the ones before it.
type grade uint8

const (
	shaped   grade = iota // has the shape of E.164
	possible              // its country code exists and the length fits
	valid                 // its prefix is assigned
)

// IsE164 tells whether s is a "+" and 7 to 15 digits. It does not look into
// numbering plans and costs nanoseconds.
func IsE164(s string) bool {
	if len(s) < 8 || len(s) > 16 || s[0] != '+' {
		return false
	}
	for i := 1; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// IsRegion tells whether s is a country (ISO 3166 alpha-2, "DE") with a numbering plan.
func IsRegion(s string) bool { return phonenumbers.GetCountryCodeForRegion(strings.ToUpper(s)) != 0 }

// ParseNumber reads a telephone number as people and peers write it: "+49 (0)30
// 901820", "tel:+1-202-555-0143", or, with the region in whose plan it was
// dialled (ISO 3166 alpha-2, "DE"; empty: none), "030 901820" and "00 33 1 ...".
//
// It returns an error matching ErrInvalid where the text is no number or has no
// country. A number that cannot exist, yet has the shape of one, is returned:
// IsPossible and IsValid tell. It takes some 10 microseconds: parse once a call.
func ParseNumber(s, defaultRegion string) (Number, error) {
	digits, err := numberChars(s)
	if err != nil {
		return Number{}, err
	}
	region := strings.ToUpper(defaultRegion)
	if digits[0] != '+' {
		if region == "" {
			return Number{}, fmt.Errorf("address: number %s: no country: neither a \"+\" nor a default region: %w", show(s), ErrInvalid)
		}
		if phonenumbers.GetCountryCodeForRegion(region) == 0 {
			return Number{}, fmt.Errorf("address: number %s: unknown default region %s: %w", show(s), show(defaultRegion), ErrInvalid)
		}
	}
	p, err := phonenumbers.Parse(digits, region)
	if err == nil {
		n := Number{e164: phonenumbers.Format(p, phonenumbers.E164), country: int(p.GetCountryCode())}
		if phonenumbers.IsPossibleNumber(p) && IsE164(n.e164) && settled(n.e164, digits) {
			n.grade = possible
			n.region = phonenumbers.GetRegionCodeForNumber(p)
			if phonenumbers.IsValidNumber(p) {
				n.grade = valid
			}
			if n.region == "" {
				n.region = phonenumbers.GetRegionCodeForCountryCode(n.country)
			}
			if n.region == "ZZ" || n.region == "001" { // unknown, no country
				n.region = ""
			}
			return n, nil
		}
	}
	// No plan knows it. Its digits are kept as they are, so that it can still be
	// compared, logged and refused by whoever has to decide.
	if IsE164(digits) {
		return Number{e164: digits}, nil
	}
	return Number{}, fmt.Errorf("address: number %s: %s: %w", show(s), why(err, digits), ErrInvalid)
}

// settled tells whether a formatted number stays as it is when it is read again. One that does
// not (of zeros only, whose trunk prefix is taken off again and again) is in no plan.
func settled(e164, digits string) bool {
	if e164 == digits {
		return true
	}
	p, err := phonenumbers.Parse(e164, "")
	return err == nil && phonenumbers.Format(p, phonenumbers.E164) == e164
}

func why(err error, digits string) string {
	switch {
	case errors.Is(err, phonenumbers.ErrInvalidCountryCode):
		return "unknown country code"
	case len(digits) < 8:
		return "too short"
	case len(digits) > 16:
		return "too long"
	default:
		return "not a possible number"
	}
}

// numberChars strips what people put between digits. Letters are refused, though
// keypads have them: a name as caller id must not turn into digits.
func numberChars(s string) (string, error) {
	t := strings.TrimSpace(s)
	if len(t) > 4 && strings.EqualFold(t[:4], "tel:") {
		t = t[4:]
	}
	if len(t) > maxLen {
		return "", fmt.Errorf("address: number %s: %d bytes are too long: %w", show(s), len(t), ErrInvalid)
	}
	b := make([]byte, 0, len(t))
	for i, r := range t {
		switch {
		case r >= '0' && r <= '9':
			b = append(b, byte(r))
		case r == '+' && len(b) == 0:
			b = append(b, '+')
		case strings.ContainsRune("-.()/", r), unicode.IsSpace(r), unicode.Is(unicode.Pd, r), unicode.Is(unicode.Bidi_Control, r):
			// Contacts copied from a phone hold non-breaking hyphens and direction marks.
		default:
			return "", fmt.Errorf("address: number %s: character %s at %d: %w", show(s), showRune(t, i, r), i, ErrInvalid)
		}
	}
	if len(b) == 0 || string(b) == "+" {
		return "", fmt.Errorf("address: number %s: no digits: %w", show(s), ErrInvalid)
	}
	return string(b), nil
}

// String returns "+" and the digits; "" for the zero Number.
func (n Number) String() string { return n.e164 }

// IsZero tells whether n is no number.
func (n Number) IsZero() bool { return n.e164 == "" }

// IsPossible tells whether the country code exists and the length fits its plan.
func (n Number) IsPossible() bool { return n.grade >= possible }

// IsValid tells whether the plan has assigned the number's prefix. A fresh
// prefix may be missing from the tables: do not refuse a call for this alone.
func (n Number) IsValid() bool { return n.grade >= valid }

// Region is the ISO 3166 country of the number, "DE"; "" where it is unknown or
// belongs to none (satellite, +800). Of several that share a code and are not told
// apart by the number, it is the main one.
func (n Number) Region() string { return n.region }

// CountryCode is the country calling code, 49; 0 where it is unknown.
func (n Number) CountryCode() int { return n.country }

// Address returns the tel address of n.
func (n Number) Address() Address {
	if n.IsZero() {
		return Address{}
	}
	return Address{Type: TypeTel, Target: n.e164}
}

// MarshalText writes the form of String.
func (n Number) MarshalText() ([]byte, error) { return []byte(n.e164), nil }

// UnmarshalText reads a number with its "+", as ParseNumber does; empty text is
// the zero Number.
func (n *Number) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*n = Number{}
		return nil
	}
	v, err := ParseNumber(string(b), "")
	if err != nil {
		return err
	}
	*n = v
	return nil
}
