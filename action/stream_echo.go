package action

import (
	"context"
	"errors"
	"sync"
	"time"
)

// How stream_echo sends a digit back: what it lasted at the peer is not known.
const (
	echoDigit    = 100 * time.Millisecond
	echoInterval = 50 * time.Millisecond
)

// streamEcho sends the peer's audio back to it, and its digits as well.
type streamEcho struct {
	Duration int `json:"duration" opt:"ms,min=0,default=180000" doc:"how long"`
}

func (a *streamEcho) Timing() Timing { return TimeWait }
func (a *streamEcho) Shape() Shape   { return Shape{Sets: []string{VarDigits}} }

func (a *streamEcho) Needs(c *CheckContext) { c.Need(CanEcho) }

func (a *streamEcho) Run(ctx context.Context, leg Leg) (Outcome, error) {
	l, err := Need[Echoer](leg)
	if err != nil {
		return Continue(), err
	}
	if a.Duration <= 0 {
		a.Duration = defaultEchoMS
	}
	return Continue(), within(ctx, ms(a.Duration), func(ctx context.Context) error {
		var digits error
		var wg sync.WaitGroup
		wg.Go(func() { digits = echoDigits(ctx, leg) })
		err := l.Echo(ctx)
		wg.Wait()
		if digits != nil && ctx.Err() == nil {
			err = errors.Join(err, digits)
		}
		return err
	})
}

// echoDigits sends each digit back until ctx ends.
func echoDigits(ctx context.Context, leg Leg) error {
	in, inErr := Need[DigitReader](leg)
	out, outErr := Need[DigitSender](leg)
	if inErr != nil || outErr != nil {
		return nil // audio alone
	}
	for {
		d, err := in.ReadDigit(ctx)
		if err != nil {
			return err
		}
		if err := leg.Vars().Set(VarDigits, string(rune(d))); err != nil {
			return err
		}
		if err := out.SendDigits(ctx, string(rune(d)), echoDigit, echoInterval); err != nil {
			return err
		}
	}
}
