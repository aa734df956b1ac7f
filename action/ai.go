package action

import (
	"cmp"
	"context"
	"time"
)

// AssistantTimeout is how long an assistant may take for one turn, task or summary.
const AssistantTimeout = time.Minute

// assistance is what the options of ai_talk and ai_task have in common.
type assistance struct {
	AssistanceType string `json:"assistance_type" opt:"enum=ai|team,default=ai" doc:"what assistance_id names"`
	AssistanceID   string `json:"assistance_id" doc:"which assistant"`
	AIID           string `json:"ai_id" opt:"old" doc:"older name of assistance_id"`
	deps           Deps
}

func (a *assistance) id() string { return cmp.Or(CanonicalID(a.AssistanceID), CanonicalID(a.AIID)) }

func (a *assistance) check(c *CheckContext) {
	if a.id() == "" {
		c.At("assistance_id").Errorf("is required: which assistant")
	}
}

func (a *assistance) needs(c *CheckContext) {
	c.Need(HasAssistant)
	checker, ok := a.deps.Assistant.(AssistantChecker)
	if !ok || HasVar(a.id()) || HasVar(a.AssistanceType) {
		return
	}
	if err := checker.CheckAssistant(a.AssistanceType, a.id()); err != nil {
		c.At("assistance_id").Warnf("will not answer: %v", err)
	}
}

func (a *assistance) request(leg Leg, work string) AssistantRequest {
	return AssistantRequest{Work: work, Type: cmp.Or(a.AssistanceType, "ai"), ID: a.id(), Variables: leg.Vars().All()}
}

// ask waits for an assistant's turn; what names the action in errors.
func ask(ctx context.Context, deps Deps, what string, r AssistantRequest) (reply AssistantReply, err error) {
	if deps.Assistant == nil {
		return AssistantReply{}, missing(HasAssistant)
	}
	err = limited(ctx, what, AssistantTimeout, func(ctx context.Context) (err error) {
		reply, err = deps.Assistant.Reply(ctx, r)
		return err
	})
	return reply, err
}
