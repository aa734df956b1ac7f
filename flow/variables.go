package flow

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/callbin/callbin/action"
)

// read is a place where an action reads a variable.
type read struct {
	name   string
	offset int
	path   string
}

// reads returns what a step reads and what has no fallback, each name once.
func (s *step) reads() []read {
	var all []read
	seen := make(map[string]bool)
	add := func(name string, offset int, path string) {
		if !seen[name] && !action.HasVar(name) {
			seen[name] = true
			all = append(all, read{name, offset, path})
		}
	}
	var walk func(n *action.Node, path string)
	walk = func(n *action.Node, path string) {
		if n.Kind == action.String {
			action.EachVar(n.Text, func(name string, fallback bool) {
				if !fallback {
					add(name, n.Start, path)
				}
			})
		}
		for i, e := range n.Elems {
			walk(e, fmt.Sprintf("%s[%d]", path, i))
		}
		for _, m := range n.Members {
			if s.info.Type == "condition_expression" && m.Key == "expression" {
				continue // it names its variables without ${}
			}
			walk(m.Value, strings.TrimPrefix(path+"."+m.Key, "."))
		}
	}
	if s.option != nil && s.option.Start != s.offset { // else it is the action itself: there are no options
		walk(s.option, "")
	}
	for _, name := range s.shape.Reads {
		add(name, s.offset, "")
	}
	return all
}

// variables tells of those that are read where no way to the action has set them. What a program gives a
// call beforehand is not known here, so it can only be doubted.
func (l *linter) variables() {
	set := newSetters(l)
	for i := range l.flow.steps {
		if !l.reachable[i] {
			continue
		}
		for _, r := range l.flow.steps[i].reads() {
			message := set.doubt(i, r.name)
			if message == "" {
				continue
			}
			if r.path != "" {
				message = fmt.Sprintf("option %q %s", r.path, message)
			}
			l.warn(i, r.offset, RuleUnsetVariable, r.path, message, "")
		}
	}
}

// setters knows what may be set before each step.
type setters struct {
	*linter
	number map[string]int // of each variable, and of the result of each named step
	any    []bool         // before the node of the graph, anything may have been set
	before [][]uint64     // bits by number, before each node
	hints  map[string]string
}

// resultOf is the name under which the result of a step is counted.
func resultOf(id string) string { return id + "." }

func newSetters(l *linter) *setters {
	n := len(l.graph.next)
	set := &setters{linter: l, number: make(map[string]int), any: make([]bool, n), before: make([][]uint64, n), hints: make(map[string]string)}
	gives := make([][]int, n)
	for i := range l.flow.steps {
		s := &l.flow.steps[i]
		names := s.shape.Sets
		if s.named {
			names = append(slices.Clone(names), resultOf(s.info.ID))
		}
		for _, name := range names {
			number, ok := set.number[name]
			if !ok {
				number = len(set.number)
				set.number[name] = number
			}
			gives[i] = append(gives[i], number)
		}
	}
	words := len(set.number)/64 + 1
	for i := range set.before {
		set.before[i] = make([]uint64, words)
	}
	after := make([]uint64, words)
	todo := []int{0}
	queued, visited := make([]bool, n), make([]bool, n)
	if len(l.flow.steps) == 0 {
		return set
	}
	visited[0] = true
	for len(todo) > 0 {
		i := todo[0]
		todo = todo[1:]
		queued[i] = false
		copy(after, set.before[i])
		for _, number := range gives[i] {
			after[number/64] |= 1 << (number % 64)
		}
		anything := set.any[i] || i != l.graph.anyone && l.flow.steps[i].shape.SetsAny
		for _, j := range l.graph.next[i] {
			changed := !visited[j] || anything && !set.any[j]
			visited[j] = true
			set.any[j] = set.any[j] || anything
			for w := range after {
				if after[w]&^set.before[j][w] != 0 {
					set.before[j][w] |= after[w]
					changed = true
				}
			}
			if changed && !queued[j] {
				queued[j] = true
				todo = append(todo, j)
			}
		}
	}
	return set
}

// has tells whether name may be set before step i.
func (s *setters) has(i int, name string) bool {
	number, ok := s.number[name]
	return ok && s.before[i][number/64]&(1<<(number%64)) != 0
}

// doubt returns what is wrong with reading name in step i; "" for nothing.
func (s *setters) doubt(i int, name string) string {
	if s.has(i, name) || known[name] || strings.TrimSpace(name) == "" {
		return ""
	}
	if message, ok := s.doubtResult(i, name); ok {
		return message
	}
	if s.any[i] {
		return ""
	}
	if strings.HasPrefix(name, "voipbin.") {
		return fmt.Sprintf("reads %q, which is no variable of a call%s", name, s.hint(name))
	}
	return fmt.Sprintf("reads %q, which no action before it sets: it is empty, unless the program gives it%s", name, s.hint(name))
}

// hint suggests the nearest variable that there is.
func (s *setters) hint(name string) string {
	hint, ok := s.hints[name]
	if ok || len(s.hints) == maxHints {
		return hint
	}
	all := slices.Concat(slices.Collect(maps.Keys(s.number)), slices.Collect(maps.Keys(known)))
	all = slices.DeleteFunc(all, func(n string) bool { return n == name || strings.HasSuffix(n, ".") })
	if hint = action.Suggest(name, all, ""); !strings.Contains(hint, "did you mean") {
		hint = ""
	}
	s.hints[name] = hint
	return hint
}

// doubtResult is doubt for what reads as the result of a step; ok says that it is one.
func (s *setters) doubtResult(i int, name string) (message string, ok bool) {
	for at, c := range name {
		if c != '.' {
			continue
		}
		id, key := name[:at], name[at+1:]
		if id == action.LastResult {
			return s.doubtKey("last", key, s.flow.steps), true
		}
		index, exists := s.flow.byID[id]
		if !exists {
			continue
		}
		if !s.has(i, resultOf(id)) {
			return fmt.Sprintf("reads %q, but action %q has never run before it", name, id), true
		}
		return s.doubtKey(id, key, s.flow.steps[index:index+1]), true
	}
	return "", false
}

// doubtKey tells of a key that none of steps has in its result.
func (s *setters) doubtKey(id, key string, steps []step) string {
	keys := []string{action.ResultStatus, action.ResultError}
	for i := range steps {
		if steps[i].shape.AnyResult {
			return ""
		}
		keys = append(keys, steps[i].shape.Result...)
	}
	slices.Sort(keys)
	if keys = slices.Compact(keys); slices.Contains(keys, key) {
		return ""
	}
	return fmt.Sprintf("reads %q, but the result of %q has no %q%s", id+"."+key, id, key, action.Suggest(key, keys, "there are"))
}
