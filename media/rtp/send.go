package rtp

import (
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/codec"
)

// frameNow is the frame before the one that is due next on any slot.
func (s *session) frameNow() uint64 {
	if f := uint64(s.shard.Now() / media.FrameDuration); f > 0 {
		return f - 1
	}
	return 0
}

// frameTime is the timestamp offset of a frame.
func (s *session) frameTime(frame uint64) uint32 {
	return uint32(frame) * uint32(s.n.Codec.ClockRate()/50)
}

// sends tells whether the peer wants audio and can be reached.
func (s *session) sends() bool {
	return s.live && !s.closed && s.n.Direction.Sends() && s.target().IsValid()
}

// WriteFrame is media.Line's.
func (s *session) WriteFrame(frame uint64, pcm []int16) {
	if !s.sends() {
		s.talking = false
		return
	}
	buf := &s.shard.Scratch().Packet
	n, err := s.enc.Encode(buf[headerLen:], pcm)
	if err != nil {
		s.count.sendErrors++
		return
	}
	s.emit(frame, buf[:headerLen+n])
}

// WriteEncoded is media.Line's.
func (s *session) WriteEncoded(frame uint64, payload []byte) {
	if !s.sends() || headerLen+len(payload) > maxPacket {
		s.talking = false
		return
	}
	buf := &s.shard.Scratch().Packet
	n := copy(buf[headerLen:], payload)
	s.emit(frame, buf[:headerLen+n])
}

// emit sends a frame: b is room for the header and the payload. Timestamps follow the
// clock, also over a pause; the marker stands at the start of each talkspurt (RFC 3551 4.1).
func (s *session) emit(frame uint64, b []byte) {
	t := s.timeBase + s.frameTime(frame)
	mark := false
	if !s.talking || s.passing || frame != s.lastFrame+1 {
		old := t
		most := sameTalk
		if s.passing {
			most = maxSwitch
		}
		t, mark = s.follow(t, most)
		s.timeBase += t - old
	}
	s.talking, s.lastFrame, s.passing, s.lastTalk = true, frame, false, s.shard.Now()
	if s.press.down {
		s.talking = false // RFC 4733 2.5: no sound beside a key press
		return
	}
	if per := int(s.n.Ptime / media.FrameDuration); per > 1 {
		if b, t, mark = s.gather(b, t, mark, per); b != nil {
			s.sendAudio(b, mark, t, per)
		}
		return
	}
	s.sendAudio(b, mark, t, 1)
}

const (
	// sameTalk is how much later than the frame before one may come and still follow it: the slot of
	// a port changes when it is bridged.
	sameTalk = 3 * media.FrameDuration / 2
	// maxSwitch is the same where forwarded packets turn into frames or back. The jitter buffer, which
	// has to fill first, is not a pause in what the peer hears.
	maxSwitch = 5 * media.FrameDuration
)

// follow is the timestamp of a packet that does not simply come after the one before, and whether a
// talkspurt begins with it. clock is what our clock says, most the pause that is none.
func (s *session) follow(clock uint32, most time.Duration) (t uint32, mark bool) {
	if !s.sent {
		return clock, true
	}
	next := s.lastTime + s.lastSpan
	if s.bundled > 0 {
		next = s.bundleAt + uint32(s.bundled*s.n.Codec.ClockRate()/50)
	}
	if s.talking && s.shard.Now()-s.lastTalk <= most {
		return next, false
	}
	if int32(clock-next) < 0 {
		return next, true // forwarded packets ran by another clock, and left ours behind
	}
	return clock, true
}

// gather collects frames for packets of several frames. Should the rest of one not
// come, because the sound ends, the timer sends what is there.
func (s *session) gather(b []byte, t uint32, mark bool, per int) ([]byte, uint32, bool) {
	if mark {
		s.flush()
	}
	if s.bundled == 0 {
		if cap(s.bundle) == 0 {
			s.bundle = make([]byte, headerLen, maxPacket)
		}
		s.bundle, s.bundled, s.bundleAt = s.bundle[:headerLen], 0, t
		if mark {
			s.bundleMark = true
		}
	}
	if len(s.bundle)+len(b)-headerLen > cap(s.bundle) {
		s.count.sendErrors++
		s.bundled = 0
		return nil, 0, false
	}
	s.bundle = append(s.bundle, b[headerLen:]...)
	if s.bundled++; s.bundled < per {
		s.bundleDue = s.shard.Now() + 3*media.FrameDuration/2
		s.shard.SetTimer(&s.timer, s.bundleDue)
		return nil, 0, false
	}
	mark, s.bundleMark, s.bundled = s.bundleMark, false, 0
	return s.bundle, s.bundleAt, mark
}

// flush sends what was gathered.
func (s *session) flush() {
	if s.bundled > 0 && s.sends() {
		s.sendAudio(s.bundle, s.bundleMark, s.bundleAt, s.bundled)
	}
	s.bundled, s.bundleMark = 0, false
}

// sendAudio sends a packet of so many frames with the next sequence number.
func (s *session) sendAudio(b []byte, mark bool, t uint32, frames int) {
	putHeader(b, mark, s.n.PayloadType, s.seq, t, s.ssrc)
	s.seq++
	s.lastTime, s.lastSpan = t, uint32(frames*s.n.Codec.ClockRate()/50)
	s.transmit(b)
}

func (s *session) transmit(b []byte) {
	s.lastSent, s.sent = s.shard.Now(), true
	if err := s.wire.send(b, s.target()); err != nil {
		s.count.sendErrors++ // a full buffer or a route that is gone: the next packet may fare better
		return
	}
	s.count.packetsOut++
	s.count.bytesOut += uint64(len(b) - headerLen)
}

// WritePacket is media.Line's: it sends a packet of the same clock with numbers of
// ours that keep the distances of the peer's, so that loss and order stay visible.
func (s *session) WritePacket(p *media.Packet) {
	if !s.sends() || p.Start < headerLen || s.press.down {
		s.passing, s.talking = false, false
		return
	}
	payload := p.Buf[p.Start:]
	if p.Codec != s.n.Codec.Name() && !s.translate(payload, p.Codec) {
		return
	}
	now := s.shard.Now()
	if !s.passing || p.First {
		s.flush()
		clock := s.timeBase + uint32(mediaTime(now, s.n.Codec.ClockRate()))
		t, mark := s.follow(clock, maxSwitch)
		s.timeBase += t - clock
		s.passing = true
		s.seqOffset, s.timOffset = s.seq-p.Seq, t-p.Time
		p.Mark = p.Mark || mark
	}
	s.talking, s.lastTalk = true, now
	seq, t := p.Seq+s.seqOffset, p.Time+s.timOffset
	if int16(seq-s.seq) >= 0 {
		s.seq, s.lastTime, s.lastSpan = seq+1, t, uint32(p.Span)
	}
	b := p.Buf[p.Start-headerLen:]
	putHeader(b, p.Mark, s.n.PayloadType, seq, t, s.ssrc)
	s.transmit(b)
}

// translate rewrites a G.711 payload in the other law.
func (s *session) translate(payload []byte, from string) bool {
	c, ok := codec.ByName(from)
	if !ok {
		return false
	}
	t, ok := codec.Table(c, s.n.Codec)
	if !ok {
		return false
	}
	codec.Translate(payload, payload, t)
	return true
}

// keepalive sends one packet of silence, which opens the way through a NAT, or keeps it
// open (RFC 6263 4.1 leaves the choice of the packet).
func (s *session) keepalive() {
	now := s.shard.Now()
	if !s.sends() {
		s.lastSent = now
		return
	}
	sc := s.shard.Scratch()
	n, err := s.enc.Encode(sc.Packet[headerLen:], sc.Silence(s.n.Codec.SampleRate()))
	if err != nil {
		s.lastSent = now
		return
	}
	frame := s.frameNow()
	t := s.timeBase + s.frameTime(frame)
	if next := s.lastTime + s.lastSpan; s.sent && int32(t-next) < 0 {
		t = next
	}
	s.talking, s.passing = false, false
	s.sendAudio(sc.Packet[:headerLen+n], false, t, 1)
}
