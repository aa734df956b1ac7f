package verify

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/callbin/callbin/sip"
)

// maxIdentities of a request are looked at.
const maxIdentities = 10

// inspection is the checking of one request, step by step (RFC 8224 6.2). What costs nothing comes first: a request that is stale
// does not make us fetch a certificate.
type inspection struct {
	*Identity
	c       *Caller
	now     time.Time
	caller  ends
	several bool      // Identity headers
	sent    time.Time // as Date says
	noDate  *failure  // why that does not hold; nil: it does
	tokens  []*token
}

// token is one PASSporT, and how far it got.
type token struct {
	head identityHeader
	text string // that is signed; "" in the compact form
	p    Passport
	cred *credential
	r    []byte   // first half of the signature
	step int      // that it has come to
	fail *failure // nil: none has failed so far
}

// date reads the Date header (RFC 8224 6.2 step 4).
func (s *inspection) date() {
	value, ok := s.c.Request.Header("Date")
	if !ok {
		s.noDate = fail(CodeIdentityStale, "there is no Date")
		return
	}
	var err error
	if s.sent, err = time.Parse(http.TimeFormat, value); err != nil {
		s.noDate = fail(CodeIdentityStale, "Date %.40q is none", value)
		return
	}
	s.noDate = s.fresh("Date", s.sent)
}

// fresh tells why a time is not.
func (s *inspection) fresh(what string, at time.Time) *failure {
	switch age := s.now.Sub(at); {
	case age >= s.cfg.Freshness+time.Second: // at has no fraction of a second
		return fail(CodeIdentityStale, "%s is %s old, more than %s", what, age.Round(time.Second), s.cfg.Freshness)
	case -age > s.cfg.Skew:
		return fail(CodeIdentityStale, "%s is %s in the future", what, (-age).Round(time.Second))
	}
	return nil
}

// read takes the Identity headers apart, and leaves those of other types out (step 1).
func (s *inspection) read(values []string) {
	s.several = len(values) > 1
	for _, v := range values[:min(len(values), maxIdentities)] {
		t := &token{}
		known, err := t.read(v)
		if !known {
			continue
		}
		s.tokens = append(s.tokens, t)
		switch {
		case errors.Is(err, errAlg):
			t.fail = fail(CodeIdentityCertificate, "%v", err)
		case err != nil:
			t.fail = fail(CodeIdentityMalformed, "%v", err)
		}
	}
}

// read takes an Identity header apart; false: it is of a type that is not known.
func (t *token) read(value string) (known bool, err error) {
	if t.head, err = parseIdentity(value); err != nil {
		return true, err
	}
	h := &t.head
	if h.ppt != "" && !strings.EqualFold(h.ppt, Shaken) && !strings.EqualFold(h.ppt, Div) {
		return false, nil
	}
	t.p.Type, t.p.X5U = strings.ToLower(h.ppt), h.info
	if h.alg != "" && !strings.EqualFold(h.alg, alg256) && !strings.EqualFold(h.alg, "none") {
		return true, fmt.Errorf("%w: %.20q", errAlg, h.alg)
	}
	if h.compact() {
		if h.ppt != "" {
			return true, fmt.Errorf("%s in the compact form, which it does not have", t.p.Type)
		}
		return true, nil
	}
	b, err := unbase64(h.header)
	if err != nil {
		return true, fmt.Errorf("header: %w", err)
	}
	jose, err := parseHeader(b)
	if h.ppt == "" {
		t.p.Type = jose.PPT
	}
	switch {
	case h.ppt == "" && jose.PPT != "" && jose.PPT != Shaken && jose.PPT != Div:
		return false, nil
	case err != nil:
		return true, fmt.Errorf("header: %w", err)
	case jose.PPT != t.p.Type:
		return true, fmt.Errorf("ppt is %.20q in the header and %.20q in the PASSporT", h.ppt, jose.PPT)
	case jose.X5U != h.info:
		return true, fmt.Errorf("x5u is %.100q, and info %.100q", jose.X5U, h.info)
	}
	if b, err = unbase64(h.claims); err == nil {
		err = t.p.parseClaims(b)
	}
	if err != nil {
		return true, fmt.Errorf("claims: %w", err)
	}
	t.text = h.header + "." + h.claims
	return true, nil
}

// prove takes t through all steps that need no other PASSporT.
func (s *inspection) prove(ctx context.Context, t *token) {
	for step, f := range []func(context.Context, *token) *failure{s.timely, s.believed, s.signed, s.same} {
		if t.fail != nil {
			return
		}
		t.step = step + 1
		t.fail = f(ctx, t)
	}
}

// timely is step 4. The compact form says when it was made by Date alone.
func (s *inspection) timely(_ context.Context, t *token) *failure {
	if t.head.compact() {
		t.p.IssuedAt = s.sent
		return s.noDate
	}
	if s.noDate != nil && !s.cfg.IgnoreDate {
		return s.noDate
	}
	return s.fresh("iat", t.p.IssuedAt)
}

// believed is step 3: the certificate, and whether it speaks for who signs.
func (s *inspection) believed(ctx context.Context, t *token) *failure {
	var f *failure
	if t.cred, f = s.books.credential(ctx, t.head.info, s.now, t.p.IssuedAt); f != nil {
		return f
	}
	if !t.cred.valid(t.p.IssuedAt) {
		return fail(CodeIdentityCertificate, "%s was not valid at %s", t.cred, t.p.IssuedAt.UTC().Format(time.RFC3339))
	}
	if t.head.compact() {
		return nil // signed tells who it is
	}
	return s.authority(t)
}

func (s *inspection) authority(t *token) *failure {
	who := t.p.Orig
	if t.p.Type == Div {
		who = t.p.Div // who was called sends the call on (RFC 8946 4.1)
	}
	if err := t.cred.authority(who); err != nil {
		return fail(CodeIdentityCertificate, "%s: %v", t.cred, err)
	}
	return nil
}

// signed is step 5.
func (s *inspection) signed(_ context.Context, t *token) *failure {
	sig, err := unbase64(t.head.signature)
	if err != nil {
		return fail(CodeIdentityMalformed, "signature: %v", err)
	}
	if len(sig) != 64 {
		return fail(CodeIdentitySignature, "the signature has %d bytes, not 64", len(sig))
	}
	t.r = sig[:32]
	if !t.head.compact() {
		if !verifyES256(t.cred.key, t.text, sig) {
			return fail(CodeIdentitySignature, "%s has not signed this", t.cred)
		}
		return nil
	}
	// What was signed has to be made of the request (RFC 8224 6.2.4). Who has a number has a URI, too.
	for _, t.p.Orig = range s.caller {
		for _, dest := range endOf(s.c.Request.To) {
			t.p.Dest = []Party{dest}
			if verifyES256(t.cred.key, t.p.signingInput(), sig) {
				return s.authority(t)
			}
		}
	}
	return fail(CodeIdentitySignature, "%s has not signed a call from %s to %s", t.cred, s.caller, endOf(s.c.Request.To))
}

// verifyES256 is the signature check of RFC 7518 3.4: r and s stand one after the other.
func verifyES256(key *ecdsa.PublicKey, text string, sig []byte) bool {
	sum := sha256.Sum256([]byte(text))
	return ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]))
}

// same compares who is said to call with who the request says it is.
func (s *inspection) same(_ context.Context, t *token) *failure {
	if !s.caller.names(t.p.Orig) {
		return fail(CodeIdentityMismatch, "it is signed for %s, and the caller is %s", t.p.Orig, s.caller)
	}
	return nil
}

// ours tells whether there is a PASSporT of a type that is known.
func (s *inspection) ours() bool { return len(s.tokens) > 0 }

// missing is the verdict where there is none.
func (s *inspection) missing(v *Verdict, others int) {
	why := "there is no Identity"
	if others > 0 {
		why = fmt.Sprintf("there is no Identity of a type that is known, among %d", others)
	}
	s.absent(v, fail(CodeIdentityMissing, "%s", why))
}

// nobody is the verdict where the caller shows no number: nothing could be compared.
func (s *inspection) nobody(v *Verdict) {
	s.absent(v, fail(CodeIdentityAnonymous, "the caller is anonymous: there is nothing to compare with the Identity"))
}

func (s *inspection) absent(v *Verdict, f *failure) {
	if s.cfg.Required {
		v.Checks = append(v.Checks, f.check("identity", ""))
		return
	}
	v.Checks = append(v.Checks, Check{Name: "identity", Result: CheckSkip, Evidence: f.why})
}

// judge puts together what the PASSporTs have come to: one that holds is enough, whatever else is there.
func (s *inspection) judge(v *Verdict) {
	to := endOf(s.c.Request.To)
	here := slices.Clone(to)
	if a, err := sip.ParseNameAddr("<" + s.c.Request.URI + ">"); err == nil {
		here = append(here, endOf(a)...) // To stays as it was where a proxy has sent the call elsewhere
	}
	var best, broken *token // that holds; that got farthest
	var chain []*token
	linked, diverted := false, false
	for _, t := range s.tokens {
		if t.p.Type == Div {
			diverted = true
			continue
		}
		if t.fail == nil {
			way, ok := s.chain(t, here)
			linked = linked || ok
			if ok || ends(to).any(t.p.Dest) {
				if best == nil || ok && chain == nil {
					best, chain = t, way
				}
				continue
			}
			t.step++
			t.fail = fail(CodeIdentityMismatch, "it is signed for a call to %s, and this one is to %s", t.p.Dest[0], ends(to))
		}
		if broken == nil || t.step > broken.step {
			broken = t
		}
	}
	if best != nil {
		if s.seen.again(fingerprint(best, chain), s.c.Request, s.now) {
			for _, t := range append(chain, best) {
				t.fail = fail(CodeIdentityReplayed, "it has come with another call before")
			}
			best, broken, linked = nil, best, false
		}
	}
	s.tell(v, best, broken)
	if diverted {
		s.tellDiverted(v, linked, chain)
	}
}

// tell adds the check "identity".
func (s *inspection) tell(v *Verdict, best, broken *token) {
	switch {
	case best != nil:
		v.Verstat, v.Attest, v.OrigID = VerstatPassed, best.p.Attest, best.p.OrigID
		kind := "PASSporT"
		if best.p.Type == Shaken {
			kind = "attestation " + best.p.Attest
		}
		why := fmt.Sprintf("%s for %s by %s", kind, best.p.Orig, best.cred)
		if broken != nil {
			why += "; another one fails: " + broken.fail.why
		}
		v.Checks = append(v.Checks, Check{Name: "identity", Result: CheckPass, Evidence: why})
	case broken != nil:
		v.Verstat = VerstatFailed
		v.Checks = append(v.Checks, broken.fail.check("identity", s.ppi(broken)))
	default:
		v.Verstat = VerstatFailed
		v.Checks = append(v.Checks, fail(CodeIdentityMismatch, "there is a div alone, and not what it would extend").check("identity", ""))
	}
}

// ppi is the signature by which a Reason tells which one of several is meant (RFC 9410 5).
func (s *inspection) ppi(t *token) string {
	if s.several {
		return t.head.signature
	}
	return ""
}

// fingerprint stands for a PASSporT and the way that it has taken.
func fingerprint(t *token, chain []*token) [sha256.Size]byte {
	var b strings.Builder
	for _, t := range append([]*token{t}, chain...) {
		text := t.text
		if text == "" {
			text = t.p.signingInput()
		}
		// Of the signature only r: anybody can make the other one of the two s that fit it.
		b.WriteString(text + "." + string(t.r) + "\n")
	}
	return sha256.Sum256([]byte(b.String()))
}
