package calltest

import (
	"errors"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow/flowtest"
)

// scriptCaller does with a phone, and the engine's control of calls, what a script says.
type scriptCaller struct{ *scripted }

// Press presses all of digits at the same moment, as a simulated caller does.
func (c scriptCaller) Press(digits string) {
	c.world.Log(flowtest.KindPress, "%s", digits)
	if !c.phone.sound.ready() {
		c.fail(errors.New("calltest: press " + digits + ": no sound goes to the engine yet, the flow has not answered; ScriptOptions.EarlyMedia helps"))
		return
	}
	c.phone.sound.tap(digits)
}

// Hangup sends BYE, or CANCEL before the answer.
func (c scriptCaller) Hangup() {
	select {
	case <-c.ended:
		return // the engine hangs up
	case <-c.phone.Done():
		return
	default:
	}
	c.world.Log(flowtest.KindCaller, "hangs up")
	select {
	case <-c.phone.answered:
	default:
		c.phone.Cancel()
	}
	c.phone.phone.spawn(func() {
		select {
		case <-c.phone.answered: // CANCEL and 200 may have crossed
			c.phone.leave()
		case <-c.phone.done:
		}
	})
}

// Leave lets who is joined with the caller hang up, and conferences end.
func (c scriptCaller) Leave() {
	c.world.Log("leave", "")
	left := c.peers.leave()
	for f := range c.engine.Conferences() {
		f.Terminate()
		left = true
	}
	if !left {
		c.fail(errors.New("calltest: leave: nobody is joined with the caller who could"))
	}
}

// Skip ends the step that runs, unless it is over.
func (c scriptCaller) Skip(cause error) {
	c.mu.Lock()
	id, step := c.id, c.step
	c.mu.Unlock()
	real, ok := c.engine.Call(id)
	if !ok {
		return
	}
	end := real.Skip
	if errors.Is(cause, action.ErrContinue) {
		end = real.Continue
	}
	_ = end(step.ID, step.Seq) // a step that is over is no fault, nor is it in a simulated call
}
