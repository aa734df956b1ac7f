package action

import "context"

const defaultEchoMS = 180_000

// echo sends the peer's audio back to it.
type echo struct {
	Duration int `json:"duration" opt:"ms,min=0,default=180000" doc:"how long"`
}

func (a *echo) Timing() Timing { return TimeWait }

func (a *echo) Needs(c *CheckContext) { c.Need(CanEcho) }

func (a *echo) Shape() Shape { return Shape{} }

func (a *echo) Run(ctx context.Context, leg Leg) (Outcome, error) {
	l, err := Need[Echoer](leg)
	if err != nil {
		return Continue(), err
	}
	if a.Duration <= 0 {
		a.Duration = defaultEchoMS
	}
	return Continue(), within(ctx, ms(a.Duration), l.Echo)
}
