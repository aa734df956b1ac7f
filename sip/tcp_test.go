package sip

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// textConn makes a TCP connection look like the packet connection that the test
// phone knows, one message a packet.
type textConn struct {
	net.Conn
	r *bufio.Reader
}

func dialText(to netip.AddrPort) (net.PacketConn, error) {
	c, err := net.Dial("tcp", to.String())
	if err != nil {
		return nil, err
	}
	return &textConn{c, bufio.NewReader(c)}, nil
}

func (c *textConn) ReadFrom(b []byte) (int, net.Addr, error) {
	var msg bytes.Buffer
	length := 0
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return 0, nil, err
		}
		msg.WriteString(line)
		if v, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			length, _ = strconv.Atoi(strings.TrimSpace(v))
		}
		if line == "\r\n" {
			break
		}
	}
	if _, err := io.CopyN(&msg, c.r, int64(length)); err != nil {
		return 0, nil, err
	}
	return copy(b, msg.Bytes()), &net.UDPAddr{IP: net.IPv4zero}, nil
}

func (c *textConn) WriteTo(b []byte, _ net.Addr) (int, error) { return c.Write(b) }

func tcpEndpoint(t *testing.T, change func(*Config)) (*Endpoint, netip.AddrPort) {
	t.Helper()
	cfg := Config{Listen: []Listen{{Network: "tcp", Addr: "127.0.0.1:0"}}, Invite: func(d *Dialog) { _ = d.Reject(486, "") }}
	if change != nil {
		change(&cfg)
	}
	e, stop := serve(t, cfg)
	t.Cleanup(stop)
	return e, e.Addrs()[0].Addr
}

func options(n int, body string) string {
	return fmt.Sprintf("OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK%d\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:x>\r\n"+
		"Call-ID: c%d\r\nCSeq: 1 OPTIONS\r\nContent-Length: %d\r\n\r\n%s", n, n, len(body), body)
}

func TestTCPFraming(t *testing.T) {
	_, to := tcpEndpoint(t, nil)
	pc, err := dialText(to)
	if err != nil {
		t.Fatal(err)
	}
	p := newPhone(t, pc, to)
	defer p.close()
	// Two messages in one write, one in many, keep-alives in between.
	p.send([]byte(options(1, "") + "\r\n" + options(2, "body")))
	p.want("SIP/2.0 200")
	p.want("SIP/2.0 200")
	for _, b := range []byte("\r\n" + options(3, "0123456789")) {
		p.send([]byte{b})
	}
	p.want("SIP/2.0 200")
	p.send([]byte(options(4, strings.Repeat("x", 60000))))
	p.want("SIP/2.0 200")
}

func TestTCPPong(t *testing.T) {
	_, to := tcpEndpoint(t, nil)
	c, err := net.Dial("tcp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := io.WriteString(c, "\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 2)
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "\r\n" {
		t.Errorf("got %q, %v, want a pong", b, err)
	}
}

// A message whose end cannot be found is answered, and the connection closed.
func TestTCPBadFrames(t *testing.T) {
	e, to := tcpEndpoint(t, func(c *Config) { c.MaxMessage = 5000 })
	for _, tt := range []struct{ name, msg, want string }{
		{"no length", strings.Replace(options(1, ""), "Content-Length: 0\r\n", "", 1), "SIP/2.0 400 Missing Content-Length"},
		{"negative", strings.Replace(options(1, ""), "Length: 0", "Length: -1", 1), "SIP/2.0 400 Malformed Content-Length"},
		{"two", strings.Replace(options(1, ""), "Content-Length: 0", "Content-Length: 0\r\nl: 5", 1), "SIP/2.0 400 More Than One Content-Length"},
		{"too large", strings.Replace(options(1, ""), "Length: 0", "Length: 5000", 1), "SIP/2.0 513 Message Too Large"},
		{"endless head", "OPTIONS sip:x SIP/2.0\r\n" + strings.Repeat("X: y\r\n", 2000), ""},
		{"not SIP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", ""},
	} {
		c, err := net.Dial("tcp", to.String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, tt.msg)
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		got, _ := io.ReadAll(c)
		if !strings.HasPrefix(string(got), tt.want) || tt.want == "" && len(got) > 0 {
			t.Errorf("%s: got %q, want %q and the end", tt.name, got, tt.want)
		}
		_ = c.Close()
	}
	if e.Stats().Junk == 0 {
		t.Error("nothing was counted as junk")
	}
}

func TestMaxConns(t *testing.T) {
	e, to := tcpEndpoint(t, func(c *Config) { c.MaxConns = 2 })
	var cs []net.Conn
	for range 2 {
		pc, err := dialText(to)
		if err != nil {
			t.Fatal(err)
		}
		p := newPhone(t, pc, to)
		defer p.close()
		p.send([]byte(options(1, "")))
		p.want("SIP/2.0 200")
	}
	c, err := net.Dial("tcp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	cs = append(cs, c)
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("one connection too many was kept")
	}
	for _, c := range cs {
		_ = c.Close()
	}
	if n := e.Stats().Connections; n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
}

// The peer's connection is gone: the BYE opens one to its Contact.
func TestByeOpensAConnection(t *testing.T) {
	calls := make(chan *Dialog, 1)
	e, to := tcpEndpoint(t, func(c *Config) { c.Invite = func(d *Dialog) { calls <- d } })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	pc, err := dialText(to)
	if err != nil {
		t.Fatal(err)
	}
	p := newPhone(t, pc, to)
	p.addr = l.Addr().String()
	c := p.caller("reopen")
	c.invite(sdpOffer)
	p.want("SIP/2.0 100")
	d := <-calls
	ev := collect(d)
	if err := d.Accept(nil); err != nil {
		t.Fatal(err)
	}
	c.answered(p.want("SIP/2.0 200"))
	c.ack("")
	ev.want(t, EventAck)
	p.close()
	for e.Stats().Connections > 0 { // the reader sees the end
		if !e.pause(time.Millisecond) {
			t.Fatal("endpoint closed")
		}
	}
	if err := d.Bye(); err != nil {
		t.Fatal(err)
	}
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	p2 := newPhone(t, &textConn{nc, bufio.NewReader(nc)}, to)
	defer p2.close()
	p2.reply(p2.want("BYE sip:200@"+l.Addr().String()), "200 OK")
	if e := ev.want(t, EventByeDone); e.Status != 200 {
		t.Errorf("got %+v", e)
	}
}

// TestSlowPeerLosesItsConnection: a message must be complete within 32 seconds,
// however its bytes drip.
func TestSlowPeerLosesItsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer func() { _ = ours.Close() }()
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 100 {
				if _, err := theirs.Write([]byte("X")); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}()
		start := time.Now()
		s := stream{conn: ours, max: maxDatagram, pong: func() {}}
		if _, err := s.next(); err == nil {
			t.Error("no error")
		}
		if got := time.Since(start); got != messageTimeout {
			t.Errorf("gave up after %v, want %v", got, messageTimeout)
		}
		_ = theirs.Close()
		<-done
	})
}

// Keep-alives may go on for ever, single CRLFs too.
func TestKeepAlivesKeepTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer func() { _ = ours.Close() }()
		pongs := 0
		s := stream{conn: ours, max: maxDatagram, pong: func() { pongs++ }}
		go func() {
			defer func() { _ = theirs.Close() }()
			write := func(b string) {
				if _, err := io.WriteString(theirs, b); err != nil {
					t.Error(err)
				}
			}
			write(options(1, ""))
			for range 20 {
				time.Sleep(25 * time.Second)
				write("\r\n")
			}
			time.Sleep(time.Hour)
			write(options(2, ""))
		}()
		for n := 1; n <= 2; n++ {
			if b, err := s.next(); err != nil || string(b) != options(n, "") {
				t.Fatalf("message %d: %q, %v", n, b, err)
			}
		}
		if pongs != 10 {
			t.Errorf("%d pongs, want 10", pongs)
		}
	})
}
