package call_test

import (
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/store"
)

const roomThenTone = `[{"type":"conference_join","option":{"conference_id":"team"}},{"type":"play","option":{"stream_urls":["http://tone/400"]}}]`

// conferenceEvents are the events of conferences and stays, in order.
func (h *house) conferenceEvents() (types []string) {
	for _, e := range h.eventTypes() {
		if strings.HasPrefix(e, "conference") {
			types = append(types, e)
		}
	}
	return types
}

func TestConferenceKickAndTerminate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": roomThenTone})
		f, err := h.CreateConference(call.ConferenceOptions{ID: "team", Name: "Team", Data: map[string]string{"k": "v"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.CreateConference(call.ConferenceOptions{ID: "team"}); !errors.Is(err, call.ErrConferenceExists) {
			t.Errorf("a second one of that id: %v", err)
		}
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		b := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		time.Sleep(time.Second)
		stays := f.Calls()
		if len(stays) != 2 || stays[0].Status != store.ConferencecallJoined || len(f.Record().ConferencecallIDs) != 2 || f.Record().Status != store.ConferenceProgressing {
			t.Fatalf("%+v of %+v", stays, f.Record())
		}
		if err := f.Kick(stays[0].ReferenceID); err != nil {
			t.Error(err)
		}
		a.WaitEnd(t)
		if !calltest.Hears(a.Heard(), 400) {
			t.Error("the flow of who was kicked does not go on")
		}
		if err := f.Kick(stays[0].ID); !errors.Is(err, call.ErrNotInConference) {
			t.Errorf("kicked twice: %v", err)
		}
		f.Terminate()
		<-f.Done()
		b.WaitEnd(t)
		if !calltest.Hears(b.Heard(), 400) {
			t.Error("the flow does not go on after the end of the conference")
		}
		if r := f.Record(); r.Status != store.ConferenceTerminated || r.TmEnd.IsZero() || r.Name != "Team" || r.Data["k"] != "v" {
			t.Errorf("record %+v", r)
		}
		if _, ok := h.Conference("team"); ok {
			t.Error("the conference is still there")
		}
		h.stop()
		want := []string{"conference_created", "conferencecall_joining", "conferencecall_joined", "conferencecall_joining", "conferencecall_joined",
			"conferencecall_leaving", "conferencecall_leaved", "conference_updated", "conferencecall_leaved", "conference_deleted"}
		got := h.conferenceEvents()
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("events %v", got)
		}
	})
}

func TestConferenceTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": roomThenTone})
		f, err := h.CreateConference(call.ConferenceOptions{ID: "team", Timeout: 30 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		<-f.Done()
		if took := time.Since(begun); took < 30*time.Second || took > 30100*time.Millisecond {
			t.Errorf("it ended after %v", took)
		}
		a.WaitEnd(t)
	})
}

// TestRoomsOfTheMoment come into being when they are joined, where the engine allows, and end with their last member.
func TestRoomsOfTheMoment(t *testing.T) {
	for _, open_ := range []bool{true, false} {
		for _, kind := range []string{"conference", "confbridge"} {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"` + kind + `_join","option":{"` + kind + `_id":"x"}}]`},
					func(c *call.Config) { c.OpenRooms = open_ })
				for range 2 {
					a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
					time.Sleep(time.Second)
					select {
					case <-a.Done():
						if open_ {
							t.Error("nobody may join")
						}
					default:
						if !open_ {
							t.Error("a room that nobody made can be joined")
						}
						a.Hangup(t)
					}
					time.Sleep(time.Second)
					for f := range h.Conferences() {
						t.Errorf("room %s is left", f.ID())
					}
				}
				r := h.records(t)[0]
				if fatal := r.Code == call.CodeFlowFailed; fatal != (!open_ && kind == "conference") {
					t.Errorf("%s, open %v: the call ended by %s", kind, open_, r.Code)
				}
			})
		}
	}
}

func TestConferenceIsRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": roomThenTone})
		f, err := h.CreateConference(call.ConferenceOptions{ID: "team"})
		if err != nil {
			t.Fatal(err)
		}
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		b := calltest.NewPhone(t, h.net, calltest.PhoneConfig{PCMA: true}).Dial(t, "100")
		id, err := f.StartRecording(t.Context(), action.RecordOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.StartRecording(t.Context(), action.RecordOptions{}); err == nil {
			t.Error("two recordings at once")
		}
		a.Say(calltest.Tone(500, 2*time.Second))
		b.Say(calltest.Tone(800, 2*time.Second))
		time.Sleep(2500 * time.Millisecond)
		if err := f.StopRecording(t.Context()); err != nil {
			t.Error(err)
		}
		rec, err := h.store.Recording(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if rec.Status != store.RecordingEnded || rec.ReferenceType != store.ReferenceConfbridge || rec.ReferenceID != "team" || rec.DurationMS < 2300 || rec.DurationMS > 2600 {
			t.Errorf("record %+v", rec)
		}
		blob, err := h.store.OpenBlob(t.Context(), rec.Files[0].Name)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(blob)
		if err != nil {
			t.Fatal(err)
		}
		if err := blob.Close(); err != nil {
			t.Error(err)
		}
		if channels := binary.LittleEndian.Uint16(data[22:]); channels != 1 {
			t.Errorf("%d channels", channels)
		}
		pcm := make([]int16, (len(data)-44)/2)
		for i := range pcm {
			pcm[i] = int16(binary.LittleEndian.Uint16(data[44+2*i:]))
		}
		if !calltest.Hears(pcm, 500) || !calltest.Hears(pcm, 800) {
			t.Error("not both are in the recording")
		}
		f.Terminate()
		a.WaitEnd(t)
		b.WaitEnd(t)
	})
}

// TestBridgedCallIsRecorded records a caller while it talks to another: left it, right whom it hears; and the bridge
// goes back to passing packets after it.
func TestBridgedCallIsRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"recording_start","option":{"duration":2}},` + connectTo("", "", 1)[1:]}, outbound)
		bob := callee(t, h, 1)
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
		b := bob.WaitCall(t)
		b.Answer()
		a.WaitAnswer(t)
		a.Say(calltest.Tone(500, 4*time.Second))
		b.Say(calltest.Tone(800, 4*time.Second))
		time.Sleep(4 * time.Second)
		for who, p := range map[string]*calltest.PhoneCall{"caller": a, "called one": b} {
			ps := p.Packets()
			for i := 1; i < len(ps); i++ {
				if ps[i].PayloadType == ps[i-1].PayloadType && (ps[i].Sequence != ps[i-1].Sequence+1 || ps[i].SSRC != ps[i-1].SSRC || ps[i].Timestamp == ps[i-1].Timestamp) {
					t.Fatalf("the %s's stream breaks at packet %d of %d: %+v after %+v", who, i, len(ps), ps[i], ps[i-1])
				}
			}
		}
		a.Hangup(t)
		in, _ := byDirection(t, h)
		rec, err := h.store.Recording(t.Context(), in.RecordingIDs[0])
		if err != nil || rec.DurationMS != 2000 {
			t.Fatalf("recording %+v, %v", rec, err)
		}
	})
}
