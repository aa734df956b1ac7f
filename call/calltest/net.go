package calltest

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"
)

// Network gives sockets. Net and Loopback are ones.
type Network interface {
	// Listen binds addr; port 0 is any free one.
	Listen(addr netip.AddrPort) (Conn, error)
}

// Conn is a UDP socket as packages sip and media/rtp use it.
type Conn interface {
	net.PacketConn
	ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error)
	WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error)
}

// Loopback gives real sockets; use it outside of synctest bubbles only.
type Loopback struct{}

// Listen binds a UDP socket.
func (Loopback) Listen(addr netip.AddrPort) (Conn, error) {
	return net.ListenUDP("udp", net.UDPAddrFromAddrPort(addr))
}

// Net is an in-memory network of UDP sockets. It is safe for concurrent use.
type Net struct {
	mu     sync.Mutex
	conns  map[netip.AddrPort]*memConn // guarded by mu
	ports  map[netip.Addr]uint16       // guarded by mu; the last one given out at an address
	faults *damage                     // guarded by mu; nil: none
}

// NewNet returns an empty network without faults.
func NewNet() *Net { return &Net{conns: map[netip.AddrPort]*memConn{}, ports: map[netip.Addr]uint16{}} }

// SetFaults makes the network worse, or good again. What is counted (see Traffic.First) is counted anew.
func (n *Net) SetFaults(f Faults) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults = newDamage(f)
}

// Open tells how many sockets are open.
func (n *Net) Open() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.conns)
}

// at are the open sockets of a host.
func (n *Net) at(host netip.Addr) (open []netip.AddrPort) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for a := range n.conns {
		if a.Addr() == host {
			open = append(open, a)
		}
	}
	return open
}

// Listen binds a socket.
func (n *Net) Listen(addr netip.AddrPort) (Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if addr.Port() == 0 {
		port := max(n.ports[addr.Addr()]+1, 50000)
		n.ports[addr.Addr()] = port
		addr = netip.AddrPortFrom(addr.Addr(), port)
	}
	if n.conns[addr] != nil {
		return nil, fmt.Errorf("calltest: listen %s: address in use", addr)
	}
	c := &memConn{net: n, addr: addr, in: make(chan packet, 4096), closed: make(chan struct{}), deadline: make(chan struct{})}
	n.conns[addr] = c
	return c, nil
}

// send carries b to the socket of to; like UDP it tells nobody when there is none.
func (n *Net) send(b []byte, from, to netip.AddrPort) {
	n.mu.Lock()
	dst, times := n.conns[to], make([]time.Duration, 1)
	if dst != nil && n.faults != nil {
		times = n.faults.fate(b, from, to)
	}
	n.mu.Unlock()
	if dst == nil {
		return
	}
	for _, d := range times {
		dst.take(packet{append([]byte(nil), b...), from, time.Now().Add(d)}, d)
	}
}

type packet struct {
	b    []byte
	from netip.AddrPort
	due  time.Time
}

// memConn is one socket. A full queue drops, as a socket's buffer does.
type memConn struct {
	net  *Net
	addr netip.AddrPort
	in   chan packet

	once   sync.Once
	closed chan struct{}

	mu       sync.Mutex
	flying   []packet      // guarded by mu; those on their way, the next one first
	timer    *time.Timer   // guarded by mu
	deadline chan struct{} // guarded by mu; closed when the read deadline is over
}

// take lets p arrive after d.
func (c *memConn) take(p packet, d time.Duration) {
	if d == 0 {
		c.put(p)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	at := len(c.flying)
	for at > 0 && c.flying[at-1].due.After(p.due) {
		at--
	}
	c.flying = slices.Insert(c.flying, at, p)
	// Timers of the same moment fire in any order, so each brings the next packet, not its own.
	time.AfterFunc(d, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.put(c.flying[0])
		c.flying = c.flying[1:]
	})
}

func (c *memConn) put(p packet) {
	select {
	case <-c.closed:
	case c.in <- p:
	default:
	}
}

func (c *memConn) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	c.mu.Lock()
	deadline := c.deadline
	c.mu.Unlock()
	select {
	case <-c.closed:
		return 0, netip.AddrPort{}, net.ErrClosed
	case <-deadline:
		return 0, netip.AddrPort{}, os.ErrDeadlineExceeded
	case p := <-c.in:
		return copy(b, p.b), p.from, nil
	}
}

func (c *memConn) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	select {
	case <-c.closed:
		return 0, net.ErrClosed
	default:
	}
	c.net.send(b, c.addr, netip.AddrPortFrom(to.Addr().Unmap(), to.Port()))
	return len(b), nil
}

func (c *memConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.ReadFromUDPAddrPort(b)
	if err != nil {
		return 0, nil, &net.OpError{Op: "read", Net: "udp", Addr: c.LocalAddr(), Err: err}
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

func (c *memConn) WriteTo(b []byte, to net.Addr) (int, error) {
	a, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, errors.New("calltest: not a UDP address")
	}
	return c.WriteToUDPAddrPort(b, a.AddrPort())
}

func (c *memConn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.net.mu.Lock()
		delete(c.net.conns, c.addr)
		c.net.mu.Unlock()
	})
	return nil
}

func (c *memConn) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(c.addr) }

func (c *memConn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

func (c *memConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != nil && !c.timer.Stop() {
		c.deadline = make(chan struct{})
	}
	c.timer = nil
	select {
	case <-c.deadline:
		c.deadline = make(chan struct{})
	default:
	}
	if t.IsZero() {
		return nil
	}
	over := c.deadline
	c.timer = time.AfterFunc(time.Until(t), func() { close(over) })
	return nil
}

func (c *memConn) SetWriteDeadline(time.Time) error { return nil }
