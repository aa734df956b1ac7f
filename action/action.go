package action

import (
	"context"
	"errors"
)

// Action is one step of a flow. Run blocks until the step is over, at the latest
// when ctx ends (the call was hung up, the step skipped, the flow redirected:
// context.Cause tells which), and then returns context.Cause(ctx).
//
// An error goes to the step's on_error, if it has one. Else one that is not Fatal is noted and
// the flow goes on with the next step, as VoIPBIN does for its SKIP and SOFT failures; a Fatal
// error ends the flow.
type Action interface {
	Run(ctx context.Context, leg Leg) (Outcome, error)
}

// Func is an Action in plain Go.
type Func func(ctx context.Context, leg Leg) (Outcome, error)

// Run calls f.
func (f Func) Run(ctx context.Context, leg Leg) (Outcome, error) { return f(ctx, leg) }

// Causes with which a running action's context ends.
var (
	ErrHangup = errors.New("action: the call has ended")
	ErrSkip   = errors.New("action: skipped")
	// ErrContinue lets a block go on: for it the step is over as it should be.
	ErrContinue = errors.New("action: continued")
)

type fatalError struct{ err error }

func (e *fatalError) Error() string { return e.err.Error() }
func (e *fatalError) Unwrap() error { return e.err }

// Fatal marks err as one that ends the flow (VoIPBIN's class FATAL).
func Fatal(err error) error {
	if err == nil {
		return nil
	}
	return &fatalError{err}
}

// IsFatal tells whether err was marked by Fatal.
func IsFatal(err error) bool {
	var f *fatalError
	return errors.As(err, &f)
}
