package action

import (
	"context"
	"errors"
)

// fetchFlow runs another flow; then this one goes on behind it.
type fetchFlow struct {
	FlowID string `json:"flow_id" opt:"required" doc:"the flow to run"`
}

func (a *fetchFlow) Shape() Shape { return Shape{Anywhere: true, SetsAny: true, Answers: true} }

func (a *fetchFlow) Needs(c *CheckContext) { c.Need(CanFindFlows) }

func (a *fetchFlow) Run(_ context.Context, leg Leg) (Outcome, error) {
	if _, err := Need[FlowFinder](leg); err != nil {
		return Continue(), Fatal(err)
	}
	id := CanonicalID(a.FlowID)
	if id == "" {
		return Continue(), Fatal(errors.New("action: fetch_flow: the id is empty"))
	}
	return Outcome{Push: &Push{FlowID: id}}, nil
}
