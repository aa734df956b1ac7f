package action

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Limits of digits_send, VoIPBIN's: times are brought within them, since it does not enforce them.
const (
	maxSendDigits     = 100
	minSendDurationMS = 100
	maxSendDurationMS = 1000
	maxSendIntervalMS = 5000
)

// digitsSend presses keys for the peer.
type digitsSend struct {
	Digits   string `json:"digits"`
	Duration int    `json:"duration"` // ms of each; 0: 100
	Interval int    `json:"interval"` // ms between two
}

func (a *digitsSend) Check(c *CheckContext) {
	c.At("digits").Required(a.Digits != "")
	if !HasVar(a.Digits) {
		if err := checkDigits(a.Digits); err != nil {
			c.At("digits").Errorf("%v", err)
		}
	}
	c.At("duration").NotNegative(a.Duration)
	c.At("interval").NotNegative(a.Interval)
	if d := a.Duration; d > 0 && d != clamp(d, minSendDurationMS, maxSendDurationMS) {
		c.At("duration").Warnf("is brought within %d to %d ms", minSendDurationMS, maxSendDurationMS)
	}
	if a.Interval > maxSendIntervalMS {
		c.At("interval").Warnf("is brought down to %d ms", maxSendIntervalMS)
	}
}

func checkDigits(digits string) error {
	if len(digits) > maxSendDigits {
		return fmt.Errorf("has %d characters, at most %d", len(digits), maxSendDigits)
	}
	if bad := strings.Trim(strings.ToUpper(digits), "0123456789ABCD*#"); bad != "" {
		return fmt.Errorf("holds %.20q: only 0-9 A-D * # can be sent", bad)
	}
	return nil
}

func clamp(n, low, high int) int { return max(low, min(n, high)) }

func (a *digitsSend) Needs(c *CheckContext) { c.Need(CanSendDigits) }

func (a *digitsSend) Run(ctx context.Context, leg Leg) (Outcome, error) {
	l, err := Need[DigitSender](leg)
	if err != nil {
		return Continue(), err
	}
	if err := checkDigits(a.Digits); err != nil {
		return Continue(), fmt.Errorf("action: digits_send: digits %w", err)
	}
	if a.Digits == "" { // a variable that is not set
		return Continue(), nil
	}
	StopPlaying(ctx)
	duration := time.Duration(clamp(a.Duration, minSendDurationMS, maxSendDurationMS)) * time.Millisecond
	interval := time.Duration(clamp(a.Interval, 0, maxSendIntervalMS)) * time.Millisecond
	return Continue(), l.SendDigits(ctx, strings.ToUpper(a.Digits), duration, interval)
}
