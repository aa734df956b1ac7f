package action

import (
	"context"
	"errors"
	"fmt"
	"strconv"
)

// queueJoin puts the leg into a queue until it has talked with an agent, or has left it.
type queueJoin struct {
	QueueID string `json:"queue_id" opt:"required" doc:"the queue"`
}

func (a *queueJoin) Timing() Timing { return TimeWait }

func (a *queueJoin) Shape() Shape {
	return Shape{Answers: true, SetsAny: true, Result: []string{"queuecall_id", "agent_call_id", "overflow_call_id", "waited_ms", "reason"}}
}

func (a *queueJoin) Needs(c *CheckContext) { c.Need(CanQueue) }

func (a *queueJoin) Run(ctx context.Context, leg Leg) (Outcome, error) {
	l, err := Need[Queuer](leg)
	if err != nil {
		return Continue(), err
	}
	StopPlaying(ctx) // it would cover the wait flow
	id := CanonicalID(a.QueueID)
	if id == "" {
		return Continue(), Fatal(fmt.Errorf("action: queue_join: the id is empty: %w", ErrNoQueue))
	}
	got, err := l.JoinQueue(ctx, id)
	o := got.outcome()
	switch {
	case ctx.Err() != nil:
		return o, context.Cause(ctx)
	case errors.Is(err, ErrNoQueue):
		return Continue(), Fatal(err)
	}
	return o, err
}

func (q Queued) outcome() Outcome {
	if q == (Queued{}) {
		return Outcome{}
	}
	o := Outcome{TimedOut: q.AgentCallID+q.OverflowCallID == "" && q.Status == "abandoned", Result: map[string]string{
		"waited_ms": strconv.FormatInt(q.Waited.Milliseconds(), 10),
	}}
	for key, value := range map[string]string{ResultStatus: q.Status, "queuecall_id": q.QueuecallID, "agent_call_id": q.AgentCallID,
		"overflow_call_id": q.OverflowCallID, "reason": q.Reason} {
		if value != "" {
			o.Result[key] = value
		}
	}
	return o
}
