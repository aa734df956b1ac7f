package flowtest

import "github.com/callbin/callbin/action"

// caller is the other end of a Leg.
type caller struct{ leg *Leg }

// Caller is the other end of the leg.
func (l *Leg) Caller() Caller { return caller{l} }

func (c caller) Press(digits string) {
	l := c.leg
	l.mu.Lock()
	defer l.mu.Unlock()
	l.Log(KindPress, "%s", digits)
	l.noteKeysLocked(digits)
	l.digits.Put(digits)
}

func (c caller) Hangup() { c.leg.end(KindCaller, "hangs up") }

func (c caller) Leave() {
	l := c.leg
	l.mu.Lock()
	defer l.mu.Unlock()
	l.Log("leave", "")
	close(l.left)
	l.left = make(chan struct{})
}

func (c caller) Skip(cause error) {
	l := c.leg
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.skip != nil {
		l.skip(cause)
	}
}

// end ends the call, if it is not over.
func (l *Leg) end(kind Kind, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over && kind == KindCaller {
		return
	}
	l.over = true
	l.Log(kind, "%s", text)
	l.hangup(action.ErrHangup)
}
