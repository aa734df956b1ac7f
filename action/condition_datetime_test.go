package action

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	_ "time/tzdata" // the tests need zones, whatever the machine has
)

func datetime(t *testing.T, option string) *conditionDatetime {
	t.Helper()
	a, err := Builtin(Deps{}).Decode("condition_datetime", json.RawMessage(option))
	if err != nil {
		t.Fatalf("%s: %v", option, err)
	}
	return a.(*conditionDatetime)
}

func TestDatetimeHolds(t *testing.T) {
	// 2026-03-04 is a Wednesday.
	for _, c := range []struct {
		option string
		yes    string // times at which it holds, RFC 3339
		no     string
	}{
		// Hour and minute are a time of day: field by field, ">= 08:30" would be wrong at 09:10.
		{`{"condition":">=","hour":8,"minute":30}`, "2026-03-04T08:30:00Z 2026-03-04T09:10:00Z 2026-03-04T23:00:00Z", "2026-03-04T08:29:59Z 2026-03-04T07:45:00Z 2026-03-04T00:00:00Z"},
		{`{"condition":">","hour":8,"minute":30}`, "2026-03-04T08:31:00Z 2026-03-04T09:10:00Z", "2026-03-04T08:30:59Z 2026-03-04T08:29:00Z"},
		{`{"condition":"<","hour":8,"minute":30}`, "2026-03-04T08:29:59Z 2026-03-04T07:45:00Z 2026-03-04T00:00:00Z", "2026-03-04T08:30:00Z 2026-03-04T09:10:00Z"},
		{`{"condition":"<=","hour":8,"minute":30}`, "2026-03-04T08:30:59Z 2026-03-04T07:45:00Z", "2026-03-04T08:31:00Z 2026-03-04T09:10:00Z"},
		{`{"condition":"==","hour":8,"minute":30}`, "2026-03-04T08:30:00Z 2026-03-04T08:30:59Z", "2026-03-04T09:30:00Z 2026-03-04T08:31:00Z"},
		{`{"condition":"!=","hour":8,"minute":30}`, "2026-03-04T09:30:00Z 2026-03-04T08:31:00Z", "2026-03-04T08:30:00Z"},
		// Each alone is a number.
		{`{"condition":">=","hour":8}`, "2026-03-04T08:00:00Z 2026-03-04T23:59:00Z", "2026-03-04T07:59:59Z"},
		{`{"condition":">","hour":8}`, "2026-03-04T09:00:00Z", "2026-03-04T08:59:59Z"},
		{`{"condition":"==","hour":0}`, "2026-03-04T00:00:00Z 2026-03-04T00:59:59Z", "2026-03-04T23:59:59Z 2026-03-05T01:00:00Z"},
		{`{"condition":"<","minute":15}`, "2026-03-04T08:14:59Z 2026-03-04T20:00:00Z", "2026-03-04T08:15:00Z"},
		{`{"condition":"==","hour":-1,"minute":0}`, "2026-03-04T00:00:30Z 2026-03-04T17:00:00Z", "2026-03-04T17:01:00Z"},
		{`{"condition":"==","minute":-1,"hour":17,"day":-1,"month":0}`, "2026-03-04T17:00:00Z 2026-12-31T17:59:00Z", "2026-03-04T18:00:00Z"},
		// Month and day are a date.
		{`{"condition":">=","month":12,"day":24}`, "2026-12-24T00:00:00Z 2026-12-31T23:59:59Z", "2026-12-23T23:59:59Z 2026-11-30T00:00:00Z 2027-01-01T00:00:00Z"},
		{`{"condition":"<","month":2,"day":29}`, "2026-02-28T23:59:59Z 2028-02-28T00:00:00Z 2026-01-31T00:00:00Z", "2026-03-01T00:00:00Z 2028-02-29T00:00:00Z"},
		{`{"condition":"==","month":2,"day":29}`, "2028-02-29T12:00:00Z", "2026-02-28T12:00:00Z 2026-03-01T12:00:00Z"},
		{`{"condition":">","day":30}`, "2026-01-31T00:00:00Z 2026-12-31T23:59:59Z", "2026-01-30T23:59:59Z 2026-02-01T00:00:00Z"},
		{`{"condition":"!=","month":8}`, "2026-07-31T23:59:59Z 2026-09-01T00:00:00Z", "2026-08-01T00:00:00Z 2026-08-31T23:59:59Z"},
		// A time and a date must both hold.
		{`{"condition":"==","month":12,"day":24,"hour":12}`, "2026-12-24T12:30:00Z", "2026-12-24T13:00:00Z 2026-12-23T12:30:00Z"},
		{`{"condition":"!=","month":12,"hour":12}`, "2026-11-24T13:00:00Z", "2026-12-24T13:00:00Z 2026-11-24T12:00:00Z"},
		// Weekdays are a set, whatever the operator but !=.
		{`{"weekdays":[1,2,3,4,5]}`, "2026-03-04T00:00:00Z 2026-03-06T23:59:59Z 2026-03-02T00:00:00Z", "2026-03-07T00:00:00Z 2026-03-08T23:59:59Z"},
		{`{"condition":">=","weekdays":[3],"hour":8}`, "2026-03-04T08:00:00Z", "2026-03-05T08:00:00Z 2026-03-04T07:00:00Z"},
		{`{"condition":"!=","weekdays":[0,6]}`, "2026-03-04T08:00:00Z", "2026-03-07T08:00:00Z 2026-03-08T08:00:00Z"},
		{`{"condition":"==","weekdays":[],"hour":8}`, "2026-03-04T08:00:00Z 2026-03-07T08:00:00Z", "2026-03-07T09:00:00Z"},
		// From is in the range, to is not.
		{`{"from":"08:30","to":"17:00"}`, "2026-03-04T08:30:00Z 2026-03-04T16:59:59Z", "2026-03-04T08:29:59Z 2026-03-04T17:00:00Z"},
		{`{"from":"08:30","to":"17:00","weekdays":[3]}`, "2026-03-04T08:30:00Z", "2026-03-05T08:30:00Z 2026-03-04T17:00:00Z"},
		// Over midnight, weekdays are of the evening.
		{`{"from":"22:00","to":"06:00"}`, "2026-03-04T22:00:00Z 2026-03-04T00:00:00Z 2026-03-05T05:59:59Z", "2026-03-04T21:59:59Z 2026-03-05T06:00:00Z 2026-03-05T12:00:00Z"},
		{`{"from":"22:00","to":"06:00","weekdays":[5]}`, "2026-03-06T22:00:00Z 2026-03-07T00:00:00Z 2026-03-07T05:59:59Z", "2026-03-06T05:00:00Z 2026-03-07T22:00:00Z 2026-03-07T06:00:00Z"},
		{`{"from":"22:00","to":"06:00","weekdays":[6]}`, "2026-03-07T23:00:00Z 2026-03-08T05:00:00Z", "2026-03-07T05:00:00Z 2026-03-08T23:00:00Z"},
		{`{"from":"22:00","to":"06:00","weekdays":[0]}`, "2026-03-08T23:00:00Z 2026-03-09T05:00:00Z", "2026-03-08T05:00:00Z"},
		// Also at the end of a month and a year: 2026-12-31 is a Thursday.
		{`{"from":"22:00","to":"06:00","weekdays":[4]}`, "2026-12-31T22:00:00Z 2027-01-01T05:59:59Z", "2027-01-01T22:00:00Z"},
		{`{"from":"18:00","to":"00:00"}`, "2026-03-04T18:00:00Z 2026-03-04T23:59:59Z", "2026-03-04T00:00:00Z 2026-03-04T17:59:59Z"},
		{`{"from":"00:00","to":"00:00"}`, "2026-03-04T00:00:00Z 2026-03-04T23:59:59Z", ""},
		{`{"from":"06:00","to":"06:00","weekdays":[3]}`, "2026-03-04T06:00:00Z 2026-03-05T05:59:59Z", "2026-03-04T05:59:59Z 2026-03-05T06:00:00Z"},
		{`{"condition":"<=","month":3,"day":4,"from":"22:00","to":"06:00"}`, "2026-03-04T22:00:00Z 2026-03-04T05:00:00Z", "2026-03-05T05:00:00Z"},
		// Zones, and the days on which their clocks change.
		{`{"time_zone":"Asia/Tokyo","condition":"==","hour":9}`, "2026-03-04T00:30:00Z", "2026-03-04T09:30:00Z"},
		{`{"time_zone":"Asia/Tokyo","weekdays":[4]}`, "2026-03-04T15:00:00Z 2026-03-05T14:59:59Z", "2026-03-04T14:59:59Z 2026-03-05T15:00:00Z"},
		{`{"time_zone":"Asia/Kolkata","condition":">=","hour":8,"minute":30}`, "2026-03-04T03:00:00Z", "2026-03-04T02:59:59Z"},
		{`{"time_zone":"Europe/Amsterdam","condition":">=","hour":9,"minute":0}`, "2026-03-28T08:00:00Z 2026-03-29T07:00:00Z", "2026-03-28T07:59:59Z 2026-03-29T06:59:59Z"},
		{`{"time_zone":"Europe/Amsterdam","condition":"==","hour":2}`, "2026-03-28T01:30:00Z 2026-10-25T00:30:00Z 2026-10-25T01:30:00Z", "2026-03-29T00:59:59Z 2026-03-29T01:00:00Z 2026-10-25T02:00:00Z"},
		{`{"time_zone":"Europe/Amsterdam","from":"01:30","to":"03:00"}`, "2026-03-29T00:30:00Z 2026-03-29T00:59:59Z 2026-10-24T23:30:00Z 2026-10-25T01:59:59Z", "2026-03-29T01:00:00Z 2026-10-25T02:00:00Z"},
		{`{"time_zone":"Europe/Amsterdam","from":"22:00","to":"06:00","weekdays":[6]}`, "2026-03-28T21:00:00Z 2026-03-29T03:59:59Z 2026-10-25T04:59:59Z", "2026-03-29T04:00:00Z 2026-10-25T05:00:00Z 2026-03-29T20:00:00Z"},
		{`{"time_zone":"America/New_York","from":"22:00","to":"06:00","weekdays":[6]}`, "2026-03-08T03:00:00Z 2026-03-08T09:59:59Z", "2026-03-08T10:00:00Z"},
		{`{}`, "2026-03-04T00:00:00Z", ""},
	} {
		a := datetime(t, c.option)
		for want, times := range map[bool]string{true: c.yes, false: c.no} {
			for _, s := range strings.Fields(times) {
				now, err := time.Parse(time.RFC3339, s)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := a.holds(now); got != want || err != nil {
					t.Errorf("%s at %s (%s): %t, %v", c.option, s, now.Weekday(), got, err)
				}
			}
		}
	}
}

func TestDatetimeIsCheckedWhenTheFlowIsLoaded(t *testing.T) {
	for option, want := range map[string]string{
		`{"false_target_id":"x"}`:                                       `says nothing about the time: it always holds`,
		`{"false_target_id":"x","hour":8}`:                              `option "condition" is required beside hour, minute, day and month: one of == != > >= < <=`,
		`{"false_target_id":"x","hour":8,"condition":"=>"}`:             `option "condition" must be one of == != > >= < <=, not "=>", did you mean "=="?`,
		`{"false_target_id":"x","condition":">","hour":24,"minute":60}`: `option "minute" must be at most 59, not 60; option "hour" must be at most 23, not 24`,
		`{"false_target_id":"x","condition":">","hour":-2}`:             `option "hour" must be at least -1, not -2; says nothing about the time: it always holds`,
		`{"false_target_id":"x","condition":">","month":13,"day":32}`:   `option "day" must be at most 31, not 32; option "month" must be at most 12, not 13`,
		`{"false_target_id":"x","weekdays":[0,7]}`:                      `option "weekdays[1]" must be at most 6, not 7`,
		`{"false_target_id":"x","from":"08:00"}`:                        `option "to" is required: from and to stand together`,
		`{"false_target_id":"x","to":"08:00"}`:                          `option "from" is required: from and to stand together`,
		`{"false_target_id":"x","from":"8","to":"24:00"}`:               `option "from" must be a time of day as 08:30, not "8"; option "to" must be a time of day as 08:30, not "24:00"`,
		`{"false_target_id":"x","weekdays":[1],"time_zone":"Mars"}`:     `option "time_zone" must be an IANA name, as Europe/Amsterdam: unknown time zone Mars`,
		`{"false_target_id":"x","weekdays":[1],"time_zone":"Local"}`:    `option "time_zone" must be an IANA name, as Europe/Amsterdam, not "Local"`,
		`{"weekdays":[1]}`: `option "false_target_id" is required: the id of an action`,
		`{"false_target_id":"x","from":"${a}","to":"${b}","time_zone":"${c}"}`:          ``,
		`{"false_target_id":"x","hour":"${h}","condition":"${op}","weekdays":["${w}"]}`: ``,
	} {
		r := Builtin(Deps{})
		n, problems := ParseJSON([]byte(option))
		if problems != nil {
			t.Fatal(problems)
		}
		template, problems := r.Template("condition_datetime", []byte(option), n)
		if problems != nil {
			t.Errorf("%s: %v", option, problems)
			continue
		}
		c := NewCheckContext("", n)
		CheckAction(c, template.Example())
		var got []string
		for _, p := range c.Problems() {
			got = append(got, p.Message)
		}
		if s := strings.Join(got, "; "); s != want {
			t.Errorf("%s:\ngot  %s\nwant %s", option, s, want)
		}
	}
}

// A variable may hold anything: the condition then counts as one that does not hold.
func TestDatetimeThatVariablesBroke(t *testing.T) {
	for _, option := range []string{`{"from":"soon","to":"08:00"}`, `{"from":"08:00","to":""}`, `{"weekdays":[0,1,2,3,4,5,6],"time_zone":"Mars"}`} {
		a := datetime(t, option)
		a.FalseTargetID = "closed"
		o, err := a.Run(t.Context(), &fakeLeg{})
		if o.Target != "closed" || o.Result["result"] != "false" || err == nil || IsFatal(err) {
			t.Errorf("%s: %+v, %v", option, o, err)
		}
	}
}

func TestDatetimeLooksAtTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which begins at midnight UTC 2000-01-01, a Saturday
		a := datetime(t, `{"condition":">=","hour":8,"minute":30,"false_target_id":"early"}`)
		if o, err := a.Run(t.Context(), &fakeLeg{}); o.Target != "early" || o.Result["result"] != "false" || err != nil {
			t.Errorf("got %+v, %v", o, err)
		}
		time.Sleep(9*time.Hour + 10*time.Minute)
		if o, err := a.Run(t.Context(), &fakeLeg{}); o.Target != "" || o.Result["result"] != "true" || err != nil {
			t.Errorf("got %+v, %v", o, err)
		}
	})
}
