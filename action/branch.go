package action

import (
	"cmp"
	"context"
	"fmt"
	"strings"
)

// branch jumps by the exact value of a variable, which it empties.
type branch struct {
	Variable        string            `json:"variable" opt:"name,default=voipbin.call.digits" doc:"name of the variable, without ${}"`
	TargetIDs       map[string]string `json:"target_ids" opt:"id" doc:"value of the variable to the action to go to"`
	DefaultTargetID string            `json:"default_target_id" opt:"id" doc:"where to go for any other value"`
}

func (a *branch) Timing() Timing { return TimeNone }

func (a *branch) Check(c *CheckContext) {
	if CanonicalID(a.DefaultTargetID) == "" && len(a.TargetIDs) == 0 {
		c.At("target_ids").Errorf("is required, or default_target_id")
	}
	if a.name() != VarDigits {
		return
	}
	for value := range a.TargetIDs {
		if strings.Trim(value, digitAlphabet) != "" {
			c.At("target_ids", value).Warnf("is never gone to: %.40q cannot be pressed, there are the digits %s", value, digitAlphabet)
		}
	}
}

func (a *branch) Shape() Shape {
	return Shape{
		Jumps:  true,
		MayEnd: CanonicalID(a.DefaultTargetID) == "",
		Reads:  []string{a.name()},
		Cases:  sortedKeys(a.TargetIDs),
		Result: []string{"variable", "value"},
	}
}

func (a *branch) name() string { return cmp.Or(a.Variable, VarDigits) }

func (a *branch) Run(_ context.Context, leg Leg) (Outcome, error) {
	name := a.name()
	value := leg.Vars().Get(name)
	// Once tested it is gone, so that a second round of a menu does not see it.
	leg.Vars().Empty(name)
	target, ok := a.TargetIDs[value]
	if !ok {
		target = CanonicalID(a.DefaultTargetID)
	}
	if target == "" {
		return Outcome{}, Fatal(fmt.Errorf("action: branch: no target for %s %.40q, and no default", name, value))
	}
	o, err := jump(target)
	o.Result = map[string]string{"variable": name, "value": value}
	return o, err
}
