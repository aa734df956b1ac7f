package action

import (
	"context"
	"fmt"
)

// branch jumps by the exact value of a variable, which it empties.
type branch struct {
	Variable        string            `json:"variable"` // name, without ${}
	TargetIDs       map[string]string `json:"target_ids"`
	DefaultTargetID string            `json:"default_target_id"`
}

func (a *branch) Timing() Timing { return TimeNone }

func (a *branch) Check(c *CheckContext) {
	if HasVar(a.Variable) {
		c.At("variable").Warnf("names a variable, without ${}: as it stands, the variable's value is taken for a name")
	}
	for value, id := range a.TargetIDs {
		c.At("target_ids", value).Target(id)
	}
	if CanonicalID(a.DefaultTargetID) != "" {
		c.At("default_target_id").Target(a.DefaultTargetID)
	} else if len(a.TargetIDs) == 0 {
		c.At("target_ids").Errorf("is required, or default_target_id")
	}
}

func (a *branch) Run(_ context.Context, leg Leg) (Outcome, error) {
	name := a.Variable
	if name == "" {
		name = VarDigits
	}
	value := leg.Vars().Get(name)
	// Once tested it is gone, so that a second round of a menu does not see it.
	if err := leg.Vars().Set(name, ""); err != nil {
		return Outcome{}, Fatal(err)
	}
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
