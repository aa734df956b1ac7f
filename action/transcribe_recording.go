package action

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/callbin/callbin/media"
)

// transcribeRecording turns all recordings of the call into text; VarTranscript holds it then.
// Which direction it is, only the recording knows.
type transcribeRecording struct {
	transcribe
	deps Deps
}

func (a *transcribeRecording) Shape() Shape {
	return Shape{Sets: transcribeVars, Result: []string{"transcribe_id", "text", "count"}}
}

func (a *transcribeRecording) Needs(c *CheckContext) {
	c.Need(CanReadRecord)
	c.Need(HasRecordingTranscriber)
	needFollow(c, a.OnEndFlowID)
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
	o := Resulting("count", strconv.Itoa(len(texts)))
	if len(texts) == 0 {
		return o, err
	}
	id, text := uuid.NewString(), cutText(strings.Join(texts, "\n"), MaxVarValue)
	o.Result["transcribe_id"], o.Result["text"] = id, text
	verr := setAll(leg.Vars(), VarTranscribeID, id, VarTranscribeLanguage, a.Language,
		VarTranscribeDirection, string(a.direction()), VarTranscript, text)
	if ctx.Err() != nil {
		return o, context.Cause(ctx)
	}
	ferr := follow(leg, a.OnEndFlowID, map[string]string{
		"voipbin.activeflow.reference_type": "transcribe", "voipbin.activeflow.reference_id": id,
	})
	return o, errors.Join(err, verr, ferr)
}
