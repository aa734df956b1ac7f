package verify

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/sip/verify/verifytest"
)

// passportCase is one line of the matrix: an INVITE, and what the RFC says of it.
type passportCase struct {
	name   string
	make   func(b *bench) *invite
	config func(c *IdentityConfig)
	status int    // 0: it passes
	code   string // "": it passes; "skip": it is not looked at
	attest string
}

const skip = "skip"

// bent is a good request whose only token was changed.
func bent(change func(b *bench, k *tok)) func(*bench) *invite {
	return func(b *bench) *invite {
		k := b.shaken()
		change(b, k)
		return newInvite(k)
	}
}

// at is a good request that was changed.
func changed(change func(v *invite)) func(*bench) *invite {
	return func(b *bench) *invite {
		v := newInvite(b.shaken())
		change(v)
		return v
	}
}

// certified is a good request by somebody with another certificate.
func certified(list []verifytest.Entry, edits ...func(*x509.Certificate)) func(*bench) *invite {
	return func(b *bench) *invite {
		h, url := b.issue(list, edits...)
		return newInvite(b.shaken().by(h, url))
	}
}

// below is one by somebody whose CA has a TNAuthList.
func below(ca, list []verifytest.Entry) func(*bench) *invite {
	return func(b *bench) *invite {
		sub := b.root.NewCA(b.t, "delegating CA", func(c *x509.Certificate) { c.ExtraExtensions = []pkix.Extension{verifytest.TNAuthList(ca...)} })
		h := sub.Issue(b.t, list)
		return newInvite(b.shaken().by(h, b.put(h.Chain)))
	}
}

// located is one whose certificate is said to be at a URL that change makes of the right one.
func located(change func(b *bench, url string) string) func(*bench) *invite {
	return bent(func(b *bench, k *tok) { k.both(change(b, b.url)) })
}

func served(f func(b *bench) http.HandlerFunc) func(*bench) *invite {
	return located(func(b *bench, _ string) string { return b.handle(f(b)) })
}

func spc(codes ...string) (list []verifytest.Entry) {
	for _, c := range codes {
		list = append(list, verifytest.SPC(c))
	}
	return list
}

func one(e verifytest.Entry) []verifytest.Entry { return []verifytest.Entry{e} }

func extension(id asn1.ObjectIdentifier, critical bool, value []byte) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: id, Critical: critical, Value: value})
	}
}

func claim(old, new string) func(*bench) *invite {
	return bent(func(_ *bench, k *tok) { k.replace(&k.claims, old, new) })
}

func header(old, new string) func(*bench) *invite {
	return bent(func(_ *bench, k *tok) { k.replace(&k.header, old, new) })
}

func param(old, new string) func(*bench) *invite {
	return bent(func(_ *bench, k *tok) { k.replace(&k.params, old, new) })
}

func signature(bend func([]byte) []byte) func(*bench) *invite {
	return bent(func(_ *bench, k *tok) { k.bend = bend })
}

func dated(at time.Time) func(*bench) *invite {
	return changed(func(v *invite) { v.date = at.Format(http.TimeFormat) })
}

func issuedAt(at time.Time) func(*bench) *invite {
	return claim(fmt.Sprint(noon.Unix()), fmt.Sprint(at.Unix()))
}

func required(c *IdentityConfig) { c.Required = true }

var passportCases = []passportCase{
	// Good ones.
	{name: "attestation A", make: changed(func(*invite) {}), attest: "A"},
	{name: "attestation B", make: claim(`"A"`, `"B"`), attest: "B"},
	{name: "attestation C", make: claim(`"A"`, `"C"`), attest: "C"},
	{name: "number of its own", make: certified(one(verifytest.TN(caller1))), attest: "A"},
	{name: "first of a range", make: certified(one(verifytest.Range(caller1, 2))), attest: "A"},
	{name: "last of a range", make: certified(one(verifytest.Range("12155551203", 10))), attest: "A"},
	{name: "one entry of several", make: certified([]verifytest.Entry{verifytest.TN("1"), verifytest.Range("442079460000", 100), verifytest.TN(caller1)}), attest: "A"},
	{name: "TNAuthList critical", make: certified(nil, func(c *x509.Certificate) {
		e := verifytest.TNAuthList(verifytest.SPC("1"))
		e.Critical = true
		c.ExtraExtensions = []pkix.Extension{e}
	}), attest: "A"},
	{name: "within the list of the CA", make: below(one(verifytest.Range("12155551000", 1000)), one(verifytest.TN(caller1))), attest: "A"},
	{name: "code of the CA", make: below(spc("709J", "1"), spc("1")), attest: "A"},
	{name: "numbers below a code", make: below(spc("709J"), one(verifytest.TN(caller1))), attest: "A"},
	{name: "certificate in DER", make: func(b *bench) *invite {
		h := b.root.Issue(b.t, spc("1"))
		return newInvite(b.shaken().by(h, b.put(h.Cert.Raw)))
	}, attest: "A"},
	{name: "redirect", make: served(func(b *bench) http.HandlerFunc { return http.RedirectHandler(b.url, http.StatusFound).ServeHTTP }), attest: "A"},
	{name: "members in another order, with spaces", make: bent(func(b *bench, k *tok) {
		k.header = `{ "x5u": "` + b.url + `", "typ":"passport", "alg":"ES256" , "ppt":"shaken"}`
	}), attest: "A"},
	{name: "more claims", make: claim(`{"attest"`, `{"aaa":{"x":[1,2,{"y":null}]},"attest"`), attest: "A"},
	{name: "high s", make: signature(otherS), attest: "A"},
	{name: "parameters quoted, in capitals, spaced", make: bent(func(b *bench, k *tok) {
		k.params = " ; Info = <" + b.url + "> ; ALG=\"es256\" ;PPT=\"shaken\";x=\"a;b\""
	}), attest: "A"},
	{name: "no alg, no ppt beside it", make: param(";alg=ES256;ppt=shaken", ""), attest: "A"},
	{name: "plain", make: func(b *bench) *invite { return newInvite(b.plain()) }},
	{name: "plain, of URIs", make: func(b *bench) *invite {
		k := b.plain()
		k.claims = fmt.Sprintf(`{"dest":{"uri":["sip:bob@Example.net"]},"iat":%d,"orig":{"uri":"sip:alice@example.com"}}`, noon.Unix())
		v := newInvite(k)
		v.from, v.to = "<sip:alice@EXAMPLE.com:5070;transport=tcp>;tag=1", "<sip:bob@example.net>"
		return v
	}},
	{name: "compact", make: func(b *bench) *invite {
		k := b.plain()
		k.compact = true
		return newInvite(k)
	}},
	{name: "tel URIs", make: changed(func(v *invite) { v.from, v.to = "<tel:+1-215-555-1212>;tag=1", "<tel:+1.215.555.1213>" }), attest: "A"},
	{name: "number without plus", make: changed(func(v *invite) { v.from = "<sip:12155551212@example.com;user=phone>;tag=1" }), attest: "A"},
	{name: "one destination of several", make: claim(`["`+callee1, `["`+callee2+`","`+callee1), attest: "A"},
	{name: "iat a minute old", make: issuedAt(noon.Add(-time.Minute)), attest: "A"},
	{name: "iat ahead by the skew", make: issuedAt(noon.Add(DefaultSkew)), attest: "A"},
	{name: "no Date, which is ignored", make: changed(func(v *invite) { v.date = "" }), config: func(c *IdentityConfig) { c.IgnoreDate = true }, attest: "A"},
	{name: "certificate expired since", make: func(b *bench) *invite {
		h, url := b.issue(spc("1"), func(c *x509.Certificate) { c.NotAfter = noon.Add(-10 * time.Second) })
		k := b.shaken().by(h, url)
		return newInvite(k.replace(&k.claims, fmt.Sprint(noon.Unix()), fmt.Sprint(noon.Unix()-20)))
	}, attest: "A"},
	{name: "asserted by a trusted trunk", make: changed(func(v *invite) {
		v.from, v.trusted = "<sip:anonymous@anonymous.invalid>;tag=1", true
		v.more = []sip.Header{{Name: "p-asserted-identity", Value: `"x, y" <sip:alice@example.com>, <tel:+` + caller1 + `>`}}
	}), attest: "A"},
	{name: "two, and one is good", make: func(b *bench) *invite {
		bad := b.shaken()
		bad.bend = func(s []byte) []byte { return s[:63] }
		return newInvite(bad, b.shaken())
	}, attest: "A"},
	{name: "beside an rcd", make: func(b *bench) *invite {
		rcd := b.shaken()
		rcd.replace(&rcd.params, "ppt=shaken", "ppt=rcd")
		return newInvite(rcd, b.shaken())
	}, attest: "A"},
	{name: "compact name of the header", make: func(b *bench) *invite {
		v := newInvite()
		v.more = []sip.Header{{Name: "y", Value: b.shaken().value()}}
		return v
	}, attest: "A"},
	{name: "none", make: func(*bench) *invite { return newInvite() }, code: skip},
	{name: "an rcd alone", make: param("ppt=shaken", `ppt="rcd"`), code: skip},
	{name: "anonymous", make: changed(func(v *invite) { v.from = `"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1` }), code: skip},

	// 403 Stale Date
	{name: "Date old", make: dated(noon.Add(-62 * time.Second)), status: 403, code: CodeIdentityStale},
	{name: "Date ahead", make: dated(noon.Add(DefaultSkew + time.Second)), status: 403, code: CodeIdentityStale},
	{name: "no Date", make: changed(func(v *invite) { v.date = "" }), status: 403, code: CodeIdentityStale},
	{name: "Date is none", make: changed(func(v *invite) { v.date = "yesterday" }), status: 403, code: CodeIdentityStale},
	{name: "iat old", make: issuedAt(noon.Add(-62 * time.Second)), status: 403, code: CodeIdentityStale},
	{name: "iat ahead", make: issuedAt(noon.Add(DefaultSkew + time.Second)), status: 403, code: CodeIdentityStale},
	{name: "compact, Date ignored and old", make: func(b *bench) *invite {
		k := b.plain()
		k.replace(&k.claims, fmt.Sprint(noon.Unix()), fmt.Sprint(noon.Unix()-100))
		k.compact = true
		v := newInvite(k)
		v.date = noon.Add(-100 * time.Second).Format(http.TimeFormat)
		return v
	}, config: func(c *IdentityConfig) { c.IgnoreDate = true }, status: 403, code: CodeIdentityStale},

	// 428 Use Identity Header, 433 Anonymity Disallowed
	{name: "none, and required", make: func(*bench) *invite { return newInvite() }, config: required, status: 428, code: CodeIdentityMissing},
	{name: "an rcd alone, and required", make: param("ppt=shaken", "ppt=rcd"), config: required, status: 428, code: CodeIdentityMissing},
	{name: "anonymous, and required", make: changed(func(v *invite) { v.from = "<sip:anonymous@anonymous.invalid>;tag=1" }), config: required, status: 433, code: CodeIdentityAnonymous},

	// 436 Bad Identity Info
	{name: "http", make: located(func(_ *bench, u string) string { return "http" + strings.TrimPrefix(u, "https") }), status: 436, code: CodeIdentityFetch},
	{name: "another port", make: located(func(*bench, string) string { return "https://127.0.0.1:22/a.pem" }), status: 436, code: CodeIdentityFetch},
	{name: "user in the URL", make: located(func(_ *bench, u string) string { return strings.Replace(u, "https://", "https://a:b@", 1) }), status: 436, code: CodeIdentityFetch},
	{name: "query in the URL", make: located(func(_ *bench, u string) string { return u + "?a=b" }), status: 436, code: CodeIdentityFetch},
	{name: "fragment in the URL", make: located(func(_ *bench, u string) string { return u + "#a" }), status: 436, code: CodeIdentityFetch},
	{name: "private address", make: located(func(*bench, string) string { return "https://10.0.0.1/a.pem" }), status: 436, code: CodeIdentityFetch},
	{name: "loopback address", make: located(func(b *bench, _ string) string { return fmt.Sprintf("https://127.0.0.2:%d/a.pem", b.server.Port()) }), status: 436, code: CodeIdentityFetch},
	{name: "redirect to a private address", make: served(func(*bench) http.HandlerFunc {
		return http.RedirectHandler("https://169.254.169.254/latest", http.StatusFound).ServeHTTP
	}), status: 436, code: CodeIdentityFetch},
	{name: "redirect to http", make: served(func(b *bench) http.HandlerFunc {
		return http.RedirectHandler("http"+strings.TrimPrefix(b.url, "https"), http.StatusMovedPermanently).ServeHTTP
	}), status: 436, code: CodeIdentityFetch},
	{name: "redirect to itself", make: served(func(*bench) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
		}
	}), status: 436, code: CodeIdentityFetch},
	{name: "404", make: served(func(*bench) http.HandlerFunc { return http.NotFound }), status: 436, code: CodeIdentityFetch},
	{name: "certificate of 10 MB", make: served(func(*bench) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for range 10 << 4 {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}
	}), status: 436, code: CodeIdentityFetch},
	{name: "slow server", make: served(func(*bench) http.HandlerFunc {
		return func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	}), config: func(c *IdentityConfig) { c.FetchTimeout = 20 * time.Millisecond }, status: 436, code: CodeIdentityFetch},

	// 437 Unsupported Credential
	{name: "another root", make: func(b *bench) *invite {
		h := verifytest.NewRoot(b.t, "Root of others", noon).Issue(b.t, spc("709J"))
		return newInvite(b.shaken().by(h, b.put(h.Chain)))
	}, status: 437, code: CodeIdentityCertificate},
	{name: "CA missing", make: func(b *bench) *invite {
		h := b.ca.Issue(b.t, spc("1"))
		return newInvite(b.shaken().by(h, b.put(verifytest.PEM(h.Cert))))
	}, status: 437, code: CodeIdentityCertificate},
	{name: "certificate of the web", make: func(b *bench) *invite {
		return newInvite(b.shaken().both(b.put(verifytest.PEM(b.server.Certificate()))))
	}, status: 437, code: CodeIdentityCertificate},
	{name: "no certificate", make: func(b *bench) *invite { return newInvite(b.shaken().both(b.put([]byte("<html>")))) }, status: 437, code: CodeIdentityCertificate},
	{name: "expired", make: certified(spc("1"), func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Second) }), status: 437, code: CodeIdentityCertificate},
	{name: "not valid yet", make: certified(spc("1"), func(c *x509.Certificate) { c.NotBefore = noon.Add(time.Hour) }), status: 437, code: CodeIdentityCertificate},
	{name: "no TNAuthList", make: certified(nil), status: 437, code: CodeIdentityCertificate},
	{name: "TNAuthList that is none", make: certified(nil, extension(oidTNAuthList, false, []byte{0x16, 1, 'x'})), status: 437, code: CodeIdentityCertificate},
	{name: "TNAuthList without entries", make: certified(nil, extension(oidTNAuthList, false, []byte{0x30, 0})), status: 437, code: CodeIdentityCertificate},
	{name: "number of others", make: certified(one(verifytest.TN("12155551211"))), status: 437, code: CodeIdentityCertificate},
	{name: "before a range", make: certified(one(verifytest.Range("12155551213", 10))), status: 437, code: CodeIdentityCertificate},
	{name: "after a range", make: certified(one(verifytest.Range("12155551202", 10))), status: 437, code: CodeIdentityCertificate},
	{name: "range of fewer digits", make: certified(one(verifytest.Range("1215555121", 100))), status: 437, code: CodeIdentityCertificate},
	{name: "outside of the list of the CA", make: below(one(verifytest.TN("12155551211")), one(verifytest.TN(caller1))), status: 437, code: CodeIdentityCertificate},
	{name: "code that the CA has not", make: below(spc("709J"), spc("1")), status: 437, code: CodeIdentityCertificate},
	{name: "code below numbers", make: below(one(verifytest.TN(caller1)), spc("1")), status: 437, code: CodeIdentityCertificate},
	{name: "key on P-384", make: certified(spc("1"), func(c *x509.Certificate) { c.PublicKey = curve(elliptic.P384()) }), status: 437, code: CodeIdentityCertificate},
	{name: "RSA key", make: certified(spc("1"), func(c *x509.Certificate) {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		c.PublicKey = key.Public()
	}), status: 437, code: CodeIdentityCertificate},
	{name: "certificate of a CA", make: certified(spc("1"), func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }), status: 437, code: CodeIdentityCertificate},
	{name: "key for other uses", make: certified(spc("1"), func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyAgreement }), status: 437, code: CodeIdentityCertificate},
	{name: "unknown critical extension", make: certified(spc("1"), extension(asn1.ObjectIdentifier{1, 2, 3, 4}, true, []byte{5, 0})), status: 437, code: CodeIdentityCertificate},
	{name: "claim constraints", make: certified(spc("1"), extension(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 27}, false, []byte{0x30, 0})), status: 437, code: CodeIdentityCertificate},
	{name: "ES384", make: header("ES256", "ES384"), status: 437, code: CodeIdentityCertificate},
	{name: "RS256 beside it", make: param("ES256", "RS256"), status: 437, code: CodeIdentityCertificate},

	// 438 Invalid Identity Header: what is no PASSporT
	{name: "alg none", make: header("ES256", "none"), status: 438, code: CodeIdentityMalformed},
	{name: "no alg", make: header(`"alg":"ES256",`, ``), status: 438, code: CodeIdentityMalformed},
	{name: "typ JWT", make: header(`"passport"`, `"JWT"`), status: 438, code: CodeIdentityMalformed},
	{name: "critical parameter", make: header(`{"alg"`, `{"crit":["x"],"alg"`), status: 438, code: CodeIdentityMalformed},
	{name: "alg twice", make: header(`{"alg"`, `{"alg":"none","alg"`), status: 438, code: CodeIdentityMalformed},
	{name: "orig twice", make: claim(`"origid"`, `"orig":{"tn":"1"},"origid"`), status: 438, code: CodeIdentityMalformed},
	{name: "tn twice", make: claim(`"orig":{`, `"orig":{"\u0074n":"1",`), status: 438, code: CodeIdentityMalformed},
	{name: "claims are no JSON", make: claim(`{"attest"`, `{attest`), status: 438, code: CodeIdentityMalformed},
	{name: "claims go on", make: claim(`"origid":"`+origID+`"}`, `"origid":"`+origID+`"}{}`), status: 438, code: CodeIdentityMalformed},
	{name: "claims are an array", make: bent(func(_ *bench, k *tok) { k.claims = "[" + k.claims + "]" }), status: 438, code: CodeIdentityMalformed},
	{name: "claims not UTF-8", make: claim(`"attest":"A"`, "\"attest\":\"A\",\"x\":\"\xff\""), status: 438, code: CodeIdentityMalformed},
	{name: "nested too deep", make: claim(`"attest":"A"`, `"attest":"A","x":`+strings.Repeat("[", 20)+strings.Repeat("]", 20)), status: 438, code: CodeIdentityMalformed},
	{name: "iat a string", make: claim(fmt.Sprint(noon.Unix()), fmt.Sprintf(`"%d"`, noon.Unix())), status: 438, code: CodeIdentityMalformed},
	{name: "iat with a fraction", make: claim(fmt.Sprint(noon.Unix()), fmt.Sprintf("%d.5", noon.Unix())), status: 438, code: CodeIdentityMalformed},
	{name: "no iat", make: claim(fmt.Sprintf(`"iat":%d,`, noon.Unix()), ""), status: 438, code: CodeIdentityMalformed},
	{name: "attest D", make: claim(`"A"`, `"D"`), status: 438, code: CodeIdentityMalformed},
	{name: "no attest", make: claim(`"attest":"A",`, ``), status: 438, code: CodeIdentityMalformed},
	{name: "origid no UUID", make: claim(origID, "ref"), status: 438, code: CodeIdentityMalformed},
	{name: "orig a string", make: claim(`{"tn":"`+caller1+`"}`, `"{\"tn\":\"`+caller1+`\"}"`), status: 438, code: CodeIdentityMalformed},
	{name: "orig tn and uri", make: claim(`"orig":{`, `"orig":{"uri":"sip:a@b",`), status: 438, code: CodeIdentityMalformed},
	{name: "orig uri with a line break", make: claim(`{"tn":"`+caller1+`"}`, `{"uri":"sip:a\n@b"}`), status: 438, code: CodeIdentityMalformed},
	{name: "orig tn with plus", make: claim(caller1, "+"+caller1), status: 438, code: CodeIdentityMalformed},
	{name: "no dest", make: claim(`["`+callee1+`"]`, "[]"), status: 438, code: CodeIdentityMalformed},
	{name: "dest no array", make: claim(`["`+callee1+`"]`, `"`+callee1+`"`), status: 438, code: CodeIdentityMalformed},
	{name: "x5u is not info", make: bent(func(b *bench, k *tok) { k.at(b.put(b.sp.Chain)) }), status: 438, code: CodeIdentityMalformed},
	{name: "no info", make: bent(func(_ *bench, k *tok) { k.params = ";alg=ES256;ppt=shaken" }), status: 438, code: CodeIdentityMalformed},
	{name: "info without brackets", make: bent(func(b *bench, k *tok) { k.params = ";info=" + b.url }), status: 438, code: CodeIdentityMalformed},
	{name: "info twice", make: bent(func(b *bench, k *tok) { k.params += ";info=<" + b.url + ">" }), status: 438, code: CodeIdentityMalformed},
	{name: "ppt not that of the PASSporT", make: header(`"shaken"`, `"div"`), status: 438, code: CodeIdentityMalformed},
	{name: "compact shaken", make: bent(func(_ *bench, k *tok) { k.compact = true }), status: 438, code: CodeIdentityMalformed},
	{name: "two parts", make: changed(func(v *invite) { v.identities[0] = strings.Replace(v.identities[0], ".", "", 1) }), status: 438, code: CodeIdentityMalformed},
	{name: "not base64url", make: changed(func(v *invite) { v.identities[0] = strings.Replace(v.identities[0], ".", "+.", 1) }), status: 438, code: CodeIdentityMalformed},
	{name: "padded", make: changed(func(v *invite) { v.identities[0] = strings.Replace(v.identities[0], ";", "==;", 1) }), status: 438, code: CodeIdentityMalformed},
	{name: "too long", make: claim(`"attest":"A"`, `"attest":"A","x":"`+strings.Repeat("x", maxToken)+`"`), status: 438, code: CodeIdentityMalformed},

	// 438: what is not signed
	{name: "claims changed", make: bent(func(_ *bench, k *tok) { k.value(); k.replace(&k.claims, `"A"`, `"B"`) }), status: 438, code: CodeIdentitySignature},
	{name: "63 bytes", make: signature(func(s []byte) []byte { return s[:63] }), status: 438, code: CodeIdentitySignature},
	{name: "65 bytes", make: signature(func(s []byte) []byte { return append(s, 0) }), status: 438, code: CodeIdentitySignature},
	{name: "r and s swapped", make: signature(func(s []byte) []byte { return append(append([]byte(nil), s[32:]...), s[:32]...) }), status: 438, code: CodeIdentitySignature},
	{name: "all zero", make: signature(func([]byte) []byte { return make([]byte, 64) }), status: 438, code: CodeIdentitySignature},
	{name: "ASN.1", make: signature(func(s []byte) []byte {
		b, err := asn1.Marshal([]*big.Int{new(big.Int).SetBytes(s[:32]), new(big.Int).SetBytes(s[32:])})
		if err != nil {
			panic(err)
		}
		return b
	}), status: 438, code: CodeIdentitySignature},
	{name: "key of others", make: bent(func(b *bench, k *tok) { h, _ := b.issue(spc("1")); k.key = h.Key }), status: 438, code: CodeIdentitySignature},
	{name: "compact, of another call", make: func(b *bench) *invite {
		k := b.plain()
		k.compact = true
		v := newInvite(k)
		v.to = "<sip:+" + callee2 + "@example.net>"
		return v
	}, status: 438, code: CodeIdentitySignature},

	// 438: what is signed of another call
	{name: "another caller", make: changed(func(v *invite) { v.from = "<sip:+12155551299@example.com>;tag=1" }), status: 438, code: CodeIdentityMismatch},
	{name: "caller in the national format", make: changed(func(v *invite) { v.from = "<sip:2155551212@example.com>;tag=1" }), status: 438, code: CodeIdentityMismatch},
	{name: "caller in the international format of a PBX", make: changed(func(v *invite) { v.from = "<sip:01112155551212@example.com>;tag=1" }), status: 438, code: CodeIdentityMismatch},
	{name: "orig in the national format", make: claim(caller1, "2155551212"), status: 438, code: CodeIdentityMismatch},
	{name: "caller no number", make: changed(func(v *invite) { v.from = "<sip:alice@example.com>;tag=1" }), status: 438, code: CodeIdentityMismatch},
	{name: "asserted by somebody", make: changed(func(v *invite) {
		v.from = "<sip:+12155551299@example.com>;tag=1"
		v.more = []sip.Header{{Name: "P-Asserted-Identity", Value: "<tel:+" + caller1 + ">"}}
	}), status: 438, code: CodeIdentityMismatch},
	{name: "another one asserted by a trusted trunk", make: changed(func(v *invite) {
		v.trusted, v.more = true, []sip.Header{{Name: "P-Asserted-Identity", Value: "<tel:+12155551299>"}}
	}), status: 438, code: CodeIdentityMismatch},
	{name: "another destination", make: changed(func(v *invite) { v.to = "<sip:+" + callee2 + "@example.net>" }), status: 438, code: CodeIdentityMismatch},
	{name: "destination in the national format", make: changed(func(v *invite) { v.to = "<sip:2155551213@example.net>" }), status: 438, code: CodeIdentityMismatch},
	{name: "two bad ones: that which got farther", make: func(b *bench) *invite {
		bad := b.shaken()
		bad.replace(&bad.header, "ES256", "none")
		v := newInvite(bad, b.shaken())
		v.from = "<sip:+12155551299@example.com>;tag=1"
		return v
	}, status: 438, code: CodeIdentityMismatch},
}

func curve(c elliptic.Curve) *ecdsa.PublicKey {
	key, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		panic(err)
	}
	return &key.PublicKey
}

// otherS is the other s that fits r.
func otherS(sig []byte) []byte {
	s := new(big.Int).SetBytes(sig[32:])
	return append(sig[:32:32], s.Sub(elliptic.P256().Params().N, s).FillBytes(make([]byte, 32))...)
}

var phrases = map[int]string{
	403: "Stale Date", 428: "Use Identity Header", 436: "Bad Identity Info", 437: "Unsupported Credential", 438: "Invalid Identity Header",
}

// TestPassportMatrix is the table above: result, code, status and Reason of each.
func TestPassportMatrix(t *testing.T) {
	if len(passportCases) < 40 {
		t.Errorf("%d cases", len(passportCases))
	}
	b := newBench(t)
	for _, tc := range passportCases {
		t.Run(tc.name, func(t *testing.T) {
			i := b.identity(func(c *IdentityConfig) {
				if tc.config != nil {
					tc.config(c)
				}
			})
			v := tc.make(b)
			got := check(t, i, v.caller(t))
			if len(got.Checks) != 1 {
				t.Fatalf("checks %+v", got.Checks)
			}
			want := Check{Name: "identity", Result: CheckFail, Code: tc.code, Status: tc.status}
			verstat := VerstatFailed
			switch {
			case tc.code == "":
				want.Result, verstat = CheckPass, VerstatPassed
			case tc.code == skip:
				want.Result, want.Code, verstat = CheckSkip, "", VerstatNone
			case tc.status == 428 || tc.status == 433:
				verstat = VerstatNone
			}
			if p := phrases[tc.status]; p != "" {
				want.Reason = fmt.Sprintf("STIR;cause=%d;text=\"%s\"", tc.status, p)
			}
			have := got.Checks[0]
			if reason, ppi, ok := strings.Cut(have.Reason, `;ppi="..`); ok {
				if !strings.Contains(strings.Join(v.identities, " "), strings.TrimSuffix(ppi, `"`)) || len(v.identities) == 1 {
					t.Errorf("ppi %q", ppi)
				}
				have.Reason = reason
			}
			want.Evidence = have.Evidence
			if have != want || have.Evidence == "" || got.Verstat != verstat || got.Attest != tc.attest || (got.OrigID != "") != (tc.attest != "") {
				t.Errorf("got  %+v, %s, attest %q\nwant %+v, %s, attest %q", have, got.Verstat, got.Attest, want, verstat, tc.attest)
			}
			t.Log(have.Evidence)
		})
	}
}

// TestMatrixSecondOpinion asks golang-jwt about every signature of the matrix: both must say the same of the key that was meant to have
// signed.
func TestMatrixSecondOpinion(t *testing.T) {
	b := newBench(t)
	good, bad := 0, 0
	for _, tc := range passportCases {
		for _, id := range tc.make(b).identities {
			token, _, _ := strings.Cut(id, ";")
			parts := strings.Split(strings.TrimSpace(token), ".")
			if len(parts) != 3 || parts[0] == "" {
				continue
			}
			text := parts[0] + "." + parts[1]
			sig, err := unbase64(parts[2])
			ours := err == nil && len(sig) == 64 && verifyES256(&b.sp.Key.PublicKey, text, sig)
			theirs := err == nil && jwt.SigningMethodES256.Verify(text, sig, &b.sp.Key.PublicKey) == nil
			if ours != theirs {
				t.Errorf("%s: we say %v, golang-jwt %v", tc.name, ours, theirs)
			}
			if ours {
				good++
			} else {
				bad++
			}
		}
	}
	if good < 40 || bad < 10 {
		t.Errorf("%d good and %d bad signatures: the matrix has lost its point", good, bad)
	}
	// The primitive itself, with what golang-jwt signs.
	text := "a.b"
	sig, err := jwt.SigningMethodES256.Sign(text, b.sp.Key)
	if err != nil || !verifyES256(&b.sp.Key.PublicKey, text, sig) {
		t.Errorf("golang-jwt's signature does not hold: %v", err)
	}
	sum := sha256.Sum256([]byte(text))
	if der, err := ecdsa.SignASN1(rand.Reader, b.sp.Key, sum[:]); err != nil || len(der) == 64 && verifyES256(&b.sp.Key.PublicKey, text, der) {
		t.Errorf("ASN.1 is taken: %v", err)
	}
}
