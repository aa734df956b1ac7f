// Command queue is a small hotline. Phones that register as 201 or 202 (passwords secret201 and secret202) are its agents, for as long as they are
// registered; who calls sip:support@127.0.0.1 waits for one of them.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/store"
)

const (
	hotline = `[{"id": "q", "type": "queue_join", "option": {"queue_id": "support"}}, {"type": "hangup"}]`
	waiting = `[{"type": "answer"}, {"type": "beep"}, {"type": "sleep", "option": {"duration": 2000}}]`
)

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

func main() {
	flags := call.AddFlags(flag.CommandLine)
	flag.Parse()
	cfg, settings, err := flags.Config()
	if err != nil {
		log.Fatal(err)
	}
	var extensions []call.Extension
	var agents []call.Agent
	for _, name := range []string{"201", "202"} {
		extensions = append(extensions, call.Extension{Name: name, Password: "secret" + name})
		agents = append(agents, call.Agent{ID: name, Addresses: []address.Address{{Type: address.TypeExtension, Target: name}}})
	}
	cfg.Extensions, cfg.Agents = call.ListExtensions(extensions...), call.ListAgents(agents...)
	cfg.Deps = call.NewDeps(settings, nil, nil)
	parse := func(name, text string) *flow.Flow {
		return must(flow.Parse([]byte(text), flow.ParseOptions{Registry: action.Builtin(cfg.Deps), Name: name}))
	}
	line := parse("hotline", hotline)
	cfg.Route = func(_ context.Context, in *call.Incoming) (flow.Program, error) { return line, nil }
	cfg.Queues = []call.QueueOptions{{
		ID: "support", Name: "Support", RoutingMethod: store.QueueLongestIdle, WaitFlow: parse("waiting", waiting),
		RingTimeout: 10 * time.Second, WaitTimeout: 10 * time.Minute, WrapUp: 5 * time.Second,
	}}
	var engine *call.Engine
	cfg.OnEvent = func(e call.Event) {
		switch data := e.Data.(type) {
		case call.Registration: // a phone that is there is an agent at work
			status := call.AgentOffline
			if e.Type == "extension_registered" {
				status = call.AgentAvailable
			}
			if err := engine.SetAgentStatus(context.Background(), data.Extension, status); err != nil {
				log.Print(err)
			}
		case call.AgentState:
			fmt.Println("agent", data.ID, data.Status)
		case store.Queuecall:
			fmt.Println("caller", data.Source.Target, data.Status, data.ServiceAgentID, data.Code)
		}
	}
	engine = must(call.New(cfg))
	log.Print("ended: ", engine.RunUntilSignal())
}
