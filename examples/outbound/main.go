// Command outbound calls somebody, speaks, and prints the key that was pressed:
//
//	go run ./examples/outbound sip:alice@127.0.0.1:5080
//
// A number (+16062067563) goes by a trunk of the settings file: -config settings.json.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/media/speech"
)

const text = `[
  {"type": "talk", "option": {"text": "Your parcel is here. To have it brought today, press one.", "language": "en-GB"}},
  {"type": "digits_receive", "option": {"duration": 10000, "length": 1}}]`

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

func main() {
	flags := call.AddFlags(flag.CommandLine)
	flag.Parse()
	to := must(address.Parse(flag.Arg(0)))
	cfg, settings, err := flags.Config()
	if err != nil {
		log.Fatal(err)
	}
	voice := must(speech.NewCache(speech.NewEspeak(speech.Config{}), speech.CacheConfig{}))
	cfg.Deps = call.NewDeps(settings, voice, nil)
	cfg.Outbound.SIP = append(cfg.Outbound.SIP, "127.0.0.0/8") // beside what the settings allow
	cfg.Route = func(context.Context, *call.Incoming) (flow.Program, error) { return nil, call.ErrNoFlow }
	ask := must(flow.Parse([]byte(text), flow.ParseOptions{Registry: action.Builtin(cfg.Deps)}))
	engine := must(call.New(cfg))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- engine.Run(ctx) }()
	c := must(engine.Dial(ctx, call.DialOptions{Destination: to, Flow: ask}))
	<-c.Done()
	r := c.Record()
	fmt.Printf("%s: %s (%s), pressed %q\n", to.Target, r.HangupReason, r.Sentence, c.Vars().Get(action.VarDigits))
	stop()
	must(0, <-ended)
}
