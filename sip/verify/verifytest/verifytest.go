// Package verifytest is a public key infrastructure of its own for tests of caller verification: a root, a CA of the STI below it, the
// certificates of service providers with the TNAuthList that a test wants, and the web server that they are fetched from.
package verifytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Authority is a root, or a CA below one.
type Authority struct {
	Cert  *x509.Certificate
	Above *Authority // nil: it is a root
	key   *ecdsa.PrivateKey
}

// Holder is who has a certificate.
type Holder struct {
	Cert   *x509.Certificate
	Key    *ecdsa.PrivateKey
	KeyPEM []byte
	Chain  []byte // PEM: the certificate, then the CAs above it but the root
}

// Entry is one of a TNAuthList (RFC 8226 9).
type Entry []byte

// SPC is a service provider code.
func SPC(code string) Entry { return entry(0, ia5(code)) }

// Range is count numbers from start on.
func Range(start string, count int) Entry {
	b, err := asn1.Marshal(count)
	if err != nil {
		panic(err)
	}
	return entry(1, der(asn1.ClassUniversal, asn1.TagSequence, true, append(ia5(start), b...)))
}

// TN is one number.
func TN(number string) Entry { return entry(2, ia5(number)) }

func entry(kind int, b []byte) Entry { return der(asn1.ClassContextSpecific, kind, true, b) }

func ia5(s string) []byte { return der(asn1.ClassUniversal, asn1.TagIA5String, false, []byte(s)) }

func der(class, tag int, compound bool, b []byte) []byte {
	out, err := asn1.Marshal(asn1.RawValue{Class: class, Tag: tag, IsCompound: compound, Bytes: b})
	if err != nil {
		panic(err) // values of this file
	}
	return out
}

// TNAuthList is the extension with these entries.
func TNAuthList(list ...Entry) pkix.Extension {
	var all []byte
	for _, e := range list {
		all = append(all, e...)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 26}, Value: der(asn1.ClassUniversal, asn1.TagSequence, true, all)}
}

// NewRoot makes a root that is valid for ten years around now.
func NewRoot(t testing.TB, name string, now time.Time) *Authority {
	a := &Authority{key: newKey(t)}
	a.Cert = sign(t, authority(name, now), a.key, nil)
	return a
}

// NewCA makes a CA below a; edits change its certificate before it is signed.
func (a *Authority) NewCA(t testing.TB, name string, edits ...func(*x509.Certificate)) *Authority {
	c := &Authority{Above: a, key: newKey(t)}
	template := authority(name, a.Cert.NotBefore.AddDate(5, 0, 0))
	for _, edit := range edits {
		edit(template)
	}
	c.Cert = sign(t, template, c.key, a)
	return c
}

func authority(name string, now time.Time) *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotBefore: now.AddDate(-5, 0, 0), NotAfter: now.AddDate(5, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
}

// Issue makes the certificate of a service provider, with a TNAuthList of list, valid as long as the CA; edits change it before it is signed.
func (a *Authority) Issue(t testing.TB, list []Entry, edits ...func(*x509.Certificate)) *Holder {
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "SP"}, NotBefore: a.Cert.NotBefore, NotAfter: a.Cert.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if len(list) > 0 {
		template.ExtraExtensions = []pkix.Extension{TNAuthList(list...)}
	}
	for _, edit := range edits {
		edit(template)
	}
	h := &Holder{Key: newKey(t)}
	b, err := x509.MarshalPKCS8PrivateKey(h.Key)
	if err != nil {
		t.Fatal(err)
	}
	h.KeyPEM = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: b})
	h.Cert = sign(t, template, h.Key, a)
	h.Chain = PEM(h.Cert)
	for ; a.Above != nil; a = a.Above {
		h.Chain = append(h.Chain, PEM(a.Cert)...)
	}
	return h
}

// Revoke is a CRL of a with those entries.
func (a *Authority) Revoke(t testing.TB, now time.Time, entries ...x509.RevocationListEntry) *x509.RevocationList {
	for i := range entries {
		entries[i].RevocationTime = now
	}
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now, NextUpdate: now.AddDate(0, 0, 1), RevokedCertificateEntries: entries}
	b, err := x509.CreateRevocationList(rand.Reader, list, a.Cert, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if list, err = x509.ParseRevocationList(b); err != nil {
		t.Fatal(err)
	}
	return list
}

// PEM writes certificates.
func PEM(certs ...*x509.Certificate) (b []byte) {
	for _, c := range certs {
		b = append(b, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return b
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t testing.TB, template *x509.Certificate, key *ecdsa.PrivateKey, by *Authority) *x509.Certificate {
	t.Helper()
	parent, signer := template, key
	if by != nil {
		parent, signer = by.Cert, by.key
	}
	if template.SerialNumber == nil {
		n, err := rand.Int(rand.Reader, big.NewInt(1<<60))
		if err != nil {
			t.Fatal(err)
		}
		template.SerialNumber = n
	}
	public := any(key.Public())
	if template.PublicKey != nil { // of an edit
		public = template.PublicKey
	}
	b, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(b)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Server is a web server with TLS on 127.0.0.1, from which certificates are fetched. What its Client settings allow is it alone.
type Server struct {
	*httptest.Server
	mu   sync.Mutex
	mux  *http.ServeMux
	hits map[string]int
}

// NewServer starts one, which is closed at the end of the test.
func NewServer(t testing.TB) *Server {
	s := &Server{mux: http.NewServeMux(), hits: map[string]int{}}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.hits[r.URL.Path]++
		s.mu.Unlock()
		s.mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// Put serves body at path, and returns its URL. A header is a name and a value.
func (s *Server) Put(path string, body []byte, header ...string) string {
	return s.Handle(path, func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		_, _ = w.Write(body)
	})
}

// Handle serves path, and returns its URL.
func (s *Server) Handle(path string, f http.HandlerFunc) string {
	s.mux.HandleFunc(path, f)
	return s.URL + path
}

// Hits is how often path was asked for.
func (s *Server) Hits(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hits[path]
}

// Port is that of the server.
func (s *Server) Port() int {
	u, err := url.Parse(s.URL)
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(u.Port())
	return n
}

// TLS is for a client that believes the server.
func (s *Server) TLS() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return &tls.Config{RootCAs: pool}
}

// Loopback is the network that the server is in.
func Loopback() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")} }
