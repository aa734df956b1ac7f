package action

import (
	"cmp"
	"context"
	"errors"
	"strconv"
)

// connect calls others and joins the leg with the first that answers, until they part.
type connect struct {
	dial
	EarlyMedia  bool `json:"early_media" doc:"what the far end sends before it answers is heard"`
	RelayReason bool `json:"relay_reason" doc:"then the call ends as the other one ended"`
	Timeout     int  `json:"timeout" opt:"ms,min=0" doc:"of the ringing; 0 is the engine's"`
}

func (a *connect) Timing() Timing { return TimeWait }

func (a *connect) Check(c *CheckContext) {
	a.check(c)
}

func (a *connect) Needs(c *CheckContext) {
	c.Need(CanConnect)
	if a.RelayReason {
		c.Need(CanHangup)
	}
	a.warn(c)
}

func (a *connect) Shape() Shape {
	return Shape{Answers: true, Ends: a.RelayReason, Result: []string{"call_id", "sip_code"}}
}

func (a *connect) Run(ctx context.Context, leg Leg) (Outcome, error) {
	l, err := Need[Connector](leg)
	if err != nil {
		return Continue(), err
	}
	StopPlaying(ctx) // it would cover the far end
	got, err := l.Connect(ctx, ConnectOptions{
		Source:       a.Source.Normalize(),
		Destinations: a.resolved(),
		EarlyMedia:   a.EarlyMedia,
		Anonymous:    a.anonymity(),
		Timeout:      ms(max(a.Timeout, 0)),
	})
	if ctx.Err() != nil {
		got.Reason = cmp.Or(got.Reason, "cancel")
	}
	o := Outcome{Result: got.result(), TimedOut: got.CallID == "" && (got.Reason == "dialout" || got.Reason == "noanswer")}
	switch {
	case ctx.Err() != nil:
		return o, context.Cause(ctx)
	case !a.RelayReason:
		return o, err
	}
	o.Stop = true
	return o, errors.Join(err, hangUp(ctx, leg, got.ending()))
}

// status is VoIPBIN's word for what became of the attempts.
func (c Connected) status() string {
	if c.CallID != "" {
		return "answered"
	}
	return cmp.Or(c.Reason, "failed")
}

func (c Connected) result() map[string]string {
	r := map[string]string{"status": c.status()}
	if c.CallID != "" {
		r["call_id"] = c.CallID
	}
	if c.Status != 0 {
		r["sip_code"] = strconv.Itoa(c.Status)
	}
	return r
}

// ending is that of the leg that answered, else of the first one that was made.
func (c Connected) ending() Ending {
	switch {
	case c.CallID != "":
		return Ending{ReferenceID: c.CallID}
	case len(c.CallIDs) > 0:
		return Ending{ReferenceID: c.CallIDs[0]}
	default:
		return Ending{Reason: c.status()}
	}
}
