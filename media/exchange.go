package media

import (
	"sync/atomic"
	"time"
)

// maxLate is how long a part waits for the sums of others after its own turn. All have the same
// slot, so that this is what one thread may be behind another without being missed.
const maxLate = 3 * time.Millisecond

// exchange is how the parts of one bridge get each other's sums: as deliveries, each of which
// is written by one shard, handed over, and given back when it was read.
type exchange struct {
	timer   Timer
	waiting int                       // sums that are to come for the present frame
	out     [][exchangeDepth]*partial // by part
	early   [][exchangeDepth]*partial // of frames whose turn is to come, by part
}

// exchangeDepth is how many frames a part may be behind another.
const exchangeDepth = 4

// partial is the sum of one part in one frame.
type partial struct {
	from, to      *part
	busy          atomic.Bool // it is on its way, or being read
	frame         uint64
	rate          int
	voices, spoke int
	sum           []int32
	apart         []int16 // what is played to all but deaf; only home's
	deaf          *Port
}

// Deliver takes it in, on the shard of to.
func (d *partial) Deliver() { d.to.take(d) }

// swap hands this part's sum to the others and adds theirs. It tells whether some are
// missing, for which finish is called later.
func (pt *part) swap() (missing bool) {
	parts := *pt.b.parts.Load()
	if len(parts) == 1 {
		return false
	}
	x, e := &pt.mix, &pt.exchange
	for len(e.out) < len(parts) {
		e.out, e.early = append(e.out, [exchangeDepth]*partial{}), append(e.early, [exchangeDepth]*partial{})
	}
	e.waiting = 0
	for _, q := range parts {
		if q == pt || !q.active.Load() {
			continue
		}
		e.waiting++
		slot := &e.out[q.id][x.frame%exchangeDepth]
		if *slot == nil {
			*slot = &partial{from: pt, to: q, sum: make([]int32, frameMax), apart: make([]int16, 0, frameMax)}
		}
		d := *slot
		if d.busy.Load() {
			continue // the other one is far behind
		}
		d.busy.Store(true)
		d.frame, d.rate, d.voices, d.spoke = x.frame, x.rate, x.voices, x.spoke
		copy(d.sum, x.sum)
		d.apart, d.deaf = append(d.apart[:0], x.apart[:x.apartN]...), x.deaf
		if !q.shard.hand(d) {
			d.busy.Store(false)
		}
	}
	for i := range e.early {
		for k, d := range e.early[i] {
			if d == nil || d.frame > x.frame {
				continue
			}
			e.early[i][k] = nil
			pt.takeIn(d)
		}
	}
	if e.waiting <= 0 {
		return false
	}
	pt.shard.SetTimer(&e.timer, pt.shard.Now()+maxLate)
	return true
}

// take takes another part's sum as it arrives.
func (pt *part) take(d *partial) {
	x, e := &pt.mix, &pt.exchange
	if x.due && d.frame == x.frame {
		if pt.takeIn(d); e.waiting <= 0 {
			pt.finish()
		}
		return
	}
	if d.frame <= x.frame || !pt.active.Load() {
		d.busy.Store(false) // this part went on without it
		return
	}
	for len(e.early) <= d.from.id {
		e.out, e.early = append(e.out, [exchangeDepth]*partial{}), append(e.early, [exchangeDepth]*partial{})
	}
	slot := &e.early[d.from.id][d.frame%exchangeDepth]
	if *slot != nil {
		(*slot).busy.Store(false)
	}
	*slot = d
}

// takeIn adds d to the sum, if it fits, and gives it back.
func (pt *part) takeIn(d *partial) {
	x := &pt.mix
	if d.frame == x.frame {
		pt.exchange.waiting--
		if d.rate == x.rate {
			if d.voices > 0 {
				for i, v := range d.sum[:len(x.sum)] {
					x.sum[i] += v
				}
				x.voices += d.voices
			}
			if len(d.apart) > 0 {
				x.apartN, x.deaf = copy(x.apart, d.apart), d.deaf
			}
			x.spoke += d.spoke
		}
	}
	d.busy.Store(false)
}

// giveUp goes on without those that are late.
func (pt *part) giveUp() {
	pt.late.Add(uint64(max(0, pt.exchange.waiting)))
	pt.finish()
}

func (e *exchange) stop(s *Shard) {
	e.waiting = 0
	s.StopTimer(&e.timer)
}
