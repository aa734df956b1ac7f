//go:build !linux

package sip

import "syscall"

// udpReaders is 1 where the kernel does not spread datagrams over sockets.
const udpReaders = 1

func sharePort(_, _ string, _ syscall.RawConn) error { return nil }
