package rtp

import (
	"net/netip"
	"time"
)

// reports is what RTCP told, and when ours are due.
type reports struct {
	next    time.Duration
	from    netip.AddrPort // where the peer's RTCP comes from
	lastSR  uint32         // middle of the NTP time of the peer's last SR
	lastAt  time.Duration  // when it came
	heard   time.Duration  // when the last of its packets came
	rtt     time.Duration
	hasRTT  bool
	about   bool // the peer has reported about us
	lost    int64
	jitter  uint32
	goodbye bool
	sent    uint64     // packets out at the last report of ours
	info    senderInfo // memory for the next one
	block   reportBlock
}

// rtcpIn takes a datagram of the RTCP socket, or one of a shared socket. Reports change
// nothing but statistics, so that the address is all there is to check.
func (s *session) rtcpIn(b []byte, from netip.AddrPort) {
	if s.closed || !s.live {
		return
	}
	if from.Addr() != s.latch.peer.Addr() && from.Addr() != s.n.RemoteRTCP.Addr() && from.Addr() != s.n.Remote.Addr() {
		s.count.foreign++
		return
	}
	r, ok := parseRTCP(b, s.ssrc)
	if !ok || len(b) > maxPacket {
		s.count.invalid++
		return
	}
	now, rep := s.shard.Now(), &s.reports
	rep.from = from
	if r.sr {
		rep.lastSR, rep.lastAt = ntpMiddle(r.ntp), now
	}
	rep.goodbye = rep.goodbye || r.goodby
	if !r.goodby {
		rep.heard = now
		s.isBack()
	}
	if !r.about {
		return
	}
	rep.about, rep.lost, rep.jitter = true, int64(r.block.lost), r.block.jitter
	if r.block.lastSR != 0 {
		// RFC 3550 6.4.1: A - LSR - DLSR, all of them 16.16 seconds.
		trip := int32(ntpMiddle(ntpTime(s.shard.At(now))) - r.block.lastSR - r.block.delay)
		if trip >= 0 && trip < 60<<16 {
			rep.rtt, rep.hasRTT = time.Duration(trip)*time.Second>>16, true
		}
	}
}

// sendReport sends an SR if audio was sent since the last one, else an RR (RFC 3550
// 6.4), with BYE when the leg ends.
func (s *session) sendReport(bye bool) {
	to := s.rtcpTarget()
	if !to.IsValid() {
		return
	}
	now := s.shard.Now()
	var info *senderInfo
	if s.count.packetsOut != s.reports.sent {
		info = &s.reports.info
		*info = senderInfo{
			ntp:     ntpTime(s.shard.At(now)),
			time:    s.timeAt(now),
			packets: uint32(s.count.packetsOut),
			bytes:   uint32(s.count.bytesOut),
		}
		s.reports.sent = s.count.packetsOut
	}
	var block *reportBlock
	if s.source.known {
		block = &s.reports.block
		*block = s.source.report()
		if s.reports.lastAt > 0 {
			block.lastSR = s.reports.lastSR
			block.delay = uint32((now - s.reports.lastAt) * (1 << 16) / time.Second)
		}
	}
	b := appendReport(s.shard.Scratch().Packet[:0], s.ssrc, info, block)
	b = appendSDES(b, s.ssrc, s.leg.f.cname)
	if bye {
		b = appendBYE(b, s.ssrc)
	}
	var err error
	if s.n.RTCPMux {
		err = s.wire.send(b, to)
	} else {
		err = s.wire.sendRTCP(b, to)
	}
	if err != nil {
		s.count.sendErrors++
	}
}

// timeAt is the RTP timestamp that stands for a time: what an SR pairs with its NTP time.
func (s *session) timeAt(now time.Duration) uint32 {
	if s.sent {
		return s.lastTime + uint32(mediaTime(now-s.lastSent, s.n.Codec.ClockRate()))
	}
	return s.timeBase + uint32(mediaTime(now, s.n.Codec.ClockRate()))
}

// rtcpTarget is where our reports go: where the peer's come from, else what its SDP says,
// corrected where its audio showed that the SDP's address is behind a NAT.
func (s *session) rtcpTarget() netip.AddrPort {
	peer := s.latch.peer
	switch {
	case s.n.RTCPMux:
		return s.target()
	case s.reports.from.IsValid() && (!peer.IsValid() || s.reports.from.Addr() == peer.Addr()):
		return s.reports.from
	case peer.IsValid() && peer.Addr() != s.n.RemoteRTCP.Addr() && peer.Port() < 65535:
		return netip.AddrPortFrom(peer.Addr(), peer.Port()+1)
	}
	return s.n.RemoteRTCP
}
