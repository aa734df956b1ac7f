package flowtest

import (
	"context"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/media"
)

// What a call needs that is no Leg, as those of calltest.RunScript.

// Script is s with the lines of Config.Around.
func (f *Flow) Script(s Script) Script { return s.with(f.around...) }

// World is what s says, with the lines of Config.Around, around a call of the flow that starts now, or at the date
// in s: it sleeps until then.
func (f *Flow) World(s Script) (*World, error) {
	s = f.Script(s)
	time.Sleep(time.Until(s.date()))
	return NewWorld(s)
}

// Program is the flow, made of actions that work with w. It begins where the script says, and logs how it ends.
func (f *Flow) Program(w *World) (flow.Program, error) {
	p, err := f.program(f.registry(w))
	if err != nil {
		return nil, err
	}
	return flow.Func(func(ctx context.Context, leg action.Leg) error {
		err := runFrom(ctx, p, leg, w.begin)
		w.finish(err)
		return err
	}), nil
}

// Result is what came of a call in w that is over: its flow began with some variables and ended with others, and err.
// What the call has left open is among the failures.
func (f *Flow) Result(w *World, before, after map[string]string, err error) *Result {
	r := &Result{Script: w.script}
	f.fill(r, w, before, after, err)
	r.leaks = w.leaks()
	r.Failures = append(r.Failures, r.leaks...)
	return r
}

// Start is when the call began.
func (w *World) Start() time.Time { return w.start }

// Play lets p play src, and logs what is heard of it.
func (w *World) Play(ctx context.Context, p action.Player, src media.Source) error {
	if _, ok := src.(*Sound); !ok && !isOurs(src) {
		w.Log(KindSound, "%T %d Hz", src, src.Rate())
	}
	start := time.Now()
	err := p.Play(ctx, src)
	w.playing(err != nil, time.Since(start))
	return err
}
