package sip

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// udpReaders is how many sockets share a UDP port. Two keep the tail of the
// answer times short when one core is busy; more bring nothing.
const udpReaders = 2

func sharePort(_, _ string, c syscall.RawConn) error {
	var err error
	if cerr := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	}); cerr != nil {
		return cerr
	}
	return err
}
