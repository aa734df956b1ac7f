package action

import (
	"context"
	"time"
)

// stop ends the flow, and so the call.
type stop struct{}

func (a *stop) Timing() Timing { return TimeNone }

func (a *stop) Shape() Shape { return Shape{Ends: true} }

func (a *stop) Run(ctx context.Context, leg Leg) (Outcome, error) {
	return a.Decide(ctx, leg, time.Now())
}

func (a *stop) Decide(context.Context, Leg, time.Time) (Outcome, error) { return Stop(), nil }
