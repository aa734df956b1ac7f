package httpapi

import (
	"net/http"
	"sync"
	"time"
)

// DefaultMaxStreams is how many streams of events are served at a time.
const DefaultMaxStreams = 1000

// streams are the answers that do not end by themselves.
type streams struct {
	most int

	mu     sync.Mutex
	n      int           // guarded by mu
	closed bool          // guarded by mu
	over   chan struct{} // closed when all streams are to end
	left   sync.WaitGroup
}

func newStreams(most int) *streams { return &streams{most: most, over: make(chan struct{})} }

// enter takes a place for one more stream; leave gives it back.
func (s *streams) enter() (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, &failure{code: http.StatusServiceUnavailable, status: "UNAVAILABLE", reason: "shutdown", message: "the server is about to end", retry: time.Second}
	case s.n >= s.most:
		return nil, &failure{code: http.StatusServiceUnavailable, status: "UNAVAILABLE", reason: "too_many_streams", message: "no more streams are served at the moment", retry: 10 * time.Second}
	}
	s.n++
	s.left.Add(1)
	return sync.OnceFunc(func() {
		s.mu.Lock()
		s.n--
		s.mu.Unlock()
		s.left.Done()
	}), nil
}

// end tells all streams to end, and lets no more in. It does not wait.
func (s *streams) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		close(s.over)
	}
}
