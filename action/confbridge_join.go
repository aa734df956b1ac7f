package action

import (
	"context"
	"fmt"
)

// confbridgeJoin puts the leg into a bridge until it is out of it again.
type confbridgeJoin struct {
	ConfbridgeID string `json:"confbridge_id"`
}

func (a *confbridgeJoin) Timing() Timing { return TimeWait }

func (a *confbridgeJoin) Check(c *CheckContext) { c.At("confbridge_id").Required(a.ConfbridgeID != "") }

func (a *confbridgeJoin) Needs(c *CheckContext) { c.Need(CanBridge) }

func (a *confbridgeJoin) Run(ctx context.Context, leg Leg) (Outcome, error) {
	StopPlaying(ctx)
	l, err := Need[Bridger](leg)
	if err != nil {
		return Continue(), err
	}
	id := CanonicalID(a.ConfbridgeID)
	if id == "" {
		return Continue(), fmt.Errorf("action: confbridge_join: confbridge_id is empty: %w", ErrNoConference)
	}
	return Continue(), l.JoinBridge(ctx, id)
}
