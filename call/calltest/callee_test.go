package calltest_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/callbin/callbin/call/calltest"
)

func TestCalleeRingsAndShowsTheInvite(t *testing.T) {
	bubble(t, func(t *testing.T, net *calltest.Net) {
		alice, bob := pair(t, net, calltest.PhoneConfig{}, calltest.PhoneConfig{})
		a := alice.Start(t, "bob")
		b := bob.WaitCall(t)
		b.Ring()
		b.Provisional(182, "Subject: wait")
		time.Sleep(time.Minute) // ringing stops the INVITE's retransmission and its timeout
		b.Answer()
		b.WaitAnswer(t)
		if got, want := a.Statuses(), []int{100, 180, 182, 200}; !slices.Equal(got, want) {
			t.Errorf("alice got %v, want %v", got, want)
		}
		if got, want := b.Statuses(), []int{180, 182, 200}; !slices.Equal(got, want) {
			t.Errorf("bob sent %v, want %v", got, want)
		}
		in := b.Invite()
		if in.URI != "sip:bob@10.0.0.3:5060" || !strings.HasPrefix(in.Header("from"), "<sip:alice@10.0.0.2>;tag=") || in.SDP != a.Invite().SDP || len(in.Headers("Via")) != 1 {
			t.Errorf("INVITE %q from %q with %q", in.URI, in.Header("From"), in.SDP)
		}
		if got := b.Contact(); got != "sip:alice@"+alice.Addr().String() {
			t.Errorf("Contact %q", got)
		}
		if got := b.Answers(); len(got) != 1 || got[0] != in.SDP {
			t.Errorf("SDP that came: %q", got)
		}
	})
}

func TestCalleeRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		script func(*calltest.PhoneCall)
		status int
	}{
		"busy":     {func(c *calltest.PhoneCall) { c.Refuse(486, `Reason: Q.850;cause=17`) }, 486},
		"redirect": {func(c *calltest.PhoneCall) { c.Ring(); c.Redirect(302, "sip:carol@10.0.0.4") }, 302},
		"twice":    {func(c *calltest.PhoneCall) { c.Refuse(603); c.Answer(); c.Refuse(500) }, 603},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, net *calltest.Net) {
				alice, _ := pair(t, net, calltest.PhoneConfig{}, calltest.PhoneConfig{Accept: tc.script})
				c, err := alice.Invite(t.Context(), "bob")
				var refused *calltest.StatusError
				if !errors.As(err, &refused) || refused.Status != tc.status {
					t.Fatalf("got %v, want %d", err, tc.status)
				}
				if name == "busy" && refused.Reason != "Q.850;cause=17" {
					t.Errorf("Reason %q", refused.Reason)
				}
				if name == "redirect" && c.Contact() != "sip:carol@10.0.0.4" {
					t.Errorf("Contact %q", c.Contact())
				}
				time.Sleep(time.Minute) // the response is not repeated after the ACK
				if got := c.Statuses(); got[len(got)-1] != tc.status || slices.Index(got, tc.status) != len(got)-1 {
					t.Errorf("responses %v", got)
				}
			})
		})
	}
}

func TestEarlyMediaIsHeardBeforeTheAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, net *calltest.Net) {
		alice, bob := pair(t, net, calltest.PhoneConfig{}, calltest.PhoneConfig{})
		a := alice.Start(t, "bob")
		b := bob.WaitCall(t)
		b.Say(calltest.Tone(440, time.Second)) // waits for Progress
		time.Sleep(2 * time.Second)
		if n := len(a.Packets()); n != 0 {
			t.Errorf("%d packets before the 183", n)
		}
		b.Progress()
		time.Sleep(1200 * time.Millisecond)
		hears(t, a, 440)
		select {
		case <-a.Done():
			t.Errorf("over: %s", a.Ended())
		default:
		}
		b.Answer()
		b.WaitAnswer(t)
		if got, want := a.Statuses(), []int{100, 183, 200}; !slices.Equal(got, want) {
			t.Errorf("responses %v, want %v", got, want)
		}
		first, second := a.Answers()[0], a.Answers()[1]
		if first != second {
			t.Errorf("the SDP of 183 and 200 differ:\n%s\n%s", first, second)
		}
	})
}

func TestCallerCancels(t *testing.T) {
	bubble(t, func(t *testing.T, net *calltest.Net) {
		alice, bob := pair(t, net, calltest.PhoneConfig{}, calltest.PhoneConfig{})
		a := alice.Start(t, "bob")
		b := bob.WaitCall(t)
		b.Ring()
		time.Sleep(time.Second)
		if _, yes := b.Cancelled(); yes {
			t.Error("cancelled already")
		}
		a.Cancel(`Reason: SIP;cause=200;text="Call completed elsewhere"`)
		if got := b.WaitEnd(t); got != "487" {
			t.Errorf("bob's call ended by %q", got)
		}
		if reason, yes := b.Cancelled(); !yes || reason != `SIP;cause=200;text="Call completed elsewhere"` {
			t.Errorf("cancelled %v, Reason %q", yes, reason)
		}
		if got := a.WaitEnd(t); got != "487" {
			t.Errorf("alice's call ended by %q", got)
		}
		b.Answer() // too late, nothing happens
		time.Sleep(time.Second)
		if got, want := a.Statuses(), []int{100, 180, 487}; !slices.Equal(got, want) {
			t.Errorf("responses %v, want %v", got, want)
		}
	})
}

func TestCancelCrossesTheAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, net *calltest.Net) {
		alice, bob := pair(t, net, calltest.PhoneConfig{}, calltest.PhoneConfig{IgnoreCancel: true})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c, err := alice.Invite(ctx, "bob")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Invite: %v", err)
		}
		if got, want := c.Statuses(), []int{100, 200}; !slices.Equal(got, want) {
			t.Errorf("responses %v, want %v", got, want)
		}
		b := bob.WaitCall(t)
		b.WaitAnswer(t) // the ACK is there
		if got := b.WaitEnd(t); got != "BYE" {
			t.Errorf("bob's call ended by %q", got)
		}
		if _, yes := b.Cancelled(); !yes {
			t.Error("the CANCEL is not seen")
		}
	})
}

func TestSecondForkIsHungUp(t *testing.T) {
	bubble(t, func(t *testing.T, net *calltest.Net) {
		a, b := answered(t, net, calltest.PhoneConfig{}, calltest.PhoneConfig{})
		f := b.AnswerFork(t)
		f.WaitAnswer(t)
		if got := f.WaitEnd(t); got != "BYE" {
			t.Errorf("the fork ended by %q", got)
		}
		if a.Ended() != "" || b.Ended() != "" {
			t.Errorf("the call ended with the fork: %q, %q", a.Ended(), b.Ended())
		}
		a.Say(calltest.Tone(400, time.Second))
		time.Sleep(1200 * time.Millisecond)
		hears(t, b, 400)
		if len(f.Packets()) != 0 {
			t.Error("the fork got sound")
		}
		b.Hangup(t)
		a.WaitEnd(t)
	})
}

func TestCancelGoesToAllForks(t *testing.T) {
	bubble(t, func(t *testing.T, net *calltest.Net) {
		alice, bob := pair(t, net, calltest.PhoneConfig{}, calltest.PhoneConfig{})
		a := alice.Start(t, "bob")
		b := bob.WaitCall(t)
		f, err := b.Fork()
		if err != nil {
			t.Fatal(err)
		}
		b.Ring()
		f.Ring()
		time.Sleep(time.Second)
		a.Cancel()
		a.WaitEnd(t)
		if x, y := b.WaitEnd(t), f.WaitEnd(t); x != "487" || y != "487" {
			t.Errorf("ended by %q and %q", x, y)
		}
	})
}

// TestRFC3261_13_3_1_4 never acknowledges: the 200 comes again for 32 s, then a BYE.
func TestRFC3261_13_3_1_4(t *testing.T) {
	bubble(t, func(t *testing.T, net *calltest.Net) {
		alice, bob := pair(t, net, calltest.PhoneConfig{NoACK: true}, calltest.PhoneConfig{})
		a := alice.Start(t, "bob")
		b := bob.WaitCall(t)
		b.Answer()
		at := time.Now()
		if got := b.WaitEnd(t); got != "no ACK" {
			t.Errorf("bob's call ended by %q", got)
		}
		if d := time.Since(at); d != 32*time.Second {
			t.Errorf("after %v, want 32 s", d)
		}
		if got := a.WaitEnd(t); got != "BYE" {
			t.Errorf("alice's call ended by %q", got)
		}
		if got := a.Statuses(); len(got) != 1+11 { // at 0, 0.5, 1.5, 3.5, 7.5, 11.5 ... 31.5 s
			t.Errorf("responses %v", got)
		}
	})
}

// TestLossIsMadeUpFor loses a tenth of all packets in many calls, answered and refused.
func TestLossIsMadeUpFor(t *testing.T) {
	for seed := range uint64(30) {
		bubble(t, func(t *testing.T, net *calltest.Net) {
			net.SetFaults(calltest.Faults{Loss: 0.1, Seed: seed, Delay: 30 * time.Millisecond})
			alice, bob := pair(t, net, calltest.PhoneConfig{}, calltest.PhoneConfig{})
			a := alice.Start(t, "bob")
			b := bob.WaitCall(t)
			b.Answer()
			a.WaitAnswer(t)
			b.WaitAnswer(t)
			if got, status := a.Reinvite(t, "sendonly"); got != "recvonly" || status != 200 {
				t.Errorf("seed %d: hold is answered %s, %d", seed, got, status)
			}
			b.Hangup(t)
			a.WaitEnd(t)

			x := alice.Start(t, "bob")
			y := bob.WaitCall(t)
			y.Refuse(486)
			if got := x.WaitEnd(t); got != "486" {
				t.Errorf("seed %d: ended by %q", seed, got)
			}
			time.Sleep(time.Minute) // all that is repeated has come
			net.SetFaults(calltest.Faults{})
			alice.Start(t, "bob") // is the next that rings
			if z := bob.WaitCall(t); z.Invite().Header("Call-ID") == y.Invite().Header("Call-ID") {
				t.Errorf("seed %d: a retransmitted INVITE rang again", seed)
			}
		})
	}
}

func TestNothingIsSentToTheUnspecifiedAddress(t *testing.T) {
	bubble(t, func(t *testing.T, net *calltest.Net) { // hold as RFC 2543 had it
		a, _ := answered(t, net, calltest.PhoneConfig{SDPHost: "0.0.0.0"}, calltest.PhoneConfig{})
		time.Sleep(time.Second)
		if n := len(a.Packets()); n != 0 {
			t.Errorf("%d packets to 0.0.0.0", n)
		}
	})
}

// proxy is a bare socket that sends text to bob.
type proxy struct {
	calltest.Conn
	t *testing.T
}

func newProxy(t *testing.T, net *calltest.Net) proxy {
	t.Helper()
	conn, err := net.Listen(netip.MustParseAddrPort("10.0.0.9:5060"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return proxy{conn, t}
}

func (p proxy) send(lines ...string) {
	p.t.Helper()
	if _, err := p.WriteToUDPAddrPort([]byte(strings.Join(lines, "\r\n")), bobAddr); err != nil {
		p.t.Fatal(err)
	}
}

// got is the start of what came, "" where nothing comes within 5 s, and all of it.
func (p proxy) got() (first, all string) {
	p.t.Helper()
	if err := p.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		p.t.Fatal(err)
	}
	b := make([]byte, 65536)
	n, _, err := p.ReadFromUDPAddrPort(b)
	if err != nil {
		return "", ""
	}
	first, _, _ = strings.Cut(string(b[:n]), "\r\n")
	return first, string(b[:n])
}

func (p proxy) want(first string) (all string) {
	p.t.Helper()
	got, all := p.got()
	if got != first {
		p.t.Errorf("got %q, want %q", got, first)
	}
	return all
}

const wideband = "v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 9\r\n"

func TestInviteAgainGetsTheLastResponseAgain(t *testing.T) {
	bubble(t, func(t *testing.T, net *calltest.Net) {
		_, bob := pair(t, net, calltest.PhoneConfig{}, calltest.PhoneConfig{})
		p := newProxy(t, net)
		headers := []string{
			"v: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK-1", "f: <sip:x@10.0.0.9>;tag=1", "t: <sip:bob@10.0.0.3>", "i: 1",
			"CSeq: 1 INVITE", "m: <sip:x@10.0.0.8:5070>", "Record-Route: <sip:10.0.0.9;lr>", "", wideband,
		}
		invite := append([]string{"INVITE sip:bob@10.0.0.3:5060 SIP/2.0"}, headers...)
		p.send(invite...)
		p.want("SIP/2.0 100 Trying")
		c := bob.WaitCall(t)
		c.Ring()
		p.want("SIP/2.0 180 Ringing")
		p.send(invite...)
		p.want("SIP/2.0 180 Ringing")
		c.Answer() // there is no codec for it
		p.want("SIP/2.0 488 Not Acceptable Here")
		p.want("SIP/2.0 488 Not Acceptable Here")
		p.send(invite...)
		p.want("SIP/2.0 488 Not Acceptable Here")
		p.send("ACK sip:bob@10.0.0.3:5060 SIP/2.0", strings.Replace(strings.Join(headers[:8], "\r\n"), "1 INVITE", "1 ACK", 1), "")
		if got, _ := p.got(); got != "" {
			t.Errorf("after the ACK: %q", got)
		}
		if got := c.WaitEnd(t); got != "488" {
			t.Errorf("ended by %q", got)
		}
	})
}

func TestRequestsGoTheRecordedRoute(t *testing.T) {
	bubble(t, func(t *testing.T, net *calltest.Net) {
		_, bob := pair(t, net, calltest.PhoneConfig{}, calltest.PhoneConfig{})
		p := newProxy(t, net)
		p.send("INVITE sip:bob@10.0.0.3:5060 SIP/2.0", "Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK-1", "From: <sip:x@10.0.0.9>;tag=1",
			"To: <sip:bob@10.0.0.3>", "Call-ID: 1", "CSeq: 1 INVITE", "Contact: <sip:x@10.0.0.8:5070>", "Record-Route: <sip:10.0.0.9;lr>", "", "")
		p.want("SIP/2.0 100 Trying")
		c := bob.WaitCall(t)
		c.Answer()
		ok := p.want("SIP/2.0 200 OK")
		_, rest, _ := strings.Cut(ok, "\r\nTo: ")
		to, _, _ := strings.Cut(rest, "\r\n")
		p.send("ACK sip:bob@10.0.0.3:5060 SIP/2.0", "Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK-2", "From: <sip:x@10.0.0.9>;tag=1",
			"To: "+to, "Call-ID: 1", "CSeq: 1 ACK", "", "")
		c.WaitAnswer(t)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			c.Hangup(t)
		}()
		bye := p.want("BYE sip:x@10.0.0.8:5070 SIP/2.0")
		for _, h := range []string{"Route: <sip:10.0.0.9;lr>", "From: " + to, "To: <sip:x@10.0.0.9>;tag=1", "CSeq: 1 BYE", "Call-ID: 1"} {
			if !strings.Contains(bye, "\r\n"+h+"\r\n") {
				t.Errorf("no %q in\n%s", h, bye)
			}
		}
		_, headers, _ := strings.Cut(bye, "\r\n")
		p.send("SIP/2.0 200 OK", headers)
		<-ended
	})
}

func TestBothHangUpAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, net *calltest.Net) {
		a, b := answered(t, net, calltest.PhoneConfig{}, calltest.PhoneConfig{})
		net.SetFaults(calltest.Faults{Delay: 50 * time.Millisecond})
		var both sync.WaitGroup
		both.Go(func() { a.Hangup(t) })
		both.Go(func() { b.Hangup(t) })
		both.Wait()
	})
}

func TestSwitchingOffEndsEverything(t *testing.T) {
	bubble(t, func(t *testing.T, net *calltest.Net) {
		ended := make(chan string, 1)
		alice, bob := pair(t, net, calltest.PhoneConfig{}, calltest.PhoneConfig{Accept: func(c *calltest.PhoneCall) {
			c.Ring()
			<-c.Done()
			ended <- c.Ended()
		}})
		a := alice.Start(t, "bob")
		time.Sleep(time.Second)
		bob.Close()
		if got := <-ended; got != "phone switched off" {
			t.Errorf("bob's call ended by %q", got)
		}
		a.Cancel() // nobody answers
		alice.Close()
		a.WaitEnd(t)
	})
}
