package call_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/tone"
	"github.com/callbin/callbin/store"
)

// house is an engine on an in-memory network, with what it kept.
type house struct {
	*call.Engine
	net    *calltest.Net
	store  store.Store
	stop   func()
	mu     sync.Mutex
	events []call.Event // guarded by mu
}

// tonePrompts plays "tone:HZ" as a second of a sine.
type tonePrompts struct{}

func (tonePrompts) OpenPrompt(_ context.Context, _, ref string) (media.Source, error) {
	hz := map[string]float64{"http://tone/400": 400, "http://tone/700": 700, "http://tone/219": 219}[ref]
	if hz == 0 {
		return nil, errors.New("no such tone")
	}
	return tone.Sine(hz, time.Second).Clip(8000).Source(), nil
}

// open runs an engine whose destinations are flows, JSON lists of actions.
func open(t *testing.T, flows map[string]string, change ...func(*call.Config)) *house {
	t.Helper()
	h := &house{net: calltest.NewNet(), store: store.Memory()}
	cfg := call.Config{Store: h.store, Deps: call.Noted(action.Deps{Prompts: tonePrompts{}, Beep: tone.Beep().Clip(8000).Source})}
	cfg.OnEvent = func(e call.Event) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.events = append(h.events, e)
	}
	table := map[string]*flow.Flow{}
	for name, text := range flows {
		f, err := flow.Parse([]byte(text), flow.ParseOptions{Registry: action.Builtin(cfg.Deps), Name: name})
		if err != nil {
			t.Fatal(err)
		}
		table[name] = f
	}
	cfg.Route = func(_ context.Context, in *call.Incoming) (flow.Program, error) {
		if f, ok := table[in.Request.User]; ok {
			return f, nil
		}
		return nil, call.ErrNoFlow
	}
	for _, c := range change {
		c(&cfg)
	}
	h.Engine, h.stop = calltest.Run(t, h.net, cfg)
	return h
}

// records stops the engine and returns what it stored, the oldest first.
func (h *house) records(t *testing.T) []store.Call {
	t.Helper()
	h.stop()
	page, _, err := h.store.ListCalls(t.Context(), store.CallFilter{})
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(page)
	return page
}

// eventTypes are the events so far, but for those of flows and sound.
func (h *house) eventTypes() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var types []string
	for _, e := range h.events {
		if strings.HasPrefix(e.Type, "activeflow_") || e.Type == "call_quality" { // of each call: musthave_15_test.go
			continue
		}
		types = append(types, e.Type)
	}
	return types
}

// level is how loud hz is in pcm: the amplitude, 1 is full scale.
func level(pcm []int16, hz float64) float64 { return tone.Goertzel(pcm, 8000, hz) }

func TestCallHearsPromptAndIsHungUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"play","option":{"stream_urls":["http://tone/400"]}}]`})
		c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		if why := c.WaitEnd(t); !strings.HasPrefix(why, "BYE") {
			t.Errorf("the call ended by %q, want BYE", why)
		}
		heard := c.Heard()
		if d := len(heard); d < 8000 || d > 8800 {
			t.Errorf("heard %d samples, want about 8000", d)
		}
		if l, other := level(heard[400:7600], 400), level(heard[400:7600], 700); l < 20*other || math.IsNaN(l) {
			t.Errorf("400 Hz at %v, 700 Hz at %v: not the prompt", l, other)
		}
		rec := h.records(t)
		if len(rec) != 1 {
			t.Fatalf("%d records, want 1", len(rec))
		}
		r := rec[0]
		if r.Status != store.StatusHangup || r.HangupBy != "local" || r.HangupReason != "normal" || r.SIPCode != 200 || r.Cause != 16 || r.Code != call.CodeFlowEnded || r.Sentence == "" {
			t.Errorf("record: %+v", r)
		}
		if r.TalkMS < 1000 || r.TalkMS > 1200 || r.ActionMS["play"] < 990 || r.PacketsOut < 50 {
			t.Errorf("sums: %+v", r.Sums)
		}
		want := []string{"call_created", "call_ringing", "call_progressing", "call_terminating", "call_hangup"}
		if got := h.eventTypes(); !slices.Equal(got, want) {
			t.Errorf("events %v, want %v", got, want)
		}
	})
}

func TestPlayBeforeAnswerIsEarlyMedia(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"play","option":{"stream_urls":["http://tone/700"]}},{"type":"hangup","option":{"reason":"busy"}}]`})
		c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
		c.WaitEnd(t)
		if got := c.Statuses(); !slices.Equal(got, []int{180, 183, 486}) {
			t.Errorf("responses %v", got)
		}
		if l := level(c.Heard(), 700); l < 0.1 {
			t.Errorf("700 Hz at %v in early media", l)
		}
		r := h.records(t)[0]
		if r.HangupReason != "busy" || r.SIPCode != 486 || r.Cause != 17 || !r.TmProgressing.IsZero() || r.RingMS < 900 {
			t.Errorf("record: %+v", r)
		}
	})
}

func TestDigitsBranch(t *testing.T) {
	menu := `[{"type":"answer"},
		{"id":"ask","type":"digits_receive","option":{"duration":5000,"length":1}},
		{"type":"branch","option":{"target_ids":{"1":"one","2":"two"},"default_target_id":"none"}},
		{"id":"one","type":"play","option":{"stream_urls":["http://tone/400"]}},{"type":"stop"},
		{"id":"two","type":"play","option":{"stream_urls":["http://tone/700"]}},{"type":"stop"},
		{"id":"none","type":"hangup"}]`
	for press, hz := range map[string]float64{"1": 400, "2": 700} {
		synctest.Test(t, func(t *testing.T) {
			h := open(t, map[string]string{"100": menu})
			c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
			c.Press(press)
			c.WaitEnd(t)
			if l := level(c.Heard(), hz); l < 0.1 {
				t.Errorf("pressed %s: %v Hz at %v", press, hz, l)
			}
			if r := h.records(t)[0]; r.TalkMS > 3000 {
				t.Errorf("the digit did not end the wait: talk %d ms", r.TalkMS)
			}
		})
	}
}

func TestCallerEndsTheFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"sleep","option":{"duration":600000}}]`})
		c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		time.Sleep(3 * time.Second)
		c.Hangup(t)
		synctest.Wait()
		r := h.records(t)[0]
		if r.HangupBy != "remote" || r.HangupReason != "normal" || r.Code != call.CodeCallerHungUp || r.TalkMS < 3000 || r.TalkMS > 3200 {
			t.Errorf("record: %+v", r)
		}
	})
}

func TestCallerCancels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"sleep","option":{"duration":600000}}]`})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		c, err := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Invite(ctx, "100")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("%v", err)
		}
		if got := c.Statuses(); !slices.Equal(got, []int{180, 487}) {
			t.Errorf("responses %v", got)
		}
		r := h.records(t)[0]
		if r.HangupBy != "remote" || r.SIPCode != 487 || r.Code != call.CodeCallerCancelled {
			t.Errorf("record: %+v", r)
		}
	})
}

func TestRefusals(t *testing.T) {
	owned := func(cfg *call.Config) {
		cfg.Owned = func(a address.Address) bool {
			return a.Target == "+16062067563" || a == address.Address{Type: address.TypeExtension, Target: "200"}
		}
	}
	for name, tc := range map[string]struct {
		user, from string
		status     int
		code       string
		host       string // in From
	}{
		"no flow":            {"nobody", "alice", 404, call.CodeNoFlow, ""},
		"path":               {"../100", "alice", 404, call.CodeNoFlow, ""},
		"escaped path":       {"%2e%2e%2f100", "alice", 404, call.CodeNoFlow, ""},
		"NUL":                {"100%00", "alice", 404, call.CodeNoFlow, ""},
		"their extension":    {"nobody", "200", 404, call.CodeNoFlow, ""},
		"overlong":           {strings.Repeat("1", 3000), "alice", 404, call.CodeNoFlow, ""},
		"own number":         {"100", "+16062067563", 403, call.CodeOwnNumberSpoofed, ""},
		"own number, dashes": {"100", "+1-606-206-7563", 403, call.CodeOwnNumberSpoofed, ""},
		"own number, params": {"100", "+16062067563;npdi=yes", 403, call.CodeOwnNumberSpoofed, ""},
		"own extension":      {"100", "200", 403, call.CodeOwnNumberSpoofed, "10.0.0.1"},
		"no such number":     {"100", "+12", 403, call.CodeCallerMalformed, ""},
		"plus and letter":    {"100", "+1abc", 403, call.CodeCallerMalformed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": `[{"type":"answer"}]`}, owned)
				_, err := calltest.NewPhone(t, h.net, calltest.PhoneConfig{User: tc.from, Host: tc.host}).Invite(t.Context(), tc.user)
				var status *calltest.StatusError
				if !errors.As(err, &status) || status.Status != tc.status {
					t.Fatalf("%v, want %d", err, tc.status)
				}
				r := h.records(t)[0]
				if r.SIPCode != tc.status || r.Code != tc.code || r.HangupReason != "failed" || r.HangupBy != "local" || r.Sentence == "" {
					t.Errorf("record: %+v", r)
				}
			})
		})
	}
}

func TestNoACK(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"sleep","option":{"duration":600000}}]`})
		c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{NoACK: true}).Dial(t, "100")
		if why := c.WaitEnd(t); !strings.HasPrefix(why, "BYE") {
			t.Errorf("ended by %q", why)
		}
		r := h.records(t)[0]
		if r.Code != call.CodeNoACK || r.TalkMS < 32000 || r.TalkMS > 33000 || r.HangupReason != "failed" {
			t.Errorf("record: %+v", r)
		}
	})
}

func TestLateOffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"play","option":{"stream_urls":["http://tone/400"]}}]`})
		c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{LateOffer: true, PCMA: true}).Dial(t, "100")
		c.WaitEnd(t)
		if l := level(c.Heard(), 400); l < 0.1 {
			t.Errorf("400 Hz at %v after a late offer", l)
		}
	})
}

func TestHoldAndResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"echo"}]`})
		c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		for _, step := range [][2]string{{"sendonly", "recvonly"}, {"inactive", "inactive"}, {"sendrecv", "sendrecv"}} {
			if got, status := c.Reinvite(t, step[0]); got != step[1] || status != 200 {
				t.Errorf("offer %s is answered %s with %d, want %s", step[0], got, status, step[1])
			}
			time.Sleep(300 * time.Millisecond)
		}
		c.Say(tone.Sine(1000, time.Second).Clip(8000).PCM())
		time.Sleep(1500 * time.Millisecond)
		heard := c.Heard()
		if l := level(heard[len(heard)-8000:], 1000); l < 0.05 {
			t.Errorf("no echo after resume: 1000 Hz at %v", l)
		}
		c.Hangup(t)
		if r := h.records(t)[0]; r.SilenceMS < 1200 || r.SilenceMS > 2000 || r.TalkMS-r.SilenceMS < 950 {
			t.Errorf("silent for %d of %d ms, want all but one second: %+v", r.SilenceMS, r.TalkMS, r.Sums)
		}
	})
}
