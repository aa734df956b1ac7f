package calltest

import (
	"context"
	"errors"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/flow/flowtest"
	"github.com/callbin/callbin/media"
)

// scriptLeg is the caller's call, with a log of what only the flow's side of it knows.
type scriptLeg struct {
	*call.Call
	run *scripted
}

var (
	_ flow.Observer       = (*scriptLeg)(nil)
	_ action.Player       = (*scriptLeg)(nil)
	_ action.Hanger       = (*scriptLeg)(nil)
	_ action.Recorder     = (*scriptLeg)(nil)
	_ action.Connector    = (*scriptLeg)(nil)
	_ action.Dialer       = (*scriptLeg)(nil)
	_ action.FlowFinder   = (*scriptLeg)(nil)
	_ action.Backgrounder = (*scriptLeg)(nil)
)

// ActionStarted logs that a step begins.
func (l *scriptLeg) ActionStarted(s flow.Step) {
	l.run.mu.Lock()
	l.run.step = s
	l.run.mu.Unlock()
	l.run.world.Started(s)
	l.Call.ActionStarted(s)
}

// ActionEnded logs what became of it.
func (l *scriptLeg) ActionEnded(s flow.Step, o action.Outcome, err error) {
	l.run.world.Ended(s, o, err)
	l.Call.ActionEnded(s, o, err)
}

// Play logs what is heard.
func (l *scriptLeg) Play(ctx context.Context, src media.Source) error {
	return l.run.world.Play(ctx, l.Call, src)
}

// Hangup logs that the flow hangs up.
func (l *scriptLeg) Hangup(ctx context.Context, e action.Ending) error {
	err := l.Call.Hangup(ctx, e)
	if err == nil || errors.Is(err, action.ErrHangup) { // the end of ctx may be faster
		l.run.world.Log(flowtest.KindHangup, "%s", flowtest.HangupText(e))
	}
	return err
}

// StartRecording logs that a recording begins.
func (l *scriptLeg) StartRecording(ctx context.Context, o action.RecordOptions) (string, error) {
	id, err := l.Call.StartRecording(ctx, o)
	if err == nil {
		l.run.world.Log(flowtest.KindRecords, "%+v", o)
	}
	return id, err
}

// WaitRecording logs that it has ended.
func (l *scriptLeg) WaitRecording(ctx context.Context, id string) (action.Recorded, error) {
	got, err := l.Call.WaitRecording(ctx, id)
	if err == nil {
		l.run.world.Log(flowtest.KindRecorded, "%s", got.EndedBy)
	}
	return got, err
}

// StopRecording logs that it has ended.
func (l *scriptLeg) StopRecording(ctx context.Context) error {
	err := l.Call.StopRecording(ctx)
	if err == nil {
		l.run.world.Log(flowtest.KindRecorded, "")
	}
	return err
}

// Connect calls the peers in place of the destinations.
func (l *scriptLeg) Connect(ctx context.Context, o action.ConnectOptions) (action.Connected, error) {
	o.Destinations = l.run.peers.inPlaceOf(o.Destinations, false)
	got, err := l.Call.Connect(ctx, o)
	if who := l.run.peers.name(got.Destination); !who.IsZero() {
		got.Destination = who.Address
	}
	return got, err
}

// Dial calls the peers in place of the destinations.
func (l *scriptLeg) Dial(ctx context.Context, o action.DialOptions) ([]string, error) {
	o.Destinations = l.run.peers.inPlaceOf(o.Destinations, true)
	for i, d := range o.Destinations {
		if l.run.world.Peer(l.run.peers.name(d).Address).Unknown {
			o.Destinations[i] = address.Address{Type: address.TypeExtension, Target: "nobody"} // no call of it is made
		}
	}
	return l.Call.Dial(ctx, o)
}

// FlowByID finds the flows of the script.
func (l *scriptLeg) FlowByID(ctx context.Context, id string) (action.Program, error) {
	return l.run.world.FlowByID(ctx, id)
}

// Background counts what is left of the flow.
func (l *scriptLeg) Background(f func(context.Context)) error {
	l.run.work.Add(1)
	return l.Call.Background(func(ctx context.Context) {
		defer l.run.work.Done()
		f(ctx)
	})
}
