package action

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type inner struct {
	Deep []string `json:"deep"`
}

// everything has an option of each kind.
type everything struct {
	inner2
	Text   string            `json:"text,omitempty"`
	Flag   bool              `json:"flag"`
	Small  int8              `json:"small"`
	Count  uint              `json:"count"`
	Ratio  float32           `json:"ratio"`
	List   []inner           `json:"list"`
	Map    map[string]int    `json:"map"`
	Ptr    *inner            `json:"ptr"`
	Raw    json.RawMessage   `json:"raw"`
	Any    any               `json:"any"`
	Time   time.Time         `json:"time"`
	Bytes  []byte            `json:"bytes"`
	Pair   [2]int            `json:"pair"`
	Plain  string            // its name is the key
	Hidden string            `json:"-"`
	Labels map[string]string `json:"labels"`
}

type inner2 struct {
	Embedded string `json:"embedded"`
}

func (e *everything) Run(context.Context, Leg) (Outcome, error) { return Continue(), nil }

func testRegistry() *Registry {
	r := NewRegistry()
	Register[everything](r, "everything")
	r.Add("func", func() Action { return Func(func(context.Context, Leg) (Outcome, error) { return Stop(), nil }) })
	return r
}

func TestDecode(t *testing.T) {
	got, err := testRegistry().Decode("everything", json.RawMessage(`{"embedded":"e","text":"t","flag":true,"small":-128,"count":3,"ratio":0.5,
		"list":[{"deep":["x"]}],"map":{"a":1},"ptr":{"deep":[]},"raw":[1, 2],"any":{"x":null},"time":"2026-01-02T03:04:05Z",
		"bytes":"eHk=","pair":[1,2],"Plain":"p","labels":null}`))
	if err != nil {
		t.Fatal(err)
	}
	want := &everything{
		inner2: inner2{"e"}, Text: "t", Flag: true, Small: -128, Count: 3, Ratio: 0.5, List: []inner{{[]string{"x"}}}, Map: map[string]int{"a": 1},
		Ptr: &inner{Deep: []string{}}, Raw: json.RawMessage("[1,2]"), Any: map[string]any{"x": nil},
		Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Bytes: []byte("xy"), Pair: [2]int{1, 2}, Plain: "p",
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(everything{})); d != "" {
		t.Error(d)
	}
}

func TestDecodeTellsEveryFault(t *testing.T) {
	for option, want := range map[string]string{
		`{"Text":"x"}`:            `2: option "Text" is unknown, did you mean "text"?`,
		`{"txet":"x"}`:            `2: option "txet" is unknown, did you mean "text"?`,
		`{"hidden":"x"}`:          `2: option "hidden" is unknown`,
		`{"text":1}`:              `9: option "text" must be a string, not a number`,
		`{"flag":"true"}`:         `9: option "flag" must be true or false, not a string`,
		`{"small":128}`:           `10: option "small" must be a whole number in range, not 128`,
		`{"small":1e1}`:           `10: option "small" must be a whole number in range, not 1e1`,
		`{"count":-1}`:            `10: option "count" must be a whole number from 0 in range, not -1`,
		`{"count":"1"}`:           `10: option "count" must be a whole number, not a string`,
		`{"ratio":1e99}`:          `10: option "ratio": 1e99 is out of range`,
		`{"list":"${x}"}`:         `9: option "list" must be a list, not a string; a variable is a string, a number, or true or false`,
		`{"list":[{"deep":[1]}]}`: `19: option "list[0].deep[0]" must be a string, not a number`,
		`{"list":[{"depe":[]}]}`:  `11: option "list[0].depe" is unknown, did you mean "deep"?`,
		`{"list":{}}`:             `9: option "list" must be a list, not an object`,
		`{"map":{"a":"1"}}`:       `13: option "map.a" must be a whole number, not a string`,
		`{"map":[]}`:              `8: option "map" must be an object, not a list`,
		`{"time":"yesterday"}`:    `9: option "time": parsing time`,
		`{"bytes":["x"]}`:         `11: option "bytes[0]" must be a whole number, not a string`,
		`{"text":"a","text":"b"}`: `13: key "text" stands twice`,
		`[]`:                      `1: the value must be an object, not a list`,
		`{"text":`:                `9: not valid JSON: unexpected end of JSON input`,
		`{"text":x}`:              `9: not valid JSON: invalid character 'x'`,
	} {
		_, err := testRegistry().Decode("everything", json.RawMessage(" "+option))
		if err == nil || !strings.HasPrefix(err.Error(), "action: byte "+want) {
			t.Errorf("%s:\n got %v\nwant %s", option, err, want)
		}
	}
}

func TestDecodeWithoutOptions(t *testing.T) {
	for _, option := range []string{"", "{}", "null"} {
		if _, err := testRegistry().Decode("func", json.RawMessage(option)); err != nil {
			t.Errorf("%q: %v", option, err)
		}
	}
	if _, err := testRegistry().Decode("func", json.RawMessage(`{"a":1}`)); err == nil || !strings.Contains(err.Error(), "func has no options") {
		t.Errorf("got %v", err)
	}
	if _, err := testRegistry().Decode("fnuc", nil); err == nil || !strings.Contains(err.Error(), `type "fnuc" is unknown, did you mean "func"?`) {
		t.Errorf("got %v", err)
	}
}

func TestSuggest(t *testing.T) {
	known := []string{"length", "key", "duration", "=="}
	for word, want := range map[string]string{
		"lenght":                  `, did you mean "length"?`,
		"LENGTH":                  `, did you mean "length"?`,
		"durtion":                 `, did you mean "duration"?`,
		"=":                       `, did you mean "=="?`,
		"colour":                  ", there are ==, duration, key, length",
		"":                        ", there are ==, duration, key, length",
		strings.Repeat("x", 1000): ", there are ==, duration, key, length",
	} {
		if got := Suggest(word, known, "there are"); got != want {
			t.Errorf("%.20q: got %s, want %s", word, got, want)
		}
	}
	if got := Suggest("x", nil, "there are"); got != ", there are none" {
		t.Errorf("none: got %s", got)
	}
	if known[0] != "length" {
		t.Error("the caller's list was sorted")
	}
}

func FuzzParseJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,"x",{"b":null}],"a":true}`, "\xef\xbb\xbf[]", `"\ud800"`, `[1,]`, `{"a"`, ``, ` 1 2`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n, problems := ParseJSON(data)
		if n == nil && len(problems) == 0 {
			t.Fatal("neither node nor problem")
		}
		for _, p := range problems {
			if p.Offset < 0 || p.Offset > len(data) {
				t.Fatalf("problem out of the text: %+v", p)
			}
		}
		if n != nil {
			walk(t, data, n)
			CheckType(data, n, everything{}, "option")
		}
	})
}

// walk checks that each node's place holds the node's value.
func walk(t *testing.T, data []byte, n *Node) {
	if n.Start < 0 || n.End > len(data) || n.Start >= n.End || !json.Valid(data[n.Start:n.End]) {
		t.Fatalf("node at %d to %d is %q", n.Start, n.End, data)
	}
	if n.Kind == String {
		var s string
		if err := json.Unmarshal(data[n.Start:n.End], &s); err != nil || s != n.Text {
			t.Fatalf("string at %d: %q, %v", n.Start, n.Text, err)
		}
	}
	for _, e := range n.Elems {
		walk(t, data, e)
	}
	for _, m := range n.Members {
		var key string
		end, _ := stringEnd(data, m.Start)
		if end < 0 || json.Unmarshal(data[m.Start:end], &key) != nil || key != m.Key {
			t.Fatalf("key %q at %d of %q", m.Key, m.Start, data)
		}
		walk(t, data, m.Value)
	}
}
