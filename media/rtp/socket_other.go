//go:build !linux

package rtp

import (
	"errors"
	"net/netip"
)

// newRawWire exists on Linux only; elsewhere every shard is portable.
func newRawWire(_, _ netip.AddrPort) (wire, error) { return nil, errors.ErrUnsupported }
