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
	s.isBack()
	if s.first == 0 {
		s.first = now
	}
	if isDigit {
		if !s.relay(h, b[h.start:h.end]) {
			s.skipped++
		}
		s.digit(h, b[h.start:h.end], now)
		if s.jitter != nil {
			s.jitter.pause()
		}
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
	if s.jitter != nil {
		if format.dec == nil {
			format.dec = format.codec.NewDecoder()
		}
		s.jitter.put(h.seq, h.time, b[h.start:h.end], format.codec.Name(), format.dec, now)
	}
	if s.forward != nil {
		s.pass(format, h, b)
	}
}

// pass forwards a packet.
func (s *session) pass(format *receiveFormat, h header, b []byte) {
	span := s.span(format, h.end-h.start)
	if s.jitter != nil {
		s.jitter.pass(h.time, span)
	}
	p := &s.shard.Scratch().Forward
	*p = media.Packet{Buf: b[:h.end], Start: h.start, Codec: format.codec.Name(), Span: span, Seq: h.seq - s.skipped, Time: h.time, First: s.fresh, Mark: h.marker}
	s.fresh = false
	s.forward.WritePacket(p)
	if want := s.packetSpan(); span == want {
		s.odd = 0
	} else if s.odd++; s.odd == maxOdd {
		s.port.SetUneven()
	}
}

// maxOdd is how many packets of another length than agreed, one after the other, are a
// habit of the peer. A single one may be the end of a talkspurt.
const maxOdd = 3

// span is the length of a payload in units of RTP time, as far as its size tells.
func (s *session) span(f *receiveFormat, size int) int {
	if f.level != nil {
		return size // a byte is a sample
	}
	return s.packetSpan()
}

// packetSpan is the agreed length of a packet in units of RTP time.
func (s *session) packetSpan() int {
	return int(s.n.Ptime/media.FrameDuration) * s.n.Codec.ClockRate() / 50
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
func (s *session) Forward(w media.PacketWriter, held bool) {
	s.forward = w
	s.fresh, s.skipped, s.odd = true, 0, 0
	if w != nil && held && s.jitter != nil {
		s.passHeld()
	}
}

// passHeld forwards what the jitter buffer holds, and leaves it there. Its numbers lead up to those of
// the packets to come; what is missing was lost.
func (s *session) passHeld() {
	b := s.jitter
	n := uint16(0)
	for i := range uint16(jitterSlots) {
		if b.slots[(b.next+i)%jitterSlots].used {
			n++
		}
	}
	seq := uint16(s.source.highest) - n
	for i := range uint16(jitterSlots) {
		slot := &b.slots[(b.next+i)%jitterSlots]
		if !slot.used {
			continue
		}
		seq++
		sc := s.shard.Scratch()
		if headerLen+len(slot.payload) > len(sc.Packet) {
			continue
		}
		size := copy(sc.Packet[headerLen:], slot.payload)
		span := s.packetSpan()
		if levels()[slot.codec] != nil {
			span = size
		}
		b.pass(uint32(slot.time), span)
		sc.Forward = media.Packet{Buf: sc.Packet[:headerLen+size], Start: headerLen, Codec: slot.codec, Span: span, Seq: seq, Time: uint32(slot.time), First: s.fresh}
		s.fresh = false
		s.forward.WritePacket(&sc.Forward)
	}
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

// young is the age of a packet behind which no other one is expected yet: they come each 20 ms.
const young = 15 * time.Millisecond

// enough spares the read that only finds the socket empty. What stays there is at the head next time,
// older than this, and in time for its own frame.
func (s *session) enough(at time.Duration) bool {
	return s.shard.Now()-at < young && (s.jitter == nil || s.jitter.ready())
}

// ReadFrame is media.Line's.
func (s *session) ReadFrame(_ uint64, dst []int16) (n int, passed bool) {
	if s.jitter == nil || len(s.formats) == 0 {
		return 0, false
	}
	var dec codec.Decoder = s.formats[0].dec
	n = s.jitter.get(dst, dec, s.shard.Now())
	return n, s.jitter.cursor <= s.jitter.handed // the cursor is behind the frame now
}
