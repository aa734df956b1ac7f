package rating_test

import (
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/callbin/callbin/call/rating"
)

func amount(t *testing.T, s string) rating.Amount {
	t.Helper()
	a, err := rating.ParseAmount(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Worked out by hand.
func TestCostsAreThoseOfTheTable(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name                     string
		fee, minute, minimum     string
		initial, increment, free int64
		d                        time.Duration
		want                     string
		billed                   int64
	}{
		{"60/60 at once", "0", "0.12", "0", 60, 60, 0, 0, "0.12", 60},
		{"60/60 one second", "0", "0.12", "0", 60, 60, 0, 1000 * ms, "0.12", 60},
		{"60/60 a minute", "0", "0.12", "0", 60, 60, 0, 60000 * ms, "0.12", 60},
		{"60/60 a minute and a millisecond", "0", "0.12", "0", 60, 60, 0, 60001 * ms, "0.24", 120},
		{"60/60 two minutes less a millisecond", "0", "0.12", "0", 60, 60, 0, 119999 * ms, "0.24", 120},
		{"30/6 ten seconds", "0", "0.10", "0", 30, 6, 0, 10000 * ms, "0.05", 30},
		{"30/6 half a minute", "0", "0.10", "0", 30, 6, 0, 30000 * ms, "0.05", 30},
		{"30/6 31 s", "0", "0.10", "0", 30, 6, 0, 31000 * ms, "0.06", 36},
		{"30/6 36 s", "0", "0.10", "0", 30, 6, 0, 36000 * ms, "0.06", 36},
		{"30/6 36.001 s", "0", "0.10", "0", 30, 6, 0, 36001 * ms, "0.07", 42},
		{"30/6 one hour", "0", "0.10", "0", 30, 6, 0, time.Hour, "6", 3600},
		{"1/1 61 s", "0", "0.06", "0", 1, 1, 0, 61 * time.Second, "0.061", 61},
		{"1/1 one second of a price that does not divide", "0", "0.1", "0", 1, 1, 0, time.Second, "0.001667", 1},
		{"1/1 three seconds of it: rounded once", "0", "0.1", "0", 1, 1, 0, 3 * time.Second, "0.005", 3},
		{"fee", "0.05", "0.12", "0", 60, 60, 0, 61 * time.Second, "0.29", 120},
		{"fee alone", "0.05", "0", "0", 60, 60, 0, time.Hour, "0.05", 3600},
		{"minimum", "0", "0.01", "0.03", 1, 1, 0, 10 * time.Second, "0.03", 10},
		{"above the minimum", "0.01", "0.06", "0.03", 1, 1, 0, 30 * time.Second, "0.04", 30},
		{"free seconds", "0.02", "0.60", "0", 1, 1, 20, 20 * time.Second, "0.02", 20},
		{"beyond free seconds", "0.02", "0.60", "0", 1, 1, 20, 21 * time.Second, "0.03", 21},
	} {
		r := rating.Rate{Fee: amount(t, c.fee), PerMinute: amount(t, c.minute), Minimum: amount(t, c.minimum), Initial: c.initial, Increment: c.increment, Free: c.free}
		if cost, billed := r.Cost(c.d); cost.String() != c.want || billed != c.billed {
			t.Errorf("%s: %v for %d s, not %s for %d", c.name, cost, billed, c.want, c.billed)
		}
	}
}

// slowCost goes step by step, in fractions.
func slowCost(r rating.Rate, d time.Duration) (*big.Int, int64) {
	billed := r.Initial
	for time.Duration(billed)*time.Second < d {
		billed += r.Increment
	}
	sum := new(big.Rat)
	perSecond := big.NewRat(int64(r.PerMinute), 60)
	for s := int64(1); s <= billed; s++ {
		if s > r.Free {
			sum.Add(sum, perSecond)
		}
	}
	sum.Add(sum, new(big.Rat).SetInt64(int64(r.Fee)))
	up := new(big.Int).Add(sum.Num(), new(big.Int).Sub(sum.Denom(), big.NewInt(1)))
	up.Div(up, sum.Denom())
	if low := big.NewInt(int64(r.Minimum)); up.Cmp(low) < 0 {
		up = low
	}
	return up, billed
}

func TestCostsAreThoseOfASlowReference(t *testing.T) {
	rnd := rand.New(rand.NewPCG(8, 3))
	for range 3000 {
		r := rating.Rate{
			Fee: rating.Amount(rnd.Int64N(1_000_000)), PerMinute: rating.Amount(rnd.Int64N(5_000_000)), Minimum: rating.Amount(rnd.Int64N(200_000)),
			Initial: 1 + rnd.Int64N(90), Increment: 1 + rnd.Int64N(90), Free: rnd.Int64N(40),
		}
		d := time.Duration(rnd.Int64N(int64(400 * time.Second)))
		if rnd.IntN(3) == 0 {
			d = d.Truncate(time.Second)
		}
		cost, billed := r.Cost(d)
		want, wantBilled := slowCost(r, d)
		if !want.IsInt64() || int64(cost) != want.Int64() || billed != wantBilled {
			t.Fatalf("%+v for %v: %d in %d s, not %v in %d", r, d, cost, billed, want, wantBilled)
		}
	}
}

func TestNoSumWraps(t *testing.T) {
	r := rating.Rate{Fee: rating.MaxAmount, PerMinute: rating.MaxAmount, Initial: 60, Increment: 60}
	if cost, _ := r.Cost(1<<63 - 1); cost != rating.MaxAmount {
		t.Errorf("cost %v", cost)
	}
	r.Fee = 0
	if cost, _ := r.Cost(time.Minute); cost != rating.MaxAmount {
		t.Errorf("cost of one minute %v", cost)
	}
	if a := rating.MaxAmount.Plus(1); a != rating.MaxAmount {
		t.Errorf("sum %v", a)
	}
	if a := rating.Amount(-1 << 63); a.String() != "-9223372036854.775808" {
		t.Errorf("%v", a)
	}
}
