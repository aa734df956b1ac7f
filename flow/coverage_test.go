package flow_test

import (
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/callbin/callbin/action"
)

// tell says how a transcript shows that an action has ended in some way.
type story struct{ succeeded, failed, hungUp bool }

// TestEveryActionHasItsScripts looks through the transcripts: each action of the registry has run without an error in one,
// has failed in one where it can fail, and was in the middle of its work at a hang-up where it
// takes time.
func TestEveryActionHasItsScripts(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "script", "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	stories := make(map[string]*story)
	reg := action.Builtin(action.Deps{})
	for _, name := range reg.Names() {
		stories[name] = &story{}
	}
	for _, file := range files {
		ar, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if len(ar.Files) < 2 {
			continue
		}
		read(string(ar.Files[1].Data), stories)
	}
	// What cannot fail on a leg that can do everything, and what no time passes in.
	never := "answer beep empty goto sleep stop variable_set mute talk play recording_stop recording_start hangup echo block condition_variable condition_call_digits condition_call_status digits_send confbridge_join"
	at := "answer mute stop empty variable_set goto branch hangup recording_start recording_stop call external_media_start external_media_stop transcribe_start"
	for name, s := range stories {
		if reg.Canonical(name) != name {
			continue
		}
		shape := action.ShapeOf(reg.New(name))
		if !s.succeeded {
			t.Errorf("%s: no script in which it succeeds", name)
		}
		if !s.failed && !contains(never, name) {
			t.Errorf("%s: no script in which it fails", name)
		}
		if takesTime := action.TimingOf(reg.New(name)) != action.TimeNone && !shape.Instant; takesTime && !s.hungUp && !contains(at, name) {
			t.Errorf("%s: no script with a hang-up in its middle", name)
		}
	}
}

func contains(words, word string) bool { return strings.Contains(" "+words+" ", " "+word+" ") }

// read follows a transcript: lines of steps are not indented behind the time.
func read(transcript string, stories map[string]*story) {
	var current *story
	failed, hangUp := false, false
	end := func() {
		if current == nil {
			return
		}
		switch {
		case hangUp:
			current.hungUp = true
		case failed:
			current.failed = true
		default:
			current.succeeded = true
		}
		current, failed, hangUp = nil, false, false
	}
	for line := range strings.Lines(transcript) {
		_, text, ok := strings.Cut(line, "s ")
		if !ok {
			continue
		}
		switch words := strings.Fields(text); {
		case strings.HasPrefix(text, "  caller hangs up"):
			hangUp = current != nil
		case strings.HasPrefix(text, "  ! "):
			failed = true
		case strings.HasPrefix(text, " ") || len(words) < 2:
		case words[0] == "end" && (len(words) == 1 || words[1] == "by"):
			end()
		case stories[words[1]] != nil:
			end()
			current = stories[words[1]]
		}
	}
	end()
}
