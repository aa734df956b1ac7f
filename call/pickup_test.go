package call_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/call/calltest"
)

const pickup200 = `[{"id":"q","type":"pickup","option":{"extension":"200"},"on_error":"none"},{"type":"play","option":{"stream_urls":["http://tone/700"]}},
	{"type":"stop"},{"id":"none","type":"hangup","option":{"reason":"busy"}}]`

// TestDirectedPickup answers a call that rings elsewhere: the phones that ring are told that it was completed elsewhere, and the picker
// talks with the caller (RFC 5359 2.16). Either of the two ends it.
func TestDirectedPickup(t *testing.T) {
	for _, first := range []string{"caller", "picker"} {
		t.Run(first+" hangs up", func(t *testing.T) {
			var traces [][]byte
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": connect200, "pickup": pickup200}, extensions, holdTone(holdHz))
				var phones []*calltest.Phone
				for n := range 2 {
					p := extensionPhone(t, h, "200", byte(n+1))
					register(t, p)
					phones = append(phones, p)
				}
				early := calltest.NewPhone(t, h.net, calltest.PhoneConfig{User: "early"}).Start(t, "pickup")
				if why := early.WaitEnd(t); !strings.Contains(why, "486") {
					t.Errorf("nothing rings: %s", why)
				}
				a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
				var legs []*calltest.PhoneCall
				for _, p := range phones {
					l := p.WaitCall(t)
					l.Ring()
					legs = append(legs, l)
				}
				time.Sleep(2 * time.Second)
				b := calltest.NewPhone(t, h.net, calltest.PhoneConfig{User: "bob"}).Dial(t, "pickup")
				a.WaitAnswer(t)
				for i, l := range legs {
					l.WaitEnd(t)
					if got, _ := l.Cancelled(); got != `SIP;cause=200;text="Call completed elsewhere"` {
						t.Errorf("phone %d is told %q", i, got)
					}
				}
				a.Say(calltest.Tone(500, time.Minute))
				b.Say(calltest.Tone(800, time.Minute))
				time.Sleep(500 * time.Millisecond)
				n, m := len(a.Heard()), len(b.Heard())
				time.Sleep(time.Second)
				onlyHears(t, "the caller", a.Heard()[n:], 800)
				onlyHears(t, "who has picked it up", b.Heard()[m:], 500)
				stays, hz := b, 700.0
				if first == "picker" {
					b.Hangup(t)
					stays, hz = a, 400
				} else {
					a.Hangup(t)
				}
				stays.WaitEnd(t)
				if !calltest.Hears(stays.Heard(), hz) {
					t.Errorf("the flow of the other one did not go on: it ended by %s", stays.Ended())
				}
				recs := h.records(t)
				for _, rec := range recs {
					if rec.Direction == "outgoing" && (rec.Code != call.CodeAnsweredElsewhere || rec.HangupReason != "cancel") {
						t.Errorf("the leg: %+v", rec)
					}
					traces = append(traces, checkReplay(t, h, rec))
				}
			})
			for _, trace := range traces {
				checkFlowReplay(t, trace)
			}
		})
	}
}

// TestPickupsThatMeetSomething: two who pick up, a phone that answers at the same moment, one who gives up, and calls that nobody may pick
// up any more.
func TestPickupsThatMeetSomething(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": connect200, "pickup": pickup200, "200": waiting}, extensions)
		p := extensionPhone(t, h, "200", 1)
		register(t, p)
		// Two at once: one of them gets it.
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
		p.WaitCall(t).Ring()
		time.Sleep(time.Second)
		var both []*calltest.PhoneCall
		for _, user := range []string{"x", "y"} {
			both = append(both, calltest.NewPhone(t, h.net, calltest.PhoneConfig{User: user}).Start(t, "pickup"))
		}
		time.Sleep(time.Second)
		up := 0
		for _, c := range both {
			if c.Ended() == "" {
				up++
			} else if !strings.Contains(c.Ended(), "486") {
				t.Errorf("who came second: %s", c.Ended())
			}
		}
		if up != 1 {
			t.Errorf("%d of two have picked it up", up)
		}
		a.Hangup(t)
		time.Sleep(3 * time.Second)

		// The phone answers first: its talk is not disturbed.
		a = calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
		l := p.WaitCall(t)
		l.Answer()
		a.WaitAnswer(t)
		c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{User: "z"}).Start(t, "pickup")
		if why := c.WaitEnd(t); !strings.Contains(why, "486") || l.Ended() != "" {
			t.Errorf("a call that is answered: %s; its phone: %q", why, l.Ended())
		}
		a.Hangup(t)
		l.WaitEnd(t)

		// The picker's step is skipped: the caller goes on, and so does the picker.
		a = calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
		p.WaitCall(t).Ring()
		time.Sleep(time.Second)
		c = calltest.NewPhone(t, h.net, calltest.PhoneConfig{User: "w"}).Dial(t, "pickup")
		time.Sleep(time.Second)
		for live := range h.Calls() {
			if live.Record().Source.Target == "w" || strings.Contains(live.Record().Source.Target, "w@") {
				if err := live.Skip("q", 0); err != nil {
					t.Error(err)
				}
			}
		}
		a.WaitEnd(t)
		c.WaitEnd(t)
		if !calltest.Hears(a.Heard(), 400) || !calltest.Hears(c.Heard(), 700) {
			t.Error("after the skip one of the two did not go on")
		}
		// A groupcall, or anything else that is no connect, is not picked up.
		if _, err := h.up2(t).Pickup(t.Context(), action.PickupOptions{Extension: "200"}); !errors.Is(err, action.ErrNoOrbit) {
			t.Errorf("nothing rings: %v", err)
		}
	})
}

// TestPickupOfAnAgentsPhone: the extension is one of those at which an agent is rung.
func TestPickupOfAnAgentsPhone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"connect","option":{"destinations":[{"type":"agent","target":"ann"}]}}]`, "pickup": pickup200}, extensions, func(c *call.Config) {
			c.Agents = call.ListAgents(call.Agent{ID: "ann", Addresses: []address.Address{{Type: address.TypeExtension, Target: "200"}, {Type: address.TypeExtension, Target: "201"}}})
		})
		p := extensionPhone(t, h, "200", 1)
		register(t, p)
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
		l := p.WaitCall(t)
		l.Ring()
		time.Sleep(time.Second)
		b := calltest.NewPhone(t, h.net, calltest.PhoneConfig{User: "bob"}).Dial(t, "pickup")
		a.WaitAnswer(t)
		l.WaitEnd(t)
		b.Hangup(t)
		a.WaitEnd(t)
	})
}

// up2 places a call that is up, and returns it.
func (h *house) up2(t *testing.T) *call.Call {
	t.Helper()
	calltest.NewPhone(t, h.net, calltest.PhoneConfig{User: "v"}).Dial(t, "200")
	time.Sleep(100 * time.Millisecond)
	return h.up(t)
}
