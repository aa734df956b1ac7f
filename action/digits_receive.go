package action

import (
	"context"
	"strings"
)

const (
	digitAlphabet          = "0123456789ABCD*#"
	defaultDigitsReceiveMS = 5000
)

// digitsReceive collects digits into VarDigits.
type digitsReceive struct {
	Duration int    `json:"duration"` // ms for all digits together, from the start of the action; 0: 5 s
	Length   int    `json:"length"`   // digits; 0: any number
	Key      string `json:"key"`      // set of end keys
}

func (a *digitsReceive) Timing() Timing { return TimeDigits }

func (a *digitsReceive) Check(c *CheckContext) {
	c.At("duration").NotNegative(a.Duration)
	c.At("length").NotNegative(a.Length)
	if bad := strings.Trim(a.Key, digitAlphabet); bad != "" && !HasVar(a.Key) {
		c.At("key").Errorf("must be made of the digits %s, as %q is not", digitAlphabet, a.Key)
	}
	if a.Length == 0 && a.Key == "" {
		c.At().Warnf("neither length nor key is given: the action always waits for its whole duration")
	}
}

func (a *digitsReceive) Needs(c *CheckContext) { c.Need(CanDigits) }

// Run starts with an empty variable: what an older digits_receive left in it must
// not end this one. Digits typed ahead are in the leg's buffer.
func (a *digitsReceive) Run(ctx context.Context, leg Leg) (Outcome, error) {
	l, err := Need[DigitReader](leg)
	if err != nil {
		return Continue(), err
	}
	vars := leg.Vars()
	if err := vars.Set(VarDigits, ""); err != nil {
		return Continue(), err
	}
	if a.Duration <= 0 {
		a.Duration = defaultDigitsReceiveMS
	}
	ended := "timeout"
	err = within(ctx, ms(a.Duration), func(ctx context.Context) error {
		for n := 1; ; n++ {
			d, err := l.ReadDigit(ctx)
			if err != nil {
				return err
			}
			if err := vars.Append(VarDigits, string(rune(d))); err != nil {
				return err
			}
			switch {
			case strings.IndexByte(a.Key, d) >= 0:
				ended = "key"
				return nil
			case a.Length > 0 && n >= a.Length:
				ended = "length"
				return nil
			}
		}
	})
	result := map[string]string{"digits": vars.Get(VarDigits)}
	if err == nil {
		result["ended_by"] = ended
	}
	return Outcome{Result: result}, err
}
