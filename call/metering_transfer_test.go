package call_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/call/rating"
	"github.com/callbin/callbin/store"
)

// Callers are connected to a number and transferred to a second one: both legs are on the account by which the caller came, and
// together keep its budget.
func TestTransfersKeepTheAccountAndItsBudget(t *testing.T) {
	transferred, exhausted := 0, 0
	for seed := range uint64(seeds(40)) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 88))
			total := rating.Amount(100_000 + rnd.Int64N(1_500_000))
			l, budget := budgeted(t, rating.Budget{Account: "customer", Currency: "USD", Total: total})
			h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"connect","option":{"destinations":[{"type":"tel","target":"+441200000000"}]}}]`}, budget, func(c *call.Config) {
				c.Trunks = []call.Trunk{{Name: "1", Address: "10.0.1.1", Prefixes: []string{"+441"}}, {Name: "2", Address: "10.0.1.2", Prefixes: []string{"+442", "+443"}},
					{Name: "in", Address: "10.0.2.1", Account: "customer", Prefixes: []string{"+9"}}}
			})
			for i := range byte(2) {
				callee(t, h, i+1, func(p *calltest.PhoneConfig) { p.Accept = func(c *calltest.PhoneCall) { c.Answer() } })
			}
			alice := calltest.NewPhone(t, h.net, calltest.PhoneConfig{Addr: netip.MustParseAddr("10.0.2.1"), Port: 5060})
			var wg sync.WaitGroup
			for range 3 {
				wait, talk, after := time.Duration(rnd.Int64N(int64(10*time.Second))), time.Duration(rnd.Int64N(int64(40*time.Second))), time.Duration(rnd.Int64N(int64(90*time.Second)))
				next := number(fmt.Sprintf("+44%d200000000", 2+rnd.IntN(2)))
				wg.Go(func() {
					time.Sleep(wait)
					a, err := alice.Invite(t.Context(), "100")
					if err != nil {
						t.Errorf("seed %d: %v", seed, err)
						return
					}
					time.Sleep(talk)
					for c := range h.Calls() {
						r := c.Record()
						if _, busy := c.Transferring(); r.Direction == store.DirectionOutgoing && r.Destination.Target == "+441200000000" && r.ConfbridgeID != "" && !busy {
							if _, err := c.Transfer(t.Context(), call.TransferOptions{Type: call.TransferBlind, Destinations: []address.Address{next}}); err == nil {
								break
							}
						}
					}
					time.Sleep(after)
					if a.Ended() == "" {
						a.Hangup(t)
					}
				})
			}
			wg.Wait()
			recs := h.records(t)
			sum := rating.Amount(0)
			for _, r := range recs {
				sum += rating.Amount(r.Cost)
				if r.Account != "customer" {
					t.Errorf("seed %d: a leg to %s is on account %q", seed, r.Destination.Target, r.Account)
				}
				if r.Code == call.CodeTransferred {
					transferred++
				}
				if r.Code == call.CodeBudgetExhausted {
					exhausted++
				}
				if len(r.ChainedCallIDs) > 0 || r.MasterCallID != "" { // a call that has unchained all is stored without, replayed with an empty list
					checkReplay(t, h, r)
				}
			}
			if used, _ := l.Used("customer"); sum > total || used != sum {
				t.Errorf("seed %d: spent %v of %v, the ledger says %v", seed, sum, total, used)
			}
		})
	}
	t.Logf("%d transferred, %d ended by the budget", transferred, exhausted)
	if n := seeds(40); transferred < n/2 || exhausted < n/2 {
		t.Errorf("%d transferred, %d ended by the budget: the courses show little", transferred, exhausted)
	}
}
