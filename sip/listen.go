package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// socketBuffer holds some thousand messages while the readers are busy; the
// kernel's default only a few hundred.
const socketBuffer = 4 << 20

// open binds what l asks for.
func (l Listen) open() (*listener, error) {
	lis := &listener{network: l.Network}
	if l.Advertise != "" {
		var err error
		if lis.advertise, lis.advPort, err = splitHostPort(l.Advertise); err != nil {
			return nil, err
		}
	}
	var err error
	switch {
	case l.PacketConn != nil:
		lis.packets = []net.PacketConn{l.PacketConn}
		lis.bound = addrPortOf(l.PacketConn.LocalAddr())
		if !lis.bound.IsValid() {
			return nil, fmt.Errorf("sip: listen on %v: PacketConn has no *net.UDPAddr", l.PacketConn.LocalAddr())
		}
		return lis, nil
	case l.Network == "tcp":
		var tl net.Listener
		if tl, err = net.Listen("tcp", l.Addr); err == nil {
			lis.tcp, lis.bound = tl, addrPortOf(tl.Addr())
		}
	default:
		lis.packets, err = listenUDP(l.Addr)
		if err == nil {
			lis.bound = addrPortOf(lis.packets[0].LocalAddr())
		}
	}
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err // the address stands in our own text already
		}
		return nil, fmt.Errorf("sip: listen on %s %s: %w", l.Network, l.Addr, err)
	}
	return lis, nil
}

// listenUDP binds addr once for each reader, where the system can share a port
// among sockets.
//
// A shared port can be taken by two programs that know nothing of each other,
// and each would get half of the calls. So it is first bound alone, which fails
// when anybody else has it.
func listenUDP(addr string) ([]net.PacketConn, error) {
	for try := 0; ; try++ {
		alone, err := net.ListenPacket("udp", addr)
		if err != nil {
			return nil, err
		}
		if udpReaders == 1 {
			setBuffers(alone)
			return []net.PacketConn{alone}, nil
		}
		bound := alone.LocalAddr().String()
		if err := alone.Close(); err != nil {
			return nil, err
		}
		pcs, err := shareUDP(bound)
		if err == nil {
			return pcs, nil
		}
		// Somebody was faster; with port 0 another port will do.
		if ap, perr := netip.ParseAddrPort(addr); perr != nil || ap.Port() != 0 || try >= 10 {
			return nil, err
		}
	}
}

func shareUDP(addr string) (pcs []net.PacketConn, err error) {
	lc := net.ListenConfig{Control: sharePort}
	for range udpReaders {
		pc, err := lc.ListenPacket(context.Background(), "udp", addr)
		if err != nil {
			for _, pc := range pcs {
				_ = pc.Close()
			}
			return nil, err
		}
		setBuffers(pc)
		pcs = append(pcs, pc)
	}
	return pcs, nil
}

// setBuffers asks for large socket buffers; a system that grants less is no error.
func setBuffers(pc net.PacketConn) {
	if c, ok := pc.(*net.UDPConn); ok {
		_ = c.SetReadBuffer(socketBuffer)
		_ = c.SetWriteBuffer(socketBuffer)
	}
}

// close closes everything of l.
func (l *listener) close() error {
	var errs []error
	for _, pc := range l.packets {
		errs = append(errs, pc.Close())
	}
	if l.tcp != nil {
		errs = append(errs, l.tcp.Close())
	}
	return errors.Join(errs...)
}
