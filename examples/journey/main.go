// Command journey connects each caller with an agent and, when that one hangs up, with a second
// destination. Every leg is a call of its own; they have one journey id, and are printed as they end.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/store"
)

const text = `[
  {"type": "connect", "option": {"destinations": [{"type": "sip", "target": %q}], "timeout": 20000}},
  {"type": "connect", "option": {"destinations": [{"type": "sip", "target": %q}], "timeout": 20000}}]`

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

func main() {
	flags := call.AddFlags(flag.CommandLine)
	agent := flag.String("agent", "agent@127.0.0.1:5080", "who is called first")
	second := flag.String("second", "billing@127.0.0.1:5082", "who is called after that")
	flag.Parse()
	cfg, settings, err := flags.Config()
	if err != nil {
		log.Fatal(err)
	}
	cfg.Deps = call.NewDeps(settings, nil, nil)
	cfg.Outbound.SIP = append(cfg.Outbound.SIP, "127.0.0.0/8") // beside what the settings allow
	steps := must(flow.Parse(fmt.Appendf(nil, text, *agent, *second), flow.ParseOptions{Registry: action.Builtin(cfg.Deps)}))
	cfg.Route = func(context.Context, *call.Incoming) (flow.Program, error) { return steps, nil }
	cfg.OnEvent = func(e call.Event) {
		if c, ok := e.Data.(store.Call); ok && e.Type == "call_hangup" {
			fmt.Printf("journey %.8s: %s call %s to %s, talked %d s: %s\n", c.JourneyID, c.Direction,
				c.Source.Target, c.Destination.Target, c.TalkMS/1000, c.Code)
		}
	}
	log.Print("ended: ", must(call.New(cfg)).RunUntilSignal())
}
