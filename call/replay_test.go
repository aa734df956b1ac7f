package call_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/media/tone"
	"github.com/callbin/callbin/store"
)

// replayed are stories of real calls whose traces are fed to a fresh loop.
var replayed = map[string]struct {
	flow  string
	phone calltest.PhoneConfig
	story func(t *testing.T, p *calltest.Phone)
}{
	"prompt":           {flow: `[{"type":"answer"},{"type":"play","option":{"stream_urls":["http://tone/400"]}}]`, story: listen},
	"early media":      {flow: `[{"type":"play","option":{"stream_urls":["http://tone/400"]}},{"type":"answer"}]`, story: listen},
	"beep":             {flow: `[{"type":"answer"},{"type":"beep"}]`, story: listen},
	"digits":           {flow: `[{"type":"answer"},{"type":"digits_receive","option":{"duration":9000,"length":4}}]`, story: press("1234")},
	"digits with key":  {flow: `[{"type":"answer"},{"type":"digits_receive","option":{"duration":9000,"key":"#"}}]`, story: press("12#")},
	"digits too late":  {flow: `[{"type":"answer"},{"type":"digits_receive","option":{"duration":500,"length":4}}]`, story: listen},
	"branch":           {flow: `[{"type":"answer"},{"type":"digits_receive","option":{"duration":9000,"length":1}},{"type":"branch","option":{"target_ids":{"1":"x"},"default_target_id":"x"}},{"id":"x","type":"stop"}]`, story: press("1")},
	"loop":             {flow: `[{"type":"answer"},{"id":"x","type":"beep"},{"type":"goto","option":{"target_id":"x","loop_count":3}}]`, story: listen},
	"recording":        {flow: `[{"type":"answer"},{"type":"recording_start"},{"type":"beep"},{"type":"recording_stop"}]`, story: listen},
	"recording by key": {flow: `[{"type":"answer"},{"type":"recording_start","option":{"end_of_key":"any"}},{"type":"sleep","option":{"duration":5000}}]`, story: press("7")},
	"recording cut":    {flow: `[{"type":"answer"},{"type":"recording_start"},{"type":"sleep","option":{"duration":60000}}]`, story: hangup},
	"caller hangs up":  {flow: `[{"type":"answer"},{"type":"echo"}]`, story: hangup},
	"cancel":           {flow: `[{"type":"sleep","option":{"duration":60000}}]`, story: cancel},
	"busy":             {flow: `[{"type":"hangup","option":{"reason":"busy"}}]`, story: refused},
	"noanswer":         {flow: `[{"type":"sleep","option":{"duration":2000}},{"type":"hangup","option":{"reason":"noanswer"}}]`, story: refused},
	"unanswered end":   {flow: `[{"type":"sleep","option":{"duration":500}}]`, story: refused},
	"no flow":          {story: refused},
	"late offer":       {flow: `[{"type":"answer"},{"type":"beep"}]`, phone: calltest.PhoneConfig{LateOffer: true}, story: listen},
	"no ACK":           {flow: `[{"type":"answer"},{"type":"sleep","option":{"duration":60000}}]`, phone: calltest.PhoneConfig{NoACK: true}, story: listen},
	"hold":             {flow: `[{"type":"answer"},{"type":"echo"}]`, story: hold},
	"PCMA echo":        {flow: `[{"type":"answer"},{"type":"echo","option":{"duration":2000}}]`, phone: calltest.PhoneConfig{PCMA: true}, story: speak},
	"fatal":            {flow: `[{"type":"answer"},{"type":"branch","option":{"target_ids":{"1":"x"}}},{"id":"x","type":"stop"}]`, story: listen},
	"unknown prompt":   {flow: `[{"type":"answer"},{"type":"play","option":{"stream_urls":["http://tone/none"]}},{"type":"beep"}]`, story: listen},
}

func listen(t *testing.T, p *calltest.Phone) { p.Dial(t, "100").WaitEnd(t) }

func press(digits string) func(*testing.T, *calltest.Phone) {
	return func(t *testing.T, p *calltest.Phone) {
		c := p.Dial(t, "100")
		c.Press(digits)
		c.WaitEnd(t)
	}
}

func hangup(t *testing.T, p *calltest.Phone) {
	c := p.Dial(t, "100")
	time.Sleep(time.Second)
	c.Hangup(t)
}

func hold(t *testing.T, p *calltest.Phone) {
	c := p.Dial(t, "100")
	c.Reinvite(t, "sendonly")
	c.Reinvite(t, "sendrecv")
	c.Hangup(t)
}

func speak(t *testing.T, p *calltest.Phone) {
	c := p.Dial(t, "100")
	c.Say(tone.Sine(500, time.Second).Clip(8000).PCM())
	c.WaitEnd(t)
}

func cancel(t *testing.T, p *calltest.Phone) {
	c := p.Start(t, "100")
	time.Sleep(time.Second)
	c.Cancel()
	c.WaitEnd(t)
}

func refused(t *testing.T, p *calltest.Phone) {
	if c, err := p.Invite(t.Context(), "100"); err == nil {
		t.Errorf("the call was answered: %v", c.Statuses())
	}
}

// TestReplay records what the loops of real calls consumed, and feeds it to fresh machines: the end
// state and everything they did must be the same, whole, and when the machine is
// saved and restored between any two inputs.
func TestReplay(t *testing.T) {
	if len(replayed) < 20 {
		t.Fatalf("%d stories, want 20", len(replayed))
	}
	for name, s := range replayed {
		t.Run(name, func(t *testing.T) {
			var trace []byte
			synctest.Test(t, func(t *testing.T) {
				flows := map[string]string{}
				if s.flow != "" {
					flows["100"] = s.flow
				}
				h := open(t, flows)
				s.story(t, calltest.NewPhone(t, h.net, s.phone))
				trace = checkReplay(t, h, h.records(t)[0])
			})
			checkFlowReplay(t, trace)
		})
	}
}

// TestReplayOfConnect does the same with the two calls of a connect, and with those of its ways to fail.
func TestReplayOfConnect(t *testing.T) {
	for name, c := range map[string]struct {
		options string
		story   func(t *testing.T, a, b *calltest.PhoneCall)
	}{
		"answered": {story: func(t *testing.T, a, b *calltest.PhoneCall) {
			b.Ring()
			b.Answer()
			a.WaitAnswer(t)
			b.Reinvite(t, "sendonly")
			a.Press("5")
			b.Hangup(t)
			a.WaitEnd(t)
		}},
		"early media": {options: `,"early_media":true`, story: func(t *testing.T, a, b *calltest.PhoneCall) {
			b.Progress()
			time.Sleep(time.Second)
			b.Answer()
			a.WaitAnswer(t)
			a.Hangup(t)
		}},
		"busy":       {story: func(_ *testing.T, _, b *calltest.PhoneCall) { b.Refuse(486) }},
		"relayed":    {options: `,"relay_reason":true`, story: func(_ *testing.T, _, b *calltest.PhoneCall) { b.Refuse(404) }},
		"unanswered": {options: `,"timeout":3000`, story: func(_ *testing.T, _, b *calltest.PhoneCall) { b.Ring() }},
		"cancelled": {story: func(_ *testing.T, a, b *calltest.PhoneCall) {
			b.Ring()
			time.Sleep(time.Second)
			a.Cancel()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var traces [][]byte
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": connectTo(c.options, "", 1)}, outbound)
				bob := callee(t, h, 1)
				a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
				b := bob.WaitCall(t)
				c.story(t, a, b)
				a.WaitEnd(t)
				b.WaitEnd(t)
				records := h.records(t)
				if len(records) != 2 {
					t.Fatalf("%d records", len(records))
				}
				for _, rec := range records {
					traces = append(traces, checkReplay(t, h, rec))
				}
			})
			for _, trace := range traces {
				checkFlowReplay(t, trace)
			}
		})
	}
}

// checkFlowReplay runs the loop and the flow of a trace again.
func checkFlowReplay(t *testing.T, b []byte) {
	t.Helper()
	trace, err := call.DecodeTrace(b)
	if err != nil {
		t.Fatal(err)
	}
	got, err := calltest.ReplayTrace(t, b, calltest.ReplayConfig{Within: time.Millisecond})
	if err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	if trace[0].Outgoing != nil { // its program is no flow
		return
	}
	if d := cmp.Diff(calltest.Journal(trace), got.Journal); d != "" {
		t.Errorf("the flow did something else (-recorded +replayed):\n%s", d)
	}
}

// checkReplay feeds the stored trace of a call to fresh machines, and compares with what was. It returns
// the trace.
func checkReplay(t *testing.T, h *house, rec store.Call) []byte {
	t.Helper()
	b, err := h.store.Trace(t.Context(), rec.ID)
	if err != nil {
		t.Fatal(err)
	}
	trace, err := call.DecodeTrace(b)
	if err != nil {
		t.Fatal(err)
	}
	state, effects := call.Replay(trace)
	if diff := cmp.Diff(rec, state.Record); diff != "" {
		t.Errorf("the replayed call ended elsewhere (-stored +replayed):\n%s", diff)
	}
	if n := len(effects); n == 0 || effects[n-1].Do != call.DoFinish {
		t.Errorf("the replay did not finish: %v", effects)
	}
	if diff := cmp.Diff(effects, restored(t, trace)); diff != "" {
		t.Errorf("saving and restoring made a difference:\n%s", diff)
	}
	var live, again []string
	h.mu.Lock()
	for _, e := range h.events {
		if e.CallID == rec.ID && !strings.HasPrefix(e.Type, "conferencecall_") && !strings.HasPrefix(e.Type, "queuecall_") { // those are the room's, the queue's
			live = append(live, e.Type)
		}
	}
	h.mu.Unlock()
	for _, e := range effects {
		if e.Do == call.DoEmit {
			again = append(again, e.Text)
		}
	}
	if diff := cmp.Diff(live, again); diff != "" {
		t.Errorf("other events (-live +replayed):\n%s", diff)
	}
	return b
}

// restored replays trace on a machine that goes through JSON before each input.
func restored(t *testing.T, trace []call.Input) (all []call.Effect) {
	t.Helper()
	m := &call.Machine{}
	for i := range trace {
		b, err := json.Marshal(m.Snapshot())
		if err != nil {
			t.Fatal(err)
		}
		var s call.State
		dec := json.NewDecoder(bytes.NewReader(b))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&s); err != nil {
			t.Fatal(err)
		}
		m = call.Restore(s)
		all = append(all, append([]call.Effect(nil), m.Step(&trace[i])...)...)
	}
	return all
}
