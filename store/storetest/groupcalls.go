package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/store"
)

// fullGroupcall has every field set, so that a driver that forgets one is found.
func fullGroupcall(id string) store.Groupcall {
	return store.Groupcall{
		ID: id, CustomerID: "cu", Status: store.GroupcallHangup, FlowID: "fl",
		Source: address.Address{Type: address.TypeTel, Target: "+4930901820", TargetName: "tn", Name: "Jürgen 日本", Detail: "de"},
		Destinations: []address.Address{
			{Type: address.TypeExtension, Target: "2001", TargetName: "two", Name: "n", Detail: "d"}, {Type: address.TypeSIP, Target: "b@example.com"},
		},
		MasterCallID: "c1", MasterGroupcallID: "g0", RingMethod: store.RingLinear, AnswerMethod: store.AnswerHangupOthers,
		AnswerCallID: "l2", CallIDs: []string{"l1", "l2"}, AnswerGroupcallID: "g2", GroupcallIDs: []string{"g1", "g2"},
		CallCount: 1, GroupcallCount: 2, DialIndex: 3,
		TmCreate: at(0), TmProgressing: at(time.Second), TmHangup: at(2 * time.Second), TmUpdate: at(3 * time.Second),
		JourneyID: "jo", Metadata: map[string]string{"ключ": "значение"}, Code: "answered", Sentence: "It was <answered>.",
	}
}

func testGroupcalls(t *testing.T, s store.Store) {
	_, err := s.Groupcall(t.Context(), "a")
	wantErr(t, err, store.ErrNotFound, "Groupcall of an unknown id")
	wantErr(t, s.DeleteGroupcall(t.Context(), "a"), store.ErrNotFound, "DeleteGroupcall of an unknown id")
	wantErr(t, s.PutGroupcall(t.Context(), store.Groupcall{ID: "a"}), store.ErrInvalid, "PutGroupcall without a time")
	wantErr(t, s.PutGroupcall(t.Context(), store.Groupcall{TmCreate: at(0)}), store.ErrInvalid, "PutGroupcall without an id")
	full := fullGroupcall("a")
	for _, g := range []store.Groupcall{{ID: "a", TmCreate: at(0)}, full, full} {
		if err := s.PutGroupcall(t.Context(), g); err != nil {
			t.Fatal(err)
		}
		got, err := s.Groupcall(t.Context(), "a")
		if d := cmp.Diff(clean(t, g), got); err != nil || d != "" {
			t.Errorf("Groupcall: %v (-want +got):\n%s", err, d)
		}
	}
	for i := range 5 {
		g := store.Groupcall{ID: fmt.Sprint(i), TmCreate: at(time.Second), Status: store.GroupcallProgressing, MasterCallID: fmt.Sprint("c", i%2)}
		if err := s.PutGroupcall(t.Context(), g); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		f    store.GroupcallFilter
		want []string
	}{
		{store.GroupcallFilter{}, []string{"4", "3", "2", "1", "0", "a"}},
		{store.GroupcallFilter{MasterCallID: "c1"}, []string{"3", "1", "a"}},
		{store.GroupcallFilter{MasterCallID: "c1", Status: store.GroupcallHangup}, []string{"a"}},
		{store.GroupcallFilter{JourneyID: "jo"}, []string{"a"}},
		{store.GroupcallFilter{Since: at(time.Microsecond)}, []string{"4", "3", "2", "1", "0"}},
		{store.GroupcallFilter{Until: at(time.Second)}, []string{"a"}},
	} {
		wantPages(t, func(size int, token string) ([]store.Groupcall, string, error) {
			c.f.PageSize, c.f.PageToken = size, token
			return s.ListGroupcalls(t.Context(), c.f)
		}, func(g store.Groupcall) string { return g.ID }, c.want...)
	}
	if err := s.DeleteGroupcall(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	_, err = s.Groupcall(t.Context(), "a")
	wantErr(t, err, store.ErrNotFound, "Groupcall after DeleteGroupcall")
}
