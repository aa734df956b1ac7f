package action

import (
	"context"
	"fmt"

	"github.com/callbin/callbin/media"
)

// mute silences the leg in one direction or both, or ends that.
type mute struct {
	Direction string `json:"direction" opt:"enum=both|in|out,default=both" doc:"in is what the peer says, out what it hears"`
	Off       bool   `json:"off" doc:"ends the muting"`
}

func (a *mute) Needs(c *CheckContext) { c.Need(CanMute) }

func (a *mute) Shape() Shape { return Shape{Instant: true} }

func (a *mute) Run(ctx context.Context, leg Leg) (Outcome, error) {
	l, err := Need[Muter](leg)
	if err != nil {
		return Continue(), err
	}
	switch d := media.Direction(a.Direction); d {
	case "":
		return Continue(), l.Mute(ctx, media.Both, !a.Off)
	case media.Both, media.In, media.Out:
		return Continue(), l.Mute(ctx, d, !a.Off)
	default: // possible by a variable only
		return Continue(), fmt.Errorf("action: mute: there is no direction %.20q", a.Direction)
	}
}
