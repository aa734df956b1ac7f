package action

import (
	"context"
	"io"
	"sync"

	"github.com/callbin/callbin/media"
)

// fakeLeg is a leg that plays as fast as it can and remembers what it was told.
type fakeLeg struct {
	vars Vars
	hold chan struct{} // not nil: sounds end only when it is closed, or are cut

	mu      sync.Mutex
	played  []int16 // guarded by mu
	sounds  int     // guarded by mu
	cut     int     // guarded by mu
	reports []error // guarded by mu
}

func (l *fakeLeg) ID() string                   { return "leg" }
func (l *fakeLeg) Vars() *Vars                  { return &l.vars }
func (l *fakeLeg) Answer(context.Context) error { return nil }

func (l *fakeLeg) Report(_ Info, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reports = append(l.reports, err)
}

func (l *fakeLeg) Play(ctx context.Context, src media.Source) error {
	defer closeSource(src)
	l.mu.Lock()
	l.sounds++
	l.mu.Unlock()
	if l.hold != nil {
		select {
		case <-l.hold:
		case <-ctx.Done():
			l.mu.Lock()
			defer l.mu.Unlock()
			l.cut++
			return context.Cause(ctx)
		}
	}
	buf := make([]int16, media.FrameLen(src.Rate()))
	for {
		n, err := src.ReadFrame(buf)
		l.mu.Lock()
		l.played = append(l.played, buf[:n]...)
		l.mu.Unlock()
		if err == io.EOF {
			return nil
		}
	}
}

// fakeSource yields n samples of one value and counts how often it was closed.
type fakeSource struct {
	rate, n int
	value   int16
	err     error // at the end; nil: io.EOF
	closed  int
}

func (s *fakeSource) Rate() int { return s.rate }

func (s *fakeSource) ReadFrame(dst []int16) (int, error) {
	n := min(s.n, len(dst), media.FrameLen(s.rate))
	for i := range dst[:n] {
		dst[i] = s.value
	}
	if s.n -= n; s.n > 0 {
		return n, nil
	}
	if s.err != nil {
		return n, s.err
	}
	return n, io.EOF
}

func (s *fakeSource) Close() error {
	s.closed++
	return nil
}
