package sip

import (
	"context"
	"crypto/hmac"
	"crypto/md5"
	crand "crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Secrets knows the passwords of those who may register and call. Its error means that nobody could be
// asked; it is not for unknown users. An Authenticator's timing tells nothing about who exists as long as
// Secret's does not.
type Secrets interface {
	Secret(ctx context.Context, user, realm string) (s Secret, ok bool, err error)
}

// Secret is a password, or what digest authentication makes of it. It does not show either when it is
// printed or logged.
type Secret struct {
	Password string
	// HA1 has hex(H(user:realm:password)) by algorithm, as "MD5" and "SHA-256", for a host that keeps no
	// passwords. An algorithm that is not in it is one that the user cannot log in by. Nil: Password counts.
	HA1 map[string]string
}

// String shows nothing.
func (Secret) String() string { return "sip.Secret{...}" }

// GoString shows nothing.
func (Secret) GoString() string { return "sip.Secret{...}" }

// LogValue shows nothing.
func (Secret) LogValue() slog.Value { return slog.StringValue("...") }

// Hashed is a Secret by which user can log in at realm with password, and which does not hold the password.
func Hashed(user, realm, password string) Secret {
	s := Secret{HA1: map[string]string{}}
	for _, algorithm := range []string{"MD5", "SHA-256", "SHA-512-256"} {
		s.HA1[algorithm] = sum(hashOf(algorithm), user, realm, password)
	}
	return s
}

// AuthConfig of an Authenticator. Realm and Secrets are needed.
type AuthConfig struct {
	Realm   string
	Secrets Secrets

	// Algorithms are offered in this order: MD5, SHA-256, SHA-512-256. Nil: SHA-256, MD5 (RFC 8760).
	Algorithms []string
	// MD5Only are beginnings of User-Agent values of phones that fail when they are offered anything else beside MD5, and so
	// are offered MD5 only, where Algorithms has it. Nil: baresip before version 3, whose libre gives up ("Function
	// not implemented") instead of passing over a challenge that it does not know.
	MD5Only []string
	// NonceLife is how long a nonce is good; after that a client that knows the password is told so
	// (stale=true) and gets another one. 0: 5 minutes.
	NonceLife time.Duration
	// Domain is the domain parameter of challenges; "": none.
	Domain string
	// Key makes nonces, at least 16 bytes of it; with the same one several nodes know each other's nonces. Nil: a random one.
	Key []byte
	// MaxNonces bounds the nonces, 60 bytes each, whose counts are known, to find replays. When there are more, clients are
	// challenged once more than needed; no replay gets through. 0: 100,000.
	MaxNonces int
	// MaxGuesses is how many wrong passwords an address may send at once; after that it has one every
	// 3 seconds, and the rest of its requests with a password get 503. Only requests count whose nonce was sent to
	// that address, so that nobody can use up the guesses of others by a forged source. 0: 10.
	MaxGuesses int
	// Lockout bans who goes on guessing, for longer and longer. The zero value does.
	Lockout Lockout

	Logger *slog.Logger // nil: slog.Default()
}

// Authenticator asks for passwords by digest (RFC 3261 22, 7616, 8760) and checks them, with qop auth
// only. Who has a wrong name and who has a wrong password get the same answer, and cause the same work. All its
// methods may be called from any goroutine.
type Authenticator struct {
	cfg     AuthConfig
	nonces  *nonces
	guesses *addrLimit
	lockout *lockout
}

// guessTime is after how long an address may guess once more, maxAddrs how many addresses are known.
const (
	guessTime = 3 * time.Second
	maxAddrs  = 10_000
)

// NewAuthenticator checks cfg and tells all of its faults at once.
func NewAuthenticator(cfg AuthConfig) (*Authenticator, error) {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf("sip: authenticator: "+format, a...)) }
	for _, v := range []string{cfg.Realm, cfg.Domain} {
		if checkValue(v) != nil || strings.ContainsAny(v, `"\`) {
			bad("realm or domain %q holds a quote, backslash or line break", v)
		}
	}
	switch {
	case cfg.Realm == "":
		bad("Realm is empty")
	case cfg.Secrets == nil:
		bad("Secrets is nil: nobody knows the passwords")
	}
	if cfg.Algorithms == nil {
		cfg.Algorithms = []string{"SHA-256", "MD5"}
	}
	if cfg.MD5Only == nil {
		cfg.MD5Only = []string{"baresip v0.", "baresip v1.", "baresip v2."}
	}
	if len(cfg.Algorithms) == 0 {
		bad("Algorithms is empty")
	}
	for i, a := range cfg.Algorithms {
		if hashOf(a) == nil || slices.Contains(cfg.Algorithms[:i], a) {
			bad("Algorithms[%d] is %q, not one of MD5, SHA-256 and SHA-512-256, each once", i, a)
		}
	}
	if cfg.NonceLife < 0 || cfg.MaxNonces < 0 || cfg.MaxGuesses < 0 {
		bad("NonceLife, MaxNonces and MaxGuesses cannot be negative")
	}
	var err error
	if cfg.Lockout, err = cfg.Lockout.withDefaults(); err != nil {
		bad("%w", err)
	}
	if cfg.NonceLife == 0 {
		cfg.NonceLife = 5 * time.Minute
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.MaxNonces == 0 {
		cfg.MaxNonces = 100_000
	}
	if cfg.MaxGuesses == 0 {
		cfg.MaxGuesses = 10
	}
	switch {
	case cfg.Key == nil:
		cfg.Key = make([]byte, 32)
		_, _ = crand.Read(cfg.Key) // never fails
	case len(cfg.Key) < 16:
		bad("Key has %d bytes, fewer than 16", len(cfg.Key))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &Authenticator{
		cfg: cfg, nonces: newNonces(cfg.Key, cfg.Realm, cfg.NonceLife, cfg.MaxNonces),
		guesses: newAddrLimit(guessTime, cfg.MaxGuesses, maxAddrs), lockout: newLockout(cfg.Lockout),
	}, nil
}

// Realm is that of the challenges.
func (a *Authenticator) Realm() string { return a.cfg.Realm }

// Admission says whether a request may come in. The zero value lets it in as a stranger's.
type Admission struct {
	// User is whose password the request knew; "": it was not asked.
	User string
	// Status refuses the request, with Headers; 0 lets it in.
	Status  int
	Headers []Header
}

// hashOf is the hash of an algorithm that a server can ask for, nil: there is no such.
func hashOf(algorithm string) func() hash.Hash {
	switch algorithm {
	case "MD5":
		return md5.New
	case "SHA-256":
		return sha256.New
	case "SHA-512-256":
		return sha512.New512_256
	}
	return nil
}

// Check tells whose password r knows: User is set, or the request is refused with 401 and a challenge, with
// 503 while its address has used up its guesses, or is locked out (Lockout), or with 500 when Secrets fails. Who acts as a
// proxy, with proxy, asks and answers with 407 and the Proxy- headers.
func (a *Authenticator) Check(ctx context.Context, r *Request, proxy bool) Admission {
	c, ok := a.credentials(r, proxy)
	if !ok {
		return a.challenge(r, proxy, false)
	}
	addr := addrOf(r.Source)
	wait, known := a.lockout.left(addr, c.username)
	if wait > 0 {
		return Admission{Status: 503, Headers: []Header{retryAfter(int((wait + time.Second - 1) / time.Second))}}
	}
	if !known && !a.guesses.left(addr) {
		return Admission{Status: 503, Headers: []Header{retryAfter(int(guessTime * 2 / time.Second))}}
	}
	want, err := a.response(ctx, c, r.Method)
	if err != nil {
		return Admission{Status: 500}
	}
	right := subtle.ConstantTimeCompare([]byte(want), []byte(c.response)) == 1 && sameTarget(c.uri, r.URI)
	id, ours := a.nonces.ours(c.nonce, addr)
	switch {
	case !right && ours:
		if a.guesses.take(addr); !a.guesses.left(addr) {
			a.cfg.Logger.Warn("an address has used up its guesses at passwords", "peer", r.Source, "method", r.Method)
		}
		if banned := a.lockout.failed(addr, c.username); banned > 0 {
			a.cfg.Logger.Warn("locked out for wrong passwords", "peer", r.Source, "method", r.Method, "user", clip(c.username), "seconds", int(banned.Seconds()))
		}
		return a.challenge(r, proxy, false)
	case !right:
		return a.challenge(r, proxy, false)
	case !ours || !a.nonces.fresh(id) || !a.nonces.use(id, c.nc):
		// The password is right, the nonce is another address's, another process's, too old, or was used.
		return a.challenge(r, proxy, true)
	}
	a.lockout.succeeded(addr, c.username)
	return Admission{User: c.username}
}

// Answers tells whether r brings credentials for the realm of a, right or wrong: in Authorization, or, with proxy, in Proxy-Authorization.
func (a *Authenticator) Answers(r *Request, proxy bool) bool {
	_, ok := a.credentials(r, proxy)
	return ok
}

// Challenge asks who has sent r for a password, whatever it brings: 401, or, with proxy, 407.
func (a *Authenticator) Challenge(r *Request, proxy bool) Admission {
	return a.challenge(r, proxy, false)
}

func (a *Authenticator) credentials(r *Request, proxy bool) (authorization, bool) {
	name := "Authorization"
	if proxy {
		name = "Proxy-Authorization"
	}
	c, ok := credentialsFor(r.Headers, name, a.cfg.Realm)
	return c, ok && slices.Contains(a.cfg.Algorithms, c.algorithm)
}

// response is what c.response has to be. For users that do not exist, and such as cannot log in by this
// algorithm, it is the same sum over a password that nobody knows.
func (a *Authenticator) response(ctx context.Context, c authorization, method string) (string, error) {
	s, ok, err := a.cfg.Secrets.Secret(ctx, c.username, a.cfg.Realm)
	if err != nil {
		return "", fmt.Errorf("sip: secret: %w", err)
	}
	h := hashOf(c.algorithm)
	nobody := hmac.New(sha256.New, a.cfg.Key)
	_, _ = nobody.Write([]byte("nobody:" + c.username))
	password := hex.EncodeToString(nobody.Sum(nil)[:8]) // as long as many are
	known := ok && s.HA1 == nil && s.Password != ""
	if known {
		password = s.Password
	}
	ha1 := sum(h, c.username, a.cfg.Realm, password)
	if ok && len(s.HA1[c.algorithm]) == len(ha1) {
		ha1 = strings.ToLower(s.HA1[c.algorithm])
	}
	return sum(h, ha1, c.nonce, c.count, c.cnonce, "auth", sum(h, method, c.uri)), nil
}

// sum is hex(H(parts joined by colons)).
func sum(newHash func() hash.Hash, parts ...string) string {
	h := newHash()
	for i, p := range parts {
		if i > 0 {
			_, _ = h.Write([]byte{':'})
		}
		_, _ = h.Write([]byte(p))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// challenge refuses r and asks for a password.
func (a *Authenticator) challenge(r *Request, proxy, stale bool) Admission {
	adm := Admission{Status: 401}
	name := "WWW-Authenticate"
	if proxy {
		adm.Status, name = 407, "Proxy-Authenticate"
	}
	nonce := a.nonces.make(addrOf(r.Source))
	old := slices.Contains(a.cfg.Algorithms, "MD5") &&
		slices.ContainsFunc(a.cfg.MD5Only, func(s string) bool { return strings.HasPrefix(r.UserAgent, s) })
	for _, alg := range a.cfg.Algorithms {
		if old && alg != "MD5" {
			continue
		}
		v := fmt.Sprintf(`Digest realm="%s", nonce="%s", algorithm=%s, qop="auth"`, a.cfg.Realm, nonce, alg)
		if a.cfg.Domain != "" {
			v += `, domain="` + a.cfg.Domain + `"`
		}
		if stale {
			v += ", stale=true"
		}
		adm.Headers = append(adm.Headers, Header{name, v})
	}
	return adm
}

// addrOf is the address of a, or, of a request that came by none, 0.0.0.0.
func addrOf(a netip.AddrPort) netip.Addr {
	if !a.IsValid() {
		return netip.IPv4Unspecified()
	}
	return a.Addr()
}
