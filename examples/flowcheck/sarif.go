package main

import (
	"bytes"
	"encoding/json"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/callbin/callbin/flow"
)

// The part of SARIF 2.1.0 (OASIS) that we write.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool     `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string    `json:"id"`
		ShortDescription sarifText `json:"shortDescription"`
		Help             sarifText `json:"help"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		RuleIndex int             `json:"ruleIndex"`
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifLocation struct {
		Physical sarifPhysical  `json:"physicalLocation"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"` // none: the file as a whole
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn"`
	}
	sarifLogical struct {
		FullyQualifiedName string `json:"fullyQualifiedName"` // JSON pointer
	}
)

// anyRule is the rule of findings that name none.
const anyRule = "flow"

// sarif writes findings about texts.
func sarif(findings []flow.Finding, texts []text) ([]byte, error) {
	run := sarifRun{ColumnKind: "unicodeCodePoints", Results: []sarifResult{}}
	run.Tool.Driver = sarifDriver{Name: "flowcheck", InformationURI: "https://github.com/callbin/callbin", Rules: []sarifRule{}}
	rules := &run.Tool.Driver.Rules
	for _, f := range findings {
		id := f.Rule
		if id == "" {
			id = anyRule
		}
		index := slices.IndexFunc(*rules, func(r sarifRule) bool { return r.ID == id })
		if index < 0 {
			index = len(*rules)
			*rules = append(*rules, newRule(id, f))
		}
		run.Results = append(run.Results, sarifResult{
			RuleID: id, RuleIndex: index, Level: string(f.Severity), Message: sarifText{message(f)}, Locations: []sarifLocation{place(f, texts)},
		})
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}})
	return b.Bytes(), err
}

// newRule describes the rule of f; its help is how to mend f, where that is known.
func newRule(id string, f flow.Finding) sarifRule {
	help := "The documentation of package github.com/callbin/callbin/flow describes the language."
	if f.Mend != "" {
		help = f.Mend + ". " + help
	}
	return sarifRule{ID: id, ShortDescription: sarifText{strings.NewReplacer("-", " ", "_", " ").Replace(id)}, Help: sarifText{help}}
}

// message is the finding without its place, and how to mend it.
func message(f flow.Finding) string {
	f.File, f.Line = "", 0
	return strings.TrimPrefix(f.String(), string(f.Severity)+": ")
}

func place(f flow.Finding, texts []text) sarifLocation {
	l := sarifLocation{Physical: sarifPhysical{Artifact: sarifArtifact{uri(f.File)}}}
	if f.Line > 0 {
		l.Physical.Region = &sarifRegion{f.Line, f.Column}
		if i := slices.IndexFunc(texts, func(t text) bool { return t.name == f.File }); i >= 0 {
			l.Physical.Region.StartColumn = column(texts[i].data, f.Line, f.Column)
		}
	}
	if f.Pointer != "" {
		l.Logical = []sarifLogical{{f.Pointer}}
	}
	return l
}

// column counts characters where a finding counts bytes.
func column(data []byte, line, col int) int {
	lines := bytes.SplitN(data, []byte("\n"), line+1)
	if line > len(lines) || col-1 > len(lines[line-1]) {
		return col
	}
	return utf8.RuneCount(lines[line-1][:col-1]) + 1
}

// uri is the place of a file: relative to where the command runs, or absolute, as it was named.
func uri(file string) string {
	u := url.URL{Path: filepath.ToSlash(file)}
	if filepath.IsAbs(file) {
		u.Scheme = "file"
		if !strings.HasPrefix(u.Path, "/") { // C:/
			u.Path = "/" + u.Path
		}
	}
	return u.String()
}
