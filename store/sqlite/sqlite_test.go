package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/callbin/callbin/store"
	"github.com/callbin/callbin/store/sqlite"
	"github.com/callbin/callbin/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, dir string, opt sqlite.Options) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(filepath.Join(dir, "a b?c%41#.db"), opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	for name, opt := range map[string]sqlite.Options{"Durable": {}, "Fast": {Fast: true}, "Async": {Async: true, MaxBatch: 3}} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) store.Store { return open(t, t.TempDir(), opt) })
			storetest.RunReopen(t, func(t *testing.T, dir string) store.Store { return open(t, dir, opt) })
		})
	}
}

func call(i int) store.Call {
	return store.Call{
		ID: fmt.Sprintf("6f1c2b1e-0000-4000-8000-%012d", i), TmCreate: store.At(time.Unix(1_790_000_000, int64(i)*1000)),
		Status: store.StatusHangup, HangupReason: store.ReasonNormal, Direction: store.DirectionIncoming, JourneyID: fmt.Sprint("journey-", i/2),
		Metadata: map[string]string{"tenant": fmt.Sprint(i % 10)}, SIPCode: 200, Cause: 16, Code: "caller_hung_up", Sentence: "The caller hung up.",
	}
}

func TestFilesArePrivateAndBesideTheDatabase(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "data")
	s := open(t, dir, sqlite.Options{})
	w, err := s.CreateBlob(t.Context(), "x/y.wav")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), s.PutCall(t.Context(), call(1))); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{"": 0o700, "a b?c%41#.db": 0o600, "a b?c%41#.db-wal": 0o600, "recordings/x/y.wav": 0o600} {
		st, err := os.Stat(filepath.Join(dir, name))
		if err != nil || st.Mode().Perm() != want {
			t.Errorf("%q: %v; want mode %o", name, err, want)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestNotADatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("this is a text file, not a database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := sqlite.Open(path, sqlite.Options{})
	if !errors.Is(err, sqlite.ErrNotDatabase) || !strings.Contains(err.Error(), path) {
		t.Errorf("%v; want ErrNotDatabase with the path", err)
	}
	for _, bad := range []string{"", t.TempDir(), filepath.Join(path, "below")} {
		if s, err := sqlite.Open(bad, sqlite.Options{}); err == nil {
			_ = s.Close()
			t.Errorf("Open(%q): no error", bad)
		}
	}
}

// raw opens the file as another program would.
func raw(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	db.SetMaxOpenConns(1)
	return db
}

func TestLockedByAnother(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	s, err := sqlite.Open(path, sqlite.Options{BusyTimeout: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	other := raw(t, path)
	if _, err := other.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	if err := s.PutCall(t.Context(), call(1)); !errors.Is(err, sqlite.ErrLocked) {
		t.Errorf("PutCall: %v, want ErrLocked", err)
	}
	if _, err := sqlite.Open(path, sqlite.Options{BusyTimeout: 20 * time.Millisecond}); !errors.Is(err, sqlite.ErrLocked) || !strings.Contains(err.Error(), path) {
		t.Errorf("Open: %v, want ErrLocked with the path", err)
	}
	if _, err := s.Call(t.Context(), "x"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Call while another writes: %v, want ErrNotFound", err)
	}
	if _, err := other.Exec("COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := s.PutCall(t.Context(), call(1)); err != nil { // it heals
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	s, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := raw(t, path).Exec("UPDATE schema_version SET version = 99"); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(path, sqlite.Options{}); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("%v, want an error about a newer schema", err)
	}
}

// A file of the version before accounts keeps its calls, and gets accounts, and entries; its calls are found by their activeflows.
func TestVersion5IsBroughtForward(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	s, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	old := call(1)
	old.ActiveflowID = "af"
	if err := s.PutCall(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	if err := s.PutCall(t.Context(), call(3)); err != nil { // without one
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db := raw(t, path)
	for _, q := range []string{"DROP INDEX calls_activeflow", "ALTER TABLE calls DROP COLUMN activeflow_id", "DROP INDEX calls_account", "ALTER TABLE calls DROP COLUMN account", "DROP TABLE entries", "UPDATE schema_version SET version = 5"} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = sqlite.Open(path, sqlite.Options{}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := call(2)
	c.Account, c.Cost, c.Currency = "acc", 5, "USD"
	if err := s.PutCall(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if e, err := s.PutEntry(t.Context(), store.Entry{Kind: "phone", ID: "a"}); err != nil || e.Rev != 1 {
		t.Errorf("PutEntry: %+v, %v", e, err)
	}
	all, _, err := s.ListCalls(t.Context(), store.CallFilter{})
	mine, _, err2 := s.ListCalls(t.Context(), store.CallFilter{Account: "acc"})
	if err != nil || err2 != nil || len(all) != 3 || len(mine) != 1 || mine[0].ID != c.ID || mine[0].Cost != 5 {
		t.Errorf("%v %v: %v and of the account %v", err, err2, all, mine)
	}
	if found, _, err := s.ListCalls(t.Context(), store.CallFilter{ActiveflowID: "af"}); err != nil || len(found) != 1 || found[0].ID != old.ID {
		t.Errorf("%v: of the activeflow %v", err, found)
	}
}

// What PutCall has returned for is in the file, whatever happens to the process: a
// copy of the files as they are on disk has it.
func TestReturnedIsOnDisk(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, sqlite.Options{})
	for i := range 20 {
		if err := s.PutCall(t.Context(), call(i)); err != nil {
			t.Fatal(err)
		}
	}
	crashed := t.TempDir()
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(filepath.Join(dir, "a b?c%41#.db"+suffix))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(crashed, "a b?c%41#.db"+suffix), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, crashed, sqlite.Options{})
	page, _, err := s.ListCalls(t.Context(), store.CallFilter{})
	if err != nil || len(page) != 20 {
		t.Errorf("%d calls after the crash, %v; want 20", len(page), err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestCloseWaitsForWrites(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, sqlite.Options{Async: true})
	for i := range 500 {
		if err := s.PutCall(t.Context(), call(i)); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	s = open(t, dir, sqlite.Options{})
	defer func() { _ = s.Close() }()
	n := 0
	for f := (store.CallFilter{}); ; {
		page, next, err := s.ListCalls(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		n += len(page)
		if f.PageToken = next; next == "" {
			break
		}
	}
	if n != 500 {
		t.Errorf("%d calls after Close, want 500", n)
	}
}

func TestFiltersUseIndexes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	s, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	db := raw(t, path)
	for where, index := range map[string]string{
		"call_metadata.name = 'a' AND call_metadata.value = 'b'": "call_metadata_value",
		"status = 'x'":                          "calls_status",
		"journey_id = 'x' AND journey_id <> ''": "calls_journey",
		"((source = 'x' AND source <> '') OR (source_name = 'x' AND source_name <> ''))": "calls_source_name",
		"(tm_create, id) < (5, 'x')": "calls_tm",
	} {
		query := "SELECT body FROM calls WHERE " + where + " ORDER BY tm_create DESC, id DESC LIMIT 5"
		if strings.HasPrefix(where, "call_metadata") {
			query = "SELECT body FROM call_metadata JOIN calls ON calls.id = call_metadata.call_id WHERE " + where +
				" ORDER BY call_metadata.tm DESC, call_metadata.call_id DESC LIMIT 5"
		}
		rows, err := db.Query("EXPLAIN QUERY PLAN " + query)
		if err != nil {
			t.Fatal(err)
		}
		var plan strings.Builder
		for rows.Next() {
			var a, b, c int
			var detail string
			if err := rows.Scan(&a, &b, &c, &detail); err != nil {
				t.Fatal(err)
			}
			plan.WriteString(detail + "; ")
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(plan.String(), index) || strings.Contains(plan.String(), "TEMP B-TREE") != strings.Contains(where, " OR ") {
			t.Errorf("%s: %s; want index %s", where, plan.String(), index)
		}
	}
}

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "callbin")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	db, err := sqlite.Open(filepath.Join(dir, "callbin.db"), sqlite.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = db.Close() }()
	err = db.PutCall(context.Background(), store.Call{ID: "a", TmCreate: store.At(time.Unix(1_790_000_000, 0)), Status: store.StatusHangup})
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := db.Call(context.Background(), "a")
	fmt.Println(c.Status, c.TmCreate, err)
	// Output: hangup 2026-09-21T14:13:20.000000Z <nil>
}

func benchmarkPut(b *testing.B, goroutines int, opt sqlite.Options) {
	s := open(b, b.TempDir(), opt)
	defer func() { _ = s.Close() }()
	b.ResetTimer()
	work := make(chan int)
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for i := range work {
				if err := s.PutCall(b.Context(), call(i)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for i := range b.N {
		work <- i
	}
	close(work)
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

func BenchmarkPutCall(b *testing.B)              { benchmarkPut(b, 1, sqlite.Options{}) }
func BenchmarkPutCall100Concurrent(b *testing.B) { benchmarkPut(b, 100, sqlite.Options{}) }
func BenchmarkPutCallAsync(b *testing.B)         { benchmarkPut(b, 1, sqlite.Options{Async: true}) }

func BenchmarkListCalls(b *testing.B) {
	s := open(b, b.TempDir(), sqlite.Options{Async: true})
	defer func() { _ = s.Close() }()
	for i := range 10000 {
		if err := s.PutCall(b.Context(), call(i)); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		page, _, err := s.ListCalls(b.Context(), store.CallFilter{Metadata: map[string]string{"tenant": "3"}, PageSize: 20})
		if err != nil || len(page) != 20 {
			b.Fatal(len(page), err)
		}
	}
}
