package rtp

import (
	"encoding/binary"
	"errors"

	"github.com/pion/rtp"
)

const (
	headerLen = 12
	// maxPacket is more than any Ethernet carries; what is longer is not audio.
	maxPacket = 1500
)

var (
	errShort   = errors.New("rtp: packet is too short")
	errVersion = errors.New("rtp: version is not 2")
	errLength  = errors.New("rtp: lengths in the header exceed the packet")
)

// header is the fixed header of a packet (RFC 3550 5.1) and where its payload lies.
type header struct {
	marker      bool
	payloadType uint8
	seq         uint16
	time        uint32
	ssrc        uint32
	start, end  int // the payload is b[start:end], behind CSRCs and extension, before padding
}

// parseHeader reads a packet without keeping or changing it.
func parseHeader(b []byte) (h header, err error) {
	if len(b) < headerLen {
		return h, errShort
	}
	if b[0]>>6 != 2 {
		return h, errVersion
	}
	h.marker = b[1]&0x80 != 0
	h.payloadType = b[1] & 0x7f
	h.seq = binary.BigEndian.Uint16(b[2:])
	h.time = binary.BigEndian.Uint32(b[4:])
	h.ssrc = binary.BigEndian.Uint32(b[8:])
	h.start, h.end = headerLen+4*int(b[0]&0x0f), len(b)
	if b[0]&0x10 != 0 { // extension (RFC 3550 5.3.1)
		if len(b) < h.start+4 {
			return h, errLength
		}
		h.start += 4 + 4*int(binary.BigEndian.Uint16(b[h.start+2:]))
	}
	if b[0]&0x20 != 0 { // padding
		pad := int(b[len(b)-1])
		if pad == 0 {
			return h, errLength
		}
		h.end -= pad
	}
	if h.start > h.end {
		return h, errLength
	}
	return h, nil
}

// putHeader writes a header without extras to b[:headerLen].
func putHeader(b []byte, marker bool, payloadType uint8, seq uint16, time, ssrc uint32) {
	h := rtp.Header{Version: 2, Marker: marker, PayloadType: payloadType, SequenceNumber: seq, Timestamp: time, SSRC: ssrc}
	if _, err := h.MarshalTo(b[:headerLen]); err != nil { // there is room, and nothing else to fail
		panic(err)
	}
}

// isRTCP tells RTP and RTCP on one port apart (RFC 5761 4).
func isRTCP(b []byte) bool { return len(b) >= 2 && b[0]>>6 == 2 && b[1] >= 192 && b[1] <= 223 }
