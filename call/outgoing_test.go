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
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/store"
)

func to(target string) address.Address { return address.Address{Type: address.TypeSIP, Target: target} }

func TestDialRunsTheFlowOnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, outbound)
		bob := callee(t, h, 1)
		ran := make(chan time.Duration, 1)
		begun := time.Now()
		c, err := h.Dial(t.Context(), call.DialOptions{Destination: to("b1@10.0.1.1"), Variables: map[string]string{"order": "7", "voipbin.call.id": "forged"},
			Metadata: map[string]string{"team": "north"}, Source: address.Address{Type: address.TypeTel, Target: "+16062067563", TargetName: "Shop"},
			Flow: flow.Func(func(ctx context.Context, leg action.Leg) error {
				ran <- time.Since(begun)
				if leg.Vars().Get("order") != "7" || leg.Vars().Get("voipbin.call.id") != leg.ID() || leg.Vars().Get("voipbin.call.direction") != "outgoing" {
					t.Errorf("variables %v", leg.Vars().All())
				}
				p, err := action.Need[action.Player](leg)
				if err != nil {
					return err
				}
				return p.Play(ctx, media.NewClip(8000, calltest.Tone(440, time.Second)).Source())
			})})
		if err != nil {
			t.Fatal(err)
		}
		b := bob.WaitCall(t)
		if from := b.Invite().Header("From"); !strings.HasPrefix(from, `"Shop" <sip:+16062067563@10.0.0.1>`) {
			t.Errorf("From is %s", from)
		}
		b.Ring()
		time.Sleep(3 * time.Second)
		b.Answer()
		b.WaitEnd(t)
		<-c.Done()
		if d := <-ran; d < 3*time.Second || d > 3100*time.Millisecond {
			t.Errorf("the flow began after %v", d)
		}
		if !calltest.Hears(b.Heard(), 440) {
			t.Error("the called one hears nothing")
		}
		r := c.Record()
		if r.Status != store.StatusHangup || r.Code != call.CodeFlowEnded || r.RingMS < 2900 || r.TalkMS < 900 || r.Metadata["team"] != "north" {
			t.Errorf("record %+v", r)
		}
		want := []string{"call_created", "call_ringing", "call_progressing", "call_terminating", "call_hangup"}
		if got := h.eventTypes(); !slices.Equal(got, want) {
			t.Errorf("events %v", got)
		}
	})
}

func TestEarlyExecutionBeginsAtRinging(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, outbound)
		bob := callee(t, h, 1)
		begun := make(chan struct{})
		c, err := h.Dial(t.Context(), call.DialOptions{Destination: to("b1@10.0.1.1"), EarlyExecution: true,
			Flow: flow.Func(func(ctx context.Context, leg action.Leg) error {
				close(begun)
				return leg.(*call.Call).Answer(ctx) // waits for the far end to answer
			})})
		if err != nil {
			t.Fatal(err)
		}
		b := bob.WaitCall(t)
		b.Ring()
		<-begun
		if s := c.Record().Status; s != store.StatusRinging {
			t.Errorf("the flow began when the call was %s", s)
		}
		time.Sleep(time.Second)
		b.Answer()
		<-c.Done()
		if r := c.Record(); r.Code != call.CodeFlowEnded || r.TmProgressing.IsZero() {
			t.Errorf("record %+v", r)
		}
	})
}

// TestTrunk dials a number: by the trunk of its longest prefix, with the number that the trunk shows; numbers that the
// policy does not name go nowhere.
func TestTrunk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, func(c *call.Config) {
			c.Outbound.Tel = []string{"+1", "+49"}
			c.Trunks = []call.Trunk{
				{Name: "world", Address: "10.0.1.9"},
				{Name: "america", Address: "10.0.1.1:5060", Transport: "udp", User: "u", Password: "secret", Prefixes: []string{"+1"}, Caller: "+16062067560"},
				{Name: "kentucky", Address: "10.0.1.2", Prefixes: []string{"+1606"}},
			}
		})
		for _, c := range []struct {
			number, trunk, uri, code string
			n                        byte
		}{
			{"+12125550100", "america", "sip:+12125550100@10.0.1.1:5060;transport=udp", call.CodeCalleeBusy, 1},
			{"+16062067563", "kentucky", "sip:+16062067563@10.0.1.2", call.CodeCalleeBusy, 2},
			{"+4930901820", "world", "sip:+4930901820@10.0.1.9", call.CodeCalleeBusy, 9},
			{"+442079460000", "", "", call.CodeOutboundDenied, 0},
			{"911", "", "", call.CodeEmergencyNoRoute, 0},
		} {
			var phone *calltest.Phone
			if c.n > 0 {
				phone = callee(t, h, c.n)
			}
			leg, err := h.Dial(t.Context(), call.DialOptions{Destination: address.Address{Type: address.TypeTel, Target: c.number}})
			var refused *call.Refusal
			if phone == nil {
				if !errors.As(err, &refused) || refused.Code != c.code {
					t.Errorf("%s: %v", c.number, err)
				}
			} else {
				got := phone.WaitCall(t)
				if got.Invite().URI != c.uri {
					t.Errorf("%s goes to %s, want %s", c.number, got.Invite().URI, c.uri)
				}
				if from := got.Invite().Header("From"); c.trunk == "america" && !strings.HasPrefix(from, "<sip:+16062067560@10.0.1.1>") {
					t.Errorf("%s shows %s", c.number, from)
				}
				got.Refuse(486)
				phone.Close()
			}
			<-leg.Done()
			if r := leg.Record(); r.Trunk != c.trunk || r.Code != c.code || r.Destination.Target != c.number {
				t.Errorf("%s: %+v", c.number, r)
			}
		}
		for _, r := range h.records(t) {
			if strings.Contains(fmt.Sprintf("%+v", r), "secret") {
				t.Errorf("the password stands in the record %+v", r)
			}
		}
	})
}

func TestAnonymous(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, outbound)
		bob := callee(t, h, 1)
		_, err := h.Dial(t.Context(), call.DialOptions{Destination: to("b1@10.0.1.1"), Anonymous: "yes",
			Source: address.Address{Type: address.TypeTel, Target: "+16062067563"}})
		if err != nil {
			t.Fatal(err)
		}
		b := bob.WaitCall(t)
		r := b.Invite()
		if from := r.Header("From"); strings.Contains(from, "6062067563") || !strings.Contains(from, "sip:anonymous@anonymous.invalid") {
			t.Errorf("From is %s", from)
		}
		if r.Header("Privacy") != "id" || r.Header("P-Asserted-Identity") != "" { // who is called must not see it, and there is no provider
			t.Errorf("Privacy %q, P-Asserted-Identity %q", r.Header("Privacy"), r.Header("P-Asserted-Identity"))
		}
		b.Refuse(486)
		h.stop()
	})
}

func TestDialRefusesWhatItCannotDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, outbound, func(c *call.Config) { c.MaxCalls = 1 })
		if _, err := h.Dial(t.Context(), call.DialOptions{Destination: to("b1@10.0.1.1"), Headers: nil, RingTimeout: time.Second}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Dial(t.Context(), call.DialOptions{Destination: to("b1@10.0.1.1")}); !errors.Is(err, call.ErrNoRoom) {
			t.Errorf("beyond MaxCalls: %v", err)
		}
		h.stop()
		if _, err := h.Dial(t.Context(), call.DialOptions{Destination: to("b1@10.0.1.1")}); !errors.Is(err, call.ErrNoRoom) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// TestCallAction dials from within a flow: the two calls are not joined, and a chained one ends with its master.
func TestCallAction(t *testing.T) {
	for _, chained := range []bool{true, false} {
		t.Run(fmt.Sprint(chained), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": fmt.Sprintf(`[{"type":"answer"},{"type":"call","option":{"chained":%v,
					"destinations":[{"type":"sip","target":"b1@10.0.1.1"}],
					"actions":[{"type":"play","option":{"stream_urls":["http://tone/700"]}},{"type":"sleep","option":{"duration":20000}}]}},
					{"type":"play","option":{"stream_urls":["http://tone/400"]}},{"type":"sleep","option":{"duration":5000}}]`, chained)}, outbound)
				bob := callee(t, h, 1)
				a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
				b := bob.WaitCall(t)
				b.Answer()
				begun := time.Now()
				a.WaitEnd(t)
				if !calltest.Hears(a.Heard(), 400) || calltest.Hears(a.Heard(), 700) || !calltest.Hears(b.Heard(), 700) {
					t.Error("the flows of the two calls are mixed up")
				}
				b.WaitEnd(t)
				if took := time.Since(begun); chained != (took < 10*time.Second) {
					t.Errorf("the second call ended after %v", took)
				}
				in, out := byDirection(t, h)
				if chained != (out[0].MasterCallID == in.ID) || chained != (len(in.ChainedCallIDs) == 1) || out[0].JourneyID != in.JourneyID {
					t.Errorf("%+v\n%+v", in, out[0])
				}
			})
		})
	}
}

func TestMute(t *testing.T) {
	for direction, want := range map[string][2]bool{"in": {false, true}, "out": {true, false}, "both": {false, false}} {
		t.Run(direction, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": `[{"type":"mute","option":{"direction":"` + direction + `"}},` + connectTo("", "", 1)[1:]}, outbound)
				bob := callee(t, h, 1)
				a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
				b := bob.WaitCall(t)
				b.Answer()
				a.WaitAnswer(t)
				for c := range h.Calls() {
					if r := c.Record(); r.Direction == "incoming" && r.MuteDirection != direction {
						t.Errorf("mute_direction is %q", r.MuteDirection)
					}
				}
				a.Say(calltest.Tone(500, time.Second))
				b.Say(calltest.Tone(800, time.Second))
				time.Sleep(1200 * time.Millisecond)
				if got := [2]bool{calltest.Hears(b.Heard(), 500), calltest.Hears(a.Heard(), 800)}; got != want {
					t.Errorf("heard: %v, want %v", got, want)
				}
				for c := range h.Calls() {
					if c.Record().Direction == "incoming" {
						if err := c.Mute(t.Context(), media.Both, false); err != nil {
							t.Error(err)
						}
					}
				}
				a.Say(calltest.Tone(600, time.Second))
				b.Say(calltest.Tone(900, time.Second))
				time.Sleep(1200 * time.Millisecond)
				if !calltest.Hears(b.Heard(), 600) || !calltest.Hears(a.Heard(), 900) {
					t.Error("still muted")
				}
				a.Hangup(t)
			})
		})
	}
}

func TestSendDigits(t *testing.T) {
	for _, noEvents := range []bool{false, true} {
		t.Run(fmt.Sprint(noEvents), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"digits_send","option":{"digits":"19#","duration":200,"interval":100}}]`})
				c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{NoEvents: noEvents}).Dial(t, "100")
				begun := time.Now()
				c.WaitEnd(t)
				if took := time.Since(begun); took < 750*time.Millisecond || took > 1200*time.Millisecond {
					t.Errorf("took %v, want 800 ms", took)
				}
				if noEvents {
					if !calltest.Hears(c.Heard(), 697) || !calltest.Hears(c.Heard(), 1477) { // 1 and 9, #
						t.Error("the digits are not heard as tones")
					}
				} else if got := c.Pressed(); got != "19#" {
					t.Errorf("the phone got %q", got)
				}
			})
		})
	}
}
