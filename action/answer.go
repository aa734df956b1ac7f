package action

import "context"

// answer answers the leg and goes on at once.
type answer struct{}

func (a *answer) Needs(c *CheckContext) { c.Need(CanAnswer) }

func (a *answer) Shape() Shape { return Shape{Answers: true, Instant: true} }

func (a *answer) Run(ctx context.Context, leg Leg) (Outcome, error) {
	l, err := Need[Answerer](leg)
	if err != nil {
		return Continue(), err
	}
	return Continue(), l.Answer(ctx)
}
