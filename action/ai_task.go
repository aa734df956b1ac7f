package action

import "context"

// aiTask lets an assistant do what its instructions say, once.
type aiTask struct{ assistance }

func (a *aiTask) Shape() Shape          { return Shape{Result: []string{"text"}} }
func (a *aiTask) Check(c *CheckContext) { a.check(c) }
func (a *aiTask) Needs(c *CheckContext) { a.needs(c) }

func (a *aiTask) Run(ctx context.Context, leg Leg) (Outcome, error) {
	reply, err := ask(ctx, a.deps, "ai_task", a.request(leg, AssistantTask))
	if ctx.Err() != nil {
		return Continue(), context.Cause(ctx)
	}
	if err != nil {
		return Continue(), Fatal(err)
	}
	return Resulting("text", reply.Text), nil
}
