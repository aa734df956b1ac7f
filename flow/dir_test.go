package flow_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow"
)

const stopFlow = `[{"type":"stop"}]`

func write(t *testing.T, dir, name, data string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
}

func named(name string) string { return `{"name":"` + name + `","actions":[{"type":"stop"}]}` }

// lookup returns the name of the flow for a destination.
func lookup(d *flow.Dir, destination string) string {
	f, ok := d.Lookup(destination)
	if !ok {
		return "-"
	}
	return f.Name()
}

func TestDirLooksUpDestinations(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"100.json", "+16062067563.json", "Alice.json", ".hidden.json", "notes.txt", ".json", "100.json.bak", strings.Repeat("x", 129) + ".json"} {
		write(t, dir, name, stopFlow)
	}
	if err := os.Mkdir(filepath.Join(dir, "sub.json"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "sub.json/200.json", stopFlow)
	d, err := flow.OpenDir(dir, flow.ParseOptions{}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for destination, want := range map[string]string{
		"100": "100", "+16062067563": "+16062067563", "16062067563": "-", "Alice": "Alice", "alice": "-", "": "-", ".": "-", "..": "-",
		"sub.json/200": "-", "../" + filepath.Base(dir) + "/100": "-", "/100": "-", "100.json": "-", "100\x00": "-", ".hidden": "-", "default": "-",
	} {
		if got := lookup(d, destination); got != want {
			t.Errorf("%q: got %s, want %s", destination, got, want)
		}
	}
	write(t, dir, "default.json", stopFlow)
	if findings, err := d.Reload(); err != nil || len(findings) != 0 {
		t.Fatal(findings, err)
	}
	if got := lookup(d, "nobody") + " " + lookup(d, "100"); got != "default 100" {
		t.Errorf("with a default: got %s", got)
	}
	if got := slices.Sorted(maps.Keys(d.Destinations())); !slices.Equal(got, []string{"+16062067563", "100", "Alice", "default"}) {
		t.Errorf("destinations: %q", got)
	}
}

func TestDirWithBadFilesIsNotOpened(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "100.json", `[{"type":"stpo"}]`)
	write(t, dir, "200.json", `{"actions":`)
	write(t, dir, "300.json", `[{"type":"answer"}]`)
	check := func(f *flow.Flow) []flow.Finding { return flow.Check(f, action.Abilities{}) }
	d, err := flow.OpenDir(dir, flow.ParseOptions{}, check, nil)
	if d != nil || err == nil {
		t.Fatal("it was opened")
	}
	want := `100.json:1:10: error: action "action-1" (stpo): type "stpo" is unknown, did you mean "stop"?
200.json:1:12: error: not valid JSON: unexpected end of JSON input
300.json:1:2: error: action "action-1" (answer): needs a leg with action.Answerer, which there is not`
	if d := cmp.Diff(want, err.Error()); d != "" {
		t.Error(d)
	}
	if _, err := flow.OpenDir(filepath.Join(dir, "none"), flow.ParseOptions{}, nil, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: got %v", err)
	}
}

func TestDirWithoutAbilityServesTheRest(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "100.json", stopFlow)
	write(t, dir, "200.json", `[{"type":"queue_join","option":{"queue_id":"support"}}]`)
	write(t, dir, "default.json", stopFlow)
	var log bytes.Buffer
	check := func(f *flow.Flow) []flow.Finding { return flow.Check(f, nil) }
	d, err := flow.OpenDir(dir, flow.ParseOptions{}, check, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	for destination, want := range map[string]string{"100": "100", "200": "-", "300": "default"} {
		if has := d.Has(destination); has != (want == destination) {
			t.Errorf("Has(%q) is %v", destination, has)
		}
		if got := lookup(d, destination); got != want {
			t.Errorf("%s is answered by %q, want %q", destination, got, want)
		}
	}
	if _, ok := d.Destinations()["200"]; ok || !strings.Contains(log.String(), "200.json:1:2") || !strings.Contains(log.String(), "action.Queuer") {
		t.Errorf("the refusal is not told: %s", &log)
	}
	for _, destination := range []string{"../100", "..", ".", "a/b", `a\b`, "100\x00", "a\nb", "\xff", strings.Repeat("1", 129)} {
		if got := lookup(d, destination); got != "-" {
			t.Errorf("%.20q is answered by %q, though no file could stand for it", destination, got)
		}
	}
	if got := lookup(d, ""); got != "default" {
		t.Errorf("no user is answered by %q", got)
	}
	write(t, dir, "200.json", named("now"))
	if _, err := d.Reload(); err != nil || lookup(d, "200") != "now" {
		t.Errorf("a good file later: %q, %v", lookup(d, "200"), err)
	}
}

func TestDirStaysInItsFolder(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	write(t, outside, "secret.json", stopFlow)
	write(t, dir, "real.json", stopFlow)
	if err := os.Symlink("real.json", filepath.Join(dir, "100.json")); err != nil {
		t.Skip("no symbolic links: ", err)
	}
	d, err := flow.OpenDir(dir, flow.ParseOptions{}, nil, nil)
	if err != nil || lookup(d, "100") != "100" {
		t.Fatalf("a link within the folder: %v", err)
	}
	if err := os.Symlink(filepath.Join(outside, "secret.json"), filepath.Join(dir, "200.json")); err != nil {
		t.Fatal(err)
	}
	if _, err := flow.OpenDir(dir, flow.ParseOptions{}, nil, nil); err == nil || !strings.Contains(err.Error(), "200.json") {
		t.Errorf("a link out of the folder: got %v", err)
	}
	findings, err := d.Reload()
	if err != nil || len(findings) != 1 || lookup(d, "200") != "-" {
		t.Errorf("a link out of the folder, later: %v %v", findings, err)
	}
}

func TestDirTellsFlowsTheirFolder(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "100.json", `[{"type":"where"}]`)
	reg := action.NewRegistry()
	var got action.Info
	reg.Add("where", func() action.Action {
		return action.Func(func(ctx context.Context, _ action.Leg) (action.Outcome, error) {
			got = action.FlowInfo(ctx)
			return action.Continue(), nil
		})
	})
	d, err := flow.OpenDir(dir, flow.ParseOptions{Registry: reg, Dir: "/elsewhere"}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	f, _ := d.Lookup("100")
	if err := f.Run(t.Context(), &bare{}); err != nil {
		t.Fatal(err)
	}
	if want := (action.Info{Flow: "100", Dir: dir, ID: "action-1", Type: "where"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestReloadTakesUpChanges(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "100.json", named("one"))
	write(t, dir, "200.json", named("two"))
	d, err := flow.OpenDir(dir, flow.ParseOptions{}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		name string
		do   func()
		want string // flows of 100 200 300
		find int
	}{
		{"nothing", func() {}, "one two -", 0},
		{"changed", func() { write(t, dir, "100.json", named("changed")) }, "changed two -", 0},
		{"bad", func() { write(t, dir, "100.json", `{"name":"bad"`) }, "changed two -", 1},
		{"still bad", func() {}, "changed two -", 0},
		{"good again", func() { write(t, dir, "100.json", named("good")) }, "good two -", 0},
		{"deleted", func() { os.Remove(filepath.Join(dir, "200.json")) }, "good - -", 0},
		{"new and bad", func() { write(t, dir, "300.json", `[{"type":"x"}]`) }, "good - -", 1},
		{"new", func() { write(t, dir, "300.json", named("three")) }, "good - three", 0},
		{"replaced", func() {
			// Same size and time: what another inode tells.
			old, err := os.Stat(filepath.Join(dir, "300.json"))
			if err != nil {
				t.Fatal(err)
			}
			write(t, dir, "tmp", named("THREE"))
			if err := errors.Join(os.Chtimes(filepath.Join(dir, "tmp"), old.ModTime(), old.ModTime()),
				os.Rename(filepath.Join(dir, "tmp"), filepath.Join(dir, "300.json"))); err != nil {
				t.Fatal(err)
			}
		}, "good - THREE", 0},
		{"renamed", func() { os.Rename(filepath.Join(dir, "300.json"), filepath.Join(dir, "200.json")) }, "good THREE -", 0},
	}
	for _, s := range steps {
		s.do()
		findings, err := d.Reload()
		if err != nil || len(findings) != s.find {
			t.Errorf("%s: findings %v, %v", s.name, findings, err)
		}
		if got := lookup(d, "100") + " " + lookup(d, "200") + " " + lookup(d, "300"); got != s.want {
			t.Errorf("%s: got %s, want %s", s.name, got, s.want)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Reload(); err == nil || lookup(d, "100") != "good" {
		t.Errorf("the folder is gone: got %v, and 100 is %s", err, lookup(d, "100"))
	}
}

func TestWatch(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "100.json", named("one"))
	var log bytes.Buffer
	d, err := flow.OpenDir(dir, flow.ParseOptions{}, nil, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error)
	go func() { done <- d.Watch(ctx, time.Millisecond) }()
	write(t, dir, "200.json", `[{"type":"x"}]`)
	write(t, dir, "100.json", named("changed"))
	for deadline := time.After(10 * time.Second); lookup(d, "100") != "changed"; {
		select {
		case <-deadline:
			t.Fatal("the change was not taken up")
		case <-time.After(time.Millisecond):
		}
	}
	// Once more round, so that the bad file was seen twice.
	write(t, dir, "100.json", named("again"))
	for deadline := time.After(10 * time.Second); lookup(d, "100") != "again"; {
		select {
		case <-deadline:
			t.Fatal("the change was not taken up")
		case <-time.After(time.Millisecond):
		}
	}
	why := errors.New("over")
	cancel(why)
	if err := <-done; !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
	if got := strings.Count(log.String(), "200.json:1:10"); got != 1 {
		t.Errorf("the bad file was logged %d times:\n%s", got, log.String())
	}
}

func TestFromFS(t *testing.T) {
	fsys := fstest.MapFS{"100.json": {Data: []byte(named("one"))}, "default.json": {Data: []byte(named("rest"))}}
	d, err := flow.FromFS(fsys, flow.ParseOptions{}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := lookup(d, "100") + " " + lookup(d, "x"); got != "one rest" {
		t.Errorf("got %s", got)
	}
	if findings, err := d.Reload(); findings != nil || err != nil {
		t.Error(findings, err)
	}
	fsys["100.json"] = &fstest.MapFile{Data: []byte(`{`)}
	if d, err := flow.FromFS(fsys, flow.ParseOptions{}, nil, nil); d != nil || err == nil {
		t.Errorf("bad file: got %v, %v", d, err)
	}
}
