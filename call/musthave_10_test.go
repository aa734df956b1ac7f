package call_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/media/wav"
	"github.com/callbin/callbin/store"
)

// TestMustHave10Recording: calls and conferences are recorded from the flow and by the program; each recording has its statuses, its files,
// and a flow that runs after it.
func TestMustHave10Recording(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &web{}
		h := open(t, nil, withFlows(t, &action.Deps{HTTP: w, Prompts: tonePrompts{}}, map[string]string{
			"start": `[{"type":"answer"},{"type":"recording_start","option":{"format":"wav","on_end_flow_id":"after"}},{"type":"sleep","option":{"duration":2000}},{"type":"recording_stop"},
				{"type":"conference_join","option":{"conference_id":"team"}}]`,
			"after": `[{"type":"webhook_send","option":{"uri":"http://x/","data":"${voipbin.recording.id}"}}]`,
		}))
		room, err := h.CreateConference(call.ConferenceOptions{ID: "team"})
		if err != nil {
			t.Fatal(err)
		}
		c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		c.Say(calltest.Tone(500, 10*time.Second))
		time.Sleep(time.Second)
		var leg *call.Call
		for leg = range h.Calls() {
		}
		ids := leg.RecordingIDs()
		if rec, err := h.store.Recording(t.Context(), ids[0]); err != nil || rec.Status != store.RecordingRecording || leg.Record().RecordingID != ids[0] {
			t.Errorf("while it runs: %+v, %v", rec, err)
		}
		time.Sleep(2 * time.Second)
		own, err := leg.StartRecording(t.Context(), action.RecordOptions{OnEndFlowID: "after"}) // by the program
		if err != nil {
			t.Fatal(err)
		}
		ofRoom, err := room.StartRecording(t.Context(), action.RecordOptions{OnEndFlowID: "after"})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if err := leg.StopRecording(t.Context()); err != nil {
			t.Error(err)
		}
		if err := room.StopRecording(t.Context()); err != nil {
			t.Error(err)
		}
		c.Hangup(t)
		h.stop()
		want := []string{ids[0], own, ofRoom}
		list, _, err := h.store.ListRecordings(t.Context(), store.RecordingFilter{})
		if err != nil || len(list) != 3 {
			t.Fatalf("%d recordings, %v", len(list), err)
		}
		for _, r := range list {
			if r.Status != store.RecordingEnded || len(r.Files) != 1 || r.Files[0].Bytes < 30000 || r.DurationMS < 1900 || r.DurationMS > 2100 || !slices.Contains(want, r.ID) {
				t.Errorf("%+v", r)
			}
			if src := soundOf(t, h, r); !calltest.Hears(src, 500) {
				t.Errorf("the caller is not in the file of %+v", r)
			}
		}
		told := w.all()
		slices.Sort(told)
		slices.Sort(want)
		if !slices.Equal(told, want) {
			t.Errorf("flows ran after %v, want after %v", told, want)
		}
		if got := h.eventTypes(); !slices.Contains(got, "recording_started") || !slices.Contains(got, "recording_finished") {
			t.Errorf("events %v", got)
		}
	})
}

// soundOf is what is heard in a recording.
func soundOf(t *testing.T, h *house, r store.Recording) []int16 {
	t.Helper()
	blob, err := h.store.OpenBlob(t.Context(), r.Files[0].Name)
	if err != nil {
		t.Fatal(err)
	}
	defer blob.Close()
	clip, err := wav.Decode(blob, wav.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return clip.PCM()
}
