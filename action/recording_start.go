package action

import (
	"context"
	"strconv"
	"strings"
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
	Wait         bool   `json:"wait" doc:"goes on at its end: ${ID.ended_by}, ${ID.duration_ms}, ${ID.digits}; that nothing but silence was recorded is a timeout"`
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

func (a *recordingStart) Needs(c *CheckContext) {
	if c.Need(CanRecord); a.Wait {
		c.Need(CanWaitRecord)
		c.Need(CanDigits)
	}
}

func (a *recordingStart) Shape() Shape {
	s := Shape{NeedsAnswer: true, Instant: !a.BeepStart && !a.Wait, Sets: recordingVars, Result: []string{"recording_id"}}
	if a.Wait {
		s.Result = append(s.Result, "ended_by", "duration_ms", "digits")
	}
	return s
}

func (a *recordingStart) Run(ctx context.Context, leg Leg) (Outcome, error) {
	l, err := Need[Recorder](leg)
	if err != nil {
		return Continue(), err
	}
	var digits DigitReader
	if a.Wait {
		if digits, err = Need[DigitReader](leg); err != nil {
			return Continue(), err
		}
		digits.DropDigits() // what was pressed before does not end it
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
	o := Resulting("recording_id", id)
	if !a.Wait {
		return o, nil
	}
	return a.wait(ctx, leg, digits, o, id)
}

// wait lets the step last as long as the recording.
func (a *recordingStart) wait(ctx context.Context, leg Leg, digits DigitReader, o Outcome, id string) (Outcome, error) {
	l, err := Need[RecordingWaiter](leg)
	if err != nil {
		return o, err
	}
	got, err := l.WaitRecording(ctx, id)
	if err != nil {
		return o, err
	}
	pressed, _ := digits.PeekDigits()
	digits.DropDigits() // they were for the recording
	if i := strings.IndexFunc(pressed, func(r rune) bool { return a.EndOfKey == "any" || strings.ContainsRune(a.EndOfKey, r) }); i >= 0 && got.EndedBy == RecordingStopped {
		got.EndedBy = endedByKey
		o.Result["digits"] = pressed[i : i+1]
	}
	o.Result["ended_by"], o.Result["duration_ms"] = got.EndedBy, strconv.FormatInt(got.Length.Milliseconds(), 10)
	silence := units(a.EndOfSilence, time.Second)
	o.TimedOut = got.EndedBy == "silence" && silence > 0 && got.Length <= silence+silenceSlack
	return o, nil
}

// silenceSlack is how much longer than the silence that ends it a recording may be in which nobody has said anything.
const silenceSlack = 200 * time.Millisecond
