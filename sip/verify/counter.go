package verify

import "time"

// key names one counter: a limit, and the values by which it counts.
type key struct {
	limit int
	name  string
}

// counter is what is known of one key. It belongs to a Velocity, whose mu guards it.
type counter struct {
	key    key
	frozen int64   // until then all is refused
	full   int64   // LimitPerSecond: when the bucket is full again
	log    []entry // of what leaves the window after a while
	sum    int64   // of log
	held   int64   // of calls that are up: how many, or what is set aside for them
	seen   []sight
	passes int // that are not over
}

// entry is n of what is counted, at t.
type entry struct{ t, n int64 }

// sight is a destination, caller or country that was seen at t; of a country, since begins the pause.
type sight struct {
	name     string
	t, since int64
}

// age drops what has left the window. What came at t counts until just before t and the window.
func (v *Velocity) age(c *counter, l *limit, now int64) {
	window := l.window
	if l.Kind == LimitFirstCountry {
		window = 90 * day
	}
	i := 0
	for ; i < len(c.log) && c.log[i].t+window <= now; i++ {
		c.sum -= c.log[i].n
	}
	if v.entries -= i; i == len(c.log) {
		c.log = nil
	} else if i > 0 {
		c.log = append(c.log[:0], c.log[i:]...)
	}
	kept := c.seen[:0]
	for _, s := range c.seen {
		if s.t+window > now {
			kept = append(kept, s)
		}
	}
	v.entries -= len(c.seen) - len(kept)
	clear(c.seen[len(kept):])
	if c.seen = kept; len(kept) == 0 {
		c.seen = nil
	}
}

// void tells whether c may be forgotten: it says the same as one that is new.
func (v *Velocity) void(c *counter, now int64) bool {
	v.age(c, &v.limits[c.key.limit], now)
	return c.passes == 0 && c.frozen <= now && c.full <= now && len(c.log) == 0 && len(c.seen) == 0
}

// add counts n now. Where there is no room for times of their own, they become later ones: what is counted too long
// refuses, but never lets pass.
func (v *Velocity) add(c *counter, l *limit, n, now int64) {
	if l.quantum > 0 {
		now = (now + l.quantum - 1) / l.quantum * l.quantum
	}
	c.sum += n
	if i := len(c.log) - 1; i >= 0 && (c.log[i].t == now || v.entries >= maxEntries || i > 2*maxCounted) {
		c.log[i].n += n
		c.log[i].t = now
		return
	}
	v.entries++
	c.log = append(c.log, entry{now, n})
}

// see notes a name. Beyond most, and where there is no room, the oldest is forgotten: of destinations, over refuses before that.
func (v *Velocity) see(c *counter, name string, now int64, most int) {
	oldest := 0
	for i := range c.seen {
		if c.seen[i].name == name {
			c.seen[i].t = now
			return
		}
		if c.seen[i].t < c.seen[oldest].t {
			oldest = i
		}
	}
	if len(c.seen) >= most || len(c.seen) > 0 && v.entries >= maxEntries {
		c.seen[oldest] = sight{name, now, now}
		return
	}
	v.entries++
	c.seen = append(c.seen, sight{name, now, now})
}

func (c *counter) sight(name string) *sight {
	for i := range c.seen {
		if c.seen[i].name == name {
			return &c.seen[i]
		}
	}
	return nil
}

// over tells whether a call with a would be more than l allows.
func (v *Velocity) over(c *counter, l *limit, a *asked, now int64, wall time.Time) bool {
	if c.frozen > now {
		return true
	}
	v.age(c, l, now)
	most := l.at(l.Max, wall)
	switch l.Kind {
	case LimitPerSecond:
		burst := l.at(l.Burst, wall)
		return most == 0 || burst == 0 || c.full-now > (burst-1)*interval(most)
	case LimitCalls:
		return c.sum >= most
	case LimitConcurrent:
		return c.held >= most
	case LimitMinutes, LimitSpend:
		return c.sum+c.held+max(a.need(l), 1) > most
	case LimitDestinations:
		return c.sight(a.destination) == nil && (int64(len(c.seen)) >= most || v.entries >= maxEntries)
	case LimitShortCalls:
		return len(c.log) >= l.Last && c.sum*100 > l.Max*int64(len(c.log))
	case LimitOneRing:
		return int64(len(c.seen)) > most
	case LimitFirstCountry:
		s := c.sight(a.country)
		return s == nil || now < s.since+l.window
	}
	return false
}

// interval is the time that one call takes of a bucket, rounded up.
func interval(perSecond int64) int64 {
	return (int64(time.Second) + perSecond - 1) / perSecond
}

// take counts a call that may go on.
func (v *Velocity) take(c *counter, l *limit, a *asked, now int64, wall time.Time) {
	switch l.Kind {
	case LimitPerSecond:
		if most := l.at(l.Max, wall); most > 0 {
			c.full = max(c.full, now) + interval(most)
		}
	case LimitCalls:
		v.add(c, l, 1, now)
	case LimitConcurrent:
		c.held++
	case LimitMinutes, LimitSpend:
		c.held += a.need(l)
	case LimitDestinations:
		v.see(c, a.destination, now, maxCounted)
	case LimitFirstCountry:
		v.see(c, a.country, now, maxCounted)
	}
}
