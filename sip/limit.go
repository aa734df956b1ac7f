package sip

import (
	"net/netip"
	"sync"
	"time"
)

// addrLimit lets each address do something burst times at once, and once every interval after that. IPv6
// addresses of one /64 are one: that is what one subscriber has.
type addrLimit struct {
	interval time.Duration
	burst    int
	max      int // addresses that are known at a time

	mu   sync.Mutex
	full map[netip.Addr]time.Time // guarded by mu; when the address has its whole burst again
}

func newAddrLimit(interval time.Duration, burst, max int) *addrLimit {
	return &addrLimit{interval: interval, burst: min(burst, 1<<30), // so that their time fits
		max: max, full: make(map[netip.Addr]time.Time)}
}

func limitKey(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		p, _ := a.Prefix(64)
		return p.Addr()
	}
	return a
}

// take uses one up; false: there is none left.
func (l *addrLimit) take(a netip.Addr) bool { return l.try(a, l.interval) }

// left tells whether there is one left.
func (l *addrLimit) left(a netip.Addr) bool { return l.try(a, 0) }

func (l *addrLimit) try(a netip.Addr, cost time.Duration) bool {
	key, now := limitKey(a), time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.full[key]
	if at.Before(now) {
		at = now
	}
	if at.Sub(now) > l.interval*time.Duration(l.burst-1) {
		return false
	}
	if cost == 0 {
		return true
	}
	if _, known := l.full[key]; !known && len(l.full) >= l.max {
		l.sweep(now)
	}
	l.full[key] = at.Add(cost)
	return true
}

// sweep forgets who has its whole burst again, and where that is nobody, somebody. l.mu is held.
func (l *addrLimit) sweep(now time.Time) {
	for a, at := range l.full {
		if !at.After(now) {
			delete(l.full, a)
		}
	}
	for a := range l.full {
		if len(l.full) < l.max-l.max/4 { // so that not each newcomer costs a look at all
			return
		}
		delete(l.full, a)
	}
}
