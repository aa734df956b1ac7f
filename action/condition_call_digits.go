package action

import (
	"context"
	"strings"
	"time"
)

// conditionCallDigits goes on when there are enough digits, or one of a set, else it jumps.
type conditionCallDigits struct {
	Length        int    `json:"length" opt:"min=0,default=0" doc:"it holds with so many digits; 0: with any number, unless there is a key"`
	Key           string `json:"key" doc:"it holds if one of these is among the digits"`
	FalseTargetID string `json:"false_target_id" opt:"required,id" doc:"where to go if it does not hold"`
}

func (a *conditionCallDigits) Timing() Timing { return TimeNone }

func (a *conditionCallDigits) Shape() Shape {
	return Shape{Reads: []string{VarDigits}, Result: []string{"result"}}
}

func (a *conditionCallDigits) Run(ctx context.Context, leg Leg) (Outcome, error) {
	return a.Decide(ctx, leg, time.Now())
}

func (a *conditionCallDigits) Choices() []Choice { return holdsOrNot(a.FalseTargetID) }

func (a *conditionCallDigits) Decide(_ context.Context, leg Leg, _ time.Time) (Outcome, error) {
	digits := leg.Vars().Get(VarDigits)
	// VoIPBIN takes a length of 0 for one that is always reached, and then no key means anything.
	enough := len(digits) >= a.Length && (a.Length > 0 || a.Key == "")
	return conditional(enough || strings.ContainsAny(digits, a.Key), a.FalseTargetID)
}
