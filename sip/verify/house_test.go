package verify

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/sip/verify/verifytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is when the calls of these tests come.
var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

const (
	caller1 = "12155551212"
	callee1 = "12155551213"
	callee2 = "4930901820"
	callee3 = "4930901821"
	origID  = "123e4567-e89b-12d3-a456-426655440000"
)

// bench is a PKI, and where its certificates are fetched from.
type bench struct {
	t        testing.TB
	root, ca *verifytest.Authority
	server   *verifytest.Server
	sp       *verifytest.Holder // has a service provider code
	url      string             // of its certificate
	n        int
}

func newBench(t testing.TB) *bench {
	b := &bench{t: t, root: verifytest.NewRoot(t, "STI root", noon), server: verifytest.NewServer(t)}
	b.ca = b.root.NewCA(t, "STI-CA")
	b.sp, b.url = b.issue([]verifytest.Entry{verifytest.SPC("709J")})
	return b
}

// issue makes a certificate, and puts it where it can be fetched.
func (b *bench) issue(list []verifytest.Entry, edits ...func(*x509.Certificate)) (*verifytest.Holder, string) {
	h := b.ca.Issue(b.t, list, edits...)
	return h, b.put(h.Chain)
}

func (b *bench) put(body []byte, header ...string) string {
	b.n++
	return b.server.Put(fmt.Sprintf("/%d.pem", b.n), body, header...)
}

func (b *bench) handle(f http.HandlerFunc) string {
	b.n++
	return b.server.Handle(fmt.Sprintf("/%d", b.n), f)
}

func (b *bench) identity(edits ...func(*IdentityConfig)) *Identity {
	b.t.Helper()
	cfg := IdentityConfig{
		Anchors: []*x509.Certificate{b.root.Cert}, Ports: []int{b.server.Port(), 443}, Allow: verifytest.Loopback(), TLS: b.server.TLS(),
		FetchTimeout: 10 * time.Second,
	}
	for _, edit := range edits {
		edit(&cfg)
	}
	i, err := NewIdentity(cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = i.Close() })
	return i
}

// tok is a PASSporT that can be bent. Its parts are text, so that nothing of the code under test makes it.
type tok struct {
	header, claims string // JSON
	key            *ecdsa.PrivateKey
	params         string
	sig            []byte              // nil: made by value
	bend           func([]byte) []byte // what becomes of the signature
	compact        bool
}

func (b *bench) shaken() *tok {
	return &tok{
		header: `{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"` + b.url + `"}`,
		claims: fmt.Sprintf(`{"attest":"A","dest":{"tn":[%q]},"iat":%d,"orig":{"tn":%q},"origid":%q}`, callee1, noon.Unix(), caller1, origID),
		key:    b.sp.Key, params: ";info=<" + b.url + ">;alg=ES256;ppt=shaken",
	}
}

func (b *bench) plain() *tok {
	return &tok{
		header: `{"alg":"ES256","typ":"passport","x5u":"` + b.url + `"}`,
		claims: fmt.Sprintf(`{"dest":{"tn":[%q]},"iat":%d,"orig":{"tn":%q}}`, callee1, noon.Unix(), caller1),
		key:    b.sp.Key, params: ";info=<" + b.url + ">;alg=ES256",
	}
}

func (b *bench) div(from, to string) *tok {
	return &tok{
		header: `{"alg":"ES256","ppt":"div","typ":"passport","x5u":"` + b.url + `"}`,
		claims: fmt.Sprintf(`{"dest":{"tn":[%q]},"div":{"tn":%q},"iat":%d,"orig":{"tn":%q}}`, to, from, noon.Unix(), caller1),
		key:    b.sp.Key, params: ";info=<" + b.url + ">;alg=ES256;ppt=div",
	}
}

// by has another one sign it.
func (k *tok) by(h *verifytest.Holder, url string) *tok {
	before, after, _ := strings.Cut(k.header, `"x5u":"`)
	k.header = before + `"x5u":"` + url + after[strings.IndexByte(after, '"'):]
	k.key = h.Key
	return k.at(url)
}

// at changes info alone.
func (k *tok) at(url string) *tok {
	_, rest, _ := strings.Cut(k.params, ">")
	k.params = ";info=<" + url + ">" + rest
	return k
}

// both changes info and x5u.
func (k *tok) both(url string) *tok {
	return k.by(&verifytest.Holder{Key: k.key}, url)
}

func (k *tok) replace(part *string, old, new string) *tok {
	if !strings.Contains(*part, old) {
		panic("no " + old + " in " + *part)
	}
	*part = strings.Replace(*part, old, new, 1)
	return k
}

func (k *tok) text() string { return base64url([]byte(k.header)) + "." + base64url([]byte(k.claims)) }

// value is the Identity header; the signature is made once.
func (k *tok) value() string {
	if k.sig == nil {
		sum := sha256.Sum256([]byte(k.text()))
		r, s, err := ecdsa.Sign(rand.Reader, k.key, sum[:])
		if err != nil {
			panic(err)
		}
		k.sig = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
		if k.bend != nil {
			k.sig = k.bend(k.sig)
		}
	}
	text := k.text()
	if k.compact {
		text = "."
	}
	return text + "." + base64url(k.sig) + k.params
}

// invite is a request with these Identity headers.
type invite struct {
	from, to, uri, date string
	more                []sip.Header
	identities          []string
	trusted             bool
	now                 time.Time
}

func newInvite(tokens ...*tok) *invite {
	v := &invite{
		from: "<sip:+" + caller1 + "@example.com>;tag=a", to: "<sip:+" + callee1 + "@example.net>", uri: "sip:+" + callee1 + "@example.net",
		date: noon.Format(http.TimeFormat), now: noon,
	}
	for _, k := range tokens {
		v.identities = append(v.identities, k.value())
	}
	return v
}

func (v *invite) caller(t testing.TB) *Caller {
	t.Helper()
	req := &sip.Request{Method: "INVITE", URI: v.uri, CallID: rand.Text(), CSeq: 1}
	var err error
	if req.From, err = sip.ParseNameAddr(v.from); err != nil {
		t.Fatal(err)
	}
	if req.To, err = sip.ParseNameAddr(v.to); err != nil {
		t.Fatal(err)
	}
	if v.date != "" {
		req.Headers = append(req.Headers, sip.Header{Name: "Date", Value: v.date})
	}
	for _, id := range v.identities {
		req.Headers = append(req.Headers, sip.Header{Name: "Identity", Value: id})
	}
	req.Headers = append(req.Headers, v.more...)
	return &Caller{Request: req, Trusted: v.trusted, Time: v.now}
}

func check(t testing.TB, i *Identity, c *Caller) Verdict {
	t.Helper()
	var v Verdict
	i.Check(t.Context(), c, &v)
	return v
}
