package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/speech"
	"github.com/callbin/callbin/media/vad"
)

// Bot talks with callers. Run is a flow; one Bot runs on any number of calls at once.
type Bot struct {
	Assistant action.Assistant           // what it answers
	ID        string                     // of the Assistant
	Writer    media.RecordingTranscriber // what callers have said
	Speaker   media.Speaker              // its voice
	Language  string                     // BCP 47, of both ways; "": the models choose
	Voice     string                     // of the Speaker; "": its own

	Lines   Lines
	Silence time.Duration      // of the caller, after which it is asked whether it is there; 0: 8 s
	Keys    time.Duration      // after the last key the keys are taken as said; 0: 1.5 s
	Budget  time.Duration      // from the end of speech to the first sound; more is logged as a warning; 0: 2 s
	Listen  vad.ListenerConfig // its Hangover is 0: 600 ms
	Logger  *slog.Logger       // nil: slog.Default()

	cache *speech.Cache // of Lines, so that an apology needs no server
}

// Lines are what the bot says by itself. Empty ones are English.
type Lines struct {
	Greeting string // first
	There    string // after silence
	Bye      string // after more silence, and when nothing works
	Pardon   string // where it was interrupted by what is no words
	Sorry    string // where the server has failed
}

const (
	mostSilences = 3 // of which the last ends the call
	mostFailures = 4 // in a row, of which the last ends the call
)

func or[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}

// NewBot fills the defaults in.
func NewBot(b Bot) (*Bot, error) {
	if b.Assistant == nil || b.Writer == nil || b.Speaker == nil {
		return nil, errors.New("voiceai: new bot: an assistant, a writer and a speaker are needed")
	}
	or(&b.Lines.Greeting, "Hello. How can I help you?")
	or(&b.Lines.There, "Are you still there?")
	or(&b.Lines.Bye, "Goodbye.")
	or(&b.Lines.Pardon, "Pardon?")
	or(&b.Lines.Sorry, "Sorry, that did not work. Please say it again.")
	or(&b.Silence, 8*time.Second)
	or(&b.Keys, 1500*time.Millisecond)
	or(&b.Budget, 2*time.Second)
	or(&b.Listen.Detector.Hangover, 600*time.Millisecond)
	or(&b.Logger, slog.Default())
	cache, err := speech.NewCache(b.Speaker, speech.CacheConfig{Rate: 16000, Logger: b.Logger})
	if err != nil {
		return nil, fmt.Errorf("voiceai: new bot: %w", err)
	}
	b.cache = cache
	return &b, nil
}

// Prepare has the lines spoken, so that the first caller does not wait for them. The bot works without, as far as the server does.
func (b *Bot) Prepare(ctx context.Context) error {
	var faults []error
	for _, line := range []string{b.Lines.Sorry, b.Lines.Bye, b.Lines.Greeting, b.Lines.There, b.Lines.Pardon} {
		if _, err := b.cache.Speak(ctx, b.utterance(line)); err != nil {
			faults = append(faults, fmt.Errorf("voiceai: prepare %q: %w", line, err))
		}
	}
	return errors.Join(faults...)
}

func (b *Bot) utterance(text string) media.Utterance {
	return media.Utterance{Text: text, Language: b.Language, Voice: b.Voice}
}

// Run answers the call and talks until one side ends it. It is a flow.Func.
func (b *Bot) Run(ctx context.Context, leg action.Leg) error {
	answerer, err := action.Need[action.Answerer](leg)
	if err != nil {
		return err
	}
	player, err := action.Need[action.Player](leg)
	if err != nil {
		return err
	}
	if err := answerer.Answer(ctx); err != nil {
		return err
	}
	c := &conversation{bot: b, leg: leg, player: player, log: b.Logger.With("call", leg.ID()), pace: usualPace}
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	defer work.Wait()
	defer cancel()
	if err := c.listen(ctx, &work); err != nil {
		return err
	}
	return c.run(ctx, &work)
}

// listen has what the caller says and presses come to the conversation.
func (c *conversation) listen(ctx context.Context, work *sync.WaitGroup) error {
	listener, err := action.Need[action.Listener](c.leg)
	if err != nil {
		return err
	}
	var ear *media.Ear
	stop, err := listener.Listen(ctx, func(rateHz int) (media.Tap, error) {
		if ear, err = media.NewEar(media.EarOptions{Rate: rateHz}); err != nil {
			return nil, err
		}
		return &gate{ear: ear}, nil
	})
	if err != nil {
		return err
	}
	l, err := vad.NewListener(ear, c.bot.Listen)
	if err != nil {
		stop()
		return err
	}
	c.heard, c.keys = make(chan vad.Heard), make(chan byte)
	work.Go(func() {
		defer stop()
		for {
			h, err := l.Next(ctx)
			if err != nil {
				return // ctx has ended: nobody closes the ear
			}
			select {
			case c.heard <- h:
			case <-ctx.Done():
				return
			}
		}
	})
	digits, err := action.Need[action.DigitReader](c.leg)
	if err != nil {
		return nil // then there are none
	}
	work.Go(func() {
		for {
			key, err := digits.ReadDigit(ctx)
			if err != nil {
				return
			}
			select {
			case c.keys <- key:
			case <-ctx.Done():
				return
			}
		}
	})
	return nil
}
