package action

import (
	"context"
	"errors"
	"time"
)

// ErrNoOrbit is matched by the error of a Picker where nobody waits in the orbit, or rings at the extension, and by that of a
// Parker where there is no place to wait.
var ErrNoOrbit = errors.New("action: there is no such parked call, or no place for one")

// ParkOptions of one parking.
type ParkOptions struct {
	Orbit   string        // where the leg waits; "": a free number of the engine's
	Timeout time.Duration // until somebody picks it up; 0: the engine's
}

// Parked tells what became of a parking.
type Parked struct {
	Orbit  string
	CallID string        // who has picked it up, "" where nobody did
	Waited time.Duration // until then
	Talk   time.Duration // from then on
}

// Parker lets the leg wait, with music, until somebody picks it up. Park returns when the two have parted, or
// when nobody came in time, which is no error: Parked tells.
type Parker interface {
	Park(ctx context.Context, o ParkOptions) (Parked, error)
}

// PickupOptions of one pickup. One of the two is set.
type PickupOptions struct {
	Orbit     string // of a parked call
	Extension string // that rings: its call is answered in its place
}

// Picked tells what became of a pickup.
type Picked struct {
	CallID string        // with whom the leg has talked
	Talk   time.Duration // for how long
}

// Picker joins the leg with one that is parked, or that rings elsewhere. Pickup returns when the two have parted.
type Picker interface {
	Pickup(ctx context.Context, o PickupOptions) (Picked, error)
}
