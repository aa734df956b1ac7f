package calltest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/flow/flowtest"
)

// ReplayConfig says with what a recorded call is run again. The zero value takes the flow that the trace holds, and the
// built-in actions of today.
type ReplayConfig struct {
	// Flow is the flow of today, as JSON; nil: that of the trace.
	Flow []byte
	// Flows are those that the flow names by id; what is not in it is taken from the trace.
	Flows map[string][]byte
	// Program runs in place of a flow; nil: Flow.
	Program flow.Program
	// Actions adds actions of one's own to the built-in ones.
	Actions func(r *action.Registry)
	// Recorded are types of actions that do not run, but come to what they came to then. Those of the built-in
	// ones that talk with engines and providers (ai_talk, email_send, ...) are so anyway.
	Recorded []string
	// Within is how far the time of a step may be off; 0: half a second.
	Within time.Duration
}

// Divergence tells where a call that is run again goes another way than it did.
type Divergence struct {
	Seq      int           // number of the input in the trace
	At       time.Duration // since the start of the call
	Part     string        // "engine": the loop did something else; "flow": the flow did
	Recorded string        // what happened then; "" for nothing
	Now      string        // what happens now; "" for nothing
	Before   []string      // what the flow did before that, the last few steps
}

func (d *Divergence) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the %s goes another way at input %d, %.3f s after the start of the call\n", d.Part, d.Seq, d.At.Seconds())
	show := func(what, text string) {
		if text == "" {
			text = "nothing"
		}
		fmt.Fprintf(&b, "  %s %s\n", what, strings.ReplaceAll(text, "\n", "\n            "))
	}
	show("recorded:", d.Recorded)
	show("now:     ", d.Now)
	if len(d.Before) > 0 {
		fmt.Fprintf(&b, "  before that:\n")
		for _, line := range d.Before {
			fmt.Fprintf(&b, "    %s\n", line)
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// Replay runs the call whose trace is in a file once more, in virtual time: the engine's loop gets the inputs that it got
// then, the flow the digits, answers and results, each at its time. The test fails at the first place where the
// loop, or the flow, does something else than it did. A trace is what a store keeps (store.Calls.Trace) and
// call.Call.Trace returns.
//
// It must not be called in a bubble of testing/synctest: it makes one.
func Replay(t *testing.T, file string, cfg ReplayConfig) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	r, err := ReplayTrace(t, b, cfg)
	if err != nil {
		t.Errorf("calltest: replay of %s: %v", filepath.Base(file), err)
	}
	if r == nil && err == nil {
		t.Errorf("calltest: replay of %s: nothing is in it", filepath.Base(file))
	}
}

// Replayed is a call that was run again.
type Replayed struct {
	State   call.State    // in which the loop ends
	Effects []call.Effect // what the loop did, in order
	Journal string        // what the flow did: a line for each step, and for what came of it
}

// ReplayTrace is Replay for a trace in memory. Its error is a *Divergence, or tells why the trace cannot be replayed.
func ReplayTrace(t *testing.T, trace []byte, cfg ReplayConfig) (got *Replayed, err error) {
	t.Helper()
	inputs, err := call.DecodeTrace(trace)
	if err != nil {
		return nil, err
	}
	if len(inputs) == 0 {
		return nil, errors.New("the trace is empty")
	}
	synctest.Test(t, func(t *testing.T) {
		r, rerr := newReplay(inputs, cfg)
		if rerr != nil {
			err = rerr
			return
		}
		got, err = r.run(t.Context())
	})
	return got, err
}

// Journal is what the flow of a recorded call did: a line for each step, and for what came of it, with the time since
// the start of the call.
func Journal(trace []call.Input) string {
	var b strings.Builder
	for i := range trace {
		if text := journalLine(&trace[i]); text != "" {
			writeStep(&b, trace[i].At.Sub(trace[0].At.Time), text)
		}
	}
	return b.String()
}

func writeStep(b *strings.Builder, at time.Duration, text string) {
	for line := range strings.Lines(text + "\n") {
		fmt.Fprintf(b, "%9.3fs %s", at.Seconds(), line)
	}
}

// journalLine is an input of the flow's, as a text that can be compared; "" for any other. Ids that are random are
// left out of it by flowtest.SameButIDs.
func journalLine(in *call.Input) string {
	switch in.Kind {
	case call.KindStarted:
		return strings.TrimSuffix(fmt.Sprintf("%s %s %s", in.Step.ID, in.Step.Type, in.Step.Option), " ")
	case call.KindEnded:
		text := "  " + in.Step.ID + " ends"
		if o := in.Step.Outcome; o != nil {
			if o.Target != "" {
				text += ", goes to " + o.Target
			}
			if o.Stop {
				text += ", stops the flow"
			}
			if o.TimedOut {
				text += ", time is up"
			}
			for _, k := range slices.Sorted(maps.Keys(o.Result)) {
				text += fmt.Sprintf("\n    %s: %s", k, o.Result[k])
			}
			if p := o.Push; p != nil {
				text += fmt.Sprintf("\n    runs %s%s", p.FlowID, p.Actions)
			}
		}
		if in.Step.Error != "" {
			text += "\n    ! " + flowtest.OneLine(in.Step.Error)
		}
		return text
	case call.KindFlowEnded:
		if in.Flow.Error != "" {
			return "end: " + flowtest.OneLine(in.Flow.Error)
		}
		return "end"
	}
	return ""
}

// newReplay prepares what is run in a bubble.
func newReplay(trace []call.Input, cfg ReplayConfig) (*replay, error) {
	if cfg.Within == 0 {
		cfg.Within = 500 * time.Millisecond
	}
	r := &replay{
		trace: trace, cfg: cfg, start: trace[0].At.Time, seen: make(chan observed), waiting: make(map[string][]*waiter),
		registered: make(chan struct{}), flows: maps.Clone(cfg.Flows), recorded: make(map[string]bool), noted: make(map[string]bool),
	}
	if r.flows == nil {
		r.flows = make(map[string][]byte)
	}
	var own []byte
	for i := range trace {
		n := trace[i].Note
		if n == nil {
			continue
		}
		r.noted[n.What] = true
		switch {
		case n.What == "program":
			own = []byte(n.Body)
		case n.What == "flow_by_id" && n.Body != "" && r.flows[n.Target] == nil:
			r.flows[n.Target] = []byte(n.Body)
		}
	}
	for _, typ := range cfg.Recorded {
		r.recorded[typ] = true
	}
	r.registry = action.Builtin(r.deps())
	for _, name := range r.registry.Names() {
		if !replayable[r.registry.Canonical(name)] {
			r.recorded[name] = true
		}
	}
	if cfg.Actions != nil {
		cfg.Actions(r.registry)
	}
	text := cfg.Flow
	if text == nil {
		text = own
	}
	switch {
	case cfg.Program != nil:
		r.program = cfg.Program
	case text != nil:
		f, err := flow.Parse(text, flow.ParseOptions{Registry: r.registry, Name: r.flowName(), Dir: "/", Lenient: true})
		if err != nil {
			return nil, fmt.Errorf("the flow cannot be read: %w", err)
		}
		r.program = f
	case r.runsFlow():
		return nil, errors.New("the trace holds no flow: name one in ReplayConfig")
	}
	return r, nil
}

// redirected is the flow of the last redirect before input i.
func (r *replay) redirected(i int) (flow.Program, error) {
	for ; i >= 0; i-- {
		c := r.trace[i].Command
		if c == nil || c.Name != "redirect" || c.Flow == nil {
			continue
		}
		text := []byte(c.Flow.Source)
		if len(text) == 0 {
			break
		}
		if f := r.cfg.Flows[c.Flow.ID]; c.Flow.ID != "" && f != nil {
			text = f
		}
		f, err := flow.Parse(text, flow.ParseOptions{Registry: r.registry, Name: c.Flow.Name, Dir: "/", Lenient: true})
		if err != nil {
			return nil, fmt.Errorf("the flow of a redirect cannot be read: %w", err)
		}
		return f, nil
	}
	return nil, errors.New("the call was redirected to a program that is no flow")
}

func (r *replay) flowName() string {
	for i := range r.trace {
		if n := r.trace[i].Note; n != nil && n.What == "program" {
			return n.Target
		}
	}
	return ""
}

func (r *replay) runsFlow() bool {
	for i := range r.trace {
		if r.trace[i].Kind == call.KindStarted {
			return true
		}
	}
	return false
}

// runFlow is the flow's goroutine.
func (r *replay) runFlow(ctx context.Context, program flow.Program, leg *replayLeg) {
	err := guardedRun(ctx, program, leg)
	in := call.Input{Kind: call.KindFlowEnded, Flow: &call.FlowInput{}}
	if err != nil && ctx.Err() == nil {
		in.Flow.Error, in.Flow.Fatal = err.Error(), true
	}
	r.observe(&in)
}

func guardedRun(ctx context.Context, p flow.Program, leg action.Leg) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return p.Run(ctx, leg)
}
