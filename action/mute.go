package action

import (
	"context"

	"github.com/callbin/callbin/media"
)

// mute silences the peer, what it hears, or both. VoIPBIN's has no options and no effect.
type mute struct {
	Direction string `json:"direction"` // "in" what the peer says, "out" what it hears, "both"; "": both
	Off       bool   `json:"off"`       // ends it
}

func (a *mute) Timing() Timing { return TimeNone }

func (a *mute) Check(c *CheckContext) {
	if a.Direction != "" {
		c.At("direction").OneOf(a.Direction, string(media.In), string(media.Out), string(media.Both))
	}
}

func (a *mute) Needs(c *CheckContext) { c.Need(CanMute) }

func (a *mute) Run(ctx context.Context, leg Leg) (Outcome, error) {
	l, err := Need[Muter](leg)
	if err != nil {
		return Continue(), err
	}
	d := media.Direction(a.Direction)
	if d != media.In && d != media.Out {
		d = media.Both
	}
	return Continue(), l.Mute(ctx, d, !a.Off)
}
