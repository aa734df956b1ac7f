package flow

import (
	"fmt"
	"slices"
	"strings"

	"github.com/callbin/callbin/action"
)

// lint follows the ways through f and tells, in warnings, what they come to. incoming says that the flow
// begins on a call that is not answered, and that the variables of its options are filled in by its own run.
func (f *Flow) lint(incoming bool) []Finding {
	l := linter{flow: f, graph: f.ways()}
	l.reachable = l.graph.reachable()
	l.unreachable()
	busy := l.graph.busy()
	l.loops(busy, l.busyLoop)
	l.loops(both(l.graph.endless(), not(busy)), l.neverEnds)
	if incoming {
		l.callState()
		l.variables()
	}
	l.digits()
	for i := range f.steps {
		s := &f.steps[i]
		for _, n := range s.nested {
			l.findings = append(l.findings, within(s.info, n.key, n.flow.lint(false))...)
		}
	}
	return l.findings
}

func both(a, b []bool) []bool {
	out := make([]bool, len(a))
	for i := range a {
		out[i] = a[i] && b[i]
	}
	return out
}

type linter struct {
	flow      *Flow
	graph     *graph
	reachable []bool // from the start, by node of the graph
	findings  []Finding
}

// warn tells of something at a place in the text.
func (l *linter) warn(index, offset int, rule, path, message, mend string) {
	f := l.flow.finding(&l.flow.steps[index], SeverityWarning, rule, offset)
	f.Path, f.Message, f.Mend = path, message, mend
	l.findings = append(l.findings, f)
}

// unreachable tells of the first of each row of actions that no way leads to.
func (l *linter) unreachable() {
	n := len(l.flow.steps)
	for i := 0; i < n; i++ {
		if l.reachable[i] {
			continue
		}
		first := i
		for i+1 < n && !l.reachable[i+1] {
			i++
		}
		message := "is never reached"
		switch more := i - first; more {
		case 0:
		case 1:
			message += ", nor is the action after it"
		default:
			message += fmt.Sprintf(", nor are the %d actions after it", more)
		}
		l.warn(first, l.flow.steps[first].offset, RuleUnreachable, "", message, "let a target or next_id lead to it, or take it out")
	}
}

// loops calls tell with each loop without way out among the steps of in.
func (l *linter) loops(in []bool, tell func(loop []int)) {
	for _, loop := range l.graph.loops(both(in, l.reachable)) {
		tell(loop)
	}
}

func (l *linter) busyLoop(loop []int) {
	l.warn(loop[0], l.flow.steps[loop[0]].offset, RuleBusyLoop, "",
		fmt.Sprintf("goes round without an end in which no time passes (%s): the engine will end the flow", l.names(loop)),
		"let a way lead out of it")
}

func (l *linter) neverEnds(loop []int) {
	l.warn(loop[0], l.flow.steps[loop[0]].offset, RuleNeverEnds, "",
		fmt.Sprintf("goes round for ever (%s): only the caller, or the longest time of a call, ends it", l.names(loop)),
		"bound it by a goto with loop_count, or a condition")
}

// names lists steps, the first few of them.
func (l *linter) names(steps []int) string {
	const most = 5
	var names []string
	for _, i := range steps[:min(len(steps), most)] {
		names = append(names, fmt.Sprintf("%q", l.flow.steps[i].info.ID))
	}
	if len(steps) > most {
		names = append(names, fmt.Sprintf("and %d more", len(steps)-most))
	}
	return strings.Join(names, ", ")
}

// callState tells of actions that only ever run on a call that is not answered, and need one that is.
func (l *linter) callState() {
	var after []int
	for i := range l.flow.steps {
		if shape := &l.flow.steps[i].shape; l.reachable[i] && (shape.Answers || shape.Anywhere) {
			after = append(after, l.graph.next[i]...)
		}
	}
	answered := reach(l.graph.next, after) // on some way to the node
	for i := range l.flow.steps {
		s := &l.flow.steps[i]
		if s.shape.NeedsAnswer && l.reachable[i] && !answered[i] {
			l.warn(i, s.offset, RuleCallState, "", "runs before anything has answered the call: on an incoming call it fails", `put an "answer" before it`)
		}
	}
}

// digits tells of keys that the caller is told to press, and that the branch which follows knows nothing of.
func (l *linter) digits() {
	for i := range l.flow.steps {
		s := &l.flow.steps[i]
		if !l.reachable[i] || len(s.shape.Says) == 0 {
			continue
		}
		says := strings.Join(s.shape.Says, " ")
		if len(announced(says, true)) == 0 {
			continue
		}
		at := l.menu(i)
		if at < 0 {
			continue
		}
		b := &l.flow.steps[at]
		// Where there is a default, it may be what says all of it again.
		for _, key := range announced(says, b.shape.MayEnd) {
			if !slices.Contains(b.shape.Cases, key) {
				offset := b.offset
				if n := b.option.Member("target_ids"); n != nil {
					offset = n.Start
				}
				l.warn(at, offset, RuleDigit, "target_ids",
					fmt.Sprintf("option \"target_ids\" has no %q, which action %q tells the caller to press", key, s.info.ID), "")
			}
		}
	}
}

// maxMenu is how many actions behind a prompt the branch on its digits is looked for.
const maxMenu = 100

// menu returns the branch that follows the prompt i and one digit, or -1 where another decision, a second digit, or time
// that is not for digits comes between.
func (l *linter) menu(i int) int {
	s := &l.flow.steps[i]
	one, received := s.shape.OneDigit, s.timing == action.TimeDigits
	for range maxMenu {
		var next int
		switch {
		case s.shape.Jumps || s.shape.Ends || s.shape.Anywhere || len(s.targets) > 0 || s.anyTarget:
			return -1
		case s.next != "":
			var ok bool
			if next, ok = l.flow.byID[s.next]; !ok {
				return -1
			}
		case i+1 < len(l.flow.steps):
			next = i + 1
		default:
			return -1
		}
		i = next
		s = &l.flow.steps[i]
		switch {
		case s.shape.Jumps && len(s.shape.Reads) > 0 && s.shape.Reads[0] == action.VarDigits:
			if one {
				return i
			}
			return -1
		case s.timing == action.TimeDigits:
			if received || !s.shape.OneDigit {
				return -1
			}
			one, received = true, true
		case s.timing == action.TimeWait, slices.Contains(s.shape.Sets, action.VarDigits):
			return -1
		case s.timing == action.TimePrompt: // what was pressed before it is forgotten
			one = s.shape.OneDigit
		}
	}
	return -1
}
