package sip

import (
	"encoding/binary"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// stampSocket asks the kernel to tell when each datagram came; false: it does not (before Linux 5.1).
func stampSocket(c *net.UDPConn) bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	if cerr := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS_NEW, 1)
	}); cerr != nil {
		return false
	}
	return err == nil
}

// stampOf reads the one control message that stampSocket asks for: a header, and two 64-bit numbers. The
// zero time stands for none.
func stampOf(oob []byte) time.Time {
	const h = unix.SizeofCmsghdr // its last fields are level and type
	if len(oob) < h+16 {
		return time.Time{}
	}
	level, kind := binary.NativeEndian.Uint32(oob[h-8:]), binary.NativeEndian.Uint32(oob[h-4:])
	if level != unix.SOL_SOCKET || kind != unix.SO_TIMESTAMPNS_NEW {
		return time.Time{}
	}
	return time.Unix(int64(binary.NativeEndian.Uint64(oob[h:])), int64(binary.NativeEndian.Uint64(oob[h+8:])))
}
