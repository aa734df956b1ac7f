package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// The files that tests work on.
var files = map[string]string{
	"good.json":           `[{"type": "answer"}, {"type": "talk", "option": {"text": "Hello"}}]`,
	"more.json":           `{"name": "more", "actions": [{"type": "call", "option": {"destinations": [{"type": "tel", "target": "+4930123456"}], "actions": [{"type": "talk", "option": {"text": "Hello"}}]}}]}`,
	"dir/a.json":          "[\n {\"type\": \"talk\", \"option\": {\"text\": \"é\", \"languag\": \"de\"}},\n {\"type\": \"anser\"}\n]",
	"dir/b.json":          `[{"type": "play", "option": {"stream_urls": ["file:none.wav", "file:b.json"]}}]`,
	"dir/.hidden.json":    `[`,
	"dir/note.txt":        `[`,
	"dir/deeper/in.json":  `[`,
	"syntax.json":         `[{"type": "answer"`,
	"empty dir/README.md": `no flows`,
}

func inFolder(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, data := range files {
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(data), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
}

const (
	inA = `dir/a.json:2:44: error: action "action-1" (talk): option "languag" is unknown, did you mean "language"?` + "\n" +
		`dir/a.json:3:11: error: action "action-2" (anser): type "anser" is unknown, did you mean "answer"?` + "\n"
	inB = `dir/b.json:1:46: warning: action "action-1" (play): option "stream_urls[0]" cannot be played: openat none.wav: no such file or directory` + "\n"
)

func TestRun(t *testing.T) {
	inFolder(t)
	usage := "usage: flowcheck"
	for _, c := range []struct {
		args   string
		stdin  string
		code   int
		stdout string
		stderr string // how it begins
	}{
		{args: "good.json more.json"},
		{args: "dir/b.json", stdout: inB},
		{args: "dir", code: 1, stdout: inA + inB},
		{args: "good.json dir/a.json", code: 1, stdout: inA},
		{args: "-", stdin: `[{"type":"sleep","option":{"duration":-1}}]`, code: 1,
			stdout: `stdin:1:39: error: action "action-1" (sleep): option "duration" must not be negative, as -1 is` + "\n"},
		{args: "syntax.json", code: 1, stdout: "syntax.json:1:19: error: not valid JSON: unexpected end of JSON input\n"},
		{args: "-without talk good.json", code: 1, stdout: `good.json:1:22: error: action "action-2" (talk): needs talk, which there is not` + "\n"},
		{args: "-without talk more.json", code: 1,
			stdout: `more.json:1:130: error: action "action-1" (call): in "actions": action "action-1" (talk): needs talk, which there is not` + "\n"},
		{args: "-without speech,outbound good.json more.json", code: 1,
			stdout: `good.json:1:22: error: action "action-2" (talk): needs Deps.Speaker, which there is not` + "\n" +
				`more.json:1:30: error: action "action-1" (call): needs a leg with action.Dialer (an engine with Config.Outbound), which there is not` + "\n" +
				`more.json:1:130: error: action "action-1" (call): in "actions": action "action-1" (talk): needs Deps.Speaker, which there is not` + "\n"},
		{args: "-without mute,transcribe, good.json"},
		{args: "-without tolk good.json", code: 2, stderr: `flowcheck: -without: "tolk" is no type of action, and none of assistant http mail messages outbound recording speech transcribe, did you mean "talk"?`},
		{args: "-without x-y-z good.json", code: 2, stderr: `flowcheck: -without: "x-y-z" is no type of action, and none of assistant http mail messages outbound recording speech transcribe` + "\n"},
		{args: "none.json dir/a.json", code: 2, stdout: inA, stderr: "flowcheck: stat none.json: no such file or directory\n"},
		{args: "empty?dir", code: 2, stderr: "flowcheck: empty dir: there is no *.json in it\n"},
		{args: "", code: 2, stderr: usage},
		{args: "-schema good.json", code: 2, stderr: usage},
		{args: "-none", code: 2, stderr: "flag provided but not defined: -none\n" + usage},
		{args: "-h", code: 0, stderr: usage},
		{args: "-lenient good.json"},
	} {
		t.Run(c.args, func(t *testing.T) {
			args := strings.Fields(c.args)
			for i := range args {
				args[i] = strings.ReplaceAll(args[i], "?", " ")
			}
			var stdout, stderr bytes.Buffer
			if code := run(args, strings.NewReader(c.stdin), &stdout, &stderr); code != c.code {
				t.Errorf("status %d, want %d", code, c.code)
			}
			if stdout.String() != c.stdout {
				t.Errorf("stdout:\n%swant:\n%s", &stdout, c.stdout)
			}
			if !strings.HasPrefix(stderr.String(), c.stderr) || c.stderr == "" && stderr.Len() > 0 {
				t.Errorf("stderr:\n%swant:\n%s", &stderr, c.stderr)
			}
		})
	}
}

func TestRunTellsOfBrokenStreams(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run([]string{"-"}, iotest.ErrReader(errors.New("it broke")), &stdout, &stderr); code != 2 || !strings.Contains(stderr.String(), "it broke") {
		t.Errorf("reading: status %d, %s", code, &stderr)
	}
	r, w := io.Pipe()
	r.CloseWithError(errors.New("nobody reads"))
	stderr.Reset()
	if code := run([]string{"-schema"}, nil, w, &stderr); code != 2 || !strings.Contains(stderr.String(), "nobody reads") {
		t.Errorf("writing: status %d, %s", code, &stderr)
	}
}

// sarifSchema is what the SARIF 2.1.0 specification (OASIS, 3.13 to 3.52) asks of the objects
// that we write.
const sarifSchema = `{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "additionalProperties": false,
"required": ["version", "runs"],
"properties": {"$schema": {"format": "uri"}, "version": {"const": "2.1.0"}, "runs": {"type": "array", "minItems": 1, "items": {
  "type": "object", "additionalProperties": false, "required": ["tool"], "properties": {
    "tool": {"type": "object", "additionalProperties": false, "required": ["driver"], "properties": {"driver": {
      "type": "object", "additionalProperties": false, "required": ["name"], "properties": {
        "name": {"type": "string"}, "informationUri": {"type": "string", "format": "uri"},
        "rules": {"type": "array", "uniqueItems": true, "items": {"type": "object", "additionalProperties": false, "required": ["id"], "properties": {
          "id": {"type": "string"}, "shortDescription": {"$ref": "#/$defs/text"}, "help": {"$ref": "#/$defs/text"}}}}}}}},
    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    "results": {"type": "array", "items": {"type": "object", "additionalProperties": false, "required": ["message"], "properties": {
      "ruleId": {"type": "string"}, "ruleIndex": {"type": "integer", "minimum": -1},
      "level": {"enum": ["none", "note", "warning", "error"]}, "message": {"$ref": "#/$defs/text"},
      "locations": {"type": "array", "items": {"type": "object", "additionalProperties": false, "properties": {
        "physicalLocation": {"type": "object", "additionalProperties": false, "required": ["artifactLocation"], "properties": {
          "artifactLocation": {"type": "object", "additionalProperties": false, "properties": {"uri": {"type": "string", "format": "uri-reference"}}},
          "region": {"type": "object", "additionalProperties": false, "properties": {
            "startLine": {"type": "integer", "minimum": 1}, "startColumn": {"type": "integer", "minimum": 1}}}}},
        "logicalLocations": {"type": "array", "uniqueItems": true, "items": {"type": "object", "additionalProperties": false, "properties": {
          "fullyQualifiedName": {"type": "string"}}}}}}}}}}}}}},
"$defs": {"text": {"type": "object", "additionalProperties": false, "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}}}`

func TestSARIF(t *testing.T) {
	inFolder(t)
	if err := os.Rename("dir/a.json", "dir/a b#.json"); err != nil {
		t.Fatal(err)
	}
	abs, err := filepath.Abs("syntax.json")
	if err != nil {
		t.Fatal(err)
	}
	schema := compile(t, sarifSchema)
	for _, c := range []struct {
		args    []string
		code    int
		results int
	}{
		{[]string{"good.json"}, 0, 0},
		{[]string{"dir"}, 1, 3},
		{[]string{abs}, 1, 1},
		{[]string{"-"}, 1, 1},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(append([]string{"-sarif"}, c.args...), strings.NewReader(`{}`), &stdout, &stderr); code != c.code {
			t.Errorf("%s: status %d, %s", c.args, code, &stderr)
		}
		if err := validate(schema, stdout.Bytes()); err != nil {
			t.Errorf("%s: %v\n%s", c.args, err, &stdout)
			continue
		}
		var log sarifLog
		if err := json.Unmarshal(stdout.Bytes(), &log); err != nil {
			t.Fatal(err)
		}
		r := log.Runs[0]
		if len(r.Results) != c.results {
			t.Errorf("%s: %d results", c.args, len(r.Results))
		}
		for _, result := range r.Results {
			rules := r.Tool.Driver.Rules
			if result.RuleIndex >= len(rules) || rules[result.RuleIndex].ID != result.RuleID || len(result.Locations) != 1 {
				t.Errorf("%s: %+v with %+v", c.args, result, rules)
			}
		}
		if c.results == 3 {
			first := r.Results[0]
			at := first.Locations[0].Physical
			if at.Artifact.URI != "dir/a%20b%23.json" || at.Region.StartLine != 2 || at.Region.StartColumn != 43 { // é is one character
				t.Errorf("the first is at %+v %+v", at.Artifact, at.Region)
			}
			if want := `action "action-1" (talk): option "languag" is unknown, did you mean "language"?`; first.Message.Text != want || first.Level != "error" {
				t.Errorf("the first is %s %q", first.Level, first.Message.Text)
			}
			if r.Results[2].Level != "warning" {
				t.Errorf("the last is %+v", r.Results[2])
			}
		}
		if c.args[0] == abs && r.Results[0].Locations[0].Physical.Artifact.URI != "file://"+filepath.ToSlash(abs) {
			t.Errorf("%s is at %+v", abs, r.Results[0].Locations[0].Physical.Artifact)
		}
	}
}

func compile(t testing.TB, text string) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func validate(schema *jsonschema.Schema, data []byte) error {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return err
	}
	return schema.Validate(doc)
}
