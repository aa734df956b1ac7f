package media

import (
	"context"
	"io"
	"time"
)

// Transcript is a piece of speech as text.
type Transcript struct {
	Text       string
	Final      bool          // false: a guess that a later one replaces
	Start, End time.Duration // since the first frame; 0 where the engine does not tell
	Confidence float64       // 0 to 1; 0 where the engine does not tell
}

// TranscribeOptions of one transcription.
type TranscribeOptions struct {
	Language string // BCP 47, for example "en-GB"; empty: the engine's default
	Provider string // name of an engine, where a Transcriber has several; empty: its first
}

// Stream is sound that is read as fast as its reader likes.
type Stream interface {
	Rate() int // Hz, never changes
	// Read waits until there is sound, fills at most len(dst) samples and returns how many.
	// At the end it is (0, io.EOF); when ctx ends, (0, context.Cause(ctx)).
	Read(ctx context.Context, dst []int16) (int, error)
}

// Transcriber turns speech into text while it is spoken. Transcribe blocks until src has ended
// and the last text is told, or ctx ends (context.Cause), or the engine fails. tell is called by
// one goroutine at a time, in the order of the speech, and must not be called after
// Transcribe has returned. It is safe for concurrent use.
type Transcriber interface {
	Transcribe(ctx context.Context, src Stream, o TranscribeOptions, tell func(Transcript)) error
}

// RecordingTranscriber turns a whole recording into text: wav is a WAV file, name what it is
// called. It is safe for concurrent use.
type RecordingTranscriber interface {
	TranscribeRecording(ctx context.Context, name string, wav io.Reader, o TranscribeOptions) (string, error)
}
