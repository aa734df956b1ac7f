package action

import "strings"

// sentences cuts text that comes in parts into sentences.
type sentences struct{ text string }

// longSentence is how many bytes are spoken at once where there is no full stop.
const longSentence = 400

// add takes a part and returns the sentences that are complete with it.
func (s *sentences) add(part string) (complete []string) {
	s.text += part
	for {
		i := strings.IndexAny(s.text, ".!?\n;。！？")
		// A full stop may be a decimal point, as long as nothing comes after it.
		for i >= 0 && i+1 < len(s.text) && s.text[i] == '.' && s.text[i+1] > ' ' {
			next := strings.IndexAny(s.text[i+1:], ".!?\n;。！？")
			if next < 0 {
				i = -1
				break
			}
			i += 1 + next
		}
		switch {
		case i >= 0 && i+1 < len(s.text):
			i += len(firstRune(s.text[i:]))
		case len(s.text) > longSentence:
			i = len(cutText(s.text, longSentence))
			if space := strings.LastIndexByte(s.text[:i], ' '); space > 0 {
				i = space
			}
		default:
			return complete
		}
		if line := strings.TrimSpace(s.text[:i]); line != "" {
			complete = append(complete, line)
		}
		s.text = s.text[i:]
	}
}

// rest is what has no end yet.
func (s *sentences) rest() string { return strings.TrimSpace(s.text) }

func firstRune(s string) string {
	for i := range s {
		if i > 0 {
			return s[:i]
		}
	}
	return s
}
