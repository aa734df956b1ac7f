package calltest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/flow/flowtest"
)

// replay runs a recorded call again. Its driver takes one input of the trace after the other: what came from outside it
// hands to the loop and to the flow at its time, and for what the flow did it waits until the flow does
// it again. The flow in turn waits at each step until the driver has come to it, so that both
// meet the same order as then, whatever happens at one instant.
type replay struct {
	trace    []call.Input
	cfg      ReplayConfig
	start    time.Time
	program  flow.Program
	registry *action.Registry
	flows    map[string][]byte
	recorded map[string]bool // types of actions that do not run
	noted    map[string]bool // what there are notes of

	seen       chan observed // what the flow does
	journal    strings.Builder
	last       []string // the last lines of the journal
	recordName string   // of the last recording that was begun

	mu         sync.Mutex
	waiting    map[string][]*waiter // by what they ask for, guarded by mu
	registered chan struct{}        // closed at the next waiter, guarded by mu
	status     string               // of the call, guarded by mu
}

// observed is something that the flow does; it goes on when done is closed.
type observed struct {
	in   *call.Input
	done chan struct{}
}

// waiter is a use of the leg, or of something outside, that waits for what came of it.
type waiter struct {
	target string
	got    chan call.Note // of one
}

// observe hands in to the driver and waits until it has come to it.
func (r *replay) observe(in *call.Input) {
	o := observed{in, make(chan struct{})}
	r.seen <- o
	<-o.done
}

// run is the driver.
func (r *replay) run(ctx context.Context) (*Replayed, error) {
	vars, err := call.StartVars(r.trace)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	flowCtx, hangup := context.WithCancelCause(ctx)
	defer hangup(nil)
	redirect, started := hangup, 0 // redirect ends the flow that runs
	leg := newReplayLeg(ctx, r, vars)
	r.sleepUntil(r.start)
	var pending *observed
	var flowDone sync.WaitGroup
	defer func() {
		cancel()
		if pending != nil {
			close(pending.done)
		}
		stop := make(chan struct{})
		var drain sync.WaitGroup
		drain.Go(func() { // lets the flow come to its end
			for {
				select {
				case o := <-r.seen:
					close(o.done)
				case <-stop:
					return
				}
			}
		})
		flowDone.Wait()
		leg.work.Wait()
		close(stop)
		drain.Wait()
	}()
	got := &Replayed{}
	var m call.Machine
	for i := range r.trace {
		in := &r.trace[i]
		if text := journalLine(in); text != "" && r.program != nil {
			if d := r.expect(in, text, &pending, leg); d != nil {
				return nil, d
			}
		} else if d := r.reach(i, &pending); d != nil {
			return nil, d
		}
		effects, err := stepGuarded(&m, in)
		if err != nil {
			return nil, r.diverge(in, "engine", in.Did, err.Error())
		}
		if did := call.Summary(effects); in.Did != "" && did != in.Did {
			return nil, r.diverge(in, "engine", in.Did, did)
		}
		got.Effects = append(got.Effects, slices.Clone(effects)...)
		r.setStatus(m.Snapshot().Record.Status)
		for j := range effects {
			switch e := &effects[j]; e.Do {
			case call.DoDigit:
				leg.Put(e.Text)
			case call.DoCancelFlow:
				hangup(action.ErrHangup)
			case call.DoRedirect:
				redirect(call.ErrRedirected)
			case call.DoStartFlow:
				if r.program == nil {
					break
				}
				program := r.program
				if started > 0 { // the flow of a redirect
					if program, err = r.redirected(i); err != nil {
						return nil, err
					}
				}
				started++
				ctx, end := context.WithCancelCause(flowCtx)
				defer end(nil)
				redirect = end
				flowDone.Go(func() { r.runFlow(ctx, program, leg) })
			}
		}
		if d := r.feed(in, leg, hangup); d != nil {
			return nil, d
		}
	}
	got.State, got.Journal = m.Snapshot(), r.journal.String()
	return got, nil
}

// stepGuarded makes a panic of the loop an error: an input may hold what the engine never writes.
func stepGuarded(m *call.Machine, in *call.Input) (effects []call.Effect, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return m.Step(in), nil
}

// expect waits until the flow does what it did at in.
func (r *replay) expect(in *call.Input, text string, pending **observed, leg *replayLeg) *Divergence {
	r.sleepUntil(in.At.Time)
	if in.Kind == call.KindEnded {
		synctest.Wait()
		leg.standIn(in, r.fatal(in))
	}
	if *pending == nil {
		limit := time.NewTimer(r.cfg.Within)
		defer limit.Stop()
		select {
		case o := <-r.seen:
			*pending = &o
		case <-limit.C:
			return r.diverge(in, "flow", text, "")
		}
	}
	now := journalLine((*pending).in)
	if !flowtest.SameButIDs(now, text) {
		return r.diverge(in, "flow", text, now)
	}
	at := time.Since(r.start)
	writeStep(&r.journal, in.At.Sub(r.start), text)
	r.last = append(r.last, fmt.Sprintf("%.3fs %s", at.Seconds(), text))
	r.last = r.last[max(0, len(r.last)-6):]
	close((*pending).done)
	*pending = nil
	synctest.Wait() // what the flow does at this instant comes before what happens next
	return nil
}

// reach lets time pass until input i, which is none of the flow's. What the flow does meanwhile must be what it did next.
func (r *replay) reach(i int, pending **observed) *Divergence {
	in := &r.trace[i]
	until := time.NewTimer(time.Until(in.At.Time))
	defer until.Stop()
	for {
		seen := r.seen
		if *pending != nil {
			seen = nil
		}
		select {
		case <-until.C:
			return nil
		case o := <-seen:
			*pending = &o
			next := r.next(i)
			if next == nil {
				return r.diverge(in, "flow", "", journalLine(o.in))
			}
			if text, now := journalLine(next), journalLine(o.in); !flowtest.SameButIDs(text, now) || time.Until(next.At.Time) > r.cfg.Within {
				if flowtest.SameButIDs(text, now) {
					text += fmt.Sprintf("\nlater, at %.3f s", next.At.Sub(r.start).Seconds())
					now += fmt.Sprintf("\nat %.3f s", time.Since(r.start).Seconds())
				}
				return r.diverge(next, "flow", text, now)
			}
		}
	}
}

// next is what the flow did after input i.
func (r *replay) next(i int) *call.Input {
	for ; i < len(r.trace); i++ {
		if journalLine(&r.trace[i]) != "" {
			return &r.trace[i]
		}
	}
	return nil
}

// fatal tells whether the flow ended with the error of a step.
func (r *replay) fatal(in *call.Input) bool {
	for i := in.Seq - r.trace[0].Seq + 1; i < len(r.trace); i++ {
		switch next := &r.trace[i]; next.Kind {
		case call.KindStarted:
			return false
		case call.KindFlowEnded:
			return next.Flow.Fatal
		}
	}
	return false
}

// feed gives what the flow learned at in to who waits for it.
func (r *replay) feed(in *call.Input, leg *replayLeg, hangup context.CancelCauseFunc) *Divergence {
	if in.Kind == call.KindCommand && in.Command.Record != nil {
		r.recordName = in.Command.Record.Name
	}
	n := in.Note
	if n == nil {
		return nil
	}
	switch n.What {
	case "skip":
		leg.endStep(action.ErrSkip)
	case "continue":
		leg.endStep(action.ErrContinue)
	case "stop":
		hangup(call.ErrStopped)
	case call.NoteOutbound:
		_ = n.SetOutbound(&leg.vars) // it was within the limits
	case "program", "vars", "background", "follow", "wait", "play_into", "talk_into":
	default:
		if r.program != nil {
			return r.give(in, *n)
		}
	}
	return nil
}

// give waits until somebody asks for n, and hands it out.
func (r *replay) give(in *call.Input, n call.Note) *Divergence {
	limit := time.NewTimer(r.cfg.Within)
	defer limit.Stop()
	synctest.Wait()
	for {
		r.mu.Lock()
		all := r.waiting[n.What]
		i := slices.IndexFunc(all, func(w *waiter) bool { return flowtest.SameButIDs(w.target, n.Target) || n.Target == "" })
		if i >= 0 {
			w := all[i]
			r.waiting[n.What] = slices.Delete(all, i, i+1)
			r.mu.Unlock()
			w.got <- n
			synctest.Wait()
			return nil
		}
		var asked string
		if len(all) > 0 {
			asked = n.What + " " + all[0].target
		}
		more := r.registered
		r.mu.Unlock()
		select {
		case <-more:
		case <-limit.C:
			return r.diverge(in, "flow", n.What+" "+n.Target, asked)
		}
	}
}

// ask waits for what came of a use of something outside. The error is the cause of ctx. Of prompts and
// speech nothing is there where the program did not use call.Noted: they were well then.
func (r *replay) ask(ctx context.Context, what, target string) (call.Note, error) {
	if !r.noted[what] && (what == "prompt" || what == "speech") {
		return call.Note{}, nil
	}
	w := &waiter{target, make(chan call.Note, 1)}
	r.mu.Lock()
	r.waiting[what] = append(r.waiting[what], w)
	close(r.registered)
	r.registered = make(chan struct{})
	r.mu.Unlock()
	select {
	case n := <-w.got:
		return n, nil
	case <-ctx.Done():
	}
	// What was cut left a note, too, with what there was already.
	select {
	case n := <-w.got:
		return n, nil
	case <-time.After(r.cfg.Within):
		r.mu.Lock()
		defer r.mu.Unlock()
		r.waiting[what] = slices.DeleteFunc(r.waiting[what], func(o *waiter) bool { return o == w })
		return call.Note{}, context.Cause(ctx)
	}
}

func (r *replay) diverge(in *call.Input, part, recorded, now string) *Divergence {
	return &Divergence{Seq: in.Seq, At: in.At.Sub(r.start), Part: part, Recorded: recorded, Now: now, Before: r.last}
}

func (r *replay) setStatus(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = s
}

func (r *replay) sleepUntil(t time.Time) {
	if d := time.Until(t); d > 0 {
		time.Sleep(d)
	}
}
