package httpapi

import (
	"errors"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/media"
)

// soundRows are what is played and said into calls.
func (a *api) soundRows() []operation {
	return []operation{
		op("talkCall", "POST /calls/{id}/talk", "calls:write", "Say something into a call", a.talk).
			tells("The answer comes when the first sound is there; what is said goes on. Another one takes its place."),
		op("playCall", "POST /calls/{id}/play", "calls:write", "Play files into a call", a.play).
			tells("The answer comes when the first sound is there; what is played goes on. Another one takes its place."),
		op("stopPlayingCall", "DELETE /calls/{id}/play", "calls:write", "End what is played or said", a.stopPlaying).
			tells("Also by an action of the flow, which goes on with the next one."),
	}
}

// TalkBody is the body of POST /calls/{id}/talk.
type TalkBody struct {
	Text     string `json:"text" opt:"required" doc:"plain text, or SSML"`
	Language string `json:"language,omitempty" doc:"BCP 47, such as en-US"`
	Gender   string `json:"gender,omitempty" opt:"enum=male|female|neutral"`
	Provider string `json:"provider,omitempty" doc:"of the engines that there are; none: the first one"`
	VoiceID  string `json:"voice_id,omitempty"`
	To       string `json:"to,omitempty" opt:"enum=call|others|all" doc:"who hears it: the far end of the call, the others that it talks with, or all; none: call"`
}

// PlayBody is the body of POST /calls/{id}/play.
type PlayBody struct {
	StreamURLs []string `json:"stream_urls" opt:"required" doc:"of WAV files, played one after the other: http, https, or file within the folders that are allowed"`
	To         string   `json:"to,omitempty" opt:"enum=call|others|all" doc:"who hears it: the far end of the call, the others that it talks with, or all; none: call"`
}

// Stopped is the answer of DELETE /calls/{id}/play.
type Stopped struct {
	Stopped bool `json:"stopped" doc:"there was something"`
}

// maxTalk is how many bytes one text may have, VoIPBIN's.
const maxTalk = 5000

func (a *api) talk(r *request, p idParams, b TalkBody) (none, error) {
	if len(b.Text) > maxTalk {
		return none{}, r.invalid("/text", "the text has %d bytes, more than %d", len(b.Text), maxTalk)
	}
	c, err := a.up(r, p.ID)
	if err != nil {
		return none{}, err
	}
	err = c.StartTalkInto(r.ctx, media.Utterance{Text: b.Text, Language: b.Language, Gender: media.Gender(b.Gender), Voice: b.VoiceID, Provider: b.Provider}, call.Ears(b.To))
	return none{}, soundError(err)
}

func (a *api) play(r *request, p idParams, b PlayBody) (none, error) {
	if n := len(b.StreamURLs); n > 100 {
		return none{}, r.invalid("/stream_urls", "%d URLs are more than 100", n)
	}
	c, err := a.up(r, p.ID)
	if err != nil {
		return none{}, err
	}
	return none{}, soundError(c.StartPlayInto(r.ctx, b.StreamURLs, call.Ears(b.To)))
}

// soundError is why nothing is heard.
func soundError(err error) error {
	if errors.Is(err, media.ErrClosed) {
		return precondition("call_ended", "the call has ended")
	}
	return refusedBy(err)
}

func (a *api) stopPlaying(r *request, p idParams, _ none) (Stopped, error) {
	c, err := a.up(r, p.ID)
	if err != nil {
		return Stopped{}, err
	}
	return Stopped{c.StopPlaying()}, nil
}
