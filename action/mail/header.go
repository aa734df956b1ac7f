package mail

import (
	"encoding/base64"
	"errors"
	"fmt"
	netmail "net/mail"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxPlain   = 60  // bytes of a header's text that stands on one line as it is
	maxHeader  = 900 // bytes of a subject or name; what is more is cut
	wordBytes  = 42  // of text in an encoded word, of which RFC 2047 allows 75 characters
	maxAddress = 254 // RFC 5321 4.5.3.1.3, without the angle brackets
)

// checkAddress tells why s is not an address that can stand in a command and in a header as
// it is.
func checkAddress(s string) error {
	a, err := netmail.ParseAddress(s)
	switch {
	case len(s) > maxAddress:
		return fmt.Errorf("address %.40q... has more than %d bytes", s, maxAddress)
	case err != nil:
		return fmt.Errorf("address %q: %w", s, err)
	case a.Address != s || a.Name != "":
		return fmt.Errorf("address %q is not a bare user@host", s)
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == utf8.RuneError }):
		return errors.New("an address with blanks or control characters")
	}
	return nil
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}

// clean makes s one line of UTF-8 without control characters.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strings.TrimSpace(s)
}

// cut shortens s to n bytes at most, at a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// isPlain tells whether cleaned text can stand in a header as it is, and be read as that.
func isPlain(s string) bool { return len(s) <= maxPlain && isASCII(s) && !strings.Contains(s, "=?") }

// encodeText writes the text of a header, as it is or as folded encoded words (RFC 2047).
// The name goes before it on its line.
func encodeText(s string) string {
	s = cut(clean(s), maxHeader)
	if isPlain(s) {
		return s
	}
	var words []string
	for s != "" {
		part := cut(s, wordBytes)
		s = s[len(part):]
		words = append(words, "=?utf-8?b?"+base64.StdEncoding.EncodeToString([]byte(part))+"?=")
	}
	return strings.Join(words, "\r\n ")
}

// encodeAddress writes an address with its name for a header.
func encodeAddress(a *netmail.Address) string {
	name := clean(a.Name)
	if isPlain(name) {
		return (&netmail.Address{Name: name, Address: a.Address}).String()
	}
	return encodeText(name) + " <" + a.Address + ">"
}
