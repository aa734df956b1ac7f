package action

import (
	"context"
	"fmt"
)

// beep plays the built-in beep.
type beep struct {
	deps Deps
}

func (a *beep) Timing() Timing { return TimePrompt }

func (a *beep) Needs(c *CheckContext) {
	c.Need(CanPlay)
	c.Need(HasBeep)
}

func (a *beep) Shape() Shape { return Shape{} }

func (a *beep) Run(ctx context.Context, leg Leg) (Outcome, error) {
	if a.deps.Beep == nil {
		return Continue(), missing(HasBeep)
	}
	return Continue(), Play(ctx, leg, a.deps.Beep())
}

// missing is the error of an action whose engine lacks something.
func missing(a Ability) error { return fmt.Errorf("action: %s is not set", a) }
