package rtp

import (
	"encoding/binary"
	"time"

	"github.com/callbin/callbin/media"
)

// relayed is a key press that another leg's peer makes, as our peer sees it.
type relayed struct {
	known bool
	event uint8
	time  uint32 // its timestamp there
	at    uint32 // and here
}

// ForwardKeys is media.Line's.
func (s *session) ForwardKeys(w media.KeyWriter) { s.keys = w }

// relay hands on a packet of a key press, and tells whether it was sent.
func (s *session) relay(h header, payload []byte) bool {
	if s.keys == nil || len(payload) < 4 || !s.n.Direction.Receives() {
		return false
	}
	units := binary.BigEndian.Uint16(payload[2:])
	k := &s.shard.Scratch().Key
	*k = media.Key{
		Event: payload[0], End: payload[1]&0x80 != 0, Volume: payload[1] & 0x3f,
		Duration: time.Duration(units) * time.Second / time.Duration(s.n.DTMFRate),
		Time:     h.time, Seq: h.seq - s.skipped, Passing: s.forward != nil,
	}
	return s.keys.WriteKey(k)
}

// WriteKey is media.Line's. All packets of a press have one timestamp, ours; each has the next
// number, or where audio passes too, the one that keeps its place among that.
func (s *session) WriteKey(k *media.Key) bool {
	if !s.sends() || s.n.DTMFRate == 0 || !s.n.DTMFEvents.Has(k.Event) || s.press.down {
		return false
	}
	r := &s.relayed
	begins := false
	switch same := r.known && r.event == k.Event; {
	case same && r.time == k.Time:
	case r.known && int32(k.Time-r.time) < 0 && int32(r.time-k.Time) < int32(maxPress/time.Second)*int32(s.n.DTMFRate):
		return false // overtaken by the next key
	case same && k.Time-r.time == 0xffff: // the next segment of a long one (RFC 4733 2.5.1.3)
		r.time, r.at = k.Time, r.at+0xffff
	default:
		begins = true
		*r = relayed{known: true, event: k.Event, time: k.Time}
		if r.at = s.eventTime(); s.passing && k.Passing {
			r.at = k.Time + s.timOffset
		}
	}
	if s.passing && k.Passing {
		seq := k.Seq + s.seqOffset
		s.sendEvent(k.Event, k.Volume, k.End, begins, seq, r.at, k.Duration)
		if int16(seq-s.seq) >= 0 {
			s.seq = seq + 1
		}
		return true
	}
	s.writeEvent(k.Event, k.Volume, k.End, begins, r.at, k.Duration)
	return true
}
