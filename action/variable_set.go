package action

import (
	"context"
	"strings"
	"time"
)

// variableSet writes one variable.
type variableSet struct {
	Key   string `json:"key" opt:"required" doc:"name of the variable"`
	Value string `json:"value" doc:"its new value"`
}

func (a *variableSet) Timing() Timing { return TimeNone }

func (a *variableSet) Check(c *CheckContext) {
	key := strings.TrimSpace(a.Key)
	if len(key) > MaxVarName {
		c.At("key").Errorf("has %d bytes, at most %d", len(key), MaxVarName)
	}
	if len(a.Value) > MaxVarValue {
		c.At("value").Errorf("has %d bytes, at most %d", len(a.Value), MaxVarValue)
	}
}

func (a *variableSet) Shape() Shape {
	if HasVar(a.Key) {
		return Shape{SetsAny: true}
	}
	return Shape{Sets: []string{strings.TrimSpace(a.Key)}}
}

func (a *variableSet) Run(ctx context.Context, leg Leg) (Outcome, error) {
	return a.Decide(ctx, leg, time.Now())
}

func (a *variableSet) Decide(_ context.Context, leg Leg, _ time.Time) (Outcome, error) {
	return Continue(), leg.Vars().Set(strings.TrimSpace(a.Key), a.Value)
}
