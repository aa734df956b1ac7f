package sip

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestRFC4028Table2 is table 2 of RFC 4028 9: who refreshes, by what the caller supports and wants.
func TestRFC4028Table2(t *testing.T) {
	for _, tt := range []struct {
		name      string
		headers   string
		refresher string
		require   bool
	}{
		{"N, none", "Session-Expires: 600", "uas", false},
		{"N, uac, which is not possible", "Session-Expires: 600;refresher=uac", "uas", false},
		{"N, uas, which is not possible", "Session-Expires: 600;refresher=uas", "uas", false},
		{"Y, none", "Supported: timer\r\nSession-Expires: 600", "uac", true},
		{"Y, uac", "Supported: timer\r\nSession-Expires: 600;refresher=uac", "uac", true},
		{"Y, uas", "Supported: timer\r\nSession-Expires: 600;refresher=uas", "uas", true},
		{"Y, nonsense", "Supported: timer\r\nSession-Expires: 600;refresher=them", "uac", true},
		{"required", "Require: timer\r\nSession-Expires: 600;refresher=uas", "uas", true},
		{"Y, nothing asked for", "Supported: timer", "uac", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, func(c *Config) { c.Session.Interval = 600 * time.Second })
				defer b.close()
				c := b.p.caller("table2")
				c.extra = tt.headers + "\r\n"
				c.invite(sdpOffer)
				b.p.want("SIP/2.0 100")
				d, _ := b.call(t)
				if err := d.Accept([]byte("v=0")); err != nil {
					t.Fatal(err)
				}
				ok := b.p.want("SIP/2.0 200")
				if got, want := ok.get("Session-Expires"), "600;refresher="+tt.refresher; got != want {
					t.Errorf("Session-Expires: %s, want %s", got, want)
				}
				if got := ok.get("Require") == "timer"; got != tt.require {
					t.Errorf("Require: %q", ok.get("Require"))
				}
			})
		})
	}
}

// TestRFC4028Interval: what we make of the interval that is asked for (RFC 4028 9).
func TestRFC4028Interval(t *testing.T) {
	for _, tt := range []struct{ asked, answered string }{
		{"Session-Expires: 1800", "1800"},
		{"Session-Expires: 90", "90"},
		{"Session-Expires: 3600", "1800"},
		{"Session-Expires: 3600\r\nMin-SE: 2000", "2000"},
		{"Min-SE: 2000", "2000"},
		{"", "1800"},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBubble(t, nil)
			defer b.close()
			c := b.p.caller("interval")
			c.extra = "Supported: timer\r\n"
			if tt.asked != "" {
				c.extra += tt.asked + "\r\n"
			}
			c.invite(sdpOffer)
			b.p.want("SIP/2.0 100")
			d, _ := b.call(t)
			if err := d.Accept([]byte("v=0")); err != nil {
				t.Fatal(err)
			}
			if got, _, _ := strings.Cut(b.p.want("SIP/2.0 200").get("Session-Expires"), ";"); got != tt.answered {
				t.Errorf("%q: %s, want %s", tt.asked, got, tt.answered)
			}
		})
	}
}

// TestGlareWaits: RFC 3261 14.1, in units of 10 ms.
func TestGlareWaits(t *testing.T) {
	for _, tt := range []struct {
		owner    bool
		low, top time.Duration
	}{{true, 2100 * time.Millisecond, 4 * time.Second}, {false, 0, 2 * time.Second}} {
		low, top := time.Hour, time.Duration(-1)
		for range 20000 {
			w := glareWait(tt.owner)
			if w%(10*time.Millisecond) != 0 {
				t.Fatalf("waits for %v", w)
			}
			low, top = min(low, w), max(top, w)
		}
		if low != tt.low || top != tt.top { // 20,000 of 201 values: none is missed but once in 10^43 runs
			t.Errorf("owner %t waits for %v to %v", tt.owner, low, top)
		}
	}
}

// TestDeadline: a session is hung up 32 seconds, or a third of it, before its end (RFC 4028 10).
func TestDeadline(t *testing.T) {
	for _, tt := range []struct{ interval, margin time.Duration }{
		{90 * time.Second, 30 * time.Second}, {96 * time.Second, 32 * time.Second}, {1800 * time.Second, 32 * time.Second},
	} {
		s := session{interval: tt.interval, expires: time.Unix(100000, 0)}
		if got := s.expires.Sub(s.deadline()); got != tt.margin {
			t.Errorf("%v: %v before its end, want %v", tt.interval, got, tt.margin)
		}
	}
}

func TestSessionConfig(t *testing.T) {
	for _, tt := range []struct {
		s    SessionTimer
		want string
	}{
		{SessionTimer{Min: 60 * time.Second}, "Min is 1m0s, less than the 90 seconds"},
		{SessionTimer{Interval: 80 * time.Second}, "Interval is 1m20s, less than Min"},
		{SessionTimer{Interval: 1800500 * time.Millisecond}, "Interval and Min are not whole seconds"},
	} {
		_, err := New(Config{Listen: []Listen{{Network: "udp", Addr: "127.0.0.1:0"}}, Invite: func(*Dialog) {}, Session: tt.s})
		if err == nil || !strings.Contains(err.Error(), "Session: "+tt.want) {
			t.Errorf("%+v: %v", tt.s, err)
		}
	}
	_, err := New(Config{Listen: []Listen{{Network: "udp", Addr: "127.0.0.1:0"}}, Invite: func(*Dialog) {}, Reliable: "some"})
	if err == nil || !strings.Contains(err.Error(), `Reliable is "some"`) {
		t.Errorf("got %v", err)
	}
	s, faults := SessionTimer{Min: 3600 * time.Second}.withDefaults()
	if len(faults) > 0 || s.Interval != time.Hour {
		t.Errorf("got %+v, %v", s, faults)
	}
}

func FuzzSessionExpires(f *testing.F) {
	for _, s := range []string{"1800", "90;refresher=uac", "4294967296", "-1", " 60 ; refresher = UAS ", ";", "9;refresher=x;y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, r, ok := parseSession(s)
		if !ok {
			return
		}
		if d < 0 || r != "" && r != "uac" && r != "uas" {
			t.Fatalf("%q: %v %q", s, d, r)
		}
		if d2, r2, ok := parseSession(sessionExpires(d, r).Value); !ok || d2 != d || r2 != r {
			t.Errorf("%q: %v %q, again %v %q", s, d, r, d2, r2)
		}
	})
}

// FuzzInDialog sends a request with these headers within an early and within a confirmed dialog: no panic, and an answer.
func FuzzInDialog(f *testing.F) {
	f.Add("PRACK", "RAck: 1 1 INVITE\r\n", "")
	f.Add("PRACK", "", "v=0")
	f.Add("UPDATE", "Session-Expires: 90;refresher=uas\r\nSupported: timer\r\n", "")
	f.Add("UPDATE", "Session-Expires: 1\r\nRequire: timer\r\nContact: *\r\n", "v=0")
	f.Add("INVITE", "x: 99999999999\r\nMin-SE: 0\r\nk: 100rel,,timer\r\n", "v=0")
	f.Add("UPDATE", "Allow: ,\r\nAllow: UPDATE\r\nRequire: \"\r\n", "")
	f.Fuzz(func(t *testing.T, method, headers, body string) {
		if strings.Contains(headers, "\n\r\n") || strings.Contains(headers, "\n\n") || method == "ACK" || method == "CANCEL" || method == "BYE" {
			return
		}
		for _, confirmed := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, nil)
				defer b.close()
				c := b.p.caller("fuzz")
				c.extra = "Supported: 100rel, timer\r\nAllow: UPDATE\r\n"
				c.invite(sdpOffer)
				b.p.want("SIP/2.0 100")
				d, _ := b.call(t)
				if err := d.Provisional(183, []byte("v=0")); err != nil {
					t.Fatal(err)
				}
				m := b.p.want("SIP/2.0 183")
				c.answered(m)
				if confirmed {
					c.request("PRACK", "RAck: "+m.get("RSeq")+" 1 INVITE\r\n", "")
					b.p.want("SIP/2.0 200")
					if err := d.Accept(nil); err != nil {
						t.Fatal(err)
					}
					b.p.want("SIP/2.0 200")
					c.send("ACK", 1, "ack", "", "")
				}
				c.extra = ""
				c.request(method, strings.ReplaceAll(headers, "{rseq}", m.get("RSeq")), body)
				synctest.Wait()
				_ = d.Answer(1, 200, []byte("v=0"))
				synctest.Wait()
				if s := b.e.Stats(); s.Panics != 0 {
					t.Fatal("panic")
				}
				time.Sleep(time.Hour) // whatever it has set going comes to an end, or repeats at its pace
				synctest.Wait()
				if s := b.e.Stats(); s.Panics != 0 || s.Sent > 1000 {
					t.Fatalf("after an hour: %+v", s)
				}
				for len(b.p.in) > 0 {
					<-b.p.in
				}
			})
		}
	})
}

func FuzzRAck(f *testing.F) {
	for _, s := range []string{"776656 1 INVITE", "", "1 1", "x 1 INVITE", "4294967297 1 INVITE", "1  1\tINVITE", "1 1 invite"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p := &provisional{rseq: 776656}
		if p.matches(s, 1) && strings.Join(strings.Fields(s), " ") != "776656 1 INVITE" && !strings.Contains(s, "0") {
			t.Errorf("%q matches", s)
		}
	})
}
