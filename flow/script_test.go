package flow_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow"
)

var update = flag.Bool("update", false, "rewrite what the scripts in testdata want")

// eachScript runs f on every script of a folder and compares with its "want".
func eachScript(t *testing.T, dir string, f func(t *testing.T, script, flowJSON []byte) string) {
	files, err := filepath.Glob(filepath.Join("testdata", dir, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts in testdata/%s: %v", dir, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if len(ar.Files) == 0 || ar.Files[0].Name != "flow.json" {
				t.Fatal("the first file must be flow.json")
			}
			got := f(t, ar.Comment, ar.Files[0].Data)
			want := ""
			if len(ar.Files) > 1 {
				want = string(ar.Files[1].Data)
			}
			if got == want {
				return
			}
			if !*update {
				t.Errorf("got (+), want (-):\n%s", cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")))
				return
			}
			ar.Files = append(ar.Files[:1], txtar.File{Name: "want", Data: []byte(got)})
			if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestScripts runs flows against a scripted caller. A script's lines, each with a time
// from the start where it has one:
//
//	var NAME=VALUE            a variable at the start
//	http STATUS [BODY]        the next answer of the HTTP server; also "error", "hang", "200 LARGE"
//	peer TARGET answers 2s    who is called by that target; without this line it rings for ever
//	peer TARGET REASON 2s 486
//	peer TARGET unknown
//	conference ID             there is such a conference
//	flow ID JSON              there is such a flow
//	program ID [FAULT]        there is such a program in plain Go; it does what FAULT says
//	provider NAME FAULT       what becomes of the use of: answer hangup echo digits bridge conference
//	                          listen transcriber transcription last-words recordings reader external
//	                          messages mail conversations cases follow; FAULT is fails, hangs, panics
//	                          or takes 2s
//	status STATUS             of the call; without this line by whether it is answered
//	amd VERDICT 2s            what the detector finds out; without this line it never does
//	queue ID served 5s 10s    the caller waits and talks; also "abandoned 5s", "error 5s"
//	recorded ID [TEXT]        there is such a recording, in which that is said; "noise" is not understood
//	assistant 500ms TEXT      the assistant's next turn and how long it takes; parts of it are divided by
//	                          bars, and each takes so long; at its end END ends the conversation; also
//	                          "error", "hang"
//	from ID                   begins at an action
//	quiet                     leaves the steps out of the transcript
//	at 1490ms press 12#       the caller presses keys
//	at 5010ms hangup          the caller hangs up
//	at 5010ms leave           what the caller is joined with ends
//	at 5010ms skip            somebody skips the step
//	at 5010ms continue        somebody continues the step
//	at 5010ms says TEXT       the caller has said that
//	at 5010ms saying TEXT     the caller has said that so far
func TestScripts(t *testing.T) {
	eachScript(t, "script", func(t *testing.T, script, flowJSON []byte) (got string) {
		synctest.Test(t, func(t *testing.T) { got = runScript(t, script, flowJSON) })
		return got
	})
}

func runScript(t *testing.T, script, flowJSON []byte) string {
	c := newCaller()
	ctx, hangup := context.WithCancelCause(t.Context())
	defer hangup(nil)
	c.hangup = hangup
	var from flow.Position
	s := bufio.NewScanner(bytes.NewReader(script))
	for s.Scan() {
		line := s.Text()
		word := strings.Fields(line)
		if len(word) == 0 || strings.HasPrefix(word[0], "#") {
			continue
		}
		switch word[0] {
		case "var":
			name, value, _ := strings.Cut(strings.TrimPrefix(line, "var "), "=")
			if err := c.vars.Set(name, value); err != nil {
				t.Fatal(err)
			}
		case "http":
			c.answers = append(c.answers, strings.TrimPrefix(line, "http "))
		case "peer":
			c.peers[word[1]] = parsePeer(t, word[2:])
		case "conference":
			c.conferences = append(c.conferences, word[1])
		case "quiet":
			c.quiet = true
		case "from":
			from.ID = word[1]
		case "at":
			at, err := time.ParseDuration(word[1])
			if err != nil {
				t.Fatal(err)
			}
			do := func() {
				switch word[2] {
				case "press":
					c.press(word[3])
				case "hangup":
					c.logf("  caller hangs up")
					hangup(action.ErrHangup)
				case "leave":
					c.leave()
				case "skip", "continue":
					c.mu.Lock()
					defer c.mu.Unlock()
					c.logLocked("  %s", word[2])
					c.skip(map[string]error{"skip": action.ErrSkip, "continue": action.ErrContinue}[word[2]])
				case "says", "saying":
					_, text, _ := strings.Cut(line, word[2]+" ")
					c.say(map[string]int16{"says": speechFinal, "saying": speechPartial}[word[2]], text)
				default:
					t.Errorf("unknown: %s", line)
				}
			}
			defer time.AfterFunc(at, do).Stop()
		default:
			if ok, err := c.read(word, line); err != nil || !ok {
				t.Fatalf("unknown: %s: %v", line, err)
			}
		}
	}
	f, err := flow.Parse(flowJSON, flow.ParseOptions{Registry: action.Builtin(c.deps()), File: "flow.json", Dir: "/flows"})
	if err != nil {
		t.Fatal(err)
	}
	switch err = f.RunFrom(ctx, c, from); {
	case err == nil:
		c.logf("end")
	case errors.Is(err, action.ErrHangup):
		c.logf("end by hang-up")
	default:
		c.logf("end: %v", err)
	}
	if c.sources != 0 { // sounds, ears and files
		t.Errorf("%d sources are still open", c.sources)
	}
	got := c.transcript()
	all := masked(c.vars.All())
	for _, name := range slices.Sorted(maps.Keys(all)) {
		got += fmt.Sprintf("${%s} = %q\n", name, all[name])
	}
	return got
}

func parsePeer(t *testing.T, word []string) peer {
	if word[0] == "unknown" {
		return peer{unknown: true}
	}
	after, err := time.ParseDuration(word[1])
	if err != nil {
		t.Fatal(err)
	}
	if word[0] == "answers" {
		return peer{after: after}
	}
	status, err := strconv.Atoi(word[2])
	if err != nil {
		t.Fatal(err)
	}
	return peer{after: after, reason: word[0], status: status}
}

// TestBad holds flows that are refused or doubtful, and what is said of them.
func TestBad(t *testing.T) {
	eachScript(t, "bad", func(t *testing.T, script, flowJSON []byte) string {
		c := newCaller()
		deps, able := c.deps(), action.LegAbilities(c)
		for line := range strings.Lines(string(script)) {
			if strings.TrimSpace(line) == "bare engine" {
				deps, able = action.Deps{}, action.Abilities{}
			}
		}
		able = able.With(deps.Abilities())
		f, err := flow.Parse(flowJSON, flow.ParseOptions{Registry: action.Builtin(deps), File: "100.json"})
		if err != nil {
			if f != nil {
				t.Error("a flow beside an error")
			}
			return err.Error() + "\n"
		}
		var b strings.Builder
		for _, finding := range flow.Check(f, able) {
			fmt.Fprintln(&b, finding)
		}
		return b.String()
	})
}
