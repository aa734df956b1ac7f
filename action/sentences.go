package action

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Sentences cuts text that comes in parts into sentences, so that the first is spoken while the others come.
type Sentences struct{ text string }

const (
	// longSentence is how many bytes are spoken at once where there is no full stop.
	longSentence = 400

	sentenceEnds   = ".!?;\n。！？；"
	sentenceClosed = "\"')]}»”’」』）" // may follow an end and belongs to it
)

// Add takes a part and returns the sentences that are complete with it.
func (s *Sentences) Add(part string) (complete []string) {
	s.text += part
	for {
		i := s.end()
		if i < 0 {
			if len(s.text) <= longSentence {
				return complete
			}
			i = len(cutText(s.text, longSentence))
			if space := strings.LastIndexByte(s.text[:i], ' '); space > 0 {
				i = space
			}
		}
		if line := strings.TrimSpace(s.text[:i]); hasWords(line) {
			complete = append(complete, line)
		}
		s.text = s.text[i:]
	}
}

// end returns where the first sentence ends, or -1 while nobody can tell: more marks may follow, and a
// full stop may be a decimal point. Marks without words belong to the sentence that follows.
func (s *Sentences) end() int {
	for from := 0; ; {
		i := strings.IndexAny(s.text[from:], sentenceEnds)
		if i < 0 {
			return -1
		}
		i += from
		from = i
		for ended := false; !ended; {
			if !utf8.FullRuneInString(s.text[from:]) {
				return -1
			}
			r, size := utf8.DecodeRuneInString(s.text[from:])
			if !strings.ContainsRune(sentenceEnds+sentenceClosed, r) {
				break
			}
			from += size
			ended = r == '\n' // a quotation mark behind it opens
		}
		if from == len(s.text) {
			return -1
		}
		if points := strings.Trim(s.text[i:from], "."+sentenceClosed) == ""; points {
			if r, _ := utf8.DecodeRuneInString(s.text[from:]); !unicode.IsSpace(r) {
				continue
			}
		}
		if hasWords(s.text[:from]) {
			return from
		}
	}
}

// Rest is what has no end yet.
func (s *Sentences) Rest() string {
	if !hasWords(s.text) {
		return ""
	}
	return strings.TrimSpace(s.text)
}

// hasWords tells whether there is something to be spoken: an engine may fail at marks alone.
func hasWords(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool {
		return !unicode.IsPunct(r) && !unicode.IsSpace(r) && !unicode.IsControl(r)
	})
}
