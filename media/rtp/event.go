package rtp

// Kinds of events.
const (
	EventDigit        = "digit"         // a key went down: Digit, Remote
	EventDigitEnd     = "digit_end"     // it went up, or its packets stopped: Digit, DurationMS
	EventLatched      = "latched"       // the peer's audio comes from Remote
	EventMediaTimeout = "media_timeout" // neither audio nor RTCP came for Config.MediaTimeout; again only after one has come back
	EventMediaResume  = "media_resume"  // something came again after that
	EventHold         = "hold"          // the peer does not want to hear us any more
	EventResume       = "resume"        // it does again
	EventDirection    = "direction"     // our direction changed: Direction
)

// Event is something that a leg noticed, a JSON value. A key press gives one
// "digit" at the first packet that shows it, since a caller who presses a key wants
// the prompt to stop now, and one "digit_end".
type Event struct {
	Kind       string `json:"kind"`
	Digit      string `json:"digit,omitempty"` // 0-9 * # A-D
	DurationMS int    `json:"duration_ms,omitempty"`
	Remote     string `json:"remote,omitempty"` // IP:port
	Direction  string `json:"direction,omitempty"`
}
