package sip

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/icholy/digest"
	"golang.org/x/tools/txtar"
)

// testUsers are passwords by user.
type testUsers map[string]string

func (u testUsers) Secret(_ context.Context, user, _ string) (Secret, bool, error) {
	p, ok := u[user]
	return Secret{Password: p}, ok, nil
}

// scriptRegistrar is the registrar of a script, as the script sees it; nil: it has none.
type scriptRegistrar struct {
	r      *Registrar
	auth   *Authenticator
	events chan RegistrarEvent
	chals  []string // of the last response that had any
	n      *Notifier
}

func newScriptRegistrar(t *testing.T, ar *txtar.Archive) *scriptRegistrar {
	t.Helper()
	s := &scriptRegistrar{events: make(chan RegistrarEvent, 256)}
	for _, f := range ar.Files {
		if f.Name != "registrar" {
			continue
		}
		cfg := RegistrarConfig{OnChange: func(ev RegistrarEvent) { s.events <- ev }, KeepAlive: -1, Logger: quietLog()}
		acfg := AuthConfig{Realm: "callbin.test", Secrets: testUsers{"ann": "secret", "bob": "zanzibar"}}
		for _, l := range strings.Split(strings.TrimSpace(string(f.Data)), "\n") {
			k, v, _ := strings.Cut(l, ": ")
			d, _ := time.ParseDuration(v)
			n, _ := strconv.Atoi(v)
			switch k {
			case "":
			case "max_contacts":
				cfg.MaxContacts = n
			case "max_requests":
				cfg.MaxRequests = n
			case "max_guesses":
				acfg.MaxGuesses = n
			case "max_nonces":
				acfg.MaxNonces = n
			case "nonce_life":
				acfg.NonceLife = d
			case "keep_alive":
				cfg.KeepAlive = d
			case "algorithms":
				acfg.Algorithms = strings.Split(v, " ")
			default:
				t.Fatalf("no such key: %s", k)
			}
		}
		var err error
		if s.auth, err = NewAuthenticator(acfg); err != nil {
			t.Fatal(err)
		}
		cfg.Auth = s.auth
		if s.r, err = NewRegistrar(cfg); err != nil {
			t.Fatal(err)
		}
		s.n = scriptNotifier(t, ar, s.auth)
		return s
	}
	return nil
}

func (s *scriptRegistrar) use(c *Config) {
	if s == nil {
		return
	}
	c.Registrar, c.Notifier = s.r, s.n
	c.Admit = func(ctx context.Context, r *Request) Admission {
		if r.From.User == "ann" || s.auth.Answers(r, false) {
			return s.auth.Check(ctx, r, false)
		}
		return Admission{}
	}
}

// learn keeps the challenges of m.
func (s *scriptRegistrar) learn(m text) {
	if s == nil {
		return
	}
	if cs := m.all("WWW-Authenticate"); len(cs) > 0 {
		s.chals = cs
	}
}

// authorize answers the last challenge with the sums of other people's code.
func (s *scriptRegistrar) authorize(t *testing.T, line, how string) string {
	t.Helper()
	words := strings.Fields(how)
	user, password, _ := strings.Cut(words[0], ":")
	method, rest, _ := strings.Cut(line, " ")
	uri, _, _ := strings.Cut(rest, " ")
	nc := 1
	for _, w := range words[2:] {
		k, v, _ := strings.Cut(w, "=")
		switch k {
		case "nc":
			nc, _ = strconv.Atoi(v)
		case "uri":
			uri = v
		}
	}
	for _, c := range s.chals {
		chal, err := digest.ParseChallenge(c)
		if err != nil {
			t.Fatal(err)
		}
		if chal.Algorithm != words[1] {
			continue
		}
		cred, err := digest.Digest(chal, digest.Options{Method: method, URI: uri, Count: nc, Username: user, Password: password})
		if err != nil {
			t.Fatal(err)
		}
		return "Authorization: " + cred.String()
	}
	t.Fatalf("no challenge for %s among %q", words[1], s.chals)
	return ""
}

func (s *scriptRegistrar) contacts(t *testing.T, user, want string) {
	t.Helper()
	var got []string
	for _, c := range s.r.Contacts(user) {
		l := fmt.Sprintf("%s by %v", c.URI, c.Flow)
		if c.NAT {
			l += " nat"
		}
		got = append(got, l)
	}
	if g := strings.Join(got, "\n"); g != want {
		t.Errorf("the phones of %s are\n%s\nwant\n%s", user, g, want)
	}
}

func (s *scriptRegistrar) change(t *testing.T, kind, want string) {
	t.Helper()
	if kind == "none" {
		if len(s.events) > 0 {
			t.Errorf("got %+v, want nothing", <-s.events)
		}
		return
	}
	select {
	case ev := <-s.events:
		if got := strings.TrimSpace(ev.Contact.URI + " " + ev.Reason); ev.Kind != kind || got != want {
			t.Errorf("got %s %s, want %s %s", ev.Kind, got, kind, want)
		}
	case <-time.After(2 * time.Hour):
		t.Errorf("no event, want %s", kind)
	}
}
