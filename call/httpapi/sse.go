package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/callbin/callbin/call"
)

// sse serves events as Server-Sent Events (WHATWG HTML, 9.2).
func (a *api) sse(r *request, e Events, p streamParams) (raw, error) {
	last := p.LastEventID
	if h := r.http.Header.Get("Last-Event-ID"); h != "" { // of a browser that comes back by itself to the URL that it has
		last = h
	}
	leave, err := a.streams.enter()
	if err != nil {
		return nil, err
	}
	sub, lost, err := subscribe(e, []call.EventFilter{p.filter()}, last)
	if err != nil {
		leave()
		return nil, err
	}
	return func(w http.ResponseWriter, r *http.Request) {
		defer leave()
		defer sub.Close()
		s := sseWriter{w: w, control: http.NewResponseController(w)}
		ctx, cancel := a.untilOver(r.Context())
		defer cancel()
		err := s.run(ctx, sub, lost)
		a.streamEnded(r, err)
	}, nil
}

// streamEnded logs the end of a stream that its reader has not wanted.
func (a *api) streamEnded(r *http.Request, err error) {
	if reason, _ := whyOver(err); reason == "slow_reader" || errors.Is(err, errStalled) {
		a.cfg.Logger.Warn("event stream dropped", "path", r.URL.Path, "remote", r.RemoteAddr, "err", err)
	}
}

// errStalled is a reader that takes nothing.
var errStalled = fmt.Errorf("the reader has taken nothing for %v", streamWrite)

type sseWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	text    []byte // of what is written next
	flushed time.Time
}

// gather is how long events gather after others have been written: one that comes alone goes at once, of many each costs less.
const gather = 20 * time.Millisecond

// run writes events until sub or ctx ends, and tells why.
func (s *sseWriter) run(ctx context.Context, sub *call.Subscription, lost bool) error {
	_ = s.control.SetReadDeadline(time.Time{}) // that of the request would end the stream
	h := s.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // proxies have to pass it on at once
	s.text = append(s.text, "retry: 2000\n\n"...)
	if lost {
		s.say("events_lost", "events_lost", lostMessage)
	}
	for {
		if sub.Waiting() == 0 && len(s.text) > 0 && !s.gathers(ctx, sub) {
			if err := s.flush(); err != nil {
				return err
			}
		}
		ev, text, err := next(ctx, sub)
		switch {
		case err == nil:
			s.text = fmt.Appendf(s.text, "id: %s\nevent: %s\ndata: %s\n\n", ev.ID, ev.Type, text)
		case errors.Is(err, errIdle):
			s.text = append(s.text, ":\n\n"...)
		default:
			if reason, message := whyOver(err); reason != "" {
				s.say("end", reason, message)
				_ = s.flush() // it is the end anyhow
			}
			return err
		}
		if len(s.text) > 32<<10 {
			if err := s.flush(); err != nil {
				return err
			}
		}
	}
}

// gathers waits until it is time to write, and tells whether more has come meanwhile.
func (s *sseWriter) gathers(ctx context.Context, sub *call.Subscription) bool {
	wait := gather - time.Since(s.flushed)
	if wait <= 0 {
		return false
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	return sub.Waiting() > 0
}

// say writes a message that is no event: it has no id, so that the reader still knows its last one.
func (s *sseWriter) say(event, reason, message string) {
	text, _ := json.Marshal(streamNote{Type: event, Reason: reason, Message: message}) // strings: it cannot fail
	s.text = fmt.Appendf(s.text, "event: %s\ndata: %s\n\n", event, text)
}

func (s *sseWriter) flush() error {
	if len(s.text) == 0 {
		return nil
	}
	_ = s.control.SetWriteDeadline(time.Now().Add(streamWrite)) // of what has none, the server's own holds
	_, err := s.w.Write(s.text)
	s.flushed = time.Now()
	if s.text = s.text[:0]; err == nil {
		err = s.control.Flush()
	}
	if isTimeout(err) {
		return fmt.Errorf("%w: %w", errStalled, err)
	}
	return err
}

// streamNote is a message of a stream that is no event.
type streamNote struct {
	Type    string   `json:"type"`
	Reason  string   `json:"reason,omitempty"`
	Message string   `json:"message,omitempty"`
	Topics  []string `json:"topics,omitempty"`
}

// errIdle: there was no event for a while.
var errIdle = errors.New("nothing happens")

// next is the next event, or errIdle.
func next(ctx context.Context, sub *call.Subscription) (call.Event, []byte, error) {
	if sub.Waiting() == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, streamIdle, errIdle)
		defer cancel()
	}
	return sub.NextJSON(ctx)
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}
