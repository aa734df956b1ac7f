package vad

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/wav"
)

// Transcriber is a media.Transcriber that gives each utterance to one that knows recordings only, such as a server of OpenAI's kind. It tells
// Speaking as soon as somebody speaks, so that an assistant can be silent, and the text of an utterance once that is over. It is safe
// for concurrent use, as far as Recordings is.
type Transcriber struct {
	Recordings media.RecordingTranscriber
	Listener   ListenerConfig
}

var _ media.Transcriber = (*Transcriber)(nil)

// Speaking is the text of a Transcript that says no more than that somebody speaks. It is never Final.
const Speaking = "…"

// Transcribe implements media.Transcriber. A transcript that is final and empty is of sound without words. It ends at the first failure of Recordings.
func (t *Transcriber) Transcribe(ctx context.Context, src media.Stream, o media.TranscribeOptions, tell func(media.Transcript)) error {
	l, err := NewListener(src, t.Listener)
	if err != nil {
		return err
	}
	var start int64
	at := func(samples int64) time.Duration {
		return time.Duration(samples) * time.Second / time.Duration(src.Rate())
	}
	for {
		h, err := l.Next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if h.Kind == Started {
			start = h.At
			tell(media.Transcript{Text: Speaking, Start: at(start), End: at(h.Found)})
			continue
		}
		text, err := t.Recordings.TranscribeRecording(ctx, "utterance.wav", bytes.NewReader(wav.Encode(h.Sound)), o)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("vad: transcribe: %w", err)
		}
		tell(media.Transcript{Text: strings.TrimSpace(text), Final: true, Start: at(start), End: at(h.At)})
	}
}
