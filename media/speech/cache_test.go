package speech_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/speech"
)

// fakeEngine makes a tone whose length tells the utterance.
type fakeEngine struct {
	delay time.Duration // of virtual time
	fail  error

	mu    sync.Mutex
	calls int // guarded by mu
}

func (f *fakeEngine) Speak(ctx context.Context, u media.Utterance) (media.Source, error) {
	f.mu.Lock()
	f.calls++
	f.mu.Unlock()
	if f.delay > 0 {
		select {
		case <-time.After(f.delay):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	if f.fail != nil {
		return nil, f.fail
	}
	pcm := make([]int16, 1600+8*len(u.Text))
	for i := range pcm {
		pcm[i] = int16(i%40*500 - 10000)
	}
	return media.NewClip(16000, pcm).Source(), nil
}

func (f *fakeEngine) CheckSpeak(media.Utterance) error { return f.fail }

func (f *fakeEngine) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func newCache(t *testing.T, next media.Speaker, cfg speech.CacheConfig) *speech.Cache {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = quiet()
	}
	c, err := speech.NewCache(next, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func utterance(text string) media.Utterance { return media.Utterance{Text: text, Language: "en-US"} }

func wantStats(t *testing.T, c *speech.Cache, want speech.CacheStats) {
	t.Helper()
	if got := c.Stats(); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
}

func TestKeyTellsUtterancesApart(t *testing.T) {
	base := media.Utterance{Text: "a", Language: "de", Gender: media.Male, Voice: "v", Provider: "p", Rate: 1}
	seen := map[string]media.Utterance{}
	for _, u := range []media.Utterance{
		base, {Text: "ade", Gender: media.Male, Voice: "v", Provider: "p"}, {Text: "a", Language: "d", Gender: "emale"},
		{Text: "a"}, {Language: "a"}, {Voice: "a"}, {Provider: "a"}, {Gender: "a"}, {Rate: 2}, {}, {Text: "A"}, {Text: " a"}, {Text: "a", Rate: 1.1},
		{Voice: "ap"}, {Voice: "a", Provider: "p"}, {Provider: "ap"},
	} {
		k := speech.Key(u)
		if other, ok := seen[k]; ok {
			t.Errorf("%+v and %+v have the same key", u, other)
		}
		seen[k] = u
	}
	same := base
	same.Language, same.Rate = "DE", 0
	if speech.Key(same) != speech.Key(base) {
		t.Error("the case of the language or the default rate changes the key")
	}
	// Files of older versions have to stay found.
	if got, want := speech.Key(media.Utterance{Text: "Hello", Language: "en-US"}), "bc3625574fdd1ff3"; !strings.HasPrefix(got, want) {
		t.Errorf("key %s, want %s...", got, want)
	}
}

func TestSpokenOnce(t *testing.T) {
	engine := &fakeEngine{}
	dir := t.TempDir()
	c := newCache(t, engine, speech.CacheConfig{Dir: dir})
	first := speak(t, c, utterance("hello"))
	if first.Rate() != 8000 || first.Duration() < 100*time.Millisecond {
		t.Errorf("%d Hz, %s; want 8000 Hz, 100 ms", first.Rate(), first.Duration())
	}
	for range 3 {
		speak(t, c, utterance("hello"))
	}
	wantStats(t, c, speech.CacheStats{Rendered: 1, Memory: 3})
	again := newCache(t, engine, speech.CacheConfig{Dir: dir}) // after a restart
	second := speak(t, again, utterance("hello"))
	wantStats(t, again, speech.CacheStats{Disk: 1})
	if engine.count() != 1 {
		t.Errorf("the engine spoke %d times, want 1", engine.count())
	}
	if len(second.PCM()) != len(first.PCM()) {
		t.Fatalf("%d samples from disk, %d before", len(second.PCM()), len(first.PCM()))
	}
	for i, s := range second.PCM() { // within the step of mu-law
		if d := int(s) - int(first.PCM()[i]); d > 700 || d < -700 {
			t.Fatalf("sample %d is %d from disk, %d before", i, s, first.PCM()[i])
		}
	}
}

func TestWidebandCacheIsExact(t *testing.T) {
	dir := t.TempDir()
	first := speak(t, newCache(t, &fakeEngine{}, speech.CacheConfig{Dir: dir, Rate: 16000}), utterance("x"))
	c := newCache(t, nil, speech.CacheConfig{Dir: dir, Rate: 16000})
	second := speak(t, c, utterance("x"))
	if first.Rate() != 16000 || second.Rate() != 16000 || fmt.Sprint(first.PCM()) != fmt.Sprint(second.PCM()) {
		t.Error("16 kHz sound changed on its way through the disk")
	}
	// Files of another rate are rendered again.
	narrow := newCache(t, &fakeEngine{}, speech.CacheConfig{Dir: dir})
	if clip := speak(t, narrow, utterance("x")); clip.Rate() != 8000 {
		t.Errorf("%d Hz, want 8000", clip.Rate())
	}
	wantStats(t, narrow, speech.CacheStats{Rendered: 1})
}

func TestSimultaneousRequestsAreRenderedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := &fakeEngine{delay: time.Second}
		c := newCache(t, engine, speech.CacheConfig{})
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { speak(t, c, utterance("hello")) })
		}
		wg.Wait()
		wantStats(t, c, speech.CacheStats{Rendered: 1, Shared: 49})
	})
}

func TestWhoWaitsDoesNotDependOnTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := &fakeEngine{delay: time.Second}
		c := newCache(t, engine, speech.CacheConfig{})
		ctx, cancel := context.WithCancelCause(t.Context())
		hungUp := errors.New("hung up")
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := c.Speak(ctx, utterance("hello")); !errors.Is(err, hungUp) {
				t.Errorf("first: %v, want its cause", err)
			}
		})
		synctest.Wait()
		for range 3 {
			wg.Go(func() { speak(t, c, utterance("hello")) })
		}
		wg.Go(func() {
			late, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if _, err := c.Speak(late, utterance("hello")); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("one with little time: %v, want DeadlineExceeded", err)
			}
		})
		time.Sleep(500 * time.Millisecond)
		cancel(hungUp)
		wg.Wait()
		if engine.count() != 2 {
			t.Errorf("the engine was asked %d times, want 2", engine.count())
		}
	})
}

type panicEngine struct{}

func (panicEngine) Speak(context.Context, media.Utterance) (media.Source, error) { panic("engine") }

func TestPanicOfTheEngineLeavesNobodyWaiting(t *testing.T) {
	c := newCache(t, panicEngine{}, speech.CacheConfig{})
	for range 2 {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			_, _ = c.Speak(t.Context(), utterance("x"))
		}()
	}
}

func TestFailuresAreNotKept(t *testing.T) {
	broken := errors.New("broken")
	engine := &fakeEngine{fail: broken}
	c := newCache(t, engine, speech.CacheConfig{Dir: t.TempDir()})
	if _, err := c.Speak(t.Context(), utterance("x")); !errors.Is(err, broken) {
		t.Errorf("%v, want the engine's", err)
	}
	if err := c.CheckSpeak(utterance("x")); !errors.Is(err, broken) {
		t.Errorf("CheckSpeak: %v, want the engine's", err)
	}
	engine.fail = nil
	speak(t, c, utterance("x"))
	engine.fail = broken
	if err := c.CheckSpeak(utterance("x")); err != nil {
		t.Errorf("CheckSpeak of what is cached: %v", err)
	}
	wantStats(t, c, speech.CacheStats{Failed: 1, Rendered: 1})
}

func TestBrokenFilesAreRenderedAgain(t *testing.T) {
	dir := t.TempDir()
	u := utterance("hello")
	speak(t, newCache(t, &fakeEngine{}, speech.CacheConfig{Dir: dir}), u)
	path := filepath.Join(dir, speech.FileName(u))
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	flipped := append([]byte{}, whole...)
	flipped[len(flipped)/2] ^= 0x40
	for name, b := range map[string][]byte{
		"empty": nil, "cut short": whole[:len(whole)/2], "one byte short": whole[:len(whole)-1], "flipped": flipped, "text": []byte("not a wav"),
		"longer": append(append([]byte{}, whole...), 0), "header only": whole[:46],
	} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		c := newCache(t, &fakeEngine{}, speech.CacheConfig{Dir: dir})
		if len(speak(t, c, u).PCM()) == 0 {
			t.Errorf("%s: no sound", name)
		}
		wantStats(t, c, speech.CacheStats{Corrupt: 1, Rendered: 1})
		if now, err := os.ReadFile(path); err != nil || string(now) != string(whole) {
			t.Errorf("%s: the file was not made again (%v)", name, err)
		}
	}
}

func TestMemoryLimit(t *testing.T) {
	c := newCache(t, &fakeEngine{}, speech.CacheConfig{MemoryBytes: 6000}) // a clip is 800 samples, 2400 bytes
	for _, text := range []string{"a", "b", "a", "c", "a", "b"} {
		speak(t, c, utterance(text))
	}
	// c pushed b out, which was not used for longest.
	wantStats(t, c, speech.CacheStats{Rendered: 4, Memory: 2})
	none := newCache(t, &fakeEngine{}, speech.CacheConfig{MemoryBytes: -1})
	speak(t, none, utterance("a"))
	speak(t, none, utterance("a"))
	wantStats(t, none, speech.CacheStats{Rendered: 2})
}

func TestDiskLimit(t *testing.T) {
	dir := t.TempDir()
	cfg := speech.CacheConfig{Dir: dir, DiskBytes: 3000, MemoryBytes: -1} // a file is some 860 bytes
	c := newCache(t, &fakeEngine{}, cfg)
	for i := range 6 {
		speak(t, c, utterance(fmt.Sprint(i)))
		speak(t, c, utterance("0")) // stays, because it is used
	}
	size := int64(0)
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		st, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		size += st.Size()
	}
	if size > 3000 || len(files) != 3 {
		t.Errorf("%d files of %d bytes, want 3 of at most 3000", len(files), size)
	}
	if _, err := os.Stat(filepath.Join(dir, speech.FileName(utterance("0")))); err != nil {
		t.Error("the one in use was removed: ", err)
	}
	cfg.DiskBytes = 1000 // less after a restart
	newCache(t, &fakeEngine{}, cfg)
	if files, _ := filepath.Glob(filepath.Join(dir, "*")); len(files) != 1 {
		t.Errorf("%d files after a restart with a smaller limit, want 1", len(files))
	}
}

func TestLeftoversOfACrashGo(t *testing.T) {
	dir := t.TempDir()
	old, young, foreign := filepath.Join(dir, ".tmp-old"), filepath.Join(dir, ".tmp-young"), filepath.Join(dir, "README")
	for _, p := range []string{old, young, foreign} {
		if err := os.WriteFile(p, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	long := time.Now().Add(-2 * time.Hour)
	if err := errors.Join(os.Chtimes(old, long, long), os.Chtimes(foreign, long, long)); err != nil {
		t.Fatal(err)
	}
	newCache(t, nil, speech.CacheConfig{Dir: dir})
	for p, want := range map[string]bool{old: false, young: true, foreign: true} {
		if _, err := os.Stat(p); (err == nil) != want {
			t.Errorf("%s: %v, want it there: %v", p, err, want)
		}
	}
}

func TestUnwritableDirOnlyCostsTime(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "cache")
	c := newCache(t, &fakeEngine{}, speech.CacheConfig{Dir: dir})
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	speak(t, c, utterance("x"))
	if _, err := speech.NewCache(nil, speech.CacheConfig{Dir: filepath.Join(parent, "file\x00")}); err == nil {
		t.Error("NewCache with an impossible folder: no error")
	}
	if _, err := speech.NewCache(nil, speech.CacheConfig{Rate: 7}); err == nil {
		t.Error("NewCache with a rate of 7 Hz: no error")
	}
}

func TestPrerenderedPromptsNeedNoEngine(t *testing.T) {
	dir := t.TempDir()
	prompts := []media.Utterance{utterance("one"), {Text: "zwei", Language: "de-DE", Gender: media.Female}}
	engine := &fakeEngine{}
	for range 2 { // the second time there is nothing to do
		if err := speech.Prerender(t.Context(), engine, dir, prompts); err != nil {
			t.Fatal(err)
		}
	}
	if engine.count() != 2 {
		t.Errorf("the engine spoke %d times, want 2", engine.count())
	}
	c := newCache(t, nil, speech.CacheConfig{FS: os.DirFS(dir)})
	for _, u := range prompts {
		if err := c.CheckSpeak(u); err != nil {
			t.Error(err)
		}
		speak(t, c, u)
		speak(t, c, u)
	}
	wantStats(t, c, speech.CacheStats{Embedded: 2, Memory: 2})
	if _, err := c.Speak(t.Context(), utterance("three")); !errors.Is(err, speech.ErrNoEngine) || !strings.Contains(err.Error(), "three") {
		t.Errorf("%v, want ErrNoEngine with the text", err)
	}
	if err := c.CheckSpeak(utterance("three")); !errors.Is(err, speech.ErrNoEngine) {
		t.Errorf("CheckSpeak: %v, want ErrNoEngine", err)
	}
	err := speech.Prerender(t.Context(), &fakeEngine{fail: errors.New("broken")}, dir, []media.Utterance{utterance("four")})
	if err == nil || !strings.Contains(err.Error(), "four") || !strings.Contains(err.Error(), "broken") {
		t.Errorf("%v, want an error with text and reason", err)
	}
}

func TestBrokenEmbeddedFileIsRendered(t *testing.T) {
	u := utterance("x")
	c := newCache(t, &fakeEngine{}, speech.CacheConfig{FS: fstest.MapFS{speech.FileName(u): {Data: []byte("RIFF")}}})
	speak(t, c, u)
	wantStats(t, c, speech.CacheStats{Corrupt: 1, Rendered: 1})
}

// onlyKeys fails the test's requests by any other name than a key.
type onlyKeys struct{ fs.FS }

func (o onlyKeys) Open(name string) (fs.File, error) {
	if strings.ContainsAny(name, "/ ") || len(name) != 68 {
		return nil, fmt.Errorf("asked for %q", name)
	}
	return nil, fs.ErrNotExist
}

func TestTextNeverBecomesAPath(t *testing.T) {
	c := newCache(t, &fakeEngine{}, speech.CacheConfig{Dir: t.TempDir(), FS: onlyKeys{}})
	for _, text := range []string{"../../etc/passwd", "a/b", "\x00", strings.Repeat("x", 5000)} {
		u := media.Utterance{Text: text, Language: "../x", Voice: "/y", Provider: "../z"}
		speak(t, c, u)
	}
	wantStats(t, c, speech.CacheStats{Rendered: 4})
}

func TestCacheOverEspeak(t *testing.T) {
	c := newCache(t, espeak(t, speech.Config{}), speech.CacheConfig{Dir: t.TempDir()})
	clip := speak(t, c, utterance("Welcome to Callbin."))
	if clip.Rate() != 8000 || rms(clip.PCM()) < 500 {
		t.Errorf("%d Hz, RMS %.0f", clip.Rate(), rms(clip.PCM()))
	}
}

func ExampleCache() {
	prompt := media.Utterance{Text: "Goodbye.", Language: "en-GB"}
	dir, err := os.MkdirTemp("", "prompts")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := speech.Prerender(context.Background(), &fakeEngine{}, dir, []media.Utterance{prompt}); err != nil {
		fmt.Println(err)
		return
	}
	// A program without an engine, with the folder embedded.
	speaker, err := speech.NewCache(nil, speech.CacheConfig{FS: os.DirFS(dir)})
	if err != nil {
		fmt.Println(err)
		return
	}
	src, err := speaker.Speak(context.Background(), prompt)
	fmt.Println(src.Rate(), err)
	fmt.Println(speaker.CheckSpeak(media.Utterance{Text: "Hello.", Language: "en-GB"}))
	// Output:
	// 8000 <nil>
	// speech: no speech engine, and the utterance is not in the cache: "Hello." (en-GB)
}

func BenchmarkCacheHit(b *testing.B) {
	c, err := speech.NewCache(&fakeEngine{}, speech.CacheConfig{})
	if err != nil {
		b.Fatal(err)
	}
	u := utterance("Welcome to Callbin. Press one for sales, or two for support.")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Speak(b.Context(), u); err != nil {
			b.Fatal(err)
		}
	}
}
