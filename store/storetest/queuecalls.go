package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/store"
)

// fullQueuecall has every field set, so that a driver that forgets one is found.
func fullQueuecall(id string) store.Queuecall {
	return store.Queuecall{
		ID: id, CustomerID: "cu", QueueID: "q1", ReferenceType: store.ReferenceCall, ReferenceID: "c1", ReferenceActiveflowID: "af", Status: store.QueuecallDone,
		Source:        address.Address{Type: address.TypeTel, Target: "+4930901820", TargetName: "tn", Name: "Jürgen 日本", Detail: "de"},
		RoutingMethod: "random", TagIDs: []string{"german", "english"}, ServiceAgentID: "anna", DurationWaiting: 12, DurationService: 34,
		TmCreate: at(0), TmService: at(time.Second), TmEnd: at(2 * time.Second), TmUpdate: at(3 * time.Second),
		Priority: 7, Tries: 2, AgentCallID: "l1", CallbackCallID: "l2", JourneyID: "jo", Code: "served", Sentence: "It was <served>.",
	}
}

// putQueuecall stores q where the driver can, and looks whether it is there.
func putQueuecall(t *testing.T, s store.Store, q store.Queuecall) {
	t.Helper()
	qs, ok := s.(store.Queuecalls)
	if !ok {
		return
	}
	if err := qs.PutQueuecall(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	wantQueuecall(t, s, q)
}

func wantQueuecall(t *testing.T, s store.Store, q store.Queuecall) {
	t.Helper()
	if qs, ok := s.(store.Queuecalls); ok {
		got, err := qs.Queuecall(t.Context(), q.ID)
		if d := cmp.Diff(clean(t, q), got); err != nil || d != "" {
			t.Errorf("Queuecall: %v (-want +got):\n%s", err, d)
		}
	}
}

// testQueuecalls is for drivers that are store.Queuecalls; others pass.
func testQueuecalls(t *testing.T, s store.Store) {
	qs, ok := s.(store.Queuecalls)
	if !ok {
		t.Skip("not a store.Queuecalls")
	}
	_, err := qs.Queuecall(t.Context(), "a")
	wantErr(t, err, store.ErrNotFound, "Queuecall of an unknown id")
	wantErr(t, qs.DeleteQueuecall(t.Context(), "a"), store.ErrNotFound, "DeleteQueuecall of an unknown id")
	wantErr(t, qs.PutQueuecall(t.Context(), store.Queuecall{ID: "a"}), store.ErrInvalid, "PutQueuecall without a time")
	wantErr(t, qs.PutQueuecall(t.Context(), store.Queuecall{TmCreate: at(0)}), store.ErrInvalid, "PutQueuecall without an id")
	full := fullQueuecall("a")
	for _, q := range []store.Queuecall{{ID: "a", TmCreate: at(0)}, full, full} {
		putQueuecall(t, s, q)
	}
	for i := range 5 {
		putQueuecall(t, s, store.Queuecall{ID: fmt.Sprint(i), TmCreate: at(time.Second), Status: store.QueuecallWaiting, QueueID: fmt.Sprint("q", i%2), ReferenceID: fmt.Sprint("c", i)})
	}
	for _, c := range []struct {
		f    store.QueuecallFilter
		want []string
	}{
		{store.QueuecallFilter{}, []string{"4", "3", "2", "1", "0", "a"}},
		{store.QueuecallFilter{QueueID: "q1"}, []string{"3", "1", "a"}},
		{store.QueuecallFilter{QueueID: "q1", Status: store.QueuecallDone}, []string{"a"}},
		{store.QueuecallFilter{ReferenceID: "c1"}, []string{"1", "a"}},
		{store.QueuecallFilter{ServiceAgentID: "anna"}, []string{"a"}},
		{store.QueuecallFilter{Since: at(time.Microsecond)}, []string{"4", "3", "2", "1", "0"}},
		{store.QueuecallFilter{Until: at(time.Second)}, []string{"a"}},
	} {
		wantPages(t, func(size int, token string) ([]store.Queuecall, string, error) {
			c.f.PageSize, c.f.PageToken = size, token
			return qs.ListQueuecalls(t.Context(), c.f)
		}, func(q store.Queuecall) string { return q.ID }, c.want...)
	}
	if err := qs.DeleteQueuecall(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	_, err = qs.Queuecall(t.Context(), "a")
	wantErr(t, err, store.ErrNotFound, "Queuecall after DeleteQueuecall")
}
