package action

import (
	"context"
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
	var digits error
	err = within(ctx, ms(a.Duration), func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		var wg sync.WaitGroup
		wg.Go(func() { digits = guard(func() error { return echoDigits(ctx, leg) }) })
		err := l.Echo(ctx)
		cancel() // where Echo could not begin
		wg.Wait()
		return err
	})
	if err != nil {
		return Continue(), err
	}
	return Continue(), digits
}

// echoDigits sends each digit back until ctx ends. What it returns is the first failure, after which
// it goes on.
func echoDigits(ctx context.Context, leg Leg) (first error) {
	in, inErr := Need[DigitReader](leg)
	out, outErr := Need[DigitSender](leg)
	if inErr != nil || outErr != nil {
		return nil // audio alone
	}
	for {
		d, err := in.ReadDigit(ctx)
		if err != nil { // ctx has ended
			return first
		}
		digit := string(rune(d))
		err = leg.Vars().Set(VarDigits, digit) // as after all that lets time pass; the digit is taken from the buffer
		if err == nil {
			err = out.SendDigits(ctx, digit, echoDigit, echoInterval)
		}
		if err == nil {
			err = pause(ctx, echoInterval) // else the same digit twice is one to the peer
		}
		if err != nil && ctx.Err() == nil && first == nil {
			first = err
		}
	}
}
