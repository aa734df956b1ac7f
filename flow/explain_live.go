package flow

import (
	"slices"
	"strings"

	"github.com/callbin/callbin/action"
)

// liveness knows which variables matter before each step of a flow: those that a step from there on reads
// before one has set them.
type liveness struct {
	reads  [][]string // of each step, by name
	number map[string]int
	names  []string
	any    []bool     // before the node of the graph: any variable may matter
	before [][]uint64 // bits by number, before each node
}

// stepReads returns the names of the variables that s reads; any says that there may be others. Names that
// variables give are left out.
func (s *step) stepReads() (names []string, any bool) {
	add := func(name string) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	var walk func(n *action.Node)
	walk = func(n *action.Node) {
		if n.Kind == action.String {
			action.EachVar(n.Text, func(name string, _ bool) { add(name) })
		}
		for _, e := range n.Elems {
			walk(e)
		}
		for _, m := range n.Members {
			walk(m.Value)
		}
	}
	if s.option != nil && s.option.Start != s.offset {
		walk(s.option)
	}
	for _, name := range s.shape.Reads {
		if action.HasVar(name) {
			any = true
		} else {
			add(name)
		}
	}
	if _, ok := s.template.Example().(action.Shaped); !ok {
		any = true
	}
	if s.info.Type == "condition_call_status" { // the one action that reads it
		add(callStatus)
	}
	return names, any
}

func newLiveness(f *Flow) *liveness {
	g := f.ways()
	n := len(g.next)
	l := &liveness{number: make(map[string]int), any: make([]bool, n), before: make([][]uint64, n)}
	own := make([]bool, n)
	for i := range f.steps {
		names, any := f.steps[i].stepReads()
		l.reads = append(l.reads, names)
		own[i] = any
		for _, name := range names {
			if _, ok := l.number[name]; !ok {
				l.number[name] = len(l.names)
				l.names = append(l.names, name)
			}
		}
	}
	words := len(l.names)/64 + 1
	kills := make([][]uint64, n)
	for i := range l.before {
		l.before[i] = make([]uint64, words)
		if i < len(f.steps) {
			for _, name := range l.reads[i] {
				l.set(l.before[i], name)
			}
			kills[i] = l.kills(&f.steps[i], words)
		}
		l.any[i] = own[i]
	}
	for changed := true; changed; {
		changed = false
		for i, next := range slices.Backward(g.next) {
			for _, j := range next {
				if l.any[j] && !l.any[i] {
					l.any[i], changed = true, true
				}
				for w, bits := range l.before[j] {
					if kills[i] != nil {
						bits &^= kills[i][w]
					}
					if bits&^l.before[i][w] != 0 {
						l.before[i][w] |= bits
						changed = true
					}
				}
			}
		}
	}
	return l
}

func (l *liveness) set(bits []uint64, name string) {
	number := l.number[name]
	bits[number/64] |= 1 << (number % 64)
}

// kills are the variables that s always sets: what they were before it does not matter after it.
func (l *liveness) kills(s *step, words int) []uint64 {
	bits := make([]uint64, words)
	for _, name := range l.names {
		killed := s.info.Type == "variable_set" && slices.Contains(s.shape.Sets, name) ||
			s.timing == action.TimeDigits && name == action.VarDigits
		results(s, func(prefix string) { killed = killed || strings.HasPrefix(name, prefix) })
		if killed {
			l.set(bits, name)
		}
	}
	return bits
}

// isLive tells whether a variable matters before step i.
func (l *liveness) isLive(i int, name string) bool {
	number, ok := l.number[name]
	return ok && l.before[i][number/64]&(1<<(number%64)) != 0
}

// has tells whether the flow reads a variable by its name.
func (l *liveness) has(name string) bool {
	_, ok := l.number[name]
	return ok
}

// eachLive calls f with those that matter before step i; all says that any other may.
func (l *liveness) eachLive(i int, f func(name string)) (all bool) {
	for _, name := range l.names {
		if l.isLive(i, name) {
			f(name)
		}
	}
	return l.any[i]
}

// eachRead calls f with all that the flow reads; all says that it may read any.
func (l *liveness) eachRead(f func(name string)) (all bool) {
	for _, name := range l.names {
		f(name)
	}
	return slices.Contains(l.any, true)
}
