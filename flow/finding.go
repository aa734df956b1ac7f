package flow

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/callbin/callbin/action"
)

// Severity of a Finding.
type Severity string

const (
	SeverityError   Severity = "error"   // the flow cannot be used
	SeverityWarning Severity = "warning" // the flow can be used and will probably not do what is meant
)

// Finding is one fault of a flow, with its place in the file.
type Finding struct {
	Severity Severity `json:"severity"`
	Rule     string   `json:"rule,omitempty"` // one of the Rule constants
	File     string   `json:"file,omitempty"`
	Line     int      `json:"line"`             // from 1; 0: the file as a whole
	Column   int      `json:"column"`           // from 1, in bytes
	Offset   int      `json:"offset"`           // of the same place, in bytes from the start of the file
	Action   string   `json:"action,omitempty"` // id of the action, if it is about one; with flows within flows, of the outermost
	Type     string   `json:"type,omitempty"`   // type of the action
	Path     string   `json:"path,omitempty"`   // of the option or key, like "target_ids.1"
	Pointer  string   `json:"pointer"`          // JSON pointer (RFC 6901) of the value in the file
	Message  string   `json:"message"`          // with what was expected, and the nearest valid name
	Mend     string   `json:"mend,omitempty"`   // how to mend it, where the message does not say so
}

// Rules that findings are about; those of keys and options are in package action.
const (
	RuleNoActions     = "no-actions"         // there is no list of actions, or it is empty
	RuleUnknownType   = "unknown-type"       // there is no such action
	RuleNoTarget      = "no-target"          // there is no action with that id
	RuleAbility       = "missing-ability"    // the engine cannot do it
	RuleUnreachable   = "unreachable"        // no way leads to the action
	RuleBusyLoop      = "busy-loop"          // a loop without way out in which no time passes
	RuleNeverEnds     = "never-ends"         // nothing but the caller ends the call
	RuleUnsetVariable = "unset-variable"     // a variable that nothing has set
	RuleCallState     = "call-state"         // not possible yet, or no more
	RuleDigit         = "digit-not-branched" // the caller is told to press a key that leads nowhere
)

// String is the finding in one line, as compilers write it:
//
//	100.json:7:21: error: action "menu" (digits_receive): option "lenght" is unknown, did you mean "length"?
func (f Finding) String() string {
	var b strings.Builder
	if f.File != "" {
		b.WriteString(f.File)
		b.WriteByte(':')
	}
	if f.Line > 0 {
		fmt.Fprintf(&b, "%d:%d:", f.Line, f.Column)
	}
	if b.Len() > 0 {
		b.WriteByte(' ')
	}
	if f.Severity == SeverityWarning {
		b.WriteString("warning: ")
	} else {
		b.WriteString("error: ")
	}
	b.WriteString(f.text())
	if f.Mend != "" {
		b.WriteString(": ")
		b.WriteString(f.Mend)
	}
	return b.String()
}

// text is the finding without its place in the file.
func (f Finding) text() string {
	switch {
	case f.Action == "":
		return f.Message
	case f.Type == "":
		return fmt.Sprintf("action %q: %s", f.Action, f.Message)
	default:
		return fmt.Sprintf("action %q (%s): %s", f.Action, f.Type, f.Message)
	}
}

// within makes findings about a flow in an option of the action i findings about that action.
func within(i action.Info, option string, findings []Finding) []Finding {
	for n, f := range findings {
		f.Message = fmt.Sprintf("in %q: %s", option, f.text())
		f.Action, f.Type, f.Path = i.ID, i.Type, option
		findings[n] = f
	}
	return findings
}

// Error is everything that is wrong with a flow, or with a folder of flows.
type Error struct {
	Findings []Finding
}

// Error gives one finding a line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Findings))
	for i, f := range e.Findings {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// hasError tells whether one of findings makes the flow unusable.
func hasError(findings []Finding) bool {
	return slices.ContainsFunc(findings, func(f Finding) bool { return f.Severity == SeverityError })
}

// locate puts findings in the order of the text, and tells their places.
func locate(findings []Finding, data []byte, tree *action.Node) {
	slices.SortStableFunc(findings, func(a, b Finding) int { return cmp.Compare(a.Offset, b.Offset) })
	line, column, at := 1, 1, 0
	for i := range findings {
		f := &findings[i]
		offset := max(0, min(f.Offset, len(data)))
		between := data[at:offset]
		if n := bytes.Count(between, []byte("\n")); n > 0 {
			line, column = line+n, 1
			between = between[bytes.LastIndexByte(between, '\n')+1:]
		}
		column, at = column+len(between), offset
		f.Line, f.Column = line, column
		f.Pointer = tree.Pointer(offset)
	}
}
