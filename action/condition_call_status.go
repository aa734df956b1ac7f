package action

import (
	"context"
	"time"
)

// conditionCallStatus goes on when the call has a status, else it jumps.
type conditionCallStatus struct {
	Status        string `json:"status" opt:"required,enum=dialing|ringing|progressing|terminating|canceling|hangup" doc:"of the call"`
	FalseTargetID string `json:"false_target_id" opt:"required,id" doc:"where to go if it has another"`
}

func (a *conditionCallStatus) Timing() Timing { return TimeNone }

func (a *conditionCallStatus) Shape() Shape { return Shape{Result: []string{"result"}} }

func (a *conditionCallStatus) Needs(c *CheckContext) { c.Need(CanTellStatus) }

func (a *conditionCallStatus) Run(ctx context.Context, leg Leg) (Outcome, error) {
	return a.Decide(ctx, leg, time.Now())
}

func (a *conditionCallStatus) Choices() []Choice { return holdsOrNot(a.FalseTargetID) }

func (a *conditionCallStatus) Decide(_ context.Context, leg Leg, _ time.Time) (Outcome, error) {
	l, err := Need[Stater](leg)
	if err != nil {
		return unknown(err, a.FalseTargetID)
	}
	return conditional(l.CallStatus() == a.Status, a.FalseTargetID)
}
