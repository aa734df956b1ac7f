package call

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/sip/verify"
)

// Signing is how calls that go out by trunks with Trunk.Sign are signed (STIR/SHAKEN, RFC 8224). Each INVITE, also that of the next trunk after
// one that failed, has an Identity of its own. Calls that show no number, or hide it from the provider too, are not signed.
type Signing struct {
	Signer *verify.Signer // nil: nothing is signed
	// Attest says what is attested of a call: verify.AttestFull, AttestPartial, AttestGateway, or "": it goes out unsigned. It is asked
	// on the call's loop, and must not block. Nil: Origination.Attest.
	Attest func(o Origination) string
}

// Origination is what is known of a call that is to be signed.
type Origination struct {
	Shown       address.Address // who is shown as calling: a number
	Destination address.Address
	Trunk       string
	Owned       bool   // Config.Owned says that Shown is ours
	Extension   string // of ours, that has begun the call and given its password; "": none has
	Outside     string // id of the call from outside on whose behalf it is placed; "": it is the program's, or an extension's
}

// Attest is the usual answer (RFC 8588 4): C for whom we do not know, who has called from outside; else A for a number of ours, and B for
// another one.
func (o Origination) Attest() string {
	switch {
	case o.Outside != "":
		return verify.AttestGateway
	case o.Owned:
		return verify.AttestFull
	}
	return verify.AttestPartial
}

// begun is who has begun a call: an extension of ours, or the call that came from outside; neither: the program.
func (o *outgoing) begun() (extension string, outside *Call) {
	for c, far := o.behalf, o.far; c != nil; c, far = c.out.behalf, c.out.far {
		if x := c.extension.Load(); x != nil {
			return *x, nil
		}
		if c.out == nil || far {
			return "", c
		}
	}
	return "", nil
}

// sign makes the headers by which t knows who calls: s, who is shown.
func (e *Engine) sign(o *outgoing, t *Trunk, s address.Address, headers []sip.Header) []sip.Header {
	signer := e.cfg.Signing.Signer
	if signer == nil || !t.Sign || s.Type != address.TypeTel || !address.IsE164(s.Target) || o.destination.Type != address.TypeTel {
		return nil
	}
	if slices.ContainsFunc(headers, func(h sip.Header) bool { return isIdentity(h.Name) }) {
		return nil // the program has one of its own
	}
	extension, outside := o.begun()
	now := time.Now()
	p := verify.Passport{
		Type: verify.Shaken, IssuedAt: now, Orig: partyOf(s.Target), Dest: []verify.Party{partyOf(o.destination.Target)},
	}
	var passed []sip.Header
	if outside != nil {
		passed, p = outside.passOn(s, p)
	}
	if p.Type == verify.Shaken {
		org := Origination{Shown: s, Destination: o.destination, Trunk: t.Name, Extension: extension}
		if outside != nil {
			org.Outside = outside.id
		}
		org.Owned = e.cfg.Owned != nil && e.cfg.Owned(s)
		attest := org.Attest
		if f := e.cfg.Signing.Attest; f != nil {
			attest = func() string { return f(org) }
		}
		if p.Attest = attest(); p.Attest == "" {
			return nil
		}
	}
	if p.Type == "" { // it goes where it was meant to
		return append(passed, dateHeader(now))
	}
	value, err := signer.Sign(p)
	if err != nil {
		e.log.Warn("call is not signed", "trunk", t.Name, "err", err)
		return nil
	}
	return append(passed, dateHeader(now), sip.Header{Name: "Identity", Value: value})
}

func dateHeader(at time.Time) sip.Header {
	return sip.Header{Name: "Date", Value: at.UTC().Format(http.TimeFormat)}
}

func partyOf(number string) verify.Party { return verify.Party{TN: strings.TrimPrefix(number, "+")} }

func isIdentity(name string) bool {
	return strings.EqualFold(name, "Identity") || strings.EqualFold(name, "y")
}

// passOn gives the Identity headers of c, which came from outside, to a call that shows the same caller, and makes of p what has to be
// added: a div where the call goes elsewhere than its caller has said (RFC 8946 4.1), nothing (Type "") where it does not. Without such
// headers, or with some that have failed, p stays as it is.
func (c *Call) passOn(shown address.Address, p verify.Passport) ([]sip.Header, verify.Passport) {
	d := c.dialog.Load()
	rec := c.Record()
	if c.out != nil || d == nil || !rec.Source.Same(shown) {
		return nil, p
	}
	var v Verdict
	if len(rec.Verdict) > 0 && (json.Unmarshal(rec.Verdict, &v) != nil || v.Verstat == verify.VerstatFailed) {
		return nil, p
	}
	req := d.Invite()
	var passed []sip.Header
	for _, h := range req.Headers {
		if isIdentity(h.Name) {
			passed = append(passed, sip.Header{Name: "Identity", Value: h.Value})
		}
	}
	if len(passed) == 0 {
		return nil, p
	}
	p.Div = verify.EndOf(req.To)
	if slices.ContainsFunc(v.Checks, func(k Check) bool { return k.Name == "identity_div" && k.Result == verify.CheckPass }) {
		if a, err := sip.ParseNameAddr("<" + req.URI + ">"); err == nil { // where the last div has sent it
			p.Div = verify.EndOf(a)
		}
	}
	switch p.Type = verify.Div; {
	case slices.Contains(p.Dest, p.Div):
		p.Type = ""
	case p.Div == (verify.Party{}):
		p.Type = verify.Shaken
		return nil, p
	}
	return passed, p
}

// checkSigning tells which trunks are to sign though nobody can.
func checkSigning(what string, trunks []Trunk, can bool) error {
	var errs []error
	for i := range trunks {
		if trunks[i].Sign && !can {
			errs = append(errs, fmt.Errorf("%s[%d]: sign needs a key and the URL of its certificate (identity)", what, i))
		}
	}
	return errors.Join(errs...)
}
