package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/callbin/callbin/call/safehttp"
)

// Limits of fetching certificates.
const (
	maxCertificate = 64 << 10 // bytes that one URL may give
	maxURL         = 1024
	maxRedirects   = 3
	maxCached      = 1000 // URLs
	maxFetches     = 64   // at a time

	minFresh  = time.Minute // whatever the server says: else a flood of calls is a flood of fetches
	maxFresh  = 24 * time.Hour
	unsaid    = time.Hour        // where the server says nothing
	failFresh = 30 * time.Second // of what could not be fetched, or is not to be trusted
)

// library fetches certificates, and keeps them by their URL.
type library struct {
	trust  trust
	ports  []string
	client *safehttp.Client
	slots  chan struct{} // one for each fetch under way

	mu    sync.Mutex
	books map[string]*book // guarded by mu
}

// book is what one URL gave. Its fields are set once done is closed.
type book struct {
	done    chan struct{}
	cred    *credential
	fail    *failure
	gaveUp  bool // who fetched it was called off: it says nothing about the URL
	expires time.Time
}

func newLibrary(t trust, cfg *IdentityConfig) *library {
	l := &library{trust: t, books: map[string]*book{}, slots: make(chan struct{}, maxFetches)}
	for _, p := range cfg.Ports {
		l.ports = append(l.ports, strconv.Itoa(p))
	}
	if len(l.ports) == 0 {
		l.ports = []string{"443", "8443"}
	}
	timeout := cfg.FetchTimeout
	if timeout == 0 {
		timeout = DefaultFetchTimeout
	}
	l.client = safehttp.New(safehttp.Config{
		Allow: cfg.Allow, TLS: cfg.TLS, HTTPSOnly: true, Timeout: timeout, MaxBytes: maxCertificate,
		MaxRedirects: -1, // followed by fetch, which has more rules
		UserAgent:    "Callbin",
	})
	return l
}

// credential returns what info leads to, which is asked for once however many wait for it.
func (l *library) credential(ctx context.Context, info string, now, at time.Time) (*credential, *failure) {
	if _, err := l.check(info); err != nil {
		return nil, fail(CodeIdentityFetch, "info: %v", err)
	}
	for {
		l.mu.Lock()
		b := l.books[info]
		if b == nil || b.stale(now, at) {
			b = &book{done: make(chan struct{})}
			l.put(info, b, now)
			l.mu.Unlock()
			l.read(ctx, info, b, now, at)
			return b.cred, b.fail
		}
		l.mu.Unlock()
		select {
		case <-b.done:
			if !b.gaveUp {
				return b.cred, b.fail
			}
		case <-ctx.Done():
			return nil, fail(CodeIdentityFetch, "%v", context.Cause(ctx))
		}
	}
}

// stale tells whether b has to be fetched again. l.mu is held.
func (b *book) stale(now, at time.Time) bool {
	select {
	case <-b.done:
		return b.gaveUp || now.After(b.expires) || b.cred != nil && !b.cred.valid(at)
	default:
		return false
	}
}

// put makes room for b. l.mu is held.
func (l *library) put(info string, b *book, now time.Time) {
	if _, there := l.books[info]; !there && len(l.books) >= maxCached {
		some := ""
		for u, old := range l.books {
			select {
			case <-old.done:
				some = u
				if now.After(old.expires) {
					delete(l.books, u)
				}
			default: // somebody waits for it
			}
		}
		if len(l.books) >= maxCached { // any one: an attacker must not be able to choose
			delete(l.books, some)
		}
	}
	l.books[info] = b
}

// read fills b.
func (l *library) read(ctx context.Context, info string, b *book, now, at time.Time) {
	defer close(b.done)
	select {
	case l.slots <- struct{}{}:
		defer func() { <-l.slots }()
	case <-ctx.Done():
		b.gaveUp, b.fail = true, fail(CodeIdentityFetch, "too many certificates are being fetched")
		return
	}
	body, fresh, err := l.fetch(ctx, info)
	if err != nil {
		b.gaveUp = ctx.Err() != nil
		b.fail, b.expires = fail(CodeIdentityFetch, "%v", err), now.Add(failFresh)
		return
	}
	certs, err := ParseCertificates(body)
	if err == nil {
		b.cred, err = l.trust.credential(certs, at)
	}
	b.expires = now.Add(min(max(fresh, minFresh), maxFresh))
	if err != nil {
		b.fail, b.expires = fail(CodeIdentityCertificate, "%s: %v", info, err), now.Add(failFresh)
	}
}

// check tells whether info may be asked for. Whether its address may, the client tells when it connects.
func (l *library) check(info string) (*url.URL, error) {
	u, err := checkURL(info)
	if err != nil {
		return nil, err
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	if !slices.Contains(l.ports, port) {
		return nil, fmt.Errorf("%.100q is of port %s, not of %s", u.Redacted(), port, strings.Join(l.ports, " or "))
	}
	return u, nil
}

// checkURL tells why a certificate would not be fetched from a URL.
func checkURL(s string) (*url.URL, error) {
	if len(s) > maxURL {
		return nil, fmt.Errorf("a URL of %d bytes", len(s))
	}
	u, err := url.Parse(s)
	if err != nil || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`<>"\`, r) }) {
		return nil, errors.New("no URL")
	}
	switch {
	case u.Scheme != "https":
		return nil, fmt.Errorf("%.100q is not https", u.Redacted())
	case u.Hostname() == "":
		return nil, fmt.Errorf("%.100q has no host", u.Redacted())
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(s, "#"):
		return nil, fmt.Errorf("%.100q has a user, query or fragment", u.Redacted())
	}
	return u, nil
}

// fetch gets what stands at info, and for how long it may be kept.
func (l *library) fetch(ctx context.Context, info string) (body []byte, fresh time.Duration, err error) {
	for range maxRedirects + 1 {
		u, err := l.check(info)
		if err != nil {
			return nil, 0, fmt.Errorf("redirect: %w", err)
		}
		var next string
		if body, fresh, next, err = l.get(ctx, u); err != nil || next == "" {
			return body, fresh, err
		}
		info = next
	}
	return nil, 0, fmt.Errorf("more than %d redirects", maxRedirects)
}

// get asks for u. next is where a redirect leads, "" without one.
func (l *library) get(ctx context.Context, u *url.URL) (body []byte, fresh time.Duration, next string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, 0, "", err
	}
	resp, err := l.client.Do(req)
	if err != nil {
		return nil, 0, "", err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	switch resp.StatusCode {
	case http.StatusOK:
		body, err = io.ReadAll(resp.Body)
		return body, lifetime(resp.Header), "", err
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		to, err := resp.Location()
		if err != nil {
			return nil, 0, "", err
		}
		return nil, 0, to.String(), nil
	}
	return nil, 0, "", fmt.Errorf("%s answered %.40s", u.Redacted(), resp.Status)
}

// lifetime is for how long a response may be kept (RFC 9111 4.2.1).
func lifetime(h http.Header) time.Duration {
	for _, d := range strings.Split(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(d)), "=")
		switch name {
		case "no-store", "no-cache":
			return 0
		case "max-age":
			n, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
			if err != nil {
				return 0
			}
			age, _ := strconv.ParseUint(h.Get("Age"), 10, 31)
			return time.Duration(n-min(n, age)) * time.Second
		}
	}
	expires := h.Get("Expires")
	if expires == "" {
		return unsaid
	}
	until, err := http.ParseTime(expires)
	sent, err2 := http.ParseTime(h.Get("Date"))
	if err != nil || err2 != nil {
		return 0
	}
	return until.Sub(sent)
}
