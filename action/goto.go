package action

import (
	"context"
	"errors"
	"time"
)

// gotoAction jumps to TargetID LoopCount times; the next visit falls through and
// starts the count afresh, so that loops nest.
type gotoAction struct {
	TargetID  string `json:"target_id" opt:"required,id" doc:"the action to go to"`
	LoopCount int    `json:"loop_count" opt:"default=0" doc:"how often it jumps before it goes on; 0: never"`

	counted bool // LoopCount is a variable's, known at run time only
}

func (a *gotoAction) Timing() Timing { return TimeNone }

func (a *gotoAction) Check(c *CheckContext) {
	if a.counted = c.At("loop_count").HasVar(); !a.counted && a.LoopCount <= 0 {
		c.At("loop_count").Warnf("is %d: the goto never jumps", a.LoopCount)
	}
}

func (a *gotoAction) Shape() Shape { return Shape{Falls: a.LoopCount <= 0 && !a.counted} }

func (a *gotoAction) Run(ctx context.Context, leg Leg) (Outcome, error) {
	return a.Decide(ctx, leg, time.Now())
}

// Rounds is how often it jumps before it goes on.
func (a *gotoAction) Rounds() int { return max(a.LoopCount, 0) }

func (a *gotoAction) Choices() []Choice {
	o, err := jump(a.TargetID)
	return []Choice{{When: "it jumps", Outcome: o, Err: err}, {When: "it has jumped often enough"}}
}

func (a *gotoAction) Decide(ctx context.Context, _ Leg, _ time.Time) (Outcome, error) {
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
