package action

import (
	"context"
	"time"
)

// empty does nothing.
type empty struct{}

func (a *empty) Timing() Timing { return TimeNone }
func (a *empty) Shape() Shape   { return Shape{} }

func (a *empty) Run(ctx context.Context, leg Leg) (Outcome, error) {
	return a.Decide(ctx, leg, time.Now())
}

func (a *empty) Decide(context.Context, Leg, time.Time) (Outcome, error) { return Continue(), nil }
