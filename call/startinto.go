package call

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/callbin/callbin/media"
)

// StartTalkInto is TalkInto for who does not wait: it returns when the first sound is there, and what is said goes on without ctx. An error means that
// nothing is said.
func (c *Call) StartTalkInto(ctx context.Context, u media.Utterance, who Ears) error {
	s := c.engine.cfg.Deps.Speaker
	if s == nil {
		return fmt.Errorf("call: talk: the engine has no speaker: %w", errors.ErrUnsupported)
	}
	return c.startInto(ctx, "talk_into", who, func(ctx context.Context) (media.Source, error) { return s.Speak(ctx, u) })
}

// StartPlayInto plays what urls name, one after the other, for who does not wait: it returns when the first one is there, and goes on without ctx. Where a
// later one cannot be opened the playing ends, and the log tells why. They are opened by Config.Deps.Prompts, with its limits. An error means that nothing is played.
func (c *Call) StartPlayInto(ctx context.Context, urls []string, who Ears) error {
	p := c.engine.cfg.Deps.Prompts
	if p == nil {
		return fmt.Errorf("call: play: the engine has no prompts: %w", errors.ErrUnsupported)
	}
	open := make([]func(context.Context) (media.Source, error), len(urls))
	for i, u := range urls {
		open[i] = func(ctx context.Context) (media.Source, error) { return p.OpenPrompt(ctx, "", u) }
	}
	return c.startInto(ctx, "play_into", who, open...)
}

// startInto opens the first source while ctx lasts, and plays it and the others behind the caller's back.
func (c *Call) startInto(ctx context.Context, what string, who Ears, open ...func(context.Context) (media.Source, error)) error {
	if len(open) == 0 {
		return errors.New("call: play: there is nothing to play")
	}
	if err := context.Cause(c.flowCtx); err != nil {
		return fmt.Errorf("call: %s: %w", what[:4], err) // the call is over, or about to be
	}
	if _, err := c.ears(who); err != nil {
		return err // before anything is opened
	}
	start := time.Now()
	// A source may live on the context that it was opened with: it is one of the call's, which ends with ctx only before there is a sound.
	life, end := context.WithCancelCause(c.flowCtx)
	stop := context.AfterFunc(ctx, func() { end(context.Cause(ctx)) })
	src, err := open[0](life)
	if err == nil && (!stop() || life.Err() != nil) {
		closeSource(src)
		if err = context.Cause(ctx); err == nil {
			err = context.Cause(life)
		}
	}
	if err != nil {
		stop()
		end(nil)
		return fmt.Errorf("call: %s: %w", what[:4], err)
	}
	playing, done := c.stoppable(life) // from now on, and between two of them
	err = c.Background(func(context.Context) {
		defer end(nil)
		defer done()
		err := c.playInto(playing, src, who)
		for i := 1; i < len(open) && err == nil; i++ {
			if src, err = open[i](playing); err == nil {
				err = c.playInto(playing, src, who)
			}
		}
		c.notedInto(what, start, who, err)
		if err != nil && life.Err() == nil && !errors.Is(err, media.ErrClosed) && !errors.Is(err, media.ErrReplaced) && !errors.Is(err, errPlayStopped) {
			c.log().Warn("not played to its end", "what", what, "err", err)
		}
	})
	if err != nil { // nobody is going to play it
		closeSource(src)
		done()
		end(nil)
	}
	return err
}

func closeSource(src media.Source) {
	if cl, ok := src.(io.Closer); ok {
		cl.Close()
	}
}
