package expr

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// What a program calls; the names can be written in no condition, for the spaces in them.
const (
	numberFunc = "number of"
	modFunc    = "rest of"
)

var (
	numberTypes = []any{new(func(text, what string) float64), new(func(text, what string, other float64) float64)}
	modTypes    = []any{new(func(a, b float64) float64)}
)

// number makes a text a number. Its arguments are the text, what an error calls it, and what it
// is where it is no number.
func number(args ...any) (any, error) {
	text := args[0].(string)
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	switch {
	case err == nil && !math.IsInf(n, 0) && !math.IsNaN(n):
		return n, nil
	case len(args) > 2:
		return args[2].(float64), nil
	default:
		return nil, fmt.Errorf("%s is no number: %.40q", args[1], text)
	}
}

func mod(args ...any) (any, error) { return math.Mod(args[0].(float64), args[1].(float64)), nil }
