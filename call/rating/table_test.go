package rating_test

import (
	"strings"
	"testing"
	"time"

	"github.com/callbin/callbin/call/rating"
)

const sheet = `prefix,name,per_minute,currency,fee,initial,increment,from,until
1,North America,0.01,USD,,6,6,,
+44,United Kingdom,0.02,USD,,60,60,,
+447,UK mobile,0.10,USD,0.05,30,6,2026-01-01,2026-07-01
447,UK mobile,0.12,USD,0.05,30,6,2026-07-01,
`

func TestFindTakesTheLongestPrefixThatHolds(t *testing.T) {
	table, err := rating.ParseCSV(strings.NewReader(sheet))
	if err != nil {
		t.Fatal(err)
	}
	july := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		number string
		at     time.Time
		want   string
	}{
		{"+447700900123", july.Add(-time.Millisecond), "UK mobile 0.1"},
		{"+447700900123", july, "UK mobile 0.12"},
		{"+447700900123", july.AddDate(-1, 0, 0), "United Kingdom 0.02"},
		{"+442071838750", july, "United Kingdom 0.02"},
		{"+12025550123", july, "North America 0.01"},
		{"+49309018", july, " 0"},
		{"+4", july, " 0"},
		{"", july, " 0"},
	} {
		r, ok := table.Find(c.number, c.at)
		if got := r.Name + " " + r.PerMinute.String(); got != c.want || ok == (c.want == " 0") {
			t.Errorf("%s: %q, %v, not %q", c.number, got, ok, c.want)
		}
	}
	if _, ok := (*rating.Table)(nil).Find("+1", july); ok || table.Len() != 4 {
		t.Error("a nil table has rates, or Len is wrong")
	}
}

func TestFaultsOfSheetsHaveTheirPlace(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "line 1: there are no columns"},
		{"prefix,price\n", `line 1, column 8: column "price" is unknown`},
		{"prefix,prefix\n", `line 1, column 8: column "prefix" is unknown, or there twice`},
		{"prefix,currency\n", `line 1, column 1: there is no column "per_minute"`},
		{"prefix,per_minute,currency\n+44,0.1,USD\n+45,0.1x,USD\n", `line 3, column 5: per_minute: rating: "0.1x" is not an amount`},
		{"prefix,per_minute,currency\n+44,-1,USD\n", `line 2, column 5: per_minute`},
		{"prefix,per_minute,currency\n+44,1,usd\n", `line 2, column 7: currency: "usd" is not three capital letters`},
		{"prefix,per_minute,currency\n+4a,1,USD\n", `line 2, column 1: prefix: "+4a" is not + and up to 15 digits`},
		{"prefix,per_minute,currency\n44,1,USD\n+44,2,USD\n", `line 3, column 1: prefix: +44 has another rate at the same time`},
		{"prefix,per_minute,currency,initial\n44,1,USD,0.5\n", `line 2, column 10: initial: "0.5" is not a number of seconds`},
		{"prefix,per_minute,currency,initial\n44,1,USD,90000\n", `line 2, column 10: initial: 90000 seconds are not within`},
		{"prefix,per_minute,currency,from\n44,1,USD,1.2.2026\n", `line 2, column 10: from: "1.2.2026" is neither a day`},
		{"prefix,per_minute,currency\n44,1\n", `line 2`},
		{"prefix,per_minute,currency\n44,0.1234567,USD\n", `line 2, column 4: per_minute: rating: "0.1234567" has more than six decimals`},
		{"prefix,per_minute,currency\n44,99999999999999999999,USD\n", `line 2, column 4: per_minute: rating: "99999999999999999999" is too much`},
	} {
		if _, err := rating.ParseCSV(strings.NewReader(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, not %s", c.text, err, c.want)
		}
	}
	for _, c := range []struct{ text, want string }{
		{`{}`, "line 1, column 1: it does not begin with an array"},
		{"[\n  {\"prefix\": \"+44\", \"per_minute\": 0.1, \"currency\": \"USD\"},\n  {\"prefix\": \"44\", \"per_minute\": 1, \"currency\": \"USD\"}]", `line 3, column 3: prefix: "44"`},
		{`[{"price": 1}]`, `line 1, column 2: json: unknown field "price"`},
		{`[{"prefix": "+1", "per_minute": 1e3}]`, `"1e3" is not an amount`},
		{"[\n{\"prefix\": 5}]", "line 2, column 1"},
		{`[{"prefix" "x"}]`, "line 1, column 12"},
		{`[] x`, "something follows"},
		{`[`, "does not end"},
	} {
		if _, err := rating.ParseJSON([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, not %s", c.text, err, c.want)
		}
	}
}

func FuzzParseCSV(f *testing.F) {
	f.Add(sheet)
	f.Add("prefix,per_minute,currency\n\"+44\n\",1,USD")
	f.Add("\ufeffprefix,per_minute,currency\r\n,,\r\n")
	f.Fuzz(func(t *testing.T, s string) {
		table, err := rating.ParseCSV(strings.NewReader(s))
		if (table == nil) == (err == nil) {
			t.Fatal(table, err)
		}
		r, _ := table.Find("+447700900123", time.Unix(0, 0))
		if cost, billed := r.Cost(time.Hour); cost < 0 || billed < 3600 {
			t.Fatalf("%+v: %v in %d s", r, cost, billed)
		}
	})
}

func FuzzParseJSON(f *testing.F) {
	f.Add(`[{"prefix": "+44", "per_minute": "0.1", "currency": "USD", "from": "2026-01-01T00:00:00Z"}]`)
	f.Add(`[{"prefix": "+", "per_minute": 1.000001, "currency": "EUR", "initial": 30, "increment": 6, "fee": 1}, {}]`)
	f.Fuzz(func(t *testing.T, s string) {
		table, err := rating.ParseJSON([]byte(s))
		if (table == nil) == (err == nil) {
			t.Fatal(table, err)
		}
		r, _ := table.Find("+447700900123", time.Now())
		if cost, _ := r.Cost(time.Hour); cost < 0 {
			t.Fatalf("%+v: %v", r, cost)
		}
	})
}
