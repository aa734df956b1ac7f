//go:build !linux

package sip

import (
	"net"
	"time"
)

func stampSocket(*net.UDPConn) bool { return false }

func stampOf([]byte) time.Time { return time.Time{} }
