package action

import "context"

// empty does nothing.
type empty struct{}

func (a *empty) Timing() Timing { return TimeNone }
func (a *empty) Shape() Shape   { return Shape{} }

func (a *empty) Run(context.Context, Leg) (Outcome, error) { return Continue(), nil }
