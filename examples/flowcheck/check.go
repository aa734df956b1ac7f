package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/flow/expr"
)

// powers are the words of -without for what a server may lack.
var powers = map[string][]action.Ability{
	"assistant":  {action.HasAssistant},
	"http":       {action.HasHTTP},
	"mail":       {action.HasMail},
	"messages":   {action.HasMessages},
	"outbound":   {action.CanConnect, action.CanDial},
	"recording":  {action.CanRecord, action.CanReadRecord},
	"speech":     {action.HasSpeaker},
	"transcribe": {action.HasTranscriber, action.HasRecordingTranscriber, action.CanTranscribe},
}

func words() []string { return slices.Sorted(maps.Keys(powers)) }

// checker checks flows for one kind of server.
type checker struct {
	lenient   bool
	registry  *action.Registry
	partial   *action.Registry // the same, with an absent in place of what there is not; nil if there is all
	abilities action.Abilities
}

func newChecker(without string, lenient bool) (*checker, error) {
	deps := action.Deps{
		Expressions: expr.Expressions{},
		Prompts:     call.NewPrompts(call.PromptConfig{Dirs: []string{"/"}}), // tells of files that are not there
	}
	c := &checker{lenient: lenient, registry: action.Builtin(deps), abilities: action.AllAbilities()}
	missing := make(map[string]bool)
	for word := range strings.SplitSeq(without, ",") {
		switch word = strings.TrimSpace(word); {
		case word == "":
		case powers[word] != nil:
			c.abilities = c.abilities.Without(powers[word]...)
		case c.registry.Has(word):
			missing[c.registry.Canonical(word)] = true
		default:
			return nil, fmt.Errorf("-without: %q is no type of action, and none of %s%s", word, strings.Join(words(), " "),
				didYouMean(word, append(words(), c.registry.Names()...)))
		}
	}
	if len(missing) == 0 {
		return c, nil
	}
	c.partial = action.NewRegistry()
	for _, name := range c.registry.Names() {
		today := c.registry.Canonical(name)
		c.partial.Add(name, func() action.Action {
			if missing[today] {
				return &absent{Action: c.registry.New(name), name: today}
			}
			return c.registry.New(name)
		})
	}
	return c, nil
}

func didYouMean(word string, known []string) string {
	if hint := action.Suggest(word, known, ""); strings.Contains(hint, "did you mean") {
		return hint
	}
	return ""
}

// absent stands in for an action that there is not.
type absent struct {
	action.Action
	name string
}

func (a *absent) Needs(c *action.CheckContext) { c.Need(action.Ability(a.name)) }

// check returns what is wrong with one flow.
func (c *checker) check(t text) []flow.Finding {
	opt := flow.ParseOptions{
		Registry: c.registry,
		Name:     strings.TrimSuffix(filepath.Base(t.name), ".json"),
		Dir:      filepath.Dir(t.name),
		File:     t.name,
		Lenient:  c.lenient,
	}
	f, err := flow.Parse(t.data, opt)
	if bad, ok := errors.AsType[*flow.Error](err); ok {
		return bad.Findings
	}
	findings := flow.Check(f, c.abilities)
	if c.partial == nil {
		return findings
	}
	// Once more, for the actions that there are not: the first look has seen their options.
	opt.Registry, opt.Lenient = c.partial, true
	if f, err = flow.Parse(t.data, opt); err != nil {
		return findings
	}
	for _, g := range flow.Check(f, c.abilities) {
		if !slices.Contains(findings, g) && g.Severity == flow.SeverityError {
			findings = append(findings, g)
		}
	}
	slices.SortStableFunc(findings, func(a, b flow.Finding) int {
		return cmp.Or(a.Line-b.Line, a.Column-b.Column)
	})
	return findings
}
