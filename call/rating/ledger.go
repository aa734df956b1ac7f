package rating

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Reservation is money that a call is about to spend.
type Reservation struct {
	CallID   string
	Account  string
	Currency string
	Amount   Amount // more than what was reserved for the call before
}

// Accounts is who knows what calls may spend: a Ledger, or the balances of the host. All methods are safe for any goroutine, and return soon after ctx has
// ended.
type Accounts interface {
	// Reserve sets money aside for a call. False: there is not so much; nothing is reserved then. An error counts as false.
	Reserve(ctx context.Context, r Reservation) (bool, error)
	// Settle ends a call that has spent that much of all that was reserved for it; the rest is free again. It is called once for each call that has
	// reserved something.
	Settle(ctx context.Context, callID string, spent Amount) error
}

// Ledger is the Accounts that has Budgets. It is exact: reserved and spent together never exceed a budget, however many calls ask at the same
// time. Only accounts that have spent something take memory.
type Ledger struct {
	budgets map[string]Budget
	zones   map[string]*time.Location

	mu       sync.Mutex
	accounts map[string]*balance // guarded by mu
	calls    map[string]*held    // guarded by mu; by id
}

// balance is what an account has spent, and reserved for calls that are up.
type balance struct {
	used, topUps Amount
	day          int // that today is about; 0: none
	today        Amount
}

// held is what is reserved for one call.
type held struct {
	account string
	total   Amount
	parts   []part // at most one for each day
}

type part struct {
	day    int
	amount Amount
}

// NewLedger makes a Ledger that has nothing spent. An account without a budget, and without one for "*", may spend what it likes.
func NewLedger(budgets []Budget) (*Ledger, error) {
	if err := CheckBudgets("budgets", budgets); err != nil {
		return nil, fmt.Errorf("rating: %w", err)
	}
	l := &Ledger{budgets: map[string]Budget{}, zones: map[string]*time.Location{}, accounts: map[string]*balance{}, calls: map[string]*held{}}
	for _, b := range budgets {
		zone, err := time.LoadLocation(b.Zone)
		if err != nil {
			return nil, fmt.Errorf("rating: %w", err)
		}
		l.budgets[b.Account], l.zones[b.Account] = b, zone
	}
	return l, nil
}

// Budget is that of an account.
func (l *Ledger) Budget(account string) (Budget, bool) {
	b, ok := l.budgets[account]
	if !ok {
		b, ok = l.budgets["*"]
	}
	return b, ok
}

// Reserve implements Accounts.
func (l *Ledger) Reserve(_ context.Context, r Reservation) (bool, error) {
	b, ok := l.Budget(r.Account)
	if !ok {
		return true, nil
	}
	if r.Currency != b.Currency {
		return false, fmt.Errorf("rating: account %q has %s, the call costs %s", r.Account, b.Currency, r.Currency)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.account(r.Account)
	day := l.day(b.Account)
	if a.day != day {
		a.day, a.today = day, 0
	}
	h := l.calls[r.CallID]
	if h == nil {
		h = &held{account: r.Account}
	}
	if b.PerCall > 0 && h.total.Plus(r.Amount) > b.PerCall || b.PerDay > 0 && a.today.Plus(r.Amount) > b.PerDay ||
		b.Total > 0 && a.used.Plus(r.Amount) > b.Total.Plus(a.topUps) {
		return false, nil
	}
	l.calls[r.CallID] = h
	a.used, a.today, h.total = a.used.Plus(r.Amount), a.today.Plus(r.Amount), h.total.Plus(r.Amount)
	if n := len(h.parts); n > 0 && h.parts[n-1].day == day {
		h.parts[n-1].amount = h.parts[n-1].amount.Plus(r.Amount)
	} else {
		h.parts = append(h.parts, part{day, r.Amount})
	}
	return true, nil
}

// Settle implements Accounts. What is given back goes back to the day for which it was reserved.
func (l *Ledger) Settle(_ context.Context, callID string, spent Amount) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.calls[callID]
	if h == nil {
		return nil
	}
	delete(l.calls, callID)
	a := l.account(h.account)
	back := h.total - spent
	if back < 0 { // the call went on beyond what was reserved: it is spent all the same
		a.used, a.today = a.used.Plus(-back), a.today.Plus(-back)
		return nil
	}
	a.used -= back
	for i := len(h.parts) - 1; i >= 0 && back > 0; i-- {
		n := min(back, h.parts[i].amount)
		back -= n
		if h.parts[i].day == a.day {
			a.today -= n
		}
	}
	return nil
}

// TopUp adds to what an account may spend in total. It has no effect where its budget has no Total.
func (l *Ledger) TopUp(account string, amount Amount) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.account(account)
	a.topUps = a.topUps.Plus(amount)
}

// Used is what an account has spent, and reserved for calls that are up: in all, and today.
func (l *Ledger) Used(account string) (total, today Amount) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.accounts[account]
	if a == nil {
		return 0, 0
	}
	if b, ok := l.Budget(account); ok && a.day == l.day(b.Account) {
		today = a.today
	}
	return a.used, today
}

// account is made where there is none; mu is held.
func (l *Ledger) account(name string) *balance {
	a := l.accounts[name]
	if a == nil {
		a = &balance{}
		l.accounts[name] = a
	}
	return a
}

// day is today's number where the budget's day begins.
func (l *Ledger) day(budget string) int {
	y, m, d := time.Now().In(l.zones[budget]).Date()
	return y*10000 + int(m)*100 + d
}
