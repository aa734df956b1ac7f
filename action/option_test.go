package action

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type tagged struct {
	Text    string            `json:"text" opt:"required" doc:"what is said"`
	Wait    int               `json:"wait" opt:"ms,min=0,max=1000,default=50"`
	Volume  float64           `json:"volume" opt:"min=-1.5,max=1.5"`
	Mode    string            `json:"mode" opt:"enum=fast|slow"`
	Kind    string            `json:"kind" opt:"required,enum=a|b"`
	Next    string            `json:"next" opt:"required,id"`
	Else    string            `json:"else" opt:"id"`
	Cases   map[string]string `json:"cases" opt:"id"`
	Name    string            `json:"name" opt:"name"`
	Days    []int             `json:"days" opt:"min=1,max=7"`
	Colours []string          `json:"colours" opt:"required,enum=red|green"`
	Size    *int              `json:"size" opt:"min=1"`
	Gone    any               `json:"gone" opt:"old"`
	embedded
	Untold string `json:"-"`
	hidden string
}

type embedded struct {
	Inner bool `json:"inner"`
	Plain uint8
}

func (a *tagged) Run(context.Context, Leg) (Outcome, error) { return Continue(), nil }

func number64(f float64) *float64 { return &f }

func TestOptionsAreDescribedByTheirTags(t *testing.T) {
	got := OptionsOf(&tagged{hidden: "x"})
	want := []Option{
		{Name: "text", Type: reflect.TypeFor[string](), Required: true, Doc: "what is said"},
		{Name: "wait", Type: reflect.TypeFor[int](), Unit: "ms", Min: number64(0), Max: number64(1000), Default: "50"},
		{Name: "volume", Type: reflect.TypeFor[float64](), Min: number64(-1.5), Max: number64(1.5)},
		{Name: "mode", Type: reflect.TypeFor[string](), Enum: []string{"fast", "slow"}},
		{Name: "kind", Type: reflect.TypeFor[string](), Required: true, Enum: []string{"a", "b"}},
		{Name: "next", Type: reflect.TypeFor[string](), Required: true, Target: true},
		{Name: "else", Type: reflect.TypeFor[string](), Target: true},
		{Name: "cases", Type: reflect.TypeFor[map[string]string](), Target: true},
		{Name: "name", Type: reflect.TypeFor[string](), Variable: true},
		{Name: "days", Type: reflect.TypeFor[[]int](), Min: number64(1), Max: number64(7)},
		{Name: "colours", Type: reflect.TypeFor[[]string](), Required: true, Enum: []string{"red", "green"}},
		{Name: "size", Type: reflect.TypeFor[*int](), Min: number64(1)},
		{Name: "gone", Type: reflect.TypeFor[any](), Old: true},
		{Name: "inner", Type: reflect.TypeFor[bool]()},
		{Name: "Plain", Type: reflect.TypeFor[uint8]()},
	}
	same := cmp.Comparer(func(a, b reflect.Type) bool { return a == b })
	if d := cmp.Diff(want, got, same, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".index" }, cmp.Ignore())); d != "" {
		t.Error(d)
	}
	var kinds []Kind
	for _, o := range got {
		kinds = append(kinds, o.Kind())
	}
	wantKinds := []Kind{String, Number, Number, String, String, String, String, Object, String, Array, Array, Number, Null, Bool, Number}
	if !slices.Equal(kinds, wantKinds) {
		t.Errorf("kinds: got %v, want %v", kinds, wantKinds)
	}
	a := &tagged{Wait: 7}
	a.Inner = true
	if got[1].In(a).Int() != 7 || !got[13].In(a).Bool() {
		t.Error("In gives another field")
	}
	if OptionsOf(Func(nil)) != nil || OptionsOf(nil) != nil || FieldsOf(reflect.TypeFor[int]()) != nil {
		t.Error("what is no struct has options")
	}
	if inner := FieldsOf(reflect.TypeFor[embedded]()); len(inner) != 2 || inner[0].Name != "inner" {
		t.Errorf("FieldsOf: got %+v", inner)
	}
}

func TestOptionTagsThatAreWrongPanic(t *testing.T) {
	for _, c := range []struct {
		t    any
		want string
	}{
		{struct {
			A int `json:"a" opt:"requird"`
		}{}, `action: option "a": tag opt has an unknown part "requird"`},
		{struct {
			A int `json:"a" opt:"min=few"`
		}{}, `action: option "a": tag opt: strconv.ParseFloat: parsing "few": invalid syntax`},
		{struct {
			A int `json:"a" opt:"max"`
		}{}, `action: option "a": tag opt: strconv.ParseFloat: parsing "": invalid syntax`},
		{struct {
			A int `opt:"ms,,s"`
		}{}, `action: option "A": tag opt has an unknown part ""`},
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); got != c.want {
					t.Errorf("got  %s\nwant %s", got, c.want)
				}
			}()
			FieldsOf(reflect.TypeOf(c.t))
		}()
	}
}

// checkTagged tells what the tags say against option, and which actions it goes to.
func checkTagged(t *testing.T, option string) (problems, targets string) {
	t.Helper()
	r := NewRegistry()
	Register[tagged](r, "tagged")
	n, bad := ParseJSON([]byte(option))
	if bad != nil {
		t.Fatal(bad)
	}
	template, bad := r.Template("tagged", []byte(option), n)
	if bad != nil {
		t.Fatal(bad)
	}
	c := NewCheckContext("", n)
	CheckAction(c, template.Example())
	var got, ids []string
	for _, p := range c.Problems() {
		text := p.Message
		if p.Warning {
			text = "warning: " + text
		}
		got = append(got, text)
	}
	for _, id := range c.Targets() {
		ids = append(ids, id.Path+"->"+id.ID)
	}
	if c.AnyTarget() {
		ids = append(ids, "any")
	}
	return strings.Join(got, "; "), strings.Join(ids, " ")
}

func TestOptionsAreCheckedByTheirTags(t *testing.T) {
	// with are the options that are required, and more.
	with := func(more string) string {
		return `{"text":"x","kind":"a","next":"n","colours":["red"]` + more + `}`
	}
	for _, c := range []struct{ option, want string }{
		{with(``), ``},
		{`{}`, `option "text" is required; option "kind" is required: one of a b; option "next" is required: the id of an action; option "colours" is required: one of red green`},
		{`{"text":" ","kind":"","next":"` + nilUUID + `","colours":[]}`, `option "text" is required; option "kind" is required: one of a b; option "next" is required: the id of an action; option "colours" is required: one of red green`},
		{`{"text":null,"kind":"a","next":"n","colours":["red"]}`, `option "text" is required`},
		{`{"text":"${x}","kind":"${x}","next":"${x}","colours":["${x}"]}`, ``},
		{with(`,"wait":-1`), `option "wait" must not be negative, as -1 is`},
		{with(`,"wait":0`), ``},
		{with(`,"wait":1000`), ``},
		{with(`,"wait":1001`), `option "wait" must be at most 1000, not 1001`},
		{with(`,"wait":"${x}"`), ``},
		{with(`,"wait":null`), ``},
		{with(`,"volume":-1.5`), ``},
		{with(`,"volume":-1.51`), `option "volume" must be at least -1.5, not -1.51`},
		{with(`,"volume":2`), `option "volume" must be at most 1.5, not 2`},
		{with(`,"mode":""`), ``},
		{with(`,"mode":"slow"`), ``},
		{with(`,"mode":"Slow"`), `option "mode" must be one of fast slow, not "Slow", did you mean "slow"?`},
		{with(`,"mode":"medium"`), `option "mode" must be one of fast slow, not "medium"`},
		{with(`,"mode":"${x}"`), ``},
		{with(`,"days":[1,7]`), ``},
		{with(`,"days":[0,8]`), `option "days[0]" must be at least 1, not 0; option "days[1]" must be at most 7, not 8`},
		{with(`,"days":["${x}",8]`), `option "days[1]" must be at most 7, not 8`},
		{`{"text":"x","kind":"a","next":"n","colours":["red","blue","${x}"]}`, `option "colours[1]" must be one of red green, not "blue"`},
		{with(`,"size":1`), ``},
		{with(`,"size":0`), `option "size" must be at least 1, not 0`},
		{with(`,"size":null`), ``},
		{with(`,"name":"a.b"`), ``},
		{with(`,"name":"${a}"`), `warning: option "name" names a variable, without ${}: as it stands, the variable's value is taken for a name`},
		{with(`,"gone":{"any":[1]}`), ``},
	} {
		if got, _ := checkTagged(t, c.option); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.option, got, c.want)
		}
	}
}

func TestOptionsThatAreTargets(t *testing.T) {
	for option, want := range map[string]string{
		`{"next":"a"}`:                           "next->a",
		`{"next":"a","else":""}`:                 "next->a",
		`{"next":"${x}","else":"b"}`:             "else->b any",
		`{"next":"a","cases":{"1":"c"}}`:         "next->a cases.1->c",
		`{"next":"a","cases":{"1":"${x}"}}`:      "next->a any",
		`{"next":"a","else":"` + nilUUID + `"}`:  "next->a",
		`{"next":"a","cases":{"2":"c","1":"d"}}`: "next->a cases.1->d cases.2->c",
	} {
		if _, got := checkTagged(t, option); got != want {
			t.Errorf("%s: got %s, want %s", option, got, want)
		}
	}
}

func TestTypedLiteral(t *testing.T) {
	for _, c := range []struct {
		kind reflect.Kind
		text string
		want string // empty: refused
	}{
		{reflect.Int, "42", "42"},
		{reflect.Int, " -7\n", "-7"},
		{reflect.Int, "+5", "5"},
		{reflect.Int, "007", "7"},
		{reflect.Int64, "9223372036854775807", "9223372036854775807"},
		{reflect.Int64, "9223372036854775808", ""},
		{reflect.Int, "1.0", ""},
		{reflect.Int, "1e3", ""},
		{reflect.Int, "0x10", ""},
		{reflect.Int, "1_000", ""},
		{reflect.Int, "", ""},
		{reflect.Int, "soon", ""},
		{reflect.Uint8, "255", "255"},
		{reflect.Uint8, "256", ""},
		{reflect.Uint, "-1", ""},
		{reflect.Uint64, "18446744073709551615", "18446744073709551615"},
		{reflect.Int16, "-32768", "-32768"},
		{reflect.Int16, "32768", ""},
		{reflect.Float64, "1.50", "1.5"},
		{reflect.Float64, "1e3", "1000"},
		{reflect.Float64, "-0", "-0"},
		{reflect.Float64, "NaN", ""},
		{reflect.Float64, "-Inf", ""},
		{reflect.Float64, "1e999", ""},
		{reflect.Float64, "1,5", ""},
		{reflect.Float64, "", ""},
		{reflect.Bool, "true", "true"},
		{reflect.Bool, "FALSE", "false"},
		{reflect.Bool, "True ", "true"},
		{reflect.Bool, "1", "true"},
		{reflect.Bool, "0", "false"},
		{reflect.Bool, "yes", ""},
		{reflect.Bool, "", ""},
	} {
		got, err := typedLiteral(c.text, c.kind)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q as %v: got %q, %v", c.text, c.kind, got, err)
		}
		if err == nil && !json.Valid([]byte(got)) {
			t.Errorf("%q as %v: %s is not JSON", c.text, c.kind, got)
		}
	}
	_, err := typedLiteral(strings.Repeat("x", 1000), reflect.Int)
	if err == nil || len(err.Error()) > 100 {
		t.Errorf("a long value: got %v", err)
	}
}

// Variables in options that are numbers, or true or false.
func TestOptionsWithTypedVariables(t *testing.T) {
	r := NewRegistry()
	Register[tagged](r, "tagged")
	option := `{"text":"${n}","wait":"${n}","volume":"${f|0.5}","days":["${n}",2],"size":"${n}","inner":"${b}","Plain":"${n}"}`
	n, _ := ParseJSON([]byte(option))
	template, problems := r.Template("tagged", []byte(option), n)
	if problems != nil {
		t.Fatal(problems)
	}
	var v Vars
	set := func(name, value string) {
		t.Helper()
		if err := v.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	set("n", "3")
	set("b", "TRUE")
	a, made, err := template.Make(&v)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"text":"3","wait":3,"volume":0.5,"days":[3,2],"size":3,"inner":true,"Plain":3}`; string(made) != want {
		t.Errorf("got %s", made)
	}
	if got := a.(*tagged); got.Text != "3" || got.Wait != 3 || *got.Size != 3 || !got.Inner || got.Plain != 3 || got.Days[0] != 3 {
		t.Errorf("got %+v", got)
	}
	for value, want := range map[string]string{
		"many": `action: option "wait" must be a whole number, not "many"`,
		"":     `action: option "wait" must be a whole number, not ""`,
		"300":  `action: option "Plain" must be a whole number from 0 in range, not "300"`,
		"-1":   `action: option "Plain" must be a whole number from 0 in range, not "-1"`,
	} {
		set("n", value)
		if _, _, err := template.Make(&v); err == nil || err.Error() != want {
			t.Errorf("n=%q: got %v, want %s", value, err, want)
		}
	}
}
