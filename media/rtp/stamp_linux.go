package rtp

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// stampReader reads a packet together with the time at which the kernel got it, for
// packets that waited in the socket.
type stampReader struct {
	msg     unix.Msghdr
	iov     unix.Iovec
	control [64]byte
}

func newStampReader(s *rawSocket) *stampReader {
	r := &stampReader{}
	r.msg.Name = (*byte)(unsafe.Pointer(&s.from))
	r.msg.Iov = &r.iov
	r.msg.Iovlen = 1
	r.msg.Control = &r.control[0]
	return r
}

// readStamped is read for a pulled socket, and also tells when the packet came.
func (s *rawSocket) readStamped() (at time.Duration, ok bool) {
	r := s.stamps
	if r == nil {
		return 0, s.read()
	}
	buf := &s.shard.Scratch().Receive
	r.iov.Base = &buf[0]
	r.iov.SetLen(len(buf))
	r.msg.Namelen = uint32(unsafe.Sizeof(s.from))
	r.msg.SetControllen(len(r.control))
	n, _, e := unix.RawSyscall(unix.SYS_RECVMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&r.msg)), unix.MSG_DONTWAIT)
	if e != 0 {
		return 0, s.failed(e)
	}
	s.errs = 0
	at = s.arrival(r.stamp())
	s.to.rtpIn(buf[:n], s.sender(), at)
	return at, true
}

// stamp is the kernel's time of the packet, ns since 1970; 0: it gave none.
func (r *stampReader) stamp() int64 {
	if int(r.msg.Controllen) < unix.CmsgLen(int(unsafe.Sizeof(unix.Timespec{}))) {
		return 0
	}
	h := (*unix.Cmsghdr)(unsafe.Pointer(&r.control[0]))
	if h.Level != unix.SOL_SOCKET || h.Type != unix.SO_TIMESTAMPNS {
		return 0
	}
	return (*unix.Timespec)(unsafe.Pointer(&r.control[unix.CmsgLen(0)])).Nano()
}

// oldest is the most that a packet can have waited; beyond it the wall clock was set.
const oldest = time.Second

// arrival turns a time of the kernel into one of the shard.
func (s *rawSocket) arrival(stamp int64) time.Duration {
	now := time.Now()
	age := time.Duration(now.UnixNano() - stamp)
	if stamp == 0 || age < 0 || age > oldest {
		return s.shard.Now()
	}
	return now.Sub(s.shard.At(0)) - age
}
