package action

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/callbin/callbin/media"
)

// talk answers the leg and speaks.
type talk struct {
	Text         string `json:"text" opt:"required" doc:"plain text, or SSML"`
	Language     string `json:"language" doc:"BCP 47, as en-GB"`
	Provider     string `json:"provider" doc:"name of a speech engine"`
	VoiceID      string `json:"voice_id" doc:"a voice of the engine's"`
	Gender       string `json:"gender" opt:"enum=male|female|neutral" doc:"of the voice"`
	DigitsHandle string `json:"digits_handle" opt:"enum=next" doc:"next: a digit ends it"`
	Async        bool   `json:"async" doc:"goes on at once, the speech plays under the next actions"`
	deps         Deps
}

func (a *talk) Timing() Timing { return TimePrompt }

func (a *talk) Check(c *CheckContext) {
	if isSSML(a.Text) {
		if err := wellFormed(a.Text); err != nil {
			c.At("text").Warnf("is not well-formed SSML: %v", err)
		}
	}
}

func (a *talk) Needs(c *CheckContext) {
	c.Need(CanAnswer)
	c.Need(CanPlay)
	c.Need(HasSpeaker)
	if a.DigitsHandle == "next" {
		c.Need(CanDigits)
	}
	checker, ok := a.deps.Speaker.(media.SpeakChecker)
	if !ok {
		return
	}
	u := a.utterance()
	for _, s := range []string{u.Text, u.Language, u.Provider, u.Voice, string(u.Gender)} {
		if HasVar(s) {
			return
		}
	}
	if err := checker.CheckSpeak(u); err != nil {
		c.At("text").Warnf("cannot be spoken: %v", err)
	}
}

// SubstituteOption escapes what goes into SSML, so that a caller named "Tom & Jerry"
// does not break it.
func (a *talk) SubstituteOption(option, text string, v *Vars) string {
	if option == "text" && isSSML(text) {
		return v.SubstituteFunc(text, escapeXML)
	}
	return v.Substitute(text)
}

func (a *talk) utterance() media.Utterance {
	return media.Utterance{
		Text:     a.Text,
		Language: a.Language,
		Gender:   media.Gender(a.Gender),
		Voice:    a.VoiceID,
		Provider: a.Provider,
	}
}

func (a *talk) Shape() Shape {
	return Shape{Answers: true, Instant: a.Async, Says: []string{a.Text}, OneDigit: a.DigitsHandle == "next"}
}

func (a *talk) Run(ctx context.Context, leg Leg) (Outcome, error) {
	if a.deps.Speaker == nil {
		return Continue(), missing(HasSpeaker)
	}
	if _, err := Need[Player](leg); err != nil {
		return Continue(), err
	}
	l, err := Need[Answerer](leg)
	if err != nil {
		return Continue(), err
	}
	if err := l.Answer(ctx); err != nil {
		return Continue(), err
	}
	if strings.TrimSpace(a.Text) == "" {
		return Continue(), errors.New("action: talk: the text is empty")
	}
	if a.Async {
		src, err := a.speak(ctx)
		if err != nil {
			return Continue(), err
		}
		return Continue(), playOn(ctx, leg, src, func(ctx context.Context, p Player) error {
			played := false
			err := a.untilDigit(ctx, leg, func(ctx context.Context) error {
				played = true
				return p.Play(ctx, src)
			})
			if !played { // a digit came while the engine worked
				closeSource(src)
			}
			return err
		})
	}
	return Continue(), a.untilDigit(ctx, leg, func(ctx context.Context) error {
		src, err := a.speak(ctx)
		if err != nil {
			return err
		}
		return Play(ctx, leg, src)
	})
}

func (a *talk) speak(ctx context.Context) (media.Source, error) {
	src, err := a.deps.Speaker.Speak(ctx, a.utterance())
	if err != nil {
		return nil, fmt.Errorf("action: talk: %w", err)
	}
	if src == nil {
		return nil, errors.New("action: talk: the speaker gave no sound")
	}
	return src, nil
}

var errDigit = errors.New("action: a digit was pressed")

// untilDigit runs f, which ends at a digit of the peer if the action is so.
func (a *talk) untilDigit(ctx context.Context, leg Leg, f func(ctx context.Context) error) error {
	l, err := Need[DigitReader](leg)
	if a.DigitsHandle != "next" || err != nil {
		return f(ctx)
	}
	return untilDigit(ctx, l, f)
}

// untilDigit runs f, which ends at the next digit of l, and not at all where one waits. The
// digit stays in the buffer.
func untilDigit(ctx context.Context, l DigitReader, f func(ctx context.Context) error) error {
	digits, next := l.PeekDigits()
	if digits != "" {
		return nil
	}
	inner, cancel := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() { // waited for below
		defer close(watched)
		select {
		case <-next:
			cancel(errDigit)
		case <-inner.Done():
		}
	}()
	defer func() {
		cancel(nil)
		<-watched
	}()
	err := f(inner)
	if err != nil && ctx.Err() == nil && errors.Is(context.Cause(inner), errDigit) {
		return nil
	}
	return err
}

// isSSML tells whether text is one <speak> element.
func isSSML(text string) bool {
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), "<speak")
	return ok && rest != "" && strings.ContainsAny(rest[:1], "> \t\r\n/")
}

func wellFormed(text string) error {
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		if _, err := d.Token(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func escapeXML(value string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(value)) // a Builder does not fail
	return b.String()
}
