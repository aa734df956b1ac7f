package media

import "sync/atomic"

// inboxLen is a power of two: 4096 packets are 80 ms of 1,000 calls.
const inboxLen = 4096

// inbox is a bounded queue of many writers and one reader without a lock: each
// cell carries a turn number that says whose turn it is (D. Vyukov's bounded
// queue). A writer never waits; it is refused when the ring is full.
type inbox struct {
	cells []inboxCell
	mask  uint64
	tail  atomic.Uint64 // next to write
	head  uint64        // next to read; owned by the reader
}

type inboxCell struct {
	turn atomic.Uint64
	d    Delivery
}

func (q *inbox) init(n int) {
	q.cells = make([]inboxCell, n)
	q.mask = uint64(n - 1)
	for i := range q.cells {
		q.cells[i].turn.Store(uint64(i))
	}
}

func (q *inbox) push(d Delivery) bool {
	for {
		pos := q.tail.Load()
		c := &q.cells[pos&q.mask]
		switch turn := c.turn.Load(); {
		case turn == pos:
			if q.tail.CompareAndSwap(pos, pos+1) {
				c.d = d
				c.turn.Store(pos + 1)
				return true
			}
		case turn < pos:
			return false // still unread from the round before: full
		}
	}
}

// drain delivers what is there now, at most one round, so that a flood cannot
// keep the clock waiting; more tells whether it stopped for that.
func (q *inbox) drain() (more bool) {
	for range len(q.cells) {
		c := &q.cells[q.head&q.mask]
		if c.turn.Load() != q.head+1 {
			return false
		}
		d := c.d
		c.d = nil
		c.turn.Store(q.head + uint64(len(q.cells)))
		q.head++
		d.Deliver()
	}
	return true
}
