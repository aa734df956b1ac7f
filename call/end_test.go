package call_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/tone"
	"github.com/callbin/callbin/store"
)

// slowWeb answers no request before its context ends.
type slowWeb struct{}

func (slowWeb) Do(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// slowSpeaker speaks for a minute what it is told to, after a second.
type slowSpeaker struct{}

func (slowSpeaker) Speak(ctx context.Context, _ media.Utterance) (media.Source, error) {
	select {
	case <-time.After(time.Second):
		return tone.Sine(300, time.Minute).Clip(8000).Source(), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func TestHangUpEndsTheFlowWhereverItStands(t *testing.T) {
	for name, steps := range map[string]string{
		"play":              `{"type":"play","option":{"stream_urls":["http://tone/400","http://tone/400","http://tone/400"]}}`,
		"talk, synthesis":   `{"type":"talk","option":{"text":"x"}}`,
		"talk, speaking":    `{"type":"sleep","option":{"duration":10}},{"type":"talk","option":{"text":"x"}}`,
		"talk, async":       `{"type":"talk","option":{"text":"x","async":true}},{"type":"sleep","option":{"duration":600000}}`,
		"beep":              `{"id":"x","type":"beep"},{"type":"goto","option":{"target_id":"x","loop_count":1000}}`,
		"echo":              `{"type":"echo"}`,
		"sleep":             `{"type":"sleep","option":{"duration":600000}}`,
		"digits_receive":    `{"type":"digits_receive","option":{"duration":600000,"length":5}}`,
		"webhook_send":      `{"type":"webhook_send","option":{"sync":true,"uri":"http://host/","method":"POST"}}`,
		"while it records":  `{"type":"recording_start"},{"type":"sleep","option":{"duration":600000}}`,
		"beep of recording": `{"type":"recording_start","option":{"beep_start":true}},{"type":"sleep","option":{"duration":600000}}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, err := flow.Parse([]byte(`[{"type":"answer"},`+steps+`]`), flow.ParseOptions{Registry: action.Builtin(action.Deps{
					Prompts: tonePrompts{}, Beep: tone.Beep().Clip(8000).Source, HTTP: slowWeb{}, Speaker: slowSpeaker{},
				})})
				if err != nil {
					t.Fatal(err)
				}
				h := open(t, nil, func(cfg *call.Config) {
					cfg.Route = func(context.Context, *call.Incoming) (flow.Program, error) { return f, nil }
				})
				c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
				var live *call.Call
				for live = range h.Calls() {
				}
				wait := 313 * time.Millisecond
				if name == "talk, speaking" {
					wait = 2 * time.Second
				}
				time.Sleep(wait)
				c.Hangup(t)
				at := time.Now()
				<-live.Done()
				if late := time.Since(at); late > 300*time.Millisecond {
					t.Errorf("the flow ended %v after the hang-up", late)
				}
				if r := h.records(t)[0]; r.Code != call.CodeCallerHungUp {
					t.Errorf("record: %+v", r)
				}
			})
		})
	}
}

func TestPanicEndsOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"beep"}]`}, func(cfg *call.Config) {
			route := cfg.Route
			cfg.Route = func(ctx context.Context, in *call.Incoming) (flow.Program, error) {
				switch in.Request.User {
				case "route":
					panic("route")
				case "flow":
					return flow.Func(func(context.Context, action.Leg) error { panic("flow") }), nil
				}
				return route(ctx, in)
			}
		})
		p := calltest.NewPhone(t, h.net, calltest.PhoneConfig{})
		var refused *calltest.StatusError
		if _, err := p.Invite(t.Context(), "route"); !errors.As(err, &refused) || refused.Status != 500 {
			t.Errorf("panic in Route: %v, want 500", err)
		}
		time.Sleep(time.Second)
		if _, err := p.Invite(t.Context(), "flow"); !errors.As(err, &refused) || refused.Status != 603 {
			t.Errorf("panic in a flow: %v, want 603", err)
		}
		time.Sleep(time.Second)
		if why := p.Dial(t, "100").WaitEnd(t); !strings.HasPrefix(why, "BYE") {
			t.Errorf("the next call ended by %q", why)
		}
		var codes []string
		for _, r := range h.records(t) {
			codes = append(codes, r.Code)
		}
		if got := fmt.Sprint(codes); got != "[internal_error flow_failed flow_ended]" {
			t.Errorf("codes %v", got)
		}
	})
}

// TestPanicOfAnObserver ends the call at whose event it happens, and only that one.
func TestPanicOfAnObserver(t *testing.T) {
	for _, at := range []string{"call_created", "call_ringing", "call_progressing", "dtmf_received", "call_terminating", "call_hangup"} {
		synctest.Test(t, func(t *testing.T) {
			broken := false
			h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"digits_receive","option":{"duration":3000,"length":1}},{"type":"beep"}]`}, func(cfg *call.Config) {
				cfg.OnEvent = func(e call.Event) {
					if e.Type == at && !broken {
						broken = true
						panic(at)
					}
				}
			})
			p := calltest.NewPhone(t, h.net, calltest.PhoneConfig{})
			for range 2 {
				c := p.Start(t, "100")
				time.Sleep(500 * time.Millisecond)
				c.Press("1")
				c.WaitEnd(t)
				time.Sleep(time.Second)
			}
			recs := h.records(t)
			if len(recs) != 2 || recs[1].Code != call.CodeFlowEnded || !broken {
				t.Errorf("panic at %s: %d records, the second ended by %q", at, len(recs), recs[len(recs)-1].Code)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"sleep","option":{"duration":36000000}}]`}, func(cfg *call.Config) {
			cfg.MaxCalls, cfg.MaxCallDuration = 1, 20*time.Minute
		})
		p := calltest.NewPhone(t, h.net, calltest.PhoneConfig{})
		first := p.Dial(t, "100")
		var refused *calltest.StatusError
		if _, err := p.Invite(t.Context(), "100"); !errors.As(err, &refused) || refused.Status != 503 {
			t.Errorf("the second call of one: %v, want 503", err)
		}
		time.Sleep(15 * time.Minute)
		first.WaitEnd(t)
		r := h.records(t)[0]
		if r.HangupReason != store.ReasonTimeout || r.Code != call.CodeMaxDuration || r.TalkMS < 1199_000 || r.TalkMS > 1201_000 {
			t.Errorf("record: %+v", r)
		}
	})
}

func TestNoPortIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"echo"}]`}, func(cfg *call.Config) {
			cfg.RTP.Ports = [2]uint16{20000, 20003} // two calls
		})
		p := calltest.NewPhone(t, h.net, calltest.PhoneConfig{})
		a := p.Dial(t, "100")
		time.Sleep(time.Second)
		b := p.Dial(t, "100")
		time.Sleep(time.Second)
		var refused *calltest.StatusError
		if _, err := p.Invite(t.Context(), "100"); !errors.As(err, &refused) || refused.Status != 503 {
			t.Errorf("the third call on two pairs of ports: %v, want 503", err)
		}
		time.Sleep(time.Second)
		a.Hangup(t)
		time.Sleep(2 * time.Second)
		p.Dial(t, "100").Hangup(t)
		b.Hangup(t)
		for i, r := range h.records(t) {
			if i == 2 && (r.Code != call.CodeNoMedia || r.SIPCode != 503 || !strings.Contains(r.Sentence, "port")) {
				t.Errorf("record of the refused call: %+v", r)
			}
		}
		if n := h.net.Open(); n != 1 { // the phone's own
			t.Errorf("%d sockets are open after the engine's end", n)
		}
	})
}

func TestSoundOfAFamilyWeDoNotHave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"answer"}]`})
		p := calltest.NewPhone(t, h.net, calltest.PhoneConfig{SDPHost: "2001:db8::1"})
		var refused *calltest.StatusError
		if _, err := p.Invite(t.Context(), "100"); !errors.As(err, &refused) || refused.Status != 488 {
			t.Errorf("an IPv6 offer where only IPv4 is configured: %v, want 488", err)
		}
		if r := h.records(t)[0]; !strings.Contains(r.Sentence, "IPv6") {
			t.Errorf("the record does not say why: %q", r.Sentence)
		}
	})
}

func TestHangupLikeAnotherCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{
			"busy": `[{"type":"hangup","option":{"reason":"busy"}}]`,
			"same": `[{"type":"hangup","option":{"reference_id":"${id}"}}]`,
		}, func(cfg *call.Config) {
			route, first := cfg.Route, ""
			cfg.Route = func(ctx context.Context, in *call.Incoming) (flow.Program, error) {
				p, err := route(ctx, in)
				if in.Request.User == "busy" {
					first = in.ID
					return p, err
				}
				return flow.Func(func(ctx context.Context, leg action.Leg) error {
					if err := leg.Vars().Set("id", first); err != nil {
						return err
					}
					return p.Run(ctx, leg)
				}), nil
			}
		})
		p := calltest.NewPhone(t, h.net, calltest.PhoneConfig{})
		for _, user := range []string{"busy", "same"} {
			var refused *calltest.StatusError
			if _, err := p.Invite(t.Context(), user); !errors.As(err, &refused) || refused.Status != 486 || !strings.Contains(refused.Reason, "cause=17") {
				t.Errorf("%s: %v, want 486 with cause 17", user, err)
			}
		}
	})
}

func TestMetadataGoesIntoRecordAndEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"sleep","option":{"duration":2000}}]`}, func(cfg *call.Config) {
			route := cfg.Route
			cfg.Route = func(ctx context.Context, in *call.Incoming) (flow.Program, error) {
				in.Metadata = map[string]string{"customer": "c1"}
				return route(ctx, in)
			}
		})
		c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		for live := range h.Calls() {
			if err := live.SetMetadata(t.Context(), map[string]string{"team": "north"}); err != nil {
				t.Error(err)
			}
			if err := live.SetMetadata(t.Context(), map[string]string{"x": strings.Repeat("x", call.MaxMetadataValue+1)}); err == nil {
				t.Error("an overlong value is taken")
			}
		}
		c.WaitEnd(t)
		h.stop()
		page, _, err := h.store.ListCalls(t.Context(), store.CallFilter{Metadata: map[string]string{"team": "north", "customer": "c1"}})
		if err != nil || len(page) != 1 {
			t.Errorf("%d calls with the metadata, %v", len(page), err)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if last := h.events[len(h.events)-1]; last.Type != "call_hangup" || last.Data.(store.Call).Metadata["team"] != "north" {
			t.Errorf("the last event is %s with %v", last.Type, last.Data)
		}
	})
}

// TestSoundEndsWithTheCall hangs up during a prompt, at which the media is closed and the flow told at the same moment: Play
// tells of the call, whichever it sees first.
func TestSoundEndsWithTheCall(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			var err error
			h := open(t, nil, func(c *call.Config) {
				c.Route = func(context.Context, *call.Incoming) (flow.Program, error) {
					return flow.Func(func(ctx context.Context, leg action.Leg) error {
						err = leg.(*call.Call).Play(ctx, tone.Sine(400, time.Minute).Clip(8000).Source())
						return err
					}), nil
				}
			})
			c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
			time.Sleep(time.Second)
			c.Cancel()
			c.WaitEnd(t)
			h.stop()
			if !errors.Is(err, action.ErrHangup) {
				t.Errorf("Play: %v", err)
			}
		})
	}
}

// TestConnectThatIsGivenUpTellsSo skips a connect: its result does not depend on how fast the legs hear of it.
func TestConnectThatIsGivenUpTellsSo(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			h := open(t, map[string]string{"100": strings.Replace(connectTo("", "", 1), `"type":"connect"`, `"id":"dial","type":"connect"`, 1)}, outbound)
			bob := callee(t, h, 1)
			calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
			bob.WaitCall(t).Ring()
			time.Sleep(time.Second)
			for c := range h.Calls() {
				if c.Record().Direction != store.DirectionIncoming {
					continue
				}
				if err := c.Skip("dial", 0); err != nil {
					t.Error(err)
				}
				<-c.Done()
				if got := c.Vars().Get("dial.sip_code") + " " + c.Vars().Get("dial.status"); got != "487 skipped" {
					t.Errorf("the connect came to %q", got)
				}
			}
		})
	}
}
