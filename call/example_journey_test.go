package call_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/store"
)

// quiet is an engine of which nobody hears.
func quiet() *call.Engine {
	e, err := call.New(call.Config{
		Logger: slog.New(slog.DiscardHandler), Listen: []sip.Listen{{Network: "udp", Addr: "127.0.0.1:0"}}, Store: store.Memory(), Route: noFlow,
	})
	if err != nil {
		panic(err)
	}
	return e
}

// A journey is read from the traces of its legs. Here the program places a call that may not go out.
func ExampleEngine_Journey() {
	engine := quiet()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- engine.Run(ctx) }()

	c, err := engine.Dial(ctx, call.DialOptions{Destination: address.Address{Type: address.TypeTel, Target: "+16062067563"}})
	fmt.Println(err != nil)
	<-c.Done()
	j, err := engine.Journey(ctx, c.Record().JourneyID)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, text, _ := strings.Cut(j.Text(call.JourneyStyle{Mask: true}), "\n") // without its id
	fmt.Print(text)
	fmt.Println(len(j.At(time.Now()).Legs), "legs are up")
	stop()
	fmt.Println("ended:", <-ended)
	// Output:
	// true
	// +0.0s    program creates leg 1
	// +0.0s    leg 1 dials +*********63
	// +0.0s    leg 1 hangs up +*********63 (outbound_denied)
	// +0.0s    leg 1: hangup
	// 0 legs are up
	// ended: <nil>
}

// A subscriber reads events at its own pace. One that falls behind its buffer goes on after the last event that it has read.
func ExampleEngine_Subscribe() {
	engine := quiet()
	rooms, err := engine.Subscribe(call.SubscribeOptions{Types: []string{"conference_*"}, Buffer: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	room, err := engine.CreateConference(call.ConferenceOptions{ID: "team"})
	if err != nil {
		fmt.Println(err)
		return
	}
	first, err := rooms.Next(ctx)
	fmt.Println(first.Type, first.ConferenceID, first.Seq, err)
	rooms.Close()
	room.Terminate()
	rooms, err = engine.Subscribe(call.SubscribeOptions{Types: []string{"conference_*"}, After: first.ID})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(ctx)
	stop()
	fmt.Println("ended:", engine.Run(ctx)) // which ends all subscriptions, when everything is told
	for e := range rooms.All(context.Background()) {
		fmt.Println(e.Type, e.Seq)
	}
	fmt.Println(rooms.Err())
	// Output:
	// conference_created team 1 <nil>
	// ended: <nil>
	// conference_updated 2
	// conference_deleted 3
	// call: the engine has ended
}

// Webhooks run beside the engine. A server that is not on the public Internet has to be allowed.
func ExampleWebhooks() {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Method, r.URL.Path, strings.HasPrefix(r.Header.Get("X-VoIPBIN-Signature"), "sha256="))
	}))
	defer server.Close()
	hooks, err := call.NewWebhooks(call.WebhookConfig{
		URL: server.URL + "/events", Secret: "secret", Types: []string{"conference_created"}, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	engine := quiet()
	ctx, stop := context.WithCancel(context.Background())
	sent := make(chan error, 1)
	go func() { sent <- hooks.Run(ctx, engine) }()
	for engine.Stats().Subscribers == 0 {
		runtime.Gosched()
	}
	if _, err := engine.CreateConference(call.ConferenceOptions{}); err != nil {
		fmt.Println(err)
	}
	stop()
	fmt.Println("ended:", engine.Run(ctx), <-sent, hooks.Stats().Delivered)
	// Output:
	// POST /events true
	// ended: <nil> <nil> 1
}
