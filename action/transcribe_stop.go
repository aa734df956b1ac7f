package action

import "context"

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
