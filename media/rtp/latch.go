package rtp

import (
	"net/netip"
	"time"
)

// latch knows who the peer is. Its audio is expected from the address in its SDP, but
// behind a NAT comes from elsewhere, so:
//
//   - the SDP's address is believed at once, and over any other
//   - before it was heard, the first valid packet tells
//   - afterwards another address is believed only after 2 s of silence, or new SDP
//
// Where the system can, the socket is then connected to the peer, so that an
// intruder's packets are dropped before they cost anything.
type latch struct {
	peer      netip.AddrPort // invalid: not latched
	strong    bool           // it is the SDP's, or has been heard for settleTime
	since     time.Duration
	connected bool
	refused   bool // the system would not connect
}

// settleTime is how long the SDP's own address can still take over from another one.
const settleTime = 5 * time.Second

// accept tells whether a valid packet from an address is the peer's, and latches.
func (s *session) accept(from netip.AddrPort, now time.Duration) bool {
	l := &s.latch
	if from == l.peer {
		return true
	}
	switch {
	case !l.peer.IsValid():
	case !l.strong && from == s.n.Remote:
	case now-s.source.last >= silenceLimit && now-l.since >= silenceLimit:
	default:
		return false
	}
	s.wire.disconnect()
	*l = latch{peer: from, strong: from == s.n.Remote, since: now}
	s.source.yield()
	s.event(Event{Kind: EventLatched, Remote: from.String()})
	s.connect()
	s.soon(now)
	return true
}

// connect lets the kernel watch over a latch that is final.
func (s *session) connect() {
	l := &s.latch
	if l.strong && !l.connected && !l.refused {
		l.connected = s.wire.connect(l.peer) == nil
		l.refused = !l.connected
	}
}

// house does what is due and returns the next time that something will be.
func (l *latch) house(s *session, now time.Duration) (next time.Duration, ok bool) {
	if !l.peer.IsValid() {
		return 0, false
	}
	if !l.strong && now >= l.since+settleTime {
		l.strong = true
	}
	silent := max(s.source.last, l.since) + silenceLimit
	if now >= silent {
		if l.connected {
			l.connected = false
			s.wire.disconnect() // a peer whose NAT chose another port can be heard again
		}
		return 0, false // heard sets it going again
	}
	s.connect()
	if !l.strong {
		return min(silent, l.since+settleTime), true
	}
	return silent, true
}

// heard is called for each packet of the peer.
func (l *latch) heard(s *session, now time.Duration) {
	if l.strong && !l.connected && !l.refused {
		s.connect()
		s.soon(now)
	}
}

// soon makes house run, after what is being done now.
func (s *session) soon(now time.Duration) { s.shard.SetTimer(&s.timer, now) }
