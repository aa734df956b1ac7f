package sip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

const (
	// writeTimeout bounds how long a peer that does not read can hold us up.
	writeTimeout = 2 * time.Second
	// messageTimeout is how long a peer may take over one message, and over
	// its first one.
	messageTimeout = 32 * time.Second
	dialTimeout    = 10 * time.Second
	// maxHead bounds the start line and headers of a message on TCP.
	maxHead = 32 << 10
)

// tcpConn is one TCP connection, whoever opened it.
type tcpConn struct {
	id     uint64 // among all of the endpoint's
	c      net.Conn
	lis    *listener // the entry it came to, or whose addresses we show
	remote netip.AddrPort
	mu     sync.Mutex // held while writing
}

func (c *tcpConn) write(b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.c.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err == nil {
		_, err = c.c.Write(b)
	}
	if err != nil {
		// Half a message may be out: nothing that follows could be read.
		_ = c.c.Close()
		return fmt.Errorf("sip: send to tcp %v: %w", c.remote, err)
	}
	return nil
}

// acceptTCP serves the connections of l until it closes.
func (e *Endpoint) acceptTCP(l *listener) {
	for {
		c, err := l.tcp.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) || e.closing() {
				return
			}
			// Out of file descriptors, most likely: let some go.
			e.log.Warn("accept failed", "network", "tcp", "addr", l.bound, "err", err)
			if !e.pause(time.Second) {
				return
			}
			continue
		}
		remote := addrPortOf(c.RemoteAddr())
		conn := &tcpConn{c: c, lis: l, remote: remote}
		if !e.addConn(conn, true) {
			_ = c.Close()
			continue
		}
	}
}

func addrPortOf(a net.Addr) netip.AddrPort {
	switch a := a.(type) {
	case *net.TCPAddr:
		ap := a.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	case *net.UDPAddr:
		ap := a.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}

// addConn starts the reader of c; false: no room for it, or closing.
func (e *Endpoint) addConn(c *tcpConn, incoming bool) bool {
	e.mu.Lock()
	if e.closed || incoming && len(e.conns) >= e.cfg.MaxConns {
		e.mu.Unlock()
		return false
	}
	e.conns[c.remote] = c
	e.connCount++
	c.id = e.connCount
	e.wg.Add(1)
	e.mu.Unlock()
	go func() {
		defer e.wg.Done()
		defer func() {
			_ = c.c.Close()
			e.mu.Lock()
			if e.conns[c.remote] == c {
				delete(e.conns, c.remote)
			}
			e.mu.Unlock()
			if e.cfg.Registrar != nil {
				e.cfg.Registrar.closed(flow{tcp: c, remote: c.remote}.public())
			}
		}()
		e.readTCP(c)
	}()
	return true
}

// dialTCP returns the connection to addr, a new one when there is none. However
// many want it at a time, it is one, so that their messages keep their order.
func (e *Endpoint) dialTCP(ctx context.Context, lis *listener, addr netip.AddrPort) (*tcpConn, error) {
	e.mu.Lock()
	if c := e.conns[addr]; c != nil {
		e.mu.Unlock()
		return c, nil
	}
	p := e.dials[addr]
	if p == nil && !e.closed {
		p = &dial{done: make(chan struct{})}
		e.dials[addr] = p
		e.wg.Go(func() { e.dial(p, lis, addr) })
	}
	e.mu.Unlock()
	if p == nil {
		return nil, errClosed
	}
	select {
	case <-p.done:
		return p.c, p.err
	case <-ctx.Done():
		return nil, fmt.Errorf("sip: connect to %v: %w", addr, context.Cause(ctx))
	}
}

// dial is a connection that is being opened.
type dial struct {
	done chan struct{} // closed when the rest is there
	c    *tcpConn
	err  error
}

func (e *Endpoint) dial(p *dial, lis *listener, addr netip.AddrPort) {
	d := net.Dialer{Timeout: dialTimeout}
	nc, err := d.DialContext(e.life, "tcp", addr.String())
	if err != nil {
		p.err = fmt.Errorf("sip: connect: %w", err)
	} else if p.c = (&tcpConn{c: nc, lis: lis, remote: addr}); !e.addConn(p.c, false) {
		_ = nc.Close()
		p.c, p.err = nil, errClosed
	}
	e.mu.Lock()
	delete(e.dials, addr)
	e.mu.Unlock()
	close(p.done)
}

// readTCP cuts the stream into messages (RFC 3261 18.3) and hands them to the
// core, until the peer closes or sends what has no end that could be found.
func (e *Endpoint) readTCP(c *tcpConn) {
	parser := newParser()
	from := flow{tcp: c, remote: c.remote}
	s := stream{conn: c.c, max: e.cfg.MaxMessage, pong: func() { _ = c.write([]byte("\r\n")) }}
	for {
		b, err := s.next()
		var bad *frameError
		switch {
		case errors.As(err, &bad):
			e.junk(c.remote, bad.what)
			e.refuseFrame(parser, bad, from)
			return
		case err != nil:
			return
		}
		e.received(parser, b, from, 0)
	}
}

// refuseFrame answers a request whose end cannot be found, if its head can be read.
func (e *Endpoint) refuseFrame(p *sip.Parser, bad *frameError, from flow) {
	defer e.recovered("message", nil)
	if classify(bad.head) != classRequest {
		return
	}
	if m, err := parse(p, bad.head, from); err == nil && m.method != "ACK" && m.status == 0 {
		e.refuse(m, bad.status, bad.what)
	}
}

// frameError is a message on a stream that has no usable end.
type frameError struct {
	what   string
	status int
	head   []byte
}

func (e *frameError) Error() string { return "sip: read message: " + e.what }

// stream cuts messages from a connection. Its memory is one message.
type stream struct {
	conn net.Conn
	max  int
	pong func()
	buf  []byte    // read, not yet handed out
	used int       // of buf, handed out by the last next
	any  bool      // a message was seen
	due  time.Time // when the message that has begun must be complete; zero: none has
}

// next returns the next message, which is valid until the next call.
func (s *stream) next() ([]byte, error) {
	s.buf = append(s.buf[:0], s.buf[s.used:]...)
	s.used, s.due = 0, time.Time{}
	if cap(s.buf) > 8<<10 && len(s.buf) < 1<<10 {
		s.buf = bytes.Clone(s.buf)
	}
	head := -1
	for {
		// CRLF before a start line is no part of it; two are a ping that wants
		// a pong (RFC 5626 3.5.1).
		for len(s.buf) >= 2 && s.buf[0] == '\r' && s.buf[1] == '\n' {
			if len(s.buf) >= 4 && s.buf[2] == '\r' && s.buf[3] == '\n' {
				s.pong()
				s.buf = append(s.buf[:0], s.buf[4:]...)
				continue
			}
			if len(s.buf) < 4 {
				break
			}
			s.buf = append(s.buf[:0], s.buf[2:]...)
		}
		if head = bytes.Index(s.buf, []byte("\r\n\r\n")); head > 0 {
			break
		}
		if len(s.buf) > min(maxHead, s.max) {
			return nil, &frameError{what: "Headers Too Large", status: 513, head: nil}
		}
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
	head += 4
	n, fault := contentLength(s.buf[:head])
	if fault != "" {
		return nil, &frameError{what: fault, status: 400, head: s.buf[:head]}
	}
	if head+n > s.max {
		return nil, &frameError{what: "Message Too Large", status: 513, head: s.buf[:head]}
	}
	for len(s.buf) < head+n {
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
	s.used, s.any = head+n, true
	return s.buf[:s.used], nil
}

func (s *stream) fill() error {
	// Between messages, with or without keep-alives, a connection may rest for
	// as long as it likes; TCP keepalive finds the dead ones.
	switch idle := len(bytes.TrimLeft(s.buf, "\r\n")) == 0; {
	case idle && s.any:
		s.due = time.Time{}
	case s.due.IsZero():
		s.due = time.Now().Add(messageTimeout)
	}
	if err := s.conn.SetReadDeadline(s.due); err != nil {
		return err
	}
	if cap(s.buf)-len(s.buf) < 2<<10 {
		s.buf = append(make([]byte, 0, 2*len(s.buf)+4<<10), s.buf...)
	}
	n, err := s.conn.Read(s.buf[len(s.buf):cap(s.buf)])
	s.buf = s.buf[:len(s.buf)+n]
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// contentLength finds the length in a head; on a stream it must be there. The
// fault is a reason phrase.
func contentLength(head []byte) (n int, fault string) {
	found := -1
	for len(head) > 0 {
		line, rest, _ := bytes.Cut(head, []byte("\r\n"))
		head = rest
		i := bytes.IndexByte(line, ':')
		if i < 0 || i > 20 {
			continue
		}
		name := bytes.TrimSpace(line[:i])
		if !bytes.EqualFold(name, []byte("Content-Length")) && !bytes.EqualFold(name, []byte("l")) {
			continue
		}
		n, err := strconv.ParseUint(string(bytes.TrimSpace(line[i+1:])), 10, 31)
		if err != nil {
			return 0, "Malformed Content-Length"
		}
		if found >= 0 && found != int(n) {
			return 0, "More Than One Content-Length"
		}
		found = int(n)
	}
	if found < 0 {
		return 0, "Missing Content-Length"
	}
	return found, ""
}
