// Command flowtest is a phone server with one menu, menu.json, and the story of how that menu is tested without a
// phone: README.md is the tutorial, menu_test.go what it comes to. Run it and call sip:100@127.0.0.1.
package main

import (
	"context"
	_ "embed"
	"flag"
	"log"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/safehttp"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/flow/expr"
	"github.com/callbin/callbin/media/speech"
)

//go:embed menu.json
var text []byte

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
	client := safehttp.New(safehttp.Config{Allow: settings.URLs})
	defer client.Close()
	cfg.Deps = call.NewDeps(settings, speech.NewEspeak(speech.Config{}), client)
	cfg.Deps.Expressions = expr.Expressions{}
	menu := must(flow.Parse(text, flow.ParseOptions{Registry: action.Builtin(cfg.Deps), File: "menu.json"}))
	cfg.Route = func(context.Context, *call.Incoming) (flow.Program, error) { return menu, nil }
	log.Print("ended: ", must(call.New(cfg)).RunUntilSignal())
}
