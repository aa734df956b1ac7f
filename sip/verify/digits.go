package verify

import (
	"net/url"
	"strings"
	"unicode"

	"github.com/callbin/callbin/call/address"
)

// Whoever shows a number of ours in a disguise wants a person, or a program behind us, to take it for that number. So what is compared is not how a
// number is written but what it could be read as.

// minDigits is how many digits a number of ours has at least.
const minDigits = 7

// unescaped takes escapes off that are still there: "%252B" is a "+" for who decodes twice.
func unescaped(s string) string {
	for range 3 {
		t, err := url.PathUnescape(s)
		if err != nil || t == s {
			break
		}
		s = t
	}
	return s
}

// run is a row of digits in a text.
type run struct {
	plus   bool
	digits string
}

// runs are the numbers that a text can be read as: digits, of any script, with what people put between them; and each of its words.
func runs(text string) (all []run) {
	var cur, word run
	flush := func(r *run) {
		if len(r.digits) >= minDigits && len(r.digits) <= 24 && (len(all) == 0 || all[len(all)-1] != *r) {
			all = append(all, *r)
		}
		*r = run{}
	}
	for _, c := range text {
		switch d := digitOf(c); {
		case d >= 0:
			cur.digits += string(rune('0' + d))
			word.digits += string(rune('0' + d))
		case c == '+' || c == '＋':
			flush(&cur)
			flush(&word)
			cur.plus, word.plus = true, true
		case unicode.IsSpace(c):
			flush(&word)
		case strings.ContainsRune("-.()/_~", c) || unicode.Is(unicode.Pd, c) || unicode.Is(unicode.Cf, c):
		default:
			flush(&cur)
			flush(&word)
		}
	}
	flush(&word)
	flush(&cur)
	return all
}

// readings are the numbers of the E.164 plan that r can be read as.
func (l *look) readings(r run) (all []string) {
	add := func(n string) {
		if address.IsE164(n) {
			all = append(all, n)
		}
	}
	add("+" + r.digits)
	for _, prefix := range []string{"00", "011", "0011", "010", "810"} { // how countries begin a number of another one
		if rest, ok := strings.CutPrefix(r.digits, prefix); ok {
			add("+" + rest)
		}
	}
	for _, n := range all { // a national prefix within: +49 (0)30
		if p := l.parse(n, ""); p.String() != n {
			add(p.String())
		}
	}
	if r.plus {
		return all
	}
	for _, region := range l.places() {
		add(l.parse(r.digits, region).String())
	}
	return all
}

// parse is address.ParseNumber, once for each text; the zero Number is none.
func (l *look) parse(text, region string) address.Number {
	key := [2]string{text, region}
	n, ok := l.parsed[key]
	if !ok {
		if l.parsed == nil {
			l.parsed = make(map[[2]string]address.Number, 4)
		}
		n, _ = address.ParseNumber(text, region)
		l.parsed[key] = n
	}
	return n
}

// numbers are those that s can be read as.
func (l *look) numbers(s *shown) (all []string) {
	user := unescaped(s.User)
	for _, r := range runs(user) {
		all = append(all, l.readings(r)...)
	}
	// A local number with its context (RFC 3966 5.1.5) is one with "+" that is written in two parts.
	if _, rest, ok := strings.Cut(strings.ToLower(unescaped(s.URI)), "phone-context="); ok {
		end := strings.IndexAny(rest, ";@?>")
		if end < 0 {
			end = len(rest)
		}
		context, local := onlyDigits(rest[:end]), onlyDigits(user)
		for _, l := range []string{local, strings.TrimLeft(local, "0")} {
			if n := "+" + context + l; context != "" && address.IsE164(n) {
				all = append(all, n)
			}
		}
	}
	return all
}

// onlyDigits are the digits of s before any parameter.
func onlyDigits(s string) string {
	s, _, _ = strings.Cut(s, ";")
	var b strings.Builder
	for _, c := range s {
		if d := digitOf(c); d >= 0 {
			b.WriteByte(byte('0' + d))
		}
	}
	return b.String()
}

// plainUser is the user part of s as the name of an extension.
func plainUser(user string) string {
	u, _, _ := strings.Cut(unescaped(user), ";")
	for _, scheme := range []string{"sip:", "sips:", "tel:", "extension:"} {
		if len(u) > len(scheme) && strings.EqualFold(u[:len(scheme)], scheme) {
			u = u[len(scheme):]
		}
	}
	return strings.TrimFunc(u, func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) })
}
