package action

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"
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

func (a *branch) Run(ctx context.Context, leg Leg) (Outcome, error) {
	return a.Decide(ctx, leg, time.Now())
}

func (a *branch) Decide(_ context.Context, leg Leg, _ time.Time) (Outcome, error) {
	name := a.name()
	value := leg.Vars().Get(name)
	// Once tested it is gone, so that a second round of a menu does not see it.
	leg.Vars().Empty(name)
	return a.choose(value)
}

func (a *branch) Choices() []Choice {
	var all []Choice
	for _, value := range sortedKeys(a.TargetIDs) {
		o, err := a.choose(value)
		all = append(all, Choice{When: fmt.Sprintf("%s is %q", a.name(), value), Outcome: o, Err: err, Empties: a.name()})
	}
	o, err := a.other("")
	if CanonicalID(a.DefaultTargetID) == "" {
		err = Fatal(fmt.Errorf("action: branch: no target for any other %s, and no default", a.name()))
	}
	return append(all, Choice{When: "it is anything else", Outcome: o, Err: err, Empties: a.name(), Open: true})
}

// choose is where a value leads.
func (a *branch) choose(value string) (Outcome, error) {
	if target, ok := a.TargetIDs[value]; ok {
		return a.jump(target, value)
	}
	return a.other(value)
}

// other is where a value leads that has no target of its own.
func (a *branch) other(value string) (Outcome, error) {
	return a.jump(CanonicalID(a.DefaultTargetID), value)
}

func (a *branch) jump(target, value string) (Outcome, error) {
	if target == "" {
		return Outcome{}, Fatal(fmt.Errorf("action: branch: no target for %s %.40q, and no default", a.name(), value))
	}
	o, err := jump(target)
	o.Result = map[string]string{"variable": a.name(), "value": value}
	return o, err
}
