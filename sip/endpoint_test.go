package sip

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConfigFaultsAreToldAtOnce(t *testing.T) {
	_, err := New(Config{
		Listen: []Listen{
			{Network: "sctp", Addr: "127.0.0.1:0"},
			{Network: "udp", Addr: "0.0.0.0:0"},
			{Network: "tcp", Addr: "[::]:0"},
			{Network: "udp", Addr: "localhost:0"},
			{Network: "udp", Addr: "127.0.0.1:0", Advertise: "no port"},
			{Network: "udp", Addr: "127.0.0.1:0", Advertise: "evil\r\nX: y:5060"},
			{Network: "tcp", PacketConn: newMemNet().listen("192.0.2.1:5060")},
		},
		LocalNets: []netip.Prefix{{}},
		UserAgent: "a\r\nb",
		MaxConns:  -1,
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`Listen[0]: Network is "sctp"`, `Listen[1]: Addr "0.0.0.0:0" is no address`, `Listen[2]: Addr "[::]:0"`,
		`Listen[3]: Addr "localhost:0" is not IP:PORT`, `Listen[4]: Advertise "no port"`, `Listen[5]: Advertise`,
		`Listen[6]: PacketConn is for udp only`, "LocalNets[0]", "UserAgent", "MaxConns is negative", "Invite is nil",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not tell %q:\n%v", want, err)
		}
	}
}

func TestTakenPortIsNamed(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		cfg := Config{Listen: []Listen{{Network: network, Addr: "127.0.0.1:0"}}, Invite: func(*Dialog) {}}
		e, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		addr := e.Addrs()[0].Addr.String()
		cfg.Listen = append(cfg.Listen, Listen{Network: network, Addr: addr})
		_, err = New(cfg)
		if err == nil || !strings.Contains(err.Error(), addr) || !strings.Contains(err.Error(), "address already in use") {
			t.Errorf("%s: got %v, want an error that names %s", network, err, addr)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		// The failed New gave back what it had bound.
		if e, err = New(Config{Listen: []Listen{{Network: network, Addr: addr}}, Invite: func(*Dialog) {}}); err != nil {
			t.Errorf("%s: %v", network, err)
			continue
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		if err := e.Run(context.Background()); err == nil {
			t.Error("a closed endpoint runs")
		}
	}
}

func TestNotReadyGets503(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ready := false
		b := newBubble(t, func(c *Config) {
			c.Ready = func(time.Duration) (bool, time.Duration) { return ready, 1500 * time.Millisecond }
		})
		defer b.close()
		c := b.p.caller("drain")
		branch := c.invite(sdpOffer)
		if m := b.p.want("SIP/2.0 503"); m.get("Retry-After") != "2" {
			t.Errorf("Retry-After is %q, want 2", m.get("Retry-After"))
		}
		c.request("OPTIONS", "", "")
		b.p.want("SIP/2.0 503")
		// It is ready now, but the peer of the first INVITE has its answer: it does not know of a call.
		ready = true
		c.send("INVITE", 1, branch, "", sdpOffer)
		b.p.want("SIP/2.0 503")
		if s := b.e.Stats(); s.Invites != 0 || s.Repeated != 1 {
			t.Errorf("%+v", s)
		}
		b.p.caller("later").invite(sdpOffer)
		b.p.want("SIP/2.0 100")
	})
}

func TestMaxDialogs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(c *Config) { c.MaxDialogs = 1 })
		defer b.close()
		one, _, ev := b.confirmed(t, "one")
		two := b.p.caller("two")
		two.invite(sdpOffer)
		b.p.want("SIP/2.0 503")
		one.request("BYE", "", "")
		b.p.want("SIP/2.0 200")
		ev.want(t, EventBye)
		b.confirmed(t, "three")
	})
}

func TestAdvertisedAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := newMemNet()
		calls := make(chan *Dialog, 2)
		e, stop := serve(t, Config{
			Listen:    []Listen{{Network: "udp", PacketConn: mem.listen("10.0.0.1:5060"), Advertise: "203.0.113.9:5999"}},
			LocalNets: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
			Invite:    func(d *Dialog) { calls <- d },
		})
		defer stop()
		for _, tt := range []struct {
			peer, contact, host string
			advertised          bool
		}{
			{"10.0.0.2:5060", "<sip:10.0.0.1:5060>", "10.0.0.1", false},
			{"198.51.100.2:5060", "<sip:203.0.113.9:5999>", "203.0.113.9", true},
		} {
			p := newPhone(t, mem.listen(tt.peer), e.Addrs()[0].Addr)
			c := p.caller(tt.peer)
			c.invite(sdpOffer)
			p.want("SIP/2.0 100")
			d := <-calls
			ev := collect(d)
			if err := d.Accept(nil); err != nil {
				t.Fatal(err)
			}
			ok := p.want("SIP/2.0 200")
			if got := ok.get("Contact"); got != tt.contact {
				t.Errorf("%s: Contact is %s, want %s", tt.peer, got, tt.contact)
			}
			if got := d.LocalHost(); got != tt.host || d.Advertised() != tt.advertised {
				t.Errorf("%s: LocalHost is %s, want %s", tt.peer, got, tt.host)
			}
			if got := d.LocalAddr().String(); got != "10.0.0.1:5060" {
				t.Errorf("LocalAddr is %s", got)
			}
			if d.RemoteAddr().String() != tt.peer || d.Network() != "udp" {
				t.Errorf("RemoteAddr is %v %s", d.RemoteAddr(), d.Network())
			}
			c.answered(ok)
			c.ack("")
			ev.want(t, EventAck)
			if err := d.Bye(); err != nil {
				t.Fatal(err)
			}
			bye := p.want("BYE")
			if want := "SIP/2.0/UDP " + strings.Trim(tt.contact, "<>")[4:] + ";branch=z9hG4bK"; !strings.HasPrefix(bye.get("Via"), want) {
				t.Errorf("%s: Via is %s, want %s", tt.peer, bye.get("Via"), want)
			}
			p.reply(bye, "200 OK")
			ev.want(t, EventByeDone)
			p.close()
		}
	})
}

func TestHeadersFromOutsideAreChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		defer b.close()
		c := b.p.caller("inject")
		c.invite(sdpOffer)
		b.p.want("SIP/2.0 100")
		d, _ := b.call(t)
		for _, h := range []Header{
			{"Reason", "x\r\nEvil: y"}, {"Rea\r\nson", "x"}, {"X", "a\nb"}, {"X", "a\x00"}, {"", "x"},
			{"Via", "x"}, {"v", "x"}, {"To", "x"}, {"Content-Length", "9"}, {"Contact", "<sip:x@y>"},
		} {
			if err := d.Reject(486, "", h); err == nil {
				t.Errorf("Reject takes the header %q", h)
			}
		}
		if err := d.Reject(486, "Busy\r\nEvil: y"); err == nil {
			t.Error("Reject takes a line break in its reason")
		}
		if err := d.Reject(200, ""); err == nil {
			t.Error("Reject takes 200")
		}
		if err := d.Provisional(100, nil); err == nil {
			t.Error("Provisional takes 100")
		}
		if err := d.Bye(); !errors.Is(err, ErrState) {
			t.Errorf("Bye before Accept: got %v, want ErrState", err)
		}
		if err := d.Reject(302, "", Header{"Contact", "<sip:else@192.0.2.9>"}); err != nil {
			t.Fatal(err)
		}
		if m := b.p.want("SIP/2.0 302 Moved Temporarily"); m.get("Contact") != "<sip:else@192.0.2.9>" {
			t.Errorf("Contact is %q", m.get("Contact"))
		}
	})
}

func TestPanicEndsOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		b := newBubble(t, func(c *Config) {
			c.Logger = slog.New(slog.NewTextHandler(&log, nil))
			accept := c.Invite
			c.Invite = func(d *Dialog) {
				if d.CallID() == "bad" {
					panic("in Invite")
				}
				accept(d)
			}
		})
		defer b.close()
		bad := b.p.caller("bad")
		branch := bad.invite(sdpOffer)
		m := b.p.want("SIP/2.0 500")
		bad.toTag = m.toTag()
		bad.send("ACK", 1, branch, "", "")

		c := b.p.caller("handler")
		c.invite(sdpOffer)
		b.p.want("SIP/2.0 100")
		d := <-b.calls
		d.Handle(func(e Event) {
			if e.Kind == EventAck {
				panic("in handler")
			}
		})
		if err := d.Accept(nil); err != nil {
			t.Fatal(err)
		}
		c.answered(b.p.want("SIP/2.0 200"))
		c.ack("")
		b.p.reply(b.p.want("BYE"), "200 OK")
		synctest.Wait()
		if s := b.e.Stats(); s.Panics != 2 || s.Dialogs != 0 {
			t.Errorf("got %+v", s)
		}
		for _, want := range []string{"in Invite", "in handler", "endpoint_test.go"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log does not hold %q:\n%s", want, log.String())
			}
		}
		b.confirmed(t, "next")
	})
}

func TestEventsBeforeHandleAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		defer b.close()
		c := b.p.caller("early")
		c.invite(sdpOffer)
		b.p.want("SIP/2.0 100")
		d := <-b.calls
		if err := d.Provisional(180, nil); err != nil {
			t.Fatal(err)
		}
		c.answered(b.p.want("SIP/2.0 180"))
		for range 100 { // more than are kept
			c.request("INFO", "Content-Type: application/dtmf\r\n", "5")
			b.p.want("SIP/2.0 200")
		}
		c.request("BYE", "", "")
		b.p.want("SIP/2.0 200")
		b.p.want("SIP/2.0 487")
		var kinds []EventKind
		d.Handle(func(e Event) { kinds = append(kinds, e.Kind) })
		if len(kinds) != maxQueue+1 || kinds[0] != EventInfo || kinds[maxQueue] != EventBye {
			t.Errorf("got %d events, the last %v", len(kinds), kinds[len(kinds)-1])
		}
	})
}

func TestRequestAndEventSurviveJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		defer b.close()
		c := b.p.caller("json")
		c.target = "sip:%2B49%2030;phone-context=x:secret@[2001:db8::1]:5070;user=phone"
		c.extra = "s: subject\r\nUser-Agent: Phone\r\nX-A: 1\r\nX-A: 2\r\n"
		c.invite(sdpOffer)
		b.p.want("SIP/2.0 100")
		d, _ := b.call(t)
		r := d.Invite()
		if r.User != "+49 30;phone-context=x" || r.Host != "2001:db8::1" || r.From.Display != "Caller" ||
			r.From.Tag != "tjson" || r.From.User != "200" || r.To.User != "100" || r.UserAgent != "Phone" ||
			r.Contact.URI != "sip:200@192.0.2.10:5060" || r.Network != "udp" || r.Source.String() != "192.0.2.10:5060" {
			t.Errorf("got %+v", r)
		}
		if v, ok := r.Header("Subject"); v != "subject" || !ok {
			t.Errorf("Subject is %q", v)
		}
		if v, ok := r.Header("X-None"); v != "" || ok {
			t.Errorf("X-None is %q", v)
		}
		if raw := strings.Join(d.Raw(), "\n"); !strings.Contains(raw, "\nX-A: 1\nX-A: 2\n") {
			t.Errorf("Raw is %s", raw)
		}
		j, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var back Request
		if err := json.Unmarshal(j, &back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(*r, back, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
			t.Error(diff)
		}
	})
}
