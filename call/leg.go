package call

import (
	"context"
	"errors"
	"io"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/media"
)

var (
	_ action.Leg         = (*Call)(nil)
	_ action.Answerer    = (*Call)(nil)
	_ action.Hanger      = (*Call)(nil)
	_ action.Player      = (*Call)(nil)
	_ action.DigitReader = (*Call)(nil)
	_ action.Echoer      = (*Call)(nil)
	_ action.Recorder    = (*Call)(nil)
	_ action.Connector   = (*Call)(nil)
	_ action.Dialer      = (*Call)(nil)
	_ action.Bridger     = (*Call)(nil)
	_ action.Conferencer = (*Call)(nil)
	_ action.DigitSender = (*Call)(nil)
	_ action.Muter       = (*Call)(nil)
	_ action.Parker      = (*Call)(nil)
	_ action.Picker      = (*Call)(nil)

	_ action.FlowFinder   = (*Call)(nil)
	_ action.Follower     = (*Call)(nil)
	_ action.Stater       = (*Call)(nil)
	_ action.Listener     = (*Call)(nil)
	_ action.Transcribing = (*Call)(nil)
	_ action.Recordings   = (*Call)(nil)

	_ action.ExternalMedia = (*Call)(nil)
)

func (c *Call) answer(ctx context.Context) error {
	return c.command(ctx, Command{Name: "answer"})
}

var errNoMedia = errors.New("call: the call has no media")

// port returns the call's audio, which it opens as early media when the call is
// still unanswered.
func (c *Call) port(ctx context.Context) (*media.Port, error) {
	if c.leg.Load() == nil {
		if err := c.command(ctx, Command{Name: "early"}); err != nil {
			return nil, err
		}
	}
	l := c.leg.Load()
	if l == nil {
		return nil, errNoMedia
	}
	return (*l).Port(), nil
}

func (c *Call) play(ctx context.Context, src media.Source) error {
	p, err := c.port(ctx)
	if err != nil {
		if cl, ok := src.(io.Closer); ok {
			cl.Close()
		}
		return err
	}
	if now, ok := ctx.Value(stepKey{}).(*runningStep); ok && fromContext(ctx) == c {
		now.plays.Add(1)
		defer now.plays.Add(-1)
	} else { // it goes on beside the steps
		var done func()
		ctx, done = c.stoppable(ctx)
		defer done()
	}
	return whyEnded(ctx, p.Play(ctx, src))
}

// whyEnded is err, or why ctx has ended: at the end of a call its media may be closed before who waits for it looks at
// ctx.
func whyEnded(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// Echo sends the caller's audio back until ctx ends.
func (c *Call) Echo(ctx context.Context) error {
	p, err := c.port(ctx)
	if err != nil {
		return err
	}
	p.Echo(true)
	defer p.Echo(false)
	<-ctx.Done()
	return context.Cause(ctx)
}

// ReadDigit waits for a digit and takes it.
func (c *Call) ReadDigit(ctx context.Context) (byte, error) { return c.digits.ReadDigit(ctx) }

// PeekDigits returns the digits not yet read, and a channel that is closed at the next one.
func (c *Call) PeekDigits() (string, <-chan struct{}) { return c.digits.PeekDigits() }

// DropDigits forgets the digits not yet read.
func (c *Call) DropDigits() { c.digits.DropDigits() }

// CallStatus is VoIPBIN's status of the call.
func (c *Call) CallStatus() string { return c.Record().Status }

// Listen lets the tap that open makes see every frame of both directions until stop is called.
func (c *Call) Listen(ctx context.Context, open func(rateHz int) (media.Tap, error)) (stop func(), err error) {
	p, err := c.port(ctx)
	if err != nil {
		return nil, err
	}
	t, err := open(p.Rate())
	if err != nil {
		return nil, err
	}
	return p.Tap(t), nil
}

// maxDigits bounds what a caller can make us keep by pressing keys that nobody reads.
const maxDigits = 128
