package flowtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/callbin/callbin/action"
)

var (
	_ action.Parker = (*Leg)(nil)
	_ action.Picker = (*Leg)(nil)
)

// orbit is where a call waits, or where whom the flow parks is picked up after a time.
type orbit struct {
	waits bool
	after time.Duration
}

func setOrbit(w *World, args string) error {
	f := strings.Fields(args)
	switch {
	case len(f) == 2 && f[1] == "waits":
		w.orbits[f[0]] = orbit{waits: true}
		return nil
	case len(f) == 3 && f[1] == "picked":
		after, err := parseDelay(f[2])
		w.orbits[f[0]] = orbit{after: after}
		return err
	}
	return errors.New(`want "orbit ID picked TIME" or "orbit ID waits"`)
}

const (
	firstOrbit  = "701"           // is what a park without one gets
	parkTimeout = 2 * time.Minute // of one without a timeout
)

// Park answers, and waits until somebody of the script comes.
func (l *Leg) Park(ctx context.Context, o action.ParkOptions) (action.Parked, error) {
	got := action.Parked{Orbit: o.Orbit}
	if got.Orbit == "" {
		got.Orbit = firstOrbit
	}
	if o.Timeout == 0 {
		o.Timeout = parkTimeout
	}
	if err := l.fault(ctx, "park"); err != nil {
		return action.Parked{}, err
	}
	at, known := l.orbits[got.Orbit]
	if known && at.waits {
		return action.Parked{}, fmt.Errorf("call: park: orbit %q is taken: %w", got.Orbit, action.ErrNoOrbit)
	}
	if err := l.Answer(ctx); err != nil {
		return action.Parked{}, err
	}
	l.Log("park", "%s", got.Orbit)
	start := time.Now()
	comes := known && at.after < o.Timeout
	if comes {
		o.Timeout = at.after
	}
	err := wait(ctx, o.Timeout)
	if got.Waited = time.Since(start); err != nil || !comes {
		return got, err
	}
	got.CallID = "leg-1"
	l.Log(KindJoins, "%s", got.CallID)
	start = time.Now()
	err = l.stay(ctx)
	got.Talk = time.Since(start)
	return got, err
}

// Pickup answers, and talks with who waits in the script.
func (l *Leg) Pickup(ctx context.Context, o action.PickupOptions) (action.Picked, error) {
	if err := l.fault(ctx, "pickup"); err != nil {
		return action.Picked{}, err
	}
	if o.Orbit != "" && !l.orbits[o.Orbit].waits || o.Extension != "" && !l.rings[o.Extension] {
		return action.Picked{}, fmt.Errorf("call: pickup: nobody waits at %q: %w", o.Orbit+o.Extension, action.ErrNoOrbit)
	}
	if err := l.Answer(ctx); err != nil {
		return action.Picked{}, err
	}
	l.Log("pickup", "%s", o.Orbit+o.Extension)
	start := time.Now()
	err := l.stay(ctx)
	return action.Picked{CallID: "leg-1", Talk: time.Since(start)}, err
}
