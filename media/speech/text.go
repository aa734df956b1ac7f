package speech

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxText is the longest text of one utterance, in characters.
const MaxText = 5000

// ErrText is matched by errors about the text itself: empty, too long, bad SSML.
var ErrText = errors.New("speech: bad text")

// prepared is text as an engine gets it.
type prepared struct {
	text  string // plain, or SSML written anew from what was understood
	plain string // what is spoken, for checks
	ssml  bool
	langs []span // parts in another language
}

// span is text under an xml:lang.
type span struct{ lang, text string }

// prepare checks a text that voice is to speak, and takes out what an engine would take for commands.
func prepare(text, voice string) (prepared, error) {
	if n := utf8.RuneCountInString(text); n > MaxText {
		return prepared{}, fmt.Errorf("%w: %d characters are more than %d", ErrText, n, MaxText)
	}
	trimmed := strings.TrimSpace(text)
	if isSSML(trimmed) {
		return prepareSSML(trimmed, voice)
	}
	p := prepared{text: defuse(trimmed)}
	p.plain = p.text
	if strings.TrimSpace(p.plain) == "" {
		return prepared{}, fmt.Errorf("%w: nothing to speak", ErrText)
	}
	return p, nil
}

func isSSML(s string) bool {
	rest, ok := strings.CutPrefix(s, "<speak")
	return ok && rest != "" && strings.ContainsRune(" \t\r\n>/", rune(rest[0]))
}

// defuse turns control characters, which espeak-ng reads as commands (one of them
// opens files), and broken bytes into spaces, and takes the meaning from [[ (phonemes).
func defuse(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Co, r)) {
			return ' '
		}
		return r
	}, s)
	for strings.Contains(s, "[[") {
		s = strings.ReplaceAll(s, "[[", "[ [")
	}
	return s
}

func isName(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || i > 0 && (c == '-' || c == '_' || c == '+') {
			continue
		}
		return false
	}
	return true
}
