package calltest

import (
	"slices"
	"time"

	"github.com/pion/rtp"
	"github.com/zaf/g711"
)

// maxHeard bounds what a phone remembers: five minutes.
const maxHeard = 5 * 60 * 8000

// maxPackets is the same for headers, with some for digits.
const maxPackets = maxHeard/frame + 1000

// Packet is the header of an RTP packet that came.
type Packet struct {
	At          time.Time // of arrival
	Sequence    uint16
	Timestamp   uint32
	Marker      bool
	PayloadType uint8
	SSRC        uint32
}

// heard is what came by RTP, guarded by the mu of its sound.
type heard struct {
	pcm     []int16
	base    uint32 // timestamp of pcm[0]
	ssrc    uint32
	any     bool // there was voice
	packets []Packet
	pressed []byte
	seen    map[event]bool
}

// event is one press of a key, whatever number of packets tells of it.
type event struct {
	ssrc, timestamp uint32
	code            byte
}

func (s *sound) all() []int16 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.pcm)
}

func (s *sound) digits() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.pressed)
}

func (s *sound) log() []Packet {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.packets)
}

func (s *sound) read() {
	b := make([]byte, 2048)
	for {
		n, _, err := s.conn.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		var p rtp.Packet
		if p.Unmarshal(b[:n]) != nil {
			continue
		}
		s.mu.Lock()
		if len(s.packets) < maxPackets {
			s.packets = append(s.packets, Packet{time.Now(), p.SequenceNumber, p.Timestamp, p.Marker, p.PayloadType, p.SSRC})
		}
		switch pt := int(p.PayloadType); {
		case pt == 0:
			s.voiced(&p, g711.DecodeUlawFrame)
		case pt == 8:
			s.voiced(&p, g711.DecodeAlawFrame)
		case pt == s.eventIn && len(p.Payload) >= 4:
			s.key(event{p.SSRC, p.Timestamp, p.Payload[0]})
		}
		s.mu.Unlock()
	}
}

// voiced puts p at its place.
func (h *heard) voiced(p *rtp.Packet, decode func(byte) int16) {
	if !h.any || h.ssrc != p.SSRC {
		h.any, h.ssrc, h.base = true, p.SSRC, p.Timestamp-uint32(len(h.pcm))
	}
	at := int(int32(p.Timestamp - h.base))
	if at < 0 || at+len(p.Payload) > maxHeard {
		return
	}
	for len(h.pcm) < at+len(p.Payload) {
		h.pcm = append(h.pcm, 0)
	}
	for i, c := range p.Payload {
		h.pcm[at+i] = decode(c)
	}
}

func (h *heard) key(e event) {
	if h.seen[e] || int(e.code) >= len(keypad) {
		return
	}
	if h.seen == nil {
		h.seen = map[event]bool{}
	}
	h.seen[e] = true
	h.pressed = append(h.pressed, keypad[e.code])
}
