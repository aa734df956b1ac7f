package rtp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/callbin/callbin/media"
)

// rawWire is a wire on two raw sockets that the shard's epoll watches. It makes system
// calls of its own because those of package net go through Go's own poller, which
// costs a goroutine switch for each packet.
type rawWire struct {
	rtp, rtcp rawSocket
	pulled    bool
}

// rawSocket is a non-blocking UDP socket, or none (fd -1).
type rawSocket struct {
	fd        int
	rtcp      bool
	connected bool
	to        receiver
	shard     *media.Shard
	watched   bool
	errs      int          // since the last packet
	stamps    *stampReader // for pulled packets; nil: not pulled yet

	peer    netip.AddrPort // whom peerSA is for
	peerSA  unix.RawSockaddrInet6
	peerLen uintptr
	from    unix.RawSockaddrInet6 // of IPv4 too: it is the larger one
	fromLen uint32
}

func newRawWire(rtp, rtcp netip.AddrPort) (wire, error) {
	w := &rawWire{rtp: rawSocket{fd: -1}, rtcp: rawSocket{fd: -1, rtcp: true}}
	if err := w.rtp.open(rtp); err != nil {
		return nil, err
	}
	if err := w.rtcp.open(rtcp); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (s *rawSocket) open(at netip.AddrPort) error {
	family := unix.AF_INET
	if at.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("rtp: open socket: %w", err)
	}
	if family == unix.AF_INET6 {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)
		err = unix.Bind(fd, &unix.SockaddrInet6{Addr: at.Addr().As16(), Port: int(at.Port())})
	} else {
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: at.Addr().As4(), Port: int(at.Port())})
	}
	if err != nil {
		_ = unix.Close(fd)
		return fmt.Errorf("rtp: bind %v: %w", at, err)
	}
	s.fd = fd
	return nil
}

func (w *rawWire) start(s *media.Shard, r receiver, rtcp bool) error {
	if err := w.rtp.start(s, r); err != nil {
		return err
	}
	if rtcp {
		return w.rtcp.start(s, r)
	}
	return nil
}

func (s *rawSocket) start(shard *media.Shard, r receiver) error {
	if s.watched || s.fd < 0 {
		return nil
	}
	s.to, s.shard = r, shard
	if err := shard.Watch(s.fd, s); err != nil {
		return err
	}
	s.watched = true
	return nil
}

func (w *rawWire) detach() {
	w.rtp.unwatch()
	w.rtcp.unwatch()
}

func (w *rawWire) attach(shard *media.Shard) {
	for _, s := range []*rawSocket{&w.rtp, &w.rtcp} {
		if s.shard == nil {
			continue // not started
		}
		s.shard = shard
		if s == &w.rtp && w.pulled {
			continue
		}
		_ = s.start(shard, s.to) // as at the first time, where an error was reported
	}
}

// Readable takes one datagram. Epoll is level-triggered, so it comes again for the next.
func (s *rawSocket) Readable() { s.read() }

// read takes one datagram and tells whether there was one.
func (s *rawSocket) read() bool {
	buf := &s.shard.Scratch().Receive
	s.fromLen = uint32(unsafe.Sizeof(s.from))
	n, _, e := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(s.fd), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)),
		unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&s.from)), uintptr(unsafe.Pointer(&s.fromLen)))
	if e != 0 {
		return s.failed(e)
	}
	s.errs = 0
	if s.rtcp {
		s.to.rtcpIn(buf[:n], s.sender())
	} else {
		s.to.rtpIn(buf[:n], s.sender(), s.shard.Now())
	}
	return true
}

// failed looks at an error of a read, and returns false. ECONNREFUSED and its like are an
// ICMP message about a packet that was sent: having fetched it clears it. A socket
// that only fails must not spin the shard.
func (s *rawSocket) failed(e unix.Errno) bool {
	if e != unix.EAGAIN && e != unix.EINTR {
		if s.errs++; s.errs > maxReadErrors {
			s.unwatch()
		}
	}
	return false
}

// pull takes the socket out of epoll: one wake-up a frame, for the tick, is enough.
func (w *rawWire) pull(on bool) {
	s := &w.rtp
	w.pulled = on
	switch {
	case s.fd < 0 || s.shard == nil || s.errs > maxReadErrors:
	case on:
		if s.stamps == nil && unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1) == nil {
			s.stamps = newStampReader(s)
		}
		s.unwatch()
	default:
		_ = s.start(s.shard, s.to)
	}
}

// maxBurst bounds what one call of receive takes: a flood must not hold up the clock.
const maxBurst = 8

func (w *rawWire) receive() {
	for range maxBurst {
		s := &w.rtp
		if s.fd < 0 || s.shard == nil {
			return
		}
		if at, ok := s.readStamped(); !ok || s.to.enough(at) {
			return
		}
	}
}

// sender is the address of the packet just read.
func (s *rawSocket) sender() netip.AddrPort {
	port := ntohs(s.from.Port)
	if s.from.Family == unix.AF_INET {
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(&s.from))
		return netip.AddrPortFrom(netip.AddrFrom4(v4.Addr), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom16(s.from.Addr).Unmap(), port)
}

func ntohs(v uint16) uint16 {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], v)
	return binary.BigEndian.Uint16(b[:])
}

// setPeer prepares the kernel's form of to.
func (s *rawSocket) setPeer(to netip.AddrPort) {
	if s.peer == to {
		return
	}
	s.peer = to
	if to.Addr().Is4() {
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(&s.peerSA))
		*v4 = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: ntohs(to.Port()), Addr: to.Addr().As4()}
		s.peerLen = unix.SizeofSockaddrInet4
		return
	}
	s.peerSA = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: ntohs(to.Port()), Addr: to.Addr().As16()}
	s.peerLen = unix.SizeofSockaddrInet6
}

func (s *rawSocket) send(b []byte, to netip.AddrPort) error {
	if s.fd < 0 || len(b) == 0 {
		return errClosed
	}
	s.setPeer(to)
	sa, salen := uintptr(unsafe.Pointer(&s.peerSA)), s.peerLen
	if s.connected {
		sa, salen = 0, 0
	}
	for try := 0; ; try++ {
		_, _, e := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(s.fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, sa, salen)
		switch {
		case e == 0:
			return nil
		case try == 0 && (e == unix.ECONNREFUSED || e == unix.EINTR):
			// A pending error of an earlier packet is reported instead of sending this one.
			continue
		}
		return e
	}
}

func (w *rawWire) send(b []byte, to netip.AddrPort) error     { return w.rtp.send(b, to) }
func (w *rawWire) sendRTCP(b []byte, to netip.AddrPort) error { return w.rtcp.send(b, to) }

func (w *rawWire) connect(to netip.AddrPort) error {
	s := &w.rtp
	if s.fd < 0 {
		return errClosed
	}
	s.setPeer(to)
	_, _, e := unix.RawSyscall(unix.SYS_CONNECT, uintptr(s.fd), uintptr(unsafe.Pointer(&s.peerSA)), s.peerLen)
	if e != 0 {
		return e
	}
	s.connected = true
	return nil
}

func (w *rawWire) disconnect() {
	s := &w.rtp
	if s.fd < 0 || !s.connected {
		return
	}
	none := unix.RawSockaddrInet4{Family: unix.AF_UNSPEC}
	_, _, _ = unix.RawSyscall(unix.SYS_CONNECT, uintptr(s.fd), uintptr(unsafe.Pointer(&none)), unix.SizeofSockaddrInet4)
	s.connected = false
}

func (s *rawSocket) unwatch() {
	if s.watched {
		s.watched = false
		s.shard.Unwatch(s.fd)
	}
}

func (s *rawSocket) close() {
	if s.fd < 0 {
		return
	}
	s.unwatch()
	_ = unix.Close(s.fd)
	s.fd = -1
}

func (w *rawWire) close() {
	w.rtp.close()
	w.rtcp.close()
}

func (w *rawWire) wait() {}
