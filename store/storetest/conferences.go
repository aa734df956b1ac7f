package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callbin/callbin/store"
)

// fullConference has every field set, so that a driver that forgets one is found.
func fullConference(id string) store.Conference {
	return store.Conference{
		ID: id, CustomerID: "cu", Type: store.TypeConference, Status: store.ConferenceTerminated, Name: "Jürgen 日本", Detail: "de",
		Data: map[string]string{"ключ": "значение"}, Timeout: 60, PreFlowID: "pre", PostFlowID: "post", ConferencecallIDs: []string{"s1", "s2"},
		RecordingID: "r2", RecordingIDs: []string{"r1", "r2"}, TmEnd: at(time.Minute), TmCreate: at(0), TmUpdate: at(time.Second),
		Locked: true, PIN: true, OnHold: true, MaxMembers: 7, MostCalls: 3, AllCalls: 5, Code: "timeout",
	}
}

// fullStay is the same of a stay.
func fullStay(id string) store.Conferencecall {
	return store.Conferencecall{
		ID: id, CustomerID: "cu", ActiveflowID: "af", ConferenceID: "room ✓", ReferenceType: store.ReferenceCall, ReferenceID: "c1",
		Status: store.ConferencecallLeaved, TmCreate: at(0), TmUpdate: at(time.Second), JourneyID: "jo", Role: store.RoleModerator,
		Muted: true, Deaf: true, Code: "kicked", TalkMS: 1234, TmJoined: at(time.Second), TmLeaved: at(time.Minute),
	}
}

// testConferences is for drivers that are store.Conferences; others pass.
func testConferences(t *testing.T, s store.Store) {
	d, ok := s.(store.Conferences)
	if !ok {
		t.Skip("not a store.Conferences")
	}
	_, err := d.Conference(t.Context(), "a")
	wantErr(t, err, store.ErrNotFound, "Conference of an unknown id")
	wantErr(t, d.DeleteConference(t.Context(), "a"), store.ErrNotFound, "DeleteConference of an unknown id")
	wantErr(t, d.PutConference(t.Context(), store.Conference{ID: "a"}), store.ErrInvalid, "PutConference without a time")
	wantErr(t, d.PutConference(t.Context(), store.Conference{TmCreate: at(0)}), store.ErrInvalid, "PutConference without an id")
	full := fullConference("a")
	for _, c := range []store.Conference{{ID: "a", TmCreate: at(0)}, full, full} {
		if err := d.PutConference(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		got, err := d.Conference(t.Context(), "a")
		if d := cmp.Diff(clean(t, c), got); err != nil || d != "" {
			t.Errorf("Conference: %v (-want +got):\n%s", err, d)
		}
	}
	for i := range 5 {
		c := store.Conference{ID: fmt.Sprint(i), TmCreate: at(time.Second), Status: store.ConferenceProgressing, Name: fmt.Sprint("n", i%2)}
		if err := d.PutConference(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		f    store.ConferenceFilter
		want []string
	}{
		{store.ConferenceFilter{}, []string{"4", "3", "2", "1", "0", "a"}},
		{store.ConferenceFilter{Name: "n1"}, []string{"3", "1"}},
		{store.ConferenceFilter{Name: "Jürgen 日本", Status: store.ConferenceTerminated}, []string{"a"}},
		{store.ConferenceFilter{Since: at(time.Microsecond)}, []string{"4", "3", "2", "1", "0"}},
		{store.ConferenceFilter{Until: at(time.Second)}, []string{"a"}},
	} {
		wantPages(t, func(size int, token string) ([]store.Conference, string, error) {
			c.f.PageSize, c.f.PageToken = size, token
			return d.ListConferences(t.Context(), c.f)
		}, func(r store.Conference) string { return r.ID }, c.want...)
	}
	if err := d.DeleteConference(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	_, err = d.Conference(t.Context(), "a")
	wantErr(t, err, store.ErrNotFound, "Conference after DeleteConference")
}

// testStays is for drivers that are store.Conferences; others pass.
func testStays(t *testing.T, s store.Store) {
	d, ok := s.(store.Conferences)
	if !ok {
		t.Skip("not a store.Conferences")
	}
	_, err := d.Conferencecall(t.Context(), "a")
	wantErr(t, err, store.ErrNotFound, "Conferencecall of an unknown id")
	wantErr(t, d.DeleteConferencecall(t.Context(), "a"), store.ErrNotFound, "DeleteConferencecall of an unknown id")
	wantErr(t, d.PutConferencecall(t.Context(), store.Conferencecall{ID: "a"}), store.ErrInvalid, "PutConferencecall without a time")
	wantErr(t, d.PutConferencecall(t.Context(), store.Conferencecall{TmCreate: at(0)}), store.ErrInvalid, "PutConferencecall without an id")
	full := fullStay("a")
	for _, c := range []store.Conferencecall{{ID: "a", TmCreate: at(0)}, full, full} {
		if err := d.PutConferencecall(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		got, err := d.Conferencecall(t.Context(), "a")
		if d := cmp.Diff(clean(t, c), got); err != nil || d != "" {
			t.Errorf("Conferencecall: %v (-want +got):\n%s", err, d)
		}
	}
	for i := range 5 {
		c := store.Conferencecall{ID: fmt.Sprint(i), TmCreate: at(time.Second), ConferenceID: fmt.Sprint("room", i%2), ReferenceID: fmt.Sprint("c", i)}
		if err := d.PutConferencecall(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		f    store.ConferencecallFilter
		want []string
	}{
		{store.ConferencecallFilter{}, []string{"4", "3", "2", "1", "0", "a"}},
		{store.ConferencecallFilter{ConferenceID: "room1"}, []string{"3", "1"}},
		{store.ConferencecallFilter{ReferenceID: "c1"}, []string{"1", "a"}},
		{store.ConferencecallFilter{JourneyID: "jo", ConferenceID: "room ✓"}, []string{"a"}},
		{store.ConferencecallFilter{Since: at(time.Microsecond)}, []string{"4", "3", "2", "1", "0"}},
		{store.ConferencecallFilter{Until: at(time.Second)}, []string{"a"}},
	} {
		wantPages(t, func(size int, token string) ([]store.Conferencecall, string, error) {
			c.f.PageSize, c.f.PageToken = size, token
			return d.ListConferencecalls(t.Context(), c.f)
		}, func(r store.Conferencecall) string { return r.ID }, c.want...)
	}
	if err := d.DeleteConferencecall(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	_, err = d.Conferencecall(t.Context(), "a")
	wantErr(t, err, store.ErrNotFound, "Conferencecall after DeleteConferencecall")
}
