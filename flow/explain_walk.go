package flow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/callbin/callbin/action"
)

// explainer walks the ways of one flow.
type explainer struct {
	ctx   context.Context // carries scope
	opt   ExplainOptions
	scope *action.Scope
	told  int            // steps so far
	seen  map[string]int // their numbers, by state
	live  map[*Flow]*liveness
}

// parting is a way that is told later, from what became of a step.
type parting struct {
	at   int // number of the step
	when string
	from *foreseen
	step *step
	came action.Outcome
	push *Flow
	err  error
}

func newExplainer(ctx context.Context, o ExplainOptions) *explainer {
	if o.At.IsZero() {
		o.At = time.Now()
	}
	x := &explainer{opt: o, seen: make(map[string]int), live: make(map[*Flow]*liveness)}
	x.opt.MaxSteps = cmp.Or(max(o.MaxSteps, 0), MaxExplained)
	x.scope, x.ctx = action.NewScope(ctx, nil)
	return x
}

func (x *explainer) start(f *Flow) *foreseen {
	s := &foreseen{
		certain: true, vars: new(action.Vars), sure: map[string]bool{action.VarDigits: true}, unknown: make(map[string]bool),
		digits: x.opt.Digits, status: "ringing", find: x.opt.FlowByID,
	}
	s.runner = &runner{flow: f, leg: s, scope: x.scope}
	for name, value := range x.opt.Vars {
		if value != "" && s.vars.Set(name, value) != nil { // it does not fit: a call goes without it
			continue
		}
		s.sure[name] = true
	}
	return s
}

func (x *explainer) liveness(f *Flow) *liveness {
	l := x.live[f]
	if l == nil {
		l = newLiveness(f)
		x.live[f] = l
	}
	return l
}

// walk tells in w what comes from s on, and then of the ways that part from it.
func (x *explainer) walk(s *foreseen, w *Course) {
	x.scope.Restore(s.counters)
	x.scope.EnterFlow(len(s.runner.outer))
	var later []parting
	for over := false; !over; {
		over = x.arrive(s, w)
		if !over {
			var ways []parting
			ways, over = x.step(s, w, &later)
			for _, p := range ways {
				x.part(p, w)
			}
		}
	}
	for _, p := range later {
		x.part(p, w)
	}
}

// part tells of one way that parts from w.
func (x *explainer) part(p parting, w *Course) {
	inner := Course{At: p.at, When: p.when}
	x.scope.Restore(p.from.counters)
	x.scope.EnterFlow(len(p.from.runner.outer))
	if !x.goOn(p.from, &inner, p.step, p.came, p.push, p.err) {
		p.from.counters = x.scope.Counters()
		x.walk(p.from, &inner)
	}
	w.Ways = append(w.Ways, inner)
}

// goOn moves s to what follows on step; true is the end of w.
func (x *explainer) goOn(s *foreseen, w *Course, step *step, o action.Outcome, pushed *Flow, err error) bool {
	index, over, fail := s.runner.goOn(step, o, pushed, err)
	switch {
	case fail != nil:
		w.End = "the flow fails, which ends the call: " + fail.Error()
	case over:
		w.End = fmt.Sprintf("%s ends the flow, and with it the call", step.info.Type)
	}
	s.index = index
	return fail != nil || over
}

// arrive goes to the next step; true is the end of w.
func (x *explainer) arrive(s *foreseen, w *Course) bool {
	index, over, err := s.runner.arrive(s.index)
	switch {
	case err != nil:
		w.End = "the flow fails, which ends the call: " + err.Error()
		return true
	case over:
		w.End = "the end of the flow, and with it of the call"
		return true
	}
	s.index, s.counters = index, x.scope.Counters()
	key := s.key(s.certain, x.liveness)
	if n, ok := x.seen[key]; ok {
		w.Joins = n
		return true
	}
	if x.told >= x.opt.MaxSteps || x.ctx.Err() != nil {
		w.End, w.Cut = fmt.Sprintf("no more than %d actions are told", x.told), true
		return true
	}
	x.told++
	x.seen[key] = x.told
	if s.certain {
		if key = s.key(false, x.liveness); x.seen[key] == 0 {
			x.seen[key] = x.told
		}
	}
	return false
}

// step tells of one step and what it comes to. ways are what may follow, where w ends with it.
func (x *explainer) step(s *foreseen, w *Course, later *[]parting) (ways []parting, over bool) {
	st := &s.runner.flow.steps[s.index]
	w.Steps = append(w.Steps, Explained{})
	e := &w.Steps[len(w.Steps)-1]
	*e = Explained{
		N: x.told, Flow: st.info.Flow, Depth: len(s.runner.outer), File: s.runner.flow.file,
		Index: st.info.Index, ID: st.info.ID, Type: st.info.Type,
	}
	e.Line, e.Column = action.Position(s.runner.flow.data, st.offset)

	x.scope.Enter(&st.info)
	x.look(s, st, e)
	act, err := x.make(s, st, e)
	e.Options = explainedOptions(s.runner.flow.registry, st.info.Type, e.Option)
	var pushed *Flow
	shape := st.shape
	if act != nil {
		shape = action.ShapeOf(act)
		if x.decide(s, st, act, e) {
			pushed, err = x.push(s, e)
		}
	}
	if err != nil {
		e.Known, e.Err = true, err
	}
	if e.Known {
		s.runner.leaveResult(st, e.Outcome, e.Err)
	}
	e.Opaque = e.Opaque || !e.Known && shape.Anywhere
	if pushed != nil || e.Known && e.Outcome.Push != nil && !e.Opaque {
		shape = action.Shape{} // what it runs is told by itself
	}
	s.happened(st, shape, e.Known)
	if e.Known {
		return nil, x.goOn(s, w, st, e.Outcome, pushed, e.Err)
	}
	return x.undecided(s, w, st, act, shape, e, later)
}

// look lets the caller press keys where they are asked for by now.
func (x *explainer) look(s *foreseen, st *step, e *Explained) {
	if s.waiting && st.timing != action.TimeDigits && slices.Contains(x.liveness(s.runner.flow).reads[st.info.Index], action.VarDigits) {
		if pressed, ok := s.look(); ok {
			e.Pressed = append(e.Pressed, pressed)
		}
	}
}

// make fills in the variables. Where all are known the error is what the step fails with.
func (x *explainer) make(s *foreseen, st *step, e *Explained) (act action.Action, err error) {
	defer func() {
		if v := recover(); v != nil {
			act, err = nil, action.Fatal(&PanicError{Value: v, Stack: debug.Stack()})
		}
	}()
	act, e.Option, e.Unknown, err = st.template.Fill(s.vars, s.open)
	if err != nil && len(e.Unknown) > 0 {
		err = nil // too large: it may not be
	}
	names := x.liveness(s.runner.flow).reads[st.info.Index]
	if act != nil && slices.ContainsFunc(st.shape.Reads, action.HasVar) { // the name is a variable's
		names = slices.Concat(names, action.ShapeOf(act).Reads)
	}
	for _, name := range names {
		if !action.HasVar(name) && s.open(name) && !slices.Contains(e.Unknown, name) {
			e.Unknown = append(e.Unknown, name)
		}
	}
	if i := slices.Index(e.Unknown, callStatus); i >= 0 {
		e.Unknown[i] = "the status of the call"
	}
	return act, err
}

// decide asks the action what it comes to, if that can be known.
func (x *explainer) decide(s *foreseen, st *step, act action.Action, e *Explained) (pushes bool) {
	if len(e.Unknown) > 0 {
		return false
	}
	switch a := act.(type) {
	case action.Repeater:
		if !s.certain && a.Rounds() > 0 {
			e.Rounds = a.Rounds()
			return false
		}
		e.Outcome, e.Err = a.Decide(x.ctx, s, x.opt.At)
	case action.Decider:
		e.Outcome, e.Err = a.Decide(x.ctx, s, x.opt.At)
	case action.DigitTaker:
		return x.takeDigits(s, a, e)
	default:
		return false
	}
	e.Known = true
	return e.Err == nil && e.Outcome.Push != nil
}

func (x *explainer) takeDigits(s *foreseen, a action.DigitTaker, e *Explained) bool {
	before := s.vars.Clone()
	var rest string
	e.Outcome, rest, e.Known, e.Err = a.TakeDigits(s.vars, s.typed, func() (string, bool) {
		digits, ok := s.press()
		if ok {
			e.Pressed = append(e.Pressed, digits)
		}
		return digits, ok
	})
	if s.typed = rest; !e.Known {
		s.vars = before
		e.Outcome, e.Err = action.Outcome{}, nil
	}
	return false
}

// push finds the flow that the step pushes.
func (x *explainer) push(s *foreseen, e *Explained) (*Flow, error) {
	if s.find == nil {
		e.Opaque, e.Known, e.Outcome = true, false, action.Outcome{}
		return nil, nil
	}
	pushed, program, err := s.runner.pushed(x.ctx, e.Outcome.Push)
	if program != nil { // plain Go
		e.Opaque, e.Known, e.Outcome = true, false, action.Outcome{}
	}
	return pushed, err
}

// undecided tells what may follow on a step of which it is not known what it comes to. Where it is only a matter of
// going well, the way goes on, and the others are told later.
func (x *explainer) undecided(s *foreseen, w *Course, st *step, act action.Action, shape action.Shape, e *Explained, later *[]parting) (ways []parting, over bool) {
	s.counters = x.scope.Counters()
	part := func(when string, o action.Outcome, err error) parting {
		return parting{at: e.N, when: when, from: s.clone(s.counters), step: st, came: o, err: err}
	}
	if chooser, ok := act.(action.Chooser); ok {
		return x.choose(s, w, chooser, e, later, part)
	}
	_, decider := act.(action.Decider)
	switch targets := st.targets; {
	case !decider && (shape.Jumps || len(targets) > 0 && !shape.Falls):
		for _, id := range slices.Compact(slices.Sorted(slices.Values(targets))) {
			ways = append(ways, part(fmt.Sprintf("it goes to %q", id), action.Goto(id), nil))
		}
		if !shape.Jumps {
			ways = append(ways, part("it goes on", action.Continue(), nil))
		}
		if st.anyTarget || shape.Jumps && len(targets) == 0 {
			e.Opaque = true
		}
	}
	if st.onTimeout != "" {
		*later = append(*later, part("what it waits for does not come (on_timeout)", action.Outcome{TimedOut: true}, nil))
	}
	if st.onError != "" {
		*later = append(*later, part("it fails (on_error)", action.Outcome{}, errForeseen))
	}
	if shape.MayEnd && len(ways) == 0 {
		*later = append(*later, part("it ends the call", action.Stop(), nil))
	}
	for i := range ways {
		ways[i].from.certain = false
	}
	for i := range *later {
		(*later)[i].from.certain = false
	}
	if len(ways) > 0 {
		return ways, true
	}
	o := action.Continue()
	if shape.Ends {
		o = action.Stop()
	}
	return nil, x.goOn(s, w, st, o, nil, nil)
}

// errForeseen stands for the failure of an action.
var errForeseen = errors.New("it fails")

// choose tells the ways of a chooser. Of a repeater the way goes on, and the jump is told later.
func (x *explainer) choose(s *foreseen, w *Course, a action.Chooser, e *Explained, later *[]parting, part func(string, action.Outcome, error) parting) (ways []parting, over bool) {
	for _, c := range a.Choices() {
		p := part(c.When, c.Outcome, c.Err)
		p.from.certain = false
		if c.Empties != "" {
			if action.HasVar(c.Empties) {
				p.from.forgetAll()
			} else {
				p.from.vars.Delete(c.Empties)
				p.from.learn(c.Empties)
			}
		}
		if !c.Open {
			p.from.runner.leaveResult(p.step, c.Outcome, c.Err)
			results(p.step, p.from.learn)
		}
		if target := c.Outcome.Target; action.HasVar(target) {
			p.err = action.Fatal(fmt.Errorf("where it goes is told by %s, which nobody knows yet", target))
		}
		ways = append(ways, p)
	}
	if r, ok := a.(action.Repeater); ok && len(ways) == 2 {
		if e.Rounds = r.Rounds(); e.Rounds > 0 {
			ways[0].when += fmt.Sprintf(", at most %d times", e.Rounds)
		}
		s.certain = false
		*later = append(*later, ways[0])
		return nil, x.goOn(s, w, ways[1].step, ways[1].came, nil, nil)
	}
	return ways, true
}
