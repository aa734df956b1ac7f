package action

import (
	"context"
	"time"
)

// recordingStart starts a recording of both directions and goes on at once.
type recordingStart struct {
	Format       string `json:"format" opt:"enum=wav|mp3|ogg,default=wav" doc:"of the file; wav, whatever is asked for"`
	EndOfSilence int    `json:"end_of_silence" opt:"s,min=0" doc:"silence of the peer that ends it; 0: none does"`
	EndOfKey     string `json:"end_of_key" opt:"enum=none|any|*|#,default=none" doc:"key that ends it"`
	Duration     int    `json:"duration" opt:"s,min=0" doc:"longest length; 0: no limit"`
	BeepStart    bool   `json:"beep_start" doc:"plays a beep before it starts"`
	OnEndFlowID  string `json:"on_end_flow_id" doc:"flow that runs after it"`
}

var recordingVars = []string{
	VarRecordingID, VarRecordingFormat, VarRecordingReferenceType, VarRecordingReferenceID,
	"voipbin.recording.recording_name", "voipbin.recording.filenames",
}

func (a *recordingStart) Check(c *CheckContext) {
	if a.Format == "mp3" || a.Format == "ogg" {
		c.At("format").Warnf("is %s: wav is what is recorded", a.Format)
	}
}

func (a *recordingStart) Needs(c *CheckContext) { c.Need(CanRecord) }

func (a *recordingStart) Shape() Shape {
	return Shape{NeedsAnswer: true, Instant: !a.BeepStart, Sets: recordingVars, Result: []string{"recording_id"}}
}

func (a *recordingStart) Run(ctx context.Context, leg Leg) (Outcome, error) {
	l, err := Need[Recorder](leg)
	if err != nil {
		return Continue(), err
	}
	a.Format = "wav" // whatever is asked for: VoIPBIN's documentation has others, which it cannot do either
	id, err := l.StartRecording(ctx, RecordOptions{
		Format:       a.Format,
		EndOfSilence: units(a.EndOfSilence, time.Second),
		EndOfKey:     a.EndOfKey,
		Duration:     units(a.Duration, time.Second),
		BeepStart:    a.BeepStart,
		OnEndFlowID:  CanonicalID(a.OnEndFlowID),
	})
	if err != nil {
		return Continue(), err
	}
	for _, v := range [][2]string{
		{VarRecordingID, id},
		{VarRecordingFormat, a.Format},
		{VarRecordingReferenceType, "call"},
		{VarRecordingReferenceID, leg.ID()},
	} {
		if err := leg.Vars().Set(v[0], v[1]); err != nil {
			return Outcome{Result: map[string]string{"recording_id": id}}, err
		}
	}
	return Outcome{Result: map[string]string{"recording_id": id}}, nil
}
