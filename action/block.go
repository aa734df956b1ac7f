package action

import (
	"context"
	"errors"
)

// block waits until the flow is continued from outside: its step ends with ErrContinue.
type block struct {
	Timeout int `json:"timeout" opt:"ms,min=0,default=0" doc:"longest wait; 0: as long as the call lasts"`
}

func (a *block) Timing() Timing { return TimeWait }
func (a *block) Shape() Shape   { return Shape{} }

func (a *block) Run(ctx context.Context, _ Leg) (Outcome, error) {
	limit := ctx
	if a.Timeout > 0 {
		var cancel context.CancelFunc
		limit, cancel = context.WithTimeoutCause(ctx, ms(a.Timeout), ErrTimeout)
		defer cancel()
	}
	<-limit.Done()
	switch err := context.Cause(limit); {
	case errors.Is(err, ErrContinue):
		return Continue(), nil
	case ctx.Err() == nil: // the timeout
		return Outcome{TimedOut: true}, nil
	default:
		return Continue(), err
	}
}
