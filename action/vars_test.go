package action

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/quick"

	"github.com/google/go-cmp/cmp"
)

func TestSubstitute(t *testing.T) {
	var v Vars
	for name, value := range map[string]string{"a": "1", "b": "${a}", "voipbin.call.digits": "42#", "x y": "space", "${a": "odd"} {
		if err := v.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	for text, want := range map[string]string{
		"":                            "",
		"plain $a {a} $":              "plain $a {a} $",
		"${a}":                        "1",
		"<${a}${a}>":                  "<11>",
		"${b}":                        "${a}", // once only
		"${none}":                     "",
		"${}":                         "",
		"${voipbin.call.digits}!":     "42#!",
		"${x y}":                      "space",
		"${ a }":                      "",
		"${a":                         "${a",
		"${a ${a}":                    "",    // one name: "a ${a"
		"${${a}":                      "odd", // one name: "${a"
		"${line\nbreak} ${a}":         "${line\nbreak} 1",
		"$${a}":                       "$1",
		"${a}}":                       "1}",
		strings.Repeat("${a}", 1_000): strings.Repeat("1", 1_000),
	} {
		if got := v.Substitute(text); got != want {
			t.Errorf("%.40q: got %.40q, want %.40q", text, got, want)
		}
	}
	if got := v.SubstituteFunc("${a}-${none}", func(s string) string { return "<" + s + ">" }); got != "<1>-<>" {
		t.Errorf("escaped: got %q", got)
	}
}

func TestSubstituteFallback(t *testing.T) {
	var v Vars
	for name, value := range map[string]string{"a": "1", "empty": "", "b|c": "bar", "d|": "odd", "v": "${a}"} {
		if err := v.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.SetResult("step", map[string]string{"status": "busy"}, true); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"${a|x}":                "1",
		"${none|x}":             "x",
		"${empty|x}":            "x",
		"${empty|}":             "",
		"${none|}":              "",
		"${|x}":                 "x",
		"${none|a b.c/ä}":       "a b.c/ä",
		"${none|a|b}":           "a|b", // one bar divides, the first
		"${none|${a}":           "${a", // no nesting: the name ends at the first brace
		"${none|a}}":            "a}",
		"${b|c}":                "bar", // a variable whose name has a bar
		"${b|d}":                "d",
		"${d|}":                 "odd",
		"${none|\nx}":           "${none|\nx}",
		"${v|x}":                "${a}", // once only
		"${none|<br>}":          "<br>",
		"${step.status|x}":      "busy",
		"${step.none|x}":        "x",
		"${last.status|x}${a|}": "busy1",
	} {
		if got := v.Substitute(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	// Values are escaped, fallbacks are the author's.
	if got := v.SubstituteFunc("${a|<x>}${none|<x>}", func(s string) string { return "(" + s + ")" }); got != "(1)<x>" {
		t.Errorf("escaped: got %q", got)
	}
	var names []string
	EachVar("${a} ${b|c} ${|} text ${open", func(name string, fallback bool) {
		names = append(names, fmt.Sprint(name, fallback))
	})
	if got := strings.Join(names, ","); got != "afalse,btrue,true" {
		t.Errorf("EachVar: got %s", got)
	}
}

func TestSubstituteIsBounded(t *testing.T) {
	var v Vars
	if err := v.Set("a", strings.Repeat("ä", MaxVarValue/2)); err != nil {
		t.Fatal(err)
	}
	text := "x" + strings.Repeat("${a}", 10_000) // 330 MB
	if got := v.Substitute(text); len(got) > MaxSubstitute || len(got) < MaxSubstitute-1 || !strings.HasSuffix(got, "ä") {
		t.Errorf("got %d bytes", len(got))
	}
	raw, err := json.Marshal([]string{text, text})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.SubstituteJSON(raw); !errors.Is(err, ErrVarLimit) {
		t.Errorf("JSON: got %v", err)
	}
}

func TestSubstituteJSON(t *testing.T) {
	var v Vars
	if err := v.Set("a", "q\"\n\\<é>"); err != nil {
		t.Fatal(err)
	}
	for raw, want := range map[string]string{
		`{}`:                               `{}`,
		`{"k":"v","n":[1,2.50,true,null]}`: `{"k":"v","n":[1,2.50,true,null]}`,
		`{"k" : "${a}", "n":[1,"${a}",{"${a}":"${a}"}]}`: `{"k" : "q\"\n\\<é>", "n":[1,"q\"\n\\<é>",{"${a}":"q\"\n\\<é>"}]}`,
		`"\u0024{a}"`:        `"q\"\n\\<é>"`,
		`"\"${none}\\"`:      `"\"\\"`,
		`{"k":"\u00e4"}`:     `{"k":"\u00e4"}`,
		`["{","}","${x}[]"]`: `["{","}","[]"]`,
	} {
		got, err := v.SubstituteJSON(json.RawMessage(raw))
		if err != nil || string(got) != want {
			t.Errorf("%s:\n got %s, %v\nwant %s", raw, got, err, want)
		}
	}
	if _, err := v.SubstituteJSON(json.RawMessage(`"open`)); err == nil {
		t.Error("a string without an end: no error")
	}
}

// TestSubstituteJSONKeepsItValid: whatever a variable holds, the text around it stays the same.
func TestSubstituteJSONKeepsItValid(t *testing.T) {
	f := func(key, before, value, after string) bool {
		var v Vars
		if len(value) > MaxVarValue || v.Set("v", value) != nil {
			return true
		}
		before, after = strings.ReplaceAll(before, "$", ""), strings.ReplaceAll(after, "$", "")
		raw, err := json.Marshal(map[string]any{key: []string{before + "${v}" + after}})
		if err != nil {
			return false
		}
		raw, err = v.SubstituteJSON(raw)
		if err != nil {
			return false
		}
		want, err := json.Marshal(map[string][]string{key: {before + value + after}})
		if err != nil {
			return false
		}
		var a, b any
		return json.Unmarshal(raw, &a) == nil && json.Unmarshal(want, &b) == nil && cmp.Equal(a, b)
	}
	if err := quick.Check(f, nil); err != nil {
		t.Error(err)
	}
}

func TestVarsKeepTheirLimits(t *testing.T) {
	var v Vars
	for what, err := range map[string]error{
		"name":  v.Set(strings.Repeat("n", MaxVarName+1), "x"),
		"value": v.Set("n", strings.Repeat("v", MaxVarValue+1)),
	} {
		if !errors.Is(err, ErrVarLimit) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	if err := v.Set("", "x"); err == nil {
		t.Error("no name: no error")
	}
	big := strings.Repeat("v", MaxVarValue)
	for i := range MaxVarsSize/MaxVarValue - 1 {
		if err := v.Set(string(rune('a'+i)), big); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.Set("z", big); !errors.Is(err, ErrVarLimit) {
		t.Errorf("all together: got %v", err)
	}
	if err := v.Append("a", "x"); !errors.Is(err, ErrVarLimit) || v.Get("a") != big {
		t.Errorf("append: got %v", err)
	}
	for i := range MaxVarsSize/MaxVarValue - 1 {
		v.Delete(string(rune('a' + i)))
	}
	v.Delete("none")
	if v.size != 0 || len(v.All()) != 0 {
		t.Errorf("after Delete of all: size %d, %d variables", v.size, len(v.All()))
	}
	for i := range MaxVars {
		if err := v.Set("n"+strings.Repeat("x", i%200)+string(rune('A'+i/200)), ""); err != nil {
			t.Fatal(i, err)
		}
	}
	if err := v.Set("more", ""); !errors.Is(err, ErrVarLimit) {
		t.Errorf("number: got %v", err)
	}
}

func TestVarsAsJSON(t *testing.T) {
	var v, w Vars
	if b, err := json.Marshal(&v); err != nil || string(b) != "{}" {
		t.Errorf("empty: got %s, %v", b, err)
	}
	want := map[string]string{"a": "1", "b": "\x00\"<"}
	for name, value := range want {
		if err := v.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	b, err := json.Marshal(&v)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Set("old", "x"); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &w); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, w.All()); d != "" || w.size != v.size {
		t.Error(d, w.size, v.size)
	}
	for _, bad := range []string{`{"a":1}`, `[]`, `{"":"x"}`} {
		if err := json.Unmarshal([]byte(bad), &w); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
	if d := cmp.Diff(want, w.All()); d != "" {
		t.Errorf("after an error: %s", d)
	}
}

func TestVarsFromManyGoroutines(t *testing.T) {
	var v Vars
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if err := v.Append("n", "x"); err != nil {
					t.Error(err)
				}
				_ = v.Substitute("${n}")
				v.All()
			}
		})
	}
	wg.Wait()
	if got := len(v.Get("n")); got != 800 {
		t.Errorf("got %d appends", got)
	}
}

func FuzzSubstituteJSON(f *testing.F) {
	f.Add(`{"a":"${v}","${v}":["${v}","\u0024{v}\\",1]}`, `x"\`)
	f.Add(`"${v`, `}`)
	f.Fuzz(func(t *testing.T, raw, value string) {
		var v Vars
		if len(raw) > 1000 || len(value) > 1000 || v.Set("v", value) != nil {
			return
		}
		valid := json.Valid([]byte(raw))
		got, err := v.SubstituteJSON(json.RawMessage(raw))
		if valid && (err != nil || !json.Valid(got)) {
			t.Fatalf("%q became %q, %v", raw, got, err)
		}
	})
}
