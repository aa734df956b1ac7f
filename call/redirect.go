package call

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/store"
)

// ErrRedirected is the cause with which Redirect ends the action that runs.
var ErrRedirected = errors.New("call: redirected to another flow")

// run is one flow's time on a call.
type run struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
}

// Redirect lets p run in place of the flow that runs: the action that it is at ends with ErrRedirected, which takes the
// call out of its bridge, and p begins once it has; the call is not hung up in between, and keeps its
// variables. Before the answer of a call of ours p only takes the place of what would run then. Redirect returns when p begins. It fails where
// the call ends first, or another Redirect comes, and for a leg of a connect before it is joined.
func (c *Call) Redirect(ctx context.Context, p flow.Program) error {
	if p == nil {
		return errors.New("call: redirect: no flow")
	}
	if o := c.out; o != nil && o.connects {
		select {
		case <-o.joined:
		default:
			return fmt.Errorf("call: redirect call %s: it is still being connected", c.id)
		}
	}
	cmd := Command{Name: "redirect", Flow: &FlowInput{}}
	if f, ok := p.(*flow.Flow); ok {
		*cmd.Flow = FlowInput{ID: f.ID(), Name: f.Name(), Source: string(f.Source())}
	}
	id := newID()
	cmd.Flow.Key = id
	c.mu.Lock()
	if c.programs == nil {
		c.programs = map[string]flow.Program{}
	}
	c.programs[id] = p
	c.mu.Unlock()
	err := c.command(ctx, cmd)
	if err != nil && ctx.Err() == nil { // else it may still come
		c.takeProgram(id)
	}
	return err
}

// takeProgram returns what is to run next, once.
func (c *Call) takeProgram(key string) flow.Program {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.programs[key]
	delete(c.programs, key)
	return p
}

// begin starts the flow, that of a redirect where key is not "". It runs on the loop.
func (c *Call) begin(key string) {
	if key != "" {
		if p := c.takeProgram(key); p != nil {
			c.program, c.from = p, nil
		}
		c.steps.next()
	}
	c.run.ctx, c.run.cancel = context.WithCancelCause(c.flowCtx)
	r := c.run
	c.engine.wg.Go(func() {
		defer r.cancel(nil)
		c.runFlow(r.ctx)
	})
}

// stepSeq numbers the steps of the flows of a call: each flow counts from 1.
type stepSeq struct {
	base, last atomic.Int64
}

// next begins the numbers of another flow.
func (s *stepSeq) next() { s.base.Store(s.last.Load()) }

// of is the number of a step within the call.
func (s *stepSeq) of(step flow.Step) flow.Step {
	step.Seq += int(s.base.Load())
	s.last.Store(max(s.last.Load(), int64(step.Seq)))
	return step
}

// redirect is the command.
func (m *Machine) redirect(at store.Time, c *Command) {
	if old := m.st.Redirect; old != nil {
		m.do(Effect{Do: DoReply, Ref: old.Ref, Text: "it was redirected once more"})
		m.st.Redirect = nil
	}
	switch {
	case m.st.Phase == PhaseNew && !m.isOutgoing():
		m.do(Effect{Do: DoReply, Ref: c.Ref, Text: "the call has no flow yet"})
	case !m.st.FlowStarted:
		m.st.Record.FlowID, m.st.NextFlow = c.Flow.ID, c.Flow.Key
		m.do(Effect{Do: DoReply, Ref: c.Ref})
		m.do(Effect{Do: DoLink, For: "redirect", Text: c.Flow.Name})
	default:
		m.st.Redirect = &Redirecting{Ref: c.Ref, Key: c.Flow.Key, ID: c.Flow.ID, Name: c.Flow.Name}
		m.do(Effect{Do: DoRedirect})
	}
	m.st.Record.TmUpdate = at
}

// Redirecting is a Redirect that waits for the end of the flow that runs.
type Redirecting struct {
	Ref  int    `json:"ref"`
	Key  string `json:"key"`
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
}

// redirected starts the other flow, the one before being over. False: there is none.
func (m *Machine) redirected() bool {
	r := m.st.Redirect
	if r == nil || m.st.Phase == PhaseEnded {
		return false
	}
	m.st.Redirect = nil
	m.st.FlowRuns, m.st.Position, m.st.Stack = true, nil, nil
	m.st.Record.FlowID, m.st.Record.FlowPosition = r.ID, ""
	m.do(Effect{Do: DoStartFlow, For: r.Key})
	m.do(Effect{Do: DoReply, Ref: r.Ref})
	m.do(Effect{Do: DoLink, For: "redirect", Text: r.Name})
	m.emit("call_updated")
	return true
}

// redirectEnds answers one that the end of the call is faster than.
func (m *Machine) redirectEnds() {
	if r := m.st.Redirect; r != nil {
		m.st.Redirect = nil
		m.do(Effect{Do: DoReply, Ref: r.Ref, Text: "the call has ended"})
	}
}
