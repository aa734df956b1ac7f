package call_test

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/sip/verify"
	"github.com/callbin/callbin/sip/verify/verifytest"
)

const (
	ownNumber = "+16062067563"
	foreigner = "+12155551212"
	abroad    = "+4930901820"
)

// signed is an INVITE as a provider got it, to be verified outside of the bubble, where there is a real network.
type signed struct {
	name    string
	request *sip.Request
	at      time.Time
	want    string // what is attested; "": there is no Identity
	div     bool
}

// received takes the INVITE of p.
func received(t *testing.T, p *calltest.PhoneCall) *sip.Request {
	t.Helper()
	in := p.Invite()
	req := &sip.Request{Method: "INVITE", URI: in.URI, CallID: rand.Text(), CSeq: 1}
	var err error
	if req.From, err = sip.ParseNameAddr(in.Header("From")); err != nil {
		t.Error(err)
	}
	if req.To, err = sip.ParseNameAddr(in.Header("To")); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"Date", "Identity", "P-Asserted-Identity"} {
		for _, v := range in.Headers(name) {
			req.Headers = append(req.Headers, sip.Header{Name: name, Value: v})
		}
	}
	return req
}

// TestOutgoingCallsAreSigned has providers verify what comes to them: A for a number of ours that the program or an extension shows, B for another
// one, C for who has called from outside; with its own Identity, and a div, where it had one. Nothing holds that was changed on the way.
func TestOutgoingCallsAreSigned(t *testing.T) {
	year := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // of bubbles
	root := verifytest.NewRoot(t, "root", year)
	server := verifytest.NewServer(t)
	sp := root.NewCA(t, "STI-CA").Issue(t, []verifytest.Entry{verifytest.SPC("709J")})
	url := server.Put("/sp.pem", sp.Chain)
	signer, err := verify.NewSigner(verify.SignerConfig{Key: sp.KeyPEM, URL: url})
	if err != nil {
		t.Fatal(err)
	}
	var all []signed
	take := func(t *testing.T, name, want string, p *calltest.PhoneCall) *signed {
		all = append(all, signed{name: name, request: received(t, p), at: time.Now(), want: want})
		p.Refuse(486)
		return &all[len(all)-1]
	}
	owned := func(c *call.Config) {
		c.Owned = func(a address.Address) bool { return a.Target == ownNumber }
		c.Signing.Signer = signer
	}
	sign := func(t *call.Trunk) { t.Sign = true }
	forward := fmt.Sprintf(`[{"type":"connect","option":{"source":{"type":"tel","target":%q},"destinations":[{"type":"tel","target":%q}]}}]`, foreigner, abroad)

	synctest.Test(t, func(t *testing.T) {
		failed := false
		h := open(t, map[string]string{ownNumber: forward}, owned, extensions, providers(2, sign), func(c *call.Config) {
			c.Outbound.Verified = []string{foreigner} // may be shown, though it is not ours
			c.Trunks[1].Caller, c.Trunks[0].Identity = ownNumber, "never"
			c.Verify = func(context.Context, *call.Incoming) (call.Verdict, error) {
				if failed {
					return call.Verdict{Verstat: verify.VerstatFailed}, nil
				}
				return call.Verdict{}, nil
			}
		})
		first, second := callee(t, h, 1), callee(t, h, 2)
		dial := func(o call.DialOptions) {
			o.Destination = number(abroad)
			if _, err := h.Dial(t.Context(), o); err != nil {
				t.Error(err)
			}
		}
		dial(call.DialOptions{Source: number(ownNumber)})
		p := first.WaitCall(t)
		all = append(all, signed{name: "first trunk", request: received(t, p), at: time.Now(), want: "A"})
		p.Refuse(503)
		take(t, "next trunk", "A", second.WaitCall(t))
		dial(call.DialOptions{Source: number(foreigner)})
		take(t, "number of others", "B", first.WaitCall(t))
		dial(call.DialOptions{Source: number(ownNumber), Anonymous: "yes"})
		take(t, "hidden from the provider, too", "", first.WaitCall(t))
		dial(call.DialOptions{Source: number(ownNumber), Headers: []sip.Header{{Name: "Identity", Value: "..x;info=<https://example.com>"}}})
		p = first.WaitCall(t)
		if ids := p.Invite().Headers("Identity"); len(ids) != 1 || !strings.HasPrefix(ids[0], "..x") {
			t.Errorf("an Identity of the program's own: %q", ids)
		}
		p.Refuse(486)

		phone := extensionPhone(t, h, "200", 9)
		register(t, phone)
		phone.Start(t, abroad)
		first.WaitCall(t).Refuse(503) // it shows nothing of its own; the second trunk has a number
		take(t, "extension", "A", second.WaitCall(t))

		caller := func(headers ...string) {
			calltest.NewPhone(t, h.net, calltest.PhoneConfig{FromUser: foreigner, Headers: headers}).Start(t, ownNumber)
		}
		caller()
		take(t, "from outside", "C", first.WaitCall(t))
		original, err := signer.Sign(verify.Passport{Type: verify.Shaken, Attest: "B", IssuedAt: time.Now(),
			Orig: verify.Party{TN: foreigner[1:]}, Dest: []verify.Party{{TN: ownNumber[1:]}}})
		if err != nil {
			t.Fatal(err)
		}
		headers := []string{"Identity: " + original, "Date: " + time.Now().UTC().Format(http.TimeFormat)}
		caller(headers...)
		take(t, "from outside, with an Identity", "B", first.WaitCall(t)).div = true
		failed = true
		caller(headers...)
		take(t, "from outside, with an Identity that fails", "C", first.WaitCall(t))
	})

	identity, err := verify.NewIdentity(verify.IdentityConfig{
		Anchors: []*x509.Certificate{root.Cert}, Ports: []int{server.Port()}, Allow: verifytest.Loopback(), TLS: server.TLS(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = identity.Close() }()
	seen := map[string]bool{}
	for _, s := range all {
		var v call.Verdict
		identity.Check(t.Context(), &verify.Caller{Request: s.request, Time: s.at}, &v)
		diverted := slices.ContainsFunc(v.Checks, func(k call.Check) bool { return k.Name == "identity_div" && k.Result == verify.CheckPass })
		if v.Attest != s.want || diverted != s.div || (s.want == "") != (v.Verstat == verify.VerstatNone) {
			t.Errorf("%s: %+v, want %q, div %v", s.name, v, s.want, s.div)
		}
		if s.want == "" {
			continue
		}
		id, _ := s.request.Header("Identity")
		if seen[id] {
			t.Errorf("%s: its Identity was used before", s.name)
		}
		seen[id] = true
		changed := *s.request
		changed.CallID = rand.Text()
		changed.From.User = "+12155559999"
		var w call.Verdict
		if identity.Check(t.Context(), &verify.Caller{Request: &changed, Time: s.at}, &w); w.Checks[0].Code != verify.CodeIdentityMismatch || w.Checks[0].Status != 438 {
			t.Errorf("%s, with another caller: %+v", s.name, w)
		}
	}
	if len(all) != 8 {
		t.Errorf("%d calls", len(all))
	}
}

// TestSettingsOfIdentity reads keys and anchors, and tells what is wrong with them without showing them.
func TestSettingsOfIdentity(t *testing.T) {
	root := verifytest.NewRoot(t, "root", time.Now())
	sp, dir := root.Issue(t, []verifytest.Entry{verifytest.SPC("1")}), t.TempDir()
	for name, data := range map[string][]byte{"key.pem": sp.KeyPEM, "sp.pem": sp.Chain, "ca.pem": verifytest.PEM(root.Cert), "empty.pem": nil} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read := func(identity string) (call.Settings, error) {
		file := filepath.Join(dir, "config.json")
		text := `{"trunks":[{"name":"t","address":"192.0.2.1","sign":true}],"identity":` + identity + `}`
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return call.ReadSettings(file)
	}
	s, err := read(`{"key":"key.pem","certificate":"sp.pem","url":"https://example.com/sp.pem","anchors":"ca.pem","required":true,"freshness_seconds":30,"ports":[443]}`)
	if err != nil {
		t.Fatal(err)
	}
	cfg, _, err := (&call.Flags{SIP: "udp://127.0.0.1:0", Media: "127.0.0.1", Ports: "10000-10999", Settings: filepath.Join(dir, "config.json")}).Config()
	if _, ok := cfg.Verification.Identity.(*verify.Identity); err != nil || !ok || cfg.Signing.Signer == nil {
		t.Fatalf("%v, %v, %v", cfg.Verification.Identity, cfg.Signing.Signer, err)
	}
	if text := fmt.Sprintf("%v %+v %#v", s, s, s.Identity); strings.Contains(text, "ecdsa") || strings.Contains(text, "PRIVATE") {
		t.Errorf("printed: %s", text)
	}
	for identity, want := range map[string]string{
		`{}`:                                    `trunks[0]: sign needs a key`,
		`{"url":"https://a/b"}`:                 "identity.key: it is missing",
		`{"key":"none.pem","url":"https://a"}`:  "identity.key: open",
		`{"key":"empty.pem","url":"https://a"}`: "no PEM block",
		`{"key":"key.pem","url":"http://a"}`:    "not https",
		`{"key":"key.pem","url":"https://a","certificate":"ca.pem"}`:                    "not that of the key",
		`{"key":"key.pem","url":"https://a","required":true}`:                           "identity.anchors: without them",
		`{"key":"key.pem","url":"https://a","anchors":"empty.pem"}`:                     "certificate: neither PEM nor DER",
		`{"key":"key.pem","url":"https://a","anchors":"ca.pem","crls":["sp.pem"]}`:      "identity.crls[0]: verify: no CRL",
		`{"key":"key.pem","url":"https://a","anchors":"ca.pem","freshness_seconds":-1}`: "negative",
	} {
		if _, err := read(identity); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q in it", identity, err, want)
		}
	}
}
