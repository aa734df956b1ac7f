package call_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/tone"
	"github.com/callbin/callbin/sip"
)

// A running call is held, played to, sent to another flow and parked, from outside of its flow. The engine calls itself, so that it has both
// ends.
func Example_control() {
	waiting, err := flow.Parse([]byte(`[{"type": "answer"}, {"type": "sleep", "option": {"duration": 60000}}]`),
		flow.ParseOptions{Registry: action.Builtin(action.Deps{})})
	if err != nil {
		fmt.Println(err)
		return
	}
	engine, err := call.New(call.Config{
		Listen:   []sip.Listen{{Network: "udp", Addr: "127.0.0.1:0"}},
		Route:    func(context.Context, *call.Incoming) (flow.Program, error) { return waiting, nil },
		Outbound: call.Outbound{SIP: []string{"127.0.0.1"}},
		Supervise: func(_ context.Context, supervisor, _ *call.Call, mode call.SuperviseMode) error {
			return fmt.Errorf("nobody may %s", mode) // who may is the program's to say
		},
		Logger: slog.New(slog.DiscardHandler), DrainTimeout: time.Millisecond,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = engine.Run(ctx) })
	defer wg.Wait()
	defer cancel()

	answered := make(chan struct{})
	c, err := engine.Dial(ctx, call.DialOptions{
		Destination: address.Address{Type: address.TypeSIP, Target: "100@" + engine.Addrs()[0].Addr.String()},
		Flow: flow.Func(func(ctx context.Context, _ action.Leg) error {
			close(answered)
			<-ctx.Done()
			return context.Cause(ctx)
		}),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	<-answered

	fmt.Println("hold:", c.Hold(ctx, true), c.Record().HoldBy)
	fmt.Printf("resume: %v %q\n", c.Hold(ctx, false), c.Record().HoldBy)
	fmt.Println("mute:", c.Mute(ctx, media.In, true), c.Record().MuteDirection)
	fmt.Println("play:", c.PlayInto(ctx, tone.Beep().Clip(8000).Source(), call.EarsCall))
	fmt.Println("redirect:", c.Redirect(ctx, waiting))
	for other := range engine.Calls() {
		if other != c {
			fmt.Println("supervise:", c.Supervise(ctx, other, call.SuperviseListen))
		}
	}
	orbit, err := engine.Park(ctx, c, call.ParkOptions{NoReturn: true})
	fmt.Println("park:", orbit, err, len(engine.ParkedCalls()))
	fmt.Println("hang up:", c.Hangup(ctx, action.Ending{}))
	// Output:
	// hold: <nil> local
	// resume: <nil> ""
	// mute: <nil> in
	// play: <nil>
	// redirect: <nil>
	// supervise: call: not to be supervised: nobody may listen
	// park: 701 <nil> 1
	// hang up: <nil>
}
