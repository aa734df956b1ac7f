package rating

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"time"
)

// Rate is what calls to numbers with a prefix cost. Of a call as long as d, Initial seconds are billed at least, then Increment after Increment
// that has begun: 60/60 bills whole minutes, 30/6 half a minute and then tenths, 1/1 seconds. It costs Fee, and PerMinute for what is billed beyond Free, but Minimum
// at least. What the price of a part of a minute is, is rounded up to a millionth, once for the whole call.
// A call that is not answered costs nothing.
type Rate struct {
	Prefix    string `json:"prefix"`         // "+" and digits; "+" alone is every number
	Name      string `json:"name,omitempty"` // for people
	Currency  string `json:"currency"`       // ISO 4217
	Fee       Amount `json:"fee,omitzero"`   // of the connection
	PerMinute Amount `json:"per_minute"`
	Minimum   Amount `json:"minimum,omitzero"`
	Initial   int64  `json:"initial,omitzero"`   // seconds; 0: 60
	Increment int64  `json:"increment,omitzero"` // seconds; 0: 60
	Free      int64  `json:"free,omitzero"`      // seconds that the fee includes

	From  time.Time `json:"from,omitzero"`  // zero: ever since
	Until time.Time `json:"until,omitzero"` // exclusive; zero: for ever
}

// maxStep bounds Initial, Increment and Free, in seconds.
const maxStep = 24 * 60 * 60

// check fills the defaults in, and tells what is wrong, by the name of the field.
func (r *Rate) check() (field string, err error) {
	if r.Prefix == "" || r.Prefix[0] != '+' || strings.Trim(r.Prefix[1:], "0123456789") != "" || len(r.Prefix) > 16 {
		return "prefix", fmt.Errorf("%.40q is not + and up to 15 digits", r.Prefix)
	}
	if len(r.Currency) != 3 || strings.Trim(r.Currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return "currency", fmt.Errorf("%.40q is not three capital letters", r.Currency)
	}
	for _, x := range [...]struct {
		field string
		n     *int64
		or    int64
	}{{"initial", &r.Initial, 60}, {"increment", &r.Increment, 60}, {"free", &r.Free, 0}} {
		if *x.n < 0 || *x.n > maxStep {
			return x.field, fmt.Errorf("%d seconds are not within 0 and %d", *x.n, maxStep)
		}
		if *x.n == 0 {
			*x.n = x.or
		}
	}
	if r.Fee < 0 || r.PerMinute < 0 || r.Minimum < 0 {
		return "per_minute", errors.New("a price is negative")
	}
	if !r.Until.IsZero() && !r.Until.After(r.From) {
		return "until", errors.New("it is not after from")
	}
	return "", nil
}

// holds tells whether r is the rate of calls that begin at t.
func (r *Rate) holds(t time.Time) bool {
	return !t.Before(r.From) && (r.Until.IsZero() || t.Before(r.Until))
}

// Cost is what a call costs that was answered and took d, and the seconds that are billed.
func (r *Rate) Cost(d time.Duration) (Amount, int64) {
	billed := r.billed(d)
	charged := max(billed-r.Free, 0)
	cost := MaxAmount
	if hi, lo := bits.Mul64(uint64(r.PerMinute), uint64(charged)); hi < 60 {
		q, rest := bits.Div64(hi, lo, 60)
		if rest > 0 {
			q++
		}
		if q <= uint64(MaxAmount) {
			cost = Amount(q)
		}
	}
	return max(r.Fee.Plus(cost), r.Minimum), billed
}

func (r *Rate) billed(d time.Duration) int64 {
	initial, increment := max(r.Initial, 1), max(r.Increment, 1)
	rest := d - time.Duration(initial)*time.Second
	if rest <= 0 {
		return initial
	}
	step := time.Duration(increment) * time.Second
	n := int64(rest / step)
	if rest%step > 0 {
		n++
	}
	return initial + n*increment
}
