package verify

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/callbin/callbin/sip/verify/verifytest"
)

func newSigner(t testing.TB, b *bench) *Signer {
	t.Helper()
	s, err := NewSigner(SignerConfig{Key: b.sp.KeyPEM, URL: b.url, OrigID: origID})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func outgoing1() Passport {
	return Passport{Type: Shaken, Attest: AttestFull, IssuedAt: noon, Orig: Party{TN: caller1}, Dest: []Party{{TN: callee1}}}
}

// TestSignedIsCanonical: what is signed is octet for octet the canonical form of RFC 8225 9, in which "&" stays.
func TestSignedIsCanonical(t *testing.T) {
	b := newBench(t)
	b.url = "https://example.com/a&b/c.pem"
	s := newSigner(t, b)
	for _, tc := range []struct {
		p              Passport
		header, claims string
	}{
		{outgoing1(), `{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"https://example.com/a&b/c.pem"}`,
			fmt.Sprintf(`{"attest":"A","dest":{"tn":["12155551213"]},"iat":%d,"orig":{"tn":"12155551212"},"origid":"%s"}`, noon.Unix(), origID)},
		{Passport{Type: Div, IssuedAt: noon, Orig: Party{TN: caller1}, Dest: []Party{{URI: "sip:b&c@example.com"}, {TN: callee2}}, Div: Party{TN: callee1}},
			`{"alg":"ES256","ppt":"div","typ":"passport","x5u":"https://example.com/a&b/c.pem"}`,
			fmt.Sprintf(`{"dest":{"tn":["4930901820"],"uri":["sip:b&c@example.com"]},"div":{"tn":"12155551213"},"iat":%d,"orig":{"tn":"12155551212"}}`, noon.Unix())},
		{Passport{IssuedAt: noon, Orig: Party{URI: "sip:a@example.com"}, Dest: []Party{{TN: callee1}}}, `{"alg":"ES256","typ":"passport","x5u":"https://example.com/a&b/c.pem"}`,
			fmt.Sprintf(`{"dest":{"tn":["12155551213"]},"iat":%d,"orig":{"uri":"sip:a@example.com"}}`, noon.Unix())},
	} {
		value, err := s.Sign(tc.p)
		if err != nil {
			t.Fatal(err)
		}
		token, params, _ := strings.Cut(value, ";")
		parts := strings.Split(token, ".")
		header, _ := unbase64(parts[0])
		claims, _ := unbase64(parts[1])
		sig, _ := unbase64(parts[2])
		if string(header) != tc.header || string(claims) != tc.claims || len(sig) != 64 {
			t.Errorf("header %s\nclaims %s\n%d bytes of signature", header, claims, len(sig))
		}
		want := "info=<" + b.url + ">;alg=ES256"
		if tc.p.Type != "" {
			want += ";ppt=" + tc.p.Type
		}
		if params != want {
			t.Errorf("parameters %s", params)
		}
	}
}

// TestSecondOpinion: golang-jwt verifies what we sign, and we believe what it signs.
func TestSecondOpinion(t *testing.T) {
	b := newBench(t)
	value, err := newSigner(t, b).Sign(outgoing1())
	if err != nil {
		t.Fatal(err)
	}
	ours, params, _ := strings.Cut(value, ";")
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"ES256"}), jwt.WithoutClaimsValidation())
	token, err := parser.Parse(ours, func(*jwt.Token) (any, error) { return &b.sp.Key.PublicKey, nil })
	if err != nil || token.Header["ppt"] != "shaken" || token.Claims.(jwt.MapClaims)["attest"] != "A" {
		t.Errorf("golang-jwt on ours: %v, %+v", err, token)
	}
	theirs := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
		"attest": "B", "dest": map[string]any{"tn": []string{callee1}}, "iat": noon.Unix(), "orig": map[string]any{"tn": caller1}, "origid": origID,
	})
	theirs.Header["ppt"], theirs.Header["typ"], theirs.Header["x5u"] = "shaken", "passport", b.url
	text, err := theirs.SignedString(b.sp.Key)
	if err != nil {
		t.Fatal(err)
	}
	for want, id := range map[string]string{"A": value, "B": text + ";" + params} {
		v := newInvite()
		v.identities = []string{id}
		if got := check(t, b.identity(), v.caller(t)); got.Attest != want {
			t.Errorf("want %s: %+v", want, got)
		}
	}
}

func TestSignRefuses(t *testing.T) {
	b := newBench(t)
	s := newSigner(t, b)
	for name, edit := range map[string]func(*Passport){
		"orig: neither": func(p *Passport) { p.Orig = Party{} },
		"orig: tn":      func(p *Passport) { p.Orig.TN = "+" + caller1 },
		"dest: 0":       func(p *Passport) { p.Dest = nil },
		"attest":        func(p *Passport) { p.Attest = "" },
		"origid":        func(p *Passport) { p.OrigID = "x" },
		"rcd":           func(p *Passport) { p.Type = "rcd" },
		"div":           func(p *Passport) { p.Type = Div },
	} {
		p := outgoing1()
		edit(&p)
		if v, err := s.Sign(p); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %q, %v", name, v, err)
		}
	}
}

func TestNewSigner(t *testing.T) {
	b := newBench(t)
	good := SignerConfig{Key: b.sp.KeyPEM, URL: "https://example.com/sp.pem", Certificate: b.sp.Chain}
	sec1, err := x509.MarshalECPrivateKey(b.sp.Key)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	block := func(typ string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der}) }
	other := b.ca.Issue(t, spc("1"))
	for name, tc := range map[string]struct {
		edit func(*SignerConfig)
		want string // "": it is good
	}{
		"PKCS 8": {func(*SignerConfig) {}, ""},
		"SEC 1 with parameters": {func(c *SignerConfig) {
			c.Key = append(block("EC PARAMETERS", []byte{6}), block("EC PRIVATE KEY", sec1)...)
		}, ""},
		"no certificate":      {func(c *SignerConfig) { c.Certificate = nil }, ""},
		"no key":              {func(c *SignerConfig) { c.Key = nil }, "no PEM block"},
		"broken key":          {func(c *SignerConfig) { c.Key = block("PRIVATE KEY", sec1) }, "cannot be read"},
		"RSA":                 {func(c *SignerConfig) { c.Key = block("PRIVATE KEY", pkcs8(t, rsaKey)) }, "P-256"},
		"http":                {func(c *SignerConfig) { c.URL = "http://example.com/sp.pem" }, "not https"},
		"query":               {func(c *SignerConfig) { c.URL += "?x" }, "query"},
		"bracket":             {func(c *SignerConfig) { c.URL += ">" }, "no URL"},
		"origid":              {func(c *SignerConfig) { c.OrigID = "1" }, "no UUID"},
		"another certificate": {func(c *SignerConfig) { c.Certificate = other.Chain }, "not that of the key"},
		"no TNAuthList":       {func(c *SignerConfig) { c.Certificate, c.Key = bare(t, b) }, "no TNAuthList"},
		"expired": {func(c *SignerConfig) {
			h := verifytest.NewRoot(t, "old", noon.AddDate(-20, 0, 0)).Issue(t, spc("1"))
			c.Certificate, c.Key = h.Chain, h.KeyPEM
		}, "expired"},
	} {
		cfg := good
		tc.edit(&cfg)
		s, err := NewSigner(cfg)
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: %v", name, err)
		}
		if tc.want == "" && (s.URL() != cfg.URL || s.Expires().IsZero() != (cfg.Certificate == nil)) {
			t.Errorf("%s: %s, %s", name, s.URL(), s.Expires())
		}
	}
}

func bare(t *testing.T, b *bench) (chain, key []byte) {
	h := b.ca.Issue(t, nil)
	return h.Chain, h.KeyPEM
}

func pkcs8(t *testing.T, key any) []byte {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// TestKeyIsNotShown, however a signer is printed, logged or encoded.
func TestKeyIsNotShown(t *testing.T) {
	b := newBench(t)
	s := newSigner(t, b)
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "signer", s)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "signer", s)
	encoded, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	text := log.String() + string(encoded)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
		text += fmt.Sprintf(verb, s) + fmt.Sprintf(verb, *s)
	}
	raw, err := b.sp.Key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	d := new(big.Int).SetBytes(raw)
	for _, secret := range []string{d.String(), d.Text(16), d.String()[10:30], "0x", "ecdsa"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q stands in %s", secret, text)
		}
	}
	if strings.Count(text, b.url) < 5 {
		t.Errorf("it tells nothing: %s", text)
	}
	if _, err := NewSigner(SignerConfig{Key: b.sp.KeyPEM[:len(b.sp.KeyPEM)/2], URL: b.url}); err == nil || strings.Contains(err.Error(), string(b.sp.KeyPEM[40:60])) {
		t.Errorf("%v", err)
	}
}

func BenchmarkSign(b *testing.B) {
	s := newSigner(b, newBench(b))
	p := outgoing1()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Sign(p); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkIdentity is the whole check of a call, its certificate in the library; each has a PASSporT of its own.
func BenchmarkIdentity(b *testing.B) {
	h := newBench(b)
	i := h.identity()
	var callers [256]*Caller
	for n := range callers {
		callers[n] = newInvite(h.shaken()).caller(b)
	}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		if n%len(callers) == 0 {
			i.seen = seen{keep: i.seen.keep}
		}
		var v Verdict
		i.Check(b.Context(), callers[n%len(callers)], &v)
		if v.Verstat != VerstatPassed {
			b.Fatalf("%+v", v)
		}
		n++
	}
}

// BenchmarkNoIdentity is that of a call without one.
func BenchmarkNoIdentity(b *testing.B) {
	i := newBench(b).identity()
	c := newInvite().caller(b)
	b.ReportAllocs()
	for b.Loop() {
		var v Verdict
		i.Check(b.Context(), c, &v)
	}
}
