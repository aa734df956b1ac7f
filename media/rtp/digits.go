package rtp

import (
	"encoding/binary"
	"time"
)

const digitNames = "0123456789*#ABCD"

// digitGap ends a key press whose packets stop: its end was lost. Senders update an
// event each 20 to 100 ms (RFC 4733 2.5.1.2 wants 50).
const digitGap = 250 * time.Millisecond

// digits finds key presses in telephone-event packets (RFC 4733). A press is one
// (SSRC, timestamp, event), and nothing else: the marker is often missing, and each
// packet but one may be lost. It remembers the last presses, so that a packet that
// was overtaken is not a press again.
type digits struct {
	down     bool
	event    uint8
	time     uint32
	duration uint32 // in units of the event clock
	past     uint32 // of the segments before the current one
	last     time.Duration

	seen  [8]press
	count int
}

type press struct {
	ssrc, time uint32
	event      uint8
}

// packet takes one payload. down is true for the first packet of a press; up is true
// when a press ended: e.event for ms.
func (d *digits) packet(ssrc, ts uint32, payload []byte, now time.Duration) (event uint8, down, ok bool) {
	if len(payload) < 4 || payload[0] >= uint8(len(digitNames)) {
		return 0, false, false // flash and line tones are no digits
	}
	event = payload[0]
	end := payload[1]&0x80 != 0
	duration := uint32(binary.BigEndian.Uint16(payload[2:]))

	switch p := (press{ssrc, ts, event}); {
	case d.known(p):
		if !d.down || ts != d.time || event != d.event {
			return event, false, true // repeated end, or overtaken
		}
	case d.continues(event, ts):
		// A long event goes on in a new segment with a timestamp of its own (RFC 4733 2.5.1.3).
		d.remember(p)
		d.past += 0xffff
		d.time, d.duration = ts, 0
	case d.count > 0 && d.older(ts, ssrc):
		return event, false, true // came so late that what it belonged to is forgotten
	default:
		d.remember(p)
		d.down, d.event, d.time, d.duration, d.past = true, event, ts, 0, 0
		down = true
	}
	d.last = now
	d.duration = max(d.duration, duration)
	if end {
		d.down = false
	}
	return event, down, true
}

// length is how long the last press took so far, at the clock rate of events.
func (d *digits) length(rateHz int) time.Duration {
	return time.Duration(d.past+d.duration) * time.Second / time.Duration(rateHz)
}

func (d *digits) known(p press) bool {
	for _, s := range d.seen[:min(d.count, len(d.seen))] {
		if s == p {
			return true
		}
	}
	return false
}

func (d *digits) remember(p press) {
	d.seen[d.count%len(d.seen)] = p
	d.count++
	if d.count == 2*len(d.seen) {
		d.count = len(d.seen) // keep the place, avoid overflow
	}
}

func (d *digits) continues(event uint8, ts uint32) bool {
	return d.down && event == d.event && ts-d.time == 0xffff
}

// older tells whether ts is before every press that is remembered, of the same SSRC.
func (d *digits) older(ts, ssrc uint32) bool {
	n := min(d.count, len(d.seen))
	for _, s := range d.seen[:n] {
		if s.ssrc != ssrc || int32(ts-s.time) >= 0 {
			return false
		}
	}
	return n == len(d.seen)
}
