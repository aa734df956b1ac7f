package action

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestResultOf(t *testing.T) {
	boom := errors.New("boom")
	for _, c := range []struct {
		name string
		o    Outcome
		err  error
		want string
	}{
		{"nothing", Outcome{}, nil, "map[status:ok]"},
		{"what was found", Resulting("a", "1", "b", "2", "odd"), nil, "map[a:1 b:2 status:ok]"},
		{"an own status", Resulting(ResultStatus, "busy"), nil, "map[status:busy]"},
		{"an error", Outcome{}, boom, "map[error:boom status:error]"},
		{"a fatal one", Outcome{}, Fatal(boom), "map[error:boom status:error]"},
		{"an own status with it", Resulting(ResultStatus, "invalid"), boom, "map[error:boom status:invalid]"},
		{"a stack is not told", Outcome{}, errors.New("panic: oh\ngoroutine 1"), "map[error:panic: oh status:error]"},
		{"a timeout", Outcome{TimedOut: true}, nil, "map[status:timeout]"},
		{"an error that is one", Outcome{}, fmt.Errorf("x: %w", ErrTimeout), "map[error:x: action: time is up status:timeout]"},
		{"so is a deadline", Outcome{}, context.DeadlineExceeded, "map[error:context deadline exceeded status:timeout]"},
		{"an own status wins", Outcome{TimedOut: true, Result: map[string]string{ResultStatus: "noanswer"}}, nil, "map[status:noanswer]"},
		{"a skip", Resulting("a", "1"), ErrSkip, "map[a:1 status:skipped]"},
		{"a skip whatever the status", Resulting(ResultStatus, "answered"), ErrSkip, "map[status:skipped]"},
	} {
		if got := fmt.Sprint(ResultOf(c.o, c.err)); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
		if _, ok := c.o.Result[ResultError]; ok {
			t.Errorf("%s: the outcome itself has changed", c.name)
		}
	}
}

func TestResultsKeepTheirLimits(t *testing.T) {
	many := make(map[string]string)
	for i := range 100 {
		many[fmt.Sprintf("a%03d", i)] = "x"
	}
	many["zz"] = "last"
	got := ResultOf(Outcome{Result: many}, errors.New("boom"))
	if len(got) != MaxResultKeys || got[ResultStatus] != StatusError || got[ResultError] != "boom" || got["a000"] != "x" || got["zz"] != "" {
		t.Errorf("many keys: got %v", got)
	}
	if len(many) != 101 {
		t.Errorf("the action's own map has changed: %d keys", len(many))
	}
	long := ResultOf(Resulting("a", strings.Repeat("ä", MaxResultValue), "b", strings.Repeat("x\xff", MaxResultValue)), nil)
	for _, k := range []string{"a", "b"} {
		if v := long[k]; len(v) > MaxResultValue || len(v) < MaxResultValue-3 || !utf8.ValidString(v) {
			t.Errorf("long value %s: %d bytes", k, len(v))
		}
	}

	var v Vars
	for i := range MaxVars {
		if err := v.SetResult(fmt.Sprint(i), map[string]string{"a": "1"}, true); err != nil {
			t.Fatal(i, err)
		}
	}
	if err := v.SetResult("more", map[string]string{"a": "1"}, true); !errors.Is(err, ErrVarLimit) {
		t.Errorf("one more: got %v", err)
	}
	if err := v.SetResult("7", map[string]string{"a": "2"}, true); err != nil || v.Get("7.a") != "2" || v.Get("last.a") != "2" {
		t.Errorf("one of them anew: got %v, %q", err, v.Get("7.a"))
	}

	var big Vars
	value := map[string]string{"a": strings.Repeat("x", MaxVarValue)}
	for i := range MaxVarsSize/MaxVarValue - 1 {
		if err := big.SetResult(fmt.Sprint(i), value, false); err != nil {
			t.Fatal(i, err)
		}
	}
	if err := big.SetResult("0", map[string]string{"a": strings.Repeat("x", 2*MaxVarValue)}, true); !errors.Is(err, ErrVarLimit) {
		t.Errorf("too large: got %v", err)
	}
	if _, ok := big.Lookup("0.a"); ok {
		t.Error("an older result of the step is left")
	}
	if got := len(big.Get("last.a")); got != 2*MaxVarValue {
		t.Errorf("the last result is not there: %d bytes", got)
	}
	if err := big.Set("v", value["a"]); err != nil {
		t.Errorf("there is room again: %v", err)
	}
	if err := big.Set("w", value["a"]); !errors.Is(err, ErrVarLimit) {
		t.Errorf("results count for variables: got %v", err)
	}
}

func TestResultsAreRead(t *testing.T) {
	var v Vars
	for id, r := range map[string]map[string]string{
		"menu":         {"digits": "1", "a.b": "dotted key"},
		"menu.main":    {"digits": "2"},
		"":             {"digits": "nobody's"},
		LastResult:     {"digits": "not counted as a step"},
		"Größe.x":      {"k": "unicode"},
		"menu.main.eu": {"k": "3"},
	} {
		if err := v.SetResult(id, r, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.SetResult("", map[string]string{"status": "busy"}, true); err != nil {
		t.Fatal(err)
	}
	if err := v.Set("menu.digits", "a variable wins"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"menu.digits":      "a variable wins",
		"menu.a.b":         "dotted key",
		"menu.main.digits": "2",
		"menu.main.eu.k":   "3",
		"Größe.x.k":        "unicode",
		"last.status":      "busy",
		"last.digits":      "",
		"menu":             "",
		"menu.":            "",
		".digits":          "",
		"menu.none":        "",
	} {
		got, ok := v.Lookup(name)
		if got != want || ok != (want != "") {
			t.Errorf("%s: got %q, %v, want %q", name, got, ok, want)
		}
	}
	v.Delete("menu.digits")
	if got := v.Substitute("${menu.digits} ${menu.none|none} ${last.status|x}"); got != "1 none busy" {
		t.Errorf("got %q", got)
	}
	v.Empty("menu.main.digits") // a result is no variable
	if got := v.Get("menu.main.digits"); got != "2" {
		t.Errorf("after Empty: got %q", got)
	}
	if all := v.All(); len(all) != 0 {
		t.Errorf("results are among the variables: %v", all)
	}
}

func TestResultsAreRestored(t *testing.T) {
	var v, w Vars
	if err := errors.Join(
		v.SetResult("a", map[string]string{"k": "old"}, true),
		v.SetResult("a", map[string]string{"k": "new"}, true),
		v.SetResult("b", map[string]string{"k": "2"}, false),
		v.SetResult("", map[string]string{"k": "unnamed"}, true),
	); err != nil {
		t.Fatal(err)
	}
	if err := w.RestoreResults(v.Results()); err != nil {
		t.Fatal(err)
	}
	want := map[string]map[string]string{"a": {"k": "new"}, "b": {"k": "2"}, LastResult: {"k": "unnamed"}}
	if d := cmp.Diff(want, w.Results()); d != "" || w.size != v.size {
		t.Error(d, w.size, v.size)
	}
	if err := w.SetResult("a", nil, false); err != nil || w.size != len("b")+len("k")+len("2") {
		t.Errorf("an empty result: %v, size %d", err, w.size)
	}
	var none Vars
	if err := none.RestoreResults(nil); err != nil || none.size != 0 || len(none.Results()) != 0 {
		t.Errorf("nothing restored: %v, %v", err, none.Results())
	}
	tooMuch := map[string]map[string]string{"a": {"k": strings.Repeat("x", MaxVarsSize)}}
	if err := none.RestoreResults(tooMuch); !errors.Is(err, ErrVarLimit) {
		t.Errorf("too much: got %v", err)
	}
	// As JSON the variables are alone; what is read replaces the results as well.
	if err := v.UnmarshalJSON([]byte(`{"x":"1"}`)); err != nil || len(v.Results()) != 0 || v.size != 2 {
		t.Errorf("read: %v, %v, size %d", err, v.Results(), v.size)
	}
}
