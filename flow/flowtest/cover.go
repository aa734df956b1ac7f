package flowtest

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow"
)

// Coverage tells what of a flow ran in the calls of a test: its actions, the ways from those that have several
// (targets, next, on_error, on_timeout), and the keys that it listens to. Actions of flows within it, or that were
// fetched, are not among them. It is safe for concurrent use.
type Coverage struct {
	name    string
	actions []flow.Action

	mu   sync.Mutex
	hits map[item]int // guarded by mu
	runs int          // guarded by mu
}

// item is something that can be covered.
type item struct {
	kind  string // "actions", "branches", "digits"
	index int    // of the action
	label string // of the way, or the key
}

// Share is how much of something ran.
type Share struct{ Done, All int }

// Percent is 100 where there is nothing to do.
func (s Share) Percent() float64 {
	if s.All == 0 {
		return 100
	}
	return 100 * float64(s.Done) / float64(s.All)
}

func (s Share) String() string { return fmt.Sprintf("%d of %d (%.0f %%)", s.Done, s.All, s.Percent()) }

func newCoverage(name string, f *flow.Flow) *Coverage {
	return &Coverage{name: name, actions: f.Actions(), hits: make(map[item]int)}
}

// items are all that there are to cover, in the order of the flow.
func (c *Coverage) items() []item {
	var all []item
	for _, a := range c.actions {
		all = append(all, item{"actions", a.Index, ""})
		if ways := c.ways(a); len(ways) > 1 {
			for _, w := range ways {
				all = append(all, item{"branches", a.Index, w.Label})
			}
		}
		if decidesByDigits(a) {
			for _, key := range a.Shape.Cases {
				if key != "" { // that is no key
					all = append(all, item{"digits", a.Index, key})
				}
			}
		}
	}
	return all
}

// ways are those that an action takes by itself. What follows on one that ends the flow is only for who skips it.
func (c *Coverage) ways(a flow.Action) []flow.Way {
	if !a.Shape.Ends {
		return a.Ways
	}
	return slices.DeleteFunc(slices.Clone(a.Ways), func(w flow.Way) bool { return w.Label == "next" })
}

func decidesByDigits(a flow.Action) bool {
	return len(a.Shape.Cases) > 0 && len(a.Shape.Reads) > 0 && a.Shape.Reads[0] == action.VarDigits
}

// taken is a step that is over.
type taken struct {
	step    flow.Step
	outcome action.Outcome
	err     error
}

// add counts the steps of a call; ended tells that its flow came to its end by itself.
func (c *Coverage) add(steps []taken, ended bool) {
	steps = slices.DeleteFunc(slices.Clone(steps), func(t taken) bool { return len(t.step.Stack) > 0 })
	c.mu.Lock()
	defer c.mu.Unlock()
	c.runs++
	for i, t := range steps {
		index := t.step.Index
		if index >= len(c.actions) {
			continue
		}
		a := c.actions[index]
		c.hits[item{"actions", index, ""}]++
		to := -1
		switch {
		case i+1 < len(steps):
			to = steps[i+1].step.Index
		case ended && !t.outcome.Stop:
			to = len(c.actions)
		}
		for _, label := range c.labels(a, t, to) {
			c.hits[item{"branches", index, label}]++
		}
		if decidesByDigits(a) {
			c.hits[item{"digits", index, t.outcome.Result["value"]}]++
		}
	}
}

// labels are the ways that a step may have taken to the action with index to. There is more than one only where two
// ways lead to the same action, and nothing tells them apart.
func (c *Coverage) labels(a flow.Action, t taken, to int) []string {
	var all []string
	for _, w := range c.ways(a) {
		if w.To == to {
			all = append(all, w.Label)
		}
	}
	only := func(label string) []string { return []string{label} }
	value, branches := t.outcome.Result["value"]
	switch {
	case len(all) < 2:
		return all
	case slices.Contains(all, "on_timeout") && action.IsTimeout(t.outcome, t.err):
		return only("on_timeout")
	case slices.Contains(all, "on_error") && t.err != nil:
		return only("on_error")
	case branches && slices.Contains(all, "target_ids."+value):
		return only("target_ids." + value)
	case branches && slices.Contains(all, "default_target_id") && !slices.Contains(a.Shape.Cases, value):
		return only("default_target_id")
	case t.outcome.Target == "" && slices.Contains(all, "next"):
		return only("next")
	}
	return slices.DeleteFunc(all, func(label string) bool { return label == "on_error" || label == "on_timeout" })
}

// Shares returns how much of the actions, the branches and the digits ran.
func (c *Coverage) Shares() (actions, branches, digits Share) {
	c.mu.Lock()
	defer c.mu.Unlock()
	shares := make(map[string]*Share)
	for _, kind := range []string{"actions", "branches", "digits"} {
		shares[kind] = new(Share)
	}
	for _, i := range c.items() {
		s := shares[i.kind]
		s.All++
		if c.hits[i] > 0 {
			s.Done++
		}
	}
	return *shares["actions"], *shares["branches"], *shares["digits"]
}

// String is the coverage in a line.
func (c *Coverage) String() string {
	actions, branches, digits := c.Shares()
	return fmt.Sprintf("flowtest: %s: coverage: actions %s, branches %s, digits %s", c.name, actions, branches, digits)
}

// Missing tells what did not run, a line each, with the line in the flow.
func (c *Coverage) Missing() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	for _, i := range c.items() {
		a := c.actions[i.index]
		never := c.hits[item{"actions", i.index, ""}] == 0
		if c.hits[i] > 0 || never && i.kind != "actions" {
			continue
		}
		what := "never ran"
		switch i.kind {
		case "branches":
			what = i.label + " was never taken"
		case "digits":
			what = i.label + " was never pressed"
		}
		all = append(all, fmt.Sprintf("%s:%d: %s (%s): %s", c.name, a.Line, a.ID, a.Type, what))
	}
	return all
}

// lowest is the smallest of the three shares, in percent.
func (c *Coverage) lowest() float64 {
	actions, branches, digits := c.Shares()
	return min(actions.Percent(), branches.Percent(), digits.Percent())
}

func (c *Coverage) report(minimum float64) (text string, under bool) {
	var b strings.Builder
	fmt.Fprintln(&b, c)
	if under = c.lowest() < minimum; under {
		for _, line := range c.Missing() {
			fmt.Fprintf(&b, "\t%s\n", line)
		}
	}
	return b.String(), under
}
