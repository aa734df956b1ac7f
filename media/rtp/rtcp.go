package rtp

import (
	"encoding/binary"
	"time"
)

// Packet types of RTCP (RFC 3550 12.1).
const (
	rtcpSR   = 200
	rtcpRR   = 201
	rtcpSDES = 202
	rtcpBYE  = 203
)

// reportEvery is the fixed minimum interval of RFC 3550 6.2. For two ends and 64 kbit/s
// the calculated one is shorter, and there is nobody to be in step with.
const reportEvery = 5 * time.Second

// ntpTime is t in the 32.32 format of RFC 3550 4.
func ntpTime(t time.Time) uint64 {
	const from1900 = 2208988800
	return uint64(t.Unix()+from1900)<<32 | uint64(t.Nanosecond())<<32/1_000_000_000
}

// ntpMiddle are the 16.16 bits in the middle, which reports refer to.
func ntpMiddle(ntp uint64) uint32 { return uint32(ntp >> 16) }

// senderInfo is the part of a sender report about its sender (RFC 3550 6.4.1).
type senderInfo struct {
	ntp            uint64
	time           uint32
	packets, bytes uint32
}

// reportBlock tells about what was received of one source (RFC 3550 6.4.1).
type reportBlock struct {
	ssrc     uint32
	fraction uint8 // of packets lost since the last report, in 1/256
	lost     int32 // in all, 24 bits
	highest  uint32
	jitter   uint32 // in timestamp units
	lastSR   uint32 // middle of the NTP time of the last SR; 0: none
	delay    uint32 // since then, in 1/65536 s
}

// appendReport writes an SR, or an RR where info is nil, with a report block unless
// it is nil.
func appendReport(b []byte, ssrc uint32, info *senderInfo, block *reportBlock) []byte {
	start := len(b)
	head, kind := byte(0x80), byte(rtcpRR)
	if block != nil {
		head++
	}
	if info != nil {
		kind = rtcpSR
	}
	b = append(b, head, kind, 0, 0)
	b = binary.BigEndian.AppendUint32(b, ssrc)
	if info != nil {
		b = binary.BigEndian.AppendUint64(b, info.ntp)
		b = binary.BigEndian.AppendUint32(b, info.time)
		b = binary.BigEndian.AppendUint32(b, info.packets)
		b = binary.BigEndian.AppendUint32(b, info.bytes)
	}
	if block != nil {
		b = binary.BigEndian.AppendUint32(b, block.ssrc)
		b = binary.BigEndian.AppendUint32(b, uint32(block.fraction)<<24|uint32(block.lost)&0xffffff)
		b = binary.BigEndian.AppendUint32(b, block.highest)
		b = binary.BigEndian.AppendUint32(b, block.jitter)
		b = binary.BigEndian.AppendUint32(b, block.lastSR)
		b = binary.BigEndian.AppendUint32(b, block.delay)
	}
	return setLength(b, start)
}

// appendSDES writes the CNAME that each compound packet must have (RFC 3550 6.5.1).
func appendSDES(b []byte, ssrc uint32, cname string) []byte {
	start := len(b)
	b = append(b, 0x81, rtcpSDES, 0, 0)
	b = binary.BigEndian.AppendUint32(b, ssrc)
	b = append(b, 1, byte(len(cname)))
	b = append(b, cname...)
	b = append(b, 0) // end of the items, then up to the next word
	for (len(b)-start)%4 != 0 {
		b = append(b, 0)
	}
	return setLength(b, start)
}

func appendBYE(b []byte, ssrc uint32) []byte {
	start := len(b)
	b = append(b, 0x81, rtcpBYE, 0, 0)
	b = binary.BigEndian.AppendUint32(b, ssrc)
	return setLength(b, start)
}

func setLength(b []byte, start int) []byte {
	binary.BigEndian.PutUint16(b[start+2:], uint16((len(b)-start)/4-1))
	return b
}

// rtcpReport is what a compound packet of the peer says that matters here.
type rtcpReport struct {
	ssrc   uint32 // of the peer
	sr     bool
	ntp    uint64 // of its SR
	about  bool   // block is set
	block  reportBlock
	goodby bool
}

// parseRTCP reads a compound packet (RFC 3550 6.1, A.2) and what it says about the
// source ours. ok is false unless each length fits and the first one is a report; RFC
// 5506's reduced-size packets are accepted too.
func parseRTCP(b []byte, ours uint32) (r rtcpReport, ok bool) {
	if len(b) < 8 {
		return r, false
	}
	for len(b) > 0 {
		if len(b) < 4 || b[0]>>6 != 2 {
			return rtcpReport{}, false
		}
		size := 4 + 4*int(binary.BigEndian.Uint16(b[2:]))
		if size > len(b) {
			return rtcpReport{}, false
		}
		p, count := b[:size], int(b[0]&0x1f)
		padded := b[0]&0x20 != 0
		b = b[size:]
		if padded {
			// Only the last one may be padded.
			pad := int(p[size-1])
			if len(b) > 0 || pad == 0 || pad%4 != 0 || pad > size-4 {
				return rtcpReport{}, false
			}
			p = p[:size-pad]
		}
		switch p[1] {
		case rtcpSR, rtcpRR:
			blocks := 8
			if p[1] == rtcpSR {
				blocks = 28
			}
			if len(p) < blocks+24*count {
				return rtcpReport{}, false
			}
			r.ssrc = binary.BigEndian.Uint32(p[4:])
			if p[1] == rtcpSR {
				r.sr, r.ntp = true, binary.BigEndian.Uint64(p[8:])
			}
			for i := range count {
				q := p[blocks+24*i:]
				if binary.BigEndian.Uint32(q) == ours {
					r.about, r.block = true, parseBlock(q)
				}
			}
		case rtcpBYE:
			if len(p) < 4+4*count {
				return rtcpReport{}, false
			}
			r.goodby = true
		}
	}
	return r, true
}

func parseBlock(q []byte) reportBlock {
	word := binary.BigEndian.Uint32(q[4:])
	return reportBlock{
		ssrc:     binary.BigEndian.Uint32(q),
		fraction: uint8(word >> 24),
		lost:     int32(word<<8) >> 8,
		highest:  binary.BigEndian.Uint32(q[8:]),
		jitter:   binary.BigEndian.Uint32(q[12:]),
		lastSR:   binary.BigEndian.Uint32(q[16:]),
		delay:    binary.BigEndian.Uint32(q[20:]),
	}
}
