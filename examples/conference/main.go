// Command conference is a server of rooms: who calls sip:ANYTHING@127.0.0.1 is in the room of that name, with
// all others who called it. Who is alone hears music, a tone tells of who comes and goes, *6 mutes oneself, and the terminal shows
// who talks. Call sip:board, and 2468 lets you in: nobody hears anybody until the moderator is there, who types 1357.
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
	cfg.RoomOptions = call.ConferenceOptions{EntryTone: true, ExitTone: true, MusicUntilSecond: true, TalkerEvents: true, Menu: call.DefaultMenu()}
	cfg.OnEvent = func(e call.Event) {
		switch who := e.Data.(type) {
		case store.Conferencecall:
			fmt.Println(who.ConferenceID, who.ReferenceID, who.Status, who.Code)
		case call.Member:
			fmt.Println(who.ConferenceID, who.ReferenceID, e.Type)
		}
	}
	engine := must(call.New(cfg))
	must(engine.CreateConference(call.ConferenceOptions{
		ID: "board", PIN: "2468", ModeratorPIN: "1357", MaxMembers: 20, WaitForModerator: true, RecordNames: true, Menu: call.DefaultMenu(),
	}))
	log.Print("ended: ", engine.RunUntilSignal())
}
