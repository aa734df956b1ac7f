package flow

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/callbin/callbin/action"
)

// Limits of a flow.
const (
	MaxSize    = 1 << 20 // bytes of the JSON text
	MaxActions = 10_000  // with those of the flows within it
	MaxNesting = 8       // of flows in options of actions
	maxID      = 256     // bytes of an action's id
)

// ParseOptions says how a flow is read. The zero value is usable.
type ParseOptions struct {
	Registry *action.Registry // the actions there are; nil: action.Builtin(action.Deps{})
	Name     string           // of the flow, if it has none of its own
	Dir      string           // folder where its relative file: URLs start
	File     string           // what findings call the file
	Lenient  bool             // what is not needed to run the flow is only warned of
}

// flowJSON lists VoIPBIN's keys of a flow, most of which are accepted and ignored.
type flowJSON struct {
	ID               string          `json:"id"`
	CustomerID       string          `json:"customer_id"`
	Type             string          `json:"type"`
	Name             string          `json:"name"`
	Detail           string          `json:"detail"`
	Actions          json.RawMessage `json:"actions"`
	OnCompleteFlowID string          `json:"on_complete_flow_id"`
	DirectHash       string          `json:"direct_hash"`
	DirectID         string          `json:"direct_id"`
	Persist          bool            `json:"persist"`
	TMCreate         any             `json:"tm_create"`
	TMUpdate         any             `json:"tm_update"`
	TMDelete         any             `json:"tm_delete"`
}

// actionJSON is the envelope of an action.
type actionJSON struct {
	ID        string          `json:"id"`
	NextID    string          `json:"next_id"`
	Type      string          `json:"type"`
	Option    json.RawMessage `json:"option"`
	OnError   string          `json:"on_error"`
	OnTimeout string          `json:"on_timeout"`
	TMExecute any             `json:"tm_execute"`
}

// Parse reads a flow: an object with "actions", or a bare list of actions. Everything that
// is wrong with it is found at once: the error is an *Error with all findings. What is
// only doubtful is returned by Check.
func Parse(data []byte, opt ParseOptions) (*Flow, error) {
	if opt.Registry == nil {
		opt.Registry = action.Builtin(action.Deps{})
	}
	p := newParser(slices.Clone(data), opt)
	p.text()
	locate(p.findings, p.data, p.tree)
	if hasError(p.findings) {
		return nil, &Error{Findings: p.findings}
	}
	p.flow.warnings = p.findings
	return p.flow, nil
}

// parser reads one flow, and makes another one for each flow within it.
type parser struct {
	data     []byte
	opt      ParseOptions
	tree     *action.Node // of data; nil where it is no JSON
	depth    int          // 0: the outermost flow
	actions  *int         // of all flows so far
	flow     *Flow
	findings []Finding
	targets  []stepTarget
	hints    *int // suggestions that may still be made, for all flows
}

// maxHints bounds the suggestions of ids, and of variables, in one text: each looks at all there are, and a text
// of nothing but faults is no reason to keep an engine busy.
const maxHints = 50

func newParser(data []byte, opt ParseOptions) *parser {
	hints := maxHints
	return &parser{
		data:    data,
		opt:     opt,
		actions: new(int),
		hints:   &hints,
		flow:    &Flow{name: opt.Name, dir: opt.Dir, file: opt.File, registry: opt.Registry, data: data, byID: make(map[string]int)},
	}
}

// stepTarget is an id that a step may go to.
type stepTarget struct {
	info   action.Info
	target action.Target
}

// hard are the rules without which there is nothing to run; all others are warnings to a lenient reader.
var hard = []string{action.RuleSyntax, action.RuleLimit, RuleNoActions}

func (p *parser) add(i action.Info, problem action.Problem) {
	f := Finding{
		Severity: SeverityError,
		Rule:     problem.Rule,
		File:     p.opt.File,
		Action:   i.ID,
		Type:     i.Type,
		Path:     problem.Path,
		Message:  problem.Message,
		Mend:     problem.Mend,
		Offset:   problem.Offset,
	}
	if problem.Warning || p.opt.Lenient && !slices.Contains(hard, problem.Rule) {
		f.Severity = SeverityWarning
	}
	p.findings = append(p.findings, f)
}

func (p *parser) errorf(rule string, i action.Info, offset int, path, format string, args ...any) {
	p.add(i, action.Problem{Rule: rule, Offset: offset, Path: path, Message: fmt.Sprintf(format, args...)})
}

func (p *parser) text() {
	none := action.Info{}
	if len(p.data) > MaxSize {
		p.errorf(action.RuleLimit, none, 0, "", "the flow has %d bytes, at most %d", len(p.data), MaxSize)
		return
	}
	root, problems := action.ParseJSON(p.data)
	for _, problem := range problems {
		p.add(none, problem)
	}
	if root != nil {
		p.tree, p.flow.tree = root, root
		p.root(root)
	}
}

// root reads the flow that root is.
func (p *parser) root(root *action.Node) {
	none := action.Info{}
	list := root
	if root.Kind == action.Object {
		if list = p.object(root); list == nil {
			return
		}
	}
	if list.Kind != action.Array {
		p.errorf(RuleNoActions, none, list.Start, "", "a flow is a list of actions, or an object with one as %q, not %s", "actions", list.Kind)
		return
	}
	if *p.actions += len(list.Elems); *p.actions > MaxActions {
		p.errorf(action.RuleLimit, none, list.Start, "", "the flow has %d actions, at most %d", *p.actions, MaxActions)
		return
	}
	if len(list.Elems) == 0 {
		p.add(none, action.Problem{Rule: RuleNoActions, Warning: true, Offset: list.Start, Message: "the flow has no actions: a call to it ends at once"})
	}
	p.collectIDs(list)
	for i, n := range list.Elems {
		p.action(i, n)
	}
	for _, t := range p.targets {
		if _, ok := p.flow.byID[t.target.ID]; !ok {
			p.errorf(RuleNoTarget, t.info, t.target.Offset, t.target.Path, "%s: there is no action with the id %q%s",
				t.target.Path, t.target.ID, p.suggestID(t.target.ID))
		}
	}
}

// object reads the keys around the actions and returns their list.
func (p *parser) object(root *action.Node) *action.Node {
	none := action.Info{}
	for _, problem := range action.CheckType(p.data, root, flowJSON{}, "key") {
		p.add(none, problem)
	}
	text := func(key string) string {
		if n := root.Member(key); n != nil && n.Kind == action.String {
			return n.Text
		}
		return ""
	}
	p.flow.id = action.CanonicalID(text("id"))
	p.flow.onComplete = action.CanonicalID(text("on_complete_flow_id"))
	if name := text("name"); name != "" {
		p.flow.name = name
	}
	list := root.Member("actions")
	if list == nil || list.Kind == action.Null {
		p.errorf(RuleNoActions, none, root.Start, "actions", "key %q is required: the list of actions", "actions")
		return nil
	}
	return list
}

// idOf returns the id that the user gave an action.
func idOf(n *action.Node) (string, *action.Node) {
	id := n.Member("id")
	if id == nil || id.Kind != action.String {
		return "", nil
	}
	return action.CanonicalID(id.Text), id
}

func (p *parser) collectIDs(list *action.Node) {
	for i, n := range list.Elems {
		id, at := idOf(n)
		if id == "" {
			continue
		}
		if first, ok := p.flow.byID[id]; ok {
			_, firstAt := idOf(list.Elems[first])
			line, column := action.Position(p.data, firstAt.Start)
			p.errorf(action.RuleDuplicate, action.Info{ID: id, Type: typeOf(n)}, at.Start, "id", "the id stands twice, first at %d:%d", line, column)
			continue
		}
		if len(id) > maxID {
			p.errorf(action.RuleLimit, action.Info{}, at.Start, "id", "the id has %d bytes, at most %d", len(id), maxID)
		}
		p.flow.byID[id] = i
	}
}

func typeOf(n *action.Node) string {
	if t := n.Member("type"); t != nil && t.Kind == action.String {
		return t.Text
	}
	return ""
}

// newID makes an id for an action that has none: the same one each time the file is
// read, so that a flow can be taken up where it was.
func (p *parser) newID(i int) string {
	id := fmt.Sprintf("action-%d", i+1)
	for {
		if _, taken := p.flow.byID[id]; !taken {
			return id
		}
		id += "x"
	}
}

func (p *parser) action(i int, n *action.Node) {
	info := action.Info{Flow: p.flow.name, Dir: p.opt.Dir, Index: i, Type: typeOf(n)}
	info.ID, _ = idOf(n)
	named := info.ID != ""
	if !named {
		info.ID = p.newID(i)
	}
	s := step{info: info, option: n, offset: n.Start, named: named}
	// The step is kept also where it has faults: indexes must stay right for further findings.
	defer func() {
		if s.template == nil {
			s.template = broken(info.Type)
		}
		p.flow.steps = append(p.flow.steps, s)
	}()

	problems := action.CheckType(p.data, n, actionJSON{}, "key")
	for _, problem := range problems {
		p.add(info, problem)
	}
	if n.Kind != action.Object {
		return
	}
	s.next = p.target(info, n, "next_id")
	s.onError = p.target(info, n, "on_error")
	s.onTimeout = p.target(info, n, "on_timeout")
	if info.Type == "" {
		if t := n.Member("type"); t == nil || t.Kind == action.String || t.Kind == action.Null {
			p.errorf(action.RuleRequired, info, n.Start, "type", "key %q is required: the name of an action", "type")
		}
		return
	}
	if !p.opt.Registry.Has(info.Type) {
		p.errorf(RuleUnknownType, info, n.Member("type").Start, "type", "type %q is unknown%s", info.Type,
			action.Suggest(info.Type, p.opt.Registry.Names(), "there are"))
		return
	}
	option := n.Member("option")
	if option != nil && option.Kind != action.Null {
		s.option = option
	}
	s.info.Type = p.opt.Registry.Canonical(info.Type) // findings go on with what is written
	s.template, problems = p.opt.Registry.Template(info.Type, p.data, option)
	for _, problem := range problems {
		p.add(info, problem)
	}
	s.timing = action.TimingOf(s.template.Example())
	c := action.NewCheckContext(p.opt.Dir, s.option)
	action.CheckAction(c, s.template.Example())
	for _, problem := range c.Problems() {
		if !follows(problem, problems) {
			p.add(info, problem)
		}
	}
	for _, t := range c.Targets() {
		p.targets = append(p.targets, stepTarget{info, t})
		s.targets = append(s.targets, t.ID)
	}
	s.anyTarget = c.AnyTarget()
	s.shape = action.ShapeOf(s.template.Example())
	if outer, ok := s.template.Example().(action.Nested); ok {
		for _, key := range outer.NestedOptions() {
			if root := s.option.Member(key); root != nil && root.Kind != action.Null {
				p.nested(&s, key, root)
			}
		}
	}
}

// target reads a key of the action n that holds the id of another one.
func (p *parser) target(info action.Info, n *action.Node, key string) string {
	at := n.Member(key)
	if at == nil || at.Kind != action.String {
		return ""
	}
	id := action.CanonicalID(at.Text)
	if id != "" {
		p.targets = append(p.targets, stepTarget{info, action.Target{ID: id, Offset: at.Start, Path: key}})
	}
	return id
}

// follows tells whether a problem is only there because of one of others: the option was misspelled, or is of a
// wrong type.
func follows(problem action.Problem, others action.Problems) bool {
	for _, o := range others {
		rest, within := strings.CutPrefix(problem.Path, o.Path)
		switch {
		case problem.Path == "", o.Path == "":
			return true
		case within && (rest == "" || rest[0] == '.' || rest[0] == '['):
			return true
		case strings.HasSuffix(o.Message, fmt.Sprintf("did you mean %q?", problem.Path)):
			return true
		}
	}
	return false
}

// nested reads the flow root, which stands in an option of s.
func (p *parser) nested(s *step, key string, root *action.Node) {
	if p.depth == MaxNesting {
		p.errorf(action.RuleLimit, s.info, root.Start, key, "flows stand within flows more than %d deep", MaxNesting)
		return
	}
	inner := newParser(p.data, p.opt)
	inner.depth, inner.actions, inner.hints = p.depth+1, p.actions, p.hints
	inner.tree, inner.flow.tree = p.tree, p.tree
	inner.root(root)
	p.findings = append(p.findings, within(s.info, key, inner.findings)...)
	s.nested = append(s.nested, nestedFlow{key, inner.flow})
}

// broken stands for an action of which nothing is known: a lenient reader lets it fail when it runs.
func broken(typ string) *action.Template {
	reg := action.NewRegistry()
	reg.Add("broken", func() action.Action {
		return action.Func(func(context.Context, action.Leg) (action.Outcome, error) {
			return action.Outcome{}, fmt.Errorf("flow: there is no action of the type %.80q", typ)
		})
	})
	t, _ := reg.Template("broken", nil, nil) // without options nothing is wrong
	return t
}

// suggestID helps with an id that does not exist.
func (p *parser) suggestID(id string) string {
	if len(p.flow.byID) == 0 {
		return "; no action has one"
	}
	if *p.hints--; *p.hints < 0 {
		return ""
	}
	s := action.Suggest(id, slices.Collect(maps.Keys(p.flow.byID)), "")
	if !strings.Contains(s, "did you mean") {
		return ""
	}
	return s
}
