package rtp

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/callbin/callbin/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// network is a UDP network in memory for bubbles.
type network struct {
	mu    sync.Mutex
	conns map[netip.AddrPort]*memConn // guarded by mu
}

type memConn struct {
	net    *network
	at     netip.AddrPort
	in     chan memPacket
	closed chan struct{}
	once   sync.Once
}

type memPacket struct {
	from netip.AddrPort
	b    []byte
}

func (n *network) listen(at netip.AddrPort) (PacketConn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.conns == nil {
		n.conns = map[netip.AddrPort]*memConn{}
	}
	if n.conns[at] != nil {
		return nil, os.ErrExist
	}
	c := &memConn{net: n, at: at, in: make(chan memPacket, 256), closed: make(chan struct{})}
	n.conns[at] = c
	return c, nil
}

func (c *memConn) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	select {
	case p := <-c.in:
		return copy(b, p.b), p.from, nil
	case <-c.closed:
		return 0, netip.AddrPort{}, net.ErrClosed
	}
}

func (c *memConn) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	c.net.mu.Lock()
	d := c.net.conns[to]
	c.net.mu.Unlock()
	if d != nil {
		select {
		case d.in <- memPacket{c.at, slices.Clone(b)}:
		default:
		}
	}
	return len(b), nil
}

func (c *memConn) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(c.at) }

func (c *memConn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.net.mu.Lock()
		delete(c.net.conns, c.at)
		c.net.mu.Unlock()
	})
	return nil
}

// world is where a test runs: a leg of ours and peers.
type world struct {
	t       *testing.T
	net     *network // nil: the real one
	shards  *media.Shards
	factory *Factory
	leg     *Leg
	mu      sync.Mutex
	events  []Event  // guarded by mu
	threads int      // shards; 0: 1
	ends    []func() // run at the end
}

// inBubble runs f in a world of virtual time, on portable shards.
func inBubble(t *testing.T, cfg Config, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, net: &network{}}
		cfg.Listen = w.net.listen
		w.run(cfg, true, f)
	})
}

// onLoopback runs f on real sockets, on epoll where the system has it, else portable.
func onLoopback(t *testing.T, portable bool, f func(w *world)) {
	t.Helper()
	(&world{t: t}).run(Config{Ports: [2]uint16{21000, 21999}}, portable, f)
}

func (w *world) run(cfg Config, portable bool, f func(w *world)) {
	w.t.Helper()
	w.shards = media.NewShards(media.ShardsConfig{N: max(1, w.threads), Portable: portable})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.shards.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("Run: %v", err)
		}
	}()
	cfg.Shards = w.shards
	var err error
	if w.factory, err = New(cfg); err != nil {
		w.t.Fatal(err)
	}
	w.leg = w.newLeg()
	free := w.factory.v4.ports.available()
	defer func() { w.leg.Close() }()
	f(w)
	for _, end := range w.ends {
		end()
	}
	w.leg.Close()
	w.leg.Close()
	if got := w.factory.v4.ports.available(); got != free+1 {
		w.t.Errorf("%d ports free after the test, %d before the leg", got, free+1)
	}
}

func (w *world) newLeg() *Leg {
	w.t.Helper()
	l, err := w.factory.NewLeg(LegConfig{OnEvent: func(e Event) {
		w.mu.Lock()
		w.events = append(w.events, e)
		w.mu.Unlock()
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

// kinds are the events so far, "digit:5" for keys.
func (w *world) kinds(only ...string) (out []string) {
	w.leg.Stats() // the shard is done with what came before
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if len(only) == 0 || slices.Contains(only, e.Kind) {
			s := e.Kind
			if e.Digit != "" {
				s += ":" + e.Digit
			}
			out = append(out, s)
		}
	}
	return out
}

// peer is a phone: one RTP socket, and RTCP above it.
type peer struct {
	w    *world
	rtp  PacketConn
	rtcp PacketConn
	at   netip.AddrPort
	to   netip.AddrPort // our leg
	seq  uint16
	ts   uint32
	ssrc uint32
	pt   uint8
}

func (w *world) newPeer(last byte) *peer {
	w.t.Helper()
	p := &peer{w: w, ssrc: uint32(last), seq: 100, ts: 1000}
	ip := netip.AddrFrom4([4]byte{127, 0, 0, last})
	listen := listenUDP
	if w.net != nil {
		listen = w.net.listen
	}
	var err error
	for port := uint16(40000); ; port += 2 {
		p.at = netip.AddrPortFrom(ip, port)
		if p.rtp, err = listen(p.at); err != nil {
			if port < 41000 {
				continue
			}
			w.t.Fatal(err)
		}
		if p.rtcp, err = listen(netip.AddrPortFrom(ip, port+1)); err == nil {
			break
		}
		_ = p.rtp.Close()
	}
	w.t.Cleanup(p.close)
	return p
}

func (p *peer) close() {
	_ = p.rtp.Close()
	_ = p.rtcp.Close()
}

// offer is SDP of this peer; extra lines follow the formats.
func (p *peer) offer(formats, extra string) string {
	return fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 %[1]v\r\ns=-\r\nc=IN IP4 %[1]v\r\nt=0 0\r\nm=audio %d RTP/AVP %s\r\na=rtpmap:101 telephone-event/8000\r\n%s", p.at.Addr(), p.at.Port(), formats, extra)
}

// call negotiates PCMU and telephone-event.
func (p *peer) call() *peer {
	p.w.t.Helper()
	return p.negotiate(p.offer("0 101", ""))
}

func (p *peer) negotiate(offer string) *peer {
	p.w.t.Helper()
	if _, err := p.w.leg.Answer([]byte(offer)); err != nil {
		p.w.t.Fatal(err)
	}
	p.to = netip.AddrPortFrom(p.w.factory.v4.Bind, p.w.leg.number)
	return p
}

// send sends a packet of audio whose payload is all v.
func (p *peer) send(v byte) {
	p.w.t.Helper()
	b := make([]byte, headerLen+160)
	for i := range b[headerLen:] {
		b[headerLen+i] = v
	}
	p.packet(p.pt, p.ts, b)
	p.ts += 160
}

// packet completes b by a header and sends it.
func (p *peer) packet(pt uint8, ts uint32, b []byte) {
	p.w.t.Helper()
	putHeader(b, false, pt, p.seq, ts, p.ssrc)
	p.seq++
	p.raw(b)
}

func (p *peer) raw(b []byte) {
	p.w.t.Helper()
	if _, err := p.rtp.WriteToUDPAddrPort(b, p.to); err != nil {
		p.w.t.Fatal(err)
	}
}

// event sends a packet of telephone-event.
func (p *peer) event(digit byte, ts uint32, end bool, duration uint16) {
	b := make([]byte, headerLen+4)
	b[headerLen], b[headerLen+1] = byte(indexOf(digit)), 10
	if end {
		b[headerLen+1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[headerLen+2:], duration)
	p.packet(101, ts, b)
}

type got struct {
	header
	payload []byte
	from    netip.AddrPort
}

// recv waits for a packet at c up to d.
func (p *peer) recv(c PacketConn, d time.Duration) (b []byte, from netip.AddrPort, ok bool) {
	b = make([]byte, 2000)
	if m, isMem := c.(*memConn); isMem {
		select {
		case q := <-m.in:
			return q.b, q.from, true
		case <-time.After(d):
			return nil, from, false
		}
	}
	_ = c.(*net.UDPConn).SetReadDeadline(time.Now().Add(d))
	n, from, err := c.ReadFromUDPAddrPort(b)
	return b[:n], from, err == nil
}

// hear waits for a packet of audio.
func (p *peer) hear(d time.Duration) (g got, ok bool) {
	p.w.t.Helper()
	b, from, ok := p.recv(p.rtp, d)
	if !ok {
		return g, false
	}
	h, err := parseHeader(b)
	if err != nil {
		p.w.t.Fatalf("received % x: %v", b, err)
	}
	return got{h, b[h.start:h.end], from}, true
}

// mustHear fails the test if nothing comes within a second.
func (p *peer) mustHear() got {
	p.w.t.Helper()
	g, ok := p.hear(time.Second)
	if !ok {
		p.w.t.Fatal("nothing came back")
	}
	return g
}

// silent fails the test if something comes within d.
func (p *peer) silent(d time.Duration) {
	p.w.t.Helper()
	if g, ok := p.hear(d); ok {
		p.w.t.Errorf("got %+v, want silence", g.header)
	}
}
