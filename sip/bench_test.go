package sip

import (
	"bytes"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"testing"
)

// wire is a packet connection to one peer, made of channels.
type wire struct {
	in, out chan []byte
	gone    chan struct{}
	peer    net.Addr
}

func newWire(peer string) *wire {
	return &wire{in: make(chan []byte, 64), out: make(chan []byte, 64), gone: make(chan struct{}),
		peer: net.UDPAddrFromAddrPort(netip.MustParseAddrPort(peer))}
}

type wireConn struct {
	*memConn // for what is not used
	w        *wire
}

func (c wireConn) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case p := <-c.w.in:
		return copy(b, p), c.w.peer, nil
	case <-c.w.gone:
		return 0, nil, net.ErrClosed
	}
}

func (c wireConn) WriteTo(b []byte, _ net.Addr) (int, error) {
	c.w.out <- bytes.Clone(b)
	return len(b), nil
}

func (c wireConn) Close() error {
	close(c.w.gone)
	return nil
}

// benchCall plays INVITE-180-200-ACK-BYE-200 with next to no cost of its own.
func benchCall(t testing.TB, w *wire, n int, buf []byte) []byte {
	id := strconv.Itoa(n)
	msg := func(method, seq, branch, tag, body string) []byte {
		b := append(buf[:0], method+" sip:100@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;rport;branch=z9hG4bK"...)
		b = append(b, branch+id+"\r\nMax-Forwards: 70\r\nFrom: \"Caller\" <sip:200@192.0.2.10>;tag=f"+id+"\r\nTo: <sip:100@192.0.2.1>"...)
		if tag != "" {
			b = append(b, ";tag="+tag...)
		}
		b = append(b, "\r\nCall-ID: "+id+"@192.0.2.10\r\nCSeq: "+seq+" "+method+"\r\nContact: <sip:200@192.0.2.10:5060>\r\n"...)
		b = append(b, "User-Agent: Bench/1.0\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\nSupported: replaces, timer\r\n"...)
		if body != "" {
			b = append(b, "Content-Type: application/sdp\r\n"...)
		}
		return append(b, "Content-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"+body...)
	}
	recv := func(status string) []byte {
		m := <-w.out
		if !bytes.HasPrefix(m, []byte("SIP/2.0 "+status)) {
			t.Fatalf("got %q, want %s", m, status)
		}
		return m
	}
	w.in <- bytes.Clone(msg("INVITE", "1", "i", "", sdpOffer))
	recv("180")
	ok := recv("200")
	i := bytes.Index(ok, []byte("<sip:100@192.0.2.1>;tag=")) + len("<sip:100@192.0.2.1>;tag=")
	tag := string(ok[i : i+bytes.IndexByte(ok[i:], '\r')])
	w.in <- bytes.Clone(msg("ACK", "1", "a", tag, ""))
	w.in <- bytes.Clone(msg("BYE", "2", "b", tag, ""))
	recv("200")
	return buf
}

func benchEndpoint(t testing.TB) (*Endpoint, *wire, func()) {
	w := newWire("192.0.2.10:5060")
	e, stop := serve(t, Config{
		Listen: []Listen{{Network: "udp", PacketConn: wireConn{newMemNet().listen("192.0.2.1:5060"), w}}},
		Invite: func(d *Dialog) {
			d.Handle(func(Event) {})
			if err := d.Provisional(180, nil); err != nil {
				t.Error(err)
			}
			if err := d.Accept([]byte(sdpOffer)); err != nil {
				t.Error(err)
			}
		},
	})
	return e, w, stop
}

// BenchmarkCall is one whole call, with the little that the peer costs. It
// reports the calls a second and the bytes that a finished call keeps.
func BenchmarkCall(b *testing.B) {
	_, w, stop := benchEndpoint(b)
	defer stop()
	buf := make([]byte, 0, 4096)
	n := 0
	before := heap()
	b.ReportAllocs()
	for b.Loop() {
		n++
		benchCall(b, w, n, buf)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "calls/s")
	b.ReportMetric(float64(int64(heap()-before))/float64(n), "kept-B/call")
}

// TestFinishedCallKeepsLittle holds the memory of a call that is over, within
// the 32 seconds in which its requests can come again, under 4 KiB.
func TestFinishedCallKeepsLittle(t *testing.T) {
	e, w, stop := benchEndpoint(t)
	defer stop()
	buf := make([]byte, 0, 4096)
	n := 0
	calls := func(k int) {
		for range k {
			n++
			benchCall(t, w, n, buf)
		}
	}
	calls(500)
	before := heap()
	const k = 3000
	calls(k)
	runtime.Gosched()
	kept := (int64(heap()) - int64(before)) / k
	t.Logf("%d bytes a call", kept)
	if kept > 1024 {
		t.Errorf("a finished call keeps %d bytes, want 1024 at most", kept)
	}
	if s := e.Stats(); s.Dialogs != 0 {
		t.Errorf("%d dialogs left", s.Dialogs)
	}
}

func BenchmarkParse(b *testing.B) {
	msg := []byte("INVITE sip:100@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;rport;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n" +
		"From: \"Caller\" <sip:200@192.0.2.10>;tag=f1\r\nTo: <sip:100@192.0.2.1>\r\nCall-ID: 1@192.0.2.10\r\nCSeq: 1 INVITE\r\n" +
		"Contact: <sip:200@192.0.2.10:5060>\r\nUser-Agent: Bench/1.0\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\n" +
		"Supported: replaces, timer\r\nContent-Type: application/sdp\r\nContent-Length: " + strconv.Itoa(len(sdpOffer)) + "\r\n\r\n" + sdpOffer)
	p := newParser()
	from := flow{remote: netip.MustParseAddrPort("192.0.2.10:5060")}
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parse(p, msg, from); err != nil {
			b.Fatal(err)
		}
	}
}
