package main

import (
	"strings"
	"testing"
)

// TestForeign: what cannot be expressed is told with its place, and -convert prints a flow that flowcheck takes.
func TestForeign(t *testing.T) {
	var out, errs strings.Builder
	if code := run([]string{"testdata/ivr.xml"}, nil, &out, &errs); code != 1 || !strings.HasPrefix(out.String(), "testdata/ivr.xml:3:47: error: ringTone of <Dial>") {
		t.Errorf("status %d: %s%s", code, out.String(), errs.String())
	}
	out.Reset()
	if code := run([]string{"-convert", "testdata/ivr.xml"}, nil, &out, &errs); code != 0 || !strings.Contains(errs.String(), "ringTone") {
		t.Errorf("-convert: status %d: %s", code, errs.String())
	}
	converted := out.String()
	out.Reset()
	if code := run([]string{"-"}, strings.NewReader(converted), &out, &errs); code != 0 {
		t.Errorf("the converted flow: %s", out.String())
	}
	out.Reset()
	ncco := `[{"action": "talk", "text": "Hello", "style": 1}]`
	if code := run([]string{"-format", "ncco", "-"}, strings.NewReader(ncco), &out, &errs); code != 1 || out.String() != "stdin:1:38: error: style of talk cannot be expressed\n" {
		t.Errorf("ncco: status %d: %s", code, out.String())
	}
	for _, args := range [][]string{{"-format", "swml", "-"}, {"-convert", "-"}} {
		if code := run(args, strings.NewReader("[]"), &out, &errs); code != 2 {
			t.Errorf("%v: status %d", args, code)
		}
	}
}
