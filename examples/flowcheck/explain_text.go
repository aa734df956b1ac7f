package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/sip/verify"
)

// maxValue is how many characters of an option are shown.
const maxValue = 120

// String is the answer as it is read.
func (a *answer) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "call\n  from  %s\n  to    %s\n  at    %s\n", end(a.Incoming.Source), end(a.Incoming.Destination),
		a.at.Format("Monday 2006-01-02 15:04:05 -07:00"))
	b.WriteString("\nverification\n")
	for _, c := range a.Verdict.Checks {
		fmt.Fprintf(&b, "  %-14s %s", c.Name, c.Result)
		if c.Evidence != "" {
			fmt.Fprintf(&b, ": %s", safe(c.Evidence))
		}
		if c.Result == verify.CheckFail && c.Code != a.Verdict.Code {
			fmt.Fprintf(&b, " (%s: the call goes on)", c.Code)
		}
		b.WriteByte('\n')
	}
	switch a.Verdict.Result {
	case call.VerdictReject:
		fmt.Fprintf(&b, "  refused with %d (%s), no flow runs\n", a.Verdict.Status, a.Verdict.Code)
		return b.String()
	case call.VerdictChallenge:
		fmt.Fprintf(&b, "  asked for the password of an extension with %d (%s), no flow runs before it is given\n", a.Verdict.Status, a.Verdict.Code)
		return b.String()
	}
	b.WriteString("\nflow\n")
	a.chosen(&b)
	if a.flow != nil {
		b.WriteString("\nactions\n")
		p := printer{Builder: &b, prefix: a.flows, width: width(&a.way, a.flows)}
		p.way(&a.way, "")
	}
	return b.String()
}

// chosen tells which flow it is, and why.
func (a *answer) chosen(b *strings.Builder) {
	dialled := a.Incoming.Request.User
	if a.Incoming.Destination.Type == address.TypeTel {
		dialled = a.Incoming.Destination.Target
	}
	where := "built into examples/server"
	if a.flows != "" {
		where = "of " + a.flows
	}
	shown := make(map[string]bool)
	switch {
	case a.flow == nil:
		why := "there is neither %s.json nor default.json among the flows %s"
		if a.refused(dialled + ".json") {
			why = "%s.json cannot run on this server; it is one of the flows %s"
		} else if a.refused("default.json") {
			why = "there is no %s.json, and default.json cannot run on this server, of the flows %s"
		}
		fmt.Fprintf(b, "  none: "+why+"\n", dialled, where)
		fmt.Fprintf(b, "  refused with %d (%s): %s\n", a.Refusal.Status, a.Refusal.Code, a.Refusal.Sentence)
		shown[dialled+".json"], shown["default.json"] = true, true
	case a.file == "default":
		fmt.Fprintf(b, "  default.json, %s, as there is no %s.json among the flows %s\n", name(a.flow), dialled, where)
	default:
		fmt.Fprintf(b, "  %s.json, %s: the file of this destination among the flows %s\n", a.file, name(a.flow), where)
	}
	if a.file != "" {
		shown[a.file+".json"] = true
		each(&a.way, func(e *flow.Explained) { shown[e.File] = true })
	}
	for _, f := range a.findings {
		if shown[f.File] {
			fmt.Fprintf(b, "  %s\n", f)
		}
	}
	if a.flow != nil && a.flow.OnCompleteFlowID() != "" {
		fmt.Fprintf(b, "  after the call the flow %q runs\n", a.flow.OnCompleteFlowID())
	}
}

// refused tells whether a server does without the flow of a file.
func (a *answer) refused(file string) bool {
	return slices.ContainsFunc(a.findings, func(f flow.Finding) bool { return f.File == file && f.Severity == flow.SeverityError })
}

func name(f *flow.Flow) string {
	if f.ID() != "" {
		return fmt.Sprintf("%q (id %s)", f.Name(), f.ID())
	}
	return fmt.Sprintf("%q", f.Name())
}

// end is one end of a call.
func end(a address.Address) string {
	if a.Target == "" {
		return "nobody: no number is shown"
	}
	text := fmt.Sprintf("%s (%s", a.Target, a.Type)
	if n, err := address.ParseNumber(a.Target, ""); err == nil && a.Type == address.TypeTel && n.Region() != "" {
		text += ", " + n.Region()
	}
	return text + ")"
}

func each(w *flow.Course, f func(*flow.Explained)) {
	for i := range w.Steps {
		f(&w.Steps[i])
	}
	for i := range w.Ways {
		each(&w.Ways[i], f)
	}
}

// placeOf is where an action stands.
func placeOf(prefix string, e *flow.Explained) string {
	return fmt.Sprintf("%s:%d", filepath.Join(prefix, e.File), e.Line)
}

func width(w *flow.Course, prefix string) int {
	n := 0
	each(w, func(e *flow.Explained) { n = max(n, utf8.RuneCountInString(placeOf(prefix, e))) })
	return n
}

// printer writes ways.
type printer struct {
	*strings.Builder
	prefix string // of file names
	width  int    // of places
}

func (p *printer) way(w *flow.Course, indent string) {
	last := 0
	for i := range w.Steps {
		e := &w.Steps[i]
		last = e.N
		p.step(e, indent)
		for j := range w.Ways {
			if v := &w.Ways[j]; v.At == e.N && len(v.Steps) == 0 && (i < len(w.Steps)-1 || ends(w)) {
				p.line(indent, "if %s: %s", v.When, rest(v))
			}
		}
	}
	if ends(w) {
		p.line(indent, "%s", rest(w))
	}
	for i := range w.Ways {
		switch v := &w.Ways[i]; {
		case v.At == last && !ends(w):
			p.part(v, indent, "if "+v.When)
		case len(v.Steps) > 0:
			p.part(v, indent, fmt.Sprintf("at %d, if %s", v.At, v.When))
		}
	}
}

// part writes one of several ways.
func (p *printer) part(w *flow.Course, indent, heading string) {
	if len(w.Steps) == 0 && len(w.Ways) == 0 {
		p.line(indent, "%s: %s", heading, rest(w))
		return
	}
	p.line(indent, "%s:", heading)
	p.way(w, indent+"    ")
}

// ends tells whether the way has an end of its own: else it is one of several that goes on.
func ends(w *flow.Course) bool { return w.Joins > 0 || w.End != "" }

// rest is how a way goes on, or ends.
func rest(w *flow.Course) string {
	if w.Joins > 0 {
		return fmt.Sprintf("continues as at %d", w.Joins)
	}
	return w.End
}

func (p *printer) line(indent, format string, args ...any) {
	fmt.Fprintf(p, "%s     %s\n", indent, safe(fmt.Sprintf(format, args...)))
}

func (p *printer) step(e *flow.Explained, indent string) {
	line := fmt.Sprintf("%s%3d  %-*s  %s", indent, e.N, p.width, placeOf(p.prefix, e), e.Type)
	if !strings.HasPrefix(e.ID, "action-") {
		line += fmt.Sprintf(" %q", e.ID)
	}
	for _, o := range e.Options {
		line += " " + option(o)
	}
	fmt.Fprintln(p, safe(line))
	for _, s := range comes(e) {
		p.line(indent, "- %s", s)
	}
}

// option is one option with its value.
func option(o flow.ExplainedOption) string {
	value := short(string(o.Value))
	var text string
	switch {
	case o.IsTime:
		value = o.Duration.String()
	case json.Unmarshal(o.Value, &text) == nil && o.Value[0] == '"':
		value = fmt.Sprintf("%q", short(text))
	}
	if o.Default {
		value += " (default)"
	}
	return o.Name + "=" + value
}

func short(s string) string {
	if r := []rune(s); len(r) > maxValue {
		return string(r[:maxValue]) + "..."
	}
	return s
}

// comes tells what an action comes to.
func comes(e *flow.Explained) []string {
	var all []string
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	for _, digits := range e.Pressed {
		if digits == "" {
			add("the caller presses nothing")
		} else {
			add("the caller presses %s", digits)
		}
	}
	o, result := e.Outcome, e.Outcome.Result
	goes := ""
	if o.Target != "" {
		goes = fmt.Sprintf(", goes to %q", o.Target)
	}
	switch {
	case len(e.Unknown) > 0:
		add("not known yet: %s", strings.Join(e.Unknown, ", "))
	case e.Opaque:
		add("what it runs is not known")
	case !e.Known:
	case e.Err != nil:
		text, _, _ := strings.Cut(e.Err.Error(), "\n")
		add("fails: %s", text)
	case result["result"] == "true":
		add("it holds")
	case result["result"] == "false":
		add("it does not hold%s", goes)
	case result["variable"] != "":
		add("%s is %q%s", result["variable"], result["value"], goes)
	case o.TimedOut:
		add("what it waits for does not come")
	case result["ended_by"] != "":
		add("digits %q", result["digits"])
	case o.Push != nil:
		add("runs the flow %q", cmp.Or(o.Push.FlowID, "of its actions"))
	case goes != "":
		add("%s", strings.TrimPrefix(goes, ", "))
	}
	return all
}

// userInfo is a password in a URL.
var userInfo = regexp.MustCompile(`(\w+://[^\s/@:"]*):[^\s/@"]+@`)

// safe hides passwords in URLs, and makes one line of a text.
func safe(line string) string {
	line = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, line)
	return userInfo.ReplaceAllString(line, "$1:***@")
}
