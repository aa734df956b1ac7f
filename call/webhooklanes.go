package call

import (
	"context"
	"sync"
	"time"
)

// lanes are the events that wait to be sent: a lane for each call, conference, groupcall or queue, which one worker at a time is at.
type lanes struct {
	most int
	work sync.WaitGroup // workers

	mu    sync.Mutex
	all   map[string]*lane // guarded by mu
	ready []*lane          // guarded by mu; those that a worker can be at
	over  bool             // guarded by mu; nothing more comes
	stats WebhookStats     // guarded by mu
	wake  chan struct{}    // of one worker that waits for a lane
}

// lane is a line of events.
type lane struct {
	key   string
	wait  []Event // guarded by lanes.mu
	tries int     // of the first event that waits; of who is at the lane
}

func (l *lanes) init(most int) {
	l.most, l.all, l.wake = most, map[string]*lane{}, make(chan struct{}, 1)
}

// put adds ev to its lane, or drops it where too many wait: how many that were then.
func (l *lanes) put(ev Event) (dropped uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stats.Waiting >= l.most {
		l.stats.Dropped++
		return l.stats.Dropped
	}
	l.stats.Waiting++
	key := ev.subject()
	a := l.all[key]
	if a != nil {
		a.wait = append(a.wait, ev)
		return 0
	}
	a = &lane{key: key, wait: []Event{ev}}
	l.all[key] = a
	l.readyLocked(a)
	return 0
}

func (l *lanes) readyLocked(a *lane) {
	l.ready = append(l.ready, a)
	l.wakeOne()
}

func (l *lanes) wakeOne() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// take waits for a lane; nil: there is nothing more to do.
func (l *lanes) take(ctx context.Context) *lane {
	for {
		l.mu.Lock()
		if len(l.ready) > 0 {
			a := l.ready[0]
			l.ready = l.ready[1:]
			if len(l.ready) > 0 {
				l.wakeOne()
			}
			l.mu.Unlock()
			return a
		}
		over := l.over && l.stats.Waiting == 0
		l.mu.Unlock()
		if over || ctx.Err() != nil {
			l.wakeOne() // the next worker has to see it, too
			return nil
		}
		select {
		case <-l.wake:
		case <-ctx.Done():
		}
	}
}

// first is the event of a lane that is to be sent next. None: the lane is gone.
func (l *lanes) first(a *lane) (Event, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(a.wait) == 0 {
		delete(l.all, a.key)
		if l.over && l.stats.Waiting == 0 {
			l.wakeOne()
		}
		return Event{}, false
	}
	return a.wait[0], true
}

// done takes the first event off.
func (l *lanes) done(a *lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a.wait[0] = Event{}
	a.wait, a.tries = a.wait[1:], 0
	l.stats.Waiting--
}

// rest lets a lane be taken again after d. Its worker does others meanwhile.
func (l *lanes) rest(a *lane, d time.Duration) {
	time.AfterFunc(d, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.readyLocked(a)
	})
}

// finish says that nothing more comes.
func (l *lanes) finish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	l.wakeOne()
}

func (l *lanes) lost() { l.count(func(s *WebhookStats) { s.Lost++ }) }

func (l *lanes) count(f func(s *WebhookStats)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(&l.stats)
}

func (l *lanes) counters() WebhookStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stats
}
