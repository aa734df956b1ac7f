package action

import (
	"context"
	"errors"
)

// gotoAction jumps to TargetID LoopCount times; the next visit falls through and
// starts the count afresh, so that loops nest.
type gotoAction struct {
	TargetID  string `json:"target_id"`
	LoopCount int    `json:"loop_count"`
}

func (a *gotoAction) Timing() Timing { return TimeNone }

func (a *gotoAction) Check(c *CheckContext) {
	c.At("target_id").Target(a.TargetID)
	if a.LoopCount <= 0 {
		c.At("loop_count").Warnf("is %d: the goto never jumps", a.LoopCount)
	}
}

func (a *gotoAction) Run(ctx context.Context, _ Leg) (Outcome, error) {
	s := scopeOf(ctx)
	if s == nil {
		return Outcome{}, Fatal(errors.New("action: goto needs a flow"))
	}
	if !s.visit(FlowInfo(ctx).ID, a.LoopCount) {
		return Continue(), nil
	}
	return jump(a.TargetID)
}

// jump goes to target; that there is none is the end of the flow, not a step to the next action.
func jump(target string) (Outcome, error) {
	if target = CanonicalID(target); target == "" {
		return Outcome{}, Fatal(errors.New("action: there is no target to go to"))
	}
	return Goto(target), nil
}
