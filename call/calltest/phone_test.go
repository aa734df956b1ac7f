package calltest_test

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/callbin/callbin/call/calltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var bobAddr = netip.MustParseAddrPort("10.0.0.3:5060")

// pair is a phone, alice, that calls another one, bob, without an engine between them.
func pair(t *testing.T, net *calltest.Net, alice, bob calltest.PhoneConfig) (a, b *calltest.Phone) {
	t.Helper()
	bob.Addr, bob.Port, bob.User = bobAddr.Addr(), bobAddr.Port(), "bob"
	alice.Server = bobAddr
	return calltest.NewPhone(t, net, alice), calltest.NewPhone(t, net, bob)
}

// answered is the same two in a call, as each of them sees it.
func answered(t *testing.T, net *calltest.Net, alice, bob calltest.PhoneConfig) (a, b *calltest.PhoneCall) {
	t.Helper()
	pa, pb := pair(t, net, alice, bob)
	a = pa.Start(t, "bob")
	b = pb.WaitCall(t)
	b.Answer()
	b.WaitAnswer(t)
	a.WaitAnswer(t)
	return a, b
}

// bubble runs f in virtual time, which also waits for every goroutine, and looks for sockets that are left.
func bubble(t *testing.T, f func(t *testing.T, net *calltest.Net)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		net := calltest.NewNet()
		t.Cleanup(func() { // after those of the phones
			if n := net.Open(); n != 0 {
				t.Errorf("%d sockets are left", n)
			}
		})
		f(t, net)
	})
}

// hears checks what c heard: want, and not the other tones.
func hears(t *testing.T, c *calltest.PhoneCall, want float64, not ...float64) {
	t.Helper()
	pcm := c.Heard()
	if !calltest.Hears(pcm, want) {
		t.Errorf("%v Hz is not heard in %d samples", want, len(pcm))
	}
	for _, hz := range not {
		if calltest.Hears(pcm, hz) {
			t.Errorf("%v Hz is heard", hz)
		}
	}
}

func TestPhonesTalkBothWays(t *testing.T) {
	for name, tc := range map[string]struct{ alice, bob calltest.PhoneConfig }{
		"PCMU":                {},
		"PCMA":                {alice: calltest.PhoneConfig{PCMA: true}},
		"late offer":          {alice: calltest.PhoneConfig{LateOffer: true}},
		"late offer of PCMA":  {bob: calltest.PhoneConfig{PCMA: true}, alice: calltest.PhoneConfig{LateOffer: true}},
		"without digits":      {bob: calltest.PhoneConfig{NoEvents: true}},
		"late, without these": {bob: calltest.PhoneConfig{NoEvents: true}, alice: calltest.PhoneConfig{LateOffer: true}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, net *calltest.Net) {
				a, b := answered(t, net, tc.alice, tc.bob)
				a.Say(calltest.Tone(400, time.Second))
				b.Say(calltest.Tone(700, time.Second))
				time.Sleep(1200 * time.Millisecond)
				hears(t, a, 700, 400)
				hears(t, b, 400, 700)
				a.Hangup(t)
				if got := b.WaitEnd(t); got != "BYE" {
					t.Errorf("bob's call ended by %q", got)
				}
			})
		})
	}
}

func TestCalleeHangsUp(t *testing.T) {
	bubble(t, func(t *testing.T, net *calltest.Net) {
		a, b := answered(t, net, calltest.PhoneConfig{}, calltest.PhoneConfig{})
		if a.Ended() != "" || b.Ended() != "" {
			t.Errorf("over already: %q, %q", a.Ended(), b.Ended())
		}
		b.Hangup(t, `Reason: Q.850;cause=16`)
		if got, want := a.WaitEnd(t), "BYE Q.850;cause=16"; got != want {
			t.Errorf("alice's call ended by %q, want %q", got, want)
		}
		if got := b.WaitEnd(t); got != "hung up" {
			t.Errorf("bob's call ended by %q", got)
		}
	})
}

func TestHoldIsObeyed(t *testing.T) {
	for _, who := range []string{"caller", "callee"} {
		t.Run(who, func(t *testing.T) {
			bubble(t, func(t *testing.T, net *calltest.Net) {
				holder, held := answered(t, net, calltest.PhoneConfig{}, calltest.PhoneConfig{})
				if who == "callee" {
					holder, held = held, holder
				}
				for _, step := range []struct {
					offer, answer string
					both          [2]bool // the holder gets packets, the held one does
				}{
					{"sendonly", "recvonly", [2]bool{false, true}},
					{"inactive", "inactive", [2]bool{false, false}},
					{"recvonly", "sendonly", [2]bool{true, false}},
					{"sendrecv", "sendrecv", [2]bool{true, true}},
				} {
					if got, status := holder.Reinvite(t, step.offer); got != step.answer || status != 200 {
						t.Errorf("offer %s is answered %s with %d, want %s", step.offer, got, status, step.answer)
					}
					if got := held.Direction(); got != step.offer {
						t.Errorf("the held one knows of %s, want %s", got, step.offer)
					}
					time.Sleep(100 * time.Millisecond) // what is on its way
					before := [2]int{len(holder.Packets()), len(held.Packets())}
					time.Sleep(time.Second)
					for i, c := range []*calltest.PhoneCall{holder, held} {
						if got := len(c.Packets()) > before[i]; got != step.both[i] {
							t.Errorf("%s: packets for %d: %v, want %v", step.offer, i, got, step.both[i])
						}
					}
				}
				held.Hangup(t)
				holder.WaitEnd(t)
			})
		})
	}
}

func TestPacketsAreContinuous(t *testing.T) {
	bubble(t, func(t *testing.T, net *calltest.Net) {
		a, b := answered(t, net, calltest.PhoneConfig{}, calltest.PhoneConfig{})
		time.Sleep(time.Second)
		a.Hangup(t)
		got := b.Packets()
		if len(got) < 49 || len(got) > 51 {
			t.Errorf("%d packets in a second", len(got))
		}
		for i := 1; i < len(got); i++ {
			p, q := got[i-1], got[i]
			want := calltest.Packet{At: p.At.Add(20 * time.Millisecond), Sequence: p.Sequence + 1, Timestamp: p.Timestamp + 160, SSRC: p.SSRC}
			if q != want {
				t.Errorf("packet %d is %+v, want %+v", i, q, want)
			}
		}
	})
}

func TestPhoneKeepsItsPort(t *testing.T) {
	bubble(t, func(t *testing.T, net *calltest.Net) {
		_, bob := pair(t, net, calltest.PhoneConfig{}, calltest.PhoneConfig{})
		if got := bob.Addr(); got != bobAddr {
			t.Errorf("bob is at %s, want %s", got, bobAddr)
		}
	})
}

// TestPhonesOverLoopback is the same over sockets, in real time.
func TestPhonesOverLoopback(t *testing.T) {
	lo := netip.MustParseAddr("127.0.0.1")
	bob := calltest.NewPhone(t, calltest.Loopback{}, calltest.PhoneConfig{Addr: lo})
	alice := calltest.NewPhone(t, calltest.Loopback{}, calltest.PhoneConfig{Addr: lo, Server: bob.Addr()})
	a := alice.Start(t, "bob")
	b := bob.WaitCall(t)
	b.Ring()
	b.Answer()
	b.WaitAnswer(t)
	a.WaitAnswer(t)
	a.Say(calltest.Tone(400, time.Second))
	a.Press("5")
	a.Press("6")
	if got := b.Pressed(); got != "56" {
		t.Errorf("bob got %q", got)
	}
	hears(t, b, 400)
	b.Hangup(t)
	if got := a.WaitEnd(t); got != "BYE" {
		t.Errorf("alice's call ended by %q", got)
	}
}
