package sip

import (
	"hash/maphash"
	"math/rand/v2"
	"sync"
	"time"
)

// strayLife is how long a request can come again (64*T1, RFC 3261 17.2.2).
const strayLife = 64 * t1

// strayTable remembers which requests were answered, so that their
// retransmissions are known as such when the dialog is gone or has moved on. An
// entry is a hash and a time: a response without body can be built anew from
// the request that came again, and so can most of what a late response to our
// INVITE wants.
type strayTable struct {
	seed maphash.Seed
	max  int

	mu    sync.Mutex // guards the rest
	known map[uint64]uint32
	notes map[uint64]*inviteNote // of a few entries
	ring  []stray                // in the order of their end
	first int                    // of ring, oldest
	start time.Time
}

type stray struct {
	key uint64
	end uint32 // milliseconds since start
}

func newStrayTable(max int) *strayTable {
	return &strayTable{seed: maphash.MakeSeed(), max: max, known: make(map[uint64]uint32), notes: make(map[uint64]*inviteNote), start: time.Now()}
}

func (t *strayTable) key(m *message) uint64 {
	return t.keyOf(m.method, m.callID, m.fromTag, m.via.key(), m.cseq)
}

func (t *strayTable) keyOf(method, callID, fromTag, branch string, cseq uint32) uint64 {
	var h maphash.Hash
	h.SetSeed(t.seed)
	for _, s := range [...]string{method, callID, fromTag, branch} {
		_, _ = h.WriteString(s)
		_ = h.WriteByte(0)
	}
	for range 4 {
		_ = h.WriteByte(byte(cseq))
		cseq >>= 8
	}
	return h.Sum64()
}

// add remembers key for strayLife.
func (t *strayTable) add(key uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.insert(key)
}

// addNote is add, with what else there is to know.
func (t *strayTable) addNote(key uint64, n *inviteNote) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.insert(key)
	t.notes[key] = n
}

// note returns what was added with key, nil: nothing.
func (t *strayTable) note(key uint64) *inviteNote {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.notes[key]
}

// addNew is add for a key that is not there yet, and says whether it was not.
func (t *strayTable) addNew(key uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if end, ok := t.known[key]; ok && int32(end-t.now()) > 0 {
		return false
	}
	t.insert(key)
	return true
}

func (t *strayTable) insert(key uint64) {
	now := t.now()
	t.expire(now)
	if len(t.known) >= t.max {
		t.drop()
	}
	end := now + uint32(strayLife/time.Millisecond)
	t.known[key] = end
	t.ring = append(t.ring, stray{key, end})
}

// has says whether key was added within strayLife.
func (t *strayTable) has(key uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	end, ok := t.known[key]
	return ok && int32(end-t.now()) > 0
}

func (t *strayTable) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire(t.now())
	return len(t.known)
}

// now wraps after 49 days; differences stay right.
func (t *strayTable) now() uint32 { return uint32(time.Since(t.start) / time.Millisecond) }

func (t *strayTable) expire(now uint32) {
	for t.first < len(t.ring) && int32(t.ring[t.first].end-now) <= 0 {
		t.drop()
	}
}

// drop forgets the oldest entry.
func (t *strayTable) drop() {
	s := t.ring[t.first]
	if t.known[s.key] == s.end {
		delete(t.known, s.key)
		delete(t.notes, s.key)
	}
	t.first++
	if t.first == len(t.ring) {
		t.ring, t.first = t.ring[:0], 0
		if cap(t.ring) > 4096 {
			// A quiet hour gives back what a busy one has taken.
			t.ring, t.known, t.notes = nil, make(map[uint64]uint32), make(map[uint64]*inviteNote)
		}
	} else if t.first > 4096 && t.first > len(t.ring)/2 {
		n := copy(t.ring, t.ring[t.first:])
		t.ring, t.first = t.ring[:n], 0
	}
}

func newSecret() uint64 { return rand.Uint64() }
