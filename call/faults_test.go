package call_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/store"
)

const engineHost = "10.0.0.1"

// oneEnd wants n calls, each with one record and one call_hangup after which nothing comes, and no socket but those
// of phones.
func oneEnd(t *testing.T, h *house, n, sockets int) []store.Call {
	t.Helper()
	recs := h.records(t)
	if len(recs) != n {
		t.Errorf("%d records, want %d", len(recs), n)
	}
	ends := map[string]int{}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.events {
		c, ok := e.Data.(store.Call)
		if !ok {
			continue
		}
		if ends[c.ID] > 0 {
			t.Errorf("%s after call_hangup", e.Type)
		}
		if e.Type == "call_hangup" {
			ends[c.ID]++
		}
	}
	for _, r := range recs {
		if ends[r.ID] != 1 || r.Status != store.StatusHangup || r.TmHangup.IsZero() {
			t.Errorf("%d call_hangup of %+v", ends[r.ID], r)
		}
	}
	if got := h.net.Open(); got != sockets {
		t.Errorf("%d sockets are open, want %d", got, sockets)
	}
	return recs
}

// TestCallOverABadNetwork loses, doubles and reorders a tenth of everything: the call is set up, heard and ended.
func TestCallOverABadNetwork(t *testing.T) {
	seeds := uint64(20)
	if testing.Short() {
		seeds = 4
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": connectTo("", beepAfter, 1)}, outbound)
				h.net.SetFaults(calltest.Faults{
					Delay: 20 * time.Millisecond, Jitter: 10 * time.Millisecond, Loss: 0.1, Reorder: 0.1, Duplicate: 0.1, Seed: seed,
				})
				bob := callee(t, h, 1)
				a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
				b := bob.WaitCall(t)
				b.Ring()
				time.Sleep(time.Second)
				b.Answer()
				a.WaitAnswer(t)
				b.WaitAnswer(t)
				a.Say(calltest.Tone(500, 4*time.Second))
				b.Say(calltest.Tone(800, 4*time.Second))
				time.Sleep(2 * time.Second)
				a.Press("5")
				time.Sleep(2 * time.Second)
				if !calltest.Hears(a.Heard(), 800) || calltest.Hears(a.Heard(), 500) {
					t.Error("the caller does not hear the called one, or itself")
				}
				if !calltest.Hears(b.Heard(), 500) || calltest.Hears(b.Heard(), 800) {
					t.Error("the called one does not hear the caller, or itself")
				}
				if got := b.Pressed(); got != "5" {
					t.Errorf("the called one got %q", got)
				}
				b.Hangup(t)
				a.WaitEnd(t)
				if !calltest.Hears(a.Heard(), 400) {
					t.Error("the flow did not go on")
				}
				time.Sleep(40 * time.Second) // all that is repeated has come
				for _, r := range oneEnd(t, h, 2, 2) {
					// What the called one sends before its answer gets through waits in the socket, and is dropped
					// or not when the leg begins to read.
					share := float64(r.PacketsLost) / float64(r.PacketsIn+r.PacketsLost)
					if r.Direction == store.DirectionIncoming && (share < 0.02 || share > 0.25) {
						t.Errorf("%d packets came, %d are counted as lost", r.PacketsIn, r.PacketsLost)
					}
				}
			})
		})
	}
}

// TestLostBYEOfTheEngine is sent again.
func TestLostBYEOfTheEngine(t *testing.T) {
	for _, what := range []string{"BYE", "200 BYE"} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"sleep","option":{"duration":1000}}]`})
				c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
				h.net.SetFaults(calltest.Faults{Lose: []calltest.Traffic{{SIP: what, First: 2}}})
				live := h.up(t)
				time.Sleep(time.Second)
				at := time.Now()
				<-live.Done()
				if took := time.Since(at); took < 1400*time.Millisecond || took > 1700*time.Millisecond { // 0.5 and 1 s
					t.Errorf("the call ended %v after its flow", took)
				}
				if why := c.WaitEnd(t); !strings.HasPrefix(why, "BYE") {
					t.Errorf("the phone's call ended by %q", why)
				}
				if r := oneEnd(t, h, 1, 1)[0]; r.Code != call.CodeFlowEnded {
					t.Errorf("record: %+v", r)
				}
			})
		})
	}
}

// TestLostBYEOfThePhone ends the call when the one that gets through comes.
func TestLostBYEOfThePhone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"sleep","option":{"duration":600000}}]`})
		c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		h.net.SetFaults(calltest.Faults{Lose: []calltest.Traffic{{SIP: "BYE", First: 2}, {SIP: "200 BYE", First: 2}}})
		at := time.Now()
		c.Hangup(t)
		if took := time.Since(at); took != 7500*time.Millisecond { // the fifth one is answered: 0.5, 1, 2, and 4 s
			t.Errorf("hung up after %v", took)
		}
		if r := oneEnd(t, h, 1, 1)[0]; r.Code != call.CodeCallerHungUp || r.HangupBy != "remote" {
			t.Errorf("record: %+v", r)
		}
	})
}

// TestOneWayAudio is seen in the numbers of the call.
func TestOneWayAudio(t *testing.T) {
	engine, phone := netip.MustParseAddr(engineHost), netip.MustParseAddr("10.0.0.2")
	for name, tc := range map[string]struct {
		phone    calltest.PhoneConfig
		lose     []calltest.Traffic
		in, hear bool // the engine gets sound, the phone does
	}{
		"both ways":             {in: true, hear: true},
		"phone is not heard":    {lose: []calltest.Traffic{{RTP: true, From: phone}}, hear: true},
		"phone sends nothing":   {phone: calltest.PhoneConfig{NoRTP: true}, hear: true},
		"phone hears nothing":   {lose: []calltest.Traffic{{RTP: true, From: engine}}, in: true},
		"no sound, only SIP":    {lose: []calltest.Traffic{{RTP: true}}},
		"other phone's is lost": {lose: []calltest.Traffic{{RTP: true, To: netip.MustParseAddr("10.0.0.7")}}, in: true, hear: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"play","option":{"stream_urls":["http://tone/400"]}}]`})
				h.net.SetFaults(calltest.Faults{Lose: tc.lose})
				c := calltest.NewPhone(t, h.net, tc.phone).Dial(t, "100")
				c.WaitEnd(t)
				if got := calltest.Hears(c.Heard(), 400); got != tc.hear {
					t.Errorf("the phone hears: %v, want %v", got, tc.hear)
				}
				r := oneEnd(t, h, 1, 1)[0]
				if (r.PacketsIn > 40) != tc.in || !tc.in && (r.PacketsIn != 0 || r.MOS != nil) || r.PacketsOut < 40 {
					t.Errorf("packets in %d, out %d, MOS %v", r.PacketsIn, r.PacketsOut, r.MOS)
				}
			})
		})
	}
}

// TestDestinationThatFails lets the caller's flow go on, with what connect found.
func TestDestinationThatFails(t *testing.T) {
	for name, tc := range map[string]struct {
		phone   calltest.PhoneConfig
		options string
		code    string
		status  int
		within  [2]time.Duration
	}{
		"503": {
			phone: calltest.PhoneConfig{Accept: func(c *calltest.PhoneCall) { c.Refuse(503, "Retry-After: 5") }},
			code:  call.CodeCalleeRefused, status: 503, within: [2]time.Duration{0, 100 * time.Millisecond},
		},
		"silent": {
			phone: calltest.PhoneConfig{Silent: true},
			code:  call.CodeNoResponse, status: 408, within: [2]time.Duration{time.Second, 33 * time.Second},
		},
		"silent, with a time": {
			phone: calltest.PhoneConfig{Silent: true}, options: `,"timeout":3000`,
			code: call.CodeDialTimeout, status: 487, within: [2]time.Duration{3 * time.Second, 3100 * time.Millisecond},
		},
		"vanishes while it rings": {
			phone: calltest.PhoneConfig{Accept: func(c *calltest.PhoneCall) { c.Ring(); time.Sleep(time.Second); c.Vanish() }}, options: `,"timeout":3000`,
			code: call.CodeDialTimeout, status: 487, within: [2]time.Duration{3 * time.Second, 3100 * time.Millisecond},
		},
		"answers a CANCEL": {
			phone: calltest.PhoneConfig{IgnoreCancel: true, Accept: func(c *calltest.PhoneCall) { c.Ring() }}, options: `,"timeout":3000`,
			code: call.CodeDialTimeout, status: 487, within: [2]time.Duration{3 * time.Second, 3100 * time.Millisecond},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": connectTo(tc.options, beepAfter, 1)}, outbound)
				callee(t, h, 1, func(p *calltest.PhoneConfig) {
					p.Silent, p.Accept, p.IgnoreCancel = tc.phone.Silent, tc.phone.Accept, tc.phone.IgnoreCancel
				})
				at := time.Now()
				a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
				<-a.Done() // the flow plays its second
				took := time.Since(at) - time.Second
				if took < tc.within[0] || took > tc.within[1]+100*time.Millisecond {
					t.Errorf("the flow went on after %v, want %v", took, tc.within)
				}
				if !calltest.Hears(a.Heard(), 400) {
					t.Error("the flow did not go on")
				}
				time.Sleep(time.Minute) // what nobody answers is given up
				for _, r := range oneEnd(t, h, 2, 2) {
					if r.Direction == store.DirectionOutgoing && (r.Code != tc.code || r.SIPCode != tc.status) {
						t.Errorf("the leg: %s %d, want %s %d", r.Code, r.SIPCode, tc.code, tc.status)
					}
				}
			})
		})
	}
}

// TestVanishedDestination says no BYE: when the caller hangs up the engine's own is repeated for 32 s, and then the
// leg ends all the same.
func TestVanishedDestination(t *testing.T) {
	for _, how := range []string{"vanishes", "does not answer BYE"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": connectTo("", beepAfter, 1)}, outbound)
				bob := callee(t, h, 1, func(p *calltest.PhoneConfig) { p.NoBYEAnswer = true })
				a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
				b := bob.WaitCall(t)
				b.Answer()
				a.WaitAnswer(t)
				time.Sleep(time.Second)
				if how == "vanishes" {
					b.Vanish()
					time.Sleep(time.Second)
				}
				if a.Ended() != "" {
					t.Errorf("the caller's call ended by %q", a.Ended())
				}
				var leg *call.Call
				for c := range h.Calls() {
					if c.Record().Direction == store.DirectionOutgoing {
						leg = c
					}
				}
				a.Hangup(t)
				at := time.Now()
				<-leg.Done()
				if took := time.Since(at); took < 31*time.Second || took > 33*time.Second {
					t.Errorf("the leg ended after %v, want 32 s", took)
				}
				for _, r := range oneEnd(t, h, 2, 2) {
					if r.Direction == store.DirectionOutgoing && (r.Code != call.CodeMasterEnded || r.HangupReason != "normal" || r.SIPCode != 200) {
						t.Errorf("the leg: %+v", r)
					}
				}
			})
		})
	}
}

// TestVanishedCaller leaves the far end to hang up; the flow goes on for nobody then, and its BYE is repeated.
func TestVanishedCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": connectTo("", beepAfter, 1)}, outbound)
		bob := callee(t, h, 1)
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
		b := bob.WaitCall(t)
		b.Answer()
		a.WaitAnswer(t)
		b.WaitAnswer(t)
		a.Vanish()
		time.Sleep(time.Second)
		b.Hangup(t)
		time.Sleep(40 * time.Second)
		for c := range h.Calls() {
			t.Errorf("call %+v is left", c.Record())
		}
		for _, r := range oneEnd(t, h, 2, 2) {
			if r.Direction == store.DirectionIncoming && r.Code != call.CodeFlowEnded {
				t.Errorf("the caller: %+v", r)
			}
		}
	})
}
