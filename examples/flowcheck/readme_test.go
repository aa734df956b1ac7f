package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestFlowOfTheREADME checks the flow that the README shows.
func TestFlowOfTheREADME(t *testing.T) {
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	i := bytes.Index(b, []byte(`[{"id": "menu"`))
	if i < 0 {
		t.Fatal("the README shows no flow")
	}
	text, _, _ := bytes.Cut(b[i:], []byte("```"))
	var out, errs bytes.Buffer
	if status := run([]string{"-"}, bytes.NewReader(text), &out, &errs); status != 0 || strings.TrimSpace(out.String()) != "" {
		t.Errorf("status %d: %s%s", status, &out, &errs)
	}
}
