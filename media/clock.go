package media

import (
	"math/bits"
	"sync/atomic"
	"time"
)

const (
	slotLen      = time.Millisecond
	slots        = int64(FrameDuration / slotLen)
	maxCatchUpMS = 3 * slots // frames further behind are skipped, not run in a burst
)

// clock ticks what beats on one shard: ports, and parts of bridges. A beat has a fixed
// slot of 1 ms within the frame; frame n of slot k is due at exactly (n*20 + k) ms of the shard's
// time, so that no error adds up. It knows the next occupied slot, and its shard sleeps
// until then: an idle clock never wakes. All of it is owned by the shard, except late.
type clock struct {
	shard   *Shard
	cur     int64 // the next slot to run, in ms of shard time
	beats   [slots][]*beat
	settled [slots]int // ports that have this slot, ticking or not
	lazy    [slots]int // of beats, those that are lazy
	ticking int
	timers  timerHeap
	late    lateness
}

// beat is something that ticks once a frame while it is on.
type beat struct {
	tick func(frame uint64)
	slot int // -1: none yet
	pos  int // among the beats of the slot
	on   bool
	lazy bool // it sends nothing, and may be a little late: no need to wake for it alone
}

// maxLazy is how late a lazy beat may be. It has to leave the jitter buffer, which takes half a frame
// for itself, within a whole one.
const maxLazy = 5 * time.Millisecond

// ease makes b lazy or not.
func (c *clock) ease(b *beat, lazy bool) {
	if b.lazy == lazy {
		return
	}
	b.lazy = lazy
	switch {
	case !b.on:
	case lazy:
		c.lazy[b.slot]++
	default:
		c.lazy[b.slot]--
	}
}

// settle gives b the least used slot, unless it has one.
func (c *clock) settle(b *beat) {
	if b.slot >= 0 {
		return
	}
	b.slot = 0
	for i, n := range c.settled {
		if n < c.settled[b.slot] {
			b.slot = i
		}
	}
	c.settled[b.slot]++
}

// unsettle takes b's slot away.
func (c *clock) unsettle(b *beat) {
	c.set(b, false)
	if b.slot >= 0 {
		c.settled[b.slot]--
		b.slot = -1
	}
}

// set starts and stops b.
func (c *clock) set(b *beat, on bool) {
	if on == b.on {
		return
	}
	if b.on = on; !on {
		l := c.beats[b.slot]
		last := l[len(l)-1]
		l[b.pos], last.pos = last, b.pos
		l[len(l)-1] = nil
		c.beats[b.slot] = l[:len(l)-1]
		c.ticking--
		if b.lazy {
			c.lazy[b.slot]--
		}
		return
	}
	c.settle(b)
	if c.ticking == 0 {
		c.cur = int64(c.shard.now/slotLen) + 1
	}
	c.ticking++
	b.pos = len(c.beats[b.slot])
	c.beats[b.slot] = append(c.beats[b.slot], b)
	if b.lazy {
		c.lazy[b.slot]++
	}
}

// run runs what is due at now: timers, then slots in order.
func (c *clock) run(now time.Duration) {
	for len(c.timers) > 0 && c.timers[0].at <= now {
		t := c.timers[0]
		c.timers.remove(t)
		t.Fire()
	}
	if c.ticking == 0 {
		return
	}
	nowMS := int64(now / slotLen)
	if nowMS-c.cur > maxCatchUpMS {
		// Held up for long. A burst of old frames would only become delay at the
		// peer, so all go on with their latest frame.
		c.cur = nowMS - slots + 1
		c.late.rebases.Add(1)
	}
	for ; c.cur <= nowMS; c.cur++ {
		slot := c.cur % slots
		if len(c.beats[slot]) == 0 {
			continue
		}
		by := now - time.Duration(c.cur)*slotLen
		frame := uint64(c.cur / slots)
		// Downwards, since a beat may stop within its own tick.
		for i := len(c.beats[slot]) - 1; i >= 0; i-- {
			b := c.beats[slot][i]
			if !b.lazy {
				c.late.add(by)
			}
			b.tick(frame)
		}
	}
}

// next is when the clock wants to run again, negative for never.
func (c *clock) next() time.Duration {
	at := time.Duration(-1)
	if c.ticking > 0 {
		for i := range slots {
			slot := (c.cur + i) % slots
			due := time.Duration(c.cur+i) * slotLen
			if n := len(c.beats[slot]); n > c.lazy[slot] {
				if at < 0 || due < at {
					at = due
				}
				break
			} else if n > 0 && at < 0 {
				at = due + maxLazy
			}
		}
	}
	if len(c.timers) > 0 && (at < 0 || c.timers[0].at < at) {
		at = c.timers[0].at
	}
	return at
}

// Timer calls Fire on the shard that it was set on. It is a plain field of what
// uses it; setting it allocates nothing.
type Timer struct {
	Fire func()

	at    time.Duration
	index int // in the heap, +1; 0: not set
}

// SetTimer makes t fire once at the shard's time at, instead of an earlier setting.
func (s *Shard) SetTimer(t *Timer, at time.Duration) {
	if t.index > 0 {
		s.clock.timers.remove(t)
	}
	t.at = at
	s.clock.timers.push(t)
}

// StopTimer unsets t.
func (s *Shard) StopTimer(t *Timer) {
	if t.index > 0 {
		s.clock.timers.remove(t)
	}
}

// timerHeap is a binary heap by at, whose timers know their places.
type timerHeap []*Timer

func (h *timerHeap) push(t *Timer) {
	*h = append(*h, t)
	t.index = len(*h)
	h.up(len(*h) - 1)
}

func (h *timerHeap) remove(t *Timer) {
	i, last := t.index-1, len(*h)-1
	h.swap(i, last)
	(*h)[last] = nil
	*h = (*h)[:last]
	t.index = 0
	if i < last {
		h.down(i)
		h.up(i)
	}
}

func (h timerHeap) swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i+1, j+1
}

func (h timerHeap) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if h[parent].at <= h[i].at {
			return
		}
		h.swap(i, parent)
		i = parent
	}
}

func (h timerHeap) down(i int) {
	for {
		c := 2*i + 1
		if c >= len(h) {
			return
		}
		if c+1 < len(h) && h[c+1].at < h[c].at {
			c++
		}
		if h[i].at <= h[c].at {
			return
		}
		h.swap(i, c)
		i = c
	}
}

// LatenessStats tells how late the ticks of media clocks began after their due times.
type LatenessStats struct {
	Ticks    uint64        `json:"ticks"`
	P50      time.Duration `json:"p50_ns"`
	P99      time.Duration `json:"p99_ns"`
	Max      time.Duration `json:"max_ns"`
	CatchUps uint64        `json:"catch_ups"` // ticks that began a frame late or more
	Rebases  uint64        `json:"rebases"`   // times that a clock was so late that it skipped frames
}

// lateness is a histogram in microseconds with eight steps an octave (12 % wide).
// The shard adds, anybody reads.
type lateness struct {
	buckets           [8 * 26]atomic.Uint64
	max               atomic.Int64 // ns
	catchUps, rebases atomic.Uint64
}

func (h *lateness) add(d time.Duration) {
	if d < 0 {
		d = 0
	}
	h.buckets[bucketOf(uint64(d/time.Microsecond))].Add(1)
	if int64(d) > h.max.Load() {
		h.max.Store(int64(d))
	}
	if d >= FrameDuration {
		h.catchUps.Add(1)
	}
}

func bucketOf(us uint64) int {
	if us < 8 {
		return int(us)
	}
	e := bits.Len64(us) - 4 // us>>e is 8..15
	return min(8*(e+1)+int(us>>e)-8, 8*26-1)
}

// bucketTop is the largest value of bucket i.
func bucketTop(i int) time.Duration {
	if i < 8 {
		return time.Duration(i) * time.Microsecond
	}
	e := i/8 - 1
	return time.Duration((uint64(i%8)+9)<<e-1) * time.Microsecond
}

func (h *lateness) merge(o *lateness) {
	for i := range o.buckets {
		h.buckets[i].Add(o.buckets[i].Load())
	}
	h.max.Store(max(h.max.Load(), o.max.Load()))
	h.catchUps.Add(o.catchUps.Load())
	h.rebases.Add(o.rebases.Load())
}

func (h *lateness) stats() LatenessStats {
	st := LatenessStats{Max: time.Duration(h.max.Load()), CatchUps: h.catchUps.Load(), Rebases: h.rebases.Load()}
	for i := range h.buckets {
		st.Ticks += h.buckets[i].Load()
	}
	st.P50, st.P99 = h.quantile(st.Ticks, 0.50), h.quantile(st.Ticks, 0.99)
	return st
}

func (h *lateness) quantile(total uint64, q float64) time.Duration {
	if total == 0 {
		return 0
	}
	rank := uint64(q * float64(total-1))
	var sum uint64
	for i := range h.buckets {
		if sum += h.buckets[i].Load(); sum > rank {
			return min(bucketTop(i), time.Duration(h.max.Load()))
		}
	}
	return time.Duration(h.max.Load())
}
