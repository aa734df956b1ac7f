package speech

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
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

// elements of SSML 1.1 that cannot make an engine open a file, with their attributes.
var elements = map[string][]string{
	"speak":    {"version", "lang"},
	"p":        {"lang"},
	"s":        {"lang"},
	"break":    {"time", "strength"},
	"prosody":  {"rate", "pitch", "volume", "range", "contour", "duration"},
	"emphasis": {"level"},
	"say-as":   {"interpret-as", "format", "detail"},
	"sub":      {"alias"},
	"phoneme":  {"ph", "alphabet"},
	"lang":     {"lang"},
	"voice":    {"gender", "age", "variant", "name", "lang"},
	"mark":     {"name"},
}

const maxDepth = 32

// prepareSSML reads SSML and writes it anew, so that nothing but what was understood
// reaches an engine, whose own parser is less strict. An engine's audio element would
// open files and start programs. Where xml:lang names another voice than the one that
// speaks, the text goes to that one by a voice element: espeak-ng passes over lang, and
// loses the variant (the gender) at an xml:lang of its own language.
func prepareSSML(s, voice string) (prepared, error) {
	bad := func(at int64, format string, args ...any) (prepared, error) {
		return prepared{}, fmt.Errorf("%w: SSML at byte %d: %s", ErrText, at, fmt.Sprintf(format, args...))
	}
	d := xml.NewDecoder(strings.NewReader(s))
	var out, plain strings.Builder
	var open, ends, langs []string
	var spans []span
	void := false // inside break or mark, which hold nothing
	for {
		at := d.InputOffset()
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return bad(at, "%v", err)
		}
		switch t := tok.(type) {
		case xml.StartElement:
			name := t.Name.Local
			allowed, ok := elements[name]
			switch {
			case !ok:
				return bad(at, "element %q is not supported", name)
			case (len(open) == 0) != (name == "speak"):
				return bad(at, "speak has to be the one outer element")
			case len(open) == 0 && out.Len() > 0:
				return bad(at, "a second outer element")
			case void:
				return bad(at, "%s inside of %s", name, open[len(open)-1])
			case len(open) == maxDepth:
				return bad(at, "more than %d elements deep", maxDepth)
			}
			lang := ""
			if len(langs) > 0 {
				lang = langs[len(langs)-1]
			}
			var attrs strings.Builder
			other := ""
			for _, a := range t.Attr {
				if a.Name.Space == "xmlns" || a.Name.Local == "xmlns" || a.Name.Local == "schemaLocation" {
					continue // says nothing to an engine
				}
				if !slices.Contains(allowed, a.Name.Local) {
					return bad(at, "attribute %q of %s is not supported", a.Name.Local, name)
				}
				value := strings.TrimSpace(a.Value)
				switch a.Name.Local {
				case "lang":
					_, v, err := findVoice(value)
					if err != nil {
						return bad(at, "%v", err)
					}
					if lang = value; v != voice {
						other = v
					}
					continue
				case "name":
					// A voice's name may be the path of a file.
					if !isName(value) {
						return bad(at, "name %.40q of %s: letters, digits and + - _ only", value, name)
					}
				case "alias":
					plain.WriteString(value)
				}
				attrs.WriteString(" " + a.Name.Local + `="`)
				if err := xml.EscapeText(&attrs, []byte(defuse(value))); err != nil {
					return bad(at, "%v", err)
				}
				attrs.WriteByte('"')
			}
			end := ""
			void = name == "break" || name == "mark"
			switch {
			case void:
				out.WriteString("<" + name + attrs.String() + "/>")
			case name != "lang":
				out.WriteString("<" + name + attrs.String() + ">")
				end = "</" + name + ">"
			}
			if other != "" {
				out.WriteString(`<voice name="` + other + `">`)
				end = "</voice>" + end
			}
			open, ends, langs = append(open, name), append(ends, end), append(langs, lang)
		case xml.EndElement:
			out.WriteString(ends[len(ends)-1])
			open, ends, langs = open[:len(open)-1], ends[:len(ends)-1], langs[:len(langs)-1]
			void = false
		case xml.CharData:
			text := defuse(string(t))
			if len(open) == 0 {
				if strings.TrimSpace(text) != "" {
					return bad(at, "text outside of speak")
				}
				continue
			}
			if void && strings.TrimSpace(text) != "" {
				return bad(at, "text inside of %s", open[len(open)-1])
			}
			if lang := langs[len(langs)-1]; lang != "" {
				spans = append(spans, span{lang, text})
			} else {
				plain.WriteString(text)
			}
			if err := xml.EscapeText(&out, []byte(text)); err != nil {
				return bad(at, "%v", err)
			}
		case xml.Comment:
		default:
			return bad(at, "declarations and instructions are not supported")
		}
	}
	p := prepared{text: out.String(), plain: plain.String(), ssml: true, langs: spans}
	if strings.TrimSpace(p.plain) == "" && len(spans) == 0 && !strings.Contains(p.text, "<break") {
		return prepared{}, fmt.Errorf("%w: nothing to speak", ErrText)
	}
	return p, nil
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
