package call_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/wav"
	"github.com/callbin/callbin/store"
)

func mustFlow(t *testing.T, reg *action.Registry, text string) *flow.Flow {
	t.Helper()
	f, err := flow.Parse([]byte(text), flow.ParseOptions{Registry: reg})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func always(p flow.Program) func(context.Context, *call.Incoming) (flow.Program, error) {
	return func(context.Context, *call.Incoming) (flow.Program, error) { return p, nil }
}

// web answers each request with 200 and remembers the bodies.
type web struct {
	mu     sync.Mutex
	bodies []string // guarded by mu
	body   string   // of each answer
}

func (w *web) Do(r *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(r.Body)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bodies = append(w.bodies, string(b))
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(w.body))}, err
}

func (w *web) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.bodies...)
}

// withFlows gives an engine flows by id, which may name each other.
func withFlows(t *testing.T, deps *action.Deps, flows map[string]string) func(*call.Config) {
	return func(c *call.Config) {
		reg := action.Builtin(*deps)
		table := map[string]*flow.Flow{}
		for id, text := range flows {
			table[id] = mustFlow(t, reg, text)
		}
		c.Deps = *deps
		c.FlowByID = func(_ context.Context, id string) (flow.Program, error) {
			if f, ok := table[id]; ok {
				return f, nil
			}
			return nil, fmt.Errorf("%w: %q", call.ErrNoFlow, id)
		}
		c.Route = always(table["start"])
	}
}

// TestWhatTheCallCameToIsToldAfterIt: the flow that follows (on_complete_flow_id) has the call's sums, its
// variables and the results of its steps, whoever hung up.
func TestWhatTheCallCameToIsToldAfterIt(t *testing.T) {
	for _, remote := range []bool{false, true} {
		t.Run(fmt.Sprintf("remote=%t", remote), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &web{}
				h := open(t, nil, withFlows(t, &action.Deps{HTTP: w}, map[string]string{
					"start": `{"on_complete_flow_id":"report","actions":[{"type":"answer"},{"id":"keys","type":"digits_receive","option":{"length":1,"duration":500}},
						{"type":"variable_set","option":{"key":"lang","value":"nl"}},{"type":"sleep","option":{"duration":3000}}]}`,
					"report": `[{"type":"webhook_send","option":{"uri":"https://x/","sync":true,"data":"{\"by\":\"${voipbin.call.hangup_by}\",\"reason\":\"${voipbin.call.hangup_reason}\",\"code\":\"${voipbin.call.sip_code}\",\"talk\":\"${voipbin.call.talk_ms}\",\"lang\":\"${lang}\",\"keys\":\"${keys.status}\",\"status\":\"${voipbin.call.status}\",\"ref\":\"${voipbin.activeflow.reference_id}\",\"flow\":\"${voipbin.activeflow.flow_id}\"}"}},
						{"type":"answer"}]`,
				}))
				c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
				if remote {
					time.Sleep(2 * time.Second)
					c.Hangup(t)
				}
				c.WaitEnd(t)
				rec := h.records(t)[0]
				all := w.all()
				if len(all) != 1 {
					t.Fatalf("%d webhooks: %q", len(all), all)
				}
				var got map[string]string
				if err := json.Unmarshal([]byte(all[0]), &got); err != nil {
					t.Fatal(err)
				}
				want := map[string]string{"by": rec.HangupBy, "reason": "normal", "code": "200", "talk": fmt.Sprint(rec.TalkMS),
					"lang": "nl", "keys": "timeout", "status": "hangup", "ref": rec.ID, "flow": "report"}
				for k, v := range want {
					if got[k] != v {
						t.Errorf("%s is %q, want %q", k, got[k], v)
					}
				}
				if (rec.HangupBy == "remote") != remote {
					t.Errorf("ended by %s", rec.HangupBy)
				}
			})
		})
	}
}

// TestFlowThatFollowsItselfEnds is VoIPBIN's endless chain of on_complete_flow_id.
func TestFlowThatFollowsItselfEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &web{}
		h := open(t, nil, withFlows(t, &action.Deps{HTTP: w}, map[string]string{
			"start": `{"on_complete_flow_id":"again","actions":[{"type":"answer"}]}`,
			"again": `{"on_complete_flow_id":"again","actions":[{"type":"webhook_send","option":{"uri":"https://x/","sync":true,"data":"${voipbin.activeflow.complete_count}"}}]}`,
		}))
		calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100").WaitEnd(t)
		h.records(t)
		if got := strings.Join(w.all(), " "); got != "1 2 3 4 5" {
			t.Errorf("flows ran with counts %q", got)
		}
	})
}

// words says something at times, then nothing until the sound ends.
type words struct {
	rate int
	n    int // samples heard, when it ended
	mu   sync.Mutex
}

func (w *words) Transcribe(ctx context.Context, src media.Stream, o media.TranscribeOptions, tell func(media.Transcript)) error {
	w.mu.Lock()
	w.rate = src.Rate()
	w.mu.Unlock()
	tell(media.Transcript{Text: "hel"})
	tell(media.Transcript{Text: "hello in " + o.Language, Final: true, Start: 20 * time.Millisecond})
	buf := make([]int16, 400)
	for {
		n, err := src.Read(ctx, buf)
		w.mu.Lock()
		w.n += n
		w.mu.Unlock()
		if err == io.EOF {
			tell(media.Transcript{Text: "goodbye", Final: true})
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// TestTranscriptionOfACall runs until the hang-up, tells each text, and the flow that follows has all of them.
func TestTranscriptionOfACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, said := &web{}, &words{}
		h := open(t, nil, withFlows(t, &action.Deps{HTTP: w, Transcriber: said}, map[string]string{
			"start": `{"on_complete_flow_id":"report","actions":[{"type":"answer"},
				{"type":"transcribe_start","option":{"language":"nl-NL","direction":"in","on_end_flow_id":"over"}},
				{"type":"transcribe_start","option":{"language":"nl-NL"},"on_error":"wait"},{"type":"stop"},
				{"id":"wait","type":"sleep","option":{"duration":3000}}]}`,
			"report": `[{"type":"webhook_send","option":{"uri":"https://x/","sync":true,"data":"report: ${voipbin.transcribe.text}"}}]`,
			"over":   `[{"type":"webhook_send","option":{"uri":"https://x/","sync":true,"data":"over: ${voipbin.transcribe.id} ${voipbin.activeflow.reference_type}"}}]`,
		}))
		c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		time.Sleep(2 * time.Second)
		c.Hangup(t)
		c.WaitEnd(t)
		rec := h.records(t)[0]
		checkReplay(t, h, rec)
		var types []string
		for _, e := range h.eventTypes() {
			if strings.HasPrefix(e, "transcri") || e == "call_hangup" {
				types = append(types, e)
			}
		}
		if got := strings.Join(types, " "); got != "transcribe_created transcript_created transcript_created transcribe_done call_hangup" {
			t.Errorf("events %s", got)
		}
		all := strings.Join(w.all(), "\n")
		if !strings.Contains(all, "report: in: hello in nl-NL\nin: goodbye") || !strings.Contains(all, "over: ") || !strings.Contains(all, " transcribe") {
			t.Errorf("webhooks: %s", all)
		}
		if said.rate != 8000 || said.n < 8000 || said.n > 20000 {
			t.Errorf("heard %d samples at %d Hz", said.n, said.rate)
		}
	})
}

// listener turns recordings into the level of their tones: sound is looked at as sound.
type listener struct{}

func (listener) TranscribeRecording(_ context.Context, name string, file io.Reader, o media.TranscribeOptions) (string, error) {
	clip, err := wav.Decode(file, wav.Limits{})
	if err != nil {
		return "", err
	}
	pcm := clip.PCM()
	return fmt.Sprintf("%s: heard the tone: %t", strings.SplitN(name, "_", 2)[0], len(pcm) > 7000 && level(pcm[1000:6000], 400) > 0.05 && level(pcm[1000:6000], 700) < 0.01), nil
}

// secretary sums texts up.
type secretary struct{}

func (secretary) Reply(_ context.Context, r action.AssistantRequest) (action.AssistantReply, error) {
	return action.AssistantReply{Text: r.Work + " in " + r.Language + " of <" + r.Messages[0].Text + ">"}, nil
}

// TestRecordingIsTranscribedAndSummedUpAfterTheCall is the work that is left when both have hung up.
func TestRecordingIsTranscribedAndSummedUpAfterTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &web{}
		deps := &action.Deps{HTTP: w, Prompts: tonePrompts{}, RecordingTranscriber: listener{}, Assistant: secretary{}}
		h := open(t, nil, withFlows(t, deps, map[string]string{
			"start": `{"on_complete_flow_id":"after","actions":[{"type":"answer"},{"type":"recording_start"},
				{"type":"play","option":{"stream_urls":["http://tone/400"]}},{"type":"recording_stop"}]}`,
			"after": `[{"id":"text","type":"transcribe_recording"},{"type":"ai_summary","option":{"language":"nl"}},
				{"type":"webhook_send","option":{"uri":"https://x/","sync":true,"data":"${text.count} ${voipbin.ai_summary.content} ${voipbin.call.hangup_reason}"}}]`,
		}))
		calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100").WaitEnd(t)
		h.records(t)
		if got := strings.Join(w.all(), "\n"); got != "1 summary in nl of <call: heard the tone: true> normal" {
			t.Errorf("got %q", got)
		}
	})
}

// TestFetchedActionsRunOnACall and the call goes on in another engine in the middle of them.
func TestFetchedActionsRunOnACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &web{body: `[{"type":"answer"},{"id":"in","type":"sleep","option":{"duration":4000}},{"type":"play","option":{"stream_urls":["http://tone/700"]}}]`}
		flows := map[string]string{"start": `[{"type":"fetch","option":{"event_url":"https://x/flow"}},{"type":"play","option":{"stream_urls":["http://tone/400"]}}]`}
		deps := &action.Deps{HTTP: w, Prompts: tonePrompts{}}
		h := open(t, nil, withFlows(t, deps, flows))
		c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		time.Sleep(2 * time.Second)
		live := h.up(t)
		if a, err := live.Activeflow(); err != nil || a.CurrentAction == nil || a.CurrentAction.ID != "in" || a.CurrentAction.Depth != 1 {
			t.Errorf("activeflow %+v, %v", a, err)
		}
		b, err := json.Marshal(live.Snapshot())
		if err != nil {
			t.Fatal(err)
		}
		var snap call.Snapshot
		if err := json.Unmarshal(b, &snap); err != nil {
			t.Fatal(err)
		}
		h.net.SetFaults(calltest.Faults{Loss: 1})
		h.stop()
		h.net.SetFaults(calltest.Faults{})

		cfg := call.Config{Store: h.store}
		withFlows(t, deps, flows)(&cfg)
		engine, stop := calltest.Run(t, h.net, cfg)
		f := mustFlow(t, action.Builtin(*deps), flows["start"])
		before := len(c.Heard())
		if _, err := engine.Restore(snap, f); err != nil {
			t.Fatal(err)
		}
		if why := c.WaitEnd(t); !strings.HasPrefix(why, "BYE") {
			t.Errorf("the call ended by %q", why)
		}
		heard := c.Heard()[before:]
		half := len(heard) - 8000 // the last second is the flow's own sound, the one before it the fetched one's
		if half < 8000 || level(heard[half-7000:half-1000], 700) < 0.1 || level(heard[half+1000:], 400) < 0.1 {
			t.Errorf("heard %d samples after the change, 700 Hz %v, 400 Hz %v", len(heard), level(heard[max(0, half-7000):max(1, half-1000)], 700), level(heard[max(0, half):], 400))
		}
		stop()
		if len(w.all()) != 1 {
			t.Errorf("fetched %d times", len(w.all()))
		}
	})
}

// TestFlowHandsTheWholeCallOn reads voipbin.flow.reference_data: the call as it stands then.
func TestFlowHandsTheWholeCallOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &web{}
		h := open(t, nil, withFlows(t, &action.Deps{HTTP: w}, map[string]string{
			"start": `{"id":"f-1","actions":[{"type":"answer"},{"type":"webhook_send","option":{"uri":"https://x/","sync":true,"data":"${voipbin.flow.reference_data}"}}]}`,
		}))
		calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100").WaitEnd(t)
		rec := h.records(t)[0]
		var got store.Call
		if err := json.Unmarshal([]byte(w.all()[0]), &got); err != nil {
			t.Fatal(err)
		}
		if got.ID != rec.ID || got.Status != store.StatusProgressing || got.FlowID != "f-1" {
			t.Errorf("got %+v", got)
		}
	})
}
