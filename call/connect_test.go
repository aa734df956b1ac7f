package call_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/store"
)

// callee is a phone at 10.0.1.n:5060.
func callee(t *testing.T, h *house, n byte, change ...func(*calltest.PhoneConfig)) *calltest.Phone {
	t.Helper()
	cfg := calltest.PhoneConfig{Addr: netip.AddrFrom4([4]byte{10, 0, 1, n}), Port: 5060, User: fmt.Sprintf("b%d", n)}
	for _, c := range change {
		c(&cfg)
	}
	return calltest.NewPhone(t, h.net, cfg)
}

// connectTo is a flow that connects to the phones n, with more options, and goes on with after.
func connectTo(options, after string, n ...int) string {
	var list []string
	for _, n := range n {
		list = append(list, fmt.Sprintf(`{"type":"sip","target":"b%d@10.0.1.%d"}`, n, n))
	}
	return fmt.Sprintf(`[{"type":"connect","option":{"destinations":[%s]%s}}%s]`, strings.Join(list, ","), options, after)
}

// outbound lets the phones of callee be dialled.
func outbound(c *call.Config) { c.Outbound.SIP = []string{"10.0.1.0/24"} }

// byDirection are the records of one incoming call and its legs.
func byDirection(t *testing.T, h *house) (in store.Call, out []store.Call) {
	t.Helper()
	for _, r := range h.records(t) {
		if r.Direction == store.DirectionIncoming {
			in = r
		} else {
			out = append(out, r)
		}
	}
	return in, out
}

const beepAfter = `,{"type":"answer"},{"type":"play","option":{"stream_urls":["http://tone/400"]}}`

func TestConnectJoinsTwoCalls(t *testing.T) {
	for name, c := range map[string]struct{ a, b bool }{"PCMU": {false, false}, "PCMA to PCMU": {true, false}, "PCMU to PCMA": {false, true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": connectTo("", beepAfter, 1)}, outbound)
				bob := callee(t, h, 1, func(p *calltest.PhoneConfig) { p.PCMA = c.b })
				a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{PCMA: c.a}).Start(t, "100")
				b := bob.WaitCall(t)
				if got := b.Invite().Header("Max-Forwards"); got != "69" {
					t.Errorf("Max-Forwards is %s", got)
				}
				if got := b.Invite().Header("From"); !strings.Contains(got, "sip:alice@") {
					t.Errorf("From is %s", got)
				}
				b.Ring()
				time.Sleep(2 * time.Second)
				if got := a.Statuses(); !slices.Equal(got, []int{180}) {
					t.Errorf("the caller got %v before the answer", got)
				}
				b.Answer()
				a.WaitAnswer(t)
				b.WaitAnswer(t)
				a.Say(calltest.Tone(500, 2*time.Second))
				b.Say(calltest.Tone(800, 2*time.Second))
				time.Sleep(1500 * time.Millisecond)
				if !calltest.Hears(a.Heard(), 800) || calltest.Hears(a.Heard(), 500) {
					t.Error("the caller does not hear the called one, or itself")
				}
				if !calltest.Hears(b.Heard(), 500) || calltest.Hears(b.Heard(), 800) {
					t.Error("the called one does not hear the caller, or itself")
				}
				b.Hangup(t)
				a.WaitEnd(t)
				if !calltest.Hears(a.Heard(), 400) {
					t.Error("the caller's flow did not go on after the far end left")
				}
				in, out := byDirection(t, h)
				if len(out) != 1 || out[0].Code != call.CodeCalleeHungUp || out[0].HangupBy != "remote" || out[0].SIPCode != 200 || out[0].TalkMS < 1400 || out[0].RingMS < 1900 {
					t.Fatalf("the leg: %+v", out)
				}
				if in.Code != call.CodeFlowEnded || !slices.Equal(in.ChainedCallIDs, []string{out[0].ID}) || out[0].MasterCallID != in.ID || out[0].JourneyID != in.JourneyID {
					t.Errorf("the caller: %+v", in)
				}
				if a := out[0].Attempts; len(a) != 1 || a[0].Peer != "10.0.1.1:5060" || a[0].SIPCode != 200 || out[0].Peer != "10.0.1.1:5060" || out[0].SIPCallID == "" {
					t.Errorf("attempts %+v of %+v", a, out[0])
				}
			})
		})
	}
}

func TestCallersHangUpEndsTheLeg(t *testing.T) {
	for _, answered := range []bool{true, false} {
		t.Run(fmt.Sprintf("answered %v", answered), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": connectTo("", beepAfter, 1)}, outbound)
				bob := callee(t, h, 1)
				a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
				b := bob.WaitCall(t)
				b.Ring()
				if answered {
					b.Answer()
					a.WaitAnswer(t)
					time.Sleep(time.Second)
					a.Hangup(t)
				} else {
					time.Sleep(time.Second)
					a.Cancel()
				}
				at := time.Now()
				if why := b.WaitEnd(t); answered != strings.HasPrefix(why, "BYE") {
					t.Errorf("the leg ended by %q", why)
				}
				if late := time.Since(at); late > 100*time.Millisecond {
					t.Errorf("the leg ended %v later", late)
				}
				_, out := byDirection(t, h)
				if out[0].Code != call.CodeMasterEnded || answered != (out[0].HangupReason == "normal") || answered != (out[0].SIPCode == 200) {
					t.Errorf("the leg: %+v", out[0])
				}
			})
		})
	}
}

// TestFailedConnectGoesOn has every kind of a far end that does not answer: the caller's flow goes on each time,
// and the record tells why.
func TestFailedConnectGoesOn(t *testing.T) {
	refuse := func(status int) func(*calltest.PhoneCall) {
		return func(c *calltest.PhoneCall) { c.Refuse(status) }
	}
	for name, c := range map[string]struct {
		accept       func(*calltest.PhoneCall)
		dest         string // in place of the phone
		reason, code string
		status       int
		within       time.Duration
	}{
		"busy":          {accept: refuse(486), reason: "busy", code: call.CodeCalleeBusy, status: 486},
		"busy anywhere": {accept: refuse(600), reason: "busy", code: call.CodeCalleeBusy, status: 600},
		"declined":      {accept: refuse(603), reason: "noanswer", code: call.CodeCalleeDeclined, status: 603},
		"forbidden":     {accept: refuse(403), reason: "noanswer", code: call.CodeCalleeDeclined, status: 403},
		"unavailable":   {accept: refuse(480), reason: "noanswer", code: call.CodeCalleeUnavailable, status: 480},
		"unknown":       {accept: refuse(404), reason: "failed", code: call.CodeCalleeUnknown, status: 404},
		"fault":         {accept: refuse(500), reason: "failed", code: call.CodeCalleeRefused, status: 500},
		"unanswered":    {accept: func(c *calltest.PhoneCall) { c.Ring() }, reason: "dialout", code: call.CodeDialTimeout, status: 487, within: 5 * time.Second},
		"trying only":   {accept: func(*calltest.PhoneCall) {}, reason: "dialout", code: call.CodeDialTimeout, status: 487, within: 5 * time.Second},
		"nobody there":  {dest: "b@10.0.1.99", reason: "dialout", code: call.CodeDialTimeout, status: 487, within: 5 * time.Second},
		"not allowed":   {dest: "b@10.0.2.1", reason: "failed", code: call.CodeOutboundDenied, status: 403},
		"maddr":         {dest: "b@10.0.1.1;maddr=10.0.2.1", reason: "failed", code: call.CodeOutboundDenied, status: 403},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				text := connectTo(`,"timeout":4500`, beepAfter, 1)
				if c.dest != "" {
					text = strings.Replace(text, "b1@10.0.1.1", c.dest, 1)
				}
				h := open(t, map[string]string{"100": text}, outbound)
				callee(t, h, 1, func(p *calltest.PhoneConfig) { p.Accept = c.accept })
				begun := time.Now()
				a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
				if took := time.Since(begun); took > c.within+100*time.Millisecond {
					t.Errorf("the flow went on after %v", took)
				}
				a.WaitEnd(t)
				if !calltest.Hears(a.Heard(), 400) {
					t.Error("the flow did not go on")
				}
				time.Sleep(time.Minute) // what nobody answered takes its time to be given up
				_, out := byDirection(t, h)
				if r := out[0]; r.HangupReason != c.reason || r.Code != c.code || r.SIPCode != c.status || r.Status != "hangup" || r.Sentence == "" || !r.TmProgressing.IsZero() {
					t.Errorf("the leg: %+v", r)
				}
			})
		})
	}
}

func TestRelayedReason(t *testing.T) {
	for status, want := range map[int]int{486: 486, 603: 403, 404: 404, 503: 503} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": connectTo(`,"relay_reason":true`, beepAfter, 1)}, outbound)
				callee(t, h, 1, func(p *calltest.PhoneConfig) { p.Accept = func(c *calltest.PhoneCall) { c.Refuse(status) } })
				a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
				if why := a.WaitEnd(t); why != fmt.Sprint(want) {
					t.Errorf("the caller is refused with %s, want %d", why, want)
				}
			})
		})
	}
}

func TestEarlyMedia(t *testing.T) {
	for _, early := range []bool{true, false} {
		t.Run(fmt.Sprint(early), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": connectTo(fmt.Sprintf(`,"early_media":%v`, early), "", 1)}, outbound)
				bob := callee(t, h, 1)
				a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
				b := bob.WaitCall(t)
				b.Progress()
				b.Say(calltest.Tone(600, 2*time.Second))
				time.Sleep(2 * time.Second)
				want := []int{180}
				if early {
					want = append(want, 183)
				}
				if got := a.Statuses(); !slices.Equal(got, want) || calltest.Hears(a.Heard(), 600) != early {
					t.Errorf("the caller got %v and hears the far end: %v", got, calltest.Hears(a.Heard(), 600))
				}
				b.Answer()
				a.WaitAnswer(t)
				b.Say(calltest.Tone(900, time.Second))
				time.Sleep(time.Second)
				if !calltest.Hears(a.Heard(), 900) {
					t.Error("after the answer the caller does not hear the far end")
				}
				a.Hangup(t)
				b.WaitEnd(t)
			})
		})
	}
}

// TestAnsweredCallerHearsRingback connects a caller that was answered before: it hears a tone while it rings elsewhere,
// and the far end alone after that.
func TestAnsweredCallerHearsRingback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"answer"},` + connectTo("", "", 1)[1:]}, outbound, func(c *call.Config) { c.Ringback = "de" })
		bob := callee(t, h, 1)
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		b := bob.WaitCall(t)
		time.Sleep(time.Second)
		if calltest.Hears(a.Heard(), 425) {
			t.Error("a tone before it rings")
		}
		b.Ring()
		time.Sleep(time.Second)
		if !calltest.Hears(a.Heard(), 425) {
			t.Error("no ringback")
		}
		b.Answer()
		b.WaitAnswer(t)
		n := len(a.Heard())
		b.Say(calltest.Tone(900, time.Second))
		time.Sleep(time.Second)
		if rest := a.Heard()[n+800:]; calltest.Hears(rest, 425) || !calltest.Hears(rest, 900) {
			t.Error("ringback goes on after the answer, or the far end is not heard")
		}
		a.Hangup(t)
	})
}

func TestDigitsCross(t *testing.T) {
	for name, c := range map[string]struct{ noA, noB bool }{"events": {}, "the caller has none": {noA: true}, "the called one has none": {noB: true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": connectTo("", "", 1)}, outbound)
				bob := callee(t, h, 1, func(p *calltest.PhoneConfig) { p.NoEvents = c.noB })
				a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{NoEvents: c.noA}).Start(t, "100")
				b := bob.WaitCall(t)
				b.Answer()
				a.WaitAnswer(t)
				time.Sleep(300 * time.Millisecond)
				a.Press("15#")
				b.Press("8")
				time.Sleep(time.Second)
				switch {
				case !c.noA && !c.noB:
					if a.Pressed() != "8" || b.Pressed() != "15#" {
						t.Errorf("the caller gets %q, the called one %q", a.Pressed(), b.Pressed())
					}
				case c.noB: // it has to hear 5: 770 and 1336 Hz; its own key is in its sound
					if !calltest.Hears(b.Heard(), 770) || !calltest.Hears(b.Heard(), 1336) || !calltest.Hears(a.Heard(), 852) {
						t.Error("the keys are not heard as tones")
					}
				default:
					if !calltest.Hears(a.Heard(), 852) || !calltest.Hears(a.Heard(), 1336) || !calltest.Hears(b.Heard(), 770) {
						t.Error("the keys are not heard as tones")
					}
				}
				a.Hangup(t)
			})
		})
	}
}

func TestHoldOfOneSide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": connectTo("", "", 1)}, outbound, holdTone(650))
		bob := callee(t, h, 1)
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
		b := bob.WaitCall(t)
		b.Answer()
		a.WaitAnswer(t)
		if got, status := b.Reinvite(t, "sendonly"); status != 200 || got != "recvonly" {
			t.Errorf("hold is answered %d %s", status, got)
		}
		b.Say(calltest.Tone(950, time.Second)) // its own music, or what is said in the room: not heard
		a.Say(calltest.Tone(500, time.Second))
		n := len(b.Heard())
		time.Sleep(1200 * time.Millisecond)
		if !calltest.Hears(a.Heard(), 650) || calltest.Hears(a.Heard(), 950) || calltest.Hears(b.Heard()[min(n+320, len(b.Heard())):], 500) {
			t.Error("on hold: the music is not heard, or the holder hears us")
		}
		if _, status := b.Reinvite(t, "sendrecv"); status != 200 {
			t.Errorf("resume is answered %d", status)
		}
		a.Say(calltest.Tone(500, time.Second))
		time.Sleep(1200 * time.Millisecond)
		if !calltest.Hears(b.Heard(), 500) {
			t.Error("after the resume nothing is heard")
		}
		a.Hangup(t)
		h.stop()
		types := h.eventTypes()
		if !slices.Contains(types, "call_held") || !slices.Contains(types, "call_unheld") {
			t.Errorf("events %v", types)
		}
	})
}

// TestRedirect follows a 302 to where the policy allows, and nowhere else.
func TestRedirect(t *testing.T) {
	for target, follows := range map[string]bool{"sip:b2@10.0.1.2": true, "sip:b2@10.0.2.2": false} {
		t.Run(target, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": connectTo("", beepAfter, 1)}, outbound)
				callee(t, h, 1, func(p *calltest.PhoneConfig) {
					p.Accept = func(c *calltest.PhoneCall) { c.Redirect(302, target) }
				})
				callee(t, h, 2, func(p *calltest.PhoneConfig) { p.Accept = func(c *calltest.PhoneCall) { c.Answer() } })
				a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
				time.Sleep(500 * time.Millisecond)
				a.Hangup(t)
				_, out := byDirection(t, h)
				if r := out[0]; follows != (r.SIPCode == 200) || len(r.Attempts) == 0 || r.Attempts[0].SIPCode != 302 || follows != (len(r.Attempts) == 2) {
					t.Errorf("the leg: %+v", r)
				}
			})
		})
	}
}

func TestCircleOfCallsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// 100 connects to the engine itself, for ever.
		h := open(t, map[string]string{"100": fmt.Sprintf(`[{"type":"connect","option":{"destinations":[{"type":"sip","target":"100@%s"}]}}]`, calltest.ServerAddr)},
			func(c *call.Config) { c.Outbound.SIP = []string{"10.0.0.0/24"} })
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
		a.WaitEnd(t)
		_, out := byDirection(t, h)
		if len(out) != 1 || out[0].Code != call.CodeForwardingLoop || out[0].SIPCode != 482 {
			t.Errorf("%+v", out)
		}
	})
}

// TestWhoIsShown connects callers to a number: the provider sees what the flow names, else the trunk's number, else the
// one that was called, and never a foreign caller's.
func TestWhoIsShown(t *testing.T) {
	for name, c := range map[string]struct{ user, dest, source, caller, want string }{
		"the flow's":         {"+4930901820", "+16062067563", `,"source":{"type":"tel","target":"+12125550100"}`, "+16062067560", "sip:+12125550100@10.0.1.1"},
		"the trunk's":        {"+4930901820", "+16062067563", "", "+16062067560", "sip:+16062067560@10.0.1.1"},
		"that called":        {"+4930901820", "+16062067563", "", "", "sip:+16062067563@10.0.1.1"},
		"not a foreign one":  {"+4930901820", "100", "", "", "sip:Callbin@10.0.0.1"},
		"a phone of ours is": {"alice", "100", "", "", "sip:alice@10.0.0.2"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{c.dest: `[{"type":"connect","option":{"destinations":[{"type":"tel","target":"+14155550100"}]` + c.source + `}}]`},
					func(cfg *call.Config) {
						cfg.Outbound.Tel = []string{"+1"}
						cfg.Trunks = []call.Trunk{{Name: "t", Address: "10.0.1.1", Caller: c.caller}}
					})
				provider := callee(t, h, 1)
				calltest.NewPhone(t, h.net, calltest.PhoneConfig{User: c.user}).Start(t, c.dest)
				leg := provider.WaitCall(t)
				if from := leg.Invite().Header("From"); !strings.Contains(from, "<"+c.want+">") {
					t.Errorf("From is %s, want %s", from, c.want)
				}
				leg.Refuse(486)
				h.stop()
			})
		})
	}
}
