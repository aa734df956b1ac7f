package call

import (
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/sip"
)

// Stats are the counters of an engine.
type Stats struct {
	Calls       int // that are up
	Groupcalls  int // that are up, those within others too
	Draining    bool
	Subscribers int // of events
	Overload    OverloadStats
	SIP         sip.Stats
	Lateness    media.LatenessStats // of the media threads
}

// Stats returns the engine's counters.
func (e *Engine) Stats() Stats {
	e.mu.Lock()
	calls, groupcalls := len(e.calls), len(e.groupcalls)
	e.mu.Unlock()
	return Stats{
		Calls: calls, Groupcalls: groupcalls, Subscribers: int(e.events.readers.Load()), Draining: e.draining.Load(), Overload: e.overload.stats(), SIP: e.sip.Stats(), Lateness: e.Lateness(),
	}
}
