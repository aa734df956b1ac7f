package expr

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/callbin/callbin/action"
)

var vars = map[string]string{
	"a": "1", "b": "x", "empty": "", "yes": "true", "long name": "odd", "main-menu.digits": "3",
	"last.status": "busy", "menu.digits": "4", "voipbin.call.source.target": "+4930123456", "call.in": "in", "count": "7",
	"word": "  Über ",
}

func lookup(name string) (string, bool) {
	value, ok := vars[name]
	return value, ok
}

func TestHolds(t *testing.T) {
	for source, want := range map[string]bool{
		`true`:                  true,
		`a == "1"`:              true,
		`a == '1' and b != 'x'`: false,
		"b == `x`":              true,
		`last.status == "busy" && number(menu.digits) > 3`:                     true,
		`voipbin.call.source.target startsWith "+49" and not has(vip)`:         true,
		`voipbin.call.source.target not startsWith "+49"`:                      false,
		`var("main-menu.digits") == "3" && var('long name') == "odd"`:          true,
		`menu["digits"] == "4"`:                                                true,
		`call.in == "in" && count == "7"`:                                      true, // words of expr are names behind a dot, and without brackets
		`none == "" && !has(none)`:                                             true,
		`empty == "" && has(empty)`:                                            true,
		`has("main-menu.digits")`:                                              true,
		`has(menu.digits) && !has("menu.no")`:                                  true,
		`yes == "true"`:                                                        true,
		`last.status in ["busy", "noanswer"]`:                                  true,
		`last.status not in ["busy", b]`:                                       false,
		`b in []`:                                                              false,
		`number(a) in [0, 1]`:                                                  true,
		`lower(trim(word)) == "über" && len(trim(word)) == 4`:                  true,
		`word | trim() | upper() == "ÜBER"`:                                    true,
		`word contains "b" and word not contains "q"`:                          true,
		`"x.wav" endsWith ".wav"`:                                              true,
		`trimPrefix(b, "x") == "" && trimSuffix("ab", "b") == "a"`:             true,
		`indexOf("abab", "b") == 1 && lastIndexOf("abab", "b") == 3`:           true,
		`indexOf(b, "no") == -1`:                                               true,
		`b matches "^[a-z]$"`:                                                  true,
		`b not matches "y"`:                                                    true,
		`"10" < "9"`:                                                           true, // texts
		`number("10") > number("9")`:                                           true,
		`number(" 1e3 ") == 1000`:                                              true,
		`number(b, -1) == -1 && number(none, 0) == 0`:                          true,
		`number("NaN", 5) == 5 && number("Inf", 5) == 5`:                       true,
		`(number(a) + 2) * 3 - 1 == 8 && number(a) / 2 == 0.5`:                 true,
		`number(count) % 2 == 1 && -number(a) == -1 && 7 % 4 == 3`:             true,
		`abs(-2) == 2 && ceil(0.5) == 1 && floor(0.5) == 0 && round(0.5) == 1`: true,
		`min(3, number(a), 2) == 1 && max(1, 2) == 2 && min(2) == 2`:           true,
		`0.1 + 0.2 > 0.3 && 9007199254740993 == 9007199254740992`:              true, // float64
		`a == "1" ? b == "x" : false`:                                          true,
		`if a == "2" {true} else {b == "x"}`:                                   true,
		`(a == "1") == (b == "x")`:                                             true,
		`a == "1" || number(b) > 1`:                                            true, // the right side is not looked at
		`has(none) && number(none) > 1`:                                        false,
		"a ==\n\t\"1\" // the end":                                             true,
	} {
		c, err := Expressions{}.Compile(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got, err := c.Holds(lookup); got != want || err != nil {
			t.Errorf("%s: got %v, %v", source, got, err)
		}
	}
}

func TestCompileSaysWhatIsWrongAndWhere(t *testing.T) {
	for source, want := range map[string]string{
		``:                        `1:1: the condition is empty`,
		" \n":                     `1:1: the condition is empty`,
		"a == \"\xff\"":           `1:1: the condition is not valid UTF-8`,
		`a == "1" && ${b}`:        `1:13: a variable stands without ${}: by its name, or as var("name")`,
		`menu.digits > 3`:         `1:13: menu.digits is a text and 3 a number: write number(menu.digits)`,
		`3 == menu.digits`:        `1:3: 3 is a number and menu.digits a text: write number(menu.digits)`,
		`number(a) == "1"`:        `1:11: number(a) is a number and "1" a text: write number("1")`,
		`a == true`:               `1:3: a is a text: compare it with "true" or "false" in quotes`,
		`true == a`:               `1:6: a is a text: compare it with "true" or "false" in quotes`,
		`true != 1`:               `1:6: true is true or false and 1 a number: they cannot be compared`,
		`true < false`:            `1:6: < does not compare true and false`,
		"b == \"é\"\n && a ==":    `2:8: the condition ends too early`,
		"b == \"é\" && a < 1":     `1:15: a is a text and 1 a number: write number(a)`,
		`a`:                       `1:1: a is a text, and a condition needs true or false`,
		`len(a)`:                  `1:1: len(a) is a number, and a condition needs true or false`,
		`a && true`:               `1:1: a is a text, and && needs true or false`,
		`!a`:                      `1:2: a is a text, and ! needs true or false`,
		`a + b == "1x"`:           `1:1: a is a text, and + needs a number: write number(a)`,
		`a = "1"`:                 `1:3: unexpected token Operator("="): == is what compares`,
		`main-menu.digits == ""`:  `1:5: - is between two texts: a name with - in it is written var("main-menu.digits")`,
		`1 < number(a) < 3`:       `1:5: comparisons cannot be chained: a < b && b < c`,
		`a.0 == ""`:               `1:2: unexpected token Number(".0")`,
		`a[0] == ""`:              `1:2: only the name of a variable has dots in it, and no brackets`,
		`a?.b == ""`:              `1:4: only the name of a variable has dots in it, and no brackets`,
		`a[1:] == ""`:             `1:2: only the name of a variable has dots in it, and no brackets`,
		`{"a": 1}.a == 1`:         `1:10: only the name of a variable has dots in it, and no brackets`,
		`nil == a`:                `1:1: there is no nil: a variable that there is not is "", and has(name) is false`,
		`let x = 1; x == 1`:       `1:5: this is not part of the language: there are texts, numbers, true, false and variables`,
		`b"x" == "x"`:             `1:1: this is not part of the language: there are texts, numbers, true, false and variables`,
		`1..9 == 1`:               `1:2: there is no operator ..`,
		`(a ?? b) == ""`:          `1:4: there is no operator ??`,
		`2 ** 3 == 8`:             `1:3: there is no operator **`,
		`now() == 1`:              `1:1: there is no function now`,
		`lowr(a) == ""`:           `1:1: there is no function lowr, did you mean "lower"?`,
		`a.b(1) == ""`:            `1:3: only functions can be called`,
		`repeat(a, 9) == ""`:      `1:1: there is no function repeat`,
		`filter([1], true) == ""`: `1:1: there is no function filter`,
		`lower(a, b) == ""`:       `1:1: lower takes 1 values, not 2`,
		`lower(1) == ""`:          `1:7: 1 is a number, and lower needs a text`,
		`min() == 1`:              `1:1: min takes 1 values, not 0`,
		`number() == 1`:           `1:1: number takes a text, and perhaps what stands in for one that is no number`,
		`number(1) == 1`:          `1:8: 1 is a number, and number needs a text`,
		`number(a, b) == 1`:       `1:11: b is a text, and number needs a number: write number(b)`,
		`var(a) == ""`:            `1:1: var takes the name of a variable in quotes`,
		`has("")`:                 `1:1: has takes the name of a variable in quotes`,
		`has(a, b)`:               `1:1: has takes the name of a variable in quotes`,
		`["a"] == a`:              `1:1: a list can only stand behind in`,
		`a in "abc"`:              `1:3: behind in stands a list: ["a", "b"]; contains looks into a text`,
		`a in ["1", 2]`:           `1:12: a is a text and 2 a number: write number(a)`,
		`a ? true : false`:        `1:1: a is a text, and ? needs true or false`,
		`true ? a : 1`:            `1:12: 1 is a number, and this side of : needs a text`,
		`a matches b`:             `1:11: behind matches stands a regular expression in quotes`,
		`a matches "("`:           "1:11: error parsing regexp: missing closing ): `(`",
		`a matches "x{600}"`:      `1:11: the regular expressions are too large: 600 characters, repeats counted, at most 512`,
		`a matches "x{300}" || a matches "y{300}"`:                 `1:33: the regular expressions are too large: 600 characters, repeats counted, at most 512`,
		strings.Repeat("(", 33) + "true" + strings.Repeat(")", 33): `1:33: brackets stand within brackets more than 32 deep`,
		`a == "` + strings.Repeat("x", MaxSource) + `"`:            `1:1: the condition has 1031 bytes, at most 1024`,
		`true` + strings.Repeat("&&true", 150):                     `1:773: the condition has more than 256 names, values and operators`,
	} {
		c, err := Expressions{}.Compile(source)
		bad, ok := errors.AsType[*Error](err)
		if c != nil || !ok || bad.Error() != want {
			t.Errorf("%.60s:\n got %v\nwant %s", source, err, want)
		}
	}
}

// TestQuotesHideBrackets: what stands in a text is not counted.
func TestQuotesHideBrackets(t *testing.T) {
	for _, source := range []string{
		`a != "` + strings.Repeat("(", 100) + `"`,
		`a != "\"` + strings.Repeat("[", 100) + `"`,
		"a != `\\` && a != \"" + strings.Repeat("{", 100) + `"`,
		strings.Repeat("(true) && ", 40) + "true",
	} {
		if _, err := (Expressions{}).Compile(source); err != nil {
			t.Errorf("%.40s: %v", source, err)
		}
	}
}

func TestReads(t *testing.T) {
	c, err := Expressions{}.Compile(`b.c == "x" && has(vip) || b.c == a && var("a b") == menu["d"] && has("a")`)
	if err != nil {
		t.Fatal(err)
	}
	got := c.Reads()
	if want := []string{"b.c", "vip", "a", "a b", "menu.d"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	got[0] = "spoilt"
	if c.Reads()[0] != "b.c" {
		t.Error("Reads gives its own list away")
	}
}

func TestHoldsTellsOfWhatIsNoNumber(t *testing.T) {
	for source, want := range map[string]string{
		`number(b) > 1`:                             `flow/expr: b is no number: "x"`,
		`number(menu.none) > 1`:                     `flow/expr: menu.none is no number: ""`,
		`number(lower("NAN")) > 1`:                  `flow/expr: lower("NAN") is no number: "nan"`,
		`true && number("1" == a ? "1,5" : "") > 1`: `flow/expr: "1" == a ? "1,5" : "" is no number: "1,5"`,
	} {
		c, err := Expressions{}.Compile(source)
		if err != nil {
			t.Fatalf("%s: %v", source, err)
		}
		if holds, err := c.Holds(lookup); holds || fmt.Sprint(err) != want {
			t.Errorf("%s: got %v, %v", source, holds, err)
		}
	}
}

func TestConditionsAreShared(t *testing.T) {
	c, err := Expressions{}.Compile(`number(n) % 2 == 0 && n in ["0", "2", other]`)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	for i := range 8 {
		go func() {
			n := fmt.Sprint(i % 4)
			for range 100 {
				got, err := c.Holds(func(string) (string, bool) { return n, true })
				if err != nil || got != (i%2 == 0) {
					done <- fmt.Errorf("%s: got %v, %w", n, got, err)
					return
				}
			}
			done <- nil
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// costly are conditions that would take long if nothing stopped them, with the longest values
// that variables have.
var costly = []string{
	strings.Repeat("1 < (", 30) + "1" + strings.Repeat(") < 2 ? 1 : 2", 30) + " == 1", // doubles with each level
	"{a: " + strings.Repeat("1<(", 30) + "1" + strings.Repeat(")<2?1:2", 30) + "}.a",
	`a matches "(a*)*(a*)*(a*)*(a*)*(a*)*b$" || a matches "(.?){100}x"`,
	`a matches "(a?){120}b" || a matches "(a|aa)+c"`,
	`a matches "((((((a{9}){9}){9}){9}){9}){9}){9}"`,
	`a matches "` + strings.Repeat(`\\pL{999}`, 90) + `"`,
	strings.Repeat("lower(", 32) + "a" + strings.Repeat(")", 32) + ` == "x"`,
	"a" + strings.Repeat("|upper()", 100) + ` == "x"`,
	"false" + strings.Repeat(" || a == b", 60),
	"a in [" + strings.Repeat("b,", 200) + "b]",
	strings.Repeat("!", 1000) + "true",
	strings.Repeat("-", 250) + "1 == 1",
	"1" + strings.Repeat("*9e99", 60) + " == 1",
	strings.Repeat("true?", 100) + "true" + strings.Repeat(":true", 100),
	`indexOf(a, "` + strings.Repeat("a", 900) + `b") == 1`,
}

// spend is what f costs.
func spend(f func()) (bytes uint64, took time.Duration) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	f()
	took = time.Since(start)
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc, took
}

const maxSpent = 32 << 20 // bytes of garbage of one Compile and one Holds

func TestNothingTakesLong(t *testing.T) {
	value := strings.Repeat("a", action.MaxVarValue)
	for _, source := range costly {
		var err error
		var c action.Expression
		spent, took := spend(func() {
			if c, err = (Expressions{}).Compile(source); err == nil {
				_, err = c.Holds(func(string) (string, bool) { return value, true })
			}
		})
		t.Logf("%.50s: %v, %d KiB, %v", source, took, spent>>10, err)
		if took > 10*time.Second || spent > maxSpent { // a second, where nothing else runs
			t.Errorf("%.50s: took %v and %d KiB", source, took, spent>>10)
		}
	}
}

func FuzzCondition(f *testing.F) {
	for _, source := range costly {
		f.Add(source, "aaa")
	}
	for _, source := range []string{
		`last.status == "answered" && number(menu.digits, 0) > 3`, `lower(trim(a)) in ["yes", b] ? has(c) : var("d e") matches "^[1-4]$"`,
		`a not contains "x" or -number(b) % 2 != 1.5e3`, `a["b"] | upper() == 'X' // c`, `if a == "1" {true} else {b == "2"}`,
		`let x = a; filter(1..9, # > 1) == nil && {"a": b}.a?.b[1:] ?? c ** 2 == now()`,
	} {
		f.Add(source, "12")
	}
	f.Fuzz(func(t *testing.T, source, value string) {
		if len(source) > 2*MaxSource || len(value) > action.MaxVarValue {
			return
		}
		var c action.Expression
		var err error
		spent, _ := spend(func() {
			if c, err = (Expressions{}).Compile(source); err != nil {
				return
			}
			reads := c.Reads()
			known := func(name string) (string, bool) {
				if !slices.Contains(reads, name) {
					t.Errorf("%q is looked up, and not in %q", name, reads)
				}
				return value, len(name)%2 == 0
			}
			first, err1 := c.Holds(known)
			second, err2 := c.Holds(known)
			if first != second || fmt.Sprint(err1) != fmt.Sprint(err2) {
				t.Errorf("it is %v, %v and then %v, %v", first, err1, second, err2)
			}
			if err1 != nil && !strings.Contains(err1.Error(), "is no number") {
				t.Errorf("it cannot run: %v", err1)
			}
		})
		if spent > 2*maxSpent {
			t.Errorf("it took %d KiB", spent>>10)
		}
		if err != nil {
			bad, ok := errors.AsType[*Error](err)
			if !ok || strings.ContainsAny(bad.Message, "\r\n") || bad.Line < 1 || bad.Column < 1 {
				t.Errorf("error %v", err)
			}
		}
	})
}

const typical = `last.status == "answered" && number(menu.digits) > 3`

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (Expressions{}).Compile(typical); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHolds(b *testing.B) {
	c, err := Expressions{}.Compile(typical)
	if err != nil {
		b.Fatal(err)
	}
	known := func(name string) (string, bool) {
		if name == "last.status" {
			return "answered", true
		}
		return "4", true
	}
	b.ReportAllocs()
	for b.Loop() {
		if holds, err := c.Holds(known); !holds || err != nil {
			b.Fatal(holds, err)
		}
	}
}
