package call

import (
	"encoding/json"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
)

// eventLog numbers events, keeps the last ones, and hands them to subscribers. Who tells an event pays for its place in the ring and nothing
// else, however many read it: one goroutine, which runs while there is something to hand out, does the rest.
type eventLog struct {
	size    int          // of ring
	on      atomic.Bool  // somebody has subscribed: events are kept from then on
	readers atomic.Int32 // how many subscriptions there are

	mu      sync.Mutex
	ring    []*told        // guarded by mu; the last ones: event i is ring[i%size]
	next    uint64         // guarded by mu; of the event that comes next
	out     uint64         // guarded by mu; of the event that is handed out next
	running bool           // guarded by mu; dispatch is
	seqs    map[string]int // guarded by mu; by Event.subject
	closed  bool           // guarded by mu

	// Taken before mu, and held while events are handed out.
	subMu  sync.Mutex
	subs   map[*Subscription]struct{} // guarded by subMu; those that do not want one call only
	byCall map[string][]*Subscription // guarded by subMu; those that do
}

// told is an event that was told, and its JSON, which is made once however many send it on.
type told struct {
	Event
	once sync.Once
	text []byte
	err  error
}

func (t *told) json() ([]byte, error) {
	t.once.Do(func() { t.text, t.err = json.Marshal(&t.Event) })
	return t.text, t.err
}

func newEventLog(size int) *eventLog {
	return &eventLog{size: size, seqs: map[string]int{}, subs: map[*Subscription]struct{}{}, byCall: map[string][]*Subscription{}}
}

// add numbers ev and keeps it. It tells whether the caller has to see to it that dispatch runs.
func (l *eventLog) add(ev *Event) (mine bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ev.ID = newID() // under the lock: ids grow in the order of the log
	key := ev.subject()
	l.seqs[key]++
	ev.Seq = l.seqs[key]
	if ev.final() {
		delete(l.seqs, key)
	}
	if !l.on.Load() || l.closed {
		return false
	}
	kept := &told{Event: *ev} // shared by all who read it
	if len(l.ring) < l.size {
		l.ring = append(l.ring, kept)
	} else {
		l.ring[l.next%uint64(l.size)] = kept
	}
	l.next++
	mine = !l.running && l.readers.Load() > 0
	l.running = l.running || mine
	return mine
}

// oldest is the number of the oldest event that is kept. mu is held.
func (l *eventLog) oldest() uint64 { return l.next - uint64(len(l.ring)) }

// batch copies events that wait into b and returns the number of the first. None: dispatch is over. lost: more was told than is kept
// before dispatch had its turn.
func (l *eventLog) batch(b []*told) (n int, first uint64, lost bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if lost = l.out < l.oldest(); lost {
		l.out = l.oldest()
	}
	if n = min(len(b), int(l.next-l.out)); n == 0 || l.readers.Load() == 0 {
		l.running, l.out = false, l.next
		return 0, 0, false
	}
	for i := range n {
		b[i] = l.ring[(l.out+uint64(i))%uint64(l.size)]
	}
	first = l.out
	l.out += uint64(n)
	return n, first, lost
}

// dispatch hands out what waits.
func (l *eventLog) dispatch() {
	var b [16]*told
	for l.dispatchSome(b[:]) {
	}
}

// dispatchSome tells whether there may be more. What it takes out of the ring is handed out when subMu is free again: see flush.
func (l *eventLog) dispatchSome(b []*told) bool {
	l.subMu.Lock()
	defer l.subMu.Unlock()
	n, first, lost := l.batch(b)
	for s := range l.all(lost) {
		if s.from < first {
			l.drop(s, ErrSlowSubscriber)
		}
	}
	for i := range n {
		l.hand(b[i], first+uint64(i))
	}
	return n > 0
}

// flush hands s what was told so far, before it ends or wants something else, and returns the number of the event that comes next. subMu is held.
func (l *eventLog) flush(s *Subscription) (next uint64) {
	l.mu.Lock()
	next = l.next
	if !l.running {
		l.mu.Unlock()
		return next
	}
	first := max(l.out, l.oldest())
	missed := s.from < first && first > l.out
	left := make([]*told, 0, l.next-first)
	for n := first; n < l.next; n++ {
		left = append(left, l.ring[n%uint64(l.size)])
	}
	l.mu.Unlock()
	if missed {
		l.drop(s, ErrSlowSubscriber)
	}
	for i, ev := range left {
		if s.err != nil {
			break
		}
		l.offer(s, ev, first+uint64(i))
	}
	return next
}

// all yields the subscriptions, if want. subMu is held; dropping them meanwhile is allowed.
func (l *eventLog) all(want bool) func(yield func(*Subscription) bool) {
	return func(yield func(*Subscription) bool) {
		if !want {
			return
		}
		for s := range l.subs {
			if !yield(s) {
				return
			}
		}
		for _, few := range l.byCall {
			for _, s := range slices.Clone(few) {
				if !yield(s) {
					return
				}
			}
		}
	}
}

// hand gives ev, which has number n, to those who want it. subMu is held.
func (l *eventLog) hand(ev *told, n uint64) {
	for _, s := range slices.Clone(l.byCall[ev.CallID]) {
		l.offer(s, ev, n)
	}
	for s := range l.subs {
		l.offer(s, ev, n)
	}
}

func (l *eventLog) offer(s *Subscription, ev *told, n uint64) {
	if n < s.from || !s.o.wants(&ev.Event) {
		return
	}
	select {
	case s.ch <- ev:
	default:
		l.drop(s, ErrSlowSubscriber)
	}
}

// drop ends a subscription. subMu is held.
func (l *eventLog) drop(s *Subscription, why error) {
	if s.err != nil {
		return
	}
	delete(l.subs, s)
	if id := s.o.CallID; id != "" {
		left := slices.DeleteFunc(slices.Clone(l.byCall[id]), func(x *Subscription) bool { return x == s })
		if l.byCall[id] = left; len(left) == 0 {
			delete(l.byCall, id)
		}
	}
	l.readers.Add(-1)
	s.err = why
	close(s.ch)
}

// subscribe begins a subscription.
func (l *eventLog) subscribe(o SubscribeOptions) (*Subscription, error) {
	l.subMu.Lock()
	defer l.subMu.Unlock()
	missed, from, err := l.begin(&o)
	if err != nil {
		return nil, err
	}
	s := &Subscription{log: l, o: o, from: from, ch: make(chan *told, o.Buffer+len(missed))}
	for _, ev := range missed {
		s.ch <- ev
	}
	if o.CallID == "" {
		l.subs[s] = struct{}{}
	} else {
		l.byCall[o.CallID] = append(l.byCall[o.CallID], s)
	}
	return s, nil
}

// begin finds what came after the event o.After, and the number of the first event that is to be handed out.
func (l *eventLog) begin(o *SubscribeOptions) (missed []*told, from uint64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, 0, ErrEngineEnded
	}
	if o.After != "" {
		at := func(i int) *told { return l.ring[(l.oldest()+uint64(i))%uint64(l.size)] }
		kept := len(l.ring)
		i := sort.Search(kept, func(i int) bool { return at(i).ID >= o.After })
		if i == kept || at(i).ID != o.After {
			return nil, 0, ErrEventsLost
		}
		for i++; i < kept; i++ {
			if ev := at(i); o.wants(&ev.Event) {
				missed = append(missed, ev)
			}
		}
	}
	l.on.Store(true)
	if l.readers.Add(1); !l.running {
		l.out = l.next
	}
	return missed, l.next, nil
}

// recent returns at most n of the events that are kept and that o chooses, the last one first; before is the ID of an event that those
// have to be older than.
func (l *eventLog) recent(o *SubscribeOptions, before string, n int) (list []Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := l.next; i > l.oldest() && len(list) < n; i-- {
		ev := l.ring[(i-1)%uint64(l.size)]
		if (before == "" || ev.ID < before) && o.wants(&ev.Event) {
			list = append(list, ev.Event)
		}
	}
	return list
}

// close ends all subscriptions: no more events will come.
func (l *eventLog) close() {
	l.subMu.Lock()
	defer l.subMu.Unlock()
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	for s := range l.all(true) {
		l.flush(s)
		l.drop(s, ErrEngineEnded)
	}
}
