package flowtest

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow"
)

// Config of a Flow. The zero value is usable.
type Config struct {
	// Actions adds to the built-in actions, or replaces them.
	Actions func(r *action.Registry)
	// Deps changes what the actions work with, such as a Speaker or Expressions of one's own.
	Deps func(d *action.Deps)
	// Around are lines that every script begins with.
	Around string
	// MaxDuration is how long a call may take; 0: a day. One that takes longer has failed.
	MaxDuration time.Duration
	// Dir is the folder where relative file: URLs start; "": that of the file.
	Dir string
	// Unchecked leaves out flow.Check, for flows that are broken on purpose.
	Unchecked bool
	// Cover is how much of the actions, of the branches and of the digits has to run in the tests of the flow, in
	// percent of each. Where it does not, the test that opened the flow fails, and tells what is missing.
	Cover float64
	// Strict lets warnings of flow.Check be failures, too.
	Strict bool
}

const defaultMaxDuration = 24 * time.Hour

// Flow is a flow that is tested.
type Flow struct {
	name    string
	text    []byte
	program func(*action.Registry) (flow.Program, error)
	cfg     Config
	around  Script
	cover   *Coverage // nil for a program in plain Go
}

// Open reads the flow in a file. The test fails where that is not possible, or flow.Check finds an error.
func Open(t testing.TB, file string, cfg Config) *Flow {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("flowtest: %v", err)
	}
	cfg.Dir = cmp.Or(cfg.Dir, filepath.Dir(file))
	f := newFlow(t, filepath.Base(file), cfg)
	f.text = text
	f.program = f.parse
	f.check(t)
	return f
}

// New is Open for a flow as text. name is what findings call it.
func New(t testing.TB, name, text string, cfg Config) *Flow {
	t.Helper()
	f := newFlow(t, name, cfg)
	f.text = []byte(text)
	f.program = f.parse
	f.check(t)
	return f
}

// NewProgram tests a program in plain Go.
func NewProgram(t testing.TB, name string, p flow.Program, cfg Config) *Flow {
	t.Helper()
	f := newFlow(t, name, cfg)
	f.program = func(*action.Registry) (flow.Program, error) { return p, nil }
	return f
}

func newFlow(t testing.TB, name string, cfg Config) *Flow {
	t.Helper()
	around, err := ParseScript(cfg.Around)
	if err != nil {
		t.Fatalf("flowtest: Config.Around: %v", err)
	}
	if cfg.MaxDuration == 0 {
		cfg.MaxDuration = defaultMaxDuration
	}
	return &Flow{name: name, cfg: cfg, around: around}
}

func (f *Flow) parse(r *action.Registry) (flow.Program, error) {
	return flow.Parse(f.text, flow.ParseOptions{Registry: r, Name: strings.TrimSuffix(f.name, ".json"), File: f.name, Dir: f.cfg.Dir})
}

// check fails the test where the flow is broken, and sees to it that its coverage is told in the end.
func (f *Flow) check(t testing.TB) {
	t.Helper()
	w := emptyWorld()
	p, err := f.program(f.registry(w))
	if err != nil {
		if f.cfg.Unchecked {
			return // each run tells
		}
		t.Fatalf("flowtest: %v", err)
	}
	f.cover = newCoverage(f.name, p.(*flow.Flow))
	if !f.cfg.Unchecked {
		leg, _ := NewLeg(context.Background(), w)
		able := action.LegAbilities(leg).With(w.Deps().Abilities())
		for _, finding := range flow.Check(p.(*flow.Flow), able) {
			if finding.Severity == flow.SeverityError || f.cfg.Strict {
				t.Errorf("flowtest: %s", finding)
			}
		}
	}
	if f.cfg.Cover > 0 {
		t.Cleanup(func() { f.checkCoverage(t) })
	}
}

// checkCoverage prints the coverage. Where only some of the tests ran, it cannot be judged.
func (f *Flow) checkCoverage(t testing.TB) {
	text, under := f.cover.report(f.cfg.Cover)
	fmt.Print(text)
	if run := flag.Lookup("test.run"); run != nil && strings.Contains(run.Value.String(), "/") || t.Failed() {
		return
	}
	if under {
		t.Errorf("flowtest: %s: less than %g %% of the flow was tested:\n%s", f.name, f.cfg.Cover, text)
	}
}

// Coverage is what of the flow the calls of Run, Test, Files and RunScript have run so far; nil for a program
// in plain Go.
func (f *Flow) Coverage() *Coverage { return f.cover }

// registry are the actions of a call in w.
func (f *Flow) registry(w *World) *action.Registry {
	d := w.Deps()
	if f.cfg.Deps != nil {
		f.cfg.Deps(&d)
	}
	w.registry = action.Builtin(d)
	if f.cfg.Actions != nil {
		f.cfg.Actions(w.registry)
	}
	return w.registry
}

// Test is Run as a subtest.
func (f *Flow) Test(t *testing.T, name, script string) {
	t.Helper()
	t.Run(name, func(t *testing.T) { f.Run(t, script) })
}

// Run lets somebody call the flow who does what script says, in virtual time. The test fails when something was
// expected in vain, the call did not end, or sound or recordings were left open; the transcript tells then what
// happened. It must not be called in a bubble of testing/synctest: it makes one.
func (f *Flow) Run(t *testing.T, script string) *Result {
	t.Helper()
	s, err := ParseScript(script)
	if err != nil {
		t.Fatal(err)
	}
	r := f.RunScript(t, s)
	for _, err := range r.Failures {
		t.Error(err)
	}
	if len(r.Failures) > 0 {
		t.Logf("the call was:\n%s", r)
	}
	return r
}

// RunScript is Run for a script that is a value; it leaves it to the caller to look at the failures.
func (f *Flow) RunScript(t *testing.T, s Script) (r *Result) {
	t.Helper()
	r = f.runFor(t, s, f.cfg.MaxDuration)
	if f.cover != nil {
		f.cover.add(r.taken, r.ended)
	}
	return r
}

// runFor is RunScript with another limit. A goroutine that is blocked for ever, such as that of an action which ignores
// its context, makes a bubble panic at its end; the result tells of it already.
func (f *Flow) runFor(t *testing.T, s Script, limit time.Duration) (r *Result) {
	t.Helper()
	defer func() {
		if v := recover(); v != nil {
			if err, ok := v.(error); !ok || !strings.HasPrefix(err.Error(), "deadlock:") {
				panic(v)
			}
			if r == nil {
				r = &Result{Script: s}
			}
			if !r.stuck {
				r.stuck = true
				r.Failures = append(r.Failures, errBlocked)
			}
		}
	}()
	synctest.Test(t, func(t *testing.T) { r = f.call(t.Context(), s, limit) })
	return r
}

var (
	// errTooLong ends a call that takes longer than it may.
	errTooLong = errors.New("flowtest: the call takes too long")
	errStuck   = fmt.Errorf("flowtest: the flow, or its background work, still runs %s after the call was over", lingering)
	errBlocked = errors.New("flowtest: a goroutine of the call is blocked for ever")
)

// lingering is how long a flow that ignores the end of its call is waited for, and all that it has left behind.
const lingering = 10 * time.Minute

// call is one call, in the bubble that it runs in.
func (f *Flow) call(ctx context.Context, s Script, most time.Duration) *Result {
	w, err := f.World(s)
	if err != nil {
		return &Result{Failures: []error{err}}
	}
	r := &Result{Script: s}
	p, err := f.program(f.registry(w))
	if err != nil {
		r.Failures = append(r.Failures, err)
		return r
	}
	leg, ctx := NewLeg(ctx, w)
	limit := time.AfterFunc(most, leg.tooLong)
	acting, stop := context.WithCancel(ctx)
	acted := make(chan error, 1)
	go func() { acted <- w.Act(acting, leg.Caller()) }() // waited for below
	ended := make(chan error, 1)
	go func() { ended <- runFrom(ctx, p, leg, w.begin) }() // waited for below, but where it never ends
	if err, r.stuck = patiently(ctx, ended); r.stuck {
		err = context.Cause(ctx)
	} else {
		w.finish(err)
		leg.noteEnd()
	}
	limit.Stop()
	stop()
	if err := <-acted; err != nil {
		r.Failures = append(r.Failures, err)
	}
	if !r.stuck {
		worked := make(chan error, 1)
		go func() { leg.work.Wait(); worked <- nil }() // as the flow
		over, cancel := context.WithCancel(ctx)
		cancel()
		_, r.stuck = patiently(over, worked)
	}
	f.take(r, leg, err, most)
	return r
}

// patiently waits for what comes from done; stuck tells that it did not, lingering after the end of ctx.
func patiently(ctx context.Context, done <-chan error) (err error, stuck bool) {
	select {
	case err = <-done:
		return err, false
	case <-ctx.Done():
	}
	limit := time.NewTimer(lingering)
	defer limit.Stop()
	select {
	case err = <-done:
		return err, false
	case <-limit.C:
		return nil, true
	}
}

// runFrom makes an error of a panic, as an engine does.
func runFrom(ctx context.Context, p flow.Program, leg action.Leg, from flow.Position) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &flow.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	if f, ok := p.(*flow.Flow); ok {
		return f.RunFrom(ctx, leg, from)
	}
	return p.Run(ctx, leg)
}

// finish logs how the flow ended.
func (w *World) finish(err error) {
	switch {
	case err == nil:
		w.Log(KindEnd, "")
	case errors.Is(err, action.ErrHangup):
		w.Log(KindEnd, "by hang-up")
	default:
		w.Log(KindEnd, ": %s", firstLine(err))
	}
}

// take makes the result of a call that is over.
func (f *Flow) take(r *Result, l *Leg, err error, most time.Duration) {
	w := l.World
	l.mu.Lock()
	defer l.mu.Unlock()
	r.trail, r.lost, r.records, r.joined, r.stayed = l.trail, l.lost, l.notes.records, l.joined, l.stayed
	r.endless = errors.Is(err, errTooLong)
	if r.endless {
		r.Failures = append(r.Failures, fmt.Errorf("flowtest: the call has not ended after %s", most))
		err = action.ErrHangup
	}
	f.fill(r, w, w.StartVars(), l.vars.All(), err)
	if r.stuck {
		r.Failures = append(r.Failures, errStuck)
		return // what is open may be closed yet
	}
	r.leaks = w.leaks()
	r.Failures = append(r.Failures, r.leaks...)
}

// fill writes into r what came of a call in w, whose flow began with some variables and ended with others, and err.
func (f *Flow) fill(r *Result, w *World, before, after map[string]string, err error) {
	w.mu.Lock()
	r.taken = w.taken
	w.mu.Unlock()
	r.Events, r.Requests = w.Events(), w.Requests()
	r.ended, r.faulty = err == nil, len(w.faults) > 0
	r.known = r.Script.String() + string(f.text)
	r.Vars = after
	maps.DeleteFunc(r.Vars, func(name, value string) bool {
		old, had := before[name]
		return had && old == value
	})
	if err != nil && !errors.Is(err, action.ErrHangup) {
		r.Err = err
	}
}

// leaks tells what was left open.
func (w *World) leaks() (all []error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sources != 0 {
		all = append(all, fmt.Errorf("flowtest: %d sounds were not closed", w.sources))
	}
	if w.open != 0 {
		all = append(all, fmt.Errorf("flowtest: %d recordings that were read were not closed", w.open))
	}
	return all
}
