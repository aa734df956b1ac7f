package call

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// Defaults of subscriptions.
const (
	DefaultEventBuffer  = 256
	DefaultEventHistory = 4096
	minEventHistory     = 256
	maxEventBuffer      = 1 << 16
)

// Reasons for the end of a Subscription.
var (
	// ErrSlowSubscriber: more events waited than fit into the buffer. Subscribing again after the last event that was read gives
	// those that were missed, as long as they are kept.
	ErrSlowSubscriber = errors.New("call: the subscriber is too slow: more events wait than its buffer holds")
	// ErrEventsLost is returned by Subscribe where the event After is not kept any more, or is not of this engine: what came since
	// then is not all there.
	ErrEventsLost = errors.New("call: events were lost: the last one that was read is not kept any more")
	// ErrEngineEnded: no more events will come.
	ErrEngineEnded = errors.New("call: the engine has ended")
	// ErrUnsubscribed: Close was called.
	ErrUnsubscribed = errors.New("call: the subscription was closed")
)

// EventFilter chooses events; an empty field chooses all. All given fields have to match.
type EventFilter struct {
	Types        []string // exactly, or with "*" at the end: "call_*"
	CallID       string   // also stays in conferences and queues of that call
	JourneyID    string
	ConferenceID string
}

func (f *EventFilter) wants(ev *Event) bool {
	if f.CallID != "" && f.CallID != ev.CallID || f.JourneyID != "" && f.JourneyID != ev.JourneyID ||
		f.ConferenceID != "" && f.ConferenceID != ev.ConferenceID {
		return false
	}
	return len(f.Types) == 0 || slices.ContainsFunc(f.Types, func(t string) bool {
		start, all := strings.CutSuffix(t, "*")
		return t == ev.Type || all && strings.HasPrefix(ev.Type, start)
	})
}

// SubscribeOptions choose events; an empty field chooses all. All given fields have to match.
type SubscribeOptions struct {
	Types        []string // these are as in EventFilter
	CallID       string
	JourneyID    string
	ConferenceID string
	// Any are filters of which one has to match, too; Subscription.Choose changes them. Nil: no matter; empty but not nil: no event is wanted yet.
	Any []EventFilter
	// Buffer is how many events may wait to be read, at most 65,536; 0: DefaultEventBuffer. When one more comes the subscription
	// ends with ErrSlowSubscriber: a call never waits.
	Buffer int
	// After is the ID of the last event that was read: those that came since then come first, as far as they match. The engine keeps
	// Config.EventHistory of them. "": events from now on.
	After string
}

func (o *SubscribeOptions) wants(ev *Event) bool {
	f := EventFilter{Types: o.Types, CallID: o.CallID, JourneyID: o.JourneyID, ConferenceID: o.ConferenceID}
	return f.wants(ev) && (o.Any == nil || slices.ContainsFunc(o.Any, func(f EventFilter) bool { return f.wants(ev) }))
}

// Subscription is a reader of events. It holds up nobody: one that is not read ends when its buffer is full. Its methods are safe for any
// goroutine.
type Subscription struct {
	log  *eventLog
	o    SubscribeOptions
	from uint64
	ch   chan *told
	err  error // guarded by log.subMu; nil: it goes on
}

// Subscribe begins to gather the events that o chooses. Close it after use. ErrEventsLost, ErrEngineEnded.
//
// An event is what happened, in Event's order, not what is: a resource may have moved on when its event is read. What must
// not be missed is asked for again after the last event that was read (After), and where that is too long ago, from the store.
func (e *Engine) Subscribe(o SubscribeOptions) (*Subscription, error) {
	if o.Buffer < 0 || o.Buffer > maxEventBuffer {
		return nil, fmt.Errorf("call: subscribe: a buffer of %d events is not 0 to %d", o.Buffer, maxEventBuffer)
	}
	if o.Buffer == 0 {
		o.Buffer = DefaultEventBuffer
	}
	o.Types, o.Any = slices.Clone(o.Types), slices.Clone(o.Any)
	return e.events.subscribe(o)
}

// KeepEvents has events kept from now on, up to Config.EventHistory of them, though nobody has subscribed yet.
func (e *Engine) KeepEvents() { e.events.on.Store(true) }

// RecentEvents returns at most n of the events that are kept and that o chooses, the last one first. before is the ID of an event that those
// have to be older than; "": none. Events are kept from the first subscription, or KeepEvents, on.
func (e *Engine) RecentEvents(o SubscribeOptions, before string, n int) []Event {
	return e.events.recent(&o, before, n)
}

// Choose has the subscription want what one of the filters chooses, from now on: what was told before is not affected.
func (s *Subscription) Choose(any []EventFilter) {
	s.log.subMu.Lock()
	defer s.log.subMu.Unlock()
	if s.err != nil {
		return
	}
	s.from = s.log.flush(s)
	s.o.Any = slices.Clone(any)
}

// Waiting is how many events wait to be read.
func (s *Subscription) Waiting() int { return len(s.ch) }

// Next waits for the next event. Its error is Err once the subscription has ended and all that was gathered is read, or the cause of ctx.
func (s *Subscription) Next(ctx context.Context) (Event, error) {
	ev, err := s.next(ctx)
	if err != nil {
		return Event{}, err
	}
	return ev.Event, nil
}

// NextJSON is Next with the event's JSON, which is made once for all who ask for it: it must not be changed.
func (s *Subscription) NextJSON(ctx context.Context) (Event, []byte, error) {
	ev, err := s.next(ctx)
	if err != nil {
		return Event{}, nil, err
	}
	text, err := ev.json()
	if err != nil {
		return Event{}, nil, fmt.Errorf("call: event %s: %w", ev.ID, err)
	}
	return ev.Event, text, nil
}

func (s *Subscription) next(ctx context.Context) (*told, error) {
	var ev *told
	var ok bool
	select {
	case ev, ok = <-s.ch: // what is there comes first
	default:
		select {
		case ev, ok = <-s.ch:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	if !ok {
		return nil, s.Err()
	}
	return ev, nil
}

// All yields the events until the subscription or ctx ends; Err tells why the subscription did.
func (s *Subscription) All(ctx context.Context) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for {
			ev, err := s.Next(ctx)
			if err != nil || !yield(ev) {
				return
			}
		}
	}
}

// Err tells why the subscription has ended: ErrSlowSubscriber, ErrEngineEnded or ErrUnsubscribed; nil while it has not.
func (s *Subscription) Err() error {
	s.log.subMu.Lock()
	defer s.log.subMu.Unlock()
	return s.err
}

// Close ends the subscription. What was told before can still be read. It is idempotent.
func (s *Subscription) Close() {
	s.log.subMu.Lock()
	defer s.log.subMu.Unlock()
	s.log.flush(s)
	s.log.drop(s, ErrUnsubscribed)
}
