package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write what flowcheck explain prints into testdata/explain")

// TestExplain runs the archives of testdata/explain: a story, a line of arguments, files, and "want", what is
// printed. A line "status N" in front of the arguments is the exit status.
func TestExplain(t *testing.T) {
	names, err := filepath.Glob("testdata/explain/*.txtar")
	if err != nil || len(names) < 12 {
		t.Fatalf("only %d archives, %v", len(names), err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			path, err := filepath.Abs(name)
			if err != nil {
				t.Fatal(err)
			}
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			t.Chdir(t.TempDir())
			var want []byte
			var args []string
			for _, f := range archive.Files {
				switch f.Name {
				case "want":
					want = f.Data
				case "args":
					args = strings.Fields(string(f.Data))
				default:
					if err := os.MkdirAll(filepath.Dir(f.Name), 0o755); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(f.Name, f.Data, 0o644); err != nil {
						t.Fatal(err)
					}
				}
			}
			code := 0
			if len(args) > 0 && strings.HasPrefix(args[0], "status=") {
				code = int(args[0][len("status=")] - '0')
				args = args[1:]
			}
			var stdout, stderr bytes.Buffer
			if got := run(append([]string{"explain"}, args...), nil, &stdout, &stderr); got != code {
				t.Errorf("status %d, want %d: %s", got, code, &stderr)
			}
			got := append(stdout.Bytes(), stderr.Bytes()...)
			if bytes.Contains(got, []byte("never-to-be-seen")) {
				t.Errorf("a secret is printed:\n%s", got)
			}
			if !*update {
				if !bytes.Equal(got, want) {
					t.Errorf("prints:\n%swant:\n%s", got, want)
				}
				return
			}
			for i := range archive.Files {
				if archive.Files[i].Name == "want" {
					archive.Files[i].Data = got
				}
			}
			if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestExplainRefusesBadQuestions(t *testing.T) {
	for args, want := range map[string]string{
		"-from +12":               `flowcheck: -from "+12": `,
		"-from a@b@c":             `flowcheck: -from "a@b@c": `,
		"-to +1abc":               `flowcheck: -to "+1abc": `,
		"-to=":                    "flowcheck: -to: there is no destination",
		"-at yesterday":           `invalid value "yesterday" for flag -at: must be a time with its zone`,
		"-at 2026-11-27T18:30:00": `invalid value "2026-11-27T18:30:00" for flag -at: must be a time with its zone`,
		"-digits 1,x":             `invalid value "1,x" for flag -digits: there are no digits "x"`,
		"-var x":                  `invalid value "x" for flag -var: must be NAME=VALUE`,
		"-none":                   "flag provided but not defined: -none",
		"100":                     "usage: flowcheck explain",
		"-flows nowhere":          "flowcheck: flow: open folder: ",
		"-config nowhere.json":    "flowcheck: call: read settings: ",
	} {
		var stdout, stderr bytes.Buffer
		if code := run(append([]string{"explain"}, strings.Fields(args)...), nil, &stdout, &stderr); code != 2 {
			t.Errorf("%s: status %d", args, code)
		}
		if !strings.HasPrefix(stderr.String(), want) || stdout.Len() > 0 {
			t.Errorf("%s: %s%s\nwant %s", args, &stdout, &stderr, want)
		}
	}
}
