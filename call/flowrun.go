package call

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/store"
)

// ReferenceAPI is Activeflow.ReferenceType of a flow that runs on no call.
const ReferenceAPI = "api"

const (
	maxFlowRuns  = 1000 // that run at one time
	keptFlowRuns = 1000 // that have ended, and are still known
	keptSteps    = 1000 // the last ones of each
)

// FlowRunOptions of one run of a flow without a call. Only Flow is needed.
type FlowRunOptions struct {
	ID        string            // of the activeflow; "": a new one
	Flow      flow.Program      // a *flow.Flow is checked before: one that needs a call does not run
	Variables map[string]string // within MaxInjected and MaxInjectedSize; VoIPBIN's own names are left out
}

// ErrRunning is returned by RunFlow for an id that is taken.
var ErrRunning = errors.New("call: there is an activeflow with that id already")

// flowRuns are the flows that run, or have run, on no call.
type flowRuns struct {
	mu      sync.Mutex
	all     map[string]*flowRun // guarded by mu
	ended   []*flowRun          // guarded by mu; the oldest first
	running int                 // guarded by mu
	closed  bool                // guarded by mu; no more is begun
}

// flowRun is one of them, and the leg that it runs on.
type flowRun struct {
	varsLeg
	cancel context.CancelCauseFunc
	done   chan struct{}

	mu     sync.Mutex
	record Activeflow // guarded by mu
}

var _ action.Dialer = (*flowRun)(nil)

// RunFlow runs a flow on no call, as VoIPBIN's POST /activeflows does, and returns at once. It can look things up, send messages, place calls (the call action, on
// behalf of nobody: as the program does) and fetch flows; its on_complete flow follows. The engine waits for it at its end as for flows that follow calls.
// A *flow.Flow that needs a call, such as one that answers, is a *flow.Error. ErrNoRoom, ErrRunning.
func (e *Engine) RunFlow(ctx context.Context, o FlowRunOptions) (Activeflow, error) {
	if err := context.Cause(ctx); err != nil {
		return Activeflow{}, err
	}
	if o.Flow == nil {
		return Activeflow{}, errors.New("call: run flow: there is no flow")
	}
	if o.ID != "" {
		if err := store.CheckID(o.ID); err != nil {
			return Activeflow{}, fmt.Errorf("call: run flow: %w", err)
		}
	}
	vars, err := injected(o.Variables)
	if err != nil {
		return Activeflow{}, fmt.Errorf("call: run flow: %w", err)
	}
	return e.startRun(cmp.Or(o.ID, newID()), o.Flow, vars, false)
}

// startRun begins the run id of p; follows: it follows another one, which lasts until it has begun.
func (e *Engine) startRun(id string, p flow.Program, vars map[string]string, follows bool) (Activeflow, error) {
	now := store.At(time.Now())
	r := &flowRun{done: make(chan struct{}), record: Activeflow{
		ID: id, Status: ActiveflowRunning, ReferenceType: ReferenceAPI, ExecutedActions: []ExecutedAction{}, TmCreate: now, TmUpdate: now,
	}}
	if f, ok := p.(*flow.Flow); ok {
		// What stands in the option of a call action runs on that call.
		findings := slices.DeleteFunc(flow.Check(f, e.runAbilities()), func(x flow.Finding) bool { return x.Type == "call" && x.Path == "actions" })
		if slices.ContainsFunc(findings, func(x flow.Finding) bool { return x.Severity == flow.SeverityError }) {
			return Activeflow{}, &flow.Error{Findings: findings}
		}
		r.record.FlowID, r.record.OnCompleteFlowID = f.ID(), f.OnCompleteFlowID()
	}
	vars[varActiveflow], vars[varRefType], vars[varFlowID] = r.record.ID, ReferenceAPI, r.record.FlowID
	r.varsLeg = varsLeg{engine: e, vars: e.newVars(maps.All(vars))}
	var run context.Context
	run, r.cancel = context.WithCancelCause(e.followCtx)
	if err := e.runs.begin(e, r, follows); err != nil {
		r.cancel(nil)
		return Activeflow{}, err
	}
	started := r.snapshot()
	r.tell("activeflow_created")
	e.wg.Go(func() {
		defer e.following.Done()
		r.run(run, p)
	})
	return started, nil
}

// runAbilities is what a flow on no call can do.
func (e *Engine) runAbilities() action.Abilities {
	a := action.AbilitiesOf().With(e.cfg.Deps.Abilities())
	all := e.cfg.Abilities()
	for _, x := range []action.Ability{action.CanDial, action.CanReadRecord, action.CanFindFlows, action.CanFollow} {
		if all[x] {
			a[x] = true
		}
	}
	return a
}

// begin makes r one of the runs; the engine waits for it from now on.
func (s *flowRuns) begin(e *Engine, r *flowRun, follows bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !follows && (s.closed || e.draining.Load()) || s.running >= maxFlowRuns:
		return ErrNoRoom
	case s.all[r.record.ID] != nil:
		return fmt.Errorf("%w: %s", ErrRunning, r.record.ID)
	}
	if s.all == nil {
		s.all = map[string]*flowRun{}
	}
	s.all[r.record.ID] = r
	s.running++
	e.following.Add(1)
	return nil
}

// end moves r among those that have ended, of which the oldest are forgotten.
func (s *flowRuns) end(r *flowRun) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
	if s.all[r.record.ID] != r { // forgotten already
		return
	}
	s.ended = append(s.ended, r)
	for len(s.ended) > keptFlowRuns {
		delete(s.all, s.ended[0].record.ID)
		s.ended[0] = nil
		s.ended = s.ended[1:]
	}
}

// close lets no more begin.
func (s *flowRuns) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

func (s *flowRuns) find(id string) (*flowRun, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.all[id]
	return r, ok
}

// run is the goroutine of r.
func (r *flowRun) run(ctx context.Context, p flow.Program) {
	defer r.cancel(nil)
	defer close(r.done)
	err := runGuarded(ctx, p, r)
	if err != nil && ctx.Err() == nil {
		r.log().Warn("flow failed", "err", err)
	}
	r.mu.Lock()
	r.record.Status, r.record.CurrentAction, r.record.TmUpdate = ActiveflowEnded, nil, store.At(time.Now())
	next := r.record.OnCompleteFlowID
	r.mu.Unlock()
	r.engine.runs.end(r)
	r.tell("activeflow_deleted")
	if next != "" && ctx.Err() == nil {
		if err := r.follow(ctx, next); err != nil {
			r.log().Warn("following flow does not run", "flow", next, "err", err)
		}
	}
}

// follow begins the flow that is to run when r is complete, on a run of its own.
func (r *flowRun) follow(ctx context.Context, id string) error {
	p, err := r.engine.flowByID(ctx, id)
	if err != nil {
		return err
	}
	vars := r.vars.All()
	n, _ := strconv.Atoi(vars[varCompletions]) // none is 0
	if n++; n > MaxCompletions {
		return fmt.Errorf("call: more than %d flows follow each other", MaxCompletions)
	}
	vars[varCompletions], vars[varParent] = strconv.Itoa(n), r.record.ID
	_, err = r.engine.startRun(newID(), p, vars, true)
	return err
}

// Dial places calls on behalf of nobody.
func (r *flowRun) Dial(ctx context.Context, o action.DialOptions) ([]string, error) {
	if n := len(o.Destinations); n == 0 || n > action.MaxDestinations {
		return nil, fmt.Errorf("call: dial: %d destinations are not 1 to %d", n, action.MaxDestinations)
	}
	program, err := r.engine.program(ctx, o)
	if err != nil {
		return nil, err
	}
	var ids []string
	var errs []error
	for _, d := range o.Destinations {
		id, err := r.dialOne(ctx, o, d, program)
		if errs = append(errs, err); err == nil {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("call: dial: %w", errors.Join(errs...))
	}
	return ids, nil
}

func (r *flowRun) dialOne(ctx context.Context, o action.DialOptions, d address.Address, program flow.Program) (string, error) {
	if d.Type == address.TypeExtension || d.Type == address.TypeAgent {
		g, err := r.engine.Groupcall(ctx, GroupcallOptions{Destinations: []address.Address{d}, Source: o.Source, Flow: program,
			EarlyExecution: o.EarlyExecution, AnswerMethod: store.AnswerHangupOthers, Anonymous: o.Anonymous})
		if err != nil {
			return "", err
		}
		return g.ID(), nil
	}
	c, err := r.engine.Dial(ctx, DialOptions{Destination: d, Source: o.Source, Flow: program, EarlyExecution: o.EarlyExecution, Anonymous: o.Anonymous})
	if err != nil {
		return "", err
	}
	return c.ID(), nil
}

// ActionStarted notes the step that runs.
func (r *flowRun) ActionStarted(s flow.Step) {
	in, now := StepStarted(s), store.At(time.Now())
	r.mu.Lock()
	r.record.CurrentAction = &ExecutedAction{ID: s.ID, Type: s.Type, Option: json.RawMessage(in.Option), Execution: s.Seq, Depth: in.Depth, TmExecute: now}
	r.record.TmUpdate = now
	r.mu.Unlock()
	r.tell("activeflow_updated")
}

// ActionEnded notes what became of it.
func (r *flowRun) ActionEnded(s flow.Step, o action.Outcome, err error) {
	r.varsLeg.ActionEnded(s, o, err)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.record.CurrentAction == nil {
		return
	}
	done := *r.record.CurrentAction
	done.TmEnd, done.Error, done.Result = store.At(time.Now()), errText(err), o.Result
	if len(r.record.ExecutedActions) >= keptSteps {
		r.record.ExecutedActions = slices.Delete(r.record.ExecutedActions, 0, 1)
	}
	r.record.ExecutedActions = append(r.record.ExecutedActions, done)
	r.record.CurrentAction, r.record.TmUpdate = nil, done.TmEnd
}

// snapshot is how r stands.
func (r *flowRun) snapshot() Activeflow {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.record
	a.ExecutedActions = slices.Clone(a.ExecutedActions)
	if a.CurrentAction != nil {
		now := *a.CurrentAction
		a.CurrentAction = &now
	}
	return a
}

// tell emits an event, as those of calls: without the actions that have ended.
func (r *flowRun) tell(event string) {
	a := r.snapshot()
	a.ExecutedActions = []ExecutedAction{}
	r.engine.tellGuarded(Event{Type: event, Time: a.TmUpdate.Time, Data: a})
}

// FlowRun is how a flow that RunFlow has begun stands; the last thousand that have ended are known.
func (e *Engine) FlowRun(id string) (Activeflow, bool) {
	r, ok := e.runs.find(id)
	if !ok {
		return Activeflow{}, false
	}
	return r.snapshot(), true
}

// FlowRuns are those that run, and those that have ended and are known still, in no order.
func (e *Engine) FlowRuns() iter.Seq[Activeflow] {
	e.runs.mu.Lock()
	all := slices.Collect(maps.Values(e.runs.all))
	e.runs.mu.Unlock()
	return func(yield func(Activeflow) bool) {
		for _, r := range all {
			if !yield(r.snapshot()) {
				return
			}
		}
	}
}

// StopFlowRun ends a flow that RunFlow has begun, with ErrStopped, and waits for it; false: there is none. Its on_complete flow does not follow.
func (e *Engine) StopFlowRun(ctx context.Context, id string) (bool, error) {
	r, ok := e.runs.find(id)
	if !ok {
		return false, nil
	}
	r.cancel(ErrStopped)
	select {
	case <-r.done:
		return true, nil
	case <-ctx.Done():
		return true, context.Cause(ctx)
	}
}

// ForgetFlowRun forgets one that has ended.
func (e *Engine) ForgetFlowRun(id string) {
	e.runs.mu.Lock()
	defer e.runs.mu.Unlock()
	if i := slices.IndexFunc(e.runs.ended, func(r *flowRun) bool { return r.record.ID == id }); i >= 0 {
		e.runs.ended = slices.Delete(e.runs.ended, i, i+1)
		delete(e.runs.all, id)
	}
}
