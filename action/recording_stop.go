package action

import "context"

// recordingStop ends the recording that runs.
type recordingStop struct{}

func (a *recordingStop) Needs(c *CheckContext) { c.Need(CanRecord) }

func (a *recordingStop) Shape() Shape { return Shape{Instant: true} }

func (a *recordingStop) Run(ctx context.Context, leg Leg) (Outcome, error) {
	l, err := Need[Recorder](leg)
	if err != nil {
		return Continue(), err
	}
	return Continue(), l.StopRecording(ctx)
}
