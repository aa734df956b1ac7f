package action

import (
	"cmp"
	"context"
	"errors"
	"time"
)

const defaultMachineMS = 20_000

// machine is what a MachineDetector calls an answering machine.
const machine = "machine"

// amd finds out whether a human or an answering machine has answered.
type amd struct {
	MachineHandle string `json:"machine_handle" opt:"enum=hangup|continue,default=continue" doc:"what happens at a machine"`
	Async         bool   `json:"async" doc:"goes on at once; the verdict is in the result of the step, by its id, once it is known"`
	Timeout       int    `json:"timeout" opt:"ms,min=0,default=20000" doc:"longest wait for the verdict"`
}

func (a *amd) Timing() Timing { return TimeWait }

func (a *amd) Shape() Shape {
	return Shape{NeedsAnswer: true, Instant: a.Async, MayEnd: a.MachineHandle == "hangup", Result: []string{"verdict"}}
}

func (a *amd) Needs(c *CheckContext) {
	c.Need(CanDetect)
	if a.MachineHandle == "hangup" {
		c.Need(CanHangup)
	}
}

func (a *amd) Run(ctx context.Context, leg Leg) (Outcome, error) {
	l, err := Need[MachineDetector](leg)
	if err != nil {
		return Continue(), err
	}
	limit := ms(cmp.Or(max(a.Timeout, 0), defaultMachineMS))
	if a.Async {
		id, run := FlowInfo(ctx).ID, runOf(ctx)
		return Continue(), Background(ctx, leg, func(bg context.Context) error {
			bg, cancel := context.WithCancelCause(bg)
			defer cancel(nil)
			defer context.AfterFunc(run, func() { cancel(context.Cause(run)) })() // nobody wants to know any more
			o, err := a.detect(bg, leg, l, limit)
			if run.Err() != nil {
				return nil
			}
			return errors.Join(err, leg.Vars().SetResult(id, ResultOf(o, err), false))
		})
	}
	return a.detect(ctx, leg, l, limit)
}

func (a *amd) detect(ctx context.Context, leg Leg, l MachineDetector, limit time.Duration) (Outcome, error) {
	inner, cancel := context.WithTimeoutCause(ctx, limit, ErrTimeout)
	defer cancel()
	verdict, err := l.DetectMachine(inner)
	switch {
	case ctx.Err() != nil:
		return Continue(), context.Cause(ctx)
	case inner.Err() != nil:
		return Outcome{TimedOut: true, Result: map[string]string{"verdict": "notsure"}}, nil
	case err != nil:
		return Continue(), err
	}
	o := Resulting("verdict", verdict)
	if verdict == machine && a.MachineHandle == "hangup" {
		o.Stop = true
		return o, hangUp(ctx, leg, Ending{Reason: "amd"})
	}
	return o, nil
}
