// Command conference is a server of rooms: who calls sip:ANYTHING@127.0.0.1 is in the room of that name, with
// all others who called it.
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

const text = `[{"type": "answer"}, {"type": "beep"},
  {"type": "conference_join", "option": {"conference_id": "${voipbin.call.destination.target}"}}]`

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
	cfg.Deps = call.NewDeps(settings, nil, nil)
	room := must(flow.Parse([]byte(text), flow.ParseOptions{Registry: action.Builtin(cfg.Deps)}))
	cfg.Route = func(context.Context, *call.Incoming) (flow.Program, error) { return room, nil }
	cfg.OpenRooms = true
	cfg.OnEvent = func(e call.Event) {
		if stay, ok := e.Data.(store.Conferencecall); ok {
			fmt.Println(stay.ConferenceID, stay.ReferenceID, stay.Status)
		}
	}
	log.Print("ended: ", must(call.New(cfg)).RunUntilSignal())
}
