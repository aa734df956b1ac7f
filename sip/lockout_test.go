package sip

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// guesserAt asks and answers with a password, from an address of its own.
type guesserAt struct {
	t    testing.TB
	auth *Authenticator
	addr netip.AddrPort
}

// try answers a fresh challenge, of an INVITE as a proxy.
func (g guesserAt) try(method, user, password string) Admission {
	g.t.Helper()
	proxy := method == "INVITE"
	r := attemptOf(g.t, method, g.auth.Challenge(&Request{Source: g.addr}, proxy), "MD5", user, password, 1)
	r.Source = g.addr
	return g.auth.Check(context.Background(), r, proxy)
}

func TestLockoutGrows(t *testing.T) {
	for _, method := range []string{"REGISTER", "INVITE"} {
		t.Run(method, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := guesserAt{t, newTestAuth(t, nil), netip.MustParseAddrPort("192.0.2.10:5060")}
				other := guesserAt{t, g.auth, netip.MustParseAddrPort("192.0.2.11:5060")}
				for i := range 10 {
					if s := g.try(method, "ann", "wrong").Status; s != 401 && s != 407 {
						t.Fatalf("wrong answer %d gets %d", i, s)
					}
				}
				for i, ban := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 32 * time.Minute, time.Hour, time.Hour} {
					time.Sleep(ban - time.Second)
					if adm := g.try(method, "ann", "secret"); adm.Status != 503 || adm.Headers[0] != (Header{"Retry-After", "1"}) {
						t.Fatalf("a second before the end of ban %d: %+v", i, adm)
					}
					if adm := other.try(method, "ann", "secret"); adm.User != "ann" {
						t.Fatalf("ban %d is for another address, too: %+v", i, adm)
					}
					time.Sleep(2 * time.Second)
					if s := g.try(method, "ann", "wrong").Status; s != 401 && s != 407 {
						t.Fatalf("after ban %d: %d", i, s)
					}
				}
				time.Sleep(time.Hour + time.Second)
				if adm := g.try(method, "ann", "secret"); adm.User != "ann" {
					t.Fatalf("after the last ban: %+v", adm)
				}
				for range 9 {
					g.try(method, "ann", "wrong")
				}
				if adm := g.try(method, "ann", "secret"); adm.User != "ann" {
					t.Errorf("a right answer has not made the wrong ones before it forgotten: %+v", adm)
				}
			})
		})
	}
}

// TestLockoutCountsWrongAnswersOnly: a phone that does not answer challenges, answers late, or whose address is forged is never locked out.
func TestLockoutCountsWrongAnswersOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := guesserAt{t, newTestAuth(t, nil), netip.MustParseAddrPort("192.0.2.10:5060")}
		for range 1000 { // no answer
			_ = g.auth.Check(t.Context(), &Request{Method: "REGISTER", Source: g.addr}, false)
		}
		old := g.auth.Challenge(&Request{Source: g.addr}, false)
		time.Sleep(time.Hour)
		for i := range 100 { // too late, and used again
			r := attempt(t, old, "MD5", "ann", "secret", i+1)
			r.Source = g.addr
			if adm := g.auth.Check(t.Context(), r, false); adm.Status != 401 || !strings.Contains(adm.Headers[0].Value, "stale=true") {
				t.Fatalf("a stale nonce gets %+v", adm)
			}
		}
		elsewhere := g.auth.Challenge(&Request{Source: netip.MustParseAddrPort("203.0.113.9:5060")}, false)
		for i := range 100 { // by somebody who got a challenge at another address, and forges this one
			r := attempt(t, elsewhere, "MD5", "ann", "wrong", i+1)
			r.Source = g.addr
			_ = g.auth.Check(t.Context(), r, false)
		}
		if adm := g.try("REGISTER", "ann", "secret"); adm.User != "ann" {
			t.Errorf("the phone gets %+v", adm)
		}
	})
}

// TestLockoutOfManyNames: who tries one password for many names is out for all of them, but not the phone next to it that has been right.
func TestLockoutOfManyNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := guesserAt{t, newTestAuth(t, func(c *AuthConfig) {
			c.Secrets = testUsers{"ann": "secret", "bob": "secret"}
			c.MaxGuesses = 10
		}), netip.MustParseAddrPort("192.0.2.10:5060")}
		if adm := g.try("REGISTER", "ann", "secret"); adm.User != "ann" {
			t.Fatalf("%+v", adm)
		}
		tried := 0
		for range 200 {
			if s := g.try("REGISTER", fmt.Sprint("user", tried), "12345").Status; s == 401 {
				tried++
			}
			time.Sleep(time.Second)
		}
		if tried < 20 || tried > 25 {
			t.Errorf("%d names were tried in 200 seconds", tried)
		}
		if adm := g.try("REGISTER", "bob", "secret"); adm.Status != 503 {
			t.Errorf("a new name gets %+v", adm)
		}
		if adm := g.try("REGISTER", "ann", "secret"); adm.User != "ann" {
			t.Errorf("the phone that was in before gets %+v", adm)
		}
	})
}

// TestLockoutTellsNobodyWhoExists: the whole course of guessing is the same for a name that there is and one that there is not.
func TestLockoutTellsNobodyWhoExists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		course := func(user string, last byte) (all []string) {
			g := guesserAt{t, newTestAuth(t, nil), netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, last}), 5060)}
			for range 40 {
				adm := g.try("REGISTER", user, "wrong")
				all = append(all, fmt.Sprint(adm.Status, len(adm.Headers), adm.Headers[0].Name))
				if adm.Status == 503 {
					all = append(all, adm.Headers[0].Value)
				}
				time.Sleep(7 * time.Second)
			}
			return all
		}
		if a, b := fmt.Sprint(course("ann", 1)), fmt.Sprint(course("nobody", 2)); a != b || !strings.Contains(a, "503") {
			t.Errorf("ann:    %s\nnobody: %s", a, b)
		}
	})
}

func TestLockoutIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg, err := Lockout{Max: 1000}.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		l := newLockout(cfg)
		first := netip.MustParseAddr("192.0.2.1")
		for range cfg.Wrong {
			l.failed(first, "ann")
		}
		for i := range 10_000 {
			l.failed(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), fmt.Sprint(i))
			l.succeeded(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), "bob")
		}
		if len(l.wrong) > 1000 || len(l.right) > 1000 {
			t.Errorf("%d and %d are remembered", len(l.wrong), len(l.right))
		}
		if wait, _ := l.left(first, "ann"); wait == 0 {
			t.Error("who is banned was forgotten before others")
		}
		for _, bad := range []Lockout{{Wrong: -1}, {First: -1}, {First: time.Hour, Longest: time.Minute}} {
			if _, err := bad.withDefaults(); err == nil {
				t.Errorf("%+v is taken", bad)
			}
		}
	})
}
