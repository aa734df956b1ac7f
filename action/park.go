package action

import (
	"context"
	"errors"
	"fmt"
	"strconv"
)

// park lets the leg wait until somebody picks it up.
type park struct {
	Orbit   string `json:"orbit" doc:"where it waits, as 701; empty: a free number of the engine's"`
	Timeout int    `json:"timeout" opt:"ms,min=0,default=0" doc:"until it goes on alone; 0: the engine's"`
}

func (a *park) Timing() Timing { return TimeWait }

func (a *park) Shape() Shape {
	return Shape{Answers: true, Result: []string{"orbit", "call_id", "waited_ms", "talk_ms"}}
}

func (a *park) Needs(c *CheckContext) { c.Need(CanPark) }

func (a *park) Run(ctx context.Context, leg Leg) (Outcome, error) {
	l, err := Need[Parker](leg)
	if err != nil {
		return Continue(), err
	}
	StopPlaying(ctx) // it would cover the music, and who picks the call up
	got, err := l.Park(ctx, ParkOptions{Orbit: a.Orbit, Timeout: ms(max(a.Timeout, 0))})
	o := Outcome{}
	if got.Orbit != "" {
		o.Result = map[string]string{"orbit": got.Orbit, "waited_ms": strconv.FormatInt(got.Waited.Milliseconds(), 10)}
		if got.CallID != "" {
			o.Result["call_id"], o.Result["talk_ms"] = got.CallID, strconv.FormatInt(got.Talk.Milliseconds(), 10)
		}
		o.TimedOut = got.CallID == "" && err == nil
	}
	if ctx.Err() != nil {
		return o, context.Cause(ctx)
	}
	return o, err
}

// pickup joins the leg with one that is parked, or that rings elsewhere.
type pickup struct {
	Orbit     string `json:"orbit" doc:"where the parked call waits; this or extension"`
	Extension string `json:"extension" doc:"that rings, and is answered in its place"`
}

func (a *pickup) Timing() Timing { return TimeWait }

func (a *pickup) Shape() Shape {
	return Shape{Answers: true, Result: []string{"call_id", "talk_ms"}}
}

func (a *pickup) Needs(c *CheckContext) { c.Need(CanPickUp) }

func (a *pickup) Check(c *CheckContext) {
	if (a.Orbit == "") == (a.Extension == "") {
		c.At().Errorf("one of orbit and extension is needed")
	}
}

func (a *pickup) Run(ctx context.Context, leg Leg) (Outcome, error) {
	l, err := Need[Picker](leg)
	if err != nil {
		return Continue(), err
	}
	if (a.Orbit == "") == (a.Extension == "") { // possible by a variable only
		return Continue(), fmt.Errorf("action: pickup: one of orbit and extension is needed: %w", ErrNoOrbit)
	}
	StopPlaying(ctx) // it would cover the other one
	got, err := l.Pickup(ctx, PickupOptions{Orbit: a.Orbit, Extension: a.Extension})
	o := Outcome{}
	if got.CallID != "" {
		o.Result = map[string]string{"call_id": got.CallID, "talk_ms": strconv.FormatInt(got.Talk.Milliseconds(), 10)}
	}
	if ctx.Err() != nil && !errors.Is(err, ErrNoOrbit) {
		return o, context.Cause(ctx)
	}
	return o, err
}
