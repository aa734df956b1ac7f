package action

import (
	"cmp"
	"strconv"
)

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

// compare tells whether a condition holds between a and b; one that there is not never does.
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
