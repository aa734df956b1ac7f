package flow

import (
	"fmt"

	"github.com/callbin/callbin/action"
)

// Check compares what the actions of f need with what an engine can do. An action that
// could not run is a finding of SeverityError that names what is missing, like
// Deps.Speaker; what the engine will do badly, and what Parse found doubtful, are
// warnings. No finding means that the flow fits. Check may ask speech engines and the
// file system, and must not be called on a media thread.
func Check(f *Flow, abilities action.Abilities) []Finding {
	findings := append(append([]Finding(nil), f.warnings...), f.check(abilities)...)
	sortFindings(findings)
	return findings
}

// check asks the actions of f, and of the flows in them.
func (f *Flow) check(abilities action.Abilities) (findings []Finding) {
	for _, s := range f.steps {
		if s.nested != nil {
			findings = append(findings, s.nested.check(abilities)...)
		}
		needer, ok := s.template.Example().(action.Needer)
		if !ok {
			continue
		}
		c := action.NewCheckContext(f.dir, s.option)
		needer.Needs(c)
		at := Finding{File: f.file, Line: s.line, Column: s.column, Action: s.info.ID, Type: s.info.Type}
		for _, need := range c.Abilities() {
			if !abilities[need] {
				at.Severity = SeverityError
				at.Message = fmt.Sprintf("needs %s, which there is not", need)
				findings = append(findings, at)
			}
		}
		for _, problem := range c.Problems() {
			g := at
			g.Severity = SeverityError
			if problem.Warning {
				g.Severity = SeverityWarning
			}
			g.Path, g.Message = problem.Path, problem.Message
			g.Line, g.Column = position(s.data, problem.Offset)
			findings = append(findings, g)
		}
	}
	return findings
}
