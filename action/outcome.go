package action

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
)

// Program is something that runs on a leg: a flow, or plain Go.
type Program interface {
	Run(ctx context.Context, leg Leg) error
}

// Outcome says what comes after a step. The zero value goes on with the next one.
type Outcome struct {
	Target   string            `json:"target,omitempty"`    // id of the action to go to; empty: the next one
	Stop     bool              `json:"stop,omitempty"`      // the flow ends here
	TimedOut bool              `json:"timed_out,omitempty"` // the step waited for something that did not come: on_timeout is next
	Result   map[string]string `json:"result,omitempty"`    // what the step found: ${last.key} and ${id.key}
	Push     *Push             `json:"push,omitempty"`      // runs now; the flow goes on behind this step after it
}

// Push is a program within a flow. One of FlowID and Actions is set.
type Push struct {
	FlowID  string          `json:"flow_id,omitempty"` // of a flow that the leg's FlowFinder knows
	Actions json.RawMessage `json:"actions,omitempty"` // a flow, or a list of actions
	// Replace lets the flow that the step stands in end with this one: what stands behind the step does not run.
	Replace bool `json:"replace,omitempty"`
}

// Continue goes on with the next action.
func Continue() Outcome { return Outcome{} }

// Goto goes on with the action whose id is target.
func Goto(target string) Outcome { return Outcome{Target: target} }

// Stop ends the flow.
func Stop() Outcome { return Outcome{Stop: true} }

// Resulting goes on with the next action and leaves result, given as key, value, key, value.
func Resulting(pairs ...string) Outcome {
	r := make(map[string]string, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		r[pairs[i]] = pairs[i+1]
	}
	return Outcome{Result: r}
}

// ErrTimeout is matched by the error of a step that waited for something that did not come.
// So is context.DeadlineExceeded.
var ErrTimeout = errors.New("action: time is up")

// IsTimeout tells whether a step ended because time was up: o says so, or err does.
func IsTimeout(o Outcome, err error) bool {
	return o.TimedOut || errors.Is(err, ErrTimeout) || errors.Is(err, context.DeadlineExceeded)
}

// ResultOf is the result that a step leaves: what its outcome found, and always a status.
func ResultOf(o Outcome, err error) map[string]string {
	r := maps.Clone(o.Result)
	if r == nil {
		r = make(map[string]string, 2)
	}
	switch {
	case errors.Is(err, ErrSkip):
		r[ResultStatus] = StatusSkipped
		return limitResult(r)
	case r[ResultStatus] != "": // a word of the action's own
	case IsTimeout(o, err):
		r[ResultStatus] = StatusTimeout
	case err != nil:
		r[ResultStatus] = StatusError
	default:
		r[ResultStatus] = StatusOK
	}
	if err != nil {
		r[ResultError], _, _ = strings.Cut(err.Error(), "\n") // a panic's stack is not the flow's
	}
	return limitResult(r)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
