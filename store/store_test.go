package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/store"
	"github.com/callbin/callbin/store/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return store.Memory() })
}

func TestMemoryWithFiles(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		return store.NewMemory(store.MemoryConfig{Blobs: files(t, t.TempDir())})
	})
}

func TestFiles(t *testing.T) {
	storetest.RunBlobs(t, func(t *testing.T) store.Blobs { return files(t, filepath.Join(t.TempDir(), "deep", "er")) })
}

func files(t *testing.T, dir string) *store.FileBlobs {
	t.Helper()
	b, err := store.Files(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return b
}

func TestFilesDoNotFollowLinksOut(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	b := files(t, dir)
	if _, err := b.OpenBlob(t.Context(), "link/secret"); err == nil {
		t.Error("OpenBlob followed a link out of the directory")
	}
	if _, err := b.CreateBlob(t.Context(), "link/new"); err == nil {
		t.Error("CreateBlob followed a link out of the directory")
	}
	if err := b.DeleteBlob(t.Context(), "link/secret"); err == nil {
		t.Error("DeleteBlob followed a link out of the directory")
	}
	if _, err := os.Stat(filepath.Join(outside, "secret")); err != nil {
		t.Error(err)
	}
}

func TestFilesArePrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "rec")
	b := files(t, dir)
	w, err := b.CreateBlob(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{"": 0o700, "a": 0o700, "a/b": 0o600} {
		st, err := os.Stat(filepath.Join(dir, name))
		if err != nil || st.Mode().Perm() != want {
			t.Errorf("%q: %v, %v; want %v", name, st.Mode().Perm(), err, want)
		}
	}
	if b.Dir() != dir {
		t.Errorf("Dir = %q, want %q", b.Dir(), dir)
	}
}

func TestFilesErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Files(file); err == nil || !strings.Contains(err.Error(), "open directory for blobs") {
		t.Errorf("Files of a file: %v", err)
	}
	b := files(t, t.TempDir())
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.CreateBlob(t.Context(), "a"); !errors.Is(err, store.ErrClosed) {
		t.Errorf("CreateBlob after Close: %v, want ErrClosed", err)
	}
}

func TestMemoryKeepsTheNewestAndTheLiving(t *testing.T) {
	db := store.NewMemory(store.MemoryConfig{KeepCalls: 3})
	defer func() { _ = db.Close() }()
	now := time.Unix(1000, 0)
	put := func(i int, status string) {
		t.Helper()
		id := fmt.Sprint(i)
		c := store.Call{ID: id, TmCreate: store.At(now.Add(time.Duration(i) * time.Second)), Status: status}
		r := store.Recording{ID: id, TmCreate: c.TmCreate, Status: store.RecordingEnded}
		if err := errors.Join(db.PutTrace(t.Context(), id, nil), db.PutCall(t.Context(), c), db.PutRecording(t.Context(), r)); err != nil {
			t.Fatal(err)
		}
	}
	put(0, store.StatusProgressing)
	for i := 1; i <= 10; i++ {
		put(i, store.StatusHangup)
	}
	want := func(want string) {
		t.Helper()
		page, _, err := db.ListCalls(t.Context(), store.CallFilter{})
		var got []string
		for _, c := range page {
			got = append(got, c.ID)
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("kept %v, %v; want %s", got, err, want)
		}
	}
	want("10 9 8 0")
	if _, err := db.Trace(t.Context(), "7"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Trace of a dropped call: %v, want ErrNotFound", err)
	}
	if _, err := db.Recording(t.Context(), "7"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Recording of a dropped call: %v, want ErrNotFound", err)
	}
	put(0, store.StatusHangup) // the oldest of them all ends
	want("10 9 8")
}

func TestMemoryBlobLimit(t *testing.T) {
	db := store.NewMemory(store.MemoryConfig{BlobBytes: 100})
	defer func() { _ = db.Close() }()
	write := func(name string, n int) (store.BlobWriter, error) {
		w, err := db.CreateBlob(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.Write(make([]byte, n))
		return w, err
	}
	for i := range 3 { // the third pushes the first out
		w, err := write(fmt.Sprint(i), 40)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.OpenBlob(t.Context(), "0"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("OpenBlob of the oldest: %v, want ErrNotFound", err)
	}
	if _, err := write("live", 100); err != nil { // all others go
		t.Fatal(err)
	}
	if _, err := write("more", 1); err == nil || !strings.Contains(err.Error(), "100 bytes") {
		t.Errorf("Write beyond the limit: %v, want an error with the limit", err)
	}
}

func TestCallJSON(t *testing.T) {
	c := store.Call{
		ID: "a", Source: address.Address{Type: "tel", Target: "+4930901820"}, Status: store.StatusHangup,
		TmCreate: store.At(time.Date(2026, 11, 23, 8, 22, 12, 120000999, time.FixedZone("", 3600))), SIPCode: 486,
		Sums: store.Sums{RingMS: 5, ActionMS: map[string]int64{"talk": 7}},
	}
	b := marshal(t, c)
	want := `{"id":"a","source":{"type":"tel","target":"+4930901820"},"destination":{},"status":"hangup",` +
		`"tm_create":"2026-11-23T07:22:12.120000Z","sip_code":486,"ring_ms":5,"action_ms":{"talk":7}}`
	if b != want {
		t.Errorf("got  %s\nwant %s", b, want)
	}
}

func TestPageTokenIsACursor(t *testing.T) {
	for _, c := range []store.Cursor{
		{Time: store.AtMicro(1763882532123456), ID: "a b:日本"},
		{Time: store.AtMicro(-5), ID: strings.Repeat("x", 255)},
	} {
		size, got, err := store.Page(0, c.Token())
		if err != nil || got != c || size != store.MaxPage {
			t.Errorf("Page(%q) = %d, %+v, %v; want %+v", c.Token(), size, got, err, c)
		}
	}
}

func FuzzPageToken(f *testing.F) {
	f.Add(store.Cursor{Time: store.AtMicro(1), ID: "a"}.Token())
	f.Add("MTIz")
	f.Fuzz(func(t *testing.T, token string) {
		_, c, err := store.Page(1, token)
		if err != nil {
			if !errors.Is(err, store.ErrInvalid) {
				t.Errorf("%v is not ErrInvalid", err)
			}
			return
		}
		if !c.IsZero() {
			if _, again, err := store.Page(1, c.Token()); err != nil || again != c {
				t.Errorf("token %q = %+v, then %+v, %v", token, c, again, err)
			}
		}
	})
}

func FuzzBlobName(f *testing.F) {
	for _, s := range []string{"a/b", "../a", "/a", "a\\b", "a/./b", "C:x", "a/..", "é"} {
		f.Add(s)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, name string) {
		if store.CheckBlobName(name) != nil {
			return
		}
		rel, err := filepath.Rel(dir, filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil || filepath.ToSlash(rel) != name || !filepath.IsLocal(name) {
			t.Errorf("CheckBlobName(%q) accepts what is %q on disk (%v)", name, rel, err)
		}
	})
}

func ExampleMemory() {
	ctx := context.Background()
	db := store.Memory()
	defer func() { _ = db.Close() }()
	for i := range 3 {
		err := db.PutCall(ctx, store.Call{
			ID:       fmt.Sprint("call-", i),
			Status:   store.StatusHangup,
			TmCreate: store.At(time.Date(2026, 11, 23, 7, 0, i, 0, time.UTC)),
		})
		if err != nil {
			fmt.Println(err)
		}
	}
	f := store.CallFilter{Status: store.StatusHangup, PageSize: 2}
	for {
		page, next, err := db.ListCalls(ctx, f)
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, c := range page {
			fmt.Println(c.ID, c.TmCreate)
		}
		if f.PageToken = next; next == "" {
			return
		}
	}
	// Output:
	// call-2 2026-11-23T07:00:02.000000Z
	// call-1 2026-11-23T07:00:01.000000Z
	// call-0 2026-11-23T07:00:00.000000Z
}

func ExampleFiles() {
	dir, err := os.MkdirTemp("", "blobs")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	blobs, err := store.Files(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = blobs.Close() }()
	w, err := blobs.CreateBlob(context.Background(), "2026/call_6f1c_in.wav")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = w.Write([]byte("RIFF"))
	fmt.Println(errors.Join(err, w.Close()))
	_, err = blobs.CreateBlob(context.Background(), "../escape.wav")
	fmt.Println(err)
	// Output:
	// <nil>
	// store: blob name "../escape.wav": an element is empty, "." or "..": invalid
}

func BenchmarkMemoryPutCall(b *testing.B) {
	db := store.Memory()
	now := time.Now()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		c := store.Call{ID: fmt.Sprint(i), TmCreate: store.At(now.Add(time.Duration(i) * time.Microsecond)), Status: store.StatusHangup}
		if err := db.PutCall(context.Background(), c); err != nil {
			b.Fatal(err)
		}
	}
}
