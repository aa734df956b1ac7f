package rtp

import (
	"net/netip"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/codec"
)

const comfortNoise = 13 // payload type (RFC 3389)

// rtpIn takes a datagram of the RTP socket.
func (s *session) rtpIn(b []byte, from netip.AddrPort, now time.Duration) {
	if s.closed {
		return
	}
	if isRTCP(b) {
		if s.n.RTCPMux {
			s.rtcpIn(b, from)
		} else {
			s.count.invalid++
		}
		return
	}
	h, err := parseHeader(b)
	if err != nil || len(b) > maxPacket {
		s.count.invalid++
		return
	}
	format := s.formatOf(h.payloadType)
	isDigit := s.n.DTMFRate > 0 && h.payloadType == s.n.DTMFReceivePayloadType
	if format == nil && !isDigit && h.payloadType != comfortNoise {
		s.count.invalid++
		return
	}
	if !s.accept(from, now) {
		s.count.foreign++
		return
	}
	if !s.latch.connected {
		s.latch.heard(s, now)
	}
	v := s.source.take(h.ssrc, h.seq, now)
	switch v {
	case refused:
		s.count.invalid++
		return
	case duplicate:
		return
	case began:
		s.fresh = true
		if s.jitter != nil {
			s.jitter.reset()
		}
	}
	s.count.packetsIn++
	s.count.bytesIn += uint64(h.end - h.start)
	s.timed = false
	if s.first == 0 {
		s.first = now
	}
	if isDigit {
		s.skipped++
		s.digit(h, b[h.start:h.end], now)
		return
	}
	if format == nil {
		s.skipped++
		if s.jitter != nil {
			s.jitter.pause()
		}
		return
	}
	s.source.measure(mediaTime(now, format.codec.ClockRate()), h.time)
	if h.start == h.end || !s.n.Direction.Receives() {
		s.skipped++
		return
	}
	s.listenTo(format, b[h.start:h.end])
	if s.forward != nil {
		p := &s.shard.Scratch().Forward
		*p = media.Packet{Buf: b[:h.end], Start: h.start, Codec: format.codec.Name(), Seq: h.seq - s.skipped, Time: h.time, First: s.fresh, Mark: h.marker}
		s.fresh = false
		s.forward.WritePacket(p)
		return
	}
	if s.jitter != nil {
		if format.dec == nil {
			format.dec = format.codec.NewDecoder()
		}
		s.jitter.put(h.seq, h.time, b[h.start:h.end], format.dec, now)
	}
}

// mediaTime is a time of the shard in units of a clock.
func mediaTime(now time.Duration, rateHz int) int64 {
	return int64(now/time.Microsecond) * int64(rateHz) / 1_000_000
}

func (s *session) formatOf(payloadType uint8) *receiveFormat {
	for i := range s.formats {
		if s.formats[i].payloadType == payloadType {
			return &s.formats[i]
		}
	}
	return nil
}

func (s *session) digit(h header, payload []byte, now time.Duration) {
	wasDown, was := s.digits.down, s.digits.event
	ended := s.digits.length(s.n.DTMFRate)
	event, down, ok := s.digits.packet(h.ssrc, h.time, payload, now)
	if !ok {
		return
	}
	if down {
		if wasDown { // the end of the one before was lost
			s.event(Event{Kind: EventDigitEnd, Digit: digitNames[was : was+1], DurationMS: int(ended.Milliseconds())})
		}
		s.pressed++
		s.event(Event{Kind: EventDigit, Digit: digitNames[event : event+1], Remote: s.latch.peer.String()})
	}
	switch {
	case down && !s.digits.down, wasDown && !down && !s.digits.down:
		s.digitEnd()
	case down:
		s.soon(now)
	}
}

func (s *session) digitEnd() {
	e := s.digits.event
	s.event(Event{Kind: EventDigitEnd, Digit: digitNames[e : e+1], DurationMS: int(s.digits.length(s.n.DTMFRate).Milliseconds())})
}

// Forward is media.Line's.
func (s *session) Forward(w media.PacketWriter) {
	s.forward = w
	s.fresh, s.skipped = true, 0
}

// Listen is media.Line's: a jitter buffer lives as long as somebody listens.
func (s *session) Listen(on bool) {
	if !on {
		if s.jitter != nil {
			s.keepJitterStats()
			s.jitter = nil
		}
		return
	}
	s.jitter = newJitterBuffer(s.cfg.MinWait, s.cfg.MaxWait)
	if s.n.Codec != nil {
		s.jitter.configure(s.n.Codec.ClockRate(), s.n.Codec.SampleRate(), s.cfg.MinWait, s.cfg.MaxWait)
	}
}

func (s *session) keepJitterStats() {
	j, sum := s.jitter, &s.jitStats
	sum.late += j.late
	sum.duplicate += j.duplicate
	sum.concealed += j.concealed
	sum.resyncs += j.resyncs
}

// Pull is media.Line's. When the packets came the kernel tells.
func (s *session) Pull(on bool) {
	s.pulled = on
	if s.live && !s.closed {
		s.wire.pull(on)
	}
}

// Receive is media.Line's.
func (s *session) Receive() {
	if !s.closed {
		s.wire.receive()
	}
}

// ReadFrame is media.Line's.
func (s *session) ReadFrame(_ uint64, dst []int16) int {
	if s.jitter == nil || len(s.formats) == 0 {
		return 0
	}
	var dec codec.Decoder = s.formats[0].dec
	return s.jitter.get(dst, dec, s.shard.Now())
}
