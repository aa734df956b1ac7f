package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/flow/foreign"
)

// languages are the values of -format.
var languages = map[string]func([]byte, foreign.Options) ([]byte, []flow.Finding){
	"twiml": func(d []byte, o foreign.Options) ([]byte, []flow.Finding) { return foreign.ReadTwiML(d, o) },
	"ncco":  func(d []byte, o foreign.Options) ([]byte, []flow.Finding) { return foreign.ReadNCCO(d, o) },
}

// language is that of a file: the one of -format, or TwiML where its name ends so; "": it is a flow.
func language(format, name string) string {
	if ext := filepath.Ext(name); format == "" && (ext == ".xml" || ext == ".twiml") {
		return "twiml"
	}
	return format
}

// foreignFindings are what of a document cannot be expressed, and what is wrong with the flow that it becomes.
func (c *checker) foreignFindings(t text, format, base string) (actions []byte, findings []flow.Finding) {
	actions, findings = languages[format](t.data, foreign.Options{File: t.name, URL: base})
	if actions == nil {
		return nil, findings
	}
	for _, f := range c.check(text{name: t.name, data: actions}) {
		if f.Severity == flow.SeverityError { // its place is that in the flow
			f.Line, f.Column, f.Offset, f.Pointer = 1, 1, 0, ""
			f.Message = "converted: " + f.Message
			findings = append(findings, f)
		}
	}
	return actions, findings
}

// convert prints the flows that documents become; what cannot be expressed goes to stderr, a finding a line.
func (c *checker) convert(texts []text, format, base string, stdout, stderr io.Writer) (status int) {
	for _, t := range texts {
		l := language(format, t.name)
		if l == "" {
			fmt.Fprintf(stderr, "flowcheck: %s: -convert needs -format twiml or ncco\n", t.name)
			return 2
		}
		actions, findings := c.foreignFindings(t, l, base)
		for _, f := range findings {
			fmt.Fprintln(stderr, f)
		}
		if actions == nil {
			status = 1
			continue
		}
		fmt.Fprint(stdout, strings.TrimLeft(string(actions), "\n"))
	}
	return status
}
