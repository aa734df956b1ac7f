package flowtest

import (
	"strings"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow"
)

// notes is what a Leg notes beside the log, for invariants; guarded by the mutex of the leg.
type notes struct {
	trail     []passed
	timing    action.Timing // of the step that runs
	staying   int           // steps in which the caller is with somebody
	stayed    time.Duration // in those that are over
	waits     bool          // the step that runs waits for the program
	waiting   []key         // as Leg.digits
	forgotten string        // digits that count, and were dropped; lost once the flow asks for more
	lost      string
	records   bool      // a recording ran at the end
	stops     time.Time // when it ends by itself; zero: never
	joined    bool      // one of staying and waits when the call took too long
}

// key is one that nobody has read. It counts if it was pressed while a prompt or a digits_receive ran.
type key struct {
	digit  byte
	counts bool
}

// noteStep notes that a step begins.
func (l *Leg) noteStep(s flow.Step) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trail = append(l.trail, passed{time.Since(l.start), s, l.vars.Get(action.VarDigits)})
	l.timing, l.waits = action.TimeAny, s.Type == "block"
	if l.registry != nil && l.registry.Has(s.Type) {
		l.timing = action.TimingOf(l.registry.New(s.Type))
	}
	switch n := len(l.waiting); {
	case l.timing == action.TimeDigits:
		l.lost += l.forgotten
		l.forgotten = ""
	case n > 0 && readsDigits(s): // the variable holds the last one
		l.waiting[n-1].counts = false
	}
}

// readsDigits tells whether a step may decide by the digits of the caller.
func readsDigits(s flow.Step) bool {
	switch s.Type {
	case "branch":
		return !strings.Contains(string(s.Option), `"variable"`) || strings.Contains(string(s.Option), action.VarDigits)
	case "condition_call_digits", "condition_variable", "condition_expression":
		return true
	}
	return false
}

func (l *Leg) noteKeysLocked(digits string) {
	for i := range len(digits) {
		l.waiting = append(l.waiting, key{digits[i], l.timing == action.TimePrompt || l.timing == action.TimeDigits})
	}
}

func (l *Leg) noteDropLocked() {
	for _, k := range l.waiting {
		switch {
		case !k.counts:
		case l.timing == action.TimeDigits:
			l.lost += string(rune(k.digit))
		default:
			l.forgotten += string(rune(k.digit))
		}
	}
	l.waiting = nil
}

// noteEnd notes what the flow leaves behind.
func (l *Leg) noteEnd() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = l.recording != "" && (l.stops.IsZero() || time.Now().Before(l.stops))
}

// tooLong ends the call.
func (l *Leg) tooLong() {
	l.mu.Lock()
	l.joined = l.staying > 0 || l.waits
	l.mu.Unlock()
	l.hangup(errTooLong)
}

// with notes that the caller is with somebody from now on, until the function that it returns is called.
func (l *Leg) with() (ends func()) {
	start := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.staying++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.staying--
		l.stayed += time.Since(start)
	}
}
