package flow

import (
	"slices"

	"github.com/callbin/callbin/action"
)

// graph is the ways that a flow can take: nothing that may happen is missing, and what it has
// more than that is never used to tell that something cannot happen. Behind the steps it has one node more,
// anyone: where the way goes on with an id that is not known yet, it leads there, and from there to
// every action with an id, and to the end of the flow.
type graph struct {
	next   [][]int // nodes that may follow each node
	ends   []bool  // the flow may end after the node
	waits  []bool  // time passes in the step
	anyone int
}

// ways makes the graph of f.
func (f *Flow) ways() *graph {
	n := len(f.steps)
	g := &graph{next: make([][]int, n+1), ends: make([]bool, n+1), waits: make([]bool, n+1), anyone: n}
	g.ends[g.anyone] = true
	for _, index := range f.byID {
		g.next[g.anyone] = append(g.next[g.anyone], index)
	}
	slices.Sort(g.next[g.anyone])
	for i := range f.steps {
		s := &f.steps[i]
		g.waits[i] = s.timing != action.TimeNone && !s.shape.Instant
		g.ends[i] = s.shape.Ends || s.shape.MayEnd || s.shape.Anywhere
		follow := func(node int) { g.next[i] = append(g.next[i], node) }
		to := func(id string) {
			if index, ok := f.byID[id]; ok {
				follow(index)
			} else if id != "" { // misspelled: it may mean any, and as it stands it ends the flow
				follow(g.anyone)
			}
		}
		if s.goesOn() {
			switch {
			case s.next != "":
				to(s.next)
			case i+1 < n:
				follow(i + 1)
			default:
				g.ends[i] = true
			}
		}
		if !s.shape.Falls {
			for _, id := range s.targets {
				to(id)
			}
		}
		if s.shape.Anywhere || s.anyTarget && !s.shape.Falls {
			follow(g.anyone)
		}
		to(s.onError)
		to(s.onTimeout)
		slices.Sort(g.next[i])
		g.next[i] = slices.Compact(g.next[i])
	}
	return g
}

// goesOn tells whether the step behind s, or its next_id, may follow on it. One that takes time may be
// skipped, and then it does, even where the step itself would end the flow.
func (s *step) goesOn() bool {
	switch s.timing {
	case action.TimeWait, action.TimePrompt, action.TimeDigits:
		return !s.shape.Jumps
	default:
		return !s.shape.Jumps && !s.shape.Ends
	}
}

// reach tells which nodes a way of next leads to from starts, themselves among them.
func reach(next [][]int, starts []int) []bool {
	seen := make([]bool, len(next))
	var todo []int
	add := func(nodes []int) {
		for _, i := range nodes {
			if !seen[i] {
				seen[i] = true
				todo = append(todo, i)
			}
		}
	}
	for add(starts); len(todo) > 0; {
		i := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		add(next[i])
	}
	return seen
}

// reachable tells which nodes a way leads to from the start.
func (g *graph) reachable() []bool {
	if g.anyone == 0 { // there are no steps
		return make([]bool, len(g.next))
	}
	return reach(g.next, []int{0})
}

// leadTo tells from which steps a way leads to one of goals, themselves among them.
func (g *graph) leadTo(goals []bool) []bool {
	before := make([][]int, len(g.next))
	var starts []int
	for i, next := range g.next {
		for _, j := range next {
			before[j] = append(before[j], i)
		}
		if goals[i] {
			starts = append(starts, i)
		}
	}
	return reach(before, starts)
}

// busy returns the steps from which no way leads to an end of the flow or to a step in which time passes.
func (g *graph) busy() []bool {
	goals := make([]bool, len(g.next))
	for i := range goals {
		goals[i] = g.ends[i] || g.waits[i]
	}
	return not(g.leadTo(goals))
}

// endless returns the steps from which no way leads to an end of the flow.
func (g *graph) endless() []bool { return not(g.leadTo(g.ends)) }

func not(all []bool) []bool {
	out := make([]bool, len(all))
	for i, b := range all {
		out[i] = !b
	}
	return out
}

// loops returns the loops among the steps of in that no way leads out of, the steps of each in order.
func (g *graph) loops(in []bool) [][]int {
	var found [][]int
	part := g.parts(in)
	members := make(map[int][]int)
	leaves := make(map[int]bool)
	for i, p := range part {
		if p < 0 {
			continue
		}
		members[p] = append(members[p], i)
		for _, j := range g.next[i] {
			leaves[p] = leaves[p] || part[j] != p
		}
	}
	for p, steps := range members {
		if !leaves[p] && len(g.next[steps[0]]) > 0 { // it goes round: it has no end
			found = append(found, steps)
		}
	}
	slices.SortFunc(found, func(a, b []int) int { return a[0] - b[0] })
	return found
}

// parts numbers the strongly connected parts of the steps of in (Tarjan), -1 for all others.
func (g *graph) parts(in []bool) []int {
	n := len(g.next)
	part, index, low := make([]int, n), make([]int, n), make([]int, n)
	on := make([]bool, n)
	for i := range part {
		part[i], index[i] = -1, -1
	}
	type call struct{ step, edge int } // of the recursion that a deep flow would overflow
	var stack []int
	var calls []call
	count, parts := 0, 0
	for start := range n {
		if !in[start] || index[start] >= 0 {
			continue
		}
		calls = append(calls, call{start, 0})
		for len(calls) > 0 {
			c := &calls[len(calls)-1]
			i := c.step
			if c.edge == 0 {
				index[i], low[i] = count, count
				count++
				stack = append(stack, i)
				on[i] = true
			}
			if c.edge < len(g.next[i]) {
				j := g.next[i][c.edge]
				c.edge++
				switch {
				case !in[j]:
				case index[j] < 0:
					calls = append(calls, call{j, 0})
				case on[j]:
					low[i] = min(low[i], index[j])
				}
				continue
			}
			calls = calls[:len(calls)-1]
			if len(calls) > 0 {
				up := calls[len(calls)-1].step
				low[up] = min(low[up], low[i])
			}
			if low[i] != index[i] {
				continue
			}
			for {
				j := stack[len(stack)-1]
				stack = stack[:len(stack)-1]
				on[j], part[j] = false, parts
				if j == i {
					break
				}
			}
			parts++
		}
	}
	return part
}
