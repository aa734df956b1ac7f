package sip

import (
	"fmt"
	"strings"
	"testing"

	"github.com/icholy/digest"
)

// The examples of RFC 2617 3.5, RFC 7616 3.9.1, and the first of 3.9.2 without
// userhash (computed by hand: SHA-512-256).
func TestDigestResponses(t *testing.T) {
	for _, tt := range []struct{ name, challenge, user, password, cnonce, want string }{
		{"RFC 2617", `Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"`,
			"Mufasa", "Circle Of Life", "0a4f113b", "6629fae49393a05397450978507c4ef1"},
		{"RFC 7616 MD5", `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=MD5, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`,
			"Mufasa", "Circle of Life", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "8ca523f5e9506fed4657c9700eebdbec"},
		{"RFC 7616 SHA-256", `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=sha-256, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`,
			"Mufasa", "Circle of Life", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cs := parseChallenges(tt.challenge)
			if len(cs) != 1 {
				t.Fatalf("got %+v", cs)
			}
			c, err := digest.Digest(&cs[0], digest.Options{
				Method: "GET", URI: "/dir/index.html", Count: 1, Username: tt.user, Password: tt.password, Cnonce: tt.cnonce,
			})
			if err != nil || c.Response != tt.want {
				t.Errorf("got %+v, %v, want %s", c, err, tt.want)
			}
		})
	}
}

func TestChallengesAreRead(t *testing.T) {
	for _, tt := range []struct{ value, want string }{
		{`Digest realm="a", nonce="1"`, `a 1 "" []`},
		{`digest  REALM = "a" ,Nonce="1",Algorithm="sha-256",QOP="AUTH-INT, Auth"`, `a 1 "SHA-256" [auth]`},
		{`Digest realm="a, Digest realm=\"x\"", nonce="1,2"`, `a, Digest realm="x" 1,2 "" []`},
		{`Digest realm="a", nonce="1", Digest realm="b", nonce="2", algorithm=MD5`, `a 1 "" [], b 2 "MD5" []`},
		{`Basic realm="x", Digest realm="a", nonce="1", Bearer realm="y", nonce="3"`, `a 1 "" []`},
		{`Digest realm="a", nonce="1", algorithm=MD5-sess`, ``},
		{`Digest realm="a", nonce="1", algorithm=SHA-512-256, qop="auth-int"`, ``},
		{`Digest realm="a"`, ``},
		{`Digest`, ``},
		{`Digest realm="a", nonce=`, ``},
		{``, ``},
		{`,,,=,"`, ``},
		{`realm="a", nonce="1"`, ``},
	} {
		var got []string
		for _, c := range parseChallenges(tt.value) {
			got = append(got, fmt.Sprintf("%s %s %q %v", c.Realm, c.Nonce, c.Algorithm, c.QOP))
		}
		if s := strings.Join(got, ", "); s != tt.want {
			t.Errorf("%s: got %s, want %s", tt.value, s, tt.want)
		}
	}
}

// The strongest algorithm of each realm is answered, and by the credentials
// that are for it; what nobody knows is left out when something else is known.
func TestChallengesAreAnswered(t *testing.T) {
	a := newDigestAuth([]Credentials{{Username: "any", Password: "1"}, {Realm: "b", Username: "bob", Password: "2"}})
	if !a.challenged([]Header{
		{"WWW-Authenticate", `Digest realm="a", nonce="1", algorithm=SHA-256`},
		{"www-authenticate", `Digest realm="a", nonce="2", algorithm=SHA-512-256, Digest realm="b", nonce="3"`},
		{"WWW-Authenticate", `Digest realm="a", nonce="4", algorithm=MD5`},
		{"Proxy-Authenticate", `Digest realm="a", nonce="5"`},
		{"X-Authenticate", `Digest realm="c", nonce="6"`},
	}) {
		t.Fatal("no answer")
	}
	var got []string
	for _, h := range a.headers("INVITE", "sip:x") {
		for _, part := range []string{"username", "realm", "nonce"} {
			v, _ := param(strings.ReplaceAll(strings.TrimPrefix(h.Value, "Digest "), ", ", ";"), part)
			h.Name += " " + v
		}
		got = append(got, h.Name)
	}
	want := "Authorization any a 2, Authorization bob b 3, Proxy-Authorization any a 5"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("got %s, want %s", s, want)
	}
	only := newDigestAuth([]Credentials{{Realm: "b", Username: "bob"}})
	if only.challenged([]Header{{"WWW-Authenticate", `Digest realm="a", nonce="1"`}}) || only.challenged(nil) {
		t.Error("an answer to a realm that we know nothing of")
	}
	var none *digestAuth
	if none.challenged([]Header{{"WWW-Authenticate", `Digest realm="a", nonce="1"`}}) || none.headers("BYE", "sip:x") != nil {
		t.Error("an answer without credentials")
	}
	none.passed()

	// A call that was let through begins anew: a nonce may expire without a word.
	for n := range 5 {
		if !only.challenged([]Header{{"WWW-Authenticate", fmt.Sprintf(`Digest realm="b", nonce="%d"`, n)}}) {
			t.Errorf("challenge %d was not answered", n)
		}
		only.passed()
	}
}

// FuzzChallenges: whatever is challenged, the answer is one header line, and has
// one username, that which was given.
func FuzzChallenges(f *testing.F) {
	for _, s := range []string{
		`Digest realm="a", nonce="1", algorithm=MD5, qop="auth,auth-int", stale=TRUE, opaque="x\"y"`,
		`Basic realm="x", Digest realm="a", nonce="1", Digest realm="b", nonce="2", userhash=true`,
		`Digest realm="\\", nonce="", nonce="\`, `Digest =,=, ,"`, `Digest realm=a nonce=b`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.ContainsAny(s, "\r\n\x00") {
			return // no header value
		}
		for _, c := range parseChallenges(s) {
			if c.Nonce == "" || strength(c.Algorithm) < 0 {
				t.Fatalf("%q: %+v", s, c)
			}
		}
		a := newDigestAuth([]Credentials{{Username: `a"b\`, Password: "secret"}})
		if !a.challenged([]Header{{"WWW-Authenticate", s}}) {
			return
		}
		for _, h := range a.headers("INVITE", "sip:x@y") {
			if checkValue(h.Value) != nil || strings.Contains(h.Value, "secret") && !strings.Contains(s, "secret") ||
				!strings.HasPrefix(h.Value, `Digest username="`) {
				t.Fatalf("%q: %q", s, h.Value)
			}
		}
	})
}
