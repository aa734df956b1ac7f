package calltest_test

import (
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/callbin/callbin/call/calltest"
)

// socket is a bare one.
func socket(t *testing.T, net *calltest.Net, addr string) calltest.Conn {
	t.Helper()
	c, err := net.Listen(netip.MustParseAddrPort(addr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// arrivals are all datagrams that come to c within 5 s.
func arrivals(t *testing.T, c calltest.Conn) (got []string) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 2000)
	for {
		n, _, err := c.ReadFromUDPAddrPort(b)
		if err != nil {
			return got
		}
		got = append(got, string(b[:n]))
	}
}

// traffic sends 500 packets, one each 20 ms, from each of four sockets to each other, all at the same moments, and
// returns what came from the first to the second one, and what came the other way.
func traffic(t *testing.T, f calltest.Faults) (there, back []string) {
	bubble(t, func(t *testing.T, net *calltest.Net) {
		net.SetFaults(f)
		var conns []calltest.Conn
		for i := range 4 {
			conns = append(conns, socket(t, net, fmt.Sprintf("10.0.1.%d:4000", i)))
		}
		var senders sync.WaitGroup
		for i, c := range conns {
			for j := range conns {
				senders.Go(func() {
					for n := range 500 {
						text := fmt.Sprintf("%d to %d: %d", i, j, n)
						if _, err := c.WriteToUDPAddrPort([]byte(text), netip.MustParseAddrPort(fmt.Sprintf("10.0.1.%d:4000", j))); err != nil {
							t.Error(err)
						}
						time.Sleep(20 * time.Millisecond)
					}
				})
			}
		}
		senders.Wait()
		only := func(c calltest.Conn, prefix string) []string {
			return slices.DeleteFunc(arrivals(t, c), func(s string) bool { return !strings.HasPrefix(s, prefix) })
		}
		there, back = only(conns[1], "0 to 1"), only(conns[0], "1 to 0")
	})
	return there, back
}

func TestSameSeedMakesTheSameFaults(t *testing.T) {
	f := calltest.Faults{Delay: 10 * time.Millisecond, Jitter: 30 * time.Millisecond, Loss: 0.1, Reorder: 0.1, Duplicate: 0.1, Seed: 7}
	there, back := traffic(t, f)
	for range 3 { // the goroutines come in another order each time
		if again, back2 := traffic(t, f); !slices.Equal(again, there) || !slices.Equal(back2, back) {
			t.Fatal("the same seed makes other faults")
		}
	}
	different := func(a, b []string) bool { // in what is lost
		return !slices.Equal(numbers(a), numbers(b))
	}
	if !different(there, back) {
		t.Error("both directions lose the same")
	}
	f.Seed++
	if other, _ := traffic(t, f); !different(there, other) {
		t.Error("another seed loses the same")
	}
}

// numbers of packets, sorted, each once.
func numbers(packets []string) (n []string) {
	for _, s := range packets {
		_, number, _ := strings.Cut(s, ": ")
		n = append(n, number)
	}
	slices.Sort(n)
	return slices.Compact(n)
}

func TestSharesOfFaults(t *testing.T) {
	overtaken := func(packets []string) (n int) {
		last := -1
		for _, s := range packets {
			var number int
			if _, err := fmt.Sscanf(s, "0 to 1: %d", &number); err != nil {
				t.Fatal(err)
			}
			if number < last {
				n++
			}
			last = max(last, number)
		}
		return n
	}
	for name, tc := range map[string]struct {
		f                          calltest.Faults
		distinct, twice, overtaken [2]int // from and to
	}{
		"none":      {calltest.Faults{Delay: time.Second}, [2]int{500, 500}, [2]int{}, [2]int{}},
		"loss":      {calltest.Faults{Loss: 0.1}, [2]int{430, 470}, [2]int{}, [2]int{}},
		"all":       {calltest.Faults{Loss: 1}, [2]int{}, [2]int{}, [2]int{}},
		"duplicate": {calltest.Faults{Duplicate: 0.1}, [2]int{500, 500}, [2]int{30, 70}, [2]int{}},
		"reorder":   {calltest.Faults{Reorder: 0.1}, [2]int{500, 500}, [2]int{}, [2]int{30, 70}},
		"small":     {calltest.Faults{Jitter: 19 * time.Millisecond}, [2]int{500, 500}, [2]int{}, [2]int{}},
		"jitter":    {calltest.Faults{Jitter: 60 * time.Millisecond}, [2]int{500, 500}, [2]int{}, [2]int{100, 400}},
	} {
		there, _ := traffic(t, tc.f)
		distinct := len(numbers(there))
		for what, got := range map[string]struct {
			n    int
			want [2]int
		}{
			"distinct":  {distinct, tc.distinct},
			"twice":     {len(there) - distinct, tc.twice},
			"overtaken": {overtaken(there), tc.overtaken},
		} {
			if got.n < got.want[0] || got.n > got.want[1] {
				t.Errorf("%s: %d %s, want %v", name, got.n, what, got.want)
			}
		}
	}
}

// TestMoreLossLosesTheSamePacketsAndMore lets a test author turn one knob and keep the story.
func TestMoreLossLosesTheSamePacketsAndMore(t *testing.T) {
	few, _ := traffic(t, calltest.Faults{Loss: 0.2, Seed: 3})
	many, _ := traffic(t, calltest.Faults{Loss: 0.05, Reorder: 0.5, Duplicate: 0.5, Seed: 3})
	left := numbers(many)
	for _, n := range numbers(few) {
		if _, ok := slices.BinarySearch(left, n); !ok {
			t.Errorf("packet %s comes with a loss of 20 %% and not with 5 %%", n)
		}
	}
}

func TestTrafficThatIsLost(t *testing.T) {
	sip := func(first, cseq string) string { return first + "\r\nCSeq: 1 " + cseq + "\r\n\r\n" }
	sent := map[string]string{
		"INVITE":     sip("INVITE sip:b@10.0.1.2 SIP/2.0", "INVITE"),
		"BYE":        sip("BYE sip:b@10.0.1.2 SIP/2.0", "BYE"),
		"200 BYE":    sip("SIP/2.0 200 OK", "BYE"),
		"200 INVITE": sip("SIP/2.0 200 OK", "INVITE"),
		"RTP":        "\x80\x00\x00\x01",
		"RTCP":       "\x81\xc8\x00\x06",
		"STUN":       "\x00\x01\x00\x00",
		"keep-alive": "\r\n\r\n",
	}
	names := []string{"200 BYE", "200 INVITE", "BYE", "INVITE", "RTCP", "RTP", "STUN", "keep-alive"}
	a, b := netip.MustParseAddr("10.0.1.1"), netip.MustParseAddr("10.0.1.2")
	for name, tc := range map[string]struct {
		lose []calltest.Traffic
		lost string
	}{
		"nothing":        {nil, ""},
		"everything":     {[]calltest.Traffic{{}}, strings.Join(names, ",")},
		"a method":       {[]calltest.Traffic{{SIP: "BYE"}}, "BYE"},
		"a response":     {[]calltest.Traffic{{SIP: "200 BYE"}}, "200 BYE"},
		"SIP":            {[]calltest.Traffic{{SIP: "*"}}, "200 BYE,200 INVITE,BYE,INVITE"},
		"sound":          {[]calltest.Traffic{{RTP: true}}, "RTCP,RTP"},
		"sound and BYE":  {[]calltest.Traffic{{RTP: true, SIP: "BYE"}}, "BYE,RTCP,RTP"},
		"two of them":    {[]calltest.Traffic{{SIP: "BYE"}, {SIP: "INVITE", First: 1}}, "BYE,INVITE"},
		"from a":         {[]calltest.Traffic{{From: a, SIP: "BYE"}}, "BYE"},
		"from a to b":    {[]calltest.Traffic{{From: a, To: b, RTP: true}}, "RTCP,RTP"},
		"from b":         {[]calltest.Traffic{{From: b}}, ""},
		"to a":           {[]calltest.Traffic{{To: a}}, ""},
		"the first five": {[]calltest.Traffic{{First: 5}}, "200 BYE,200 INVITE,BYE,INVITE,RTCP"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, net *calltest.Net) {
				net.SetFaults(calltest.Faults{Lose: tc.lose})
				from, to := socket(t, net, "10.0.1.1:5060"), socket(t, net, "10.0.1.2:5060")
				for _, n := range names {
					if _, err := from.WriteToUDPAddrPort([]byte(sent[n]), netip.MustParseAddrPort("10.0.1.2:5060")); err != nil {
						t.Fatal(err)
					}
				}
				came := arrivals(t, to)
				lost := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(came, sent[n]) })
				if got := strings.Join(lost, ","); got != tc.lost {
					t.Errorf("lost %s, want %s", got, tc.lost)
				}
			})
		})
	}
}

func TestSoundGoesOneWay(t *testing.T) {
	for name, tc := range map[string]struct {
		alice calltest.PhoneConfig
		f     calltest.Faults
	}{
		"by the network":   {f: calltest.Faults{Lose: []calltest.Traffic{{RTP: true, To: bobAddr.Addr()}}}},
		"by alice's phone": {alice: calltest.PhoneConfig{NoRTP: true}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, net *calltest.Net) {
				net.SetFaults(tc.f)
				a, b := answered(t, net, tc.alice, calltest.PhoneConfig{})
				a.Say(calltest.Tone(400, time.Second))
				b.Say(calltest.Tone(700, time.Second))
				a.Press("1")
				time.Sleep(1200 * time.Millisecond)
				hears(t, a, 700)
				if n := len(b.Packets()); n != 0 || b.Pressed() != "" {
					t.Errorf("bob got %d packets, digits %q", n, b.Pressed())
				}
				b.Hangup(t)
				a.WaitEnd(t)
			})
		})
	}
}

func TestLostBYEIsSentAgain(t *testing.T) {
	for _, what := range []string{"BYE", "200 BYE"} {
		bubble(t, func(t *testing.T, net *calltest.Net) {
			a, b := answered(t, net, calltest.PhoneConfig{}, calltest.PhoneConfig{})
			net.SetFaults(calltest.Faults{Lose: []calltest.Traffic{{SIP: what, First: 3}}})
			at := time.Now()
			a.Hangup(t)
			if took := time.Since(at); took != 3500*time.Millisecond { // 0.5, 1, and 2 s
				t.Errorf("three lost %s: hung up after %v", what, took)
			}
			if got := b.WaitEnd(t); got != "BYE" {
				t.Errorf("bob's call ended by %q", got)
			}
		})
	}
}

// failed is a test that may fail: what for is kept.
type failed struct {
	testing.TB
	why string
}

func (f *failed) Helper() {}
func (f *failed) Fatal(args ...any) {
	f.why = fmt.Sprint(args...)
	runtime.Goexit()
}

// hangupFails hangs up and wants nobody to answer that.
func hangupFails(t *testing.T, c *calltest.PhoneCall) {
	t.Helper()
	f := &failed{TB: t}
	at, done := time.Now(), make(chan struct{})
	go func() {
		defer close(done)
		c.Hangup(f)
	}()
	<-done
	if took := time.Since(at); f.why != "calltest: no response to BYE" || took != 32*time.Second {
		t.Errorf("Hangup: %q after %v", f.why, took)
	}
}

func TestBYEIsNotAnswered(t *testing.T) {
	bubble(t, func(t *testing.T, net *calltest.Net) {
		a, b := answered(t, net, calltest.PhoneConfig{}, calltest.PhoneConfig{NoBYEAnswer: true})
		hangupFails(t, a)
		if got := b.Ended(); got != "BYE" {
			t.Errorf("bob's call ended by %q", got)
		}
	})
}

func TestSilentPhone(t *testing.T) {
	bubble(t, func(t *testing.T, net *calltest.Net) {
		alice, _ := pair(t, net, calltest.PhoneConfig{}, calltest.PhoneConfig{
			Silent: true, Accept: func(*calltest.PhoneCall) { t.Error("a call came") },
		})
		c := alice.Start(t, "bob")
		if got := c.WaitEnd(t); got != "no response" || len(c.Statuses()) != 0 {
			t.Errorf("ended by %q, responses %v", got, c.Statuses())
		}
	})
}

func TestVanishedCall(t *testing.T) {
	bubble(t, func(t *testing.T, net *calltest.Net) {
		alice, bob := pair(t, net, calltest.PhoneConfig{}, calltest.PhoneConfig{})
		a, other := alice.Start(t, "bob"), alice.Start(t, "bob")
		b, b2 := bob.WaitCall(t), bob.WaitCall(t)
		if b.Invite().Header("Call-ID") != a.Invite().Header("Call-ID") {
			b, b2 = b2, b
		}
		for _, c := range []*calltest.PhoneCall{b, b2} {
			c.Answer()
			c.WaitAnswer(t)
		}
		b.Vanish()
		time.Sleep(100 * time.Millisecond)
		if got := b.Ended(); got != "vanished" || a.Ended() != "" {
			t.Errorf("bob's call ended by %q, alice's by %q", got, a.Ended())
		}
		before := len(a.Packets())
		hangupFails(t, a)
		if n := len(a.Packets()) - before; n != 0 {
			t.Errorf("%d packets came from a call that vanished", n)
		}
		other.Hangup(t) // has nothing to do with it
		b2.WaitEnd(t)
	})
}

func TestCallerVanishesBeforeTheAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, net *calltest.Net) {
		alice, bob := pair(t, net, calltest.PhoneConfig{}, calltest.PhoneConfig{})
		a := alice.Start(t, "bob")
		b := bob.WaitCall(t)
		b.Ring()
		time.Sleep(time.Second)
		a.Vanish()
		b.Answer()
		if got := b.WaitEnd(t); got != "no ACK" {
			t.Errorf("bob's call ended by %q", got)
		}
		if got := a.WaitEnd(t); got != "vanished" || !slices.Equal(a.Statuses(), []int{100, 180}) {
			t.Errorf("alice's call ended by %q, responses %v", got, a.Statuses())
		}
	})
}

// TestForkAndVanish takes the forks along.
func TestForkAndVanish(t *testing.T) {
	bubble(t, func(t *testing.T, net *calltest.Net) {
		_, b := answered(t, net, calltest.PhoneConfig{}, calltest.PhoneConfig{})
		f, err := b.Fork()
		if err != nil {
			t.Fatal(err)
		}
		f.Vanish()
		if got := b.WaitEnd(t); got != "vanished" {
			t.Errorf("the other fork ended by %q", got)
		}
	})
}
