package call_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/call/rating"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/sip/verify"
	"github.com/callbin/callbin/store"
)

// prices are 0.60 a minute by the second for +441, 30/6 at 0.12 with a fee of 0.05 for +442, 60/60 at 0.30 for +443.
const prices = `prefix,currency,per_minute,initial,increment,fee
+441,USD,0.60,1,1,
+442,USD,0.12,30,6,0.05
+443,USD,0.30,60,60,
`

// priced lets numbers out by a trunk to the first callee, at prices.
func priced(c *call.Config) {
	c.Outbound.Tel = []string{"+"}
	c.Trunks = []call.Trunk{{Name: "t", Address: "10.0.1.1"}}
	var err error
	if c.Rates, err = rating.ParseCSV(strings.NewReader(prices)); err != nil {
		panic(err)
	}
}

// budgeted gives calls a ledger.
func budgeted(t *testing.T, b ...rating.Budget) (*rating.Ledger, func(*call.Config)) {
	t.Helper()
	l, err := rating.NewLedger(b)
	if err != nil {
		t.Fatal(err)
	}
	return l, func(c *call.Config) { priced(c); c.Accounts = l }
}

// untilHangup is a flow that goes on until somebody hangs up.
func untilHangup() flow.Program {
	return flow.Func(func(ctx context.Context, _ action.Leg) error {
		<-ctx.Done()
		return context.Cause(ctx)
	})
}

func TestCostIsKnownAtHangUp(t *testing.T) {
	for _, c := range []struct {
		number string
		d      time.Duration
		want   rating.Amount
		billed int64
		prefix string
	}{
		{"+441200000000", 10 * time.Second, 100_000, 10, "+441"},
		{"+442200000000", 10 * time.Second, 110_000, 30, "+442"},
		{"+442200000000", 31 * time.Second, 122_000, 36, "+442"},
		{"+443200000000", 61 * time.Second, 600_000, 120, "+443"},
		{"+449200000000", 61 * time.Second, 0, 0, ""},
		{"+443200000000", -1, 0, 0, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			followed := make(chan map[string]string, 1)
			h := open(t, nil, priced, func(cfg *call.Config) {
				cfg.FlowByID = func(context.Context, string) (flow.Program, error) {
					return flow.Func(func(_ context.Context, leg action.Leg) error {
						followed <- leg.Vars().All()
						return nil
					}), nil
				}
			})
			bob := callee(t, h, 1)
			f, err := flow.Parse([]byte(`{"on_complete_flow_id":"after","actions":[{"type":"sleep","option":{"duration":600000}}]}`), flow.ParseOptions{Registry: action.Builtin(action.Deps{}), Name: "f"})
			if err != nil {
				t.Fatal(err)
			}
			leg, err := h.Dial(t.Context(), call.DialOptions{Destination: number(c.number), Flow: f, Account: "shop"})
			if err != nil {
				t.Fatal(err)
			}
			b := bob.WaitCall(t)
			if c.d < 0 {
				b.Refuse(486)
			} else {
				b.Answer()
				time.Sleep(c.d - 20*time.Millisecond)
				b.Hangup(t)
			}
			<-leg.Done()
			r := leg.Record()
			if rating.Amount(r.Cost) != c.want || r.BilledSeconds != c.billed || r.RatePrefix != c.prefix || r.Account != "shop" || (r.Currency == "USD") != (c.prefix != "") {
				t.Errorf("%s for %v: %v %s for %d s by %q of %q", c.number, c.d, rating.Amount(r.Cost), r.Currency, r.BilledSeconds, r.RatePrefix, r.Account)
			}
			if c.d >= 0 {
				vars := <-followed
				if c.want > 0 && (vars["voipbin.call.cost"] != c.want.String() || vars["voipbin.call.currency"] != "USD" || vars["voipbin.call.billed_seconds"] != fmt.Sprint(c.billed) || vars["voipbin.call.account"] != "shop") {
					t.Errorf("variables %v", vars)
				}
			}
			h.mu.Lock()
			last := h.events[len(h.events)-1]
			h.mu.Unlock()
			if d, ok := last.Data.(store.Call); last.Type != "call_hangup" || !ok || d.Cost != r.Cost || d.Account != "shop" {
				t.Errorf("the last event is %+v", last)
			}
			for _, rec := range h.records(t) {
				checkReplay(t, h, rec)
			}
		})
	}
}

func TestBudgetEndsTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, budget := budgeted(t, rating.Budget{Account: "shop", Currency: "USD", Total: 305_000})
		h := open(t, nil, budget, func(c *call.Config) {
			c.Budget = call.BudgetOptions{Warning: "http://tone/400", WarnBefore: 5 * time.Second}
		})
		bob := callee(t, h, 1)
		leg, err := h.Dial(t.Context(), call.DialOptions{Destination: number("+441200000000"), Flow: untilHangup(), Account: "shop"})
		if err != nil {
			t.Fatal(err)
		}
		b := bob.WaitCall(t)
		b.Answer()
		begun := time.Now()
		b.WaitEnd(t)
		<-leg.Done()
		if d := time.Since(begun); d < 30*time.Second || d > 31*time.Second {
			t.Errorf("it ended after %v", d)
		}
		r := leg.Record()
		if r.Code != call.CodeBudgetExhausted || r.HangupBy != store.HangupByLocal || r.HangupReason != store.ReasonNormal || r.Cost != 300_000 || r.BilledSeconds != 30 {
			t.Errorf("record %+v", r)
		}
		if !calltest.Hears(b.Heard(), 400) {
			t.Error("there was no warning")
		}
		if total, _ := l.Used("shop"); total != 300_000 {
			t.Errorf("used %v", total)
		}
		c, err := h.Dial(t.Context(), call.DialOptions{Destination: number("+441200000000"), Flow: untilHangup(), Account: "shop"})
		var refusal *call.Refusal
		if !errors.As(err, &refusal) || refusal.Status != 402 || refusal.Code != call.CodeBudgetExhausted {
			t.Errorf("%v", err)
		}
		<-c.Done()
		if r := c.Record(); r.Code != call.CodeBudgetExhausted || len(r.Attempts) != 0 || r.Cost != 0 {
			t.Errorf("record %+v", r)
		}
		if _, err := h.Dial(t.Context(), call.DialOptions{Destination: number("+449200000000"), Flow: untilHangup(), Account: "shop"}); !errors.As(err, &refusal) || refusal.Code != call.CodeNoRate {
			t.Errorf("%v", err)
		}
		low := 0
		for _, typ := range h.eventTypes() {
			if typ == "call_budget_low" {
				low++
			}
		}
		if low != 1 {
			t.Errorf("%d events", low)
		}
		for _, rec := range h.records(t) {
			checkReplay(t, h, rec)
		}
	})
}

func TestAccountIsInheritedAndJourneyCostsItsLegs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, budget := budgeted(t, rating.Budget{Account: "*", Currency: "USD", PerDay: rating.Unit})
		h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"connect","option":{"destinations":[{"type":"tel","target":"+443200000000"}]}},
			{"type":"connect","option":{"destinations":[{"type":"tel","target":"+442200000000"}]}}]`}, budget, func(c *call.Config) {
			c.Trunks[0].Prefixes = []string{"+44"}
			c.Trunks = append(c.Trunks, call.Trunk{Name: "in", Address: "10.0.2.1", Account: "customer", Prefixes: []string{"+9"}})
		})
		bob := callee(t, h, 1)
		alice := calltest.NewPhone(t, h.net, calltest.PhoneConfig{Addr: netip.MustParseAddr("10.0.2.1"), Port: 5060})
		a := alice.Dial(t, "100")
		for _, d := range []time.Duration{61 * time.Second, 10 * time.Second} {
			b := bob.WaitCall(t)
			b.Answer()
			time.Sleep(d)
			b.Hangup(t)
		}
		a.WaitEnd(t)
		recs := h.records(t)
		if len(recs) != 3 || recs[0].Account != "customer" || recs[1].Account != "customer" || recs[1].Cost != 600_000 || recs[2].Cost != 110_000 || recs[0].Cost != 0 {
			t.Errorf("records %+v", recs)
		}
		if total, _ := l.Used("customer"); total != 710_000 {
			t.Errorf("used %v", total)
		}
		j, err := h.Journey(t.Context(), recs[0].JourneyID)
		if err != nil || len(j.Costs) != 1 || j.Costs[0] != (call.JourneyCost{Currency: "USD", Cost: 710_000}) || !strings.Contains(j.Text(call.JourneyStyle{}), "cost 0.71 USD") {
			t.Errorf("%v: %+v\n%s", err, j.Costs, j.Text(call.JourneyStyle{}))
		}
		for _, r := range recs {
			checkReplay(t, h, r)
		}
	})
}

func TestRandomCoursesKeepTheBudget(t *testing.T) {
	var calls, exhausted, refused atomic.Int64
	for seed := range uint64(seeds(200)) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 8))
			total := rating.Amount(100_000 + rnd.Int64N(3_000_000))
			l, budget := budgeted(t, rating.Budget{Account: "shop", Currency: "USD", Total: total, PerCall: rating.Amount(rnd.Int64N(2)) * 700_000})
			h := open(t, nil, budget, func(c *call.Config) {
				c.Trunks = nil
				for i := range 3 {
					c.Trunks = append(c.Trunks, call.Trunk{Name: fmt.Sprint(i), Address: fmt.Sprintf("10.0.1.%d", i+1), Prefixes: []string{fmt.Sprintf("+44%d20", i+1)}})
				}
			})
			var wg sync.WaitGroup
			for i := range 3 {
				phone := callee(t, h, byte(i+1))
				for range 2 {
					wait, rings, talks := time.Duration(rnd.Int64N(int64(20*time.Second))), time.Duration(rnd.Int64N(int64(8*time.Second))), time.Duration(rnd.Int64N(int64(2*time.Minute)))
					how := rnd.IntN(6)
					wg.Go(func() {
						time.Sleep(wait)
						leg, err := h.Dial(t.Context(), call.DialOptions{Destination: number(fmt.Sprintf("+44%d200000000", i+1)), Flow: untilHangup(), Account: "shop"})
						if err != nil {
							refused.Add(1)
							return
						}
						calls.Add(1)
						b := phone.WaitCall(t)
						time.Sleep(rings)
						if how == 0 {
							b.Refuse(486)
							<-leg.Done()
							return
						}
						b.Answer()
						done := make(chan struct{})
						wg.Go(func() {
							select {
							case <-time.After(talks):
								if how == 1 {
									_ = leg.Hangup(context.Background(), action.Ending{})
								} else {
									b.Hangup(t)
								}
							case <-done:
							}
						})
						<-leg.Done()
						close(done)
					})
				}
			}
			wg.Wait()
			used, _ := l.Used("shop")
			sum := rating.Amount(0)
			for _, r := range h.records(t) {
				sum += rating.Amount(r.Cost)
				if r.Code == call.CodeBudgetExhausted && !r.TmProgressing.IsZero() {
					exhausted.Add(1)
				}
				if r.TmProgressing.IsZero() && r.Cost != 0 {
					t.Errorf("seed %d: an attempt costs %v", seed, rating.Amount(r.Cost))
				}
				checkReplay(t, h, r)
			}
			if sum > total || used != sum {
				t.Errorf("seed %d: spent %v of %v, the ledger says %v", seed, sum, total, used)
			}
		})
	}
	t.Logf("%d calls, %d ended by the budget, %d refused", calls.Load(), exhausted.Load(), refused.Load())
	if n := int64(seeds(200)); exhausted.Load() < n/4 || refused.Load() < n/4 || calls.Load() < n*3/2 {
		t.Errorf("%d calls, %d ended by the budget, %d refused: the courses show little", calls.Load(), exhausted.Load(), refused.Load())
	}
}

func TestVelocityAtBothDoors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, err := verify.NewVelocity(verify.VelocityConfig{Limits: []verify.Limit{
			{Name: "callers", Kind: verify.LimitConcurrent, Direction: verify.DirectionIncoming, Per: []string{verify.PerNetwork}, Max: 1},
			{Name: "called", Kind: verify.LimitMinutes, Direction: verify.DirectionOutgoing, Max: 2},
		}})
		if err != nil {
			t.Fatal(err)
		}
		h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"echo"}]`}, outbound, func(c *call.Config) { c.Velocity = v })
		alice := calltest.NewPhone(t, h.net, calltest.PhoneConfig{})
		a := alice.Dial(t, "100")
		if again, err := alice.Invite(t.Context(), "100"); err == nil || again.Statuses()[len(again.Statuses())-1] != 503 {
			t.Errorf("the second call: %v", again.Statuses())
		}
		a.Hangup(t)
		time.Sleep(time.Second)
		alice.Dial(t, "100").Hangup(t)

		bob := callee(t, h, 1)
		leg, err := h.Dial(t.Context(), call.DialOptions{Destination: to("b1@10.0.1.1"), Flow: untilHangup()})
		if err != nil {
			t.Fatal(err)
		}
		b := bob.WaitCall(t)
		b.Answer()
		begun := time.Now()
		b.WaitEnd(t)
		<-leg.Done()
		if d := time.Since(begun).Round(time.Second); d != 2*time.Minute {
			t.Errorf("it ended after %v", d)
		}
		var refusal *call.Refusal
		if _, err := h.Dial(t.Context(), call.DialOptions{Destination: to("b1@10.0.1.1")}); !errors.As(err, &refusal) || refusal.Code != "velocity_minutes" {
			t.Errorf("%v", err)
		}
		var codes []string
		for _, r := range h.records(t) {
			checkReplay(t, h, r)
			codes = append(codes, r.Code)
			if r.Direction == store.DirectionIncoming && !strings.Contains(string(r.Verdict), `"velocity"`) {
				t.Errorf("the verdict is %s", r.Verdict)
			}
		}
		if want := "caller_hung_up velocity_concurrent caller_hung_up budget_exhausted velocity_minutes"; strings.Join(codes, " ") != want {
			t.Errorf("codes %v", codes)
		}
	})
}

// TestHelpIsNotMetered: a call for help goes out though the account has nothing, there is no rate, and no more calls may be made.
func TestHelpIsNotMetered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, budget := budgeted(t, rating.Budget{Account: "shop", Currency: "USD", Total: 1})
		v, err := verify.NewVelocity(verify.VelocityConfig{Limits: []verify.Limit{{Kind: verify.LimitCalls, Max: 1, Window: 3600}}})
		if err != nil {
			t.Fatal(err)
		}
		h := open(t, nil, budget, func(c *call.Config) {
			c.Velocity = v
			c.Outbound = call.Outbound{Countries: []string{"DE"}, Emergency: &call.Emergency{Country: "DE", Trunks: []string{"t"}}}
		})
		help := callee(t, h, 1)
		for i := range 3 {
			leg, err := h.Dial(t.Context(), call.DialOptions{Destination: number("112"), Flow: untilHangup(), Account: "shop"})
			if err != nil {
				t.Fatalf("call %d: %v", i, err)
			}
			c := help.WaitCall(t)
			if uri := c.Invite().URI; !strings.HasPrefix(uri, "sip:112@10.0.1.1") {
				t.Errorf("INVITE to %s", uri)
			}
			c.Answer()
			c.WaitAnswer(t)
			time.Sleep(time.Minute)
			c.Hangup(t)
			<-leg.Done()
			if r := leg.Record(); r.HangupReason != "normal" || r.HangupBy != "remote" || r.Cost != 0 {
				t.Errorf("record %+v", r)
			}
		}
		var refusal *call.Refusal
		if _, err := h.Dial(t.Context(), call.DialOptions{Destination: number("+4930901820"), Flow: untilHangup(), Account: "shop"}); !errors.As(err, &refusal) || refusal.Code != call.CodeNoRate {
			t.Errorf("another number: %v", err)
		}
	})
}
