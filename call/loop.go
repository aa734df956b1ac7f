package call

import (
	"runtime/debug"
	"time"

	"github.com/callbin/callbin/store"
)

// post hands in to the loop. It never blocks.
func (c *Call) post(in Input) {
	if c.enqueue(in) {
		c.engine.wg.Go(c.loop)
	}
}

// feed posts in and, where no other goroutine is at it, consumes it on this one.
func (c *Call) feed(in Input) {
	if c.enqueue(in) {
		c.loop()
	}
}

// enqueue adds in, and tells whether the caller has to see to it that the loop runs.
func (c *Call) enqueue(in Input) (mine bool) {
	if k := c.secret.Load(); k != nil {
		in = k.conceal(in)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.work == nil {
		c.work = c.engine.workshop.take()
	}
	if in.Kind == KindMedia && c.work.waiting() >= maxQueue {
		return false // where inputs wait, the loop runs
	}
	c.hideLocked(&in)
	c.work.push(in)
	mine = !c.running
	c.running = true
	return mine
}

// loop consumes inputs until there are none.
func (c *Call) loop() {
	c.mu.Lock()
	w := c.work
	c.machine.out = w.effects[:0]
	for {
		in, ok := w.pop()
		if !ok {
			break
		}
		c.mu.Unlock()
		c.step(w, in)
		c.mu.Lock()
	}
	// A call at rest keeps nothing it does not need.
	w.effects, c.machine.out = c.machine.out, nil
	c.work, c.running = nil, false
	c.mu.Unlock()
	c.engine.workshop.give(w)
}

// step consumes one input, and those that its effects give at once.
func (c *Call) step(w *work, in Input) {
	w.pending = append(w.pending[:0], in)
	for i := 0; i < len(w.pending); i++ {
		effects := c.consume(&w.line, &w.pending[i])
		for j := range effects {
			if next, ok := c.try(&effects[j]); ok {
				w.pending = append(w.pending, next)
			}
		}
	}
}

// try performs e. A panic (of Config.OnEvent, of a Store) is the end of this one call; the effects
// beside e are performed all the same, for the call has to come to its end.
func (c *Call) try(e *Effect) (in Input, ok bool) {
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		c.log().Error("panic in a call", "do", e.Do, "panic", r, "stack", string(debug.Stack()))
		end := End{By: "local", Reason: store.ReasonFailed, Status: 500, Cause: causeOf(500), Code: CodePanic, Sentence: "an internal fault"}
		in, ok = Input{Kind: KindCommand, Command: &Command{Name: "hangup", End: &end}}, true
	}()
	return c.perform(e)
}

// consume stamps in, notes it, and takes it through the machine.
func (c *Call) consume(line *traceLine, in *Input) []Effect {
	c.stateMu.Lock()
	defer c.stateMu.Unlock()
	c.seq++
	in.Seq, in.At = c.seq, store.At(time.Now())
	c.now = in.At
	effects := c.machine.Step(in)
	if in.Kind == KindOutgoing && c.out != nil {
		close(c.out.began)
	}
	in.Did = Summary(effects)
	c.remember(line, in)
	return effects
}

// remember adds in to the trace. What cannot be written, or has no room, leaves a gap in
// the numbers, which a replay finds.
func (c *Call) remember(line *traceLine, in *Input) {
	if c.trace.size >= MaxTrace {
		return
	}
	text, err := line.of(in)
	if err != nil {
		c.log().Error("input not in the trace", "kind", in.Kind, "err", err)
		return
	}
	c.trace.add(text)
}
