package main

import (
	"context"
	"net/netip"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/flow/flowtest"
	"github.com/callbin/callbin/store"
)

// TestRecord is a call over SIP and RTP: the caller presses 1, and sales hangs up after ten seconds. With -update its trace
// becomes testdata/call.trace, as the store of a server keeps it.
func TestRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world, err := flowtest.NewWorld(flowtest.Script{flowtest.Around("http", "*", "300ms", "200", `{"name": "Ann"}`)})
		if err != nil {
			t.Fatal(err)
		}
		net, db := calltest.NewNet(), store.Memory()
		cfg := call.Config{
			Store: db, Deps: call.Noted(world.Deps()), Outbound: call.Outbound{Tel: []string{"+1"}},
			Trunks: []call.Trunk{{Name: "provider", Address: "10.0.0.9"}},
		}
		menu, err := flow.Parse(text, flow.ParseOptions{Registry: action.Builtin(cfg.Deps), File: "menu.json"})
		if err != nil {
			t.Fatal(err)
		}
		cfg.Route = func(context.Context, *call.Incoming) (flow.Program, error) { return menu, nil }
		_, stop := calltest.Run(t, net, cfg)
		calltest.NewPhone(t, net, calltest.PhoneConfig{Addr: netip.MustParseAddr("10.0.0.9"), Port: 5060, Accept: func(c *calltest.PhoneCall) {
			c.Ring()
			time.Sleep(3 * time.Second)
			c.Answer()
			time.Sleep(10 * time.Second)
			c.Hangup(t)
		}})
		a := calltest.NewPhone(t, net, calltest.PhoneConfig{User: "+14155550100"}).Start(t, "100")
		time.Sleep(1500 * time.Millisecond)
		a.Press("1")
		a.WaitEnd(t)
		time.Sleep(time.Second) // the provider's phone has the answer to its BYE by then
		stop()
		calls, _, err := db.ListCalls(t.Context(), store.CallFilter{Direction: store.DirectionIncoming})
		if err != nil || len(calls) != 1 {
			t.Fatalf("%d calls, %v", len(calls), err)
		}
		trace, err := db.Trace(t.Context(), calls[0].ID)
		if err == nil && flowtest.Updating() {
			err = os.WriteFile("testdata/call.trace", trace, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
}
