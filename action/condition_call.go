package action

import (
	"context"
	"strconv"
	"strings"
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

func (a *conditionCallDigits) Run(_ context.Context, leg Leg) (Outcome, error) {
	digits := leg.Vars().Get(VarDigits)
	// VoIPBIN takes a length of 0 for one that is always reached, and then no key means anything.
	enough := len(digits) >= a.Length && (a.Length > 0 || a.Key == "")
	return conditional(enough || strings.ContainsAny(digits, a.Key), a.FalseTargetID)
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
		return unknown(err, a.FalseTargetID)
	}
	return conditional(l.CallStatus() == a.Status, a.FalseTargetID)
}

// unknown is the outcome of a condition of which err says why nobody knows whether it holds: it
// counts as one that does not.
func unknown(err error, falseTarget string) (Outcome, error) {
	o, jerr := conditional(false, falseTarget)
	if jerr != nil {
		return o, jerr
	}
	return o, err
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
