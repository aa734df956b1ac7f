package action

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/callbin/callbin/media"
)

// transcribeTimeout bounds the work on one recording, and how long the start of a transcription may take.
const transcribeTimeout = 5 * time.Minute

// Names of VoIPBIN's variables of a transcription.
const (
	VarTranscribeID        = "voipbin.transcribe.id"
	VarTranscribeLanguage  = "voipbin.transcribe.language"
	VarTranscribeDirection = "voipbin.transcribe.direction"
)

// transcribe is what the options of transcribe_start and transcribe_recording have in common.
type transcribe struct {
	Language    string `json:"language" doc:"BCP 47, as en-GB"`
	Provider    string `json:"provider" doc:"name of an engine"`
	Direction   string `json:"direction" opt:"enum=in|out|both,default=both" doc:"in is what the peer says, out what it hears"`
	OnEndFlowID string `json:"on_end_flow_id" doc:"flow that runs after it"`
}

var transcribeVars = []string{VarTranscribeID, VarTranscribeLanguage, VarTranscribeDirection, VarTranscript}

func (a *transcribe) direction() media.Direction {
	switch d := media.Direction(a.Direction); d {
	case media.In, media.Out:
		return d
	}
	return media.Both
}

// transcribeStart turns what is said into text from now on, and goes on at once.
type transcribeStart struct{ transcribe }

func (a *transcribeStart) Shape() Shape {
	return Shape{NeedsAnswer: true, Instant: true, Sets: transcribeVars, Result: []string{"transcribe_id"}}
}

func (a *transcribeStart) Needs(c *CheckContext) {
	c.Need(CanTranscribe)
	c.Need(HasTranscriber)
	if CanonicalID(a.OnEndFlowID) != "" {
		c.Need(CanFollow)
	}
}

func (a *transcribeStart) Run(ctx context.Context, leg Leg) (Outcome, error) {
	l, err := Need[Transcribing](leg)
	if err != nil {
		return Continue(), err
	}
	d := a.direction()
	id, err := l.StartTranscription(ctx, TranscribeOptions{
		Language: a.Language, Provider: a.Provider, Direction: d, OnEndFlowID: CanonicalID(a.OnEndFlowID),
	})
	if err != nil {
		return Continue(), err
	}
	return Resulting("transcribe_id", id), setAll(leg.Vars(),
		VarTranscribeID, id, VarTranscribeLanguage, a.Language, VarTranscribeDirection, string(d))
}

// setAll sets variables, given as name, value, name, value.
func setAll(v *Vars, pairs ...string) error {
	var errs []error
	for i := 0; i+1 < len(pairs); i += 2 {
		errs = append(errs, v.Set(pairs[i], pairs[i+1]))
	}
	return errors.Join(errs...)
}

// transcribeStop ends the transcription that runs, once the last words are there.
type transcribeStop struct{}

func (a *transcribeStop) Shape() Shape { return Shape{} }

func (a *transcribeStop) Needs(c *CheckContext) { c.Need(CanTranscribe) }

func (a *transcribeStop) Run(ctx context.Context, leg Leg) (Outcome, error) {
	l, err := Need[Transcribing](leg)
	if err != nil {
		return Continue(), err
	}
	return Continue(), l.StopTranscription(ctx)
}

// transcribeRecording turns all recordings of the call into text; VarTranscript holds it then.
type transcribeRecording struct {
	transcribe
	deps Deps
}

func (a *transcribeRecording) Shape() Shape {
	return Shape{Sets: []string{VarTranscript, VarTranscribeLanguage}, Result: []string{"text", "count"}}
}

func (a *transcribeRecording) Needs(c *CheckContext) {
	c.Need(CanReadRecord)
	c.Need(HasRecordingTranscriber)
	if CanonicalID(a.OnEndFlowID) != "" {
		c.Need(CanFollow)
	}
}

// Run ends with the first recording that fails, as VoIPBIN does; what was read before it counts.
func (a *transcribeRecording) Run(ctx context.Context, leg Leg) (Outcome, error) {
	l, err := Need[Recordings](leg)
	if err != nil {
		return Continue(), err
	}
	var texts []string
	for _, id := range l.RecordingIDs() {
		text, rerr := recordingText(ctx, l, a.deps, id, media.TranscribeOptions{Language: a.Language, Provider: a.Provider})
		if rerr != nil {
			err = rerr
			break
		}
		texts = append(texts, text)
	}
	text := cutText(strings.Join(texts, "\n"), MaxVarValue)
	o := Resulting("text", text, "count", strconv.Itoa(len(texts)))
	if len(texts) > 0 {
		err = errors.Join(err, setAll(leg.Vars(), VarTranscript, text, VarTranscribeLanguage, a.Language))
	}
	if ctx.Err() != nil {
		return o, context.Cause(ctx)
	}
	return o, errors.Join(err, follow(leg, a.OnEndFlowID, nil))
}

// recordingText turns one recording into text.
func recordingText(ctx context.Context, l Recordings, deps Deps, id string, o media.TranscribeOptions) (string, error) {
	if deps.RecordingTranscriber == nil {
		return "", missing(HasRecordingTranscriber)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, transcribeTimeout, ErrTimeout)
	defer cancel()
	name, wav, err := l.OpenRecording(ctx, id)
	if err != nil {
		return "", fmt.Errorf("action: transcribe recording %.40q: %w", id, err)
	}
	defer wav.Close()
	text, err := deps.RecordingTranscriber.TranscribeRecording(ctx, name, wav, o)
	if err != nil {
		return "", fmt.Errorf("action: transcribe recording %.40q: %w", id, err)
	}
	return strings.TrimSpace(text), nil
}

// follow runs the flow with that id, if it is one, after something that the leg has done.
func follow(leg Leg, flowID string, vars map[string]string) error {
	id := CanonicalID(flowID)
	if id == "" {
		return nil
	}
	l, err := Need[Follower](leg)
	if err != nil {
		return err
	}
	return l.Follow(id, vars)
}
