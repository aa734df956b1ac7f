package call_test

import (
	"context"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/flow"
)

// What the program does to calls that are up. It does not wait for long: peers may be gone.

func (w *randomJourneys) briefly() (context.Context, context.CancelFunc) {
	return context.WithTimeout(w.t.Context(), time.Second)
}

func (w *randomJourneys) transfer() {
	c := w.any()
	if c == nil {
		return
	}
	o := call.TransferOptions{Type: []string{call.TransferBlind, call.TransferAttended}[w.rnd.IntN(2)], Destinations: phones(1 + w.rnd.IntN(3)), RingTimeout: w.some(100) + time.Second}
	o.Back = o.Type == call.TransferBlind && w.rnd.IntN(2) == 0
	ctx, cancel := w.briefly()
	defer cancel()
	if t, err := c.Transfer(ctx, o); err == nil { // it may talk to nobody
		w.sum.Transfers++
		w.transfers = append(w.transfers, t)
	}
}

func (w *randomJourneys) decide() {
	if len(w.transfers) == 0 {
		return
	}
	t := w.transfers[w.rnd.IntN(len(w.transfers))]
	ctx, cancel := w.briefly()
	defer cancel()
	if w.rnd.IntN(3) > 0 { // both may come too early, or too late
		_ = t.Complete(ctx)
	} else {
		_ = t.Cancel(ctx)
	}
}

func (w *randomJourneys) programHolds() {
	if c := w.any(); c != nil {
		ctx, cancel := w.briefly()
		defer cancel()
		if c.Hold(ctx, w.rnd.IntN(3) > 0) == nil { // it may not be answered
			w.sum.HeldByUs++
		}
	}
}

func (w *randomJourneys) music() {
	if c := w.any(); c != nil {
		ctx, cancel := w.briefly()
		defer cancel()
		on := w.rnd.IntN(2) == 0
		if w.rnd.IntN(2) == 0 {
			_ = c.MOH(ctx, on)
		} else {
			_ = c.Silence(ctx, on)
		}
	}
}

func (w *randomJourneys) redirect() {
	if c := w.any(); c != nil {
		ctx, cancel := w.briefly()
		defer cancel()
		_ = c.Redirect(ctx, flow.Func(w.joins)) // it may have no flow yet
	}
}

func (w *randomJourneys) park() {
	if c := w.any(); c != nil {
		ctx, cancel := w.briefly()
		defer cancel()
		if _, err := w.Park(ctx, c, call.ParkOptions{Orbit: "701", Timeout: w.some(300) + time.Second, NoReturn: w.rnd.IntN(2) == 0}); err == nil { // somebody may be there
			w.sum.Parked++
		}
	}
}

func (w *randomJourneys) pickUp() {
	if c := w.any(); c != nil {
		ctx, cancel := w.briefly()
		defer cancel()
		_ = c.Redirect(ctx, flow.Func(func(ctx context.Context, l action.Leg) error {
			_, err := l.(action.Picker).Pickup(ctx, action.PickupOptions{Orbit: "701"})
			return err
		}))
	}
}

func (w *randomJourneys) agentComesOrGoes() {
	status := []string{call.AgentAvailable, call.AgentAvailable, call.AgentAway}[w.rnd.IntN(3)]
	if err := w.SetAgentStatus(w.t.Context(), "night", status); err != nil {
		w.t.Error(err)
	}
}

func (w *randomJourneys) supervise() {
	if c, target := w.any(), w.any(); c != nil && c != target {
		mode := []call.SuperviseMode{call.SuperviseListen, call.SuperviseWhisper, call.SuperviseBarge}[w.rnd.IntN(3)]
		ctx, cancel := w.briefly()
		defer cancel()
		if c.Supervise(ctx, target, mode) == nil { // one of the two may talk to nobody
			w.sum.Supervised++
		}
	}
}
