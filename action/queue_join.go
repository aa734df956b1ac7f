package action

import (
	"cmp"
	"context"
	"errors"
	"strconv"
)

// queueJoin puts the leg into a queue until it has talked with an agent, or has left it.
type queueJoin struct {
	QueueID string `json:"queue_id" opt:"required" doc:"the queue"`
}

func (a *queueJoin) Timing() Timing { return TimeWait }

func (a *queueJoin) Shape() Shape {
	return Shape{Answers: true, SetsAny: true, Result: []string{"queuecall_id", "agent_call_id", "waited_ms"}}
}

func (a *queueJoin) Needs(c *CheckContext) { c.Need(CanQueue) }

func (a *queueJoin) Run(ctx context.Context, leg Leg) (Outcome, error) {
	l, err := Need[Queuer](leg)
	if err != nil {
		return Continue(), err
	}
	StopPlaying(ctx) // it would cover the wait flow
	got, err := l.JoinQueue(ctx, CanonicalID(a.QueueID))
	switch {
	case ctx.Err() != nil:
		return Continue(), context.Cause(ctx)
	case errors.Is(err, ErrNoQueue):
		return Continue(), Fatal(err)
	case err != nil:
		return Continue(), err
	}
	return Resulting(ResultStatus, cmp.Or(got.Status, StatusOK), "queuecall_id", got.QueuecallID,
		"agent_call_id", got.AgentCallID, "waited_ms", strconv.FormatInt(got.Waited.Milliseconds(), 10)), nil
}
