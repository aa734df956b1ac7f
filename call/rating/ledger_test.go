package rating_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call/rating"
)

func ledger(t *testing.T, b ...rating.Budget) *rating.Ledger {
	t.Helper()
	l, err := rating.NewLedger(b)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func reserve(t *testing.T, l *rating.Ledger, id string, n rating.Amount) bool {
	t.Helper()
	ok, err := l.Reserve(t.Context(), rating.Reservation{CallID: id, Account: "a", Currency: "USD", Amount: n})
	if err != nil {
		t.Error(err)
	}
	return ok
}

func settle(t *testing.T, l *rating.Ledger, id string, n rating.Amount) {
	t.Helper()
	if err := l.Settle(t.Context(), id, n); err != nil {
		t.Error(err)
	}
}

func TestLedgerIsExactUnderManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ledger(t, rating.Budget{Account: "a", Currency: "USD", PerDay: 1000, Total: 5000, PerCall: 30})
		var got atomic.Int64
		var wg sync.WaitGroup
		for i := range 1000 {
			wg.Go(func() {
				for range 5 { // the fourth of each call is over its own budget
					if reserve(t, l, fmt.Sprint(i), 10) {
						got.Add(10)
					}
				}
			})
		}
		wg.Wait()
		if total, today := l.Used("a"); got.Load() != 1000 || total != 1000 || today != 1000 {
			t.Errorf("reserved %d, used %v and today %v", got.Load(), total, today)
		}
		for i := range 1000 {
			settle(t, l, fmt.Sprint(i), 0)
			settle(t, l, fmt.Sprint(i), 0) // as a second time does nothing
		}
		if total, today := l.Used("a"); total != 0 || today != 0 {
			t.Errorf("%v and %v are left", total, today)
		}
	})
}

func TestLedgerKnowsWhenADayIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it begins on 2000-01-01 00:00 UTC
		l := ledger(t, rating.Budget{Account: "a", Currency: "USD", PerDay: 100, Zone: "Asia/Tokyo"})
		time.Sleep(15*time.Hour - time.Millisecond)
		if !reserve(t, l, "1", 100) || reserve(t, l, "2", 1) {
			t.Error("the day has not 100")
		}
		time.Sleep(time.Millisecond) // midnight in Tokyo
		if !reserve(t, l, "2", 60) || !reserve(t, l, "1", 40) || reserve(t, l, "3", 1) {
			t.Error("the next day has not 100")
		}
		settle(t, l, "1", 90) // of yesterday: 40 of today and 10 of yesterday come back
		if _, today := l.Used("a"); today != 60 {
			t.Errorf("today has %v", today)
		}
		if !reserve(t, l, "3", 40) || reserve(t, l, "3", 1) {
			t.Error("what came back of today cannot be spent, or what came back of yesterday can")
		}
		time.Sleep(24*time.Hour - time.Millisecond)
		if reserve(t, l, "4", 1) {
			t.Error("the day ends early")
		}
		time.Sleep(time.Millisecond)
		if _, today := l.Used("a"); today != 0 || !reserve(t, l, "4", 100) {
			t.Error("the day does not end")
		}
	})
}

func TestLedgerTakesPrepaidMoney(t *testing.T) {
	l := ledger(t, rating.Budget{Account: "*", Currency: "USD", Total: 10}, rating.Budget{Account: "b", Currency: "EUR", PerCall: 1})
	if !reserve(t, l, "1", 10) || reserve(t, l, "2", 1) {
		t.Error("the balance is not 10")
	}
	settle(t, l, "1", 12) // a host that was late
	l.TopUp("a", 5)
	if reserve(t, l, "2", 4) || !reserve(t, l, "2", 3) {
		t.Error("3 are not left")
	}
	if ok, err := l.Reserve(t.Context(), rating.Reservation{CallID: "3", Account: "b", Currency: "USD", Amount: 1}); ok || err == nil || !strings.Contains(err.Error(), `account "b" has EUR, the call costs USD`) {
		t.Error(ok, err)
	}
	none := ledger(t)
	if ok, err := none.Reserve(t.Context(), rating.Reservation{CallID: "3", Account: "b", Currency: "USD", Amount: rating.MaxAmount}); !ok || err != nil {
		t.Error("who has no budget may not call", err)
	}
}

func TestBudgetsAreChecked(t *testing.T) {
	err := rating.CheckBudgets("budgets", []rating.Budget{{Account: "a", Currency: "usd", PerDay: 1}, {Account: "a", Currency: "USD"}, {Account: "c", Currency: "USD", Total: 1, Zone: "Nowhere/Land"}})
	for _, want := range []string{`budgets[0].currency: "usd"`, `budgets[1].account: "a" has two`, `budgets[1]: there is no limit`, `budgets[2].zone: unknown time zone`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %s", err, want)
		}
	}
}
