package sip

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// The test peer knows SIP as text only, so that it does not share the mistakes
// of what it tests.

// memNet is a datagram network in memory, for synctest bubbles.
type memNet struct {
	mu    sync.Mutex
	conns map[netip.AddrPort]*memConn
	lose  func() bool // called with mu held; nil: nothing is lost
}

func newMemNet() *memNet { return &memNet{conns: make(map[netip.AddrPort]*memConn)} }

type memPacket struct {
	b    []byte
	from netip.AddrPort
}

// memConn is one address of it.
type memConn struct {
	n      *memNet
	addr   netip.AddrPort
	in     chan memPacket
	closed chan struct{}
	once   sync.Once
}

func (n *memNet) listen(addr string) *memConn {
	c := &memConn{n: n, addr: netip.MustParseAddrPort(addr), in: make(chan memPacket, 4096), closed: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.conns[c.addr] = c
	return c
}

func (c *memConn) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case p := <-c.in:
		return copy(b, p.b), net.UDPAddrFromAddrPort(p.from), nil
	case <-c.closed:
		return 0, nil, net.ErrClosed
	}
}

func (c *memConn) WriteTo(b []byte, to net.Addr) (int, error) {
	c.n.mu.Lock()
	dst := c.n.conns[to.(*net.UDPAddr).AddrPort()]
	lost := c.n.lose != nil && c.n.lose()
	c.n.mu.Unlock()
	if dst == nil || lost {
		return len(b), nil // nobody there, as with UDP
	}
	select {
	case dst.in <- memPacket{bytes.Clone(b), c.addr}:
	default:
	}
	return len(b), nil
}

func (c *memConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}
func (c *memConn) LocalAddr() net.Addr              { return net.UDPAddrFromAddrPort(c.addr) }
func (c *memConn) SetDeadline(time.Time) error      { return nil }
func (c *memConn) SetReadDeadline(time.Time) error  { return nil }
func (c *memConn) SetWriteDeadline(time.Time) error { return nil }

// text is a SIP message as the peer sees it.
type text struct {
	start   string
	headers [][2]string // names as received
	body    string
	from    netip.AddrPort
}

func parseText(t testing.TB, b []byte) text {
	t.Helper()
	head, body, ok := strings.Cut(string(b), "\r\n\r\n")
	if !ok {
		t.Fatalf("message without an empty line: %q", b)
	}
	lines := strings.Split(head, "\r\n")
	m := text{start: lines[0], body: body}
	for _, l := range lines[1:] {
		n, v, ok := strings.Cut(l, ":")
		if !ok {
			t.Fatalf("header without colon: %q", l)
		}
		m.headers = append(m.headers, [2]string{n, strings.TrimSpace(v)})
	}
	if got, want := m.get("Content-Length"), fmt.Sprint(len(body)); got != want {
		t.Fatalf("Content-Length is %s, body has %s bytes:\n%s", got, want, b)
	}
	return m
}

func (m text) all(name string) (vs []string) {
	for _, h := range m.headers {
		if strings.EqualFold(h[0], name) {
			vs = append(vs, h[1])
		}
	}
	return vs
}

func (m text) get(name string) string {
	if vs := m.all(name); len(vs) > 0 {
		return vs[0]
	}
	return ""
}

func (m text) status() string {
	if rest, ok := strings.CutPrefix(m.start, "SIP/2.0 "); ok {
		return rest[:3]
	}
	return ""
}

func (m text) String() string {
	var b strings.Builder
	b.WriteString(m.start + "\n")
	for _, h := range m.headers {
		b.WriteString(h[0] + ": " + h[1] + "\n")
	}
	return b.String() + "\n" + m.body
}

var tagRE = regexp.MustCompile(`;tag=([^;>\s]+)\s*$`)

func (m text) toTag() string {
	if s := tagRE.FindStringSubmatch(m.get("To")); s != nil {
		return s[1]
	}
	return ""
}

var uriRE = regexp.MustCompile(`<([^>]+)>`)

func (m text) contactURI() string {
	if s := uriRE.FindStringSubmatch(m.get("Contact")); s != nil {
		return s[1]
	}
	return ""
}

// fill sets Content-Length in place of {len} and makes CRLFs of the lines of the head.
func fill(s string) []byte {
	head, body, _ := strings.Cut(s, "\n\n")
	if !strings.Contains(head, "\r") {
		head = strings.ReplaceAll(head, "\n", "\r\n")
		body = strings.ReplaceAll(body, "\n", "\r\n")
	}
	head = strings.ReplaceAll(head, "{len}", fmt.Sprint(len(body)))
	return []byte(head + "\r\n\r\n" + body)
}

// phone is one peer on a packet network.
type phone struct {
	t    testing.TB
	pc   net.PacketConn
	to   net.Addr
	addr string
	in   chan text
	done chan struct{}
}

func newPhone(t testing.TB, pc net.PacketConn, to netip.AddrPort) *phone {
	p := &phone{t: t, pc: pc, to: net.UDPAddrFromAddrPort(to), addr: pc.LocalAddr().String(),
		in: make(chan text, 4096), done: make(chan struct{})}
	go func() {
		defer close(p.done)
		b := make([]byte, 1<<16)
		for {
			n, from, err := pc.ReadFrom(b)
			if err != nil {
				return
			}
			m := parseText(t, b[:n])
			m.from = from.(*net.UDPAddr).AddrPort()
			p.in <- m
		}
	}()
	return p
}

func (p *phone) close() {
	_ = p.pc.Close()
	<-p.done
}

func (p *phone) send(b []byte) {
	p.t.Helper()
	if _, err := p.pc.WriteTo(b, p.to); err != nil {
		p.t.Fatal(err)
	}
}

// recv waits for the next message.
func (p *phone) recv() text {
	p.t.Helper()
	select {
	case m := <-p.in:
		return m
	case <-time.After(70 * time.Second):
		p.t.Fatal("no message for 70 seconds")
		return text{}
	}
}

// want waits for the next message and checks its start line.
func (p *phone) want(start string) text {
	p.t.Helper()
	m := p.recv()
	if !strings.HasPrefix(m.start, start) {
		p.t.Fatalf("got %q, want %q\n%v", m.start, start, m)
	}
	return m
}

// quiet fails when a message comes within d.
func (p *phone) quiet(d time.Duration) {
	p.t.Helper()
	select {
	case m := <-p.in:
		p.t.Fatalf("got a message, want none:\n%v", m)
	case <-time.After(d):
	}
}

// reply answers a request of ours.
func (p *phone) reply(m text, status string) {
	p.t.Helper()
	var b strings.Builder
	b.WriteString("SIP/2.0 " + status + "\r\n")
	for _, h := range m.headers {
		switch h[0] {
		case "Via", "From", "To", "Call-ID", "CSeq":
			b.WriteString(h[0] + ": " + h[1] + "\r\n")
		}
	}
	b.WriteString("Content-Length: 0\r\n\r\n")
	p.send([]byte(b.String()))
}

const sdpOffer = "v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"

// caller writes the requests of one call.
type caller struct {
	p      *phone
	callID string
	tag    string
	toTag  string
	target string
	cseq   int
	n      int
	extra  string // header lines for every request
}

func (p *phone) caller(callID string) *caller {
	return &caller{p: p, callID: callID, tag: "t" + callID, target: "sip:100@192.0.2.1"}
}

func (c *caller) send(method string, cseq int, branch, headers, body string) {
	to := "<sip:100@192.0.2.1>"
	if c.toTag != "" {
		to += ";tag=" + c.toTag
	}
	if body != "" && !strings.Contains(headers, "Content-Type") {
		headers += "Content-Type: application/sdp\r\n"
	}
	c.p.send([]byte(method + " " + c.target + " SIP/2.0\r\n" +
		"Via: SIP/2.0/UDP " + c.p.addr + ";branch=z9hG4bK" + branch + ";rport\r\n" +
		"Max-Forwards: 70\r\nFrom: \"Caller\" <sip:200@192.0.2.10>;tag=" + c.tag + "\r\nTo: " + to + "\r\n" +
		"Call-ID: " + c.callID + "\r\nCSeq: " + fmt.Sprint(cseq) + " " + method + "\r\n" +
		"Contact: <sip:200@" + c.p.addr + ">\r\n" + headers + c.extra +
		"Content-Length: " + fmt.Sprint(len(body)) + "\r\n\r\n" + body))
}

// invite sends an INVITE and returns its branch.
func (c *caller) invite(body string) string {
	c.cseq++
	c.n++
	b := fmt.Sprintf("%s-%d", c.callID, c.n)
	c.send("INVITE", c.cseq, b, "", body)
	return b
}

func (c *caller) ack(body string) {
	c.n++
	c.send("ACK", c.cseq, fmt.Sprintf("%s-%d", c.callID, c.n), "", body)
}

// answered takes tag and target from m.
func (c *caller) answered(m text) {
	c.toTag = m.toTag()
	if u := m.contactURI(); u != "" {
		c.target = u
	}
}

// request sends a request within the dialog, and returns the branch.
func (c *caller) request(method, headers, body string) string {
	c.cseq++
	c.n++
	b := fmt.Sprintf("%s-%d", c.callID, c.n)
	c.send(method, c.cseq, b, headers, body)
	return b
}

func quietLog() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// serve runs an endpoint until the test, or the returned function, ends it.
func serve(t testing.TB, cfg Config) (*Endpoint, func()) {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = quietLog()
	}
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	var once sync.Once
	stop := func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Run: %v", err)
			}
		})
	}
	return e, stop
}

// events collects what a dialog tells.
type events struct {
	ch chan Event
}

func collect(d *Dialog) *events {
	ev := &events{ch: make(chan Event, 256)}
	d.Handle(func(e Event) { ev.ch <- e })
	return ev
}

func (ev *events) want(t testing.TB, k EventKind) Event {
	t.Helper()
	select {
	case e := <-ev.ch:
		if e.Kind != k {
			t.Fatalf("got event %+v, want %s", e, k)
		}
		return e
	case <-time.After(70 * time.Second):
		t.Fatalf("no event for 70 seconds, want %s", k)
		return Event{}
	}
}

// bubble is one endpoint at 192.0.2.1:5060 and one phone at 192.0.2.10:5060 on
// a network in memory. calls gets each new dialog.
type bubble struct {
	net   *memNet
	e     *Endpoint
	p     *phone
	calls chan *Dialog
	stop  func()
}

func newBubble(t testing.TB, change func(*Config)) *bubble {
	t.Helper()
	b := &bubble{net: newMemNet(), calls: make(chan *Dialog, 1024)}
	cfg := Config{
		Listen: []Listen{{Network: "udp", PacketConn: b.net.listen("192.0.2.1:5060")}},
		Invite: func(d *Dialog) { b.calls <- d },
	}
	if change != nil {
		change(&cfg)
	}
	b.e, b.stop = serve(t, cfg)
	b.p = b.phone(t, "192.0.2.10:5060")
	return b
}

func (b *bubble) phone(t testing.TB, addr string) *phone {
	return newPhone(t, b.net.listen(addr), netip.MustParseAddrPort("192.0.2.1:5060"))
}

func (b *bubble) close() {
	b.stop()
	b.p.close()
}

func (b *bubble) call(t testing.TB) (*Dialog, *events) {
	t.Helper()
	select {
	case d := <-b.calls:
		return d, collect(d)
	case <-time.After(10 * time.Second):
		t.Fatal("no call within 10 seconds")
		return nil, nil
	}
}
