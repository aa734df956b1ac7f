package call

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/store"
)

// maxParsed is how many stored flows are kept as they were parsed.
const maxParsed = 1000

// UseStoredFlows lets FlowByID find what db has, too, after what it finds already: files win over what was stored with their ids. Actions and
// Deps have to be set before. A flow is read for each use, so that a change of it counts at once, and parsed once for each revision.
func (c *Config) UseStoredFlows(db store.Flows) {
	s := &storedFlows{db: db, registry: c.registry(), parsed: map[string]parsedFlow{}}
	first := c.FlowByID
	c.FlowByID = func(ctx context.Context, id string) (flow.Program, error) {
		if first != nil {
			if p, err := first(ctx, id); err == nil || !errors.Is(err, ErrNoFlow) {
				return p, err
			}
		}
		return s.byID(ctx, id)
	}
}

// registry is what flows of the moment, inline ones, and those of a store are made of.
func (c *Config) registry() *action.Registry {
	if c.Actions != nil {
		return c.Actions
	}
	return action.Builtin(c.Deps)
}

// storedFlows are the flows of a store.
type storedFlows struct {
	db       store.Flows
	registry *action.Registry

	mu     sync.Mutex
	parsed map[string]parsedFlow // guarded by mu; by id
}

type parsedFlow struct {
	rev  int64
	flow *flow.Flow
}

func (s *storedFlows) byID(ctx context.Context, id string) (flow.Program, error) {
	row, err := s.db.Flow(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrInvalid):
		return nil, fmt.Errorf("%w: id %q", ErrNoFlow, id)
	case err != nil:
		return nil, fmt.Errorf("call: flow %.40q: %w", id, err)
	}
	s.mu.Lock()
	p, ok := s.parsed[id]
	s.mu.Unlock()
	if ok && p.rev == row.Rev {
		return p.flow, nil
	}
	f, err := flow.Parse(row.Body, flow.ParseOptions{Registry: s.registry, Name: row.Name, File: "flow " + id})
	if err != nil {
		return nil, fmt.Errorf("call: flow %.40q: %w", id, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for old := range s.parsed { // any one: it is read again where it is needed
		if len(s.parsed) < maxParsed {
			break
		}
		delete(s.parsed, old)
	}
	s.parsed[id] = parsedFlow{row.Rev, f}
	return f, nil
}

// FlowByID finds a flow as actions do that name one: in Config.FlowByID. ErrNoFlow.
func (e *Engine) FlowByID(ctx context.Context, id string) (flow.Program, error) {
	p, err := e.flowByID(ctx, id)
	switch {
	case errors.Is(err, errNoFlows), err == nil && p == nil:
		return nil, fmt.Errorf("%w: id %q", ErrNoFlow, id)
	case err != nil:
		return nil, err
	}
	return p, nil
}

// ParseFlow reads a flow of the actions that inline flows of this engine have, and tells whether it can run here: an error is a *flow.Error
// with all that is wrong, findings are what is doubtful.
func (e *Engine) ParseFlow(text []byte, name string) (*flow.Flow, []flow.Finding, error) {
	f, err := flow.Parse(text, flow.ParseOptions{Registry: e.cfg.registry(), Name: name})
	if err != nil {
		return nil, nil, err
	}
	findings := e.cfg.Check(f)
	for _, x := range findings {
		if x.Severity == flow.SeverityError {
			return nil, nil, &flow.Error{Findings: findings}
		}
	}
	return f, findings, nil
}
