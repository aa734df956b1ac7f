package storetest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/callbin/callbin/store"
)

// directory returns s as a store.Directory; tests of others pass.
func directory(t *testing.T, s store.Store) store.Directory {
	t.Helper()
	db, ok := s.(store.Directory)
	if !ok {
		t.Skip("not a store.Directory")
	}
	return db
}

func putEntry(t *testing.T, db store.Directory, e store.Entry) store.Entry {
	t.Helper()
	got, err := db.PutEntry(t.Context(), e)
	if err != nil {
		t.Fatalf("PutEntry(%+v): %v", e, err)
	}
	return got
}

func testEntries(t *testing.T, s store.Store) {
	db := directory(t, s)
	_, err := db.Entry(t.Context(), "phone", "a")
	wantErr(t, err, store.ErrNotFound, "Entry of an unknown id")
	wantErr(t, db.DeleteEntry(t.Context(), "phone", "a"), store.ErrNotFound, "DeleteEntry of an unknown id")
	for what, bad := range map[string]store.Entry{
		"no id": {Kind: "phone"}, "no kind": {ID: "a"}, "a bad name": {Kind: "phone", ID: "a", Name: "x\x00"},
		"a body that is no JSON": {Kind: "phone", ID: "a", Body: []byte("{")}, "a negative revision": {Kind: "phone", ID: "a", Rev: -1},
	} {
		_, err := db.PutEntry(t.Context(), bad)
		wantErr(t, err, store.ErrInvalid, "PutEntry with "+what)
	}
	body := []byte("{\"name\":\"<'日本🎧\",\n \"n\":18446744073709551615}")
	var ids []string
	for i := range 5 {
		e := putEntry(t, db, store.Entry{Kind: "phone", ID: fmt.Sprint(i), Name: fmt.Sprintf("name %d", i), Body: body})
		if e.Rev != 1 || e.TmCreate.IsZero() || e.TmCreate != e.TmUpdate {
			t.Errorf("PutEntry: %+v", e)
		}
		ids = append([]string{e.ID}, ids...)
		got, err := db.Entry(t.Context(), "phone", e.ID)
		if d := cmp.Diff(e, got); err != nil || d != "" {
			t.Errorf("Entry: %v (-want +got):\n%s", err, d)
		}
		if want := strings.ReplaceAll(string(body), "\n ", ""); string(got.Body) != want {
			t.Errorf("body %s, want %s", got.Body, want)
		}
		got.Body[0] = 'x' // it is the caller's
	}
	putEntry(t, db, store.Entry{Kind: "queue", ID: "0", Name: "name 0"}) // another kind is another world
	pages := func(f store.EntryFilter, want ...string) {
		t.Helper()
		wantPages(t, func(size int, token string) ([]store.Entry, string, error) {
			f.PageSize, f.PageToken = size, token
			return db.ListEntries(t.Context(), f)
		}, func(e store.Entry) string { return e.ID }, want...)
	}
	pages(store.EntryFilter{Kind: "phone"}, ids...)
	pages(store.EntryFilter{Kind: "phone", Name: "name 3"}, "3")
	pages(store.EntryFilter{Kind: "phone", Name: "name"})
	pages(store.EntryFilter{Kind: "queue"}, "0")
	pages(store.EntryFilter{Kind: "none"})
	if err := db.DeleteEntry(t.Context(), "phone", "3"); err != nil {
		t.Fatal(err)
	}
	_, err = db.Entry(t.Context(), "phone", "3")
	wantErr(t, err, store.ErrNotFound, "Entry after DeleteEntry")
	pages(store.EntryFilter{Kind: "phone"}, "4", "2", "1", "0")
}

func testEntryRevisions(t *testing.T, s store.Store) {
	db := directory(t, s)
	_, err := db.PutEntry(t.Context(), store.Entry{Kind: "phone", ID: "a", Rev: 1})
	wantErr(t, err, store.ErrConflict, "PutEntry of revision 1 where none is stored")
	first := putEntry(t, db, store.Entry{Kind: "phone", ID: "a", Name: "one"})
	_, err = db.PutEntry(t.Context(), store.Entry{Kind: "phone", ID: "a", Name: "again"})
	wantErr(t, err, store.ErrConflict, "PutEntry of a new entry whose id is taken")
	second := first
	second.Name = "two"
	if second = putEntry(t, db, second); second.Rev != 2 || second.TmCreate != first.TmCreate {
		t.Errorf("PutEntry = %+v; want revision 2 made at %s", second, first.TmCreate)
	}
	_, err = db.PutEntry(t.Context(), first)
	wantErr(t, err, store.ErrConflict, "PutEntry of a stale revision")
	if got, err := db.Entry(t.Context(), "phone", "a"); err != nil || got.Name != "two" {
		t.Errorf("Entry = %+v, %v; want the second", got, err)
	}

	// A name that was given up is free, one that is held is not.
	other := putEntry(t, db, store.Entry{Kind: "phone", ID: "b", Name: "one"})
	_, err = db.PutEntry(t.Context(), store.Entry{Kind: "phone", ID: "c", Name: "two"})
	wantErr(t, err, store.ErrConflict, "PutEntry of a new entry whose name is taken")
	other.Name = "two"
	_, err = db.PutEntry(t.Context(), other)
	wantErr(t, err, store.ErrConflict, "PutEntry of a change to a name that is taken")
	if err := db.DeleteEntry(t.Context(), "phone", "a"); err != nil {
		t.Fatal(err)
	}
	putEntry(t, db, other)
	for _, id := range []string{"x", "y"} {
		putEntry(t, db, store.Entry{Kind: "phone", ID: id}) // no name is no name's double
	}
}

func testEntryWritersRace(t *testing.T, s store.Store) {
	db := directory(t, s)
	const writers = 8
	errs := make(chan error, writers)
	for i := range writers {
		go func() {
			_, err := db.PutEntry(t.Context(), store.Entry{Kind: "phone", ID: fmt.Sprint(i), Name: "200"})
			errs <- err
		}()
	}
	won := 0
	for range writers {
		if err := <-errs; err == nil {
			won++
		} else {
			wantErr(t, err, store.ErrConflict, "PutEntry that lost")
		}
	}
	if won != 1 {
		t.Errorf("%d of %d writers have the name, want 1", won, writers)
	}
}

// wantEntryErr wants the same error of all methods.
func wantEntryErr(t *testing.T, ctx context.Context, s store.Store, want error) {
	t.Helper()
	db, ok := s.(store.Directory)
	if !ok {
		return
	}
	_, put := db.PutEntry(ctx, store.Entry{Kind: "phone", ID: "new"})
	_, get := db.Entry(ctx, "phone", "a")
	_, _, list := db.ListEntries(ctx, store.EntryFilter{Kind: "phone"})
	for what, err := range map[string]error{"PutEntry": put, "Entry": get, "ListEntries": list, "DeleteEntry": db.DeleteEntry(ctx, "phone", "a")} {
		wantErr(t, err, want, what)
	}
}

// leaveEntry stores an entry, if s can; the result looks for it in a store that was opened again.
func leaveEntry(t *testing.T, s store.Store) (wanted func(t *testing.T, s store.Store)) {
	t.Helper()
	db, ok := s.(store.Directory)
	if !ok {
		return func(*testing.T, store.Store) {}
	}
	e := putEntry(t, db, store.Entry{Kind: "phone", ID: "kept", Name: "200", Body: []byte(`{"ha1":{"MD5":"x"}}`)})
	return func(t *testing.T, s store.Store) {
		t.Helper()
		got, err := s.(store.Directory).Entry(t.Context(), "phone", "kept")
		if d := cmp.Diff(e, got); err != nil || d != "" {
			t.Errorf("Entry after a second open: %v (-want +got):\n%s", err, d)
		}
	}
}
