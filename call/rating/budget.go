package rating

import (
	"errors"
	"fmt"
	"time"
)

// Budget is what an account may spend. A limit of 0 is none.
type Budget struct {
	Account  string `json:"account"` // "*": each account that has none of its own, with one budget each
	Currency string `json:"currency"`
	PerCall  Amount `json:"per_call"`
	PerDay   Amount `json:"per_day"`
	Total    Amount `json:"total"` // a prepaid balance, for example
	// Zone is where a day begins at midnight, such as "Europe/Berlin"; "": UTC.
	Zone string `json:"zone"`
}

// CheckBudgets tells all that is wrong with budgets, each by its place below what.
func CheckBudgets(what string, budgets []Budget) error {
	var errs []error
	seen := map[string]bool{}
	for i, b := range budgets {
		at := fmt.Sprintf("%s[%d]", what, i)
		if r := (Rate{Prefix: "+", Currency: b.Currency}); true {
			if _, err := r.check(); err != nil {
				errs = append(errs, fmt.Errorf("%s.currency: %w", at, err))
			}
		}
		if seen[b.Account] {
			errs = append(errs, fmt.Errorf("%s.account: %q has two budgets", at, b.Account))
		}
		seen[b.Account] = true
		if b.PerCall < 0 || b.PerDay < 0 || b.Total < 0 {
			errs = append(errs, fmt.Errorf("%s: a limit is negative", at))
		}
		if b.PerCall == 0 && b.PerDay == 0 && b.Total == 0 {
			errs = append(errs, fmt.Errorf("%s: there is no limit: name per_call, per_day or total", at))
		}
		if _, err := time.LoadLocation(b.Zone); err != nil {
			errs = append(errs, fmt.Errorf("%s.zone: %w", at, err))
		}
	}
	return errors.Join(errs...)
}
