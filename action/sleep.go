package action

import (
	"context"
	"time"
)

// sleep waits.
type sleep struct {
	Duration int `json:"duration" opt:"ms,min=0,default=0" doc:"how long"`

	variable bool // Duration is a variable's
}

func (a *sleep) Timing() Timing { return TimeWait }

func (a *sleep) Check(c *CheckContext) { a.variable = c.At("duration").HasVar() }

func (a *sleep) Shape() Shape { return Shape{Instant: a.Duration <= 0 && !a.variable} }

func (a *sleep) Run(ctx context.Context, _ Leg) (Outcome, error) {
	return Continue(), pause(ctx, ms(a.Duration))
}

// pause waits for d, or returns the cause of ctx.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
