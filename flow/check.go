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
	findings := append([]Finding(nil), f.warnings...)
	findings = append(findings, f.needs(abilities)...)
	sortFindings(findings)
	return findings
}

// needs returns what the actions of f and of the flows within it do not find in abilities.
func (f *Flow) needs(abilities action.Abilities) []Finding {
	var findings []Finding
	for _, s := range f.steps {
		findings = append(findings, f.stepNeeds(&s, abilities)...)
		for _, n := range s.nested {
			findings = append(findings, within(s.info, n.key, n.flow.needs(abilities))...)
		}
	}
	return findings
}

func (f *Flow) stepNeeds(s *step, abilities action.Abilities) []Finding {
	needer, ok := s.template.Example().(action.Needer)
	if !ok {
		return nil
	}
	var findings []Finding
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
	return findings
}
