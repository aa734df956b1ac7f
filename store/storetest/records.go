package storetest

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callbin/callbin/store"
)

func fullRecording(id string) store.Recording {
	return store.Recording{
		ID: id, CustomerID: "cu", ActiveflowID: "af", ReferenceType: store.ReferenceCall, ReferenceID: "c1",
		Status: store.RecordingEnded, Format: store.FormatWAV, OnEndFlowID: "fl",
		TmStart: at(1 * time.Second), TmEnd: at(2 * time.Second), TmCreate: at(0), TmUpdate: at(3 * time.Second),
		JourneyID: "jo", DurationMS: 1000, Code: "end_of_key", Sentence: "The caller pressed #.",
		Files: []store.RecordingFile{{Name: "c1/in.wav", Direction: "in", Bytes: 16044}, {Name: "c1/out.wav", Direction: "out", Bytes: 1 << 40}},
	}
}

func testRecordings(t *testing.T, s store.Store) {
	_, err := s.Recording(t.Context(), "a")
	wantErr(t, err, store.ErrNotFound, "Recording of an unknown id")
	wantErr(t, s.DeleteRecording(t.Context(), "a"), store.ErrNotFound, "DeleteRecording of an unknown id")
	wantErr(t, s.PutRecording(t.Context(), store.Recording{ID: "a"}), store.ErrInvalid, "PutRecording without a time")
	wantErr(t, s.PutRecording(t.Context(), store.Recording{ID: "a", TmCreate: at(0), Files: []store.RecordingFile{{Name: "../x"}}}),
		store.ErrInvalid, "PutRecording of a file outside")
	full := fullRecording("a")
	for _, r := range []store.Recording{{ID: "a", TmCreate: at(0)}, full, full} {
		if err := s.PutRecording(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		got, err := s.Recording(t.Context(), "a")
		if d := cmp.Diff(clean(t, r), got); err != nil || d != "" {
			t.Errorf("Recording: %v (-want +got):\n%s", err, d)
		}
	}
	for i := range 5 {
		r := store.Recording{ID: fmt.Sprint(i), TmCreate: at(time.Second), Status: store.RecordingRecording, ReferenceID: fmt.Sprint("c", i%2)}
		if err := s.PutRecording(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		f    store.RecordingFilter
		want []string
	}{
		{store.RecordingFilter{}, []string{"4", "3", "2", "1", "0", "a"}},
		{store.RecordingFilter{ReferenceID: "c1"}, []string{"3", "1", "a"}},
		{store.RecordingFilter{ReferenceID: "c1", Status: store.RecordingEnded}, []string{"a"}},
		{store.RecordingFilter{JourneyID: "jo"}, []string{"a"}},
		{store.RecordingFilter{Since: at(time.Microsecond)}, []string{"4", "3", "2", "1", "0"}},
		{store.RecordingFilter{Until: at(time.Second)}, []string{"a"}},
	} {
		for _, size := range []int{0, 2} {
			f := c.f
			f.PageSize = size
			var ids []string
			for {
				page, next, err := s.ListRecordings(t.Context(), f)
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range page {
					ids = append(ids, r.ID)
				}
				if next == "" || len(ids) > 10 {
					break
				}
				f.PageToken = next
			}
			wantIDs(t, ids, c.want...)
		}
	}
	if err := s.DeleteRecording(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	_, err = s.Recording(t.Context(), "a")
	wantErr(t, err, store.ErrNotFound, "Recording after DeleteRecording")
}

func testFlows(t *testing.T, s store.Store) {
	_, err := s.Flow(t.Context(), "a")
	wantErr(t, err, store.ErrNotFound, "Flow of an unknown id")
	wantErr(t, s.DeleteFlow(t.Context(), "a"), store.ErrNotFound, "DeleteFlow of an unknown id")
	for _, bad := range []store.Flow{{}, {ID: "a", Body: []byte("{")}, {ID: "a", Rev: -1}} {
		_, err := s.PutFlow(t.Context(), bad)
		wantErr(t, err, store.ErrInvalid, fmt.Sprintf("PutFlow(%+v)", bad))
	}
	body := json.RawMessage("{\n  \"actions\": [ {\"type\":\"talk\", \"option\":{\"text\":\"<é>\"}} ] }")
	var want []string
	for i := range 5 {
		f := store.Flow{ID: fmt.Sprint(i), Name: fmt.Sprint("n", i%2), Detail: "d", Body: body}
		got, err := s.PutFlow(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		if got.TmCreate.IsZero() || got.TmUpdate != got.TmCreate {
			t.Errorf("PutFlow = times %s and %s, want them set and equal", got.TmCreate, got.TmUpdate)
		}
		f.Rev, f.TmCreate, f.TmUpdate = 1, got.TmCreate, got.TmUpdate
		stored, err := s.Flow(t.Context(), f.ID)
		if d := cmp.Diff(f, stored); err != nil || d != "" {
			t.Errorf("Flow: %v (-want +got):\n%s", err, d)
		}
		if d := cmp.Diff(f, got); d != "" {
			t.Errorf("PutFlow (-want +got):\n%s", d)
		}
		want = append([]string{f.ID}, want...)
	}
	ids := func(f store.FlowFilter) (ids []string) {
		for range 10 {
			page, next, err := s.ListFlows(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range page {
				ids = append(ids, w.ID)
			}
			if next == "" {
				break
			}
			f.PageToken = next
		}
		return ids
	}
	wantIDs(t, ids(store.FlowFilter{}), want...)
	wantIDs(t, ids(store.FlowFilter{PageSize: 2}), want...)
	wantIDs(t, ids(store.FlowFilter{Name: "n1"}), "3", "1")
	if err := s.DeleteFlow(t.Context(), "3"); err != nil {
		t.Fatal(err)
	}
	wantIDs(t, ids(store.FlowFilter{Name: "n1"}), "1")
}

func testFlowRevisions(t *testing.T, s store.Store) {
	_, err := s.PutFlow(t.Context(), store.Flow{ID: "a", Rev: 1})
	wantErr(t, err, store.ErrConflict, "PutFlow of revision 1 where none is stored")
	first, err := s.PutFlow(t.Context(), store.Flow{ID: "a", Name: "one"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.PutFlow(t.Context(), store.Flow{ID: "a", Name: "again"})
	wantErr(t, err, store.ErrConflict, "PutFlow of a new flow whose id is taken")
	second := first
	second.Name = "two"
	second, err = s.PutFlow(t.Context(), second)
	if err != nil || second.Rev != 2 || second.TmCreate != first.TmCreate {
		t.Errorf("PutFlow = %+v, %v; want revision 2 made at %s", second, err, first.TmCreate)
	}
	_, err = s.PutFlow(t.Context(), first)
	wantErr(t, err, store.ErrConflict, "PutFlow of a stale revision")
	if got, err := s.Flow(t.Context(), "a"); err != nil || got.Name != "two" {
		t.Errorf("Flow = %+v, %v; want the second", got, err)
	}
}

func testFlowWritersRace(t *testing.T, s store.Store) {
	if _, err := s.PutFlow(t.Context(), store.Flow{ID: "a"}); err != nil {
		t.Fatal(err)
	}
	const writers = 8
	errs := make(chan error, writers)
	for range writers {
		go func() {
			_, err := s.PutFlow(t.Context(), store.Flow{ID: "a", Rev: 1})
			errs <- err
		}()
	}
	won := 0
	for range writers {
		if err := <-errs; err == nil {
			won++
		} else {
			wantErr(t, err, store.ErrConflict, "PutFlow that lost")
		}
	}
	if got, err := s.Flow(t.Context(), "a"); won != 1 || err != nil || got.Rev != 2 {
		t.Errorf("%d of %d writers won, revision %d, %v; want 1, 2", won, writers, got.Rev, err)
	}
}
