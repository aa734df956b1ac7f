package verify

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/callbin/callbin/sip/verify/verifytest"
)

// TestReplay: a PASSporT is good for one call, and for that one as often as it is tried.
func TestReplay(t *testing.T) {
	b := newBench(t)
	i := b.identity()
	k := b.shaken()
	first := newInvite(k).caller(t)
	if v := check(t, i, first); v.Verstat != VerstatPassed {
		t.Fatalf("%+v", v)
	}
	again := newInvite(k)
	v := check(t, i, again.caller(t))
	if c := v.Checks[0]; c.Code != CodeIdentityReplayed || c.Status != 438 || v.Verstat != VerstatFailed || v.Attest != "" {
		t.Errorf("with another call: %+v", v)
	}
	// With the other s it is the same signature.
	k.sig = otherS(k.sig)
	if v := check(t, i, newInvite(k).caller(t)); v.Checks[0].Code != CodeIdentityReplayed {
		t.Errorf("with the other s: %+v", v)
	}
	// The same call comes back with a password.
	retry := *first
	req := *first.Request
	req.CSeq++
	retry.Request = &req
	if v := check(t, i, &retry); v.Verstat != VerstatPassed {
		t.Errorf("the call itself: %+v", v)
	}
	if v := check(t, i, &retry); v.Checks[0].Code != CodeIdentityReplayed {
		t.Errorf("the call itself, copied: %+v", v)
	}
	// Two calls in the same second have two signatures.
	if v := check(t, i, newInvite(b.shaken()).caller(t)); v.Verstat != VerstatPassed {
		t.Errorf("another call: %+v", v)
	}
	// A div that comes again is no better.
	diverted := func() *invite {
		v := newInvite(b.shaken(), b.div(callee1, callee2))
		v.to = "<sip:+" + callee2 + "@example.net>"
		return v
	}()
	if v := check(t, i, diverted.caller(t)); v.Div != callee1 {
		t.Errorf("diverted: %+v", v)
	}
	if v := check(t, i, diverted.caller(t)); v.Div != "" || v.Checks[0].Code != CodeIdentityReplayed || v.Checks[1].Code != CodeIdentityReplayed {
		t.Errorf("diverted, again: %+v", v)
	}
	// What does not hold is not remembered.
	stranger := newInvite(b.shaken())
	stranger.from = "<sip:+1999@example.com>;tag=1"
	check(t, i, stranger.caller(t))
	stranger.from = newInvite().from
	if v := check(t, i, stranger.caller(t)); v.Verstat != VerstatPassed {
		t.Errorf("the right caller after a wrong one: %+v", v)
	}
}

func TestSeenIsBounded(t *testing.T) {
	s := seen{keep: time.Minute}
	req := newInvite().caller(t).Request
	var key [32]byte
	for n := range maxSeen * 2 {
		key[0], key[1], key[2] = byte(n), byte(n>>8), byte(n>>16)
		if s.again(key, req, noon) {
			t.Fatal("a new one is taken for an old one")
		}
	}
	if len(s.now)+len(s.old) > maxSeen {
		t.Errorf("%d are remembered", len(s.now)+len(s.old))
	}
	if !s.again(key, req, noon.Add(time.Minute)) {
		t.Error("the last one is forgotten within its time")
	}
	if s.again([32]byte{1}, req, noon.Add(2*time.Minute)); s.again([32]byte{2}, req, noon.Add(4*time.Minute)) || len(s.now)+len(s.old) > 2 {
		t.Errorf("%d are remembered beyond their time", len(s.now)+len(s.old))
	}
}

// TestCertificateIsFetchedOnce: many calls, one fetch; again when what the server has said is over.
func TestCertificateIsFetchedOnce(t *testing.T) {
	b := newBench(t)
	i := b.identity()
	slow := make(chan struct{})
	path := "/slow.pem"
	url := b.server.Handle(path, func(w http.ResponseWriter, _ *http.Request) {
		<-slow
		w.Header().Set("Cache-Control", "public, max-age=600")
		_, _ = w.Write(b.sp.Chain)
	})
	var wg sync.WaitGroup
	for range 50 {
		c := newInvite(b.shaken().both(url)).caller(t)
		wg.Go(func() {
			if v := check(t, i, c); v.Verstat != VerstatPassed {
				t.Errorf("%+v", v)
			}
		})
	}
	close(slow)
	wg.Wait()
	later := func(d time.Duration) *Caller {
		k := b.shaken().both(url)
		k.replace(&k.claims, "1795608000", big.NewInt(noon.Add(d).Unix()).String())
		v := newInvite(k)
		v.now, v.date = noon.Add(d), noon.Add(d).Format(http.TimeFormat)
		return v.caller(t)
	}
	check(t, i, later(599*time.Second))
	if n := b.server.Hits(path); n != 1 {
		t.Errorf("fetched %d times", n)
	}
	check(t, i, later(601*time.Second))
	if n := b.server.Hits(path); n != 2 {
		t.Errorf("fetched %d times after ten minutes", n)
	}
}

// TestWhoGivesUpHarmsNobody: a caller who hangs up while the certificate is fetched is not a reason for others to fail.
func TestWhoGivesUpHarmsNobody(t *testing.T) {
	b := newBench(t)
	i := b.identity()
	asked, answer := make(chan struct{}, 2), make(chan struct{})
	url := b.handle(func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		select {
		case <-answer:
			_, _ = w.Write(b.sp.Chain)
		case <-r.Context().Done():
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	first, second := newInvite(b.shaken().both(url)).caller(t), newInvite(b.shaken().both(url)).caller(t)
	var wg sync.WaitGroup
	wg.Go(func() {
		var v Verdict
		if i.Check(ctx, first, &v); v.Checks[0].Code != CodeIdentityFetch {
			t.Errorf("who has given up: %+v", v)
		}
	})
	<-asked
	wg.Go(func() {
		if v := check(t, i, second); v.Verstat != VerstatPassed {
			t.Errorf("who waited: %+v", v)
		}
	})
	cancel()
	<-asked // by the second one
	close(answer)
	wg.Wait()
}

// TestFailureIsRemembered for half a minute, so that a flood of calls is no flood of fetches; the library stays small.
func TestFailureIsRemembered(t *testing.T) {
	b := newBench(t)
	i := b.identity()
	url := b.handle(http.NotFound)
	path := url[len(b.server.URL):]
	at := func(now time.Time) *failure {
		_, f := i.books.credential(t.Context(), url, now, noon)
		return f
	}
	for range 10 {
		if f := at(noon); f == nil || f.code != CodeIdentityFetch {
			t.Errorf("%+v", f)
		}
	}
	if n := b.server.Hits(path); n != 1 {
		t.Errorf("asked %d times", n)
	}
	if at(noon.Add(failFresh + time.Second)); b.server.Hits(path) != 2 {
		t.Errorf("asked %d times after half a minute", b.server.Hits(path))
	}
	for n := range maxCached + 50 {
		i.books.mu.Lock()
		done := make(chan struct{})
		close(done)
		i.books.put(big.NewInt(int64(n)).String(), &book{done: done, expires: noon.Add(time.Hour)}, noon)
		i.books.mu.Unlock()
	}
	if n := len(i.books.books); n > maxCached {
		t.Errorf("%d are kept", n)
	}
}

func TestLifetime(t *testing.T) {
	for _, tc := range []struct {
		header []string
		want   time.Duration
	}{
		{nil, unsaid},
		{[]string{"Cache-Control", "max-age=60"}, time.Minute},
		{[]string{"Cache-Control", `public,  Max-Age="120"`, "Age", "20"}, 100 * time.Second},
		{[]string{"Cache-Control", "max-age=10", "Age", "20"}, 0},
		{[]string{"Cache-Control", "max-age=60, no-store"}, time.Minute},
		{[]string{"Cache-Control", "no-cache"}, 0},
		{[]string{"Cache-Control", "max-age=x"}, 0},
		{[]string{"Expires", "Wed, 25 Nov 2026 13:00:00 GMT", "Date", "Wed, 25 Nov 2026 12:00:00 GMT"}, time.Hour},
		{[]string{"Expires", "0", "Date", "Wed, 25 Nov 2026 12:00:00 GMT"}, 0},
		{[]string{"Cache-Control", "max-age=60", "Expires", "0"}, time.Minute},
	} {
		h := http.Header{}
		for n := 0; n < len(tc.header); n += 2 {
			h.Set(tc.header[n], tc.header[n+1])
		}
		if got := lifetime(h); got != tc.want {
			t.Errorf("%v: %v, want %v", tc.header, got, tc.want)
		}
	}
}

// TestRevoked: by the CA, and by a list of an anchor for the certificates of others (RFC 5280 5.3.3).
func TestRevoked(t *testing.T) {
	b := newBench(t)
	with := func(lists ...*x509.RevocationList) Check {
		i := b.identity(func(c *IdentityConfig) { c.CRLs = lists })
		return check(t, i, newInvite(b.shaken()).caller(t)).Checks[0]
	}
	serial := func(c *x509.Certificate, x ...pkix.Extension) x509.RevocationListEntry {
		return x509.RevocationListEntry{SerialNumber: c.SerialNumber, ExtraExtensions: x}
	}
	dir, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: b.ca.Cert.RawSubject})
	if err != nil {
		t.Fatal(err)
	}
	names, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: dir})
	if err != nil {
		t.Fatal(err)
	}
	other, _ := b.issue(spc("1"))
	indirect := b.root.Revoke(t, noon, serial(other.Cert), serial(other.Cert, pkix.Extension{Id: oidCertificateIssuer, Critical: true, Value: names}), serial(b.sp.Cert))
	for name, tc := range map[string]struct {
		list *x509.RevocationList
		code string
	}{
		"by its CA":            {b.ca.Revoke(t, noon, serial(b.sp.Cert)), CodeIdentityCertificate},
		"another one":          {b.ca.Revoke(t, noon, serial(other.Cert)), ""},
		"its CA by the root":   {b.root.Revoke(t, noon, serial(b.ca.Cert)), CodeIdentityCertificate},
		"number of another CA": {b.root.Revoke(t, noon, serial(b.sp.Cert)), ""},
		"indirect":             {indirect, CodeIdentityCertificate},
		"by somebody":          {verifytest.NewRoot(t, "STI-CA", noon).Revoke(t, noon, serial(b.sp.Cert)), ""},
	} {
		if got := with(tc.list); got.Code != tc.code || tc.code != "" && !strings.Contains(got.Evidence, "is revoked") {
			t.Errorf("%s: %+v", name, got)
		}
	}
	pem := verifytest.PEM(b.sp.Cert)
	if _, err := ParseCRLs(pem); err == nil {
		t.Error("a certificate is taken for a CRL")
	}
	if l, err := ParseCRLs(indirect.Raw); err != nil || len(l) != 1 {
		t.Errorf("DER: %v", err)
	}
}

func TestNewIdentityRefuses(t *testing.T) {
	_, err := NewIdentity(IdentityConfig{Freshness: -1, Ports: []int{0}})
	for _, want := range []string{"Anchors", "Freshness", "0 is no port"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q in it", err, want)
		}
	}
}

// TestFixedVector is the PASSporT of libstirshaken: its signature holds with one certificate and not with the other, and its claims
// are refused, as orig and dest are strings there.
func TestFixedVector(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "vectors", "stir")
	data, err := os.ReadFile(filepath.Join(dir, "passport.txt"))
	if err != nil {
		t.Skipf("no vector: %v", err)
	}
	_, rest, _ := strings.Cut(string(data), "PASSporT signed is:\n")
	token, _, _ := strings.Cut(rest, "\n")
	parts := strings.Split(strings.TrimSpace(token), ".")
	sig, err := unbase64(parts[2])
	if err != nil || len(sig) != 64 {
		t.Fatalf("signature: %v", err)
	}
	read := func(name string) *x509.Certificate {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		certs, err := ParseCertificates(b)
		if err != nil {
			t.Fatal(err)
		}
		return certs[0]
	}
	for name, want := range map[string]bool{"sp.pem": true, "wrongsp.pem": false, "ca.pem": false} {
		if got := verifyES256(read(name).PublicKey.(*ecdsa.PublicKey), parts[0]+"."+parts[1], sig); got != want {
			t.Errorf("with %s: %v", name, got)
		}
	}
	sig[63] ^= 1
	if verifyES256(read("sp.pem").PublicKey.(*ecdsa.PublicKey), parts[0]+"."+parts[1], sig) {
		t.Error("a changed signature holds")
	}
	// Our canonical form of the header is theirs.
	header, _ := unbase64(parts[0])
	jose, err := parseHeader(header)
	if err != nil || string(canonical(jose)) != string(header) {
		t.Errorf("header %s, %v", canonical(jose), err)
	}
	claims, _ := unbase64(parts[1])
	if err := (&Passport{Type: Shaken}).parseClaims(claims); err == nil || !strings.Contains(err.Error(), "orig: no object") {
		t.Errorf("claims: %v", err)
	}
	// Neither certificate is for STIR: what stands in their TNAuthList is none.
	tr := trust{anchors: x509.NewCertPool()}
	tr.anchors.AddCert(read("ca.pem"))
	at := time.Unix(1603458131, 0)
	if _, err := tr.credential([]*x509.Certificate{read("sp.pem")}, at); err == nil || !strings.Contains(err.Error(), "TNAuthList is no sequence") {
		t.Errorf("sp.pem: %v", err)
	}
	if _, err := tr.credential([]*x509.Certificate{read("wrongsp.pem")}, at); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("wrongsp.pem: %v", err)
	}
}

// TestRFC7515_A_3 is the example of ES256 in the RFC of JSON web signatures.
func TestRFC7515_A_3(t *testing.T) {
	const token = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ." +
		"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
	x, _ := unbase64("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU")
	y, _ := unbase64("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0")
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
	if err != nil {
		t.Fatal(err)
	}
	i := strings.LastIndexByte(token, '.')
	sig, err := unbase64(token[i+1:])
	if err != nil || len(sig) != 64 || !verifyES256(key, token[:i], sig) {
		t.Errorf("it does not hold: %v", err)
	}
	if verifyES256(key, token[:i-1], sig) {
		t.Error("another text holds")
	}
}

// TestVerdictIsJSON: what the record of a call gets.
func TestVerdictIsJSON(t *testing.T) {
	b := newBench(t)
	v := check(t, b.identity(), newInvite(b.shaken()).caller(t))
	got, err := json.Marshal(v)
	want := `{"verstat":"TN-Validation-Passed","attest":"A","origid":"` + origID + `","checks":[{"name":"identity","result":"pass","evidence":"attestation A for 12155551212 by \"SP\" (service provider \"709J\")"}]}`
	if err != nil || string(got) != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
}
