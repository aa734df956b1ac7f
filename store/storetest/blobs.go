package storetest

import (
	"io"
	"strings"
	"testing"

	"github.com/callbin/callbin/store"
)

// RunBlobs checks a driver that keeps only blobs. open returns a fresh, empty one;
// closing it is open's.
func RunBlobs(t *testing.T, open func(t *testing.T) store.Blobs) {
	for name, test := range map[string]func(*testing.T, store.Blobs){
		"RoundTrip": blobRoundTrip, "IsValidWhileWritten": blobWhileWritten, "NeverOverwritten": blobNeverOverwritten, "Names": blobNames,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func testBlobRoundTrip(t *testing.T, s store.Store)        { blobRoundTrip(t, s) }
func testBlobWhileWritten(t *testing.T, s store.Store)     { blobWhileWritten(t, s) }
func testBlobNeverOverwritten(t *testing.T, s store.Store) { blobNeverOverwritten(t, s) }
func testBlobNames(t *testing.T, s store.Store)            { blobNames(t, s) }

func writeBlob(t *testing.T, s store.Blobs, name, data string) {
	t.Helper()
	w, err := s.CreateBlob(t.Context(), name)
	if err != nil {
		t.Fatalf("CreateBlob(%q): %v", name, err)
	}
	if n, err := io.WriteString(w, data); err != nil || n != len(data) {
		t.Fatalf("Write = %d, %v; want %d", n, err, len(data))
	}
	if err := w.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

func wantBlob(t *testing.T, s store.Blobs, name, want string) {
	t.Helper()
	r, err := s.OpenBlob(t.Context(), name)
	if err != nil {
		t.Errorf("OpenBlob(%q): %v", name, err)
		return
	}
	got, err := io.ReadAll(r)
	if err != nil || string(got) != want {
		t.Errorf("blob %q = %.80q, %v; want %.80q", name, got, err, want)
	}
	if size, err := r.Seek(0, io.SeekEnd); err != nil || size != int64(len(want)) {
		t.Errorf("blob %q: size %d, %v; want %d", name, size, err, len(want))
	}
	if err := r.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func blobRoundTrip(t *testing.T, s store.Blobs) {
	_, err := s.OpenBlob(t.Context(), "none")
	wantErr(t, err, store.ErrNotFound, "OpenBlob of an unknown name")
	wantErr(t, s.DeleteBlob(t.Context(), "none"), store.ErrNotFound, "DeleteBlob of an unknown name")
	for name, data := range map[string]string{
		"call_6f1c_2026-11-23T07:22:12Z_in.wav": "RIFF", "2026/11/a.wav": strings.Repeat("sound", 1<<16), "empty": "", "日本/é f": "x", "a": "\x00\xff",
	} {
		writeBlob(t, s, name, data)
		wantBlob(t, s, name, data)
		if err := s.DeleteBlob(t.Context(), name); err != nil {
			t.Errorf("DeleteBlob(%q): %v", name, err)
		}
		_, err := s.OpenBlob(t.Context(), name)
		wantErr(t, err, store.ErrNotFound, "OpenBlob after DeleteBlob")
	}
	writeBlob(t, s, "folder/file", "x")
	_, err = s.OpenBlob(t.Context(), "folder")
	wantErr(t, err, store.ErrNotFound, "OpenBlob of a folder")
	wantErr(t, s.DeleteBlob(t.Context(), "folder"), store.ErrNotFound, "DeleteBlob of a folder")
	_, err = s.OpenBlob(t.Context(), "folder/file/deeper")
	wantErr(t, err, store.ErrNotFound, "OpenBlob below a blob")
}

// A header that is rewritten after each second of sound, and a reader at the same time.
func blobWhileWritten(t *testing.T, s store.Blobs) {
	w, err := s.CreateBlob(t.Context(), "live.wav")
	if err != nil {
		t.Fatal(err)
	}
	want := "h0"
	if _, err := io.WriteString(w, want); err != nil {
		t.Fatal(err)
	}
	for i := 1; i < 5; i++ {
		second := strings.Repeat(string(rune('a'+i)), 1000)
		head := "h" + string(rune('0'+i))
		want = head + want[2:] + second
		if _, err := io.WriteString(w, second); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, head); err != nil {
			t.Fatal(err)
		}
		if end, err := w.Seek(0, io.SeekEnd); err != nil || end != int64(len(want)) {
			t.Fatalf("Seek to the end = %d, %v; want %d", end, err, len(want))
		}
		wantBlob(t, s, "live.wav", want)
	}
	r, err := s.OpenBlob(t.Context(), "live.wav")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Seek(-3, io.SeekEnd); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "tail"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || string(got) != "eeetail" { // an open reader sees what is added
		t.Errorf("read %q, %v; want eeetail", got, err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("x")); err == nil {
		t.Error("Write after Close: no error")
	}
	wantBlob(t, s, "live.wav", want+"tail")
}

func blobNeverOverwritten(t *testing.T, s store.Blobs) {
	writeBlob(t, s, "a/b", "first")
	_, err := s.CreateBlob(t.Context(), "a/b")
	wantErr(t, err, store.ErrConflict, "CreateBlob of a taken name")
	wantBlob(t, s, "a/b", "first")
}

func blobNames(t *testing.T, s store.Blobs) {
	for _, name := range []string{
		"", ".", "..", "../x", "a/../../x", "a/..", "/etc/passwd", "a//b", "a/", "./a", "a/./b", "a\\..\\b", "a\x00b", "a\nb",
		".hidden", "a/.tmp", "dot.", "space ", "\xff", strings.Repeat("x", 201), strings.Repeat("x/", 600) + "x",
	} {
		w, err := s.CreateBlob(t.Context(), name)
		wantErr(t, err, store.ErrInvalid, "CreateBlob("+name+")")
		if err == nil {
			_ = w.Close()
		}
		_, err = s.OpenBlob(t.Context(), name)
		wantErr(t, err, store.ErrInvalid, "OpenBlob("+name+")")
		wantErr(t, s.DeleteBlob(t.Context(), name), store.ErrInvalid, "DeleteBlob("+name+")")
	}
}
