package call_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
)

// TestParkAndPickup: the parked one hears music until it is picked up; then the two talk, and each flow goes on when they have parted
// (RFC 5359 2.15, with the park server in us).
func TestParkAndPickup(t *testing.T) {
	for _, first := range []string{"parked", "picker"} {
		t.Run(first+" hangs up", func(t *testing.T) {
			var traces [][]byte
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{
					"park":   `[{"id":"p","type":"park","option":{"orbit":"705"}},{"type":"play","option":{"stream_urls":["http://tone/400"]}}]`,
					"pickup": `[{"id":"q","type":"pickup","option":{"orbit":"705"},"on_error":"none"},{"type":"play","option":{"stream_urls":["http://tone/700"]}},{"type":"stop"},{"id":"none","type":"hangup","option":{"reason":"busy"}}]`,
				}, holdTone(holdHz))
				early := calltest.NewPhone(t, h.net, calltest.PhoneConfig{User: "early"}).Start(t, "pickup")
				if why := early.WaitEnd(t); !strings.Contains(why, "486") {
					t.Errorf("an empty orbit: %s", why)
				}
				a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "park")
				a.Say(calltest.Tone(500, time.Minute))
				time.Sleep(3 * time.Second)
				onlyHears(t, "in the orbit", a.Heard()[8000:], holdHz)
				aIn := h.up(t)
				if got := h.ParkedCalls(); len(got) != 1 || got["705"] != aIn || aIn.Record().Orbit != "705" {
					t.Errorf("parked: %v, in the record %q", got, aIn.Record().Orbit)
				}
				b := calltest.NewPhone(t, h.net, calltest.PhoneConfig{User: "bob"}).Dial(t, "pickup")
				b.Say(calltest.Tone(800, time.Minute))
				time.Sleep(500 * time.Millisecond)
				n, m := len(a.Heard()), len(b.Heard())
				time.Sleep(time.Second)
				onlyHears(t, "the parked one", a.Heard()[n:], 800)
				onlyHears(t, "who has picked it up", b.Heard()[m:], 500)
				if len(h.ParkedCalls()) != 0 || aIn.Record().Orbit != "" {
					t.Error("it is still in the orbit")
				}
				late := calltest.NewPhone(t, h.net, calltest.PhoneConfig{User: "late"}).Start(t, "pickup")
				late.WaitEnd(t)
				stays, hz := b, 700.0
				if first == "picker" {
					b.Hangup(t)
					stays, hz = a, 400
				} else {
					a.Hangup(t)
				}
				stays.WaitEnd(t)
				if !calltest.Hears(stays.Heard(), hz) {
					t.Error("the flow of the other one did not go on")
				}
				if got := links(t, aIn); !slices.Equal(got, []string{"park", "pickup"}) {
					t.Errorf("links %q", got)
				}
				for _, rec := range h.records(t) {
					traces = append(traces, checkReplay(t, h, rec))
				}
				types := h.eventTypes()
				if i, j := slices.Index(types, "call_parked"), slices.Index(types, "call_unparked"); i < 0 || j < i {
					t.Errorf("events %q", types)
				}
			})
			for _, trace := range traces {
				checkFlowReplay(t, trace)
			}
		})
	}
}

// TestParkTimesOut: the flow goes on with a result; places are given out one by one, and come back.
func TestParkTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"park": `[{"id":"p","type":"park","option":{"timeout":5000},"on_timeout":"late","on_error":"full"},{"type":"stop"},
			{"id":"late","type":"play","option":{"stream_urls":["http://tone/400"]}},{"type":"stop"},{"id":"full","type":"hangup","option":{"reason":"busy"}}]`},
			holdTone(holdHz), func(c *call.Config) { c.Parking = call.Parking{First: 31, Last: 32} })
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "park")
		b := calltest.NewPhone(t, h.net, calltest.PhoneConfig{User: "b"}).Dial(t, "park")
		time.Sleep(time.Second)
		if got := h.ParkedCalls(); got["31"] == nil || got["32"] == nil || len(got) != 2 {
			t.Errorf("parked: %v", got)
		}
		c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{User: "c"}).Start(t, "park")
		if why := c.WaitEnd(t); !strings.Contains(why, "486") {
			t.Errorf("no orbit is free: %s", why)
		}
		b.Hangup(t)
		a.WaitEnd(t)
		if !calltest.Hears(a.Heard(), holdHz) || !calltest.Hears(a.Heard(), 400) || len(h.ParkedCalls()) != 0 {
			t.Errorf("music, or what comes after it, is not heard; parked: %v", h.ParkedCalls())
		}
		recs := h.records(t)
		for _, rec := range recs {
			if rec.Orbit != "" {
				t.Errorf("in the end a call is in orbit %s", rec.Orbit)
			}
		}
	})
}

// TestParkARunningCall: out of its talk into an orbit; nobody comes in time, and it returns to who it talked with.
func TestParkARunningCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": connectTo("", "", 1)}, outbound, holdTone(holdHz))
		bob := callee(t, h, 1)
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
		b := bob.WaitCall(t)
		b.Answer()
		a.WaitAnswer(t)
		a.Say(calltest.Tone(500, time.Minute))
		time.Sleep(time.Second)
		var live *call.Call
		for c := range h.Calls() {
			if c.Record().Direction == "incoming" {
				live = c
			}
		}
		orbit, err := h.Park(t.Context(), live, call.ParkOptions{Timeout: 10 * time.Second})
		if err != nil || orbit != "701" || h.ParkedCalls()["701"] != live {
			t.Fatalf("orbit %q, %v", orbit, err)
		}
		b.WaitEnd(t) // the talk is over
		if _, err := h.Park(t.Context(), live, call.ParkOptions{}); err == nil {
			t.Error("parked twice")
		}
		n := len(a.Heard())
		back := bob.WaitCall(t)
		onlyHears(t, "in the orbit", a.Heard()[n+800:], holdHz)
		back.Answer()
		back.WaitAnswer(t)
		back.Say(calltest.Tone(800, time.Minute))
		time.Sleep(500 * time.Millisecond)
		n = len(a.Heard())
		time.Sleep(time.Second)
		onlyHears(t, "returned", a.Heard()[n:], 800)
		back.Hangup(t)
		a.WaitEnd(t)
		if _, err := h.Park(t.Context(), live, call.ParkOptions{}); err == nil {
			t.Error("a call that is over was parked")
		}
		if got := links(t, live); !slices.Equal(got, []string{"redirect park", "park", "park timeout"}) {
			t.Errorf("links %q", got)
		}
		state, err := live.Activeflow()
		if err != nil {
			t.Fatal(err)
		}
		var did []string
		for _, x := range state.ExecutedActions {
			did = append(did, x.Type)
		}
		if !slices.Equal(did, []string{"connect", "park", "connect"}) {
			t.Errorf("executed %q", did)
		}
	})
}

// TestPickupFromOutside: the program lets a waiting call pick up, and the context ends the talk, not the calls.
func TestPickupFromOutside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"park": `[{"type":"park","option":{"orbit":"a"}},{"type":"play","option":{"stream_urls":["http://tone/400"]}}]`, "200": waiting}, holdTone(holdHz))
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "park")
		parked := h.up(t)
		time.Sleep(time.Second)
		b := calltest.NewPhone(t, h.net, calltest.PhoneConfig{User: "b"}).Dial(t, "200")
		var picker *call.Call
		for c := range h.Calls() {
			if c != parked {
				picker = c
			}
		}
		for _, o := range []action.PickupOptions{{}, {Orbit: "a", Extension: "b"}, {Orbit: "b"}, {Extension: "200"}} {
			if _, err := picker.Pickup(t.Context(), o); !errors.Is(err, action.ErrNoOrbit) {
				t.Errorf("%+v: %v", o, err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			got, err := picker.Pickup(ctx, action.PickupOptions{Orbit: "a"})
			if got.CallID != parked.ID() || got.Talk < time.Second {
				err = fmt.Errorf("%+v, %w", got, err)
			}
			done <- err
		}()
		time.Sleep(2 * time.Second)
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		a.WaitEnd(t)
		if !calltest.Hears(a.Heard(), 400) || b.Ended() != "" {
			t.Errorf("the parked one's flow did not go on, or the other call has ended: %q", b.Ended())
		}
		b.Hangup(t)
	})
}
