package call

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// Route says by which trunks the numbers with a prefix go. All routes that fit count, those with a longer prefix
// first, and a trunk that failed is followed by the next one on the same call: see verdict for when. Where
// no route fits, trunks are taken by their own prefixes, the longest first.
type Route struct {
	Target string       `json:"target"` // prefix, "+" and digits; "+" or "all": all numbers
	Trunks []RouteTrunk `json:"trunks"`
}

// RouteTrunk is one trunk of a Route.
type RouteTrunk struct {
	Trunk    string `json:"trunk"`    // its name
	Priority int    `json:"priority"` // lower ones are tried first
	Weight   int    `json:"weight"`   // among those of one priority, how often it is the first of them; 0: 1
}

func checkRoutes(what string, routes []Route, trunks []Trunk) error {
	var errs []error
	for i, r := range routes {
		at := fmt.Sprintf("%s[%d]", what, i)
		if r.Target != "all" {
			if err := checkPrefixes(at+".target", []string{r.Target}); err != nil {
				errs = append(errs, err)
			}
		}
		if len(r.Trunks) == 0 {
			errs = append(errs, fmt.Errorf("%s: it names no trunk", at))
		}
		if slices.ContainsFunc(routes[:i], func(o Route) bool { return o.prefix() == r.prefix() }) {
			errs = append(errs, fmt.Errorf("%s: target %q stands there twice", at, r.Target))
		}
		for j, t := range r.Trunks {
			switch {
			case !slices.ContainsFunc(trunks, func(o Trunk) bool { return o.Name == t.Trunk }):
				errs = append(errs, fmt.Errorf("%s.trunks[%d]: there is no trunk %q", at, j, t.Trunk))
			case t.Weight < 0:
				errs = append(errs, fmt.Errorf("%s.trunks[%d]: weight is negative: %d", at, j, t.Weight))
			case slices.ContainsFunc(r.Trunks[:j], func(o RouteTrunk) bool { return o.Trunk == t.Trunk }):
				errs = append(errs, fmt.Errorf("%s.trunks[%d]: %q stands there twice", at, j, t.Trunk))
			}
		}
	}
	return errors.Join(errs...)
}

func (r Route) prefix() string {
	if r.Target == "all" {
		return "+"
	}
	return r.Target
}

// telWays are the trunks that take number, in the order of trying.
func (p dialplan) telWays(number string) ([]way, *Refusal) {
	evidence, refused := p.judge(number)
	if refused != nil {
		return nil, refused
	}
	trunks := p.routed(number)
	if trunks == nil {
		trunks = p.prefixed(number)
	}
	if len(trunks) == 0 {
		return nil, &Refusal{Status: 503, Code: CodeNoTrunk, Sentence: fmt.Sprintf("no trunk takes %s", number)}
	}
	// Those that do not seem to work are tried last, not never.
	slices.SortStableFunc(trunks, func(a, b *Trunk) int { return cmp.Compare(p.lines[a.Name].rank(), p.lines[b.Name].rank()) })
	ws := make([]way, len(trunks))
	for i, t := range trunks {
		ws[i] = t.way(number)
		ws[i].evidence = evidence
	}
	return ws, nil
}

// routed are the trunks that the routes of number name; nil: no route fits.
func (p dialplan) routed(number string) (trunks []*Trunk) {
	var fit []Route
	for _, r := range p.routes {
		if strings.HasPrefix(number, r.prefix()) {
			fit = append(fit, r)
		}
	}
	if fit == nil {
		return nil
	}
	slices.SortStableFunc(fit, func(a, b Route) int { return cmp.Compare(len(b.prefix()), len(a.prefix())) })
	trunks = []*Trunk{}
	for _, r := range fit {
		for _, name := range p.order(r.Trunks) {
			i := slices.IndexFunc(p.trunks, func(t Trunk) bool { return t.Name == name })
			if i < 0 {
				continue
			}
			t := &p.trunks[i]
			if _, takes := t.takes(number); takes && !slices.Contains(trunks, t) {
				trunks = append(trunks, t)
			}
		}
	}
	return trunks
}

// order puts the trunks of a route into the order of trying: by priority, and by chance within one.
func (p dialplan) order(all []RouteTrunk) []string {
	type entry struct {
		RouteTrunk
		key float64
	}
	random := p.random
	if random == nil {
		random = rand.Float64
	}
	es := make([]entry, len(all))
	for i, t := range all {
		// The smallest of exponentially distributed times is that of i with a chance of weight i to the sum
		// of weights, and so is the next one among those that are left.
		es[i] = entry{t, -math.Log(1-random()) / float64(cmp.Or(t.Weight, 1))}
	}
	slices.SortStableFunc(es, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.key, b.key))
	})
	names := make([]string, len(es))
	for i, e := range es {
		names[i] = e.Trunk
	}
	return names
}

// prefixed are the trunks that take number by their own prefixes, the longest first.
func (p dialplan) prefixed(number string) (trunks []*Trunk) {
	length := map[*Trunk]int{}
	for i := range p.trunks {
		t := &p.trunks[i]
		if n, ok := t.takes(number); ok {
			length[t] = n
			trunks = append(trunks, t)
		}
	}
	slices.SortStableFunc(trunks, func(a, b *Trunk) int { return cmp.Compare(length[b], length[a]) })
	return trunks
}

// takes tells whether number may go by t, and how long the prefix is that says so.
func (t *Trunk) takes(number string) (length int, ok bool) {
	if len(t.Prefixes) == 0 {
		return 0, true
	}
	for _, p := range t.Prefixes {
		if strings.HasPrefix(number, p) {
			length, ok = max(length, len(p)), true
		}
	}
	return length, ok
}
