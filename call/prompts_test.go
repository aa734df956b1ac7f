package call_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/tone"
	"github.com/callbin/callbin/media/wav"
)

func writeTone(t *testing.T, file string, hz float64) {
	t.Helper()
	w, err := wav.Create(file, wav.Format{Rate: 16000, Channels: 1, Bits: 16})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(tone.Sine(hz, time.Second).Clip(16000).PCM()), w.Close()); err != nil {
		t.Fatal(err)
	}
}

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

// hears reads what ref plays as 8 kHz and tells how loud hz is in it.
func hears(t *testing.T, p action.Prompts, dir, ref string, hz float64) float64 {
	t.Helper()
	src, err := p.OpenPrompt(t.Context(), dir, ref)
	if err != nil {
		t.Fatal(err)
	}
	c, err := media.ReadAll(t.Context(), media.Resample(src, 8000), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return level(c.PCM(), hz)
}

func TestPromptFilesStayInTheirFolders(t *testing.T) {
	top := t.TempDir()
	flows, shared, secret := filepath.Join(top, "flows"), filepath.Join(top, "shared"), filepath.Join(top, "secret")
	for _, d := range []string{flows, shared, secret} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
		writeTone(t, filepath.Join(d, "tone.wav"), 440)
	}
	if err := os.Symlink(filepath.Join(secret, "tone.wav"), filepath.Join(flows, "link.wav")); err != nil {
		t.Fatal(err)
	}
	p := call.NewPrompts(call.PromptConfig{Dirs: []string{shared}})
	for _, ref := range []string{"file:tone.wav", "file:./tone.wav", "file:t%6fne.wav", "file://" + filepath.Join(shared, "tone.wav")} {
		if l := hears(t, p, flows, ref, 440); l < 0.1 {
			t.Errorf("%s: 440 Hz at %v", ref, l)
		}
	}
	for ref, want := range map[string]string{
		"file:../secret/tone.wav":                     "escapes",
		"file:%2e%2e/secret/tone.wav":                 "escapes",
		"file:link.wav":                               "escapes",
		"file://" + filepath.Join(secret, "tone.wav"): "allowed folders",
		"file://" + shared + "/../secret/tone.wav":    "allowed folders",
		"file:missing.wav":                            "no such file",
		"file:.":                                      "not a regular file",
		"file://elsewhere/tone.wav":                   "another host",
		"ftp://host/tone.wav":                         "neither file nor http",
		"http://host/tone.wav":                        "no HTTP client",
	} {
		if _, err := p.OpenPrompt(t.Context(), flows, ref); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q in it", ref, err, want)
		}
	}
	if _, err := p.OpenPrompt(t.Context(), "", "file:tone.wav"); err == nil {
		t.Error("a relative file without a folder is opened")
	}
}

func TestPromptFileIsReadAgainWhenItChanges(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "tone.wav")
	writeTone(t, file, 440)
	p := call.NewPrompts(call.PromptConfig{})
	if l := hears(t, p, dir, "file:tone.wav", 440); l < 0.1 {
		t.Errorf("440 Hz at %v", l)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	writeTone(t, file, 880)
	if err := os.Chtimes(file, time.Now(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if l := hears(t, p, dir, "file:tone.wav", 880); l < 0.1 {
		t.Errorf("after the change: 880 Hz at %v", l)
	}
}

func TestPromptURLIsFetchedOnceForAll(t *testing.T) {
	dir := t.TempDir()
	writeTone(t, filepath.Join(dir, "tone.wav"), 440)
	sound, err := os.ReadFile(filepath.Join(dir, "tone.wav"))
	if err != nil {
		t.Fatal(err)
	}
	var fetched atomic.Int32
	status := http.StatusServiceUnavailable
	p := call.NewPrompts(call.PromptConfig{HTTP: doer(func(r *http.Request) (*http.Response, error) {
		fetched.Add(1)
		return &http.Response{StatusCode: status, Status: fmt.Sprint(status), Body: io.NopCloser(bytes.NewReader(sound))}, nil
	})})
	if _, err := p.OpenPrompt(t.Context(), "", "https://host/tone.wav"); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("%v, want 503", err)
	}
	status = http.StatusOK
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if l := hears(t, p, "", "https://host/tone.wav", 440); l < 0.1 {
				t.Errorf("440 Hz at %v", l)
			}
		})
	}
	wg.Wait()
	if n := fetched.Load(); n != 2 {
		t.Errorf("fetched %d times, want once after the failure", n)
	}
}
