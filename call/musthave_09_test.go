package call_test

import (
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/store"
)

// TestMustHave09Conference: conferences are made by API, joined by conference_join in a plain VoIPBIN flow, mix many legs, list their
// conferencecalls, kick, end by timeout, run a pre-flow, and are recorded.
func TestMustHave09Conference(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openHall(t, call.ConferenceOptions{}, flowsByID(t, map[string]string{"welcome": `[{"type":"play","option":{"stream_urls":["http://tone/700"]}}]`}))
		if err := h.f.Update(func(o *call.ConferenceOptions) {
			o.Name, o.Timeout, o.PreFlowID, o.Data = "Team", time.Minute, "welcome", map[string]string{"k": "v"}
		}); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		hz := []float64{410, 530, 1130, 1310}
		for i := range hz {
			h.enter(hz[i], "", func(c *calltest.PhoneConfig) { c.PCMA, c.LateOffer, c.NoEvents = i%2 == 1, i == 2, i == 3 })
			if !calltest.Hears(h.members[i].Heard(), 700) {
				t.Errorf("the pre-flow does not run for member %d", i)
			}
		}
		id, err := h.f.StartRecording(t.Context(), action.RecordOptions{})
		if err != nil {
			t.Fatal(err)
		}
		h.hears("four", everybody)
		if err := h.f.Mute(h.members[3].id, true); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if err := h.f.StopRecording(t.Context()); err != nil {
			t.Fatal(err)
		}
		pcm := h.recorded(id)
		for i := range hz {
			if !calltest.Hears(pcm, hz[i]) {
				t.Errorf("the recording lacks member %d", i)
			}
		}
		if calltest.Hears(pcm[len(pcm)-4000:], hz[3]) {
			t.Error("who is muted is recorded with the room")
		}
		list := h.f.Calls()
		for i, s := range list {
			if s.Status != store.ConferencecallJoined || s.ConferenceID != "team" || s.ReferenceType != "call" || s.ReferenceID != h.members[i].id || s.ID == "" || s.Muted != (i == 3) {
				t.Errorf("conferencecall %+v", s)
			}
		}
		if r := h.f.Record(); len(list) != 4 || len(r.ConferencecallIDs) != 4 || r.Name != "Team" || r.Timeout != 60 || r.Status != "progressing" || r.Type != "conference" || r.Data["k"] != "v" {
			t.Errorf("%d calls of %+v", len(list), r)
		}
		if err := h.f.Kick(list[0].ID); err != nil {
			t.Error(err)
		}
		h.members[0].WaitEnd(t)
		if !calltest.Hears(h.members[0].Heard(), 400) {
			t.Error("the flow of who was kicked does not go on")
		}
		<-h.f.Done()
		if took := time.Since(begun); took < 59*time.Second || took > 61*time.Second {
			t.Errorf("it timed out after %v", took)
		}
		for _, a := range h.members[1:] {
			a.WaitEnd(t)
		}
		if _, ok := h.Conference("team"); ok {
			t.Error("the conference is still there")
		}
		h.stop()
		for i, a := range h.members {
			if got, want := h.cameTo(a.id), map[bool]string{true: "ok participant kicked", false: "ok participant timeout"}[i == 0]; got != want {
				t.Errorf("the flow of member %d knows %q, want %q", i, got, want)
			}
		}
		// After the end it is in the store, with all stays.
		room, err := h.store.(store.Conferences).Conference(t.Context(), "team")
		if err != nil || room.Status != "terminated" || room.Code != "timeout" || room.AllCalls != 4 || room.MostCalls != 4 || len(room.RecordingIDs) != 1 {
			t.Errorf("%+v, %v", room, err)
		}
		var statuses []string
		for _, e := range h.conferenceEvents() {
			if strings.HasPrefix(e, "conferencecall_") || e == "conference_deleted" {
				statuses = append(statuses, e)
			}
		}
		if n := len(statuses); n != 4*3+1+1+1 || statuses[n-1] != "conference_deleted" { // one leaving, one muted
			t.Errorf("events %v", statuses)
		}
		for _, s := range h.stays() {
			if s.Status != "leaved" || s.TmJoined.IsZero() || s.TmLeaved.IsZero() || s.JourneyID == "" || s.ActiveflowID == "" {
				t.Errorf("stay %+v", s)
			}
		}
	})
}

// recorded is the sound of a recording of one channel.
func (h *hall) recorded(id string) []int16 {
	h.t.Helper()
	rec, err := h.store.Recording(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	blob, err := h.store.OpenBlob(h.t.Context(), rec.Files[0].Name)
	if err != nil {
		h.t.Fatal(err)
	}
	data, err := io.ReadAll(blob)
	if err := errors.Join(err, blob.Close()); err != nil {
		h.t.Fatal(err)
	}
	pcm := make([]int16, (len(data)-44)/2)
	for i := range pcm {
		pcm[i] = int16(binary.LittleEndian.Uint16(data[44+2*i:]))
	}
	return pcm
}
