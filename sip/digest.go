package sip

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/icholy/digest"
)

// Credentials are a name and a password for digest authentication (RFC 3261
// 22, RFC 8760). They do not show the password when they are printed or logged.
type Credentials struct {
	Realm    string // "": any
	Username string
	Password string `json:"-"`
}

// String leaves the password out.
func (c Credentials) String() string { return fmt.Sprintf("%s@%s", c.Username, c.Realm) }

// GoString leaves the password out.
func (c Credentials) GoString() string {
	return fmt.Sprintf("sip.Credentials{Realm:%q, Username:%q}", c.Realm, c.Username)
}

// LogValue leaves the password out.
func (c Credentials) LogValue() slog.Value {
	return slog.GroupValue(slog.String("realm", c.Realm), slog.String("username", c.Username))
}

// maxChallenges bounds how often one request is sent again with credentials:
// some proxies on the way, each of whose nonces may have become stale.
const maxChallenges = 5

// digestAuth answers the challenges that the requests of one call get.
type digestAuth struct {
	creds []Credentials

	mu     sync.Mutex // guards the rest
	spaces []*protectionSpace
}

// protectionSpace is a realm of a proxy or server, with the challenge to answer.
type protectionSpace struct {
	proxy   bool
	chal    digest.Challenge
	cred    Credentials
	count   int // requests with this nonce
	refused int // times that our answer was not good enough
}

// newDigestAuth returns nil when there is nothing to answer with.
func newDigestAuth(creds []Credentials) *digestAuth {
	if len(creds) == 0 {
		return nil
	}
	return &digestAuth{creds: slices.Clone(creds)}
}

// challenged takes in the challenges of a 401 or 407; false: there is none that
// sending the request again could answer.
//
// That our answer was refused is final when the nonce is the one that we had,
// or when it happens again: a nonce may have expired without anyone saying stale.
func (a *digestAuth) challenged(hs []Header) bool {
	if a == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	answerable := false
	for _, n := range strongest(hs) {
		i := slices.IndexFunc(a.spaces, func(p *protectionSpace) bool { return p.proxy == n.proxy && p.chal.Realm == n.chal.Realm })
		if i < 0 {
			i = slices.IndexFunc(a.creds, func(c Credentials) bool { return c.Realm == n.chal.Realm })
			if i < 0 {
				i = slices.IndexFunc(a.creds, func(c Credentials) bool { return c.Realm == "" })
			}
			if i < 0 || len(a.spaces) >= maxChallenges {
				continue // of several, one that we know may do
			}
			n.cred = a.creds[i]
			a.spaces = append(a.spaces, n)
			answerable = true
			continue
		}
		p := a.spaces[i]
		if !n.chal.Stale {
			p.refused++
			if p.refused > 1 || p.chal.Nonce == n.chal.Nonce {
				return false
			}
		}
		p.chal, p.count = n.chal, 0
		answerable = true
	}
	return answerable
}

// passed says that a request with our answers was let through.
func (a *digestAuth) passed() {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.spaces {
		p.refused = 0
	}
}

// forget drops the challenges, so that their answers are not seen by others.
func (a *digestAuth) forget() {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.spaces = nil
}

// headers answers all challenges known so far, for a request to uri.
func (a *digestAuth) headers(method, uri string) (hs []Header) {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.spaces {
		p.count++
		c, err := digest.Digest(&p.chal, digest.Options{
			Method: method, URI: uri, Count: p.count, Username: p.cred.Username, Password: p.cred.Password,
		})
		if err != nil {
			continue // never: parseChallenges lets through what can be answered
		}
		name := "Authorization"
		if p.proxy {
			name = "Proxy-Authorization"
		}
		hs = append(hs, Header{name, c.String()})
	}
	return hs
}

// strongest picks of each realm's challenges the one with the best algorithm.
func strongest(hs []Header) (best []*protectionSpace) {
	for _, h := range hs {
		name := strings.ToLower(h.Name)
		if name != "www-authenticate" && name != "proxy-authenticate" {
			continue
		}
		for _, c := range parseChallenges(h.Value) {
			n := &protectionSpace{proxy: name[0] == 'p', chal: c}
			i := slices.IndexFunc(best, func(p *protectionSpace) bool { return p.proxy == n.proxy && p.chal.Realm == c.Realm })
			switch {
			case i < 0:
				best = append(best, n)
			case strength(c.Algorithm) > strength(best[i].chal.Algorithm):
				best[i] = n
			}
		}
	}
	return best
}

// algorithms are those that we know, weakest first. MD5-sess and the like are
// nowhere used.
var algorithms = []string{"MD5", "SHA-256", "SHA-512-256"}

func strength(algorithm string) int {
	if algorithm == "" {
		return 0
	}
	return slices.Index(algorithms, algorithm)
}

// parseChallenges reads the digest challenges of a WWW-Authenticate or
// Proxy-Authenticate value, of which one can hold several (RFC 7235 4.1), and
// leaves out those that cannot be answered.
func parseChallenges(s string) (cs []digest.Challenge) {
	var c *digest.Challenge
	good := false
	end := func() {
		if c != nil && good && c.Nonce != "" {
			cs = append(cs, *c)
		}
		c = nil
	}
	for s != "" {
		var part string
		part, s = cutOutside(s, ',')
		name, value, _ := strings.Cut(part, "=")
		if scheme, first, ok := strings.Cut(trim(name), " "); ok {
			// "Digest realm=...": the first parameter of the next challenge.
			end()
			if strings.EqualFold(scheme, "Digest") {
				c, good = new(digest.Challenge), true
			}
			name = first
		}
		if c == nil {
			continue
		}
		value = unquote(trim(value))
		switch strings.ToLower(trim(name)) {
		case "realm":
			c.Realm = value
		case "nonce":
			c.Nonce = value
		case "opaque":
			c.Opaque = value
		case "stale":
			c.Stale = strings.EqualFold(value, "true")
		case "algorithm":
			c.Algorithm = strings.ToUpper(value)
			good = good && strength(c.Algorithm) >= 0
		case "userhash":
			c.Userhash = strings.EqualFold(value, "true")
		case "qop":
			for _, q := range strings.Split(value, ",") {
				if strings.EqualFold(trim(q), "auth") {
					c.QOP = []string{"auth"}
				}
			}
			good = good && len(c.QOP) > 0
		}
	}
	end()
	return cs
}
