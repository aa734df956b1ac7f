package action

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"unicode/utf8"
)

// conditionVariable goes on when a comparison holds, else it jumps.
type conditionVariable struct {
	Condition     string  `json:"condition"`
	Variable      string  `json:"variable"` // text with ${}, or the bare name of a variable
	ValueType     string  `json:"value_type"`
	ValueString   string  `json:"value_string"`
	ValueNumber   float64 `json:"value_number"`
	ValueLength   int     `json:"value_length"`
	FalseTargetID string  `json:"false_target_id"`
}

func (a *conditionVariable) Timing() Timing { return TimeNone }

func (a *conditionVariable) Check(c *CheckContext) {
	c.At("condition").OneOf(a.Condition, "==", "!=", ">", ">=", "<", "<=")
	c.At("value_type").OneOf(a.ValueType, "string", "number", "length")
	c.At("variable").Required(a.Variable != "")
	c.At("false_target_id").Target(a.FalseTargetID)
	c.At("value_length").NotNegative(a.ValueLength)
}

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

func (a *conditionVariable) Run(_ context.Context, _ Leg) (Outcome, error) {
	holds := a.holds()
	result := map[string]string{"result": strconv.FormatBool(holds)}
	if holds {
		return Outcome{Result: result}, nil
	}
	o, err := jump(a.FalseTargetID)
	o.Result = result
	return o, err
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

func compare[T cmp.Ordered](a T, condition string, b T) bool {
	switch condition {
	case "==":
		return a == b
	case "!=":
		return a != b
	case ">":
		return a > b
	case ">=":
		return a >= b
	case "<":
		return a < b
	case "<=":
		return a <= b
	default:
		return false
	}
}
