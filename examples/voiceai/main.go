// Command voiceai is a voice bot: it answers every call, listens, has what was said written down by a server of OpenAI's kind,
// and speaks the answer while it is still being written. Who speaks into it is not talked over.
//
//	go run ./examples/voiceai -fake                            # no server, no key: a parrot
//	go run ./examples/voiceai -url http://127.0.0.1:8000/v1    # a server of your own
//	OPENAI_API_KEY=... go run ./examples/voiceai -model gpt-4o-mini
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/callbin/callbin/action/openai"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/flow"
)

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

func main() {
	flags := call.AddFlags(flag.CommandLine)
	fake := flag.Bool("fake", false, "talk to a parrot in this program instead of a server")
	url := flag.String("url", "https://api.openai.com/v1", "of the server, to which /chat/completions and the like are added")
	keyFile := flag.String("key-file", "", "file with the server's key; without it OPENAI_API_KEY of the environment is used")
	model := flag.String("model", "gpt-4o-mini", "that answers")
	voice := flag.String("voice", "alloy", "that speaks")
	language := flag.String("language", "en-GB", "of callers and bot, BCP 47")
	role := flag.String("role", "You are friendly and brief.", "what the model is told of itself")
	greeting := flag.String("greeting", "", "what is said first")
	flag.Parse()
	cfg, settings, err := flags.Config()
	if err != nil {
		log.Fatal(err)
	}
	key := os.Getenv("OPENAI_API_KEY")
	if *keyFile != "" {
		key = string(must(os.ReadFile(*keyFile)))
	}
	if *fake {
		parrot := must(serve(newParrot().endpoint()))
		defer parrot.Close()
		*url, key = parrot.url, ""
	}
	server := must(openai.New(openai.Config{
		BaseURL: *url, Key: strings.TrimSpace(key), Model: *model, Voice: *voice, Timeout: 10 * time.Second, Retries: 1,
		Assistants: map[string]openai.Assistant{"": {Instructions: *role}},
	}))
	defer server.Close()
	bot := must(NewBot(Bot{
		Assistant: server, Writer: server, Speaker: server, Language: *language, Lines: Lines{Greeting: *greeting},
		Logger: cfg.Logger,
	}))
	if err := bot.Prepare(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "the server does not speak, but may when somebody calls:", err)
	}
	cfg.Deps = call.NewDeps(settings, server, nil)
	cfg.Route = func(context.Context, *call.Incoming) (flow.Program, error) { return flow.Func(bot.Run), nil }
	fmt.Println("voiceai: ready, call", flags.SIP)
	log.Print("ended: ", must(call.New(cfg)).RunUntilSignal())
}
