package action

import (
	"context"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// conditionVariable goes on when a comparison holds, else it jumps.
type conditionVariable struct {
	Condition     string  `json:"condition" opt:"required,enum===|!=|>|>=|<|<=" doc:"how the variable compares with the value"`
	Variable      string  `json:"variable" opt:"required" doc:"text with ${}, or the bare name of a variable"`
	ValueType     string  `json:"value_type" opt:"required,enum=string|number|length" doc:"which of the values counts"`
	ValueString   string  `json:"value_string" doc:"compared as text"`
	ValueNumber   float64 `json:"value_number" doc:"compared as a number"`
	ValueLength   int     `json:"value_length" opt:"min=0" doc:"compared with the number of characters"`
	FalseTargetID string  `json:"false_target_id" opt:"required,id" doc:"where to go if it does not hold"`
}

func (a *conditionVariable) Timing() Timing { return TimeNone }

// SubstituteOption also takes the bare name of an existing variable, as VoIPBIN's
// documentation writes it; a text with variables is only ever a text.
func (a *conditionVariable) SubstituteOption(option, text string, v *Vars) string {
	if option == "variable" && !HasVar(text) {
		if value, ok := v.Lookup(text); ok {
			return value
		}
	}
	return v.Substitute(text)
}

func (a *conditionVariable) Shape() Shape {
	s := Shape{Result: []string{"result"}}
	if !HasVar(a.Variable) {
		s.Reads = []string{a.Variable}
	}
	return s
}

func (a *conditionVariable) Run(ctx context.Context, leg Leg) (Outcome, error) {
	return a.Decide(ctx, leg, time.Now())
}

func (a *conditionVariable) Choices() []Choice { return holdsOrNot(a.FalseTargetID) }

func (a *conditionVariable) Decide(_ context.Context, _ Leg, _ time.Time) (Outcome, error) {
	return conditional(a.holds(), a.FalseTargetID)
}

// holds compares the variable, which is its value by now; what is no number is not
// comparable to one, and false.
func (a *conditionVariable) holds() bool {
	switch a.ValueType {
	case "string":
		return compare(a.Variable, a.Condition, a.ValueString)
	case "length":
		return compare(utf8.RuneCountInString(a.Variable), a.Condition, a.ValueLength)
	case "number":
		n, err := strconv.ParseFloat(strings.TrimSpace(a.Variable), 64)
		return err == nil && compare(n, a.Condition, a.ValueNumber)
	default:
		return false
	}
}
