package action

import (
	"context"
	"errors"
	"strings"
)

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
