package action

import "context"

// externalMediaStop ends all forks of the leg's sound.
type externalMediaStop struct{}

func (a *externalMediaStop) Shape() Shape { return Shape{Instant: true} }

func (a *externalMediaStop) Needs(c *CheckContext) { c.Need(CanFork) }

func (a *externalMediaStop) Run(ctx context.Context, leg Leg) (Outcome, error) {
	l, err := Need[ExternalMedia](leg)
	if err != nil {
		return Continue(), err
	}
	return Continue(), l.StopExternalMedia(ctx)
}
