package flowtest

import (
	"slices"
	"sync"
	"time"
)

// log keeps the events of a call.
type log struct {
	start time.Time

	mu     sync.Mutex
	events []Event       // guarded by mu
	more   chan struct{} // guarded by mu; closed at the next event
}

func newLog() *log { return &log{start: time.Now(), more: make(chan struct{})} }

func (l *log) add(kind Kind, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, Event{At: time.Since(l.start), Kind: kind, Text: text})
	close(l.more)
	l.more = make(chan struct{})
}

// after returns the events from the nth on, and a channel that is closed at the next one.
func (l *log) after(n int) ([]Event, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.events[n:len(l.events):len(l.events)], l.more
}

func (l *log) all() []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.events)
}
