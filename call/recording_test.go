package call_test

import (
	"context"
	"encoding/binary"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/media/tone"
	"github.com/callbin/callbin/store"
)

// stereo reads both channels of the recording that the call r refers to.
func stereo(t *testing.T, h *house, r store.Call) (left, right []int16, rec store.Recording) {
	t.Helper()
	if len(r.RecordingIDs) != 1 {
		t.Fatalf("recordings %v, want one", r.RecordingIDs)
	}
	rec, err := h.store.Recording(t.Context(), r.RecordingIDs[0])
	if err != nil {
		t.Fatal(err)
	}
	blob, err := h.store.OpenBlob(t.Context(), rec.Files[0].Name)
	if err != nil {
		t.Fatal(err)
	}
	defer blob.Close()
	b, err := io.ReadAll(blob)
	if err != nil || len(b) < 44 || string(b[:4]) != "RIFF" || binary.LittleEndian.Uint16(b[22:]) != 2 {
		t.Fatalf("no WAV file of two channels: %v, %.44q", err, b)
	}
	for b = b[44:]; len(b) >= 4; b = b[4:] {
		left = append(left, int16(binary.LittleEndian.Uint16(b)))
		right = append(right, int16(binary.LittleEndian.Uint16(b[2:])))
	}
	return left, right, rec
}

func TestRecordingHoldsEachSideOnItsChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"answer"},
			{"type":"recording_start","option":{"format":"wav"}},
			{"type":"play","option":{"stream_urls":["http://tone/700","http://tone/700","http://tone/700"]}},
			{"type":"recording_stop"},{"type":"sleep","option":{"duration":100}}]`})
		c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		c.Say(tone.Sine(400, 4*time.Second).Clip(8000).PCM())
		c.WaitEnd(t)
		left, right, rec := stereo(t, h, h.records(t)[0])
		if d := len(left); d < 24000-800 || d > 24000+800 || len(right) != d {
			t.Errorf("%d and %d samples, want 24000 within 100 ms", len(left), len(right))
		}
		mid := func(pcm []int16) []int16 { return pcm[2000 : len(pcm)-2000] }
		if l, other := level(mid(left), 400), level(mid(left), 700); l < 0.1 || other > l/100 {
			t.Errorf("left: 400 Hz at %v, 700 Hz at %v: want the caller's 400 only", l, other)
		}
		if l, other := level(mid(right), 700), level(mid(right), 400); l < 0.1 || other > l/100 {
			t.Errorf("right: 700 Hz at %v, 400 Hz at %v: want our 700 only", l, other)
		}
		if rec.Status != store.RecordingEnded || rec.Code != "stop" || rec.Files[0].Bytes != int64(44+4*len(left)) || rec.DurationMS < 2900 {
			t.Errorf("record: %+v", rec)
		}
	})
}

func TestRecordingEnds(t *testing.T) {
	for name, tc := range map[string]struct {
		option string
		press  string
		code   string
		least  int64 // ms
		most   int64
	}{
		"by a key":        {`{"format":"wav","end_of_key":"#"}`, "5#", "stop", 200, 1500},
		"by duration":     {`{"format":"wav","duration":2}`, "", "duration", 2000, 2000},
		"by silence":      {`{"format":"wav","end_of_silence":3}`, "", "silence", 2900, 3300},
		"by the hang-up":  {`{"format":"wav"}`, "", "hangup", 9000, 10300},
		"not by that key": {`{"format":"wav","end_of_key":"*"}`, "#", "hangup", 9000, 10300},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"recording_start","option":` + tc.option + `},{"type":"sleep","option":{"duration":10000}}]`})
				c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
				c.Press(tc.press)
				c.WaitEnd(t)
				_, _, rec := stereo(t, h, h.records(t)[0])
				if rec.Code != tc.code || rec.DurationMS < tc.least || rec.DurationMS > tc.most {
					t.Errorf("ended by %q after %d ms, want %q after %d to %d", rec.Code, rec.DurationMS, tc.code, tc.least, tc.most)
				}
			})
		})
	}
}

func TestOnEndFlowFollowsTheRecording(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		got := map[string]string{}
		h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"variable_set","option":{"key":"who","value":"me"}},
			{"type":"recording_start","option":{"format":"wav","on_end_flow_id":"after"}},{"type":"sleep","option":{"duration":1000}}]`},
			func(cfg *call.Config) {
				cfg.FlowByID = func(_ context.Context, id string) (flow.Program, error) {
					return flow.Func(func(_ context.Context, leg action.Leg) error {
						mu.Lock()
						defer mu.Unlock()
						got[id] = leg.Vars().Substitute("${who} ${voipbin.recording.id} ${voipbin.activeflow.reference_type}")
						return nil
					}), nil
				}
			})
		calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100").WaitEnd(t)
		r := h.records(t)[0]
		if want := "me " + r.RecordingIDs[0] + " recording"; got["after"] != want {
			t.Errorf("the flow saw %q, want %q", got["after"], want)
		}
	})
}
