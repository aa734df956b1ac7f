package flowtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/callbin/callbin/flow"
)

// Result is what came of a call.
type Result struct {
	Script   Script
	Events   []Event
	Requests []Request
	Vars     map[string]string // at the end, those that are not as at the start
	Err      error             // that ended the flow; nil at its own end or a hang-up
	Failures []error           // of the test: what was expected in vain, a call without end, sound that is left open

	known string // ids in it are not random

	// For invariants.
	trail   []passed      // steps
	taken   []taken       // steps, when they were over
	ended   bool          // the flow came to its end
	lost    string        // digits that the flow asked for and has not read
	leaks   []error       // what was left open
	records bool          // a recording runs at the end
	joined  bool          // the caller is with somebody at the end
	faulty  bool          // the script lets a capability fail
	endless bool          // the call took longer than it may
	stuck   bool          // the flow, or its background work, never ended
	stayed  time.Duration // that the caller was with somebody
}

// passed is a step that has begun.
type passed struct {
	at     time.Duration // since the start of the call
	step   flow.Step
	digits string // voipbin.call.digits then
}

// String is the transcript: a line for each event, and the variables that the call has left. Ids that are random
// are <uuid>.
func (r *Result) String() string {
	var b strings.Builder
	b.WriteString(Transcript(r.Events))
	for _, name := range slices.Sorted(maps.Keys(r.Vars)) {
		fmt.Fprintf(&b, "${%s} = %q\n", name, r.Vars[name])
	}
	return HideIDs(b.String(), r.known)
}

// Of returns the texts of all events of a kind, in order.
func (r *Result) Of(k Kind) []string {
	var texts []string
	for _, e := range r.Events {
		if e.Kind == k {
			texts = append(texts, e.Text)
		}
	}
	return texts
}

// Dialled returns who was called, in order, as of "tel:+16062067563".
func (r *Result) Dialled() []string {
	var who []string
	for _, text := range r.Of(KindDials) {
		a, _, _ := strings.Cut(text, " ")
		who = append(who, a)
	}
	return who
}

// Heard returns what the caller heard: the texts that were spoken, in quotes, and the files that were played.
func (r *Result) Heard() []string {
	return slices.DeleteFunc(r.Of(KindSound), IsOver)
}

// Duration is how long the call took.
func (r *Result) Duration() time.Duration {
	if len(r.Events) == 0 {
		return 0
	}
	return r.Events[len(r.Events)-1].At
}
