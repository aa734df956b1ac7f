package rtp

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/callbin/callbin/media"
)

// answered is a leg on real sockets with a peer that has been heard.
func answered(w *world) *peer {
	p := w.newPeer(2).call()
	p.mustHear()
	return p
}

func TestEchoOfAPacketDoesNotAllocate(t *testing.T) {
	for _, portable := range []bool{false, true} {
		onLoopback(t, portable, func(w *world) {
			p := answered(w)
			w.leg.Port().Echo(true)
			w.leg.Stats()
			round := echoRound(p)
			for range 100 {
				round()
			}
			if n := testing.AllocsPerRun(500, round); n != 0 {
				t.Errorf("portable %v: %v allocations a packet", portable, n)
			}
		})
	}
}

// echoRound sends a packet and waits until it comes back, without allocating.
func echoRound(p *peer) func() {
	c := p.rtp.(*net.UDPConn)
	out, in := make([]byte, headerLen+160), make([]byte, 2000)
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	return func() {
		putHeader(out, false, 0, p.seq, p.ts, p.ssrc)
		p.seq++
		p.ts += 160
		if _, err := c.WriteToUDPAddrPort(out, p.to); err != nil {
			p.w.t.Fatal(err)
		}
		if _, _, err := c.ReadFromUDPAddrPort(in); err != nil {
			p.w.t.Fatal(err)
		}
	}
}

// nullConn is a socket that takes everything and hears nothing.
type nullConn struct{ closed chan struct{} }

func listenNull(netip.AddrPort) (PacketConn, error) { return &nullConn{make(chan struct{})}, nil }

func (c *nullConn) ReadFromUDPAddrPort([]byte) (int, netip.AddrPort, error) {
	<-c.closed
	return 0, netip.AddrPort{}, net.ErrClosed
}
func (c *nullConn) WriteToUDPAddrPort(b []byte, _ netip.AddrPort) (int, error) { return len(b), nil }
func (c *nullConn) LocalAddr() net.Addr                                        { return nil }
func (c *nullConn) Close() error                                               { close(c.closed); return nil }

// nullLeg is an answered leg on nullConns, whose shard does not run: the test is the shard.
func nullLeg(t testing.TB) *Leg {
	t.Helper()
	f, err := New(Config{Shards: media.NewShards(media.ShardsConfig{N: 1, Portable: true}), Listen: listenNull})
	if err != nil {
		t.Fatal(err)
	}
	l, err := f.NewLeg(LegConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Answer([]byte("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestLegDoesNotAllocatePerFrame(t *testing.T) {
	l := nullLeg(t)
	s := l.s
	from := s.n.Remote
	b := make([]byte, headerLen+160)
	pcm, payload := make([]int16, 160), make([]byte, 160)
	seq, frame := uint16(0), uint64(1000)
	in := func() {
		seq++
		putHeader(b, false, 0, seq, uint32(seq)*160, 1)
		s.rtpIn(b, from, s.shard.Now())
	}
	in()
	run := func(name string, f func()) {
		t.Helper()
		f()
		if n := testing.AllocsPerRun(300, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	run("packet in, nobody listens", in)
	s.Listen(true)
	run("packet in and frame out of the jitter buffer", func() { in(); s.ReadFrame(frame, pcm) })
	s.Listen(false)
	s.Forward(s, false)
	run("packet forwarded", in)
	s.Forward(nil, false)
	run("frame of PCM", func() { frame++; s.WriteFrame(frame, pcm) })
	run("encoded frame", func() { frame++; s.WriteEncoded(frame, payload) })
	run("report out", func() { s.sendReport(false) })
	report := appendReport(nil, 1, &senderInfo{ntp: 1}, &reportBlock{ssrc: s.ssrc, lastSR: 1})
	run("report in", func() { s.rtcpIn(report, s.n.RemoteRTCP) })
	run("timer", func() { s.house() })
	if s.count.packetsOut < 900 || s.count.packetsIn < 900 || s.count.invalid+s.count.foreign+s.count.sendErrors > 0 {
		t.Errorf("%+v", s.count)
	}
}

func BenchmarkEchoPacket(b *testing.B) {
	s := nullLeg(b).s
	from := s.n.Remote
	s.Forward(s, false)
	pkt := make([]byte, headerLen+160)
	seq := uint16(0)
	b.ReportAllocs()
	for b.Loop() {
		seq++
		putHeader(pkt, false, 0, seq, uint32(seq)*160, 1)
		s.rtpIn(pkt, from, s.shard.Now())
	}
}

// BenchmarkEchoOverLoopback includes four system calls and two thread switches: the
// peer's send and receive, and ours.
func BenchmarkEchoOverLoopback(b *testing.B) {
	for _, portable := range []bool{false, true} {
		name := "epoll"
		if portable {
			name = "portable"
		}
		b.Run(name, func(b *testing.B) {
			shards := media.NewShards(media.ShardsConfig{N: 1, Portable: portable})
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- shards.Run(ctx) }()
			f, err := New(Config{Shards: shards, Ports: [2]uint16{22000, 22999}})
			if err != nil {
				b.Fatal(err)
			}
			l, err := f.NewLeg(LegConfig{})
			if err != nil {
				b.Fatal(err)
			}
			c, err := listenUDP(netip.MustParseAddrPort("127.0.0.2:0"))
			if err != nil {
				b.Fatal(err)
			}
			at := c.LocalAddr().(*net.UDPAddr).AddrPort()
			w := &world{}
			p := &peer{w: w, rtp: c, at: netip.AddrPortFrom(at.Addr().Unmap(), at.Port()), ssrc: 1, to: netip.AddrPortFrom(f.v4.Bind, l.number)}
			l.Port().Echo(true)
			if _, err := l.Answer([]byte(p.offer("0", ""))); err != nil {
				b.Fatal(err)
			}
			round := echoRound(p)
			round()
			b.ReportAllocs()
			for b.Loop() {
				round()
			}
			l.Close()
			_ = c.Close()
			cancel()
			<-done
		})
	}
}

// BenchmarkTickPlay is a frame of playback: from the source to the packet, without the socket.
func BenchmarkTickPlay(b *testing.B) {
	src := media.NewClip(8000, make([]int16, 8000)).Source()
	s := nullLeg(b).s
	pcm := make([]int16, 160)
	b.Run("pcm", func(b *testing.B) {
		frame := s.lastFrame
		b.ReportAllocs()
		for b.Loop() {
			frame++
			_, _ = src.ReadFrame(pcm)
			s.WriteFrame(frame, pcm)
		}
	})
	b.Run("encoded", func(b *testing.B) {
		frame, payload := s.lastFrame, make([]byte, 160)
		b.ReportAllocs()
		for b.Loop() {
			frame++
			s.WriteEncoded(frame, payload)
		}
	})
}

// BenchmarkNewLegClose is what a call costs in sockets, SDP and media.
func BenchmarkNewLegClose(b *testing.B) {
	for _, portable := range []bool{false, true} {
		name := "epoll"
		if portable {
			name = "portable"
		}
		b.Run(name, func(b *testing.B) {
			shards := media.NewShards(media.ShardsConfig{N: 1, Portable: portable})
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- shards.Run(ctx) }()
			f, err := New(Config{Shards: shards, Ports: [2]uint16{22000, 29999}})
			if err != nil {
				b.Fatal(err)
			}
			offer := []byte("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 39000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n")
			b.ReportAllocs()
			for b.Loop() {
				l, err := f.NewLeg(LegConfig{})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := l.Answer(offer); err != nil {
					b.Fatal(err)
				}
				l.Close()
			}
			cancel()
			<-done
		})
	}
}

// nullRoom is a bridge of legs on nullConns, and a way to let one receive a packet.
func nullRoom(t testing.TB, n int) (br *media.Bridge, legs []*Leg, in func(i int)) {
	t.Helper()
	f, err := New(Config{Shards: media.NewShards(media.ShardsConfig{N: 1, Portable: true}), Listen: listenNull})
	if err != nil {
		t.Fatal(err)
	}
	br = media.NewBridge(media.BridgeOptions{})
	for i := range n {
		l, err := f.NewLeg(LegConfig{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		if _, err := l.Answer([]byte("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP " + []string{"0", "8"}[i%2] + "\r\n")); err != nil {
			t.Fatal(err)
		}
		if err := br.Join(l.Port()); err != nil {
			t.Fatal(err)
		}
		legs = append(legs, l)
	}
	pkt := make([]byte, headerLen+160)
	seq := make([]uint16, n)
	return br, legs, func(i int) {
		s := legs[i].s
		seq[i]++
		putHeader(pkt, false, s.n.PayloadType, seq[i], uint32(seq[i])*160, 1)
		s.rtpIn(pkt, s.n.Remote, s.shard.Now())
	}
}

func TestPassingDoesNotAllocate(t *testing.T) {
	br, legs, in := nullRoom(t, 2)
	round := func() { in(0); in(1) }
	round()
	if n := testing.AllocsPerRun(500, round); n != 0 {
		t.Errorf("%v allocations for a packet each way", n)
	}
	if st := br.Stats(); !st.Passing || legs[0].s.count.packetsOut < 500 {
		t.Errorf("%+v, %+v", st, legs[0].s.count)
	}
}

// BenchmarkBridgePass is a packet from one leg to the other, without sockets.
func BenchmarkBridgePass(b *testing.B) {
	_, _, in := nullRoom(b, 2)
	b.ReportAllocs()
	for b.Loop() {
		in(0)
	}
}
