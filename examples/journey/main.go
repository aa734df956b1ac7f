// Command journey connects each caller with an agent and, when that one hangs up, with a second
// destination. Every leg is a call of its own; they have one journey, which is printed when the last of them has ended: as a
// list of what happened, and as a chart in Mermaid's language (mermaid.live shows it).
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
	mask := flag.Bool("mask", false, "hide numbers and names")
	flag.Parse()
	cfg, settings, err := flags.Config()
	if err != nil {
		log.Fatal(err)
	}
	cfg.Store = store.Memory() // of legs that have ended
	cfg.Deps = call.NewDeps(settings, nil, nil)
	cfg.Outbound.SIP = append(cfg.Outbound.SIP, "127.0.0.0/8") // beside what the settings allow
	steps := must(flow.Parse(fmt.Appendf(nil, text, *agent, *second), flow.ParseOptions{Registry: action.Builtin(cfg.Deps)}))
	cfg.Route = func(context.Context, *call.Incoming) (flow.Program, error) { return steps, nil }
	engine := must(call.New(cfg))
	ends := must(engine.Subscribe(call.SubscribeOptions{Types: []string{"call_hangup"}}))
	log.Print("ended: ", engine.RunUntilSignal(func(ctx context.Context) error {
		for e := range ends.All(ctx) {
			if len(engine.JourneyState(e.JourneyID).Legs) == 0 { // it was the last one
				j := must(engine.Journey(ctx, e.JourneyID))
				fmt.Print(j.Text(call.JourneyStyle{Mask: *mask}), j.Mermaid(call.JourneyStyle{Mask: *mask}))
			}
		}
		return nil
	}))
}
