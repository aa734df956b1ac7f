package action

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// The ranges of VoIPBIN's digits_send.
const (
	maxSendDigits     = 100
	minSendDigitMS    = 100
	maxSendDigitMS    = 1000
	maxSendIntervalMS = 5000
)

// digitsSend sends DTMF to the peer.
type digitsSend struct {
	Digits   string `json:"digits" opt:"required" doc:"0-9 A-D * #, at most 100"`
	Duration int    `json:"duration" opt:"ms,default=100" doc:"of each digit, 100 to 1000"`
	Interval int    `json:"interval" opt:"ms,default=0" doc:"between digits, 0 to 5000"`
}

func (a *digitsSend) Timing() Timing { return TimeWait }

func (a *digitsSend) Check(c *CheckContext) {
	if a.Digits != "" && !HasVar(a.Digits) {
		if err := checkSendDigits(a.Digits); err != nil {
			c.At("digits").Errorf("%v", err)
		}
	}
	warnClamped(c.At("duration"), a.Duration, a.duration())
	warnClamped(c.At("interval"), a.Interval, a.interval())
}

func warnClamped(s Spot, given, taken int) {
	if given != 0 && given != taken {
		s.Warnf("is %d ms: %d ms are taken", given, taken)
	}
}

func checkSendDigits(digits string) error {
	if len(digits) > maxSendDigits {
		return fmt.Errorf("has %d digits, at most %d", len(digits), maxSendDigits)
	}
	if strings.Trim(digits, "0123456789ABCDabcd*#") != "" {
		return fmt.Errorf("must be made of the digits 0123456789ABCD*#, as %.40q is not", digits)
	}
	return nil
}

func (a *digitsSend) duration() int { return min(max(a.Duration, minSendDigitMS), maxSendDigitMS) }
func (a *digitsSend) interval() int { return min(max(a.Interval, 0), maxSendIntervalMS) }

func (a *digitsSend) Needs(c *CheckContext) { c.Need(CanSendDigits) }

func (a *digitsSend) Shape() Shape { return Shape{NeedsAnswer: true} }

func (a *digitsSend) Run(ctx context.Context, leg Leg) (Outcome, error) {
	l, err := Need[DigitSender](leg)
	if err != nil {
		return Continue(), err
	}
	if a.Digits == "" {
		return Continue(), errors.New("action: digits_send: there are no digits")
	}
	if err := checkSendDigits(a.Digits); err != nil {
		return Continue(), fmt.Errorf("action: digits_send: digits %w", err)
	}
	return Continue(), l.SendDigits(ctx, strings.ToUpper(a.Digits), ms(a.duration()), ms(a.interval()))
}
