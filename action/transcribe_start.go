package action

import "context"

// transcribeStart turns what is said into text from now on, and goes on at once.
type transcribeStart struct{ transcribe }

func (a *transcribeStart) Shape() Shape {
	return Shape{NeedsAnswer: true, Instant: true, Sets: transcribeVars, Result: []string{"transcribe_id"}}
}

func (a *transcribeStart) Needs(c *CheckContext) {
	c.Need(CanTranscribe)
	c.Need(HasTranscriber)
	needFollow(c, a.OnEndFlowID)
}

func (a *transcribeStart) Run(ctx context.Context, leg Leg) (Outcome, error) {
	l, err := Need[Transcribing](leg)
	if err != nil {
		return Continue(), err
	}
	d := a.direction()
	var id string
	err = limited(ctx, "transcribe_start", TranscribeStartTimeout, func(ctx context.Context) (err error) {
		id, err = l.StartTranscription(ctx, TranscribeOptions{
			Language: a.Language, Provider: a.Provider, Direction: d, OnEndFlowID: CanonicalID(a.OnEndFlowID),
		})
		return err
	})
	if err != nil {
		return Continue(), err
	}
	return Resulting("transcribe_id", id), setAll(leg.Vars(),
		VarTranscribeID, id, VarTranscribeLanguage, a.Language, VarTranscribeDirection, string(d))
}
