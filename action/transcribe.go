package action

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/callbin/callbin/media"
)

// Limits of transcriptions.
const (
	TranscribeStartTimeout     = 30 * time.Second // of the start of one
	TranscribeRecordingTimeout = 5 * time.Minute  // of the work on one recording
)

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

// recordingText turns one recording into text.
func recordingText(ctx context.Context, l Recordings, deps Deps, id string, o media.TranscribeOptions) (string, error) {
	if deps.RecordingTranscriber == nil {
		return "", missing(HasRecordingTranscriber)
	}
	var text string
	err := limited(ctx, fmt.Sprintf("transcribe recording %.40q", id), TranscribeRecordingTimeout, func(ctx context.Context) error {
		name, wav, err := l.OpenRecording(ctx, id)
		if err != nil {
			return err
		}
		defer wav.Close()
		text, err = deps.RecordingTranscriber.TranscribeRecording(ctx, name, wav, o)
		return err
	})
	return strings.TrimSpace(text), err
}

// needFollow says that a flow is to run afterwards, if flowID is one.
func needFollow(c *CheckContext, flowID string) {
	if CanonicalID(flowID) != "" {
		c.Need(CanFollow)
	}
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
