package call_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/store"
)

const longTalk = `[{"type":"answer"},{"type":"sleep","option":{"duration":36000000}}]`

// withHeaders is a phone whose INVITEs and answers have these headers.
func withHeaders(hs ...string) calltest.PhoneConfig { return calltest.PhoneConfig{Headers: hs} }

// lately is what c has heard in the last seconds.
func lately(c *calltest.PhoneCall) []int16 {
	pcm := c.Heard()
	return pcm[max(0, len(pcm)-3*8000):]
}

// TestSessionIsRefreshed: the engine asks at half of the interval whether the call is still there, by the way that the phone
// takes. What came of it stands in the trace, which replays.
func TestSessionIsRefreshed(t *testing.T) {
	for name, c := range map[string]struct{ allow, method string }{
		"by re-INVITE": {"Allow: INVITE, ACK, BYE", "INVITE"}, "by UPDATE": {"Allow: INVITE, ACK, BYE, UPDATE", "UPDATE"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": longTalk})
				p := calltest.NewPhone(t, h.net, withHeaders("Supported: timer", "Session-Expires: 600;refresher=uas", c.allow))
				a := p.Dial(t, "100")
				time.Sleep(1000 * time.Second)
				if got := a.Asked(); !slices.Equal(got, []string{c.method, c.method, c.method}) {
					t.Errorf("asked by %v in 1,000 s", got)
				}
				a.Say(calltest.Tone(500, time.Second)) // still there, and not on hold
				a.Hangup(t)
				r := h.records(t)[0]
				if r.Code != call.CodeCallerHungUp {
					t.Errorf("ended by %s", r.Code)
				}
				if b := checkReplay(t, h, r); strings.Count(string(b), `"kind":"refresh"`) != 3 {
					t.Errorf("no refreshes in the trace:\n%s", b)
				}
			})
		})
	}
}

// TestVanishedPhoneEndsItsCall: nobody answers the refresh.
func TestVanishedPhoneEndsItsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": longTalk})
		p := calltest.NewPhone(t, h.net, withHeaders("Supported: timer", "Session-Expires: 600;refresher=uas"))
		p.Dial(t, "100")
		p.Close()
		time.Sleep(400 * time.Second) // 300 until the refresh, 32 without an answer, 32 for the BYE
		r := h.records(t)[0]
		if r.Code != call.CodeSessionLost || r.HangupReason != store.ReasonFailed || r.HangupBy != "local" || r.TalkMS < 331_000 || r.TalkMS > 365_000 {
			t.Errorf("record %+v", r)
		}
		checkReplay(t, h, r)
	})
}

// TestLegOfConnectIsRefreshed: the phone that was called wants to be asked, and the engine does so; the caller hears on.
func TestLegOfConnectIsRefreshed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": connectTo("", beepAfter, 1)}, outbound)
		bob := callee(t, h, 1, func(p *calltest.PhoneConfig) {
			p.Headers = []string{"Session-Expires: 90;refresher=uac", "Require: timer"}
		})
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
		b := bob.WaitCall(t)
		if se, ok := b.Invite().Header("Session-Expires"), b.Invite().Header("Supported"); se != "1800" || ok != "100rel, timer, replaces, norefersub" {
			t.Errorf("Session-Expires %q, Supported %q", se, ok)
		}
		b.Answer()
		a.WaitAnswer(t)
		time.Sleep(100 * time.Second)
		if got := b.Asked(); !slices.Equal(got, []string{"INVITE", "INVITE"}) {
			t.Errorf("asked by %v in 100 s", got)
		}
		b.Say(calltest.Tone(800, 2*time.Second))
		time.Sleep(2 * time.Second)
		if !calltest.Hears(lately(a), 800) {
			t.Error("after the refreshes the caller hears nothing")
		}
		a.Hangup(t)
		b.WaitEnd(t)
		for _, r := range h.records(t) {
			checkReplay(t, h, r)
		}
	})
}

// TestEarlyMediaComesReliably: a caller that supports 100rel gets the 183 so, with and without an offer of its own.
func TestEarlyMediaComesReliably(t *testing.T) {
	for name, late := range map[string]bool{"offer in the INVITE": false, "offer in the 183": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": `[{"type":"play","option":{"stream_urls":["http://tone/400"]}},{"type":"answer"},{"type":"play","option":{"stream_urls":["http://tone/700"]}}]`})
				cfg := withHeaders("Supported: 100rel")
				cfg.LateOffer = late
				a := calltest.NewPhone(t, h.net, cfg).Dial(t, "100")
				if got := a.Statuses(); !slices.Equal(got, []int{180, 183, 200}) || a.Pracks() != 1 {
					t.Errorf("got %v, acknowledged %d", got, a.Pracks())
				}
				a.WaitEnd(t)
				if pcm := a.Heard(); len(pcm) < 8000 || !calltest.Hears(pcm[:len(pcm)/2], 400) || !calltest.Hears(pcm[len(pcm)/2:], 700) {
					t.Errorf("the caller does not hear what was played before, and after, the answer: %d samples", len(pcm))
				}
				r := h.records(t)[0]
				if r.Code != call.CodeFlowEnded {
					t.Errorf("ended by %s: %s", r.Code, r.Sentence)
				}
				checkReplay(t, h, r)
			})
		})
	}
}

// TestEarlyMediaIsAcknowledged: the early media of a call of ours is acknowledged, and is the answer.
func TestEarlyMediaIsAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": connectTo(`,"early_media":true`, beepAfter, 1)}, outbound)
		bob := callee(t, h, 1)
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
		b := bob.WaitCall(t)
		b.Progress("Require: 100rel", "RSeq: 42")
		b.Say(calltest.Tone(700, 2*time.Second))
		time.Sleep(3 * time.Second)
		if b.Pracks() != 1 {
			t.Error("the 183 was not acknowledged")
		}
		if !calltest.Hears(a.Heard(), 700) {
			t.Error("the caller does not hear the early media")
		}
		b.Answer()
		a.WaitAnswer(t)
		b.Say(calltest.Tone(1100, 2*time.Second))
		time.Sleep(3 * time.Second)
		if !calltest.Hears(lately(a), 1100) {
			t.Error("after the answer the caller hears nothing")
		}
		a.Hangup(t)
		b.WaitEnd(t)
		for _, r := range h.records(t) {
			checkReplay(t, h, r)
		}
	})
}

// TestMediaTimeout: who should send and gives no sign is told of, and hung up where that is wanted.
func TestMediaTimeout(t *testing.T) {
	hangUp := call.MediaTimeout{After: 10 * time.Second, Action: call.MediaHangup}
	for name, c := range map[string]struct {
		policy call.MediaTimeout
		flow   string
		silent bool
		hold   string
		code   string
		events int
		talkMS int64 // of a call that was hung up
	}{
		"by default a warning": {silent: true, code: call.CodeCallerHungUp, events: 1},
		"hangup":               {policy: hangUp, silent: true, code: call.CodeMediaTimeout, events: 1, talkMS: 10_000},
		"off":                  {policy: call.MediaTimeout{Action: call.MediaOff}, silent: true, code: call.CodeCallerHungUp},
		"sound":                {policy: hangUp, code: call.CodeCallerHungUp},
		"on hold":              {policy: hangUp, silent: true, hold: "sendonly", code: call.CodeCallerHungUp},
		"on hold both ways":    {policy: hangUp, silent: true, hold: "inactive", code: call.CodeCallerHungUp},
		"only listens":         {policy: hangUp, silent: true, hold: "recvonly", code: call.CodeCallerHungUp},
		"before the answer": {policy: hangUp, silent: true, code: call.CodeMediaTimeout, events: 1, talkMS: 10_000,
			flow: `[{"type":"play","option":{"stream_urls":["http://tone/400"]}},{"type":"sleep","option":{"duration":60000}},{"type":"answer"},{"type":"sleep","option":{"duration":36000000}}]`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				text := c.flow
				if text == "" {
					text = longTalk
				}
				h := open(t, map[string]string{"100": text}, func(cfg *call.Config) { cfg.MediaTimeout = c.policy })
				a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{NoRTP: c.silent}).Start(t, "100")
				if c.flow != "" {
					time.Sleep(61 * time.Second)
				}
				a.WaitAnswer(t)
				if c.hold != "" {
					a.Reinvite(t, c.hold)
				}
				time.Sleep(2 * time.Minute)
				if c.code == call.CodeCallerHungUp {
					a.Hangup(t)
				}
				a.WaitEnd(t)
				r := h.records(t)[0]
				if r.Code != c.code {
					t.Errorf("ended by %s: %s", r.Code, r.Sentence)
				}
				if c.talkMS > 0 && (r.TalkMS < c.talkMS-100 || r.TalkMS > c.talkMS+5100 || r.HangupBy != "local" || r.HangupReason != store.ReasonFailed) {
					t.Errorf("record %+v", r)
				}
				n := 0
				for _, e := range h.eventTypes() {
					if e == "call_media_timeout" {
						n++
					}
				}
				if n != c.events {
					t.Errorf("told %d times, want %d", n, c.events)
				}
				checkReplay(t, h, r)
			})
		})
	}
}

// TestMaxDurationOfPlacedCalls: the limit is for calls that the engine places, too, and for the legs of a connect.
func TestMaxDurationOfPlacedCalls(t *testing.T) {
	limit := func(cfg *call.Config) { cfg.MaxCallDuration = 20 * time.Minute; outbound(cfg) }
	check := func(t *testing.T, r store.Call) {
		t.Helper()
		if r.HangupReason != store.ReasonTimeout || r.Code != call.CodeMaxDuration || r.HangupBy != "local" || r.TalkMS > 1200_000 || r.TalkMS < 1190_000 {
			t.Errorf("record %+v", r)
		}
	}
	t.Run("dialled", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := open(t, nil, limit)
			bob := callee(t, h, 1)
			c, err := h.Dial(t.Context(), call.DialOptions{Destination: to("b1@10.0.1.1"), Flow: flow.Func(func(ctx context.Context, _ action.Leg) error {
				<-ctx.Done()
				return context.Cause(ctx)
			})})
			if err != nil {
				t.Fatal(err)
			}
			b := bob.WaitCall(t)
			time.Sleep(2 * time.Second)
			b.Answer()
			time.Sleep(21 * time.Minute)
			b.WaitEnd(t)
			<-c.Done()
			check(t, h.records(t)[0])
		})
	})
	t.Run("connected", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"sleep","option":{"duration":600000}},` + connectTo("", "", 1)[1:]}, limit)
			bob := callee(t, h, 1)
			a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
			time.Sleep(601 * time.Second)
			b := bob.WaitCall(t)
			b.Answer()
			time.Sleep(9 * time.Minute)
			if a.Ended() != "" || b.Ended() != "" {
				t.Fatalf("ended early: %q, %q", a.Ended(), b.Ended())
			}
			time.Sleep(time.Minute)
			a.WaitEnd(t)
			b.WaitEnd(t)
			in, out := byDirection(t, h)
			check(t, in)
			if len(out) != 1 || out[0].Code != call.CodeFlowEnded && out[0].Code != call.CodeMasterEnded {
				t.Errorf("leg %+v", out)
			}
		})
	})
	t.Run("leg", func(t *testing.T) { // the caller has a limit of its own, which is later
		synctest.Test(t, func(t *testing.T) {
			h := open(t, map[string]string{"100": connectTo("", "", 1)}, limit)
			bob := callee(t, h, 1)
			a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
			b := bob.WaitCall(t)
			b.Answer()
			time.Sleep(20*time.Minute + time.Second)
			a.WaitEnd(t)
			b.WaitEnd(t)
			in, out := byDirection(t, h)
			timeouts := 0
			for _, r := range append(out, in) {
				if r.HangupReason == store.ReasonTimeout && r.Code == call.CodeMaxDuration {
					timeouts++
				}
			}
			if timeouts == 0 {
				t.Errorf("records %+v %+v", in, out)
			}
		})
	})
}
