package action

import (
	"context"
	"strconv"
	"strings"
)

// conditionCallDigits goes on when there are enough digits, or one of a set, else it jumps.
type conditionCallDigits struct {
	Length        int    `json:"length" opt:"min=0" doc:"it holds with so many digits; 0: with any number"`
	Key           string `json:"key" doc:"it holds if one of these is among the digits"`
	FalseTargetID string `json:"false_target_id" opt:"required,id" doc:"where to go if it does not hold"`
}

func (a *conditionCallDigits) Timing() Timing { return TimeNone }

func (a *conditionCallDigits) Shape() Shape {
	return Shape{Reads: []string{VarDigits}, Result: []string{"result"}}
}

func (a *conditionCallDigits) Run(_ context.Context, leg Leg) (Outcome, error) {
	digits := leg.Vars().Get(VarDigits)
	return conditional(len(digits) >= a.Length || a.Key != "" && strings.ContainsAny(digits, a.Key), a.FalseTargetID)
}

// conditionCallStatus goes on when the call has a status, else it jumps.
type conditionCallStatus struct {
	Status        string `json:"status" opt:"required,enum=dialing|ringing|progressing|terminating|canceling|hangup" doc:"of the call"`
	FalseTargetID string `json:"false_target_id" opt:"required,id" doc:"where to go if it has another"`
}

func (a *conditionCallStatus) Timing() Timing { return TimeNone }

func (a *conditionCallStatus) Shape() Shape { return Shape{Result: []string{"result"}} }

func (a *conditionCallStatus) Needs(c *CheckContext) { c.Need(CanTellStatus) }

func (a *conditionCallStatus) Run(_ context.Context, leg Leg) (Outcome, error) {
	l, err := Need[Stater](leg)
	if err != nil {
		return Continue(), err
	}
	return conditional(l.CallStatus() == a.Status, a.FalseTargetID)
}

// conditional is the outcome of a condition.
func conditional(holds bool, falseTarget string) (Outcome, error) {
	result := map[string]string{"result": strconv.FormatBool(holds)}
	if holds {
		return Outcome{Result: result}, nil
	}
	o, err := jump(falseTarget)
	o.Result = result
	return o, err
}
