package verify

import (
	"crypto/sha256"
	"net/netip"
	"sync"
	"time"

	"github.com/callbin/callbin/sip"
)

// maxSeen is how many PASSporTs are remembered; half of it for certain. Beyond, the oldest are forgotten, and with it that they
// may not come again.
const maxSeen = 1 << 17

// seen remembers the PASSporTs of calls for as long as they are fresh, in two halves: the older one is thrown away as a whole.
type seen struct {
	keep time.Duration // at least

	mu       sync.Mutex
	now, old map[[sha256.Size]byte]sighting // guarded by mu
	since    time.Time                      // guarded by mu; of now
}

// sighting is the request that a PASSporT came with.
type sighting struct {
	call [sha256.Size]byte // Call-ID and tag of the caller
	cseq uint32
	from netip.Addr
}

// again notes that the PASSporT with this key came with req, and tells whether it has come with another call before. The same call that tries again
// from the same place, as after a challenge (RFC 8224 6.2.3), is no other one.
func (s *seen) again(key [sha256.Size]byte, req *sip.Request, at time.Time) bool {
	this := sighting{sha256.Sum256([]byte(req.CallID + "\x00" + req.From.Tag)), req.CSeq, req.Source.Addr()}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now == nil || at.Sub(s.since) > s.keep || len(s.now) >= maxSeen/2 {
		s.now, s.old, s.since = map[[sha256.Size]byte]sighting{}, s.now, at
	}
	last, there := s.now[key]
	if !there {
		last, there = s.old[key]
	}
	if there && (last.call != this.call || last.from != this.from || last.cseq >= this.cseq) {
		return true
	}
	s.now[key] = this
	return false
}
