package sip

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"
)

// flow is a way to a peer: one of our UDP sockets and an address, or a TCP
// connection. It is a value; the zero flow leads nowhere.
type flow struct {
	udp    *udpSocket
	tcp    *tcpConn
	remote netip.AddrPort
	sticky bool // the only way: see Endpoint.flowOf
}

var errNoFlow = errors.New("sip: send: no way to the peer")

func (f flow) reliable() bool { return f.tcp != nil }

func (f flow) network() string {
	if f.tcp != nil {
		return "tcp"
	}
	return "udp"
}

// listener is the Listen entry that the flow belongs to.
func (f flow) listener() *listener {
	switch {
	case f.tcp != nil:
		return f.tcp.lis
	case f.udp != nil:
		return f.udp.lis
	}
	return nil
}

func (f flow) withPort(port uint16) flow {
	f.remote = netip.AddrPortFrom(f.remote.Addr(), port)
	return f
}

// write sends one whole message. On TCP it can take writeTimeout at most.
//
// It does not mind the 1,300 bytes of RFC 3261 18.1.1: a response must go back
// the way of its request, and of requests we send only small ones. The kernel
// fragments.
func (f flow) write(b []byte) error {
	switch {
	case f.tcp != nil:
		return f.tcp.write(b)
	case f.udp != nil:
		return f.udp.write(b, f.remote)
	}
	return errNoFlow
}

// listener is one Listen entry with what was bound for it.
type listener struct {
	network   string
	bound     netip.AddrPort
	advertise string // host as it stands in a URI; "": bound
	advPort   uint16
	packets   []net.PacketConn // udp: one a reader
	tcp       net.Listener
}

// udpSocket is one reader's socket.
type udpSocket struct {
	lis *listener
	pc  net.PacketConn
	udp *net.UDPConn // pc, when it is one: no allocation per datagram

	// Of the one goroutine that reads.
	stamps bool // the kernel tells when a datagram came
	oob    [64]byte
	came   time.Time // the last datagram; zero: nobody knows
}

func newUDPSocket(l *listener, pc net.PacketConn) *udpSocket {
	s := &udpSocket{lis: l, pc: pc}
	if s.udp, _ = pc.(*net.UDPConn); s.udp != nil {
		s.stamps = stampSocket(s.udp)
	}
	return s
}

func (s *udpSocket) write(b []byte, to netip.AddrPort) error {
	var err error
	if s.udp != nil {
		_, err = s.udp.WriteToUDPAddrPort(b, to)
	} else {
		_, err = s.pc.WriteTo(b, net.UDPAddrFromAddrPort(to))
	}
	if err != nil {
		return fmt.Errorf("sip: send to udp %v: %w", to, err)
	}
	return nil
}

func (s *udpSocket) read(b []byte) (n int, from netip.AddrPort, err error) {
	switch {
	case s.stamps:
		var oobn int
		n, oobn, _, from, err = s.udp.ReadMsgUDPAddrPort(b, s.oob[:])
		s.came = stampOf(s.oob[:oobn])
	case s.udp != nil:
		n, from, err = s.udp.ReadFromUDPAddrPort(b)
	default:
		var a net.Addr
		n, a, err = s.pc.ReadFrom(b)
		if ua, ok := a.(*net.UDPAddr); ok {
			from = ua.AddrPort()
		}
	}
	return n, netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), err
}

// maxWait bounds what is believed: the system's clock may have been set.
const maxWait = 10 * time.Second

// waited is how long the last datagram lay in the socket.
func (s *udpSocket) waited() time.Duration {
	if s.came.IsZero() {
		return 0
	}
	return min(max(time.Since(s.came), 0), maxWait)
}

// readUDP hands datagrams to the core, in order, until the socket closes.
func (e *Endpoint) readUDP(s *udpSocket) {
	// One byte more than the largest message shows what was cut off.
	buf := make([]byte, min(e.cfg.MaxMessage, maxDatagram)+1)
	parser := newParser()
	for {
		n, from, err := s.read(buf)
		switch {
		case errors.Is(err, net.ErrClosed) || e.closing():
			return
		case err != nil:
			// An ICMP error of an earlier send, or a datagram too large for
			// Windows: nothing of this socket's own.
			e.stats.readErrors.Add(1)
			if !e.pause(time.Millisecond) { // should it last, do not spin
				return
			}
			continue
		case n == len(buf) || !from.IsValid():
			e.junk(from, "too long")
			continue
		}
		e.received(parser, buf[:n], flow{udp: s, remote: from}, s.waited())
	}
}

// received sorts one datagram or message. A panic in what follows costs this
// message only.
func (e *Endpoint) received(p *sip.Parser, b []byte, from flow, waited time.Duration) {
	defer e.recovered("message", nil)
	for len(b) > 4 && b[0] == '\r' && b[1] == '\n' { // RFC 3261 7.5
		b = b[2:]
	}
	switch classify(b) {
	case classJunk:
		e.junk(from.remote, "not SIP")
		return
	case classKeepAlive:
		e.pong(b, from)
		return
	}
	m, err := parse(p, b, from)
	if err != nil {
		e.junk(from.remote, err.Error())
		return
	}
	m.waited = waited
	e.stats.received.Add(1)
	if m.status != 0 {
		e.response(m)
		return
	}
	e.request(m)
}

// txConn lets a sipgo transaction send on a flow.
type txConn struct {
	e *Endpoint
	f flow
}

var _ sip.Connection = txConn{}

func (c txConn) WriteMsg(m sip.Message) error {
	return encode(m, func(b []byte) error { return c.e.send(c.f, b) })
}
func (c txConn) Ref(int) int            { return 1 }
func (c txConn) TryClose() (int, error) { return 1, nil }
func (c txConn) Close() error           { return nil }
func (c txConn) LocalAddr() net.Addr {
	if l := c.f.listener(); l != nil {
		return net.UDPAddrFromAddrPort(l.bound)
	}
	return &net.UDPAddr{}
}

// inviteConn is the txConn of an INVITE that came in.
type inviteConn struct {
	txConn
	held atomic.Bool // its 100 is not to be sent yet
}

func (c *inviteConn) WriteMsg(m sip.Message) error {
	if res, ok := m.(*sip.Response); ok && res.StatusCode == 100 && c.held.Load() {
		return nil
	}
	return c.txConn.WriteMsg(m)
}

// send is the one place where messages leave.
func (e *Endpoint) send(f flow, b []byte) error {
	err := f.write(b)
	if err != nil {
		e.stats.sendErrors.Add(1)
		return err
	}
	e.stats.sent.Add(1)
	if e.log.Enabled(e.life, slog.LevelDebug) {
		line, _, _ := bytes.Cut(b, []byte("\r\n"))
		e.log.Debug("sent", "peer", f.remote, "line", clip(string(line)))
	}
	return nil
}

// counters are the endpoint's running sums.
type counters struct {
	received, sent, junk, readErrors, sendErrors atomic.Uint64
	retransmitted, repeated, stray               atomic.Uint64
	invites, calls, rejected, panics             atomic.Uint64
	dropped, throttled                           atomic.Uint64
}
