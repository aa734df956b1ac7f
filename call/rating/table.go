package rating

import (
	"fmt"
	"slices"
	"time"
)

// Table finds the rate of a number: that of its longest prefix. It is never changed, and safe for any goroutine. A nil Table has no rates.
type Table struct {
	rates   map[string][]Rate // by prefix, the earliest first
	longest int
	size    int
}

// MaxRates is how many rates a Table has at most.
const MaxRates = 1 << 20

// NewTable checks rates and makes a Table of them.
func NewTable(rates []Rate) (*Table, error) {
	t := &Table{rates: map[string][]Rate{}}
	for i, r := range rates {
		if field, err := t.add(r); err != nil {
			return nil, fmt.Errorf("rating: rates[%d].%s: %w", i, field, err)
		}
	}
	return t, nil
}

// add takes r, whose times must not overlap those of another rate for the same prefix.
func (t *Table) add(r Rate) (field string, err error) {
	if field, err := r.check(); err != nil {
		return field, err
	}
	if t.size++; t.size > MaxRates {
		return "prefix", fmt.Errorf("more than %d rates", MaxRates)
	}
	all := t.rates[r.Prefix]
	at, _ := slices.BinarySearchFunc(all, r, func(a, b Rate) int { return a.From.Compare(b.From) })
	if at > 0 && (all[at-1].Until.IsZero() || all[at-1].Until.After(r.From)) || at < len(all) && (r.Until.IsZero() || r.Until.After(all[at].From)) {
		return "prefix", fmt.Errorf("%s has another rate at the same time", r.Prefix)
	}
	t.rates[r.Prefix] = slices.Insert(all, at, r)
	t.longest = max(t.longest, len(r.Prefix))
	return "", nil
}

// Find is the rate of calls to number, "+" and digits, that begin at t. A prefix whose rates do not hold then gives way to a shorter one.
func (t *Table) Find(number string, at time.Time) (Rate, bool) {
	if t == nil {
		return Rate{}, false
	}
	for n := min(len(number), t.longest); n > 0; n-- {
		all := t.rates[number[:n]]
		for i := range all {
			if all[i].holds(at) {
				return all[i], true
			}
		}
	}
	return Rate{}, false
}

// Len is how many rates there are.
func (t *Table) Len() int {
	if t == nil {
		return 0
	}
	return t.size
}
