package action

import (
	"context"
	"errors"
)

// confbridgeJoin puts the leg into a bridge until it leaves.
type confbridgeJoin struct {
	ConfbridgeID string `json:"confbridge_id" opt:"required" doc:"the bridge"`
}

func (a *confbridgeJoin) Timing() Timing { return TimeWait }

func (a *confbridgeJoin) Needs(c *CheckContext) { c.Need(CanBridge) }

func (a *confbridgeJoin) Shape() Shape { return Shape{Answers: true} }

func (a *confbridgeJoin) Run(ctx context.Context, leg Leg) (Outcome, error) {
	l, err := Need[Bridger](leg)
	if err != nil {
		return Continue(), err
	}
	StopPlaying(ctx) // it would cover the others
	id := CanonicalID(a.ConfbridgeID)
	if id == "" {
		return Continue(), errors.New("action: confbridge_join: the id is empty")
	}
	return Continue(), l.JoinBridge(ctx, id)
}
