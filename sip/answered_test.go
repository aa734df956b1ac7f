package sip

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// While a name is looked up, Cancel and the timeout end the call at once.
func TestCallIsGivenUpDuringLookUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &zone{records: map[string][]string{"A far.example": {"192.0.2.10"}}, slow: 3 * time.Second}
		b := newBubble(t, func(c *Config) { c.Resolver = z })
		defer b.close()
		ev := &events{ch: make(chan Event, 10)}
		o := Outgoing{URI: "sip:bob@far.example:5060", Body: []byte("v=0\r\n"), Handle: func(e Event) { ev.ch <- e }}
		d, err := b.e.Call(o)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if err := d.Cancel(); err != nil {
			t.Fatal(err)
		}
		if e := <-ev.ch; e.Kind != EventRefused || e.Status != 487 || !e.Local || len(e.Attempts) != 0 {
			t.Errorf("got %+v", e)
		}
		if err := d.Cancel(); !errors.Is(err, ErrEnded) {
			t.Errorf("got %v, want ErrEnded", err)
		}
		b.p.quiet(time.Minute)
		o.Timeout = time.Second
		start := time.Now()
		if _, err = b.e.Call(o); err != nil {
			t.Fatal(err)
		}
		if e := <-ev.ch; e.Kind != EventRefused || e.Status != 408 || !e.Local || time.Since(start) != time.Second {
			t.Errorf("got %+v", e)
		}
		b.p.quiet(time.Minute)
	})
}

func TestCallByIPv6(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := newMemNet()
		e, stop := serve(t, Config{
			Listen: []Listen{{Network: "udp", PacketConn: mem.listen("[2001:db8::1]:5060")}},
			Invite: func(*Dialog) {},
		})
		defer stop()
		p := newPhone(t, mem.listen("[2001:db8::10]:5080"), e.Addrs()[0].Addr)
		defer p.close()
		ev := make(chan Event, 10)
		d, err := e.Call(Outgoing{URI: "sip:bob@[2001:db8::10]:5080", Body: []byte("v=0\r\n"), Handle: func(e Event) { ev <- e }})
		if err != nil {
			t.Fatal(err)
		}
		inv := p.want("INVITE sip:bob@[2001:db8::10]:5080 SIP/2.0")
		if inv.get("Contact") != "<sip:[2001:db8::1]:5060>" || !strings.HasPrefix(inv.get("Via"), "SIP/2.0/UDP [2001:db8::1]:5060;") ||
			d.Invite().From.URI != "sip:Callbin@[2001:db8::1]" {
			t.Errorf("got\n%v", inv)
		}
		p.answer(inv, "200 OK", "t1", "", "")
		p.want("ACK sip:t1@[2001:db8::10]:5080 SIP/2.0")
		if a := (<-ev).Attempts[0].Addr; a != "[2001:db8::10]:5080" {
			t.Errorf("got %s", a)
		}
		if got := d.RemoteAddr(); got != netip.MustParseAddrPort("[2001:db8::10]:5080") {
			t.Errorf("got %v", got)
		}
	})
}

// Responses that are not ours, though they have our branch, change nothing.
func TestForeignResponsesAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		defer b.close()
		d, ev, inv := outgoingTrap(t, b)
		change := func(name, old, new string) text {
			m := inv
			m.headers = nil
			for _, h := range inv.headers {
				if h[0] == name {
					h[1] = strings.Replace(h[1], old, new, 1)
				}
				m.headers = append(m.headers, h)
			}
			return m
		}
		for _, m := range []text{
			change("Via", ";branch", ", SIP/2.0/UDP 192.0.2.9;branch"), // its top Via has no branch
			change("Via", ";rport", ";rport, SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1"),
			change("Via", "branch=z9hG4bK", "branch=z9hG4bKx"),
			change("Call-ID", d.CallID(), "other"),
			change("From", ";tag=", ";tag=x"),
			change("CSeq", " INVITE", "0 INVITE"),
			change("CSeq", "INVITE", "BYE"),
			change("CSeq", "INVITE", "CANCEL"),
		} {
			b.p.answer(m, "200 OK", "evil", "", "")
			b.p.answer(m, "486 Busy Here", "evil", "", "")
		}
		b.p.quiet(time.Second)
		if d.State() != StateEarly || len(ev.ch) > 0 {
			t.Errorf("state is %s", d.State())
		}
		b.p.answer(inv, "200 OK", "t1", "", "")
		b.p.want("ACK")
		ev.want(t, EventAccepted)
	})
}

// What a server was told about us is not told to where it sends us; and an
// application that panics in Redirect loses the call, no more.
func TestRedirectIsNotTrusted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		defer b.close()
		ev := &events{ch: make(chan Event, 10)}
		if _, err := b.e.Call(Outgoing{
			URI: "sip:bob@192.0.2.10", Body: []byte("v=0\r\n"), Handle: func(e Event) { ev.ch <- e },
			Credentials: []Credentials{{Realm: "home", Username: "ann", Password: "x"}},
			Redirect: func(uri string) bool {
				if uri == "sip:bad@192.0.2.10:5060" {
					panic(uri)
				}
				return true
			},
		}); err != nil {
			t.Fatal(err)
		}
		inv := b.p.want("INVITE")
		b.p.answer(inv, "401 Unauthorized", "a", "WWW-Authenticate: Digest realm=\"home\", nonce=\"1\"\r\n", "")
		b.p.want("ACK")
		if inv = b.p.want("INVITE"); inv.get("Authorization") == "" {
			t.Errorf("got\n%v", inv)
		}
		b.p.answer(inv, "302 Moved", "new", "", "") // its Contact is sip:new@...
		b.p.want("ACK")
		if inv = b.p.want("INVITE sip:new@192.0.2.10:5060"); inv.get("Authorization") != "" {
			t.Errorf("got\n%v", inv)
		}
		b.p.answer(inv, "302 Moved", "bad", "", "")
		b.p.want("ACK")
		if e := ev.want(t, EventRefused); e.Status != 487 || !e.Local || len(e.Attempts) != 3 {
			t.Errorf("got %+v", e)
		}
		b.p.quiet(time.Minute)
		if s := b.e.Stats(); s.Panics != 1 || s.Dialogs != 0 {
			t.Errorf("got %+v", s)
		}
	})
}
