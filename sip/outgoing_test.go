package sip

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// answer writes a response of the phone to m.
func (p *phone) answer(m text, status, tag, headers, body string) {
	p.t.Helper()
	var b strings.Builder
	b.WriteString("SIP/2.0 " + status + "\r\n")
	for _, h := range m.headers {
		switch h[0] {
		case "To":
			b.WriteString("To: " + h[1] + ";tag=" + tag + "\r\n")
		case "Via", "From", "Call-ID", "CSeq":
			b.WriteString(h[0] + ": " + h[1] + "\r\n")
		}
	}
	b.WriteString("Contact: <sip:" + tag + "@" + p.addr + ">\r\n" + headers)
	if body != "" {
		b.WriteString("Content-Type: application/sdp\r\n")
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	p.send([]byte(b.String()))
}

// placed is a call that the phone has taken.
func (b *bubble) placed(t testing.TB, o Outgoing) (*Dialog, *events, text) {
	t.Helper()
	ev := &events{ch: make(chan Event, 256)}
	o.Handle = func(e Event) { ev.ch <- e }
	d, err := b.e.Call(o)
	if err != nil {
		t.Fatal(err)
	}
	inv := b.p.want("INVITE")
	b.p.answer(inv, "200 OK", "t1", "", "v=0\r\n")
	b.p.want("ACK")
	ev.want(t, EventAccepted)
	return d, ev, inv
}

func TestOutgoingIsChecked(t *testing.T) {
	e := asker(t, nil, Listen{Network: "udp", PacketConn: newMemNet().listen("192.0.2.1:5060")})
	good := Outgoing{URI: "sip:bob@192.0.2.10", Body: []byte("v=0\r\n")}
	for _, tt := range []struct {
		change      func(*Outgoing)
		want        string
		unsupported bool
	}{
		{func(o *Outgoing) { o.URI = "" }, "no scheme", false},
		{func(o *Outgoing) { o.URI = "bob" }, "no scheme", false},
		{func(o *Outgoing) { o.URI = "sip:" }, "no host", false},
		{func(o *Outgoing) { o.URI = "sip:b@h?Subject=x" }, "has headers", false},
		{func(o *Outgoing) { o.URI = "sip:b@h\r\nX: y" }, "holds", false},
		{func(o *Outgoing) { o.URI = "sip:b@h;x=\"" }, "holds", false},
		{func(o *Outgoing) { o.URI = "sip:b c@h" }, "holds", false},
		{func(o *Outgoing) { o.URI = "tel:+49301" }, "unsupported", true},
		{func(o *Outgoing) { o.URI = "sips:b@h" }, "unsupported", true},
		{func(o *Outgoing) { o.URI = "sip:b@h;transport=tls" }, "unsupported", true},
		{func(o *Outgoing) { o.NextHop = "sip:p;transport=wss" }, "next hop", true},
		{func(o *Outgoing) { o.NextHop = "proxy" }, "next hop", false},
		{func(o *Outgoing) { o.To = "sip:b@h>" }, "To", false},
		{func(o *Outgoing) { o.To = "sip:b@h?x=y" }, "To", false},
		{func(o *Outgoing) { o.From.URI = "sip:a@h\n" }, "From", false},
		{func(o *Outgoing) { o.From.Display = "A\r\nEvil: x" }, "line break", false},
		{func(o *Outgoing) { o.Headers = []Header{{"X-A", "1\r\nEvil: x"}} }, "line break", false},
		{func(o *Outgoing) { o.Headers = []Header{{"X A", "1"}} }, "token", false},
		{func(o *Outgoing) { o.Headers = []Header{{"Contact", "<sip:x@y>"}} }, "set by the dialog", false},
		{func(o *Outgoing) { o.Headers = []Header{{"v", "SIP/2.0/UDP x"}} }, "set by the dialog", false},
		{func(o *Outgoing) { o.Credentials = []Credentials{{Username: "a\r\nb"}} }, "line break", false},
		{func(o *Outgoing) { o.Body = nil }, "without an offer", true},
		{func(o *Outgoing) { o.MaxForwards = -1 }, "MaxForwards", false},
		{func(o *Outgoing) { o.MaxForwards = 256 }, "MaxForwards", false},
		{func(o *Outgoing) { o.Timeout = -1 }, "Timeout", false},
	} {
		o := good
		tt.change(&o)
		d, err := e.Call(o)
		if d != nil || err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, errors.ErrUnsupported) != tt.unsupported {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
	if s := e.Stats(); s.Dialogs != 0 || s.Calls != 0 {
		t.Errorf("got %+v", s)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Call(good); !errors.Is(err, errClosed) {
		t.Errorf("got %v, want that it is closed", err)
	}
}

func TestCallsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(c *Config) { c.MaxDialogs = 2 })
		defer b.close()
		o := Outgoing{URI: "sip:bob@192.0.2.10", Body: []byte("v=0\r\n")}
		d, _, _ := b.placed(t, o)
		b.placed(t, o)
		if _, err := b.e.Call(o); !errors.Is(err, ErrFull) {
			t.Errorf("got %v, want ErrFull", err)
		}
		if err := d.Bye(); err != nil {
			t.Fatal(err)
		}
		b.p.reply(b.p.want("BYE"), "200 OK")
		synctest.Wait()
		b.placed(t, o)
	})
}

// What a call looks like to who placed it, before and after its target is known.
func TestOutgoingDialogTellsOfItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &zone{records: map[string][]string{"A far.example": {"192.0.2.10"}}, slow: time.Second}
		b := newBubble(t, func(c *Config) {
			c.Resolver, c.UserAgent = z, "Box"
			c.Listen[0].Advertise = "box.example:5070"
		})
		defer b.close()
		d, err := b.e.Call(Outgoing{
			URI: "sip:b%6Fb@far.example:5060", MaxForwards: 7, Body: []byte("v=0\r\n"),
			From: NameAddr{Display: "Ann", URI: "sip:ann@near.example"}, Headers: []Header{{"User-Agent", "Other"}, {"X-A", "1"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if d.RemoteAddr().IsValid() || d.LocalAddr().IsValid() || d.LocalHost() != "" || d.Network() != "" || d.Advertised() || d.State() != StateCalling {
			t.Errorf("before the look-up: %v %v %q %q %v %v", d.RemoteAddr(), d.LocalAddr(), d.LocalHost(), d.Network(), d.Advertised(), d.State())
		}
		_ = d.Snapshot()
		r := d.Invite()
		if r.Method != "INVITE" || r.URI != "sip:b%6Fb@far.example:5060" || r.User != "bob" || r.Host != "far.example" || r.MaxForwards != 7 ||
			r.From.Display != "Ann" || r.From.URI != "sip:ann@near.example" || r.From.Tag == "" || r.To.User != "bob" || r.To.Tag != "" ||
			r.CallID != d.CallID() || r.CSeq == 0 || r.UserAgent != "Other" || string(r.Body) != "v=0\r\n" {
			t.Errorf("got %+v", r)
		}
		inv := b.p.want("INVITE")
		for _, h := range r.Headers {
			if inv.get(h.Name) != h.Value || len(inv.all(h.Name)) != 1 {
				t.Errorf("%s was sent as %q, want %q", h.Name, inv.all(h.Name), h.Value)
			}
		}
		if got := inv.get("Contact"); got != "<sip:box.example:5070>" {
			t.Errorf("Contact is %s", got)
		}
		if d.RemoteAddr().String() != "192.0.2.10:5060" || d.LocalAddr().String() != "192.0.2.1:5060" || d.LocalHost() != "box.example" || d.Network() != "udp" || !d.Advertised() {
			t.Errorf("after the look-up: %v %v %q %q", d.RemoteAddr(), d.LocalAddr(), d.LocalHost(), d.Network())
		}
		if len(d.Raw()) != len(r.Headers) {
			t.Error("Raw and Headers differ")
		}
		for _, err := range []error{d.Accept(nil), d.Provisional(180, nil), d.Reject(486, ""), d.Bye(), d.Answer(1, 200, nil)} {
			if !errors.Is(err, ErrState) {
				t.Errorf("got %v, want ErrState", err)
			}
		}
		b.p.answer(inv, "180 Ringing", "t1", "", "")
		synctest.Wait()
		if d.State() != StateEarly {
			t.Errorf("state is %s", d.State())
		}
		for _, err := range []error{d.Accept(nil), d.Provisional(180, nil), d.Reject(486, ""), d.Bye()} {
			if !errors.Is(err, ErrState) {
				t.Errorf("got %v, want ErrState", err)
			}
		}
		if _, err := b.e.Restore(d.Snapshot(), nil); !errors.Is(err, ErrState) {
			t.Errorf("got %v, want ErrState", err)
		}
	})
}

// Without a From it is the endpoint itself who calls.
func TestDefaultFrom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct{ agent, advertise, uri, want string }{
			{"", "", "sip:bob@192.0.2.10", "sip:Callbin@192.0.2.1"},
			{"Call Box/1.0", "box.example:5060", "sip:bob@192.0.2.10", "sip:callbin@box.example"},
			{"Box", "box.example:5060", "sip:bob@192.0.2.10", "sip:Box@box.example"},
			{"Box", "box.example:5060", "sip:bob@unknown.example", "sip:Box@box.example"},
			{"Box", "", "sip:bob@unknown.example", "sip:Box@192.0.2.1"},
		} {
			b := newBubble(t, func(c *Config) {
				c.UserAgent, c.Listen[0].Advertise, c.Resolver = tt.agent, tt.advertise, &zone{}
			})
			d, err := b.e.Call(Outgoing{URI: tt.uri, Body: []byte("v=0\r\n")})
			if err != nil || d.Invite().From.URI != tt.want {
				t.Errorf("%q %q: got %v, %v, want %s", tt.agent, tt.advertise, d, err, tt.want)
			}
			b.close()
		}
	})
}

func TestRequestHasMaxForwards(t *testing.T) {
	for value, want := range map[string]int{"Max-Forwards: 12\r\n": 12, "": 70, "Max-Forwards: 0\r\n": 0} {
		m, err := parse(newParser(), []byte("INVITE sip:100@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK1\r\n"+value+
			"From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n"), flow{})
		if err != nil {
			t.Fatal(err)
		}
		if r, err := m.request(); err != nil || r.MaxForwards != want {
			t.Errorf("%q: got %+v, %v, want %d", value, r, err, want)
		}
	}
}

func TestCredentialsDoNotShowThePassword(t *testing.T) {
	c := Credentials{Realm: "r", Username: "ann", Password: "hush"}
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "cred", c)
	o := Outgoing{URI: "sip:x@y", Credentials: []Credentials{c}}
	for _, s := range []string{fmt.Sprint(c), fmt.Sprintf("%+v", c), fmt.Sprintf("%#v", c), fmt.Sprintf("%v %+v %#v", o, o, o), b.String()} {
		if strings.Contains(s, "hush") || !strings.Contains(s, "ann") {
			t.Errorf("printed as %s", s)
		}
	}
	if j, err := json.Marshal(c); err != nil || strings.Contains(string(j), "hush") {
		t.Errorf("JSON is %s, %v", j, err)
	}
}

func TestRestoredOutgoingDialogGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		d, ev, inv := b.placed(t, Outgoing{URI: "sip:bob@192.0.2.10", Body: []byte("v=0\r\n")})
		j, err := json.Marshal(d.Snapshot())
		if err != nil {
			t.Fatal(err)
		}
		b.stop()
		ev.want(t, EventFailed)
		e2, stop := serve(t, Config{
			Listen: []Listen{{Network: "udp", PacketConn: b.net.listen("192.0.2.1:5060")}},
			Invite: func(*Dialog) {},
		})
		defer stop()
		defer b.p.close()
		var s DialogState
		if err := json.Unmarshal(j, &s); err != nil {
			t.Fatal(err)
		}
		ev = &events{ch: make(chan Event, 10)}
		d2, err := e2.Restore(s, func(e Event) { ev.ch <- e })
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s, d2.Snapshot(), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" || !s.Outgoing {
			t.Error(diff)
		}
		c := b.p.caller(inv.get("Call-ID"))
		c.toTag, c.tag, c.target = s.LocalTag, "t1", inv.contactURI()
		c.request("INVITE", "", sdpOffer)
		b.p.want("SIP/2.0 100")
		if err := d2.Answer(ev.want(t, EventOffer).Offer, 200, nil); err != nil {
			t.Fatal(err)
		}
		b.p.want("SIP/2.0 200")
		c.ack("")
		ev.want(t, EventOfferAck)
		if err := d2.Bye(); err != nil {
			t.Fatal(err)
		}
		bye := b.p.want("BYE sip:200@192.0.2.10:5060 SIP/2.0") // its Contact in the re-INVITE
		if got, want := atoi(bye.get("CSeq")), atoi(inv.get("CSeq"))+1; got != want {
			t.Errorf("CSeq is %d, want %d", got, want)
		}
		b.p.reply(bye, "200 OK")
		ev.want(t, EventByeDone)
	})
}

// The endpoint closes: the application is told, and nothing goes out any more.
func TestEndpointClosesWhileCalling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &zone{records: map[string][]string{"A far.example": {"192.0.2.10"}}, slow: time.Second}
		b := newBubble(t, func(c *Config) { c.Resolver = z })
		var got []Event
		for _, uri := range []string{"sip:bob@192.0.2.10", "sip:bob@far.example", "sip:bob@192.0.2.99"} {
			if _, err := b.e.Call(Outgoing{URI: uri, Body: []byte("v=0\r\n"), Handle: func(e Event) { got = append(got, e) }}); err != nil {
				t.Fatal(err)
			}
		}
		inv := b.p.want("INVITE")
		b.p.answer(inv, "180 Ringing", "t1", "", "")
		synctest.Wait()
		got = nil
		b.close()
		if len(got) != 3 || got[0].Kind != EventFailed || got[1].Kind != EventFailed || got[2].Kind != EventFailed {
			t.Errorf("got %+v", got)
		}
		if s := b.e.Stats(); s.Dialogs != 0 {
			t.Errorf("got %+v", s)
		}
	})
}

// A handler that panics ends its call properly.
func TestPanickingHandlerEndsOutgoingCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		defer b.close()
		for _, kind := range []EventKind{EventProgress, EventAccepted} {
			if _, err := b.e.Call(Outgoing{URI: "sip:bob@192.0.2.10", Body: []byte("v=0\r\n"), Handle: func(e Event) {
				if e.Kind == kind {
					panic("oops")
				}
			}}); err != nil {
				t.Fatal(err)
			}
			inv := b.p.want("INVITE")
			b.p.answer(inv, "180 Ringing", "t1", "", "")
			if kind == EventProgress {
				b.p.reply(b.p.want("CANCEL"), "200 OK")
				b.p.answer(inv, "487 Gone", "t1", "", "")
				b.p.want("ACK")
			} else {
				b.p.answer(inv, "200 OK", "t1", "", "")
				b.p.want("ACK")
				b.p.reply(b.p.want("BYE"), "200 OK")
			}
			synctest.Wait()
		}
		if s := b.e.Stats(); s.Dialogs != 0 || s.Panics != 2 {
			t.Errorf("got %+v", s)
		}
	})
}

// An endpoint can call itself: the two dialogs have nothing in common but the Call-ID.
func TestEndpointCallsItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		defer b.close()
		out := &events{ch: make(chan Event, 10)}
		d, err := b.e.Call(Outgoing{URI: "sip:100@192.0.2.1", Body: []byte("v=0\r\n"), Handle: func(e Event) { out.ch <- e }})
		if err != nil {
			t.Fatal(err)
		}
		in, ev := b.call(t)
		if err := errors.Join(in.Provisional(180, nil), in.Accept([]byte("v=1\r\n"))); err != nil {
			t.Fatal(err)
		}
		out.want(t, EventProgress)
		out.want(t, EventAccepted)
		ev.want(t, EventAck)
		if err := d.Bye(); err != nil {
			t.Fatal(err)
		}
		ev.want(t, EventBye)
		out.want(t, EventByeDone)

		if d, err = b.e.Call(Outgoing{URI: "sip:100@192.0.2.1", Body: []byte("v=0\r\n"), Handle: func(e Event) { out.ch <- e }}); err != nil {
			t.Fatal(err)
		}
		_, ev = b.call(t)
		if err := d.Cancel(Header{"Reason", "Q.850;cause=16"}); err != nil {
			t.Fatal(err)
		}
		if e := ev.want(t, EventCancel); e.Cause != 16 {
			t.Errorf("got %+v", e)
		}
		if e := out.want(t, EventRefused); e.Status != 487 || e.Local {
			t.Errorf("got %+v", e)
		}
		time.Sleep(time.Minute)
		if s := b.e.Stats(); s.Dialogs != 0 || s.Strays != 0 {
			t.Errorf("left: %+v", s)
		}
	})
}

// Whoever sets a handler late misses no answer, however often it rang before.
func TestAnswerIsKeptForALateHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		defer b.close()
		d, err := b.e.Call(Outgoing{URI: "sip:bob@192.0.2.10", Body: []byte("v=0\r\n")})
		if err != nil {
			t.Fatal(err)
		}
		inv := b.p.want("INVITE")
		for range 2 * maxQueue {
			b.p.answer(inv, "180 Ringing", "t1", "", "")
		}
		b.p.answer(inv, "200 OK", "t1", "", "")
		b.p.want("ACK")
		synctest.Wait()
		var got []EventKind
		d.Handle(func(e Event) { got = append(got, e.Kind) })
		if len(got) != maxQueue+1 || got[maxQueue] != EventAccepted {
			t.Errorf("got %d events, the last one %v", len(got), got[len(got)-1])
		}
	})
}

// The first request of the peer may have any number, 0 too; the next one a higher one.
func TestFirstRequestOfThePeerHasAnyNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		defer b.close()
		d, _, inv := b.placed(t, Outgoing{URI: "sip:bob@192.0.2.10", Body: []byte("v=0\r\n")})
		c := b.p.caller(d.CallID())
		c.toTag, c.tag, c.target = d.Snapshot().LocalTag, "t1", inv.contactURI()
		for i, want := range []string{"SIP/2.0 200", "SIP/2.0 500", "SIP/2.0 200"} {
			c.send("OPTIONS", i/2, fmt.Sprintf("o%d", i), "", "")
			b.p.want(want)
		}
	})
}
