package action

import (
	"cmp"
	"context"
	"errors"
	"regexp"
	"strings"
	"time"
)

const (
	digitAlphabet          = "0123456789ABCD*#"
	defaultDigitsReceiveMS = 5000
	// MaxDigitRetries bounds how often one digits_receive asks again.
	MaxDigitRetries = 20
)

// digitsReceive collects digits into VarDigits.
type digitsReceive struct {
	Duration int    `json:"duration" opt:"ms,min=0,default=5000" doc:"for all digits together, from the start of the action, or the end of its prompt"`
	Length   int    `json:"length" opt:"min=0,default=0" doc:"how many digits end it; 0: any number"`
	Key      string `json:"key" doc:"set of keys, each of which ends it"`

	Prompt        prompt  `json:"prompt" doc:"what is said first"`
	Prompts       sayings `json:"prompts" doc:"in place of prompt: what is said first, one after the other"`
	BargeIn       bool    `json:"barge_in" opt:"default=true" doc:"a digit cuts the prompt, and counts"`
	Clear         *bool   `json:"clear" doc:"true: what was typed ahead does not count; false: all that nobody has read yet does"`
	FirstTimeout  int     `json:"first_timeout" opt:"ms,min=0" doc:"longest wait for the first digit"`
	DigitTimeout  int     `json:"digit_timeout" opt:"ms,min=0" doc:"longest wait from one digit to the next"`
	KeepKey       bool    `json:"keep_key" opt:"default=true" doc:"the end key is the last of the digits"`
	Pattern       string  `json:"pattern" doc:"regular expression that the digits have to match, without the end key"`
	Retries       int     `json:"retries" opt:"min=0,max=20" doc:"how often it asks again where there is no digit, or no match"`
	TimeoutPrompt prompt  `json:"timeout_prompt" doc:"said before it asks again because no digit came"`
	InvalidPrompt prompt  `json:"invalid_prompt" doc:"said before it asks again because the digits do not match"`

	deps Deps
}

func newDigitsReceive(d Deps) *digitsReceive {
	return &digitsReceive{BargeIn: true, KeepKey: true, deps: d}
}

func (a *digitsReceive) Timing() Timing { return TimeDigits }

func (a *digitsReceive) Shape() Shape {
	return Shape{
		Sets: []string{VarDigits}, Result: []string{"digits", "ended_by"},
		Says: append(a.Prompts.texts(), a.Prompt.Text), OneDigit: a.Length == 1,
	}
}

func (a *digitsReceive) Check(c *CheckContext) {
	if bad := strings.Trim(a.Key, digitAlphabet); bad != "" && !HasVar(a.Key) {
		c.At("key").Errorf("must be made of the digits %s, as %q is not", digitAlphabet, a.Key)
	}
	if a.Length == 0 && a.Key == "" && a.DigitTimeout == 0 && !c.At("length").HasVar() && !c.At("digit_timeout").HasVar() {
		c.At().Warnf("neither length nor key is given: the action always waits for its whole duration")
	}
	if a.Pattern != "" && !HasVar(a.Pattern) {
		if _, err := regexp.Compile(a.Pattern); err != nil {
			c.At("pattern").Errorf("is not usable: %v", err)
		}
	}
	a.Prompt.check(c, "prompt")
	a.Prompts.check(c, "prompts")
	if len(a.Prompts) > 0 && !a.Prompt.silent() {
		c.At("prompts").Errorf("cannot stand beside prompt: one of the two is said")
	}
	a.TimeoutPrompt.check(c, "timeout_prompt")
	a.InvalidPrompt.check(c, "invalid_prompt")
}

func (a *digitsReceive) Needs(c *CheckContext) {
	c.Need(CanDigits)
	a.Prompt.needs(c)
	a.Prompts.needs(c)
	a.TimeoutPrompt.needs(c)
	a.InvalidPrompt.needs(c)
}

// How a collection of digits ended.
const (
	endedByLength  = "length"
	endedByKey     = "key"
	endedByTimeout = "timeout"
)

var errNoMatch = errors.New("action: digits_receive: the digits do not match the pattern")

func (a *digitsReceive) Run(ctx context.Context, leg Leg) (Outcome, error) {
	l, err := Need[DigitReader](leg)
	if err != nil {
		return Continue(), err
	}
	pattern, err := a.pattern()
	if err != nil {
		return Continue(), err // a variable made it so
	}
	typed := ""
	switch {
	case a.Clear == nil:
	case *a.Clear:
		l.DropDigits()
	default:
		typed = olderDigits(ctx)
	}
	for try := 0; ; try++ {
		o, err := a.ask(ctx, leg, l, a.first(), typed)
		if err != nil {
			return o, err
		}
		again, err := a.judge(o, pattern, try)
		if again == nil {
			return o, err
		}
		typed = ""
		if err := again.say(ctx, leg, a.deps); err != nil && ctx.Err() != nil {
			return o, context.Cause(ctx)
		}
	}
}

// first is what is said before the digits.
func (a *digitsReceive) first() sayer {
	if len(a.Prompts) > 0 {
		return a.Prompts
	}
	return &a.Prompt
}

// TakeDigits is Run with a caller of whom it is known what is pressed.
func (a *digitsReceive) TakeDigits(vars *Vars, typed string, next func() (string, bool)) (o Outcome, rest string, known bool, err error) {
	pattern, err := a.pattern()
	if err != nil {
		return Continue(), "", true, err
	}
	if a.Clear != nil && *a.Clear || !a.BargeIn && !a.first().silent() {
		typed = ""
	}
	for try := 0; ; try++ {
		digits := typed
		if typed = ""; digits == "" {
			var ok bool
			if digits, ok = next(); !ok {
				return Continue(), "", false, nil
			}
		}
		if o, rest, err = a.take(vars, digits); err != nil {
			return o, rest, true, err
		}
		again, err := a.judge(o, pattern, try)
		if again == nil {
			return o, rest, true, err
		}
	}
}

// take collects digits that are there, and no more.
func (a *digitsReceive) take(vars *Vars, digits string) (o Outcome, rest string, err error) {
	if err := vars.Set(VarDigits, ""); err != nil {
		return Continue(), "", err
	}
	for i := range len(digits) {
		ended, err := a.add(vars, digits[i], i+1)
		if err != nil || ended != "" {
			return a.collected(vars, ended, i+1), digits[i+1:], err
		}
	}
	return a.collected(vars, endedByTimeout, len(digits)), "", nil
}

// pattern is what the digits have to match; nil: anything.
func (a *digitsReceive) pattern() (*regexp.Regexp, error) {
	if a.Pattern == "" {
		return nil, nil
	}
	return regexp.Compile(`\A(?:` + a.Pattern + `)\z`)
}

// judge tells whether it asks again after what was collected, and with what it says so; else again is nil.
func (a *digitsReceive) judge(o Outcome, pattern *regexp.Regexp, try int) (again *prompt, err error) {
	switch {
	case o.TimedOut:
		again = &a.TimeoutPrompt
	case pattern != nil && !pattern.MatchString(a.withoutKey(o.Result["digits"])):
		o.Result[ResultStatus] = "invalid"
		again, err = &a.InvalidPrompt, errNoMatch
	}
	if try >= min(a.Retries, MaxDigitRetries) {
		again = nil
	}
	return again, err
}

// ask says something and collects digits once. It starts with an empty variable: what an older
// digits_receive left in it must not end this one. typed are digits before those in the leg's buffer.
func (a *digitsReceive) ask(ctx context.Context, leg Leg, l DigitReader, say sayer, typed string) (Outcome, error) {
	vars := leg.Vars()
	if err := vars.Set(VarDigits, ""); err != nil {
		return Continue(), err
	}
	said := a.say(ctx, leg, l, say, typed)
	if ctx.Err() != nil {
		return Continue(), context.Cause(ctx)
	}
	deadline := time.Now().Add(ms(cmp.Or(max(a.Duration, 0), defaultDigitsReceiveMS)))
	ended := ""
	n := 0
	for ended == "" {
		d, err := a.read(ctx, l, &typed, deadline, n)
		if errors.Is(err, ErrTimeout) && ctx.Err() == nil {
			ended = endedByTimeout
			break
		}
		if err != nil {
			return Resulting("digits", vars.Get(VarDigits)), err
		}
		n++
		if ended, err = a.add(vars, d, n); err != nil {
			return Continue(), err
		}
	}
	o := a.collected(vars, ended, n)
	if said != nil { // noted, but the digits are there
		o.Result[ResultError] = said.Error()
	}
	return o, nil
}

// add takes the digit that makes n of them; ended is "" where it waits for more.
func (a *digitsReceive) add(vars *Vars, d byte, n int) (ended string, err error) {
	isKey := strings.IndexByte(a.Key, d) >= 0
	if !isKey || a.KeepKey {
		if err := vars.Append(VarDigits, string(rune(d))); err != nil {
			return "", err
		}
	}
	switch {
	case isKey:
		return endedByKey, nil
	case a.Length > 0 && n >= a.Length:
		return endedByLength, nil
	}
	return "", nil
}

// collected is the outcome of n digits.
func (a *digitsReceive) collected(vars *Vars, ended string, n int) Outcome {
	o := Resulting("digits", vars.Get(VarDigits), "ended_by", ended)
	// Without an end by length or key, silence after some digits is the end that is meant.
	o.TimedOut = ended == endedByTimeout && (n == 0 || a.Length > 0 || a.Key != "")
	return o
}

func (a *digitsReceive) say(ctx context.Context, leg Leg, l DigitReader, say sayer, typed string) error {
	switch {
	case say.silent() || a.BargeIn && typed != "":
		return nil
	case !a.BargeIn:
		err := say.say(ctx, leg, a.deps)
		l.DropDigits()
		return err
	}
	return untilDigit(ctx, l, func(ctx context.Context) error { return say.say(ctx, leg, a.deps) })
}

// read waits for the digit after n others.
func (a *digitsReceive) read(ctx context.Context, l DigitReader, typed *string, deadline time.Time, n int) (byte, error) {
	if *typed != "" {
		d := (*typed)[0]
		*typed = (*typed)[1:]
		return d, nil
	}
	limit := a.FirstTimeout
	if n > 0 {
		limit = a.DigitTimeout
	}
	if limit > 0 {
		if at := time.Now().Add(ms(limit)); at.Before(deadline) {
			deadline = at
		}
	}
	ctx, cancel := context.WithDeadlineCause(ctx, deadline, ErrTimeout)
	defer cancel()
	return l.ReadDigit(ctx)
}

func (a *digitsReceive) withoutKey(digits string) string {
	if n := len(digits) - 1; n >= 0 && a.KeepKey && strings.IndexByte(a.Key, digits[n]) >= 0 {
		return digits[:n]
	}
	return digits
}
