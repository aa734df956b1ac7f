package flow

import (
	"fmt"

	"github.com/callbin/callbin/action"
)

// Check compares what the actions of f need with what an engine can do, and follows the ways through f. An
// action that could not run is a finding of SeverityError that names what is missing, like
// Deps.Speaker; what the engine will do badly, what Parse found doubtful, and what a way through the flow comes to
// (see "Checks" in the documentation of the package) are
// warnings. No finding means that the flow fits. Check may ask speech engines and the
// file system, and must not be called on a media thread.
func Check(f *Flow, abilities action.Abilities) []Finding {
	findings := append([]Finding(nil), f.warnings...)
	findings = append(findings, f.needs(abilities)...)
	findings = append(findings, f.lint(true)...)
	locate(findings, f.data, f.tree)
	return findings
}

// finding begins a finding about s.
func (f *Flow) finding(s *step, severity Severity, rule string, offset int) Finding {
	return Finding{Severity: severity, Rule: rule, File: f.file, Action: s.info.ID, Type: s.info.Type, Offset: offset}
}

// needs returns what the actions of f and of the flows within it do not find in abilities.
func (f *Flow) needs(abilities action.Abilities) []Finding {
	var findings []Finding
	for i := range f.steps {
		s := &f.steps[i]
		findings = append(findings, f.stepNeeds(s, abilities)...)
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
	for _, need := range c.Abilities() {
		if !abilities[need] {
			g := f.finding(s, SeverityError, RuleAbility, s.offset)
			g.Message = fmt.Sprintf("needs %s, which there is not", need)
			findings = append(findings, g)
		}
	}
	for _, problem := range c.Problems() {
		g := f.finding(s, SeverityError, problem.Rule, problem.Offset)
		if problem.Warning {
			g.Severity = SeverityWarning
		}
		g.Path, g.Message, g.Mend = problem.Path, problem.Message, problem.Mend
		findings = append(findings, g)
	}
	return findings
}
