package flow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/callbin/callbin/action"
)

// callStatus stands among the names of variables for the status of the call.
const callStatus = "\x1fstatus"

// foreseen is a state that a run of a flow comes to, as far as it is known. It is the leg of that run.
type foreseen struct {
	runner   *runner
	index    int
	counters map[string]int
	certain  bool // nothing has been decided on the way that nobody knows

	vars    *action.Vars
	sure    map[string]bool // names of variables whose value is known, "" too; id. for those of a result
	unknown map[string]bool // names of those whose value is not
	doubt   bool            // anything may have been set

	digits  []string // that the caller is going to press
	typed   string   // ahead
	waiting bool     // what the caller pressed just now counts, and is not looked at yet

	status string // of the call; "" is not known
	find   func(ctx context.Context, id string) (Program, error)
}

// ID is not known: there is no call.
func (s *foreseen) ID() string { return "" }

// Vars are those that are known.
func (s *foreseen) Vars() *action.Vars { return s.vars }

// CallStatus is asked only where it is known.
func (s *foreseen) CallStatus() string { return s.status }

// FlowByID finds the flow for fetch_flow.
func (s *foreseen) FlowByID(ctx context.Context, id string) (action.Program, error) {
	if s.find == nil {
		return nil, errors.ErrUnsupported
	}
	return s.find(ctx, id)
}

// clone is the same state, from which another way can be gone.
func (s *foreseen) clone(counters map[string]int) *foreseen {
	c := *s
	c.counters = counters
	c.vars = s.vars.Clone()
	c.sure, c.unknown = maps.Clone(s.sure), maps.Clone(s.unknown)
	r := *s.runner
	r.leg, r.outer, r.stack = &c, slices.Clone(r.outer), slices.Clip(r.stack)
	c.runner = &r
	return &c
}

// open tells whether nobody knows the value of a variable.
func (s *foreseen) open(name string) bool {
	switch {
	case name == callStatus:
		return s.status == ""
	case s.sure[name]:
		return false
	case s.unknown[name]:
		return true
	}
	for i, c := range name {
		if c != '.' {
			continue
		}
		if id := name[:i+1]; s.unknown[id] {
			return true
		} else if s.sure[id] {
			return false
		}
	}
	return s.doubt || known[name]
}

// learn makes name a variable whose value is known.
func (s *foreseen) learn(name string) {
	delete(s.unknown, name)
	s.sure[name] = true
}

// forget makes name one whose value nobody knows.
func (s *foreseen) forget(name string) {
	delete(s.sure, name)
	s.unknown[name] = true
}

// forgetAll is forget for all.
func (s *foreseen) forgetAll() {
	s.doubt = true
	clear(s.sure)
	clear(s.unknown)
}

// results calls f with the names under which the result of step is found.
func results(step *step, f func(prefix string)) {
	if step.named {
		f(resultOf(step.info.ID))
	}
	if step.timing != action.TimeNone {
		f(resultOf(action.LastResult))
	}
}

// press lets the caller press the next digits; ok is false if nobody knows which.
func (s *foreseen) press() (digits string, ok bool) {
	if len(s.digits) == 0 {
		return "", false
	}
	digits, s.digits = s.digits[0], s.digits[1:]
	return digits, true
}

// look settles what was pressed during the last prompt: the variable holds its last digit. The caller
// presses keys where they are asked for, and so at the last prompt before somebody looks.
func (s *foreseen) look() (pressed string, ok bool) {
	s.waiting = false
	pressed, ok = s.press()
	switch {
	case !ok:
		s.forget(action.VarDigits)
	case pressed != "":
		s.learn(action.VarDigits)
		_ = s.vars.Set(action.VarDigits, pressed[len(pressed)-1:]) // one byte
	}
	return pressed, ok
}

// happened notes what step does to the call that is not in its outcome: what it sets is known if decided is true.
func (s *foreseen) happened(step *step, shape action.Shape, decided bool) {
	for _, name := range shape.Sets {
		if decided {
			s.learn(name)
		} else {
			s.forget(name)
		}
	}
	if shape.SetsAny {
		s.forgetAll()
	}
	results(step, func(prefix string) {
		if decided {
			s.learn(prefix)
		} else {
			s.forget(prefix)
		}
	})
	switch {
	case shape.SetsAny && shape.Anywhere && s.status == "ringing":
		s.status = ""
	case shape.Answers && len(shape.Result) == 0:
		s.status = "progressing"
	case shape.Answers && s.status != "progressing": // there may be nobody to join it with
		s.status = ""
	}
	switch step.timing {
	case action.TimeWait, action.TimePrompt:
		if s.typed = ""; !shape.Instant && (shape.OneDigit || !s.open(action.VarDigits) && s.vars.Get(action.VarDigits) == "") {
			s.waiting = true
		}
	case action.TimeDigits:
		s.waiting = false
	}
}

// key names all of the state that what comes after it depends on. rounds says that the jumps of gotos do.
func (s *foreseen) key(rounds bool, live func(*Flow) *liveness) string {
	var b strings.Builder
	add := func(name string) {
		if s.open(name) {
			fmt.Fprintf(&b, "%q?", name)
		} else if value := s.vars.Get(name); value != "" {
			fmt.Fprintf(&b, "%q%q", name, value)
		}
	}
	r := s.runner
	fmt.Fprintf(&b, "%p %d", r.flow, s.index)
	l := live(r.flow)
	all := l.eachLive(s.index, add)
	digits := l.isLive(s.index, action.VarDigits)
	if l.isLive(s.index, callStatus) {
		b.WriteString(s.status)
	}
	for _, o := range r.outer {
		fmt.Fprintf(&b, " %p %d", o.flow, o.at)
		all = live(o.flow).eachRead(add) || all
		digits = digits || live(o.flow).has(action.VarDigits)
	}
	if all {
		fmt.Fprint(&b, s.vars.All(), s.vars.Results(), s.sure, s.unknown, s.doubt)
	}
	fmt.Fprintf(&b, " %q %q %t", s.digits, s.typed, s.waiting && (digits || all))
	if rounds {
		fmt.Fprint(&b, s.counters)
	}
	return b.String()
}
