package flow_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/callbin/callbin/action"
)

// Actions that cannot fail where they can run at all, and why.
var cannotFail = map[string]string{
	"block": "it only waits",
	"empty": "it does nothing",
	"stop":  "it only stops",
}

// Actions in which no time passes for the caller, where their shape does not say it.
var takesNoTime = map[string]string{
	"hangup": "the call ends with it",
}

var (
	stepLine = regexp.MustCompile(`^ *[0-9.]+s (\S+) ([a-z_]+) (?:\{|$)`)
	failLine = regexp.MustCompile(`^ *[0-9.]+s   ! (.*)`)
	hangLine = regexp.MustCompile(`^ *[0-9.]+s   caller hangs up$`)
)

// shown is what the scripts show of an action.
type shown struct{ works, fails, hangup bool }

// TestEachActionHasItsScripts looks in the transcripts of all scripts for steps of each action that work,
// that fail, and during which the caller hangs up.
func TestEachActionHasItsScripts(t *testing.T) {
	seen := make(map[string]*shown)
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range txtar.Parse(b).Files {
			if f.Name == "want" {
				look(string(f.Data), seen)
			}
		}
	}
	r := action.Builtin(action.Deps{})
	for _, name := range r.Names() {
		if r.Canonical(name) != name {
			continue
		}
		s := seen[name]
		if s == nil {
			t.Errorf("%s: no script runs it", name)
			continue
		}
		if !s.works {
			t.Errorf("%s: it works in no script", name)
		}
		if why, ok := cannotFail[name]; ok == s.fails {
			t.Errorf("%s: fails in a script: %t; cannot fail: %t %s", name, s.fails, ok, why)
		}
		a := r.New(name)
		_, none := takesNoTime[name]
		none = none || action.TimingOf(a) == action.TimeNone || action.ShapeOf(a).Instant
		if !none && !s.hangup {
			t.Errorf("%s: nobody hangs up during it in any script", name)
		}
	}
}

// look notes what a transcript shows. A step is over when the next one begins.
func look(transcript string, seen map[string]*shown) {
	var now *shown
	failed := false
	over := func() {
		if now != nil && !failed {
			now.works = true
		}
		now, failed = nil, false
	}
	for line := range strings.Lines(transcript) {
		line = strings.TrimSuffix(line, "\n")
		if m := stepLine.FindStringSubmatch(line); m != nil {
			over()
			if seen[m[2]] == nil {
				seen[m[2]] = new(shown)
			}
			now = seen[m[2]]
			continue
		}
		switch {
		case now == nil:
		case hangLine.MatchString(line):
			now.hangup, failed = true, true
		case failLine.MatchString(line):
			// What is skipped, or cut by a hang-up, has not failed by itself.
			cut := strings.HasSuffix(line, action.ErrSkip.Error()) || strings.HasSuffix(line, action.ErrHangup.Error())
			now.fails = now.fails || !failed && !cut
			failed = true
		}
	}
	over()
}
