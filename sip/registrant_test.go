package sip

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// registrations collects what KeepRegistered tells.
type registrations struct {
	mu  sync.Mutex
	all []Registration
}

func (r *registrations) add(n Registration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, n)
}

func (r *registrations) states() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var s []string
	for _, n := range r.all {
		s = append(s, n.State)
	}
	return strings.Join(s, " ")
}

func (r *registrations) last() Registration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all[len(r.all)-1]
}

// keep runs KeepRegistered; end ends it.
func keep(t *testing.T, b *bubble, r Registrant) (got *registrations, end func()) {
	t.Helper()
	got = &registrations{}
	r.Changed = got.add
	if r.AOR == "" {
		r.AOR = "sip:me@example.com"
	}
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		if err := b.e.KeepRegistered(ctx, r); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	return got, func() { cancel(); done.Wait() }
}

const challenge = "401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"p\", nonce=\"%s\", qop=\"auth\""

func respond(p *phone, m text, status string, headers ...string) {
	p.reply(m, strings.Join(append([]string{status}, headers...), "\r\n"))
}

// TestRegisterRefreshAndEnd is a registration's whole life: challenged, granted less than it asked for, refreshed in
// time with the same Call-ID and the next CSeq, ended.
func TestRegisterRefreshAndEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		defer b.close()
		got, end := keep(t, b, Registrant{Registrars: []string{"sip:192.0.2.10"}, Credentials: []Credentials{{Username: "me", Password: "secret"}}, Expires: time.Hour})
		first := b.p.want("REGISTER sip:192.0.2.10 SIP/2.0")
		if first.get("To") != "<sip:me@example.com>" || !strings.HasPrefix(first.get("From"), "<sip:me@example.com>;tag=") ||
			first.get("Contact") != "<sip:me@192.0.2.1:5060>" || first.get("Expires") != "3600" || first.get("Authorization") != "" {
			t.Errorf("the first REGISTER is\n%v", first)
		}
		b.p.reply(first, fmt.Sprintf(challenge, "n1"))
		second := b.p.want("REGISTER")
		if !strings.Contains(second.get("Authorization"), `username="me"`) || strings.Contains(second.String(), "secret") {
			t.Errorf("the answer to the challenge is\n%v", second)
		}
		// Another binding of the same address has another time.
		respond(b.p, second, "200 OK", "Contact: <sip:me@192.0.2.99>;expires=3000, <sip:me@192.0.2.1:5060>;expires=120", "Expires: 1800")
		begun := time.Now()
		synctest.Wait()
		if s := got.last(); s.State != Registered || s.Until.Sub(begun) != 2*time.Minute || s.Peer.String() != "192.0.2.10:5060" {
			t.Errorf("after the 200: %+v", s)
		}
		third := b.p.recvWithin(t, time.Hour)
		if d := time.Since(begun); d < 95*time.Second || d > 106*time.Second {
			t.Errorf("refreshed after %v of 2m0s", d)
		}
		if third.get("Call-ID") != first.get("Call-ID") || cseqOf(third) != cseqOf(first)+2 || third.get("Expires") != "3600" || third.get("Authorization") == "" {
			t.Errorf("the refresh is\n%v\nafter\n%v", third, first)
		}
		respond(b.p, third, "200 OK", "Contact: <sip:me@192.0.2.1:5060>;expires=120")
		synctest.Wait()
		ended := make(chan struct{})
		go func() { end(); close(ended) }()
		bye := b.p.want("REGISTER")
		if bye.get("Expires") != "0" || bye.get("Contact") != "<sip:me@192.0.2.1:5060>" || bye.get("Call-ID") != first.get("Call-ID") {
			t.Errorf("the good-bye is\n%v", bye)
		}
		respond(b.p, bye, "200 OK")
		<-ended
		if s := got.states(); s != "registering registered registered unregistered" {
			t.Errorf("states: %s", s)
		}
	})
}

func cseqOf(m text) (n int) {
	_, _ = fmt.Sscan(m.get("CSeq"), &n)
	return n
}

// TestRegisterTooBrief: 423 tells the least time, with which it is asked again at once, and from then on.
func TestRegisterTooBrief(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		defer b.close()
		got, end := keep(t, b, Registrant{Registrars: []string{"sip:192.0.2.10"}, Expires: time.Minute})
		begun := time.Now()
		respond(b.p, b.p.want("REGISTER"), "423 Interval Too Brief", "Min-Expires: 900")
		m := b.p.want("REGISTER")
		if m.get("Expires") != "900" || time.Since(begun) > time.Second {
			t.Errorf("after 423, %v later:\n%v", time.Since(begun), m)
		}
		respond(b.p, m, "200 OK")
		if m = b.p.recvWithin(t, time.Hour); m.get("Expires") != "900" {
			t.Errorf("the refresh is\n%v", m)
		}
		respond(b.p, m, "200 OK", "Expires: 900")
		synctest.Wait()
		if s := got.states(); s != "registering registered registered" {
			t.Errorf("states: %s", s)
		}
		b.p.close() // nobody is there any more: the good-bye takes two seconds
		begun = time.Now()
		end()
		if d := time.Since(begun); d > 2*time.Second {
			t.Errorf("the end took %v", d)
		}
	})
}

// TestRegisterTooBriefForEver: a registrar that is never content does not get a storm.
func TestRegisterTooBriefForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		defer b.close()
		got, end := keep(t, b, Registrant{Registrars: []string{"sip:192.0.2.10"}})
		respond(b.p, b.p.want("REGISTER"), "423 Interval Too Brief", "Min-Expires: 900")
		respond(b.p, b.p.want("REGISTER"), "423 Interval Too Brief", "Min-Expires: 1800")
		b.p.quiet(25 * time.Second)
		if s := got.last(); s.State != RegRejected || s.Status != 423 {
			t.Errorf("%+v", s)
		}
		end()
	})
}

// TestRegisterFailover: the first registrar is silent, the second has no room, the third takes us, and keeps us at the next refresh.
func TestRegisterFailover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		defer b.close()
		second, third := b.phone(t, "192.0.2.11:5060"), b.phone(t, "192.0.2.12:5070")
		defer second.close()
		defer third.close()
		got, end := keep(t, b, Registrant{Registrars: []string{"sip:192.0.2.10", "sip:192.0.2.11", "sip:192.0.2.12:5070"}, Expires: 10 * time.Minute})
		begun := time.Now()
		id := b.p.want("REGISTER").get("Call-ID")
		m := second.want("REGISTER")
		if d := time.Since(begun); d != registerTime || m.get("Call-ID") == id {
			t.Errorf("the second one is asked after %v", d)
		}
		respond(second, m, "503 Service Unavailable", "Retry-After: 120")
		m = third.want("REGISTER sip:192.0.2.12:5070 SIP/2.0")
		respond(third, m, "200 OK")
		synctest.Wait()
		if s := got.last(); s.State != Registered || s.Registrar != "sip:192.0.2.12:5070" {
			t.Errorf("%+v", s)
		}
		again := third.recvWithin(t, time.Hour)
		if again.get("Call-ID") != m.get("Call-ID") {
			t.Error("the refresh has another Call-ID")
		}
		respond(third, again, "200 OK")
		synctest.Wait()
		third.close()
		end()
	})
}

// TestRegisterRetryAfter: where all have failed, the longest wish counts, and the registration that was lasts on until its time.
func TestRegisterRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		defer b.close()
		got, end := keep(t, b, Registrant{Registrars: []string{"sip:192.0.2.10"}, Expires: 20 * time.Minute})
		respond(b.p, b.p.want("REGISTER"), "200 OK")
		m := b.p.recvWithin(t, time.Hour)
		begun := time.Now()
		respond(b.p, m, "503 Service Unavailable", "Retry-After: 30 (busy);duration=3")
		synctest.Wait()
		if s := got.last(); s.State != RegFailed || s.Until.Before(begun) || s.Status != 503 {
			t.Errorf("%+v", s)
		}
		m = b.p.want("REGISTER")
		if d := time.Since(begun); d != 30*time.Second {
			t.Errorf("asked again after %v", d)
		}
		respond(b.p, m, "200 OK")
		synctest.Wait()
		if s := got.last(); s.State != Registered {
			t.Errorf("%+v", s)
		}
		b.p.close()
		end()
	})
}

// TestRegisterRejected: after 403, and after a wrong password, the pauses are long, grow, and are by chance; a second registrar
// of the same provider is not asked.
func TestRegisterRejected(t *testing.T) {
	for _, how := range []string{"403", "password"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, nil)
				defer b.close()
				other := b.phone(t, "192.0.2.11:5060")
				defer other.close()
				got, end := keep(t, b, Registrant{Registrars: []string{"sip:192.0.2.10", "sip:192.0.2.11"}, Credentials: []Credentials{{Username: "me", Password: "wrong"}}})
				at := time.Now()
				for n, most := range []time.Duration{0, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute} {
					m := b.p.recvWithin(t, time.Hour)
					if d := time.Since(at); d < most/2 || d > most+time.Second {
						t.Errorf("try %d after %v, want %v to %v", n, d, most/2, most)
					}
					if how == "403" {
						respond(b.p, m, "403 Forbidden")
					} else {
						b.p.reply(m, fmt.Sprintf(challenge, fmt.Sprint("n", n)))
						b.p.reply(b.p.want("REGISTER"), fmt.Sprintf(challenge, fmt.Sprint("n", n)))
					}
					at = time.Now()
				}
				synctest.Wait()
				if s := got.states(); s != "registering"+strings.Repeat(" rejected", 5) {
					t.Errorf("states: %s", s)
				}
				other.quiet(time.Second)
				end() // nothing to say good-bye for
				b.p.quiet(time.Second)
			})
		})
	}
}

// recvWithin is recv with another patience.
func (p *phone) recvWithin(t *testing.T, d time.Duration) text {
	t.Helper()
	select {
	case m := <-p.in:
		return m
	case <-time.After(d):
		t.Fatalf("no message within %v", d)
	}
	return text{}
}

// TestRegisterChecks: what cannot be registered is said at once.
func TestRegisterChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nil)
		defer b.close()
		for _, r := range []Registrant{
			{AOR: "sip:me@example.com"},
			{Registrars: []string{"sips:192.0.2.10"}, AOR: "sip:me@example.com"},
			{Registrars: []string{"sip:192.0.2.10"}, AOR: "sip:example.com"},
			{Registrars: []string{"sip:192.0.2.10"}, AOR: "sip:me@example.com\r\nX: y"},
			{Registrars: []string{"sip:192.0.2.10"}, AOR: "sip:me@example.com", ContactUser: "a b"},
			{Registrars: []string{"sip:192.0.2.10"}, AOR: "sip:me@example.com", Expires: -1},
		} {
			if err := b.e.KeepRegistered(t.Context(), r); err == nil {
				t.Errorf("%+v is taken", r)
			}
		}
	})
}

func TestQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(c *Config) { c.Resolver = &zone{records: map[string][]string{}} })
		defer b.close()
		replies := make(chan Reply, 1)
		ask := func(q Query) {
			go func() {
				r, err := b.e.Query(t.Context(), q)
				if err != nil {
					t.Error(err)
				}
				replies <- r
			}()
		}
		ask(Query{Method: "OPTIONS", URI: "sip:192.0.2.10", Headers: []Header{{"X-A", "b"}}})
		m := b.p.want("OPTIONS sip:192.0.2.10 SIP/2.0")
		if m.get("X-A") != "b" || m.get("Contact") != "" {
			t.Errorf("%v", m)
		}
		b.p.reply(m, "200 OK")
		if r := <-replies; r.Status != 200 || r.Local || r.Peer.String() != "192.0.2.10:5060" {
			t.Errorf("%+v", r)
		}
		ask(Query{Method: "OPTIONS", URI: "sip:192.0.2.10", Timeout: 2 * time.Second})
		begun := time.Now()
		if r := <-replies; r.Status != 408 || !r.Local || time.Since(begun) != 2*time.Second {
			t.Errorf("%+v after %v", r, time.Since(begun))
		}
		ask(Query{Method: "OPTIONS", URI: "sip:nowhere.example"})
		if r := <-replies; r.Status != 503 || !r.Local || r.Reason == "" {
			t.Errorf("%+v", r)
		}
		for _, q := range []Query{{}, {Method: "INVITE", URI: "sip:192.0.2.10"}, {Method: "OPTIONS", URI: "tel:+1"},
			{Method: "OPTIONS", URI: "sip:192.0.2.10", Headers: []Header{{"X", "a\r\nb"}}}, {Method: "OPT IONS", URI: "sip:192.0.2.10"}} {
			if _, err := b.e.Query(t.Context(), q); err == nil {
				t.Errorf("%+v is sent", q)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := b.e.Query(ctx, Query{Method: "OPTIONS", URI: "sip:192.0.2.10"}); err == nil {
			t.Error("sent after the end of ctx")
		}
	})
}

// TestBackoff: the pauses lie where they should, and are not all the same.
func TestBackoff(t *testing.T) {
	var all []time.Duration
	for range 100 {
		d := backoff(failedPause, failedMost, 3)
		if d < 10*time.Second || d > 20*time.Second {
			t.Fatalf("%v", d)
		}
		all = append(all, d)
	}
	if slices.Sort(all); all[0] == all[99] {
		t.Error("no chance in it")
	}
	if d := backoff(failedPause, failedMost, 1000); d > failedMost || d < failedMost/2 {
		t.Errorf("%v", d)
	}
}
