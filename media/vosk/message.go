package vosk

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/callbin/callbin/media"
)

// message is what a server sends. Which of its fields are there tells what it is.
type message struct {
	Partial       *string       `json:"partial"`
	PartialResult []word        `json:"partial_result"`
	Text          *string       `json:"text"`
	Result        []word        `json:"result"`
	Alternatives  []alternative `json:"alternatives"` // instead of text, of a server told to find several
}

type word struct {
	Conf  float64 `json:"conf"`  // 0 to 1
	Start float64 `json:"start"` // seconds since the first sample
	End   float64 `json:"end"`
}

type alternative struct {
	Text   string `json:"text"`
	Result []word `json:"result"` // without confidence, and that of an alternative is no probability
}

// decode reads a message. One that is neither a guess nor a final text is an empty guess.
func decode(b []byte) (media.Transcript, error) {
	var m message
	if err := json.Unmarshal(b, &m); err != nil {
		return media.Transcript{}, fmt.Errorf("read message %.80q: %w", b, err)
	}
	switch {
	case m.Text != nil:
		return transcript(*m.Text, true, m.Result), nil
	case len(m.Alternatives) > 0:
		return transcript(m.Alternatives[0].Text, true, m.Alternatives[0].Result), nil
	case m.Partial != nil:
		return transcript(*m.Partial, false, m.PartialResult), nil
	}
	return media.Transcript{}, nil
}

func transcript(text string, final bool, words []word) media.Transcript {
	t := media.Transcript{Text: strings.TrimSpace(text), Final: final}
	if len(words) == 0 {
		return t
	}
	for _, w := range words {
		t.Confidence += w.Conf / float64(len(words))
	}
	t.Confidence = max(0, min(1, t.Confidence))
	t.Start = seconds(words[0].Start)
	t.End = max(t.Start, seconds(words[len(words)-1].End))
	return t
}

// seconds is 0 for what no call lasts.
func seconds(s float64) time.Duration {
	if s < 0 || s > 1e6 {
		return 0
	}
	return time.Duration(s * float64(time.Second)).Round(time.Millisecond)
}
