package verify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Codes of a Check of an Identity that failed.
const (
	CodeIdentityMissing     = "identity_missing"     // 428: there is none, and one is required
	CodeIdentityMalformed   = "identity_malformed"   // 438: it is no PASSporT of its type
	CodeIdentityStale       = "identity_stale"       // 403: Date or iat is too old, or not yet
	CodeIdentityFetch       = "identity_fetch"       // 436: the certificate cannot be had
	CodeIdentityCertificate = "identity_certificate" // 437: and is not to be trusted, or not with this number
	CodeIdentitySignature   = "identity_signature"   // 438: it has not signed this
	CodeIdentityMismatch    = "identity_mismatch"    // 438: it is signed, but of another call
	CodeIdentityReplayed    = "identity_replayed"    // 438: it came with another call before
	CodeIdentityAnonymous   = "identity_anonymous"   // 433: one is required, of a caller who shows no number (RFC 5079)
)

// Values of Verdict.Verstat.
const (
	VerstatPassed = "TN-Validation-Passed"
	VerstatFailed = "TN-Validation-Failed"
	VerstatNone   = "No-TN-Validation"
)

// Defaults of an IdentityConfig.
const (
	DefaultFreshness    = time.Minute // RFC 8224 6.2 step 4
	DefaultSkew         = 5 * time.Second
	DefaultFetchTimeout = 3 * time.Second
)

// IdentityConfig says whose PASSporTs are believed. Only Anchors is needed.
type IdentityConfig struct {
	Anchors      []*x509.Certificate    // CAs of the STI, to which each certificate has to lead: not those of the web
	CRLs         []*x509.RevocationList // certificates that are not believed any more
	Required     bool                   // a call without an Identity that is understood fails with 428
	Freshness    time.Duration          // age that Date and iat may have; 0: DefaultFreshness
	Skew         time.Duration          // by which they may be ahead of our clock; 0: DefaultSkew
	IgnoreDate   bool                   // look at iat alone: some networks lose or change Date
	FetchTimeout time.Duration          // of a certificate, redirects included not; 0: DefaultFetchTimeout
	Ports        []int                  // that certificates may be fetched from; none: 443 and 8443
	Allow        []netip.Prefix         // private networks that certificates may be fetched from all the same
	TLS          *tls.Config            // of the fetching; nil: the system's roots
}

// Identity is the Checker of STIR: it believes a caller whose number somebody has signed for, whose certificate leads to one of the
// anchors and speaks for that number (RFC 8224, 8225, 8226, 8588). It adds a Check named "identity", and where the call was retargeted
// on its way one named "identity_div" (RFC 8946). Identity headers of other types, such as rcd, are left alone. All its methods are
// safe for any goroutine.
//
// What a failed Check carries is what the RFC names for the step that failed: 403 Stale Date, 428 Use Identity Header, 436 Bad
// Identity Info, 437 Unsupported Credential, 438 Invalid Identity Header, and as its Reason the same for a call that goes
// on all the same (RFC 9410).
type Identity struct {
	cfg   IdentityConfig
	books *library
	seen  seen
}

// NewIdentity makes an Identity. Close it after use.
func NewIdentity(cfg IdentityConfig) (*Identity, error) {
	var errs []error
	if len(cfg.Anchors) == 0 {
		errs = append(errs, errors.New("verify: IdentityConfig.Anchors is empty: nobody could be believed"))
	}
	if cfg.Freshness < 0 || cfg.Skew < 0 || cfg.FetchTimeout < 0 {
		errs = append(errs, errors.New("verify: IdentityConfig.Freshness, Skew and FetchTimeout cannot be negative"))
	}
	for _, p := range cfg.Ports {
		if p < 1 || p > 65535 {
			errs = append(errs, fmt.Errorf("verify: IdentityConfig.Ports: %d is no port", p))
		}
	}
	t := trust{anchors: x509.NewCertPool()}
	for _, a := range cfg.Anchors {
		t.anchors.AddCert(a)
	}
	var err error
	t.revoked, err = newRevocations(cfg.CRLs, cfg.Anchors)
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	if cfg.Freshness == 0 {
		cfg.Freshness = DefaultFreshness
	}
	if cfg.Skew == 0 {
		cfg.Skew = DefaultSkew
	}
	return &Identity{cfg: cfg, books: newLibrary(t, &cfg), seen: seen{keep: cfg.Freshness + cfg.Skew}}, nil
}

// Close closes idle connections.
func (i *Identity) Close() error { return i.books.client.Close() }

// failure is why a PASSporT does not hold.
type failure struct {
	code string
	why  string
}

func fail(code, format string, args ...any) *failure {
	return &failure{code, fmt.Sprintf(format, args...)}
}

// status is the SIP response that the RFC names for f, and its reason phrase.
func (f *failure) status() (int, string) {
	switch f.code {
	case CodeIdentityStale:
		return 403, "Stale Date"
	case CodeIdentityMissing:
		return 428, "Use Identity Header"
	case CodeIdentityAnonymous:
		return 433, "Anonymity Disallowed"
	case CodeIdentityFetch:
		return 436, "Bad Identity Info"
	case CodeIdentityCertificate:
		return 437, "Unsupported Credential"
	}
	return 438, "Invalid Identity Header"
}

// check is f as a Check of that name; signature is that of the PASSporT, "" where there is no other in the request that could
// be meant.
func (f *failure) check(name, signature string) Check {
	status, phrase := f.status()
	c := Check{Name: name, Result: CheckFail, Code: f.code, Status: status, Evidence: f.why}
	if status == 433 { // not of STIR
		return c
	}
	c.Reason = fmt.Sprintf("STIR;cause=%d;text=%q", status, phrase)
	if _, err := unbase64(signature); err == nil && signature != "" {
		c.Reason += fmt.Sprintf(";ppi=%q", ".."+signature) // RFC 9410 5: the compact form is the one that tells nothing
	}
	return c
}

// Check looks at the Identity headers of c.
func (i *Identity) Check(ctx context.Context, c *Caller, v *Verdict) {
	at := c.Time
	if at.IsZero() {
		at = time.Now()
	}
	var values []string
	for _, h := range c.Request.Headers {
		if strings.EqualFold(h.Name, "Identity") || strings.EqualFold(h.Name, "y") { // its compact name
			values = append(values, h.Value)
		}
	}
	s := &inspection{Identity: i, c: c, now: at, caller: callerOf(c)}
	s.date()
	s.read(values)
	v.Verstat = VerstatNone
	switch {
	case s.ours() && s.caller.anonymous():
		s.nobody(v)
		return
	case !s.ours():
		s.missing(v, len(values))
		return
	}
	for _, t := range s.tokens {
		s.prove(ctx, t)
	}
	s.judge(v)
}
