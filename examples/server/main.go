// Command server is a phone server: it answers calls with flows, JSON files of one
// destination each. Run it without a flag and call sip:100@127.0.0.1.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	_ "time/tzdata" // condition_datetime knows its time zones on any machine

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/httpapi"
	"github.com/callbin/callbin/call/safehttp"
	"github.com/callbin/callbin/examples/server/flows"
	"github.com/callbin/callbin/flow/expr"
	"github.com/callbin/callbin/media/speech"
	"github.com/callbin/callbin/store/sqlite"
)

func main() {
	runtime.GOMAXPROCS(2*runtime.NumCPU() + 2) // room for Go's scheduler beside the media threads
	flags := call.AddFlags(flag.CommandLine)
	web := flag.String("http", "127.0.0.1:8080", "HTTP address; empty: none")
	flows := flag.String("flows", "", "folder of flows, one JSON file a destination; empty: the built-in ones")
	data := flag.String("data", "./callbin-data", "folder of the database and the recordings")
	flag.Parse()
	if err := run(flags, *web, *flows, *data); err != nil {
		fmt.Fprintln(os.Stderr, "callbin:", err)
		os.Exit(1)
	}
}

func run(flags *call.Flags, web, flowDir, data string) error {
	cfg, settings, err := flags.Config()
	if err != nil {
		return err
	}
	db, err := sqlite.Open(filepath.Join(data, "callbin.db"), sqlite.Options{})
	if err != nil {
		return err
	}
	defer db.Close()
	client := safehttp.New(safehttp.Config{Allow: settings.URLs})
	defer client.Close()
	voice, err := speech.NewCache(speech.NewEspeak(speech.Config{}), speech.CacheConfig{FS: spoken(), Dir: filepath.Join(data, "speech")})
	if err != nil {
		return err
	}
	cfg.Store, cfg.Deps, cfg.OpenRooms = db, call.NewDeps(settings, voice, client), true
	cfg.Deps.Expressions = expr.Expressions{}
	if _, err := cfg.UseDirectory(context.Background(), db); err != nil {
		return err
	}
	flows, err := flows.Open(flowDir, filepath.Join(data, "recordings"), &cfg, cfg.CheckInDir)
	if err != nil {
		return err
	}
	cfg.UseFlows(flows, settings.Owned)
	cfg.UseStoredFlows(db)
	if err := cfg.UseWebApps(settings.WebApps); err != nil {
		return err
	}
	cfg.RegistrationFile = filepath.Join(data, "registrations.json")
	engine, err := call.New(cfg)
	if err != nil {
		return err
	}
	api, err := httpapi.Open(web, filepath.Join(data, "token"), httpapi.Config{
		Engine: engine, Store: db, Traces: db, Flows: db, Recordings: db, Blobs: db, Tokens: settings.Tokens, AccessTokens: settings.AccessTokens,
	})
	if err != nil {
		return err
	}
	beside := []func(context.Context) error{api.Run, func(ctx context.Context) error { return flows.Watch(ctx, 0) }}
	hooks, err := settings.NewWebhooks()
	if err != nil {
		return err
	}
	for _, w := range hooks {
		beside = append(beside, func(ctx context.Context) error { return w.Run(ctx, engine) })
	}
	fmt.Println("callbin: ready")
	return engine.RunUntilSignal(beside...)
}
