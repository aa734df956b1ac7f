package flow

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/callbin/callbin/action"
)

// MaxStacks is how many flows may run within each other by fetch, fetch_flow and the like.
const MaxStacks = 100

// outer is a flow in which another one runs.
type outer struct {
	flow *Flow
	at   int // index of the step that pushed the other one
}

// push goes into inner, which the step s has pushed. A flow that takes the place of one that has taken the place of another is as
// deep as that: however often one leads to the next, there are no more of them within each other.
func (r *runner) push(s *step, inner *Flow, how *action.Push) {
	if n := len(r.stack); how.Replace && n > 0 && r.stack[n-1].Push.Replace {
		s = r.pop()
	}
	r.outer = append(r.outer, outer{r.flow, s.info.Index})
	r.stack = append(slices.Clip(r.stack), Frame{Push: *how, ID: s.info.ID, Index: s.info.Index})
	r.flow = inner
	r.scope.EnterFlow(len(r.outer))
}

// pop leaves the innermost flow and returns the step that pushed it.
func (r *runner) pop() *step {
	last := r.outer[len(r.outer)-1]
	r.outer = r.outer[:len(r.outer)-1]
	r.stack = r.stack[:len(r.stack)-1]
	r.flow = last.flow
	r.scope.EnterFlow(len(r.outer))
	return &r.flow.steps[last.at]
}

// after returns the index of the step that follows s where nothing else is said.
func (r *runner) after(s *step) (int, bool) {
	if s.next == "" {
		return s.info.Index + 1, true
	}
	return r.jump(s.next)
}

// jump goes to the action with that id: of the innermost flow that has one. Flows within that
// one are left.
func (r *runner) jump(id string) (int, bool) {
	id = action.CanonicalID(id)
	if index, ok := r.flow.byID[id]; ok {
		return index, true
	}
	for i, o := range slices.Backward(r.outer) {
		if index, ok := o.flow.byID[id]; ok {
			for len(r.outer) > i {
				r.pop()
			}
			return index, true
		}
	}
	return 0, false
}

// open finds what a step of f pushes.
func (r *runner) open(ctx context.Context, f *Flow, p *action.Push) (action.Program, error) {
	if p.FlowID == "" {
		// Faults that can be lived with are let pass: a call is waiting.
		inner, err := Parse(p.Actions, ParseOptions{Registry: f.registry, Name: f.name, Dir: f.dir, Lenient: true})
		if err != nil {
			return nil, fmt.Errorf("flow: the actions that were fetched: %w", err)
		}
		return inner, nil
	}
	finder, err := action.Need[action.FlowFinder](r.leg)
	if err != nil {
		return nil, err
	}
	program, err := finder.FlowByID(ctx, p.FlowID)
	if err == nil && program == nil {
		err = errors.New("flow: the leg's FlowFinder gave no flow")
	}
	if err != nil {
		return nil, fmt.Errorf("flow: flow %.80q: %w", p.FlowID, err)
	}
	return program, nil
}

// pushed finds what the step pushes that runs: a flow, or a program that is none. Its error is fatal.
func (r *runner) pushed(ctx context.Context, p *action.Push) (*Flow, action.Program, error) {
	program, err := r.open(ctx, r.flow, p)
	if err != nil {
		return nil, nil, action.Fatal(err)
	}
	f, _ := program.(*Flow)
	if f == nil {
		return nil, program, nil
	}
	if len(r.outer) >= MaxStacks {
		return nil, nil, action.Fatal(fmt.Errorf("flow: flows run within flows more than %d deep", MaxStacks))
	}
	return f, nil, nil
}

// restore puts the runner where from is, and returns the index of the step there.
func (r *runner) restore(ctx context.Context, from Position) (int, error) {
	for _, frame := range from.Stack {
		at, err := r.flow.find(frame.ID, frame.Index)
		if err != nil {
			return 0, err
		}
		if at == len(r.flow.steps) || len(r.outer) >= MaxStacks {
			return 0, fmt.Errorf("flow: %s: nothing can be pushed at index %d, %d deep", r.flow.name, at, len(r.outer))
		}
		program, err := r.open(ctx, r.flow, &frame.Push)
		if err != nil {
			return 0, err
		}
		inner, ok := program.(*Flow)
		if !ok {
			return 0, fmt.Errorf("flow: flow %.80q is no list of actions any more", frame.Push.FlowID)
		}
		r.push(&r.flow.steps[at], inner, &frame.Push)
	}
	r.scope.Restore(from.Counters)
	return r.flow.find(from.ID, from.Index)
}
