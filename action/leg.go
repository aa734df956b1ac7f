package action

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/callbin/callbin/media"
)

// Leg is what a flow runs on: all that every leg has. What a leg can do beyond
// it are the capabilities below and in leg_connect.go, found by Need.
type Leg interface {
	ID() string
	Vars() *Vars
}

// Answerer answers the leg (SIP 200). Answering an answered leg does nothing.
type Answerer interface {
	Answer(ctx context.Context) error
}

// Ending is how a leg is to be hung up.
type Ending struct {
	Reason      string // VoIPBIN's: normal failed busy cancel timeout noanswer dialout amd; empty: normal
	ReferenceID string // id of another call: end with the cause with which that one ended; wins over Reason
}

// Hanger hangs the leg up, or refuses it while it is unanswered. It returns
// once the leg has begun to end; the context of the flow ends with ErrHangup.
type Hanger interface {
	Hangup(ctx context.Context, e Ending) error
}

// Player plays src to the peer and returns at its end, or with context.Cause(ctx).
// On an unanswered leg it is early media (183).
type Player interface {
	Play(ctx context.Context, src media.Source) error
}

// DigitReader hands out the DTMF digits of the peer: 0-9 * # A-D, oldest first.
type DigitReader interface {
	// ReadDigit waits for a digit, takes it from the buffer and returns it.
	ReadDigit(ctx context.Context) (byte, error)
	// PeekDigits returns what is in the buffer, and a channel that is closed at the next digit.
	PeekDigits() (digits string, next <-chan struct{})
	// DropDigits empties the buffer.
	DropDigits()
}

// Echoer sends the peer's audio back until ctx ends.
type Echoer interface {
	Echo(ctx context.Context) error
}

// RecordOptions of one recording. Zero limits are none.
type RecordOptions struct {
	Format       string        // "wav"
	EndOfSilence time.Duration // end after so much silence of the peer
	EndOfKey     string        // "none", "any", or one of "*" "#": a digit that ends it
	Duration     time.Duration // longest length
	BeepStart    bool          // play a beep before it starts
	OnEndFlowID  string        // a flow to run when it has ended
}

// Recorder records both directions of the leg; one recording at a time.
type Recorder interface {
	// StartRecording returns the recording's id once it runs.
	StartRecording(ctx context.Context, o RecordOptions) (id string, err error)
	StopRecording(ctx context.Context) error
}

// RecordingStopped is Recorded.EndedBy of a recording that somebody has stopped: a key, StopRecording, or the program.
const RecordingStopped = "stop"

// Recorded tells how a recording has ended.
type Recorded struct {
	EndedBy string        `json:"ended_by,omitempty"` // RecordingStopped, "silence", "duration", "hangup" or "error"
	Length  time.Duration `json:"length,omitempty"`
}

// RecordingWaiter is a Recorder that can be waited for. WaitRecording returns when the recording has ended and all have been
// told so, at once for one that has, or with context.Cause(ctx).
type RecordingWaiter interface {
	WaitRecording(ctx context.Context, id string) (Recorded, error)
}

// DigitSender sends DTMF digits to the peer, each for duration, with interval between
// them. SendDigits returns when the last one is sent, or with context.Cause(ctx).
type DigitSender interface {
	SendDigits(ctx context.Context, digits string, duration, interval time.Duration) error
}

// Muter silences one direction of the leg, or both: what comes from the peer
// (media.In), what goes to it (media.Out). The other direction stays as it is.
type Muter interface {
	Mute(ctx context.Context, d media.Direction, on bool) error
}

// Need returns leg as the capability T. It looks through wrappers that have
// Unwrap() Leg; its error matches errors.ErrUnsupported.
func Need[T any](leg Leg) (T, error) {
	for l := leg; l != nil; {
		if t, ok := l.(T); ok {
			return t, nil
		}
		u, ok := l.(interface{ Unwrap() Leg })
		if !ok {
			break
		}
		l = u.Unwrap()
	}
	var zero T
	return zero, fmt.Errorf("action: this leg has no %T: %w", (*T)(nil), errors.ErrUnsupported)
}
