package sip

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// exchange has the phone behave as a forking proxy with some phones behind it,
// whose every message is sent at a random time, twice or never now and then.
type exchange struct {
	p   *phone
	rng *rand.Rand
	mu  sync.Mutex

	oks   map[string]bool // 2xx sent: Call-ID and tag
	acks  map[string]bool
	byes  map[string]int
	over  map[string]bool // final sent: Call-ID
	calls map[string]bool
}

func newExchange(p *phone, rng *rand.Rand) *exchange {
	return &exchange{p: p, rng: rng, oks: map[string]bool{}, acks: map[string]bool{}, byes: map[string]int{},
		over: map[string]bool{}, calls: map[string]bool{}}
}

func (x *exchange) after(most time.Duration, f func()) {
	time.AfterFunc(time.Duration(x.rng.Int64N(int64(most))), func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		f()
	})
}

// take handles one message; losses: one in so many is lost.
func (x *exchange) take(m text, losses int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if losses > 0 && x.rng.IntN(losses) == 0 {
		return
	}
	id := m.get("Call-ID")
	key := id + " " + m.toTag()
	switch method, _, _ := strings.Cut(m.start, " "); method {
	case "ACK":
		x.acks[key] = true
	case "BYE":
		x.byes[key]++
		x.p.reply(m, "200 OK")
	case "CANCEL":
		x.p.reply(m, "200 OK")
		if !x.over[id] {
			x.over[id] = true
			inv := m
			inv.headers = nil
			for _, h := range m.headers {
				if h[0] == "CSeq" {
					h[1] = strings.Replace(h[1], "CANCEL", "INVITE", 1)
				}
				inv.headers = append(inv.headers, h)
			}
			x.final(inv, "487 Request Terminated", "none")
		}
	case "INVITE":
		if x.calls[id] {
			return
		}
		x.calls[id] = true
		x.p.reply(m, "100 Trying")
		for i := range 1 + x.rng.IntN(3) {
			tag := fmt.Sprintf("f%d", i)
			x.after(400*time.Millisecond, func() { x.p.answer(m, "180 Ringing", tag, "", "") })
			if x.rng.IntN(4) > 0 {
				x.after(800*time.Millisecond, func() {
					if !x.over[id] || x.oks[id+" f0"] || x.oks[id+" f1"] || x.oks[id+" f2"] {
						x.over[id] = true
						x.oks[id+" "+tag] = true
						x.ok(m, tag, time.Now())
					}
				})
			} else if i == 0 {
				x.after(800*time.Millisecond, func() {
					if !x.over[id] {
						x.over[id] = true
						x.final(m, "486 Busy Here", tag)
					}
				})
			}
		}
	}
}

// ok sends a 2xx until it is acknowledged.
func (x *exchange) ok(m text, tag string, since time.Time) {
	if x.acks[m.get("Call-ID")+" "+tag] || time.Since(since) > ackTime {
		return
	}
	x.p.answer(m, "200 OK", tag, "", "v=0\r\n")
	time.AfterFunc(500*time.Millisecond, func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.ok(m, tag, since)
	})
}

func (x *exchange) final(m text, status, tag string) {
	if x.acks[m.get("Call-ID")+" "+tag] {
		return
	}
	x.p.answer(m, status, tag, "", "")
	time.AfterFunc(500*time.Millisecond, func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.final(m, status, tag)
	})
}

// TestCancelCrossesAnswerInManyOrders: 200 calls are given up at a random moment
// while up to three phones ring and answer at random moments, and a tenth of what
// we send is lost. Every 2xx is acknowledged, whoever is not wanted is hung up, and each
// dialog tells its end once.
func TestCancelCrossesAnswerInManyOrders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, losses := range []int{0, 10} {
			b := newBubble(t, nil)
			x := newExchange(b.p, rand.New(rand.NewPCG(1, uint64(losses))))
			stopPhone := make(chan struct{})
			phoneDone := make(chan struct{})
			go func() {
				defer close(phoneDone)
				for {
					select {
					case m := <-b.p.in:
						x.take(m, losses)
					case <-stopPhone:
						return
					}
				}
			}()
			const calls = 200
			rng := rand.New(rand.NewPCG(2, uint64(losses)))
			var mu sync.Mutex
			lasts, after := map[string]int{}, 0
			won := map[string]string{} // Call-ID to tag of the dialog that the application saw
			var dialogs []*Dialog
			for range calls {
				var d *Dialog
				ready := make(chan struct{})
				o := Outgoing{URI: "sip:bob@192.0.2.10", Body: []byte("v=0\r\n"), Handle: func(e Event) {
					<-ready
					mu.Lock()
					defer mu.Unlock()
					if lasts[d.CallID()] > 0 {
						after++
					}
					if e.last() {
						lasts[d.CallID()]++
					}
					if e.Kind == EventAccepted {
						won[d.CallID()] = e.Early
					}
				}}
				if rng.IntN(5) == 0 {
					o.Timeout = time.Duration(1+rng.IntN(900)) * time.Millisecond
				}
				var err error
				if d, err = b.e.Call(o); err != nil {
					t.Fatal(err)
				}
				close(ready)
				dialogs = append(dialogs, d)
				for range 2 {
					time.AfterFunc(time.Duration(rng.IntN(900))*time.Millisecond, func() {
						_ = d.Cancel(Header{"Reason", "SIP;cause=200"})
						_, _, _, _ = d.State(), d.Snapshot(), d.RemoteAddr(), d.LocalHost()
					})
				}
			}
			time.Sleep(100 * time.Second)
			for _, d := range dialogs {
				if d.State() == StateConfirmed {
					_ = d.Bye()
				}
			}
			time.Sleep(100 * time.Second)
			close(stopPhone)
			<-phoneDone
			if s := b.e.Stats(); s.Dialogs != 0 || s.Strays != 0 || s.Panics != 0 || s.Calls != calls || len(b.e.invited) != 0 || b.e.late.Load() != 0 {
				t.Errorf("left: %+v, %d invited", s, len(b.e.invited))
			}
			if len(b.e.strays.notes) != 0 {
				t.Errorf("%d notes left", len(b.e.strays.notes))
			}
			mu.Lock() // for the race detector: nothing happens any more
			for _, d := range dialogs {
				if lasts[d.CallID()] != 1 {
					t.Errorf("%d last events", lasts[d.CallID()])
				}
			}
			if after != 0 {
				t.Errorf("%d events after the last", after)
			}
			hungUp := 0
			for key := range x.oks {
				id, tag, _ := strings.Cut(key, " ")
				if !x.acks[key] {
					t.Errorf("the 200 of %s was not acknowledged", key)
				}
				if x.byes[key] == 0 {
					t.Errorf("%s was not hung up (dialog: %q)", key, won[id])
				}
				if won[id] != tag {
					hungUp++
				}
			}
			mu.Unlock()
			t.Logf("losses %d: %d answers, %d of them unwanted, %d calls accepted", losses, len(x.oks), hungUp, len(won))
			if len(x.oks) < 100 || hungUp < 30 || len(won) < 20 {
				t.Error("the orders are not mixed enough to say anything")
			}
			b.close()
		}
	})
}

// TestForkStorm: a peer that answers one INVITE a thousand times gets as many ACKs
// and BYEs, and takes nothing that lasts.
func TestForkStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		defer b.close()
		progress := 0
		d, err := b.e.Call(Outgoing{URI: "sip:bob@192.0.2.10", Body: []byte("v=0\r\n"), Handle: func(e Event) {
			if e.Kind == EventProgress {
				progress++
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		inv := b.p.want("INVITE")
		const forks = 1000
		for i := range forks {
			b.p.answer(inv, "180 Ringing", fmt.Sprintf("f%d", i), "", "")
		}
		synctest.Wait()
		if progress != forks || len(d.out.early) != maxEarly {
			t.Errorf("%d events, %d early dialogs, want %d and %d", progress, len(d.out.early), forks, maxEarly)
		}
		for i := range forks {
			b.p.answer(inv, "200 OK", fmt.Sprintf("f%d", i), "", "")
			if i == 500 {
				synctest.Wait()
			}
		}
		synctest.Wait()
		acks, byes := map[string]int{}, map[string]int{}
		for len(b.p.in) > 0 {
			m := b.p.recv()
			if strings.HasPrefix(m.start, "ACK") {
				acks[m.toTag()]++
			} else {
				byes[m.toTag()]++
				b.p.reply(m, "200 OK")
			}
		}
		if len(acks) != forks || len(byes) != forks-1 || byes["f0"] != 0 {
			t.Errorf("%d forks acknowledged, %d hung up", len(acks), len(byes))
		}
		if err := d.Bye(); err != nil {
			t.Fatal(err)
		}
		b.p.reply(b.p.want("BYE sip:f0@"), "200 OK")
		time.Sleep(time.Minute)
		if s := b.e.Stats(); s.Dialogs != 0 || s.Strays != 0 || b.e.late.Load() != 0 {
			t.Errorf("left: %+v", s)
		}
	})
}

// listenBoth listens on one loopback port, with TCP and with UDP.
func listenBoth(t *testing.T) (net.Listener, *net.UDPConn) {
	t.Helper()
	for tries := 1; ; tries++ {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		pc, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(l.Addr().(*net.TCPAddr).AddrPort()))
		if err == nil {
			return l, pc
		}
		_ = l.Close()
		if tries == 20 {
			t.Fatal("no port is free on TCP and UDP: ", err)
		}
	}
}

// A large INVITE goes by TCP when that answers, and else by UDP (RFC 3261 18.1.1).
func TestLargeInviteTriesTCP(t *testing.T) {
	for _, listening := range []bool{true, false} {
		l, pc := listenBoth(t)
		addr := l.Addr().String()
		if !listening {
			_ = l.Close()
		}
		e, stop := serve(t, Config{
			Listen: []Listen{{Network: "udp", Addr: "127.0.0.1:0"}, {Network: "tcp", Addr: "127.0.0.1:0"}},
			Invite: func(*Dialog) {},
		})
		ev := make(chan Event, 10)
		sdp := []byte("v=0\r\n" + strings.Repeat("a=filler:01234567890123456789\r\n", 50))
		d, err := e.Call(Outgoing{URI: "sip:bob@" + addr, Body: sdp, Handle: func(e Event) { ev <- e }})
		if err != nil {
			t.Fatal(err)
		}
		var p *phone
		if listening {
			nc, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			p = newPhone(t, &textConn{nc, bufio.NewReader(nc)}, e.Addrs()[1].Addr)
		} else {
			p = newPhone(t, pc, e.Addrs()[0].Addr)
		}
		inv := p.want("INVITE")
		network := map[bool]string{true: "tcp", false: "udp"}[listening]
		if !strings.HasPrefix(inv.get("Via"), "SIP/2.0/"+strings.ToUpper(network)) || strings.Contains(inv.get("Contact"), "transport=tcp") != listening || inv.body != string(sdp) {
			t.Errorf("listening %v: got\n%v", listening, inv)
		}
		if got := d.Network(); got != network {
			t.Errorf("network is %s, want %s", got, network)
		}
		p.answer(inv, "200 OK", "t1", "", "")
		p.want("ACK")
		acc := <-ev
		if n := len(acc.Attempts); acc.Kind != EventAccepted || acc.Attempts[n-1].Network != network || (n == 1) != listening {
			t.Errorf("got %+v", acc)
		}
		if err := d.Bye(); err != nil {
			t.Fatal(err)
		}
		p.reply(p.want("BYE"), "200 OK")
		if e := <-ev; e.Kind != EventByeDone || e.Status != 200 {
			t.Errorf("got %+v", e)
		}
		// The next one of that size does not ask for a connection again.
		if got := e.mayUseTCP(netip.MustParseAddrPort(addr)); got != listening {
			t.Errorf("TCP worth a try: %v, want %v", got, listening)
		}
		stop()
		p.close()
		_ = l.Close()
		_ = pc.Close()
	}
}

// A peer that asks for TCP gets a connection; when nobody listens there the next
// address is tried at once.
func TestCallByTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	port := l.Addr().(*net.TCPAddr).Port
	z := &zone{records: map[string][]string{
		"SRV _sip._tcp.example": {"1 0 " + fmt.Sprint(port) + " off.example", "2 0 " + fmt.Sprint(port) + " on.example"},
		"A off.example":         {"127.0.0.9"}, "A on.example": {"127.0.0.1"},
	}}
	e, stop := serve(t, Config{Listen: []Listen{{Network: "tcp", Addr: "127.0.0.1:0"}}, Invite: func(*Dialog) {}, Resolver: z})
	defer stop()
	ev := make(chan Event, 10)
	if _, err := e.Call(Outgoing{URI: "sip:bob@example;transport=tcp", Body: []byte("v=0\r\n"), Handle: func(e Event) { ev <- e }}); err != nil {
		t.Fatal(err)
	}
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	p := newPhone(t, &textConn{nc, bufio.NewReader(nc)}, e.Addrs()[0].Addr)
	defer p.close()
	inv := p.want("INVITE")
	p.answer(inv, "180 Ringing", "t1", "", "")
	p.answer(inv, "486 Busy Here", "t1", "", "")
	p.want("ACK sip:bob@example;transport=tcp SIP/2.0")
	if e := <-ev; e.Kind != EventProgress {
		t.Errorf("got %+v", e)
	}
	r := <-ev
	if r.Kind != EventRefused || r.Status != 486 || len(r.Attempts) != 2 || r.Attempts[0].Status != 503 || r.Attempts[1].Addr != l.Addr().String() {
		t.Errorf("got %+v", r)
	}
}

// outgoingCall has e place one call on w, which is answered and hung up with next
// to no cost of its own.
func outgoingCall(t testing.TB, e *Endpoint, w *wire, over chan struct{}) {
	_, err := e.Call(Outgoing{
		URI: "sip:200@192.0.2.10", From: NameAddr{URI: "sip:100@192.0.2.1"}, Body: []byte(sdpOffer),
		Handle: func(ev Event) {
			if ev.last() {
				over <- struct{}{}
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	inv := <-w.out
	head, _, _ := bytes.Cut(inv, []byte("Allow:"))
	_, head, _ = bytes.Cut(head, []byte("\r\n")) // Via to Call-ID
	_, tail, _ := bytes.Cut(inv, []byte("\r\nCSeq: "))
	cseq, _, _ := bytes.Cut(tail, []byte("\r\n"))
	response := func(status, more string) []byte {
		s := bytes.Replace(head, []byte("To: <sip:200@192.0.2.10>"), []byte("To: <sip:200@192.0.2.10>;tag=peer"), 1)
		return []byte("SIP/2.0 " + status + "\r\n" + string(s) + "CSeq: " + string(cseq) + "\r\nContact: <sip:200@192.0.2.10:5060>\r\n" + more)
	}
	w.in <- response("180 Ringing", "Content-Length: 0\r\n\r\n")
	w.in <- response("200 OK", fmt.Sprintf("Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", len(sdpOffer), sdpOffer))
	if ack := <-w.out; !bytes.HasPrefix(ack, []byte("ACK")) {
		t.Fatalf("got %q", ack)
	}
	line := func(name string) string {
		_, v, _ := bytes.Cut(head, []byte("\r\n"+name+": "))
		v, _, _ = bytes.Cut(v, []byte("\r\n"))
		return string(v)
	}
	w.in <- []byte("BYE sip:192.0.2.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKb" + line("Call-ID") +
		"\r\nFrom: <sip:200@192.0.2.10>;tag=peer\r\nTo: " + line("From") + "\r\nCall-ID: " + line("Call-ID") + "\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n")
	if ok := <-w.out; !bytes.HasPrefix(ok, []byte("SIP/2.0 200")) {
		t.Fatalf("got %q", ok)
	}
	<-over
}

func outgoingEndpoint(t testing.TB) (*Endpoint, *wire, func()) {
	w := newWire("192.0.2.10:5060")
	e, stop := serve(t, Config{
		Listen: []Listen{{Network: "udp", PacketConn: wireConn{newMemNet().listen("192.0.2.1:5060"), w}}},
		Invite: func(*Dialog) {},
	})
	return e, w, stop
}

// BenchmarkOutgoingCall is one whole call that we place, with the little that the
// peer costs: INVITE-180-200-ACK-BYE-200.
func BenchmarkOutgoingCall(b *testing.B) {
	e, w, stop := outgoingEndpoint(b)
	defer stop()
	over := make(chan struct{}, 1)
	n := 0
	before := heap()
	b.ReportAllocs()
	for b.Loop() {
		n++
		outgoingCall(b, e, w, over)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "calls/s")
	b.ReportMetric(float64(int64(heap()-before))/float64(n), "kept-B/call")
}

// TestFinishedOutgoingCallKeepsLittle is TestFinishedCallKeepsLittle for calls that
// we place.
func TestFinishedOutgoingCallKeepsLittle(t *testing.T) {
	e, w, stop := outgoingEndpoint(t)
	defer stop()
	over := make(chan struct{}, 1)
	for range 500 {
		outgoingCall(t, e, w, over)
	}
	before := heap()
	const k = 3000
	for range k {
		outgoingCall(t, e, w, over)
	}
	kept := (int64(heap()) - int64(before)) / k
	t.Logf("%d bytes a call", kept)
	if kept > 1024 {
		t.Errorf("a finished call keeps %d bytes, want 1024 at most", kept)
	}
	if s := e.Stats(); s.Dialogs != 0 || len(e.invited) != 0 {
		t.Errorf("left: %+v", s)
	}
}
