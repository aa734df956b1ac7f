package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/callbin/callbin/call"
)

const (
	// wrongTokens is how many requests with a wrong token an address may make at once, and wrongPerSecond how many it gets back a second: above that
	// the answer is 429. Who has a right one is not kept waiting by others behind the same address.
	wrongTokens    = 20
	wrongPerSecond = 1
	// maxAddresses is how many addresses are remembered that have shown wrong tokens.
	maxAddresses = 10_000
)

// holder is who has a token.
type holder struct {
	name   string
	sum    [sha256.Size]byte
	scopes []string
	limit  *bucket // nil: none
}

// access knows the tokens.
type access struct {
	holders []*holder

	mu    sync.Mutex
	wrong map[netip.Prefix]*bucket // guarded by mu; who has shown wrong tokens
}

func newAccess(all []string, tokens []call.AccessToken) *access {
	a := &access{wrong: map[netip.Prefix]*bucket{}}
	for i, t := range all {
		if t != "" {
			a.holders = append(a.holders, &holder{name: fmt.Sprintf("tokens[%d]", i), sum: sha256.Sum256([]byte(t)), scopes: []string{"*"}})
		}
	}
	for _, t := range tokens {
		h := &holder{name: t.Name, sum: sha256.Sum256([]byte(t.Token)), scopes: t.Scopes}
		if t.Token == "" {
			if sum, err := hex.DecodeString(t.SHA256); err != nil || copy(h.sum[:], sum) != sha256.Size {
				continue // nobody can have it
			}
		}
		if t.PerSecond > 0 {
			burst := float64(t.Burst)
			if burst == 0 {
				burst = max(t.PerSecond, 1)
			}
			h.limit = &bucket{rate: t.PerSecond, size: burst, left: burst}
		}
		a.holders = append(a.holders, h)
	}
	return a
}

// admit finds who has the token of a request.
func (a *access) admit(r *http.Request) (*holder, error) {
	h := a.find(r.Header.Get("Authorization"))
	if h == nil {
		return nil, a.refuse(r)
	}
	if h.limit != nil {
		if wait := h.limit.take(time.Now()); wait > 0 {
			return h, &failure{code: http.StatusTooManyRequests, status: "RESOURCE_EXHAUSTED", reason: "rate", message: "the token makes more requests than it may", retry: wait}
		}
	}
	return h, nil
}

// refuse counts a request without a right token, or ticket.
func (a *access) refuse(r *http.Request) error {
	if wait := a.wrongBy(r.RemoteAddr); wait > 0 {
		return &failure{code: http.StatusTooManyRequests, status: "RESOURCE_EXHAUSTED", reason: "wrong_tokens", message: "too many requests without a right token", retry: wait}
	}
	return &failure{code: http.StatusUnauthorized, status: "UNAUTHENTICATED", reason: "token", message: "a bearer token is needed"}
}

// find compares hashes, and all of them, so that time tells nothing about a token, nor its length.
func (a *access) find(header string) (found *holder) {
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "bearer") {
		return nil
	}
	got := sha256.Sum256([]byte(strings.TrimSpace(token)))
	for _, h := range a.holders {
		if subtle.ConstantTimeCompare(got[:], h.sum[:]) == 1 {
			found = h
		}
	}
	return found
}

// wrongBy counts a wrong token, and tells how long its sender has to wait.
func (a *access) wrongBy(remote string) time.Duration {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	addr, _ := netip.ParseAddr(host)
	bits := 32
	if addr = addr.Unmap().WithZone(""); addr.Is6() {
		bits = 64 // one customer's
	}
	who, _ := addr.Prefix(bits) // the zero one stands for all of which nothing is known
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	b := a.wrong[who]
	if b == nil {
		for old := range a.wrong { // any one: who has so many addresses is not kept back by this
			if len(a.wrong) < maxAddresses {
				break
			}
			delete(a.wrong, old)
		}
		b = &bucket{rate: wrongPerSecond, size: wrongTokens, left: wrongTokens}
		a.wrong[who] = b
	}
	return b.take(now)
}

// may tells whether h has the scope, "calls:read".
func (h *holder) may(scope string) error {
	resource, verb, _ := strings.Cut(scope, ":")
	for _, s := range h.scopes {
		r, v, _ := strings.Cut(s, ":")
		if s == "*" || (r == "*" || r == resource) && (v == "*" || v == verb) {
			return nil
		}
	}
	return &failure{code: http.StatusForbidden, status: "PERMISSION_DENIED", reason: "scope", message: fmt.Sprintf("the token has not the scope %s", scope)}
}

// checkScopes tells of scopes that no row of the table needs: they are misspelled.
func checkScopes(tokens []call.AccessToken, table []operation) error {
	var known []string
	for _, o := range table {
		known = append(known, o.scope)
	}
	var errs []error
	for _, t := range tokens {
		for _, s := range t.Scopes {
			h := holder{scopes: []string{s}}
			if !slices.ContainsFunc(known, func(k string) bool { return k != "" && h.may(k) == nil }) {
				errs = append(errs, fmt.Errorf("httpapi: access token %q: nothing needs the scope %q", t.Name, s))
			}
		}
	}
	return errors.Join(errs...)
}

// bucket is a limit: size at once, rate a second in the long run.
type bucket struct {
	mu         sync.Mutex
	rate, size float64
	left       float64   // guarded by mu
	at         time.Time // guarded by mu
}

// take takes one, or tells how long to wait for it.
func (b *bucket) take(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.at.IsZero() {
		b.left = min(b.size, b.left+b.rate*now.Sub(b.at).Seconds())
	}
	b.at = now
	if b.left >= 1 {
		b.left--
		return 0
	}
	return max(time.Duration((1-b.left)/b.rate*float64(time.Second)), time.Millisecond)
}
