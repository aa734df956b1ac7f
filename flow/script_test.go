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
//	status STATUS             of the call, in place of ringing and progressing
//	flow ID JSON              there is such a flow
//	program ID [FAULT]        there is such a program in plain Go; FAULT is as with leg
//	leg NAME FAULT            what becomes of the use of a capability: answer hangup play echo digits connect bridge
//	                          conference follow listen transcription queue external; FAULT is fails,
//	                          hangs, panics or takes 2s
//	recording ID TEXT         of this call; its text, or "error", "hang"
//	hears 2.1s TEXT           what the peer says, as a transcriber understands it; "guess TEXT": not yet
//	                          final; "error", "end"
//	assistant 200ms TEXT|TEXT the next turn of the assistant, and END at its end; also "error", "hang"
//	send 2s                   what becomes of the next message, mail or case; also "error", "hang"
//	queue ID answers 2s       an agent of that queue answers; "leaves": the caller leaves it without
//	machine 2s VERDICT        human, machine, notsure or error; without this line it never comes
//	from ID                   begins at an action
//	quiet                     leaves the steps out of the transcript
//	at 1490ms press 12#       the caller presses keys
//	at 5010ms hangup          the caller hangs up
//	at 5010ms leave           what the caller is joined with ends
//	at 5010ms skip            somebody skips the step
//	at 5010ms continue        somebody continues a block
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
		word := strings.Fields(s.Text())
		if len(word) == 0 || strings.HasPrefix(word[0], "#") {
			continue
		}
		switch word[0] {
		case "var":
			name, value, _ := strings.Cut(strings.TrimPrefix(s.Text(), "var "), "=")
			if err := c.vars.Set(name, value); err != nil {
				t.Fatal(err)
			}
		case "http":
			c.answers = append(c.answers, strings.TrimPrefix(s.Text(), "http "))
		case "peer":
			c.peers[word[1]] = parsePeer(t, word[2:])
		case "conference":
			c.conferences = append(c.conferences, word[1])
		case "status":
			c.world.status = word[1]
		case "flow":
			c.world.flows[word[1]] = strings.Join(word[2:], " ")
		case "program":
			c.world.programs[word[1]] = strings.Join(word[2:], " ")
		case "leg":
			c.world.faults[word[1]] = strings.Join(word[2:], " ")
		case "recording":
			c.world.recordings = append(c.world.recordings, tape{word[1], strings.Join(word[2:], " ")})
		case "hears":
			c.world.speech = append(c.world.speech, parseSaid(t, word[1:]))
		case "assistant":
			c.world.replies = append(c.world.replies, strings.TrimPrefix(s.Text(), "assistant "))
		case "send":
			c.world.sends = append(c.world.sends, word[1])
		case "queue":
			c.world.queues[word[1]] = queue{parseTime(t, word[3]), word[2] == "answers"}
		case "machine":
			c.world.verdictAt, c.world.verdict = parseTime(t, word[1]), word[2]
		case "quiet":
			c.quiet = true
		case "from":
			from.ID = word[1]
		case "at":
			at := parseTime(t, word[1])
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
				default:
					t.Errorf("unknown: %s", s.Text())
				}
			}
			defer time.AfterFunc(at, do).Stop()
		default:
			t.Fatalf("unknown: %s", s.Text())
		}
	}
	c.world.registry = action.Builtin(c.deps())
	f, err := flow.Parse(flowJSON, flow.ParseOptions{Registry: c.world.registry, File: "flow.json", Dir: "/flows"})
	if err != nil {
		t.Fatal(err)
	}
	switch err = f.RunFrom(ctx, c, from); {
	case err == nil:
		c.logf("end")
	case errors.Is(err, action.ErrHangup):
		c.logf("end by hang-up")
	default:
		text, _, _ := strings.Cut(err.Error(), "\ngoroutine")
		c.logf("end: %s", text)
	}
	if c.sources != 0 {
		t.Errorf("%d sources are still open", c.sources)
	}
	if c.world.open != 0 {
		t.Errorf("%d recordings are still open", c.world.open)
	}
	got := c.transcript()
	all := c.vars.All()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		got += fmt.Sprintf("${%s} = %q\n", name, all[name])
	}
	return hideIDs(got, strings.ToLower(string(script)+string(flowJSON)))
}

func parseTime(t *testing.T, s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func parseSaid(t *testing.T, word []string) said {
	s := said{at: parseTime(t, word[0]), final: true}
	if word = word[1:]; word[0] == "guess" {
		s.final, word = false, word[1:]
	}
	s.text = strings.Join(word, " ")
	return s
}

func parsePeer(t *testing.T, word []string) peer {
	if word[0] == "unknown" {
		return peer{unknown: true}
	}
	after := parseTime(t, word[1])
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
