package foreign

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow"
)

// opts are the options of an action. A string in them is a text of the document, an expr one with variables.
type opts map[string]any

// expr is a text in which variables are meant.
type expr string

// step is an action as it is written.
type step struct {
	ID        string `json:"id,omitempty"`
	Type      string `json:"type"`
	Option    any    `json:"option,omitempty"`
	OnTimeout string `json:"on_timeout,omitempty"`
}

// maxSteps bounds what a document becomes, whatever its loops say.
const maxSteps = 2000

// builder makes the actions of one document.
type builder struct {
	o        Options
	data     []byte
	format   string
	base     *url.URL // nil: there is none
	steps    []step
	findings []flow.Finding
	counts   map[string]int
	answered bool
	broken   bool
}

func newBuilder(data []byte, o Options) *builder {
	b := &builder{o: o, data: data, format: action.FormatTwilio, counts: make(map[string]int)}
	if u, err := url.Parse(o.URL); err == nil && u.Host != "" {
		b.base = u
	}
	return b
}

// find adds a finding about what stands at an offset.
func (b *builder) find(severity flow.Severity, rule string, offset int, pointer, format string, args ...any) {
	offset = max(0, min(offset, len(b.data)))
	before := b.data[:offset]
	b.findings = append(b.findings, flow.Finding{
		Severity: severity, Rule: rule, File: b.o.File, Offset: offset, Pointer: pointer,
		Line: bytes.Count(before, []byte("\n")) + 1, Column: offset - bytes.LastIndexByte(before, '\n'),
		Message: fmt.Sprintf(format, args...),
	})
}

// id makes a name for the next action of a kind.
func (b *builder) id(kind string) string {
	b.counts[kind]++
	return fmt.Sprintf("%s-%d", kind, b.counts[kind])
}

func (b *builder) add(typ string, o opts) { b.put(step{Type: typ, Option: o}) }

func (b *builder) put(s step) {
	if len(b.steps) >= maxSteps {
		if !b.broken {
			b.broken = true
			b.find(flow.SeverityError, action.RuleLimit, 0, "", "the document has more than %d actions: the rest is left out", maxSteps)
		}
		return
	}
	if o, ok := s.Option.(opts); ok {
		if len(o) == 0 {
			s.Option = nil
		} else {
			s.Option = literal(map[string]any(o))
		}
	}
	b.steps = append(b.steps, s)
}

// answer answers the call, if nothing before has.
func (b *builder) answer() {
	if !b.answered {
		b.add("answer", nil)
		b.answered = true
	}
}

// literal makes texts in which ${ stands for itself: a document of the web reads no variables.
func literal(v any) any {
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, "${", "${|$}{")
	case expr:
		return string(v)
	case opts:
		return literal(map[string]any(v))
	case map[string]any:
		all := make(map[string]any, len(v))
		for k, e := range v {
			all[k] = literal(e)
		}
		return all
	case []any:
		all := make([]any, len(v))
		for i, e := range v {
			all[i] = literal(e)
		}
		return all
	default:
		return v
	}
}

// url resolves a URL against the document's; "" is the document itself.
func (b *builder) url(ref string) (string, error) {
	ref = strings.TrimSpace(ref)
	u, err := url.Parse(ref)
	switch {
	case err != nil:
		return "", err
	case ref == "" && b.o.URL == "":
		return "", fmt.Errorf("it means the document itself, whose URL is not known")
	case b.base != nil:
		u = b.base.ResolveReference(u)
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return "", fmt.Errorf("%.80q is no http: or https: URL, nor relative to one", ref)
	}
	return u.String(), nil
}

// fetch are the options of the action that asks for the document that takes the place of this one.
func (b *builder) fetch(uri, method, verb, of string) opts {
	o := opts{"event_url": uri, "event_method": http.MethodPost, "format": b.format, "replace": true, "timeout": 15000}
	if strings.EqualFold(method, http.MethodGet) {
		o["event_method"] = http.MethodGet
	}
	for key, value := range map[string]string{
		"account": b.o.Account, "fallback_url": b.o.FallbackURL, "fallback_method": b.o.FallbackMethod, "verb": verb, "result_of": of,
	} {
		if value != "" {
			o[key] = value
		}
	}
	return o
}

// done is the list of actions, one a line, and the findings in the order of the document.
func (b *builder) done() (json.RawMessage, []flow.Finding) {
	slices.SortStableFunc(b.findings, func(x, y flow.Finding) int { return x.Offset - y.Offset })
	if len(b.steps) == 0 {
		b.add("empty", nil)
	}
	var out bytes.Buffer
	out.WriteByte('[')
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	for i, s := range b.steps {
		if i > 0 {
			out.WriteString(",")
		}
		out.WriteByte('\n')
		if err := enc.Encode(s); err != nil { // strings and numbers: it cannot fail
			return nil, b.findings
		}
		out.Truncate(out.Len() - 1)
	}
	out.WriteString("\n]\n")
	return out.Bytes(), b.findings
}

// fail is a document that cannot be used at all.
func (b *builder) fail(offset int, format string, args ...any) (json.RawMessage, []flow.Finding) {
	b.findings = nil
	b.find(flow.SeverityError, action.RuleSyntax, offset, "", format, args...)
	return nil, b.findings
}
