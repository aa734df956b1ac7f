package action

import (
	"context"
	"slices"
)

// hangupReasons are VoIPBIN's; empty is normal.
var hangupReasons = []string{"normal", "failed", "busy", "cancel", "timeout", "noanswer", "dialout", "amd"}

// hangup hangs the leg up, or refuses it while it is unanswered. It ends the flow.
type hangup struct {
	Reason      string `json:"reason" opt:"enum=normal|failed|busy|cancel|timeout|noanswer|dialout|amd,default=normal" doc:"why the call ends"`
	ReferenceID string `json:"reference_id" doc:"another call whose end is copied; wins over reason"`
}

func (a *hangup) Needs(c *CheckContext) { c.Need(CanHangup) }

func (a *hangup) Shape() Shape { return Shape{Ends: true} }

func (a *hangup) Run(ctx context.Context, leg Leg) (Outcome, error) {
	// Also where it fails: the end of the flow ends the call as well.
	return Stop(), hangUp(ctx, leg, Ending{Reason: a.Reason, ReferenceID: CanonicalID(a.ReferenceID)})
}

func hangUp(ctx context.Context, leg Leg, e Ending) error {
	StopPlaying(ctx)
	l, err := Need[Hanger](leg)
	if err != nil {
		return err
	}
	if !slices.Contains(hangupReasons, e.Reason) {
		e.Reason = "normal" // a variable held something else: the call must end nevertheless
	}
	return l.Hangup(ctx, e)
}
