package sip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icholy/digest"
)

func TestAuthorizationIsRead(t *testing.T) {
	const good = `Digest username="a", realm="r", nonce="n", uri="sip:x", response="AB", cnonce="c", nc=0000000a, qop=auth`
	with := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	for _, tt := range []struct{ name, value, want string }{
		{"as it should be", good, `a r n sip:x ab MD5 c 0000000a 10`},
		{"quoted qop, algorithm, spaces, other names", `digest  username = "a" ,realm="r",nonce="n",uri="sip:x",response="ab",cnonce="c",nc=0000000a,qop="AUTH",algorithm=sha-256, opaque="o", x=y`,
			`a r n sip:x ab SHA-256 c 0000000a 10`},
		{"quotes in a name, and commas", with(`"a"`, `"a\"b,c"`), `a"b,c r n sip:x ab MD5 c 0000000a 10`},
		{"no qop", with(", qop=auth", ""), "qop is not auth"},
		{"auth-int", with("qop=auth", "qop=auth-int"), "qop is not auth"},
		{"no cnonce", with(`cnonce="c", `, ""), "missing cnonce"},
		{"no user", with(`username="a", `, ""), "missing username"},
		{"no realm", with(`realm="r", `, ""), "missing realm"},
		{"no nonce", with(` nonce="n",`, ""), "missing nonce"},
		{"no uri", with(`uri="sip:x", `, ""), "missing uri"},
		{"no response", with(`response="AB", `, ""), "missing response"},
		{"empty", with(`"a"`, `""`), "missing username"},
		{"twice", good + `, nc=00000001`, "nc stands there twice"},
		{"count of nothing", with("0000000a", "00000000"), "nc is not"},
		{"short count", with("0000000a", "a"), "nc is not"},
		{"long count", with("0000000a", "00000000a"), "nc is not"},
		{"no number", with("0000000a", "0000000g"), "nc is not"},
		{"userhash", good + ", userhash=true", "unsupported operation"},
		{"userhash it is not", good + ", userhash=false", `a r n sip:x ab MD5 c 0000000a 10`},
		{"no value", good + ", x", "has no value"},
		{"Basic", "Basic YTpi", "not Digest"},
		{"nothing", "", "not Digest"},
		{"only the scheme", "Digest", "qop is not auth"},
		{"a wide one", good + `, x="` + strings.Repeat("x", maxAuthorization) + `"`, "are more than"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, err := parseAuthorization(tt.value)
			got := fmt.Sprint(a.username, " ", a.realm, " ", a.nonce, " ", a.uri, " ", a.response, " ", a.algorithm, " ", a.cnonce, " ", a.count, " ", a.nc)
			if err != nil {
				got = err.Error()
			}
			if got != tt.want && (err == nil || !strings.Contains(got, tt.want) && !strings.Contains(got, "missing")) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func FuzzAuthorization(f *testing.F) {
	f.Add(`Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=SHA-256, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"`)
	f.Add(`Digest username="a\"b", realm=r, nonce=n, uri=u, response=x, cnonce=c, nc=ffffffff, qop="auth"`)
	f.Add(`Digest ,,=,"`)
	f.Fuzz(func(t *testing.T, s string) {
		a, err := parseAuthorization(s)
		if err != nil {
			return
		}
		q := func(v string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(v) + `"` }
		again := "Digest username=" + q(a.username) + ",realm=" + q(a.realm) + ",nonce=" + q(a.nonce) + ",uri=" + q(a.uri) + ",response=" + q(a.response) +
			",algorithm=" + q(a.algorithm) + ",cnonce=" + q(a.cnonce) + ",nc=" + a.count + ",qop=auth"
		if b, err := parseAuthorization(again); len(again) <= maxAuthorization && (err != nil || a != b) {
			t.Fatalf("%q became %q: %+v, %+v, %v", s, again, a, b, err)
		}
	})
}

func newTestAuth(t testing.TB, change func(*AuthConfig)) *Authenticator {
	t.Helper()
	cfg := AuthConfig{Realm: "r", Secrets: testUsers{"ann": "secret"}, MaxGuesses: 1 << 20, Logger: quietLog()}
	if change != nil {
		change(&cfg)
	}
	a, err := NewAuthenticator(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// attempt is a REGISTER that answers the challenge of adm.
func attempt(t testing.TB, adm Admission, algorithm, user, password string, nc int) *Request {
	t.Helper()
	return attemptOf(t, "REGISTER", adm, algorithm, user, password, nc)
}

// attemptOf is attempt for any method.
func attemptOf(t testing.TB, method string, adm Admission, algorithm, user, password string, nc int) *Request {
	t.Helper()
	r := &Request{Method: method, URI: "sip:192.0.2.1", Source: netip.MustParseAddrPort("192.0.2.10:5060")}
	for _, h := range adm.Headers {
		chal, err := digest.ParseChallenge(h.Value)
		if err != nil {
			t.Fatal(err)
		}
		if chal.Algorithm != algorithm {
			continue
		}
		c, err := digest.Digest(chal, digest.Options{Method: r.Method, URI: r.URI, Count: nc, Username: user, Password: password, Cnonce: "c"})
		if err != nil {
			t.Fatal(err)
		}
		name := "Authorization"
		if h.Name == "Proxy-Authenticate" {
			name = "Proxy-Authorization"
		}
		r.Headers = []Header{{name, c.String()}}
		return r
	}
	t.Fatalf("%s is not offered in %+v", algorithm, adm)
	return nil
}

// TestEveryAlgorithmAndBothRoles logs in with other people's sums: as a server (401) and a proxy (407), by password and by HA1.
func TestEveryAlgorithmAndBothRoles(t *testing.T) {
	for _, alg := range []string{"MD5", "SHA-256", "SHA-512-256"} {
		for _, proxy := range []bool{false, true} {
			for _, stored := range []bool{false, true} {
				a := newTestAuth(t, func(c *AuthConfig) {
					c.Algorithms = []string{"SHA-512-256", "SHA-256", "MD5"}
					if stored {
						c.Secrets = ha1(map[string]string{alg: strings.ToUpper(sum(hashOf(alg), "ann", "r", "secret"))})
					}
				})
				adm := a.Check(t.Context(), &Request{Source: netip.MustParseAddrPort("192.0.2.10:5060")}, proxy)
				if want := map[bool]int{false: 401, true: 407}[proxy]; adm.Status != want || len(adm.Headers) != 3 {
					t.Fatalf("got %+v", adm)
				}
				if got := a.Check(t.Context(), attempt(t, adm, alg, "ann", "secret", 1), proxy); got.User != "ann" || got.Status != 0 {
					t.Errorf("%s proxy %v stored %v: got %+v", alg, proxy, stored, got)
				}
				if got := a.Check(t.Context(), attempt(t, adm, alg, "ann", "secret2", 2), proxy); got.User != "" || got.Status != adm.Status {
					t.Errorf("%s proxy %v stored %v: a wrong password gets %+v", alg, proxy, stored, got)
				}
			}
		}
	}
}

type ha1 map[string]string

func (h ha1) Secret(context.Context, string, string) (Secret, bool, error) {
	return Secret{HA1: h}, true, nil
}

var nonceRE = regexp.MustCompile(`nonce="[^"]*"`)

// TestNobodyLearnsWhoExists sends a wrong name, a wrong password and the name of a user who cannot log in, and compares the
// answers byte by byte, and the work by what it allocates.
func TestNobodyLearnsWhoExists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		auth := newTestAuth(t, func(c *AuthConfig) { c.Secrets = testUsers{"ann": "secret", "eve": ""} })
		reg, err := NewRegistrar(RegistrarConfig{Auth: auth, KeepAlive: -1, Logger: quietLog()})
		if err != nil {
			t.Fatal(err)
		}
		b := newBubble(t, func(c *Config) {
			c.Registrar = reg
			c.Admit = func(ctx context.Context, r *Request) Admission { return auth.Check(ctx, r, true) }
		})
		defer b.close()
		for _, method := range []string{"REGISTER", "INVITE"} {
			var seen []string
			for _, user := range []string{"ann", "bob", "eve"} {
				head := "From: <sip:x@192.0.2.10>;tag=1\r\nTo: <sip:xxx@192.0.2.1>\r\nCall-ID: c\r\nMax-Forwards: 70\r\nContact: <sip:x@192.0.2.10>\r\n"
				send := func(cseq int, more string) text {
					b.p.send([]byte(fmt.Sprintf("%s sip:192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK%d\r\nCSeq: %d %s\r\n%s%sContent-Length: 0\r\n\r\n",
						method, cseq, cseq, method, head, more)))
					return b.p.want("SIP/2.0 40")
				}
				first := send(1, "")
				var adm Admission
				proxy := ""
				for _, n := range []string{"WWW-Authenticate", "Proxy-Authenticate"} {
					for _, v := range first.all(n) {
						adm.Headers = append(adm.Headers, Header{n, v})
						proxy = map[string]string{"WWW-Authenticate": "", "Proxy-Authenticate": "Proxy-"}[n]
					}
				}
				r := attempt(t, adm, "SHA-256", user, "guess", 1)
				second := send(2, proxy+"Authorization: "+r.Headers[0].Value+"\r\n")
				seen = append(seen, nonceRE.ReplaceAllString(first.String()+second.String(), "nonce"))
			}
			for _, s := range seen[1:] {
				if s != seen[0] {
					t.Errorf("%s: the answers differ:\n%s\n%s", method, seen[0], s)
				}
			}
		}
	})
	auth := newTestAuth(t, nil)
	adm := auth.Check(t.Context(), &Request{Source: netip.MustParseAddrPort("192.0.2.10:5060")}, false)
	var work []float64
	for _, user := range []string{"ann", "bob"} {
		r := attempt(t, adm, "SHA-256", user, "guess", 1)
		work = append(work, testing.AllocsPerRun(100, func() { _ = auth.Check(context.Background(), r, false) }))
	}
	if math.Abs(work[0]-work[1]) > 1 { // one may be another goroutine's
		t.Errorf("a wrong password allocates %v times, a wrong name %v times", work[0], work[1])
	}
}

func BenchmarkCheck(b *testing.B) {
	auth := newTestAuth(b, nil)
	adm := auth.Check(b.Context(), &Request{Source: netip.MustParseAddrPort("192.0.2.10:5060")}, false)
	for _, user := range []string{"ann", "bob"} {
		b.Run(map[string]string{"ann": "wrong password", "bob": "wrong name"}[user], func(b *testing.B) {
			r := attempt(b, adm, "SHA-256", user, "guess", 1)
			b.ReportAllocs()
			for b.Loop() {
				_ = auth.Check(context.Background(), r, false)
			}
		})
	}
}

// TestNonceCounts uses the counts of a nonce in many orders; each is good once.
func TestNonceCounts(t *testing.T) {
	for _, tt := range []struct {
		name  string
		count []uint32
		want  string
	}{
		{"in order", []uint32{1, 2, 3, 4}, "yyyy"},
		{"again", []uint32{1, 1, 2, 2, 1}, "ynynn"},
		{"out of order", []uint32{3, 1, 2, 1, 2, 3, 4}, "yyynnny"},
		{"ahead", []uint32{1, 65, 1, 2, 64, 66}, "yynyyy"},
		{"far ahead", []uint32{5, 1 << 31, 5, 1<<31 - 63, 1<<31 - 64, 1<<32 - 1, 1 << 31}, "yynynyn"},
		{"by 64", []uint32{1, 65, 2, 2}, "yyyn"},
		{"by 63", []uint32{1, 64, 1, 2}, "yyny"},
	} {
		n := newNonces([]byte("key"), "r", time.Minute, 10)
		id, ok := n.ours(n.make(netip.MustParseAddr("192.0.2.1")), netip.MustParseAddr("192.0.2.1"))
		if !ok {
			t.Fatal("its own nonce is unknown")
		}
		got := ""
		for _, c := range tt.count {
			got += map[bool]string{true: "y", false: "n"}[n.use(id, c)]
		}
		if got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestManyNoncesLetNoReplayIn fills the table: what was forgotten cannot be used again, and new nonces work.
func TestManyNoncesLetNoReplayIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNonces([]byte("key"), "r", time.Minute, 100)
		addr := netip.MustParseAddr("192.0.2.1")
		var ids []nonceID
		for range 500 {
			id, _ := n.ours(n.make(addr), addr)
			if !n.use(id, 1) {
				t.Fatal("a fresh nonce is refused")
			}
			ids = append(ids, id)
			time.Sleep(10 * time.Millisecond)
		}
		for _, id := range ids {
			if n.use(id, 1) {
				t.Fatal("a replay is let in")
			}
		}
		if n.len() > 100 {
			t.Errorf("%d nonces are kept", n.len())
		}
		time.Sleep(2 * time.Minute)
		id, _ := n.ours(n.make(addr), addr)
		if !n.use(id, 1) || n.len() != 1 {
			t.Errorf("after their time %d nonces are kept", n.len())
		}
		if _, ok := n.ours(n.make(addr), netip.MustParseAddr("192.0.2.2")); ok {
			t.Error("a nonce is good at another address")
		}
		for _, s := range []string{"", "x", "====", strings.Repeat("A", 43)} {
			if _, ok := n.ours(s, addr); ok {
				t.Errorf("%q is a nonce", s)
			}
		}
	})
}

func TestAddressLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newAddrLimit(time.Second, 3, 8)
		a := netip.MustParseAddr("192.0.2.1")
		for i := range 5 {
			if got := l.take(a); got != (i < 3) {
				t.Errorf("number %d: %v", i, got)
			}
		}
		if l.left(a) || !l.take(netip.MustParseAddr("192.0.2.2")) {
			t.Error("one has some left, or another none")
		}
		time.Sleep(time.Second)
		if !l.left(a) || !l.take(a) || l.take(a) {
			t.Error("not one after a second")
		}
		for i := range 100 {
			l.take(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}))
		}
		if len(l.full) > 8 {
			t.Errorf("%d addresses are known", len(l.full))
		}
		x, y := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
		for range 3 {
			l.take(x)
		}
		if l.left(y) || !l.left(netip.MustParseAddr("2001:db8:0:1::1")) {
			t.Error("addresses of one /64 are not one")
		}
	})
}

// brokenSecrets cannot be asked.
type brokenSecrets struct{}

func (brokenSecrets) Secret(context.Context, string, string) (Secret, bool, error) {
	return Secret{}, false, errors.New("database down")
}

func TestSecretsThatCannotBeAsked(t *testing.T) {
	a := newTestAuth(t, func(c *AuthConfig) { c.Secrets = brokenSecrets{} })
	adm := a.Check(t.Context(), &Request{Source: netip.MustParseAddrPort("192.0.2.10:5060")}, false)
	if got := a.Check(t.Context(), attempt(t, adm, "MD5", "ann", "secret", 1), false); got.Status != 500 || got.User != "" {
		t.Errorf("got %+v", got)
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	s := Secret{Password: "hush", HA1: map[string]string{"MD5": "hush"}}
	var b strings.Builder
	slog.New(slog.NewTextHandler(io.Writer(&b), nil)).Info("x", "secret", s)
	if out := fmt.Sprintf("%v %+v %#v %s", s, s, s, s) + b.String(); strings.Contains(out, "hush") {
		t.Error(out)
	}
}

func TestAuthConfigIsChecked(t *testing.T) {
	for _, tt := range []struct {
		change func(*AuthConfig)
		want   string
	}{
		{func(c *AuthConfig) { c.Realm = "" }, "Realm is empty"},
		{func(c *AuthConfig) { c.Realm = `a"b` }, "holds a quote"},
		{func(c *AuthConfig) { c.Secrets = nil }, "Secrets is nil"},
		{func(c *AuthConfig) { c.Algorithms = []string{"MD5-sess"} }, `"MD5-sess"`},
		{func(c *AuthConfig) { c.Algorithms = []string{"MD5", "MD5"} }, "each once"},
		{func(c *AuthConfig) { c.Algorithms = []string{} }, "Algorithms is empty"},
		{func(c *AuthConfig) { c.Key = []byte("short") }, "fewer than 16"},
		{func(c *AuthConfig) { c.NonceLife = -1 }, "negative"},
	} {
		cfg := AuthConfig{Realm: "r", Secrets: testUsers{}}
		tt.change(&cfg)
		if _, err := NewAuthenticator(cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want %q", err, tt.want)
		}
	}
}

// TestRFC7616Vectors are the examples of RFC 7616 3.9.1, seen from the server.
func TestRFC7616Vectors(t *testing.T) {
	for alg, want := range map[string]string{
		"MD5":     "8ca523f5e9506fed4657c9700eebdbec",
		"SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
	} {
		a := newTestAuth(t, func(c *AuthConfig) {
			c.Realm, c.Secrets = "http-auth@example.org", testUsers{"Mufasa": "Circle of Life"}
		})
		c, err := parseAuthorization(`Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=` + alg +
			`, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="` + want + `", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := a.response(t.Context(), c, "GET"); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", alg, got, err, want)
		}
	}
}
