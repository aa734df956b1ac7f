package flow_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow"
)

// odd is an action with an option of each kind.
type odd struct {
	Text   string            `json:"text" opt:"required" doc:"to say"`
	Mode   string            `json:"mode" opt:"enum=a|b,default=a"`
	Must   string            `json:"must" opt:"required,enum=x|y"`
	Wait   *int              `json:"wait" opt:"ms,min=1,max=9"`
	Small  uint8             `json:"small"`
	Ratio  float64           `json:"ratio" opt:"s,max=1.5,old"`
	Flag   bool              `json:"flag" opt:"default=false"`
	Words  []string          `json:"words" opt:"required,enum=p|q"`
	Days   []int             `json:"days" opt:"min=0,max=6"`
	To     map[string]string `json:"to" opt:"id,required"`
	Next   string            `json:"next" opt:"id"`
	Name   string            `json:"name" opt:"name,required"`
	Tree   oddTree           `json:"tree" doc:"of trees"`
	Any    any               `json:"any"`
	Inner  json.RawMessage   `json:"inner" doc:"a flow"`
	Raw    json.RawMessage   `json:"raw"`
	Bytes  []byte            `json:"bytes"`
	Hidden chan int          `json:"-"`
	Times  int               `json:"times"`
}

type oddTree struct {
	Kids []oddTree `json:"kids"`
	Leaf *oddTree  `json:"leaf" doc:"one more"`
}

func (o *odd) Run(context.Context, action.Leg) (action.Outcome, error) {
	return action.Continue(), nil
}
func (o *odd) NestedOptions() []string {
	if len(o.Inner) > 0 {
		return []string{"inner"}
	}
	return nil
}

// quiet is an action without options.
type quiet func()

func (quiet) Run(context.Context, action.Leg) (action.Outcome, error) {
	return action.Continue(), nil
}

func oddRegistry() *action.Registry {
	reg := action.NewRegistry()
	reg.Add("odd", func() action.Action { return &odd{Name: "n", Times: 3} })
	reg.Add("quiet", func() action.Action { return quiet(nil) })
	reg.Alias("hush", "quiet")
	return reg
}

// readSchema returns the schema of reg, whose references all lead somewhere.
func readSchema(t *testing.T, reg *action.Registry) map[string]any {
	t.Helper()
	text, err := flow.Schema(reg)
	if err != nil {
		t.Fatal(err)
	}
	var root map[string]any
	if err := json.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	defs := root["$defs"].(map[string]any)
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok && defs[strings.TrimPrefix(ref, "#/$defs/")] == nil {
				t.Errorf("%s leads nowhere", ref)
			}
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(root)
	return defs
}

func TestSchemaOfEachKindOfOption(t *testing.T) {
	defs := readSchema(t, oddRegistry())
	for name, want := range map[string]string{
		"option_odd": `{"description":"options of odd","type":"object","additionalProperties":false,
"required":["text","must","words","to"],"properties":{
"text":{"description":"to say","type":"string","minLength":1},
"mode":{"description":"default a","type":["string","null"],"default":"a","anyOf":[{"enum":["a","b"]},{"pattern":"^$|\\$\\{"}]},
"must":{"type":"string","anyOf":[{"enum":["x","y"]},{"pattern":"\\$\\{"}]},
"wait":{"description":"milliseconds","type":["integer","string","null"],"pattern":"\\$\\{","minimum":1,"maximum":9},
"small":{"type":["integer","string","null"],"pattern":"\\$\\{","minimum":0,"maximum":255},
"ratio":{"description":"seconds; old, it means nothing","deprecated":true,"type":["number","string","null"],"pattern":"\\$\\{","maximum":1.5},
"flag":{"description":"default false","type":["boolean","string","null"],"pattern":"\\$\\{","default":false},
"words":{"type":"array","minItems":1,"items":{"type":"string","anyOf":[{"enum":["p","q"]},{"pattern":"\\$\\{"}]}},
"days":{"type":["array","null"],"items":{"type":["integer","string"],"pattern":"\\$\\{","minimum":0,"maximum":6}},
"to":{"description":"id of an action","type":"object","minProperties":1,"additionalProperties":{"type":"string","minLength":1}},
"next":{"description":"id of an action","type":["string","null"]},
"name":{"description":"name of a variable, without ${}; default n","type":["string","null"],"default":"n"},
"tree":{"description":"of trees","if":{"type":"null"},"else":{"$ref":"#/$defs/object_oddtree"}},
"any":{},
"inner":{"description":"a flow","if":{"type":"null"},"else":{"$ref":"#/$defs/flow"}},
"raw":{},
"bytes":{"type":["string","array","null"]},
"times":{"description":"default 3","type":["integer","string","null"],"pattern":"\\$\\{","default":3}}}`,
		"object_oddtree": `{"type":"object","additionalProperties":false,"properties":{
"kids":{"type":["array","null"],"items":{"$ref":"#/$defs/object_oddtree"}},
"leaf":{"description":"one more","if":{"type":"null"},"else":{"$ref":"#/$defs/object_oddtree"}}}}`,
		"option_quiet": `{"description":"options of quiet","type":["object","null"],"additionalProperties":false}`,
	} {
		var w any
		if err := json.Unmarshal([]byte(want), &w); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(w, defs[name]); d != "" {
			t.Errorf("%s: (-want +got)\n%s", name, d)
		}
	}
	rules := defs["action"].(map[string]any)["allOf"].([]any)
	var want any
	if err := json.Unmarshal([]byte(`[
{"if":{"required":["type"],"properties":{"type":{"const":"hush"}}},"then":{"properties":{
  "type":{"deprecated":true,"description":"older name of quiet"},"option":{"$ref":"#/$defs/option_hush"}}}},
{"if":{"required":["type"],"properties":{"type":{"const":"odd"}}},"then":{"required":["option"],"properties":{"option":{"$ref":"#/$defs/option_odd"}}}},
{"if":{"required":["type"],"properties":{"type":{"const":"quiet"}}},"then":{"properties":{"option":{"$ref":"#/$defs/option_quiet"}}}}]`), &want); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, any(rules)); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestSchemaIsTheSameEachTime(t *testing.T) {
	first, err := flow.Schema(nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		again, err := flow.Schema(action.Builtin(action.Deps{}))
		if err != nil || !bytes.Equal(first, again) {
			t.Fatalf("another one, %v", err)
		}
	}
}

// endless are types that hold themselves without a struct between.
type (
	endless struct {
		List endlessList `json:"list"`
		Map  endlessMap  `json:"map"`
	}
	endlessList []endlessList
	endlessMap  map[string]endlessMap
)

func (*endless) Run(context.Context, action.Leg) (action.Outcome, error) {
	return action.Continue(), nil
}

func FuzzSchemaOfOddNames(f *testing.F) {
	f.Add("a", "b")
	f.Add("a/b", "a~b")
	f.Add("ä%20#\"", "$ref\n")
	f.Fuzz(func(t *testing.T, one, two string) {
		if one == "" || two == "" || one == two {
			return
		}
		reg := action.NewRegistry()
		action.Register[endless](reg, one)
		action.Register[odd](reg, two)
		defs := readSchema(t, reg)
		if rules := defs["action"].(map[string]any)["allOf"].([]any); len(rules) != 2 || len(defs) != 7 {
			t.Errorf("%d rules, %d parts", len(rules), len(defs))
		}
	})
}
