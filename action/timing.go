package action

import (
	"context"
	"fmt"
	"time"
)

// Timing is how an action stands to time and to the digits that the peer presses.
type Timing uint8

const (
	// TimeAny may take time and leaves digits alone. It is what an action has that is not Timed.
	TimeAny Timing = iota
	// TimeNone takes no time: it only looks, counts and jumps.
	TimeNone
	// TimeWait lets time pass. Digits that were pressed before it are forgotten at its
	// start; at its end the last digit pressed during it is put into VarDigits, and they
	// are forgotten, too.
	TimeWait
	// TimePrompt is as TimeWait, but digits that are pressed during it still count for a
	// TimeDigits action that follows (type-ahead).
	TimePrompt
	// TimeDigits reads digits itself. Digits that wait at its start were typed ahead.
	TimeDigits
)

// Timed is an Action with another Timing than TimeAny. It is asked on an action
// whose options may not be set.
type Timed interface {
	Timing() Timing
}

// TimingOf returns a's timing.
func TimingOf(a Action) Timing {
	if t, ok := a.(Timed); ok {
		return t.Timing()
	}
	return TimeAny
}

// within runs f with a context that ends after d. That it did is no error; the end of
// ctx itself is, by its cause.
func within(ctx context.Context, d time.Duration, f func(ctx context.Context) error) error {
	inner, cancel := context.WithTimeoutCause(ctx, d, ErrTimeout)
	defer cancel()
	err := f(inner)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil && inner.Err() != nil:
		return nil
	default:
		return err
	}
}

// limited runs f, what somebody else does for an action, for at most d: what is late is
// ErrTimeout. Its error names what was done; the end of ctx itself is returned by its cause.
func limited(ctx context.Context, what string, d time.Duration, f func(ctx context.Context) error) error {
	inner, cancel := context.WithTimeoutCause(ctx, d, ErrTimeout)
	defer cancel()
	err := f(inner)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil && inner.Err() != nil:
		return fmt.Errorf("action: %s: not done after %s: %w", what, d, ErrTimeout)
	case err != nil:
		return fmt.Errorf("action: %s: %w", what, err)
	default:
		return nil
	}
}

// ms returns n milliseconds, the unit of VoIPBIN's durations; the longest it can be
// where n is beyond all sense.
func ms(n int) time.Duration { return units(n, time.Millisecond) }

func units(n int, unit time.Duration) time.Duration {
	const longest = 100 * 365 * 24 * time.Hour
	if int64(n) > int64(longest/unit) {
		return longest
	}
	return time.Duration(n) * unit
}
