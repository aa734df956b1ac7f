package flowtest

import (
	"cmp"
	"slices"
	"strings"
	"testing"
	"time"
)

// shrinker looks for a script that is shorter than the best one and breaks the invariant as well.
type shrinker struct {
	run   func(Script) *Result
	holds func(*Result) error
	left  int // runs

	best   Script
	result *Result // of best
}

// shrink makes a finding of the result of a run that breaks i.
func (f *Flow) shrink(t *testing.T, e Explore, i Invariant, n int, r *Result) Finding {
	t.Helper()
	s := shrinker{
		run:   func(s Script) *Result { return f.runFor(t, s, e.MaxDuration) },
		holds: i.Check, left: e.MaxShrink, best: r.Script, result: r,
	}
	for s.drop() || s.merge() || s.simplify() {
	}
	return Finding{f.name, i.Name, i.Check(s.result), e.Seed, n, s.best, s.result}
}

// try takes c if it is smaller and breaks the invariant.
func (s *shrinker) try(c Script) bool {
	if s.left <= 0 || compare(c, s.best) >= 0 || c.check() != nil {
		return false
	}
	s.left--
	r := s.run(c)
	err := s.holds(r)
	if err == nil {
		return false
	}
	if c.given() < s.best.given() && err.Error() != s.holds(s.result).Error() {
		return false // it may be about what is not there any more
	}
	s.best, s.result = c, r
	return true
}

// compare orders scripts by size: by lines, then by letters, then by the time that they wait.
func compare(a, b Script) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(len(a.String()), len(b.String())),
		cmp.Compare(a.waits(), b.waits()), strings.Compare(a.String(), b.String()))
}

func (s Script) waits() (sum time.Duration) {
	for _, l := range s {
		if d, err := time.ParseDuration(l.Args); err == nil && l.Verb == "wait" {
			sum += d
		}
	}
	return sum
}

// drop leaves out lines: all, then halves, and so on.
func (s *shrinker) drop() (better bool) {
	for size := len(s.best); size > 0; size /= 2 {
		for i := len(s.best) - size; i >= 0; i -= size {
			if i+size <= len(s.best) && s.try(slices.Delete(slices.Clone(s.best), i, i+size)) {
				better = true
			}
		}
	}
	return better
}

// merge makes one line of two that say the same kind of thing.
func (s *shrinker) merge() (better bool) {
	for i := len(s.best) - 2; i >= 0; i-- {
		if i+1 >= len(s.best) {
			continue
		}
		if l, ok := join(s.best[i], s.best[i+1]); ok && s.try(slices.Replace(slices.Clone(s.best), i, i+2, l)) {
			better = true
		}
	}
	return better
}

func join(a, b Line) (Line, bool) {
	if a.Verb != b.Verb || a.Timed || b.Timed {
		return a, false
	}
	switch a.Verb {
	case "wait":
		d, _ := time.ParseDuration(a.Args)
		e, _ := time.ParseDuration(b.Args)
		return Wait(d + e), true
	case "press":
		return Press(a.Args + b.Args), true
	}
	return a, false
}

// simplify makes lines shorter, one at a time.
func (s *shrinker) simplify() (better bool) {
	for i := range s.best {
		for again := true; again; {
			again = false
			for _, l := range simpler(s.best[i]) {
				if s.try(slices.Replace(slices.Clone(s.best), i, i+1, l)) {
					better, again = true, true
					break
				}
			}
		}
	}
	return better
}

// simpler are lines that say less than l, the simplest first.
func simpler(l Line) []Line {
	var all []Line
	add := func(args string) { all = append(all, Line{Verb: l.Verb, Args: args}) }
	if l.Timed {
		add(l.Args)
	}
	words := strings.Fields(l.Args)
	switch l.Verb {
	case "wait":
		for _, d := range rounder(l.Args) {
			add(d)
		}
	case "press":
		n := len(l.Args)
		for size := n / 2; size > 0; size /= 2 {
			for i := 0; i+size <= n; i += size {
				add(l.Args[:i] + l.Args[i+size:])
			}
		}
		for i := range n {
			add(l.Args[:i] + "0" + l.Args[i+1:])
		}
	case "queue":
		if len(words) == 3 {
			for _, d := range rounder(words[2]) {
				add(words[0] + " " + words[1] + " " + d)
			}
		}
	case "says":
		add("hello")
	case "peer":
		add(strings.Join(append([]string{"*"}, words[1:]...), " "))
		for i, w := range words {
			for _, d := range rounder(w) {
				add(strings.Join(slices.Concat(words[:i], []string{d}, words[i+1:]), " "))
			}
		}
	case "http":
		for i, w := range words {
			for _, d := range rounder(w) {
				add(strings.Join(slices.Concat(words[:i], []string{d}, words[i+1:]), " "))
			}
			add(strings.Join(slices.Delete(slices.Clone(words), i, i+1), " "))
		}
		if len(words) > 0 {
			add(strings.Join(append([]string{"*"}, words[1:]...), " "))
		}
	}
	return slices.DeleteFunc(all, func(l Line) bool { _, err := parseLine(l.String()); return err != nil })
}

// rounder are times that are simpler to say than text, which is one.
func rounder(text string) []string {
	d, err := time.ParseDuration(text)
	if err != nil || d == 0 {
		return nil
	}
	var all []string
	for _, unit := range []time.Duration{time.Minute, 10 * time.Second, time.Second, 100 * time.Millisecond, 10 * time.Millisecond} {
		for _, r := range []time.Duration{(d / 2).Truncate(unit), d.Truncate(unit), d.Truncate(unit) + unit} {
			if r > 0 && r != d {
				all = append(all, r.String())
			}
		}
	}
	return all
}
