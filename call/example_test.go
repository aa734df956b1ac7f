package call_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/store"
)

// An engine that answers every call with an echo. Here it ends at once, for want of calls.
func ExampleNew() {
	cfg := call.Config{Deps: call.NewDeps(call.Settings{}, nil, nil), Logger: slog.New(slog.DiscardHandler)}
	echo, err := flow.Parse([]byte(`[{"type": "answer"}, {"type": "echo"}]`), flow.ParseOptions{Registry: action.Builtin(cfg.Deps)})
	if err != nil {
		fmt.Println(err)
		return
	}
	cfg.Listen = []sip.Listen{{Network: "udp", Addr: "127.0.0.1:0"}}
	cfg.Route = func(context.Context, *call.Incoming) (flow.Program, error) { return echo, nil }
	engine, err := call.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	fmt.Println("ended:", engine.Run(ctx))
	// Output: ended: <nil>
}

// What an engine is able to do decides which flows it takes.
func ExampleConfig_Check() {
	cfg := call.Config{Deps: call.NewDeps(call.Settings{}, nil, nil)}
	f, err := flow.Parse([]byte(`[{"type": "talk", "option": {"text": "Hello"}}, {"type": "recording_start"}]`),
		flow.ParseOptions{Registry: action.Builtin(cfg.Deps), File: "100.json"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, finding := range cfg.Check(f) {
		fmt.Println(finding)
	}
	// Output:
	// 100.json:1:2: error: action "action-1" (talk): needs Deps.Speaker, which there is not
	// 100.json:1:49: error: action "action-2" (recording_start): needs a leg with action.Recorder, which there is not
}

// Verify can look at more than the built-in checks do.
func ExampleConfig_verify() {
	banned := netip.MustParsePrefix("198.51.100.0/24")
	cfg := call.Config{}
	cfg.Verify = func(_ context.Context, in *call.Incoming) (call.Verdict, error) {
		if banned.Contains(in.Peer.Addr()) {
			return call.Verdict{}, &call.Refusal{Status: 403, Code: "banned", Sentence: "calls from this network are not taken"}
		}
		return call.Verdict{Result: call.VerdictPass}, nil
	}
	_, err := cfg.Verify(context.Background(), &call.Incoming{Peer: netip.MustParseAddrPort("198.51.100.7:5060")})
	fmt.Println(err)
	// Output: call: refused with 403 (banned): calls from this network are not taken
}

func ExampleParseListen() {
	list, err := call.ParseListen("udp://0.0.0.0:5060?advertise=pbx.example.com:5060,tcp://[::1]:5060")
	for _, l := range list {
		fmt.Printf("%s %s %q\n", l.Network, l.Addr, l.Advertise)
	}
	fmt.Println(err)
	// Output:
	// udp 0.0.0.0:5060 "pbx.example.com:5060"
	// tcp [::1]:5060 ""
	// <nil>
}

// A trace is all that a call's loop consumed; here one that was refused.
func ExampleReplay() {
	state, effects := call.Replay([]call.Input{
		{Seq: 1, Kind: call.KindIncoming, Incoming: &call.IncomingInput{ID: "c1", Destination: address.Address{Target: "999"}}},
		{Seq: 2, Kind: call.KindVerified, Verdict: &call.Verdict{Result: call.VerdictPass}},
		{Seq: 3, Kind: call.KindRefused, End: &call.End{By: "local", Reason: "failed", Status: 404, Code: call.CodeNoFlow}},
	})
	for _, e := range effects {
		fmt.Println(e.Do, e.Text, e.Status)
	}
	fmt.Println(state.Record.HangupReason, state.Record.SIPCode)
	// Output:
	// emit call_created 0
	// verify  0
	// cancel_flow  0
	// emit call_terminating 0
	// reject  404
	// close_media  0
	// failed 404
}

// A call that the program places: what runs on it when it is answered is a flow, or, as here, Go. The engine calls
// itself, so that the example needs nobody else.
func ExampleEngine_Dial() {
	cfg := call.Config{Logger: slog.New(slog.DiscardHandler), Listen: []sip.Listen{{Network: "udp", Addr: "127.0.0.1:0"}}}
	cfg.Outbound.SIP = []string{"127.0.0.0/8"} // without this nothing may be dialled
	answer, err := flow.Parse([]byte(`[{"type": "answer"}, {"type": "sleep", "option": {"duration": 60000}}]`), flow.ParseOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	cfg.Route = func(context.Context, *call.Incoming) (flow.Program, error) { return answer, nil }
	engine, err := call.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- engine.Run(ctx) }()

	c, err := engine.Dial(ctx, call.DialOptions{
		Destination: address.Address{Type: address.TypeSIP, Target: "bob@" + engine.Addrs()[0].Addr.String()},
		Flow: flow.Func(func(_ context.Context, leg action.Leg) error {
			fmt.Println("answered:", leg.Vars().Get("voipbin.call.direction"))
			return nil // and hang up
		}),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	<-c.Done()
	r := c.Record()
	fmt.Println(r.Status, r.HangupBy, r.HangupReason, r.SIPCode)

	_, err = engine.Dial(ctx, call.DialOptions{Destination: address.Address{Type: address.TypeTel, Target: "+16062067563"}})
	fmt.Println(err)
	stop()
	fmt.Println("ended:", <-ended)
	// Output:
	// answered: outgoing
	// hangup local normal 200
	// call: refused with 403 (outbound_denied): "+16062067563" may not be dialled: the configuration does not name its prefix
	// ended: <nil>
}

// A groupcall tries one destination after the other. Here nothing may be dialled, which each attempt's record tells.
func ExampleEngine_Groupcall() {
	engine, err := call.New(call.Config{
		Logger: slog.New(slog.DiscardHandler), Listen: []sip.Listen{{Network: "udp", Addr: "127.0.0.1:0"}},
		Route: func(context.Context, *call.Incoming) (flow.Program, error) { return nil, call.ErrNoFlow },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	group, err := engine.Groupcall(context.Background(), call.GroupcallOptions{
		Destinations: []address.Address{{Type: address.TypeTel, Target: "+16062067563"}, {Type: address.TypeTel, Target: "+16062067564"}},
		RingMethod:   "linear", AnswerMethod: "hangup_others",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	<-group.Done()
	r := group.Record()
	fmt.Println(r.Status, len(r.CallIDs), r.CallCount, r.DialIndex, r.Code)
	ctx, stop := context.WithCancel(context.Background())
	stop()
	fmt.Println("ended:", engine.Run(ctx))
	// Output:
	// hangup 2 0 1 nobody_answered
	// ended: <nil>
}

// A conference that the program makes; calls join it by the conference_join action with its id.
func ExampleEngine_CreateConference() {
	engine, err := call.New(call.Config{
		Logger: slog.New(slog.DiscardHandler), Listen: []sip.Listen{{Network: "udp", Addr: "127.0.0.1:0"}},
		Route:   func(context.Context, *call.Incoming) (flow.Program, error) { return nil, call.ErrNoFlow },
		OnEvent: func(e call.Event) { fmt.Println(e.Type) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	room, err := engine.CreateConference(call.ConferenceOptions{ID: "team", Timeout: time.Hour})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(room.ID(), room.Record().Status, len(room.Calls()))
	room.Terminate()
	<-room.Done()
	fmt.Println(room.Record().Status)
	ctx, stop := context.WithCancel(context.Background())
	stop()
	fmt.Println("ended:", engine.Run(ctx))
	// Output:
	// conference_created
	// team progressing 0
	// conference_updated
	// conference_deleted
	// terminated
	// ended: <nil>
}

// An agent hands a caller on after a word with a colleague.
func ExampleCall_Transfer() {
	agent := func(ctx context.Context, c *call.Call, colleague address.Address) error {
		t, err := c.Transfer(ctx, call.TransferOptions{Type: call.TransferAttended, Destinations: []address.Address{colleague}})
		if err != nil {
			return err
		}
		<-t.Done() // the agent hangs up, or the colleague does not want to
		fmt.Println(t.Record().Status)
		return nil
	}
	_ = agent // with a call that talks to another one
	err := (call.TransferOptions{Type: "half"}).Check()
	fmt.Println(err)
	// Output:
	// call: transfer: type "half" is neither blind nor attended
	// call: transfer: 0 destinations are not 1 to 64
}

// A queue of those who speak German, served by who is idle for longest. Agents are available when somebody says so.
func ExampleEngine_CreateQueue() {
	engine, err := call.New(call.Config{
		Listen: []sip.Listen{{Network: "udp", Addr: "127.0.0.1:0"}}, Logger: slog.New(slog.DiscardHandler),
		Route: func(context.Context, *call.Incoming) (flow.Program, error) { return nil, call.ErrNoFlow },
		Agents: call.ListAgents(
			call.Agent{ID: "anna", Tags: []string{"german", "french"}, Addresses: []address.Address{{Type: address.TypeExtension, Target: "200"}}},
			call.Agent{ID: "bob", Tags: []string{"french"}, Addresses: []address.Address{{Type: address.TypeExtension, Target: "201"}}}),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	queue, err := engine.CreateQueue(call.QueueOptions{
		ID: "support", Tags: []string{"german"}, RoutingMethod: store.QueueLongestIdle,
		WaitFlowID: "music", WaitTimeout: 10 * time.Minute, RingTimeout: 15 * time.Second, WrapUp: 20 * time.Second,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, id := range []string{"anna", "bob"} {
		if err := engine.SetAgentStatus(context.Background(), id, call.AgentAvailable); err != nil {
			fmt.Println(err)
		}
	}
	r := queue.Record()
	fmt.Println(r.ID, r.RoutingMethod, r.AgentsAvailable, "available,", len(queue.Calls()), "waiting")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	fmt.Println("ended:", engine.Run(ctx))
	// Output:
	// support longest_idle 1 available, 0 waiting
	// ended: <nil>
}

// A conference with a PIN, of whom one is a moderator. The PIN is in nothing that is printed.
func ExampleConferenceOptions() {
	cfg := call.Config{Logger: slog.New(slog.DiscardHandler), Listen: []sip.Listen{{Network: "udp", Addr: "127.0.0.1:0"}}}
	cfg.Route = func(context.Context, *call.Incoming) (flow.Program, error) { return nil, call.ErrNoFlow }
	engine, err := call.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- engine.Run(ctx) }()

	board, err := engine.CreateConference(call.ConferenceOptions{
		ID: "board", PIN: "2468", ModeratorPIN: "1357", WaitForModerator: true, EntryTone: true, Menu: call.DefaultMenu(),
	})
	if err != nil {
		fmt.Println(err)
	}
	if err := board.Lock(); err != nil {
		fmt.Println(err)
	}
	fmt.Println(board.Options().PIN, board.Record().Locked, len(board.Calls()))
	_, err = engine.CreateConference(call.ConferenceOptions{ID: "sales", PIN: "12"})
	fmt.Println(err)
	board.Terminate()
	<-board.Done()
	fmt.Println(board.Record().Status)
	cancel()
	fmt.Println("ended:", <-done)
	// Output:
	// *** true 0
	// call: conference "sales": PIN is not 4 to 16 digits
	// terminated
	// ended: <nil>
}
