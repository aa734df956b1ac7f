package call_test

import (
	"context"
	"encoding/json"
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

// connecting is an engine whose every caller is connected by o; what came of it is in the channel.
func connecting(t *testing.T, o action.ConnectOptions, change ...func(*call.Config)) (*house, <-chan action.Connected) {
	t.Helper()
	came := make(chan action.Connected, 1)
	program := flow.Func(func(ctx context.Context, l action.Leg) error {
		got, err := l.(action.Connector).Connect(ctx, o)
		if err != nil && ctx.Err() == nil {
			t.Errorf("connect: %v", err)
		}
		came <- got
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		// The flow goes on, which the caller hears.
		if err := l.(action.Answerer).Answer(ctx); err != nil {
			return err
		}
		src, err := tonePrompts{}.OpenPrompt(ctx, "", "http://tone/400")
		if err != nil {
			return err
		}
		return l.(action.Player).Play(ctx, src)
	})
	h := open(t, nil, append([]func(*call.Config){outbound, func(c *call.Config) {
		c.Route = func(context.Context, *call.Incoming) (flow.Program, error) { return program, nil }
	}}, change...)...)
	return h, came
}

// goesOn waits for the end of the caller, who has to hear that the flow went on.
func goesOn(t *testing.T, a *calltest.PhoneCall) {
	t.Helper()
	a.WaitEnd(t)
	if !calltest.Hears(a.Heard(), 400) {
		t.Error("the caller's flow did not go on")
	}
}

func ms(d time.Duration) int64 { return d.Round(100 * time.Millisecond).Milliseconds() }

func TestConnectInALine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, came := connecting(t, action.ConnectOptions{Destinations: phones(1, 2, 3, 4), RingMethod: "linear", RingTimeout: 3 * time.Second})
		callee(t, h, 1, ringing())
		callee(t, h, 2, refusing(486))
		c3 := callee(t, h, 3)
		callee(t, h, 4, answering(0))
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
		b := c3.WaitCall(t)
		time.Sleep(time.Second)
		b.Answer()
		a.WaitAnswer(t)
		b.Say(calltest.Tone(800, time.Second))
		time.Sleep(2 * time.Second)
		if !calltest.Hears(a.Heard(), 800) {
			t.Error("the caller does not hear who answered")
		}
		b.Hangup(t)
		goesOn(t, a)
		got := <-came
		if got.Destination != phones(3)[0].Normalize() || len(got.CallIDs) != 3 || got.CallID != got.CallIDs[2] || got.Status != 200 ||
			ms(got.Ring) != 4200 || ms(got.Talk) != 2000 || got.EndedBy != "callee" || got.Reason != "normal" {
			t.Errorf("%+v", got)
		}
		in, out := byDirection(t, h)
		for i, code := range []string{call.CodeDialTimeout, call.CodeCalleeBusy, call.CodeCalleeHungUp} {
			if out[i].Code != code || out[i].MasterCallID != in.ID {
				t.Errorf("leg %d: %+v", i, out[i])
			}
		}
	})
}

func TestConnectInALineThatNobodyAnswers(t *testing.T) {
	for timeout, want := range map[time.Duration]int{0: 3, 4 * time.Second: 2} {
		t.Run(timeout.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, came := connecting(t, action.ConnectOptions{Destinations: phones(1, 2, 3), RingMethod: "linear", RingTimeout: 3 * time.Second, Timeout: timeout})
				for n := range 3 {
					callee(t, h, byte(n+1), ringing())
				}
				a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
				got := <-came
				if all := min(9*time.Second, timeout); len(got.CallIDs) != want || got.Reason != "dialout" || got.Status != 487 || all > 0 && ms(got.Ring) != ms(all) {
					t.Errorf("%+v", got)
				}
				goesOn(t, a)
			})
		})
	}
}

// screening says 700 Hz, and lets through who presses 1.
const screening = `[{"type":"play","option":{"stream_urls":["http://tone/700"]}},{"type":"digits_receive","option":{"duration":5000,"length":1}},
	{"type":"branch","option":{"target_ids":{"1":"yes"},"default_target_id":"no"}},{"id":"no","type":"hangup"},{"id":"yes","type":"stop"}]`

func TestConnectScreens(t *testing.T) {
	for _, method := range []string{"linear", "ring_all"} {
		t.Run(method, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, came := connecting(t, action.ConnectOptions{Destinations: phones(1, 2, 3), RingMethod: method, EarlyMedia: true,
					Screening: &action.Screening{Actions: json.RawMessage(screening)}}, func(c *call.Config) { c.Actions = action.Builtin(c.Deps) })
				one, two := callee(t, h, 1), callee(t, h, 2)
				loser := make(chan *calltest.PhoneCall, 1)
				callee(t, h, 3, accepting(func(c *calltest.PhoneCall) { c.Ring(); loser <- c }))
				a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
				b := one.WaitCall(t)
				b.Progress()
				b.Say(calltest.Tone(900, 500*time.Millisecond))
				time.Sleep(time.Second)
				if !calltest.Hears(a.Heard(), 900) {
					t.Error("early media are not heard")
				}
				b.Answer()
				b.WaitAnswer(t)
				time.Sleep(100 * time.Millisecond) // early media end
				n := len(a.Heard())
				b.Say(calltest.Tone(1100, 500*time.Millisecond)) // "hello?"
				time.Sleep(1500 * time.Millisecond)
				if !calltest.Hears(b.Heard(), 700) || calltest.Hears(a.Heard()[n:], 700) || calltest.Hears(a.Heard()[n:], 1100) {
					t.Error("the screening is not between us and who answered alone")
				}
				b.Press("2")
				if why := b.WaitEnd(t); !strings.HasPrefix(why, "BYE") {
					t.Errorf("who declined is ended by %q", why)
				}
				b = two.WaitCall(t)
				b.Answer()
				b.WaitAnswer(t)
				if len(a.Statuses()) == 0 || a.Statuses()[len(a.Statuses())-1] == 200 {
					t.Error("the caller is answered before anybody accepted")
				}
				time.Sleep(1500 * time.Millisecond)
				b.Press("1")
				a.WaitAnswer(t)
				b.Say(calltest.Tone(800, 500*time.Millisecond))
				a.Say(calltest.Tone(500, 500*time.Millisecond))
				time.Sleep(time.Second)
				if !calltest.Hears(a.Heard(), 800) || !calltest.Hears(b.Heard(), 500) {
					t.Error("the two do not hear each other after the screening")
				}
				b.Hangup(t)
				goesOn(t, a)
				if method == "ring_all" {
					if reason, cancelled := (<-loser).Cancelled(); !cancelled || !strings.Contains(reason, "SIP;cause=200") {
						t.Errorf("who rang still: %v %q", cancelled, reason)
					}
				}
				if got := <-came; got.Destination != phones(2)[0].Normalize() || got.EndedBy != "callee" || ms(got.Talk) < 1000 {
					t.Errorf("%+v", got)
				}
				_, out := byDirection(t, h)
				if out[0].Code != call.CodeFlowHungUp || out[0].TmProgressing.IsZero() || out[0].FlowPosition != "no" {
					t.Errorf("who declined: %+v", out[0])
				}
			})
		})
	}
}

// TestScreeningThatNobodyPasses: all decline, hang up, or their screening fails.
func TestScreeningThatNobodyPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, came := connecting(t, action.ConnectOptions{Destinations: phones(1, 2), Screening: &action.Screening{FlowID: "ask"}}, func(c *call.Config) {
			c.FlowByID = func(context.Context, string) (flow.Program, error) {
				return flow.Func(func(ctx context.Context, l action.Leg) error {
					if d, err := l.(action.DigitReader).ReadDigit(ctx); err != nil {
						return err
					} else if d == '9' {
						panic("the screening is broken")
					}
					return nil
				}), nil
			}
		})
		one, two := callee(t, h, 1), callee(t, h, 2)
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
		b := one.WaitCall(t)
		b.Answer()
		b.WaitAnswer(t)
		c := two.WaitCall(t)
		c.Answer()
		c.WaitAnswer(t)
		time.Sleep(500 * time.Millisecond)
		b.Hangup(t)
		c.Press("9")
		if why := c.WaitEnd(t); !strings.HasPrefix(why, "BYE") {
			t.Errorf("the one with the broken screening is ended by %q", why)
		}
		if got := <-came; got.CallID != "" || got.Reason != "noanswer" || got.Status != 603 || got.EndedBy != "screening" {
			t.Errorf("%+v", got)
		}
		goesOn(t, a)
	})
}

// TestScreeningThatIsNot lets nobody through: the far end is not even called.
func TestScreeningThatIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": connectTo(`,"screen_flow_id":"none"`, beepAfter, 1)}, outbound)
		callee(t, h, 1, answering(0))
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
		goesOn(t, a)
		if _, out := byDirection(t, h); len(out) != 0 {
			t.Errorf("%d legs", len(out))
		}
	})
}

func TestConnectEndsByTheCallersKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, came := connecting(t, action.ConnectOptions{Destinations: phones(1), HangupKey: "*"})
		bob := callee(t, h, 1)
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
		b := bob.WaitCall(t)
		b.Answer()
		a.WaitAnswer(t)
		time.Sleep(time.Second)
		b.Press("*") // it is the caller's key
		a.Press("5")
		time.Sleep(time.Second)
		if b.Ended() != "" {
			t.Fatalf("the talk ended by another key: %s", b.Ended())
		}
		a.Press("*")
		if why := b.WaitEnd(t); !strings.HasPrefix(why, "BYE") {
			t.Errorf("the callee is ended by %q", why)
		}
		if got := <-came; got.EndedBy != "key" || got.CallID == "" || got.Reason != "normal" || ms(got.Talk) < 2000 {
			t.Errorf("%+v", got)
		}
		goesOn(t, a)
		if _, out := byDirection(t, h); out[0].Code != call.CodeHangupKey || out[0].HangupReason != "normal" || out[0].HangupBy != "local" {
			t.Errorf("%+v", out[0])
		}
	})
}

func TestConnectEndsByItsDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, came := connecting(t, action.ConnectOptions{Destinations: phones(1), MaxDuration: 10 * time.Second})
		callee(t, h, 1, answering(2*time.Second))
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
		if got := <-came; got.EndedBy != "duration" || got.Reason != "timeout" || ms(got.Talk) != 10000 || ms(got.Ring) != 2000 {
			t.Errorf("%+v", got)
		}
		goesOn(t, a)
		if _, out := byDirection(t, h); out[0].Code != call.CodeTalkLimit || out[0].HangupReason != "timeout" || ms(time.Duration(out[0].TalkMS)*time.Millisecond) != 10000 {
			t.Errorf("%+v", out[0])
		}
	})
}

// TestConnectRingsWhatADestinationStandsFor: the phones of an extension ring as a groupcall within the connect.
func TestConnectRingsWhatADestinationStandsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, came := connecting(t, action.ConnectOptions{Destinations: append(agents("desk"), phones(3)...)}, func(c *call.Config) {
			c.Agents = directory{"desk": {Addresses: phones(1, 2)}}
		})
		callee(t, h, 1, ringing())
		callee(t, h, 2, answering(time.Second))
		callee(t, h, 3, ringing())
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
		a.WaitAnswer(t)
		time.Sleep(time.Second)
		var desk store.Groupcall
		for g := range h.Groupcalls() {
			desk = g.Record()
		}
		a.Hangup(t)
		if got := <-came; got.Destination != agents("desk")[0] || len(got.CallIDs) != 3 || got.CallID != desk.AnswerCallID {
			t.Errorf("%+v, the groupcall %+v", got, desk)
		}
		in, _ := byDirection(t, h)
		if desk.MasterCallID != in.ID || desk.MasterGroupcallID != "" || desk.CallCount != 1 || len(desk.CallIDs) != 2 || len(in.ChainedCallIDs) != 3 {
			t.Errorf("%+v of %+v", desk, in)
		}
		if g, err := h.store.Groupcall(t.Context(), desk.ID); err != nil || g.Status != "hangup" || g.CallCount != 0 {
			t.Errorf("stored %+v, %v", g, err)
		}
	})
}
