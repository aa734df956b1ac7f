package action

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOnlyAnUnknownConferenceIsFatal(t *testing.T) {
	a := &conferenceJoin{ConferenceID: "sales"}
	for err, fatal := range map[error]bool{nil: false, errOops: false, fmt.Errorf("sales: %w", ErrNoConference): true} {
		_, got := a.Run(t.Context(), &joiner{err: err})
		if !errors.Is(got, err) || IsFatal(got) != fatal {
			t.Errorf("leg: %v, action: %v", err, got)
		}
	}
}

func TestConferenceJoinTellsWhatCameOfIt(t *testing.T) {
	for _, c := range []struct {
		got    Conferenced
		result map[string]string
		push   *Push
	}{
		{Conferenced{}, map[string]string{"status": "ok"}, nil},
		{Conferenced{Status: "wrong_pin", Role: "participant", ConferencecallID: "s"},
			map[string]string{"status": "wrong_pin", "role": "participant", "conferencecall_id": "s"}, nil},
		{Conferenced{Status: "ok", Joined: true, EndedBy: "kicked", Stay: 1500 * time.Millisecond, After: "post"},
			map[string]string{"status": "ok", "ended_by": "kicked", "stay_ms": "1500"}, &Push{FlowID: "post"}},
		{Conferenced{Before: "pre"}, nil, &Push{Actions: []byte(
			`[{"option":{"flow_id":"pre"},"type":"fetch_flow"},{"option":{"conference_id":"${voipbin.conference.id}","role":"listener","skip_pre_flow":true},"type":"conference_join"}]`)}},
	} {
		j := &joiner{conferenced: c.got}
		o, err := (&conferenceJoin{ConferenceID: "sales", Role: "listener"}).Run(t.Context(), j)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(Outcome{Result: c.result, Push: c.push}, o); d != "" {
			t.Errorf("%+v (-want +got):\n%s", c.got, d)
		}
		want := []ConferenceOptions{{ID: "sales", Role: "listener"}}
		if d := cmp.Diff(want, j.joined); d != "" {
			t.Error(d)
		}
		if c.got.Before == "" && (j.Vars().Get(VarConferencecallStatus) != c.result["status"] || j.Vars().Get(VarConferencecallID) != c.got.ConferencecallID) {
			t.Errorf("variables %v", j.Vars().All())
		}
		if j.Vars().Get(VarConferenceID) != "sales" {
			t.Errorf("variables %v", j.Vars().All())
		}
	}
}
