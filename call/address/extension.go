package address

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxExtension is the longest extension, in characters.
const MaxExtension = 64

// forbidden in an extension: what VoIPBIN forbids (spaces are handled apart), and
// what has a meaning in a SIP URI, a header, a path or a dial string.
const forbidden = "()-/\\@:;?%&=,<>\"'`$|{}[]^"

// CheckExtension tells whether s can be the name of an extension: free text of 1
// to 64 characters without spaces, parentheses and hyphens (VoIPBIN's rule), and
// without control and invisible characters and ( ) - / \ @ : ; ? % & = , < > " ' `
// $ | { } [ ] ^, which mean something in a URI, header, path or dial string. A "+" in
// front would make it a tel. The error matches ErrInvalid and names the character.
func CheckExtension(s string) error {
	if s == "" {
		return fmt.Errorf("address: extension: empty: %w", ErrInvalid)
	}
	if n := utf8.RuneCountInString(s); n > MaxExtension {
		return fmt.Errorf("address: extension %s: %d characters are more than %d: %w", show(s), n, MaxExtension, ErrInvalid)
	}
	if s[0] == '+' {
		return fmt.Errorf("address: extension %s: a \"+\" in front makes it a number (tel): %w", show(s), ErrInvalid)
	}
	if s == "." || s == ".." {
		return fmt.Errorf("address: extension %s: a name in file systems: %w", show(s), ErrInvalid)
	}
	for i, r := range s {
		if r < utf8.RuneSelf {
			if r > ' ' && r != 0x7f && strings.IndexByte(forbidden, byte(r)) < 0 {
				continue
			}
		} else if unicode.IsPrint(r) && !unicode.IsSpace(r) && !unicode.Is(unicode.Pd, r) && r != utf8.RuneError {
			continue
		}
		return fmt.Errorf("address: extension %s: character %s at %d is not allowed: %w", show(s), showRune(s, i, r), i, ErrInvalid)
	}
	return nil
}
