package action

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// conditionDatetime goes on when the time of day and date are as it says, else it jumps: all that is
// given must hold. The present stands left of the operator. Hour and minute together are a time of
// day, month and day together a date; each of them alone is a number, so that hour 8 with > is from
// 09:00 on. What is left out is not compared.
type conditionDatetime struct {
	Condition     string `json:"condition" opt:"enum===|!=|>|>=|<|<=" doc:"how the present compares with the values; needed beside hour, minute, day or month"`
	Minute        int    `json:"minute" opt:"min=-1,max=59,default=-1" doc:"-1: any"`
	Hour          int    `json:"hour" opt:"min=-1,max=23,default=-1" doc:"-1: any"`
	Day           int    `json:"day" opt:"max=31,default=0" doc:"of the month; 0: any"`
	Month         int    `json:"month" opt:"min=0,max=12,default=0" doc:"0: any"`
	Weekdays      []int  `json:"weekdays" opt:"min=0,max=6" doc:"0 is Sunday; it is one of them, with != none of them"`
	FalseTargetID string `json:"false_target_id" opt:"required,id" doc:"where to go if it does not hold"`

	TimeZone string `json:"time_zone" opt:"default=UTC" doc:"IANA name, as Europe/Amsterdam"`
	From     string `json:"from" doc:"HH:MM at which a range of the day begins"`
	To       string `json:"to" doc:"HH:MM before which it ends, on the next day where that is not after from (the same: all day); weekdays are of the day on which it began"`
}

func newConditionDatetime() *conditionDatetime { return &conditionDatetime{Minute: -1, Hour: -1} }

func (a *conditionDatetime) Timing() Timing { return TimeNone }
func (a *conditionDatetime) Shape() Shape   { return Shape{Result: []string{"result"}} }

func (a *conditionDatetime) Check(c *CheckContext) {
	if a.Condition == "" && a.compares() && !c.At("condition").HasVar() {
		c.At("condition").Errorf("is required beside hour, minute, day and month: one of == != > >= < <=")
	}
	for _, x := range []struct{ name, value, other string }{{"from", a.From, a.To}, {"to", a.To, a.From}} {
		switch {
		case x.value == "" && x.other != "":
			c.At(x.name).Errorf("is required: from and to stand together")
		case x.value != "" && !HasVar(x.value):
			if _, err := clock(x.value); err != nil {
				c.At(x.name).Errorf("%v", err)
			}
		}
	}
	if !HasVar(a.TimeZone) {
		if _, err := zone(a.TimeZone); err != nil {
			c.At("time_zone").Errorf("%v", err)
		}
	}
	if !a.compares() && len(a.Weekdays) == 0 && a.From == "" && a.To == "" && !c.At().HasVar() {
		c.At().Warnf("says nothing about the time: it always holds")
	}
}

func (a *conditionDatetime) compares() bool {
	return a.Hour >= 0 || a.Minute >= 0 || a.Day > 0 || a.Month > 0
}

func (a *conditionDatetime) Run(ctx context.Context, leg Leg) (Outcome, error) {
	return a.Decide(ctx, leg, time.Now())
}

func (a *conditionDatetime) Choices() []Choice { return holdsOrNot(a.FalseTargetID) }

func (a *conditionDatetime) Decide(_ context.Context, _ Leg, now time.Time) (Outcome, error) {
	holds, err := a.holds(now)
	if err != nil { // made so by a variable
		return unknown(fmt.Errorf("action: condition_datetime: %w", err), a.FalseTargetID)
	}
	return conditional(holds, a.FalseTargetID)
}

func (a *conditionDatetime) holds(now time.Time) (bool, error) {
	loc, err := zone(a.TimeZone)
	if err != nil {
		return false, fmt.Errorf("time_zone %w", err)
	}
	now = now.In(loc)
	weekday := int(now.Weekday())
	if a.From != "" || a.To != "" {
		in, yesterday, err := a.inRange(now.Hour()*60 + now.Minute())
		if err != nil || !in {
			return false, err
		}
		if yesterday {
			weekday = (weekday + 6) % 7
		}
	}
	if len(a.Weekdays) > 0 && slices.Contains(a.Weekdays, weekday) == (a.Condition == "!=") {
		return false, nil
	}
	return a.field(now.Hour(), now.Minute(), a.Hour, a.Minute, -1) && a.field(int(now.Month()), now.Day(), a.Month, max(a.Day, 0), 0), nil
}

// inRange tells whether a minute of the day is between from and to, and whether that range began
// the day before.
func (a *conditionDatetime) inRange(minute int) (in, yesterday bool, err error) {
	from, err := clock(a.From)
	if err != nil {
		return false, false, fmt.Errorf("from %w", err)
	}
	to, err := clock(a.To)
	if err != nil {
		return false, false, fmt.Errorf("to %w", err)
	}
	switch {
	case from < to:
		return from <= minute && minute < to, false, nil
	case minute >= from:
		return true, false, nil
	default:
		return minute < to, true, nil
	}
}

// field compares a number and the smaller one that belongs to it with what is wanted; none stands for any.
func (a *conditionDatetime) field(big, small, wantBig, wantSmall, none int) bool {
	switch {
	case wantBig == none && wantSmall == none:
		return true
	case wantSmall == none:
		return compare(big, a.Condition, wantBig)
	case wantBig == none:
		return compare(small, a.Condition, wantSmall)
	default:
		return compare(big*100+small, a.Condition, wantBig*100+wantSmall)
	}
}

// zone finds a time zone, in the machine's database or the program's own (time/tzdata); "Local" would
// depend on the machine.
func zone(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	if strings.EqualFold(name, "local") {
		return nil, fmt.Errorf("must be an IANA name, as Europe/Amsterdam, not %q", name)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("must be an IANA name, as Europe/Amsterdam: %w", err)
	}
	return loc, nil
}

// clock reads HH:MM as minutes of the day.
func clock(s string) (int, error) {
	t, err := time.Parse("15:04", s)
	if err != nil {
		return 0, fmt.Errorf("must be a time of day as 08:30, not %.20q", s)
	}
	return t.Hour()*60 + t.Minute(), nil
}
