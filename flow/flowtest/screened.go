package flowtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/media"
)

// screened is the leg of who has answered a connect, while its screening runs: it can hear, press keys, and hang up.
type screened struct {
	*World
	id     string
	vars   action.Vars
	hangup context.CancelCauseFunc

	action.DigitBuffer
}

var (
	_ action.Answerer    = (*screened)(nil)
	_ action.Hanger      = (*screened)(nil)
	_ action.Player      = (*screened)(nil)
	_ action.DigitReader = (*screened)(nil)
	_ action.Stater      = (*screened)(nil)
	_ action.FlowFinder  = (*screened)(nil)
	_ action.Reporter    = (*screened)(nil)
	_ flow.Observer      = (*screened)(nil)
)

// errRefused is why a screening ends that hangs up.
var errRefused = fmt.Errorf("the screening hung up: %w", action.ErrHangup)

func (s *screened) ID() string                   { return s.id }
func (s *screened) Vars() *action.Vars           { return &s.vars }
func (s *screened) Answer(context.Context) error { return nil }
func (s *screened) CallStatus() string           { return "progressing" }

func (s *screened) Hangup(context.Context, action.Ending) error {
	s.hangup(errRefused)
	return nil
}

// Play takes the time that src has.
func (s *screened) Play(ctx context.Context, src media.Source) error {
	defer func() {
		if closer, ok := src.(io.Closer); ok {
			closer.Close()
		}
	}()
	begun := time.Now()
	played := time.Duration(0)
	var err error
	if known, ok := src.(*Sound); ok {
		if played = known.skip(); wait(ctx, played) != nil {
			played, err = time.Since(begun), context.Cause(ctx)
		}
	} else {
		played, err = drain(ctx, src)
	}
	if !errors.Is(context.Cause(ctx), action.ErrHangup) {
		s.playing(err != nil, played)
	}
	return err
}

func (s *screened) press(keys string) {
	s.Log(KindPress, "%s by %s", keys, s.id)
	s.Put(keys)
}

func (s *screened) Report(step action.Info, err error) {
	s.Log("later", "%s of %s failed: %v", step.Type, s.id, firstLine(err))
}

func (s *screened) ActionStarted(step flow.Step) {
	if !s.quiet {
		s.Log(KindStep, "%s %s %s %s", s.id, step.ID, step.Type, step.Option)
	}
}

func (s *screened) ActionEnded(_ flow.Step, _ action.Outcome, err error) {
	if err != nil && !s.quiet {
		s.Log(KindFailed, "%s", firstLine(err))
	}
}
