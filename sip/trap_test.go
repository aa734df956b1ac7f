package sip

import (
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The traps are those of sipgo v1.7.2's dialogs and transports that this
// package exists to avoid; the numbers are our own list's.

// confirmed makes an answered call.
func (b *bubble) confirmed(t testing.TB, callID string) (*caller, *Dialog, *events) {
	t.Helper()
	c := b.p.caller(callID)
	c.invite(sdpOffer)
	b.p.want("SIP/2.0 100")
	d, ev := b.call(t)
	if err := d.Accept([]byte("v=0\r\n")); err != nil {
		t.Fatal(err)
	}
	c.answered(b.p.want("SIP/2.0 200"))
	c.ack("")
	ev.want(t, EventAck)
	return c, d, ev
}

// T1: in-dialog requests go to the Contact of the last accepted target refresh,
// not to that of the first INVITE.
func TestTrapT1TargetIsRefreshed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		defer b.close()
		moved := b.phone(t, "192.0.2.11:5080")
		defer moved.close()
		c, d, ev := b.confirmed(t, "t1")
		p := c.p
		c.p = moved // its Contact from now on
		c.request("INVITE", "", sdpOffer)
		moved.want("SIP/2.0 100")
		o := ev.want(t, EventOffer)
		if err := d.Answer(o.Offer, 200, []byte("v=0\r\n")); err != nil {
			t.Fatal(err)
		}
		moved.want("SIP/2.0 200")
		c.ack("")
		ev.want(t, EventOfferAck)
		if err := d.Bye(); err != nil {
			t.Fatal(err)
		}
		moved.reply(moved.want("BYE sip:200@192.0.2.11:5080 SIP/2.0"), "200 OK")
		ev.want(t, EventByeDone)
		p.quiet(time.Second)
	})
}

// T5: messages above 1,300 bytes are sent and taken on UDP, requests and responses.
func TestTrapT5LargeMessagesOverUDP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		defer b.close()
		big := "v=0\r\n" + strings.Repeat("a=filler:0123456789012345678901234567890123456789\r\n", 200)
		c := b.p.caller("t5")
		c.invite(big)
		b.p.want("SIP/2.0 100")
		d, ev := b.call(t)
		if got, _ := d.Invite().SDP(); string(got) != big {
			t.Errorf("SDP of %d bytes came as %d", len(big), len(got))
		}
		if err := d.Provisional(183, []byte(big)); err != nil {
			t.Fatal(err)
		}
		if m := b.p.want("SIP/2.0 183"); m.body != big {
			t.Errorf("183 has %d bytes of body, want %d", len(m.body), len(big))
		}
		if err := d.Accept([]byte(big)); err != nil {
			t.Fatal(err)
		}
		m := b.p.want("SIP/2.0 200")
		if m.body != big {
			t.Errorf("200 has %d bytes of body, want %d", len(m.body), len(big))
		}
		c.answered(m)
		c.ack("")
		ev.want(t, EventAck)
		if err := d.Bye(Header{"X-Big", strings.Repeat("x", 5000)}); err != nil {
			t.Fatal(err)
		}
		if m := b.p.want("BYE"); len(m.get("X-Big")) != 5000 {
			t.Error("a large BYE was cut")
		}
	})
}

// T6: nothing that strangers send makes memory grow: neither junk, nor requests
// that are refused, from any number of addresses.
func TestTrapT6StrangersCostNoMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		defer b.close()
		send := func(from netip.AddrPort, s string) {
			c := &memConn{n: b.net, addr: from}
			if _, err := c.WriteTo([]byte(s), b.p.to); err != nil {
				t.Fatal(err)
			}
		}
		flood := func(n int) {
			for i := range n {
				from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}), uint16(1024+i%60000))
				send(from, "\x16\x03\x01\x02\x00\x01\x00 junk, longer than any keep-alive and not SIP at all, really not")
				send(from, fmt.Sprintf("OPTIONS sip:x@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.9;branch=z9hG4bK%d\r\nFrom: <sip:a@b>;tag=%d\r\nTo: <sip:x@192.0.2.1>\r\nCall-ID: %d\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n", i, i, i))
				send(from, fmt.Sprintf("INVITE sip:x@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.9;branch=z9hG4bKi%d\r\nRequire: nonsense\r\nFrom: <sip:a@b>;tag=%d\r\nTo: <sip:x@192.0.2.1>\r\nCall-ID: i%d\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n", i, i, i))
				send(from, "\r\n\r\n")
				if i%500 == 0 {
					synctest.Wait()
				}
			}
			synctest.Wait()
		}
		flood(1000) // pools and buffers get their size
		before := heap()
		const n = 10000
		flood(n)
		grown := int64(heap()) - int64(before)
		if grown > 256<<10 {
			t.Errorf("%d strangers left %d KiB", n, grown>>10)
		}
		s := b.e.Stats()
		if s.Junk != n+1000 || s.Rejected != n+1000 || s.Dialogs != 0 || s.Strays != 0 {
			t.Errorf("got %+v", s)
		}
		b.confirmed(t, "after")
	})
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// T7: the 2xx is retransmitted after 0.5, 1, 2, 4, 4, ... seconds, Accept does
// not wait for the ACK, and without one a BYE is sent after 32 seconds.
func TestTrapT7RetransmissionOf2xx(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		defer b.close()
		c := b.p.caller("t7")
		c.invite(sdpOffer)
		b.p.want("SIP/2.0 100")
		d, ev := b.call(t)
		start := time.Now()
		if err := d.Accept([]byte("v=0\r\n")); err != nil {
			t.Fatal(err)
		}
		if since := time.Since(start); since != 0 {
			t.Errorf("Accept took %v", since)
		}
		var at []time.Duration
		for {
			m := b.p.recv()
			if strings.HasPrefix(m.start, "BYE") {
				if got := time.Since(start); got != 32*time.Second {
					t.Errorf("BYE after %v, want 32s", got)
				}
				b.p.reply(m, "200 OK")
				break
			}
			at = append(at, time.Since(start))
		}
		want := "[0s 500ms 1.5s 3.5s 7.5s 11.5s 15.5s 19.5s 23.5s 27.5s 31.5s]"
		if got := fmt.Sprint(at); got != want {
			t.Errorf("2xx sent at %s, want %s", got, want)
		}
		ev.want(t, EventAckTimeout)
		ev.want(t, EventByeDone)
	})
}

// outgoingTrap is a call that rings at the phone.
func outgoingTrap(t *testing.T, b *bubble) (*Dialog, *events, text) {
	t.Helper()
	ev := &events{ch: make(chan Event, 256)}
	d, err := b.e.Call(Outgoing{URI: "sip:bob@192.0.2.10", Body: []byte("v=0\r\n"), Handle: func(e Event) { ev.ch <- e }})
	if err != nil {
		t.Fatal(err)
	}
	inv := b.p.want("INVITE")
	b.p.answer(inv, "180 Ringing", "t1", "", "")
	ev.want(t, EventProgress)
	return d, ev, inv
}

// T2: a second 2xx, of another fork, is acknowledged with its own tag and hung
// up; early dialogs are told apart before any 2xx.
func TestTrapT2Forks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		defer b.close()
		d, ev, inv := outgoingTrap(t, b)
		b.p.answer(inv, "200 OK", "t2", "", "")
		b.p.want("ACK sip:t2@")
		if e := ev.want(t, EventAccepted); e.Early != "t2" {
			t.Errorf("got %+v", e)
		}
		b.p.answer(inv, "200 OK", "t1", "", "")
		if m := b.p.want("ACK sip:t1@"); m.toTag() != "t1" {
			t.Errorf("got\n%v", m)
		}
		bye := b.p.want("BYE sip:t1@")
		if bye.toTag() != "t1" {
			t.Errorf("got\n%v", bye)
		}
		b.p.reply(bye, "200 OK")
		b.p.quiet(time.Minute)
		if d.State() != StateConfirmed || len(ev.ch) != 0 {
			t.Errorf("state is %s", d.State())
		}
	})
}

// T3: a phone that rings every second is no reason to give up.
func TestTrapT3ManyProvisionals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		defer b.close()
		_, ev, inv := outgoingTrap(t, b)
		for range 100 {
			time.Sleep(time.Second)
			b.p.answer(inv, "180 Ringing", "t1", "", "")
			ev.want(t, EventProgress)
		}
		b.p.answer(inv, "200 OK", "t1", "", "")
		b.p.want("ACK")
		ev.want(t, EventAccepted)
	})
}

// T4: a 200 that crosses CANCEL is acknowledged and hung up, and Cancel waits for
// nobody.
func TestTrapT4AnswerCrossesCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		defer b.close()
		d, ev, inv := outgoingTrap(t, b)
		start := time.Now()
		if err := d.Cancel(); err != nil || time.Since(start) != 0 {
			t.Errorf("Cancel took %v: %v", time.Since(start), err)
		}
		b.p.answer(inv, "200 OK", "t1", "", "")
		b.p.want("CANCEL")
		b.p.want("ACK")
		b.p.reply(b.p.want("BYE"), "200 OK")
		ev.want(t, EventRefused)
		b.p.quiet(time.Minute)
	})
}

// T8: responses that nobody reads keep nothing waiting: there is no goroutine
// between two messages of a call.
func TestTrapT8NoGoroutineWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		defer b.close()
		synctest.Wait()
		before := runtime.NumGoroutine()
		for range 100 {
			if _, err := b.e.Call(Outgoing{URI: "sip:bob@192.0.2.10", Body: []byte("v=0\r\n")}); err != nil {
				t.Fatal(err)
			}
			inv := b.p.want("INVITE")
			for range 3 {
				b.p.answer(inv, "180 Ringing", "t1", "", "")
			}
		}
		synctest.Wait()
		if n := runtime.NumGoroutine(); n > before+10 { // some are of other tests and of the runtime
			t.Errorf("%d goroutines for 100 calls that ring", n-before)
		}
	})
}

// T10: whatever the destination, requests leave from the listener's socket.
func TestTrapT10RequestsLeaveFromTheListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		defer b.close()
		for i := range 5 {
			p := b.phone(t, fmt.Sprintf("192.0.2.%d:5060", 20+i))
			d, err := b.e.Call(Outgoing{URI: "sip:bob@" + p.addr, Body: []byte("v=0\r\n")})
			if err != nil {
				t.Fatal(err)
			}
			inv := p.want("INVITE")
			p.answer(inv, "200 OK", "t1", "", "")
			ack := p.want("ACK")
			if err := d.Bye(); err != nil {
				t.Fatal(err)
			}
			bye := p.want("BYE")
			for _, m := range []text{inv, ack, bye} {
				if got := m.from.String(); got != "192.0.2.1:5060" {
					t.Errorf("%s came from %s", m.start, got)
				}
			}
			p.reply(bye, "200 OK")
			p.close()
		}
	})
}

// T17: what a 2xx makes of a dialog is read while it happens, from everywhere.
func TestTrapT17NothingIsSharedUnlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		defer b.close()
		for range 20 {
			d, ev, inv := outgoingTrap(t, b)
			done := make(chan struct{})
			go func() {
				defer close(done)
				for range 200 {
					_, _, _, _, _ = d.State(), d.Snapshot(), d.RemoteAddr(), d.Network(), d.LocalHost()
					_, _ = d.Invite().Header("CSeq")
					_ = d.Raw()
				}
			}()
			for _, tag := range []string{"t1", "t2", "t1"} {
				b.p.answer(inv, "200 OK", tag, "", "")
			}
			b.p.want("ACK")
			ev.want(t, EventAccepted)
			<-done
			synctest.Wait()
			for len(b.p.in) > 0 {
				if m := b.p.recv(); strings.HasPrefix(m.start, "BYE") {
					b.p.reply(m, "200 OK")
				}
			}
		}
	})
}

// T15: route sets of none, one and two proxies, loose and strict, in the ACK and
// in the BYE (RFC 3261 12.2.1.1, whose examples these are in reverse).
func TestTrapT15RouteSets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const contact = "sip:t1@192.0.2.10:5060"
		for _, tt := range []struct{ recordRoute, uri, route string }{
			{"", contact, ""},
			{"Record-Route: <sip:192.0.2.10;lr>\r\n", contact, "<sip:192.0.2.10;lr>"},
			{"Record-Route: <sip:192.0.2.10>\r\n", "sip:192.0.2.10", "<" + contact + ">"},
			{"Record-Route: <sip:p2.example;lr>,<sip:192.0.2.10;lr>\r\n", contact, "<sip:192.0.2.10;lr> <sip:p2.example;lr>"},
			{"Record-Route: <sip:p2.example>\r\nRecord-Route: <sip:192.0.2.10;lr>\r\n", contact, "<sip:192.0.2.10;lr> <sip:p2.example>"},
			{"Record-Route: <sip:p2.example;lr>\r\nRecord-Route: <sip:192.0.2.10>\r\n", "sip:192.0.2.10", "<sip:p2.example;lr> <" + contact + ">"},
		} {
			b := newBubble(t, nil)
			d, ev, inv := outgoingTrap(t, b)
			b.p.answer(inv, "200 OK", "t1", tt.recordRoute, "")
			ack := b.p.want("ACK")
			ev.want(t, EventAccepted)
			if err := d.Bye(); err != nil {
				t.Fatal(err)
			}
			bye := b.p.want("BYE")
			for _, m := range []text{ack, bye} {
				if f := strings.Fields(m.start); f[1] != tt.uri || strings.Join(m.all("Route"), " ") != tt.route {
					t.Errorf("%q: got\n%v", tt.recordRoute, m)
				}
			}
			b.p.reply(bye, "200 OK")
			b.close()
		}
	})
}
