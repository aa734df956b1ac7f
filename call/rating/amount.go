package rating

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Amount is money, in millionths of a unit of its currency.
type Amount int64

// Unit is one unit of a currency.
const Unit Amount = 1_000_000

// MaxAmount is the greatest one, which stands for all that is more.
const MaxAmount Amount = math.MaxInt64

// ParseAmount reads a decimal number such as "0.0125". More than six decimals, signs and exponents are errors.
func ParseAmount(s string) (Amount, error) {
	whole, part, dot := strings.Cut(s, ".")
	if strings.Trim(whole+part, "0123456789") != "" || whole == "" || dot && part == "" {
		return 0, fmt.Errorf("rating: %.40q is not an amount such as 0.0125", s)
	}
	if len(part) > 6 {
		return 0, fmt.Errorf("rating: %.40q has more than six decimals", s)
	}
	n, err := strconv.ParseInt(whole+part+strings.Repeat("0", 6-len(part)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("rating: %.40q is too much", s)
	}
	return Amount(n), nil
}

// String is a as ParseAmount reads it, with no more decimals than it needs.
func (a Amount) String() string {
	sign, n := "", uint64(a)
	if a < 0 {
		sign, n = "-", -n
	}
	s := fmt.Sprintf("%s%d.%06d", sign, n/uint64(Unit), n%uint64(Unit))
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// MarshalJSON writes a as a number.
func (a Amount) MarshalJSON() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalJSON reads a number, or a string that holds one.
func (a *Amount) UnmarshalJSON(b []byte) (err error) {
	s := string(b)
	if len(b) > 0 && b[0] == '"' {
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
	}
	*a, err = ParseAmount(s)
	return err
}

// Plus is a and b, which are not negative.
func (a Amount) Plus(b Amount) Amount {
	if a > MaxAmount-b {
		return MaxAmount
	}
	return a + b
}
