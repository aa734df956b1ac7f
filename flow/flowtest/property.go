package flowtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// Explore is how Flow.Explore looks for faults. The zero value is usable.
//
// It makes up callers: each run has one, who waits, presses keys, says something, hangs up, and a world around the call
// in which people answer or do not, web servers fail, and now and then a capability does. What the flow listens to is
// read from the flow: its keys, times, destinations and conditions. After each call the invariants are checked. For
// the first call that breaks one, a script is looked for that is as short as possible and breaks it as well:
//
//	func TestMenu(t *testing.T) {
//		f := flowtest.Open(t, "menu.json", flowtest.Config{})
//		f.Explore(t, flowtest.Explore{Invariants: []flowtest.Invariant{
//			flowtest.OnlyDials("+16062067563", "+16062067564"),
//			flowtest.Leads("1", flowtest.KindDials, "+16062067563"),
//		}})
//	}
//
// The test fails with that script, and with what happens in the call. The script may go into a test of its
// own, for Flow.Run. The same seed gives the same callers for the same flow, always.
type Explore struct {
	Runs        int           // callers; 0: 200
	Seed        uint64        // of what they do; 0: 1
	MaxDuration time.Duration // of a call; 0: an hour
	Invariants  []Invariant   // that hold for this flow, beside those of Invariants
	Without     []string      // names of those of Invariants that do not
	MaxShrink   int           // runs to find a shorter script, for each finding; 0: 500
}

func (e Explore) withDefaults() Explore {
	if e.Runs == 0 {
		e.Runs = 200
	}
	if e.Seed == 0 {
		e.Seed = 1
	}
	if e.MaxDuration == 0 {
		e.MaxDuration = time.Hour
	}
	if e.MaxShrink == 0 {
		e.MaxShrink = 500
	}
	return e
}

// Finding is an invariant that does not hold, and the shortest script found that shows it.
type Finding struct {
	Flow      string // its name
	Invariant string
	Err       error  // how it does not hold, in the run of Script
	Seed      uint64 // with Run: the call in which it was seen first
	Run       int
	Script    Script
	Result    *Result // of Script
}

// String tells all that is needed to see the fault again.
func (f Finding) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %q does not hold: %s\nseen first with seed %d in run %d; the script:\n", f.Flow, f.Invariant, firstLine(f.Err), f.Seed, f.Run)
	fmt.Fprintf(&b, "%sthe call:\n%s", indent(f.Script.String()), indent(shorten(f.Result.String())))
	return b.String()
}

// A transcript that is longer than these together shows its first and its last lines.
const (
	shownLines = 60
	lastLines  = 15
)

func shorten(text string) string {
	lines := strings.SplitAfter(text, "\n")
	left := len(lines) - shownLines - lastLines
	if left <= 1 {
		return text
	}
	cut := fmt.Sprintf("... (%d lines)\n", left)
	return strings.Join(slices.Concat(lines[:shownLines], []string{cut}, lines[len(lines)-lastLines:]), "")
}

func indent(text string) string {
	if text == "" {
		return "\t# a caller who does nothing\n"
	}
	return "\t" + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n\t") + "\n"
}

// Explore fails the test for each invariant that some caller breaks. It must not be called in a bubble of
// testing/synctest.
func (f *Flow) Explore(t *testing.T, e Explore) {
	t.Helper()
	for _, found := range f.Find(t, e) {
		t.Error(found)
	}
}

// Find is Explore that returns what it finds, one Finding for each invariant, in the order in which they were seen.
func (f *Flow) Find(t *testing.T, e Explore) []Finding {
	t.Helper()
	e = e.withDefaults()
	left := slices.DeleteFunc(Invariants(), func(i Invariant) bool { return slices.Contains(e.Without, i.Name) })
	left = append(left, e.Invariants...)
	g := f.study(t)
	var all []Finding
	for n := 0; n < e.Runs && len(left) > 0; n++ {
		script := g.script(e.Seed, n)
		r := f.runFor(t, script, e.MaxDuration)
		left = slices.DeleteFunc(left, func(i Invariant) bool {
			if i.Check(r) == nil {
				return false
			}
			all = append(all, f.shrink(t, e, i, n, r))
			return true
		})
	}
	return all
}

// Generate returns the script of a run of Explore.
func (f *Flow) Generate(t testing.TB, seed uint64, run int) Script {
	t.Helper()
	return f.study(t).script(seed, run)
}
