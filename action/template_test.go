package action

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// variety has options of each kind that variables can stand in.
type variety struct {
	Text  string            `json:"text"`
	Whole int               `json:"whole"`
	Small *int8             `json:"small"`
	Real  float64           `json:"real"`
	Flag  bool              `json:"flag"`
	Other *bool             `json:"other"`
	Days  []int             `json:"days"`
	Words []string          `json:"words"`
	Map   map[string]string `json:"map"`
	Inner struct {
		Text string `json:"text"`
		Not  bool   `json:"not"`
	} `json:"inner"`
	Raw json.RawMessage `json:"raw"`
	Any any             `json:"any"`
}

func (*variety) Run(context.Context, Leg) (Outcome, error) { return Continue(), nil }

// FuzzTemplate: whatever variables hold, what a template makes is valid JSON with the keys it had,
// and the action is what that JSON says; or there is an error that tells which option it is.
func FuzzTemplate(f *testing.F) {
	reg := Builtin(Deps{})
	Register[variety](reg, "variety")
	for _, seed := range [][4]string{
		{"variety", `{"text":"<${v}>","whole":"${v}","small":"${w}","real":"${v}","flag":"${w}","days":[1,"${v}"],"words":["${v}","x"]}`, "3", "true"},
		{"variety", `{"inner":{"text":"\u0024{v}","not":"${w}"},"raw":{"${v}":["${v}"]},"any":"${v|\"}","map":{"${v}":"${w}"}}`, `"\`, " FALSE\n"},
		{"variety", `{"whole":"1${v}","real":"-${v}e${w}","other":null,"small":"${v}"}`, "2", "308"},
		{"variety", `{"real":"${v}"}`, "NaN", "0x1p-2"},
		{"talk", `{"text":"<speak>${v}</speak>","async":"${w}"}`, "Tom & \"Jerry\"", "1"},
		{"call", `{"destinations":[{"type":"tel","target":"${v}"}],"actions":[{"type":"talk","option":{"text":"${v}","async":"${w}"}}]}`, "${w}", "T"},
		{"condition_variable", `{"variable":"v","condition":"<","value_type":"number","value_number":"${w}"}`, "1", "2.50"},
		{"webhook_send", `{"uri":"https://${v}","data":"{\"a\":\"${w}\"}","timeout":"${w}"}`, "\xff", " 9 "},
		{"ai_talk", `{"anything":"${v}"}`, "x", ""},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	f.Fuzz(func(t *testing.T, name, option, value, other string) {
		if !reg.Has(name) || len(option) > 4000 || len(value) > 1000 || len(other) > 1000 {
			return
		}
		var v Vars
		if errors.Join(v.Set("v", value), v.Set("w", other)) != nil {
			t.Fatal("the variables cannot be set")
		}
		if text := v.Substitute(option); !HasVar(option) && text != option || len(text) > MaxSubstitute {
			t.Fatalf("%q became %q", option, text)
		}
		n, problems := ParseJSON([]byte(option))
		if n == nil || len(problems) > 0 {
			return
		}
		tmpl, problems := reg.Template(name, []byte(option), n)
		if len(problems) > 0 {
			return
		}
		_, made, err := tmpl.Make(&v)
		if err != nil {
			if text := err.Error(); !strings.HasPrefix(text, "action: ") || strings.Contains(text, "invalid character") {
				t.Fatalf("%s %q: %v", name, option, err)
			}
			return
		}
		if !json.Valid(made) {
			t.Fatalf("%s %q became %q", name, option, made)
		}
		var keys map[string]json.RawMessage
		if err := errors.Join(json.Unmarshal(made, reg.New(name)), json.Unmarshal(made, &keys)); err != nil {
			t.Fatalf("%s %q became %q: %v", name, option, made, err)
		}
		if len(keys) != len(n.Members) {
			t.Fatalf("%s %q became %q", name, option, made)
		}
	})
}
