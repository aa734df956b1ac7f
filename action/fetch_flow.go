package action

import (
	"context"
	"errors"
	"time"
)

// fetchFlow runs another flow; then this one goes on behind it.
type fetchFlow struct {
	FlowID string `json:"flow_id" opt:"required" doc:"the flow to run"`
}

func (a *fetchFlow) Shape() Shape { return Shape{Anywhere: true, SetsAny: true, Answers: true} }

func (a *fetchFlow) Needs(c *CheckContext) { c.Need(CanFindFlows) }

func (a *fetchFlow) Run(ctx context.Context, leg Leg) (Outcome, error) {
	return a.Decide(ctx, leg, time.Now())
}

func (a *fetchFlow) Decide(_ context.Context, leg Leg, _ time.Time) (Outcome, error) {
	if _, err := Need[FlowFinder](leg); err != nil {
		return Continue(), Fatal(err)
	}
	id := CanonicalID(a.FlowID)
	if id == "" {
		return Continue(), Fatal(errors.New("action: fetch_flow: the id is empty"))
	}
	return Outcome{Push: &Push{FlowID: id}}, nil
}
