package media

import "context"

// Gender of a synthetic voice. The zero value leaves the choice to the engine.
type Gender string

const (
	Male    Gender = "male"
	Female  Gender = "female"
	Neutral Gender = "neutral"
)

// Utterance is one text to be spoken.
type Utterance struct {
	Text     string // plain text or SSML (one <speak> element)
	Language string // BCP 47, for example "en-GB"; empty: the engine's default
	Gender   Gender
	Voice    string  // an engine's own voice id; empty: chosen by Language and Gender
	Provider string  // name of an engine, where a Speaker has several; empty: its first
	Rate     float64 // speed, 1 is normal; 0 means 1
}

// Speaker turns text into sound. Speak may block while the engine works and
// returns as soon as a first frame can be read. It is safe for concurrent use.
type Speaker interface {
	Speak(ctx context.Context, u Utterance) (Source, error)
}

// SpeakChecker is a Speaker that can tell beforehand whether it will be able
// to speak u. A nil error promises nothing about a failing engine, but an error
// is certain: the language is unknown, the program is missing.
type SpeakChecker interface {
	CheckSpeak(u Utterance) error
}
