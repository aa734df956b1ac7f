package action

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// sayer is something that an action says by itself.
type sayer interface {
	silent() bool
	say(ctx context.Context, leg Leg, deps Deps) error
}

// prompt is what an action says by itself: text, or URLs. The zero value says nothing.
type prompt struct {
	Text       string   `json:"text" doc:"plain text, or SSML"`
	Language   string   `json:"language" doc:"BCP 47, as en-GB"`
	Provider   string   `json:"provider" doc:"name of a speech engine"`
	VoiceID    string   `json:"voice_id" doc:"a voice of the engine's"`
	Gender     string   `json:"gender" opt:"enum=male|female|neutral" doc:"of the voice"`
	StreamURLs []string `json:"stream_urls" doc:"in place of text: file:, http: and https: URLs"`
}

func (p *prompt) silent() bool { return p.Text == "" && len(p.StreamURLs) == 0 }

func (p *prompt) check(c *CheckContext, name string) {
	if p.Text != "" && len(p.StreamURLs) > 0 {
		c.At(name, "stream_urls").Errorf("cannot stand beside text: one of the two is played")
	}
	(&play{StreamURLs: p.StreamURLs}).checkURLs(c, name, "stream_urls")
}

func (p *prompt) needs(c *CheckContext) {
	if p.silent() {
		return
	}
	c.Need(CanPlay)
	if p.Text != "" {
		c.Need(HasSpeaker)
	} else {
		c.Need(HasPrompts)
	}
}

// say plays the prompt and returns at its end.
func (p *prompt) say(ctx context.Context, leg Leg, deps Deps) error {
	switch {
	case p.silent():
		return nil
	case p.Text == "":
		_, err := (&play{StreamURLs: p.StreamURLs, deps: deps}).Run(ctx, leg)
		return err
	case strings.TrimSpace(p.Text) == "":
		return errors.New("action: prompt: the text is empty")
	}
	t := talk{Text: p.Text, Language: p.Language, Provider: p.Provider, VoiceID: p.VoiceID, Gender: p.Gender, deps: deps}
	if deps.Speaker == nil {
		return missing(HasSpeaker)
	}
	src, err := t.speak(ctx)
	if err != nil {
		return err
	}
	return Play(ctx, leg, src)
}

// MaxPrompts is how many prompts one action says.
const MaxPrompts = 100

// saying is one of several prompts, with silence behind it.
type saying struct {
	prompt
	Pause int `json:"pause" opt:"ms,min=0" doc:"silence behind it; it may stand alone"`
}

// sayings are prompts that are said one after the other.
type sayings []saying

func (s sayings) silent() bool { return len(s) == 0 }

func (s sayings) texts() (all []string) {
	for i := range s {
		all = append(all, s[i].Text)
	}
	return all
}

func (s sayings) check(c *CheckContext, name string) {
	if len(s) > MaxPrompts {
		c.At(name).Errorf("has %d prompts, at most %d", len(s), MaxPrompts)
		return
	}
	for i := range s {
		at := c.At(name, i)
		if s[i].silent() && s[i].Pause <= 0 && !at.HasVar() {
			at.Errorf("says nothing: it needs text, stream_urls or pause")
		}
		if s[i].Text != "" && len(s[i].StreamURLs) > 0 {
			c.At(name, i, "stream_urls").Errorf("cannot stand beside text: one of the two is played")
		}
		(&play{StreamURLs: s[i].StreamURLs}).checkURLs(c, name, i, "stream_urls")
	}
}

func (s sayings) needs(c *CheckContext) {
	for i := range s {
		s[i].needs(c)
	}
}

// say says one after the other. One that fails is passed over, and told in the end.
func (s sayings) say(ctx context.Context, leg Leg, deps Deps) error {
	var errs []error
	for i := range s[:min(len(s), MaxPrompts)] {
		if err := s[i].prompt.say(ctx, leg, deps); err != nil {
			errs = append(errs, fmt.Errorf("prompt %d: %w", i+1, err))
		}
		if s[i].Pause > 0 && ctx.Err() == nil {
			errs = append(errs, pause(ctx, ms(s[i].Pause)))
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return errors.Join(errs...)
}
