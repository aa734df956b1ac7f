// Command voicemail takes messages: who calls sip:200@127.0.0.1 leaves one, who calls sip:listen@127.0.0.1 hears them, after
// mailbox 200 and its PIN. With -config the mailboxes, and the phones that need no PIN, are those of the settings.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/media/speech"
	"github.com/callbin/callbin/store"
)

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

func main() {
	flags := call.AddFlags(flag.CommandLine)
	pin := flag.String("pin", "493817", "of mailbox 200, where there is no -config")
	flag.Parse()
	cfg, settings, err := flags.Config()
	if err != nil {
		log.Fatal(err)
	}
	if cfg.Mailboxes == nil && cfg.Extensions == nil {
		cfg.Mailboxes = call.ListMailboxes(call.Mailbox{ID: "200", PIN: *pin})
	}
	cfg.Store, cfg.Deps = store.Memory(), call.NewDeps(settings, speech.NewEspeak(speech.Config{}), nil)
	actions := flow.ParseOptions{Registry: action.Builtin(cfg.Deps)}
	leave := must(flow.Parse([]byte(`[{"type": "voicemail"}]`), actions))
	listen := must(flow.Parse([]byte(`[{"type": "voicemail_main"}]`), actions))
	cfg.Route = func(_ context.Context, in *call.Incoming) (flow.Program, error) {
		if in.Request.User == "listen" {
			return listen, nil
		}
		return leave, nil
	}
	cfg.OnEvent = func(e call.Event) {
		if m, ok := e.Data.(store.Voicemail); ok {
			fmt.Println(e.Type, m.MailboxID, m.Source, m.Status, m.DurationMS)
		}
	}
	log.Print("ended: ", must(call.New(cfg)).RunUntilSignal())
}
