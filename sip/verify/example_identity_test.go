package verify_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/sip/verify"
	"github.com/callbin/callbin/sip/verify/verifytest"
)

// A call is signed by one side, and believed by the other.
func ExampleIdentity() {
	// A PKI of its own; in production the key is that of a service provider, and the anchors are the CAs of the STI.
	t := &testing.T{}
	now := time.Now()
	root := verifytest.NewRoot(t, "STI root", now)
	holder := root.Issue(t, []verifytest.Entry{verifytest.SPC("709J")})
	server := verifytest.NewServer(t)
	defer server.Close()

	signer, err := verify.NewSigner(verify.SignerConfig{Key: holder.KeyPEM, URL: server.Put("/sp.pem", holder.Chain)})
	if err != nil {
		fmt.Println(err)
		return
	}
	value, err := signer.Sign(verify.Passport{
		Type: verify.Shaken, Attest: verify.AttestFull, IssuedAt: now,
		Orig: verify.Party{TN: "12155551212"}, Dest: []verify.Party{{TN: "4930901820"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	identity, err := verify.NewIdentity(verify.IdentityConfig{
		Anchors: []*x509.Certificate{root.Cert}, Ports: []int{server.Port()}, Allow: verifytest.Loopback(), TLS: server.TLS(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer identity.Close()
	for _, from := range []string{"<sip:+12155551212@example.com>", "<sip:+12155551299@example.com>"} {
		req := &sip.Request{Headers: []sip.Header{{Name: "Date", Value: now.UTC().Format(http.TimeFormat)}, {Name: "Identity", Value: value}}}
		req.From, _ = sip.ParseNameAddr(from)
		req.To, _ = sip.ParseNameAddr("<sip:+4930901820@example.net>")
		var v verify.Verdict
		identity.Check(context.Background(), &verify.Caller{Request: req, Time: now}, &v)
		fmt.Printf("%s %q %q\n", v.Verstat, v.Attest, v.Checks[0].Reason)
		fmt.Println(v.Checks[0].Evidence)
	}
	// Output:
	// TN-Validation-Passed "A" ""
	// attestation A for 12155551212 by "SP" (service provider "709J")
	// TN-Validation-Failed "" "STIR;cause=438;text=\"Invalid Identity Header\""
	// it is signed for 12155551212, and the caller is 12155551299
}
