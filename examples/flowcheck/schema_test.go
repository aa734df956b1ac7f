package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow"
)

// flowSchema is what flowcheck -schema prints, compiled, and so checked against the metaschema.
func flowSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := run([]string{"-schema"}, nil, &stdout, &stderr); code != 0 {
		t.Fatalf("status %d, %s", code, &stderr)
	}
	return compile(t, stdout.String())
}

// flowsOf returns all flows of the repository that match a pattern; of a txtar archive its flow.json.
func flowsOf(t testing.TB, pattern string) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	flows := make(map[string][]byte)
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Ext(name) == ".txtar" {
			_, after, ok := strings.Cut(string(data), "-- flow.json --\n")
			if !ok {
				t.Fatalf("%s: there is no flow.json in it", name)
			}
			inside, _, _ := strings.Cut(after, "\n-- ")
			data = []byte(inside)
		}
		flows[name] = data
	}
	return flows
}

const (
	served   = "../server/flows/*.json"
	scripted = "../../flow/testdata/script/*.txtar"
	refused  = "../../flow/testdata/bad/*.txtar"
	valid    = "../../flow/testdata/valid/*"
)

func TestSchemaTakesEveryGoodFlow(t *testing.T) {
	schema := flowSchema(t)
	for pattern, least := range map[string]int{served: 5, scripted: 80, valid: 0} {
		flows := flowsOf(t, pattern)
		if len(flows) < least {
			t.Errorf("%s: only %d flows", pattern, len(flows))
		}
		for name, data := range flows {
			if _, err := flow.Parse(data, flow.ParseOptions{}); err != nil {
				t.Logf("%s is no good flow by itself: %v", name, err)
				continue
			}
			if err := validate(schema, data); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestSchemaRefuses(t *testing.T) {
	schema := flowSchema(t)
	for text, want := range map[string]string{
		`"answer"`:                          `want array or object`,
		`null`:                              `want array or object`,
		`{}`:                                `missing property 'actions'`,
		`{"actions": null}`:                 `want array`,
		`{"actions": {}}`:                   `want array`,
		`{"actions": [], "x":1}`:            `additional properties 'x' not allowed`,
		`{"actions": [], "name": 1}`:        `at '/name': got number, want null or string`,
		`["answer"]`:                        `at '/0': got string, want object`,
		`[{}]`:                              `missing property 'type'`,
		`[{"type": null}]`:                  `at '/0/type': got null, want string`,
		`[{"type": "anser"}]`:               `at '/0/type': value must be one of`,
		`[{"type": "answer", "id": 1}]`:     `at '/0/id'`,
		`[{"type": "answer", "next": "x"}]`: `additional properties 'next' not allowed`,
		`[{"type": "answer", "option": {"x": 1}}]`:                                         `at '/0/option': additional properties 'x' not allowed`,
		`[{"type": "answer", "option": []}]`:                                               `at '/0/option': got array, want null or object`,
		`[{"type": "talk"}]`:                                                               `missing property 'option'`,
		`[{"type": "talk", "option": null}]`:                                               `at '/0/option': got null, want object`,
		`[{"type": "talk", "option": {}}]`:                                                 `at '/0/option': missing property 'text'`,
		`[{"type": "talk", "option": {"text": ""}}]`:                                       `at '/0/option/text': minLength: got 0, want 1`,
		`[{"type": "talk", "option": {"text": null}}]`:                                     `at '/0/option/text': got null, want string`,
		`[{"type": "talk", "option": {"text": "x", "gender": "femal"}}]`:                   `at '/0/option/gender'`,
		`[{"type": "talk", "option": {"text": "x", "async": "yes"}}]`:                      `at '/0/option/async': 'yes' does not match pattern`,
		`[{"type": "sleep", "option": {"duration": -1}}]`:                                  `at '/0/option/duration': minimum: got -1, want 0`,
		`[{"type": "sleep", "option": {"duration": 1.5}}]`:                                 `at '/0/option/duration'`,
		`[{"type": "sleep", "option": {"duration": "5000"}}]`:                              `at '/0/option/duration': '5000' does not match pattern`,
		`[{"type": "play", "option": {"stream_urls": []}}]`:                                `at '/0/option/stream_urls': minItems: got 0, want 1`,
		`[{"type": "play", "option": {"stream_urls": [1]}}]`:                               `at '/0/option/stream_urls/0'`,
		`[{"type": "branch", "option": {"target_ids": {"1": 2}}}]`:                         `at '/0/option/target_ids/1'`,
		`[{"type": "branch", "option": {"target_ids": {"1": ""}}}]`:                        `at '/0/option/target_ids/1'`,
		`[{"type": "digits_receive", "option": {"retries": 21}}]`:                          `at '/0/option/retries': maximum`,
		`[{"type": "digits_receive", "option": {"prompt": {"txt": ""}}}]`:                  `at '/0/option/prompt': additional properties 'txt' not allowed`,
		`[{"type": "connect", "option": {"destinations": [{"typ": ""}]}}]`:                 `at '/0/option/destinations/0': additional properties 'typ' not allowed`,
		`[{"type": "call", "option": {"destinations": [{}], "actions": [{"type": "x"}]}}]`: `at '/0/option/actions/0/type': value must be one of`,
		`[{"type": "call", "option": {"destinations": [{}], "actions": {"actions": [{"type": "sleep", "option": {"duration": true}}]}}}]`: `at '/0/option/actions/actions/0/option/duration'`,
	} {
		err := validate(schema, []byte(text))
		if err == nil {
			t.Errorf("%s is accepted", text)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\nwant %s", text, err, want)
		}
		if _, err := flow.Parse([]byte(text), flow.ParseOptions{}); err == nil {
			t.Errorf("Parse accepts %s", text)
		}
	}
}

func TestSchemaTakes(t *testing.T) {
	schema := flowSchema(t)
	for _, text := range []string{
		`[]`,
		`{"id": null, "type": "flow", "persist": false, "tm_create": "2026-01-01", "actions": []}`,
		`[{"id": null, "next_id": null, "type": "answer", "option": null, "on_error": "x", "on_timeout": "", "tm_execute": ""}]`,
		`[{"type": "sleep", "option": {"duration": "${ms}"}}, {"type": "sleep", "option": {"duration": null}}]`,
		`[{"type": "talk", "option": {"text": "x", "gender": "${g}", "async": "${a}", "digits_handle": ""}}]`,
		`[{"type": "call", "option": {"flow_id": "x", "destinations": [{"type": "tel"}], "source": null, "actions": null}}]`,
	} {
		if err := validate(schema, []byte(text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// structural are findings of Parse that the schema has to make, too. What is not in the list needs
// more than a look at each value by itself; flow.Schema says what that is.
var structural = regexp.MustCompile(`(option|key|type) "[^"]*" is unknown|` +
	`must be (a string|true or false|a whole number|a number|a list|an object), not|` +
	`must be one of|has no options|a flow is a list of actions|key "[a-z]+" is required`)

// passed tells of texts on which the two differ, and may.
func passed(data []byte, findings []flow.Finding) bool {
	for _, f := range findings {
		// Of keys that stand twice the schema sees the last; what is too large or too deep for
		// Parse is nothing to it.
		for _, s := range []string{"stands twice", "not valid JSON", "nested more than", "deep", "more than", "at most"} {
			if strings.Contains(f.Message, s) {
				return true
			}
		}
	}
	// Package jsonschema knows no byte order mark, and computes 1e-999999999 exactly.
	return bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) || regexp.MustCompile(`[eE][+-]?\d{4}`).Match(data)
}

// replacements are put in the place of values.
var replacements = []string{`1`, `null`, `"x"`, `"${x}"`, `{}`, `[]`, `true`, `-1`, `1.5`, `""`, `[null]`, `{"actions":[]}`, `{"x":"y"}`, `0`}

// replace puts with in the place of a value of data.
func replace(data []byte, old *action.Node, with string) []byte {
	return slices.Concat(data[:old.Start], []byte(with), data[old.End:])
}

// agree compares schema and Parse: what the schema refuses Parse has to refuse, and what Parse finds of
// a value's form the schema has to see.
func agree(t *testing.T, schema *jsonschema.Schema, reg *action.Registry, data []byte) {
	t.Helper()
	var findings []flow.Finding
	_, err := flow.Parse(data, flow.ParseOptions{Registry: reg})
	if bad, ok := errors.AsType[*flow.Error](err); ok {
		findings = bad.Findings
	}
	if passed(data, findings) {
		return
	}
	refusal := validate(schema, data)
	if refusal != nil && err == nil {
		t.Errorf("%s\nParse accepts it, the schema does not: %v", data, refusal)
	}
	if refusal == nil && err != nil {
		for _, f := range findings {
			if f.Severity == flow.SeverityError && structural.MatchString(f.Message) {
				t.Errorf("%s\nthe schema accepts it, Parse does not: %v", data, f)
			}
		}
	}
}

// TestSchemaAgreesWithParse changes one value of the short flows of the server and the scripts, each in turn.
func TestSchemaAgreesWithParse(t *testing.T) {
	schema, reg := flowSchema(t), action.Builtin(action.Deps{})
	seen := make(map[string]bool)
	for _, pattern := range []string{served, scripted} {
		for _, data := range flowsOf(t, pattern) {
			root, _ := action.ParseJSON(data)
			if root == nil || len(data) > 1000 {
				continue
			}
			for _, old := range all(root, nil) {
				for _, with := range replacements {
					// What stands around the value is what matters: the same again says nothing new.
					around := string(data[max(0, old.Start-25):old.Start]) + with
					if !seen[around] {
						seen[around] = true
						agree(t, schema, reg, replace(data, old, with))
					}
				}
			}
		}
	}
	t.Logf("%d flows compared", len(seen))
}

// FuzzSchema is TestSchemaAgreesWithParse with any flow and any value.
func FuzzSchema(f *testing.F) {
	schema, reg := flowSchema(f), action.Builtin(action.Deps{})
	n := 0
	for _, pattern := range []string{served, scripted, refused} {
		for _, data := range flowsOf(f, pattern) {
			f.Add(data, uint16(n), replacements[n%len(replacements)])
			n++
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, at uint16, with string) {
		if len(data) > 20_000 || len(with) > 2000 {
			return
		}
		if v, _ := action.ParseJSON([]byte(with)); v != nil {
			if root, _ := action.ParseJSON(data); root != nil {
				nodes := all(root, nil)
				data = replace(data, nodes[int(at)%len(nodes)], with)
			}
		}
		agree(t, schema, reg, data)
	})
}

// all returns n and what is in it.
func all(n *action.Node, list []*action.Node) []*action.Node {
	list = append(list, n)
	for _, e := range n.Elems {
		list = all(e, list)
	}
	for _, m := range n.Members {
		list = all(m.Value, list)
	}
	return list
}
