package rtp

import "time"

// source follows one stream of the peer: its SSRC and numbering (RFC 3550 A.1), what
// was lost (A.3) and its jitter (A.8). The zero value waits for a first packet.
type source struct {
	known    bool
	ssrc     uint32
	highest  uint32 // extended sequence number
	first    uint32
	received uint64 // of this SSRC
	window   uint64 // bit i: highest-i has come
	last     time.Duration

	// A candidate for the place of a stream that jumped: taken if its next one follows.
	badSSRC uint32
	badSeq  uint16
	bad     bool

	transit    int64
	hasTransit bool
	jitter     float64 // in timestamp units

	priorExpected uint32
	priorReceived uint64

	// Sums over all SSRCs of the leg.
	lostBefore int64
	duplicates uint64
	reordered  uint64
	restarts   uint64
}

// verdict on a packet.
type verdict uint8

const (
	refused   verdict = iota // not counted
	duplicate                // came before
	accepted
	began // accepted, and numbering begins anew: a new SSRC or a jump
)

const (
	maxDropout  = 3000 // RFC 3550 A.1
	maxMisorder = 100
	// takeover is after how much silence of the known SSRC another one is believed at once.
	takeover = 100 * time.Millisecond
)

// take judges a packet from the latched address.
func (s *source) take(ssrc uint32, seq uint16, now time.Duration) verdict {
	if !s.known {
		s.begin(ssrc, seq, now)
		return began
	}
	if ssrc != s.ssrc {
		if now-s.last < takeover && !s.follows(ssrc, seq) {
			return refused
		}
		s.begin(ssrc, seq, now)
		return began
	}
	delta := seq - uint16(s.highest)
	switch {
	case delta == 0:
		s.duplicates++
		return duplicate
	case delta < maxDropout:
		s.highest += uint32(delta)
		if delta < 64 {
			s.window = s.window<<delta | 1
		} else {
			s.window = 1
		}
	case delta > 0xffff-maxMisorder:
		back := -delta
		if back < 64 {
			if s.window>>back&1 != 0 {
				s.duplicates++
				return duplicate
			}
			s.window |= 1 << back
		}
		if s.highest-uint32(back) < s.first || back >= 64 {
			return refused // from before the beginning, or too old to tell
		}
		s.reordered++
	default:
		if !s.follows(ssrc, seq) {
			return refused
		}
		s.begin(ssrc, seq, now)
		return began
	}
	s.bad = false
	s.received++
	s.last = now
	return accepted
}

// follows notes a packet that does not fit, and tells whether it follows the one
// noted before: two in sequence are a stream.
func (s *source) follows(ssrc uint32, seq uint16) bool {
	ok := s.bad && s.badSSRC == ssrc && s.badSeq == seq
	s.bad, s.badSSRC, s.badSeq = true, ssrc, seq+1
	return ok
}

func (s *source) begin(ssrc uint32, seq uint16, now time.Duration) {
	if s.known {
		s.lostBefore += s.lostNow()
		s.restarts++
	}
	s.known, s.ssrc, s.bad = true, ssrc, false
	s.first = 1<<16 | uint32(seq) // so that a packet before the first is no underflow
	s.highest, s.window, s.received = s.first, 1, 1
	s.priorExpected, s.priorReceived = 0, 0
	s.hasTransit, s.jitter, s.last = false, 0, now
}

// measure updates the jitter by one audio packet. at and ts are in timestamp units.
func (s *source) measure(at int64, ts uint32) {
	transit := at - int64(ts)
	if s.hasTransit {
		// In 32 bits, since timestamps wrap around.
		d := int32(transit - s.transit)
		if d < 0 {
			d = -d
		}
		s.jitter += (float64(d) - s.jitter) / 16
	}
	s.transit, s.hasTransit = transit, true
}

func (s *source) expected() uint32 {
	if !s.known {
		return 0
	}
	return s.highest - s.first + 1
}

func (s *source) lostNow() int64 { return int64(s.expected()) - int64(s.received) }

// lost is how many packets did not come, of all SSRCs; never negative.
func (s *source) lost() int64 { return max(0, s.lostBefore+s.lostNow()) }

// report makes a report block; each one covers the time since the one before.
func (s *source) report() reportBlock {
	expected := s.expected()
	interval := int64(expected - s.priorExpected)
	missed := interval - int64(s.received-s.priorReceived)
	s.priorExpected, s.priorReceived = expected, s.received
	b := reportBlock{ssrc: s.ssrc, highest: s.highest - 1<<16, jitter: uint32(s.jitter)}
	b.lost = int32(max(-0x800000, min(0x7fffff, s.lostNow())))
	if interval > 0 && missed > 0 {
		b.fraction = uint8(min(255, missed<<8/interval))
	}
	return b
}

// yield lets the next SSRC take over at once: the peer's address has changed.
func (s *source) yield() {
	if s.known {
		s.last = -takeover
	}
}
