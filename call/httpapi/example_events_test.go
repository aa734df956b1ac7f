package httpapi_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/httpapi"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/sip"
)

// A program reads what happens in conferences, until the engine ends.
func ExampleNewServer_events() {
	engine, err := call.New(call.Config{
		Listen: []sip.Listen{{Network: "udp", Addr: "127.0.0.1:0"}}, Logger: slog.New(slog.DiscardHandler),
		Route: func(context.Context, *call.Incoming) (flow.Program, error) { return nil, call.ErrNoFlow },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	server, err := httpapi.Listen("127.0.0.1:0", httpapi.New(httpapi.Config{Engine: engine, Tokens: []string{"0123456789abcdef"}}))
	if err != nil {
		fmt.Println(err)
		return
	}
	var all sync.WaitGroup
	defer all.Wait()
	run := func(f func(context.Context) error) context.CancelFunc {
		ctx, cancel := context.WithCancel(context.Background())
		all.Go(func() { _ = f(ctx) })
		return cancel
	}
	stop := run(engine.Run)
	defer stop()
	defer run(server.Run)()

	r, _ := http.NewRequest("GET", "http://"+server.Addr().String()+"/v1.0/events/stream?type=conference_created,conference_deleted", nil)
	r.Header.Set("Authorization", "Bearer 0123456789abcdef")
	stream, err := http.DefaultClient.Do(r)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stream.Body.Close()
	if _, err := engine.CreateConference(call.ConferenceOptions{ID: "board"}); err != nil {
		fmt.Println(err)
		return
	}
	for lines := bufio.NewScanner(stream.Body); lines.Scan(); {
		event, ok := strings.CutPrefix(lines.Text(), "event: ")
		if !ok {
			continue
		}
		if fmt.Println(event); event == "conference_created" {
			stop()
		}
	}
	// Output:
	// conference_created
	// conference_deleted
	// end
}
