package action

import (
	"context"
	"fmt"
	"time"
)

// recordingStart starts a recording of both directions and goes on at once.
type recordingStart struct {
	Format       string `json:"format"`
	EndOfSilence int    `json:"end_of_silence"` // s
	EndOfKey     string `json:"end_of_key"`
	Duration     int    `json:"duration"` // s
	BeepStart    bool   `json:"beep_start"`
	OnEndFlowID  string `json:"on_end_flow_id"`
}

func (a *recordingStart) Check(c *CheckContext) {
	if a.Format != "" {
		c.At("format").OneOf(a.Format, "wav")
	}
	if a.EndOfKey != "" {
		c.At("end_of_key").OneOf(a.EndOfKey, "none", "any", "*", "#")
	}
	c.At("end_of_silence").NotNegative(a.EndOfSilence)
	c.At("duration").NotNegative(a.Duration)
}

func (a *recordingStart) Needs(c *CheckContext) { c.Need(CanRecord) }

func (a *recordingStart) Run(ctx context.Context, leg Leg) (Outcome, error) {
	l, err := Need[Recorder](leg)
	if err != nil {
		return Continue(), err
	}
	if a.Format == "" {
		a.Format = "wav"
	}
	if a.Format != "wav" { // possible by a variable only
		return Continue(), fmt.Errorf("action: recording_start: format %.20q is not supported, only wav", a.Format)
	}
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
