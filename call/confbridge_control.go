package call

import (
	"fmt"
	"slices"
	"strings"
)

// Confbridge returns the bridge that the call is in.
func (c *Call) Confbridge() (b *Confbridge, ok bool) {
	b = c.bridge.Load()
	return b, b != nil
}

// Confbridge returns the bridge called id that can be joined by that name: that of a conference, or one of the moment. Those of
// connects are found by Call.Confbridge.
func (e *Engine) Confbridge(id string) (*Confbridge, bool) {
	e.rooms.mu.Lock()
	defer e.rooms.mu.Unlock()
	b, ok := e.rooms.bridges[id]
	return b, ok
}

// Type is store.TypeConnect or store.TypeConference.
func (b *Confbridge) Type() string { return b.kind }

// Conference returns the conference whose bridge it is.
func (b *Confbridge) Conference() (*Conference, bool) { return b.conf, b.conf != nil }

// Calls are the calls in the bridge, the oldest first.
func (b *Confbridge) Calls() []*Call {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]*Call, 0, len(b.members))
	for c := range b.members {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *Call) int { return strings.Compare(a.id, b.id) }) // ids grow with time
	return all
}

// Kick takes a call out of the bridge: its flow goes on. ErrNotInConference.
func (b *Confbridge) Kick(callID string) error {
	if b.conf != nil {
		return b.conf.Kick(callID)
	}
	c, ok := b.engine.Call(callID)
	if !ok || c.bridge.Load() != b {
		return fmt.Errorf("%w: %.80q", ErrNotInConference, callID)
	}
	b.leave(c)
	return nil
}

// SetNoAutoLeave is VoIPBIN's flag no_auto_leave: a bridge that has it does not end by itself, be it that one of two has left, or all of
// a bridge of the moment. Taking it away ends the bridge where that is due.
func (b *Confbridge) SetNoAutoLeave(on bool) {
	b.mu.Lock()
	b.noAutoLeave = on
	b.mu.Unlock()
	b.reap()
}

// Terminate ends the bridge: all are taken out, and their flows go on.
func (b *Confbridge) Terminate() {
	if b.conf != nil {
		b.conf.Terminate()
		return
	}
	b.close()
}
