package action

import "context"

// stop ends the flow, and so the call.
type stop struct{}

func (a *stop) Timing() Timing { return TimeNone }

func (a *stop) Shape() Shape { return Shape{Ends: true} }

func (a *stop) Run(context.Context, Leg) (Outcome, error) { return Stop(), nil }
