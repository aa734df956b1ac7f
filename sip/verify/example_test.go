package verify_test

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/sip/verify"
)

// A caller from outside shows a number of ours, in the form in which it is dialled at home.
func ExampleVerifier() {
	v, err := verify.New(verify.Config{
		Owned:   func(_ context.Context, a address.Address) (bool, error) { return a.Target == "+16062067563", nil },
		Regions: []string{"US"},
		Policy:  verify.Policy{verify.CodeAnonymous: {Do: verify.DoReject}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, user := range []string{"(606)206-7563", "anonymous", "+12125551234"} {
		r := &sip.Request{Method: "INVITE", User: "100", From: sip.NameAddr{URI: "sip:" + user + "@example.com", User: user, Host: "example.com"}}
		got := v.Verify(context.Background(), &verify.Caller{
			Request: r, Source: verify.Source(r, false), Destination: address.FromSIPUser(r.User), Peer: netip.MustParseAddrPort("203.0.113.9:5060"),
		})
		fmt.Println(got.Result, got.Status, got.Code)
	}
	// Output:
	// reject 403 own_number_spoofed
	// reject 433 anonymous
	// pass 0
}

// A Checker of one's own comes last; what it fails with is refused, unless the policy says otherwise.
func ExampleChecker() {
	v, err := verify.New(verify.Config{Checkers: []verify.Checker{blocked{"+12125551234"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	r := &sip.Request{Method: "INVITE", From: sip.NameAddr{User: "+12125551234"}}
	got := v.Verify(context.Background(), &verify.Caller{Request: r, Source: verify.Source(r, false)})
	fmt.Println(got.Result, got.Status, got.Sentence)
	// Output: reject 608 +12125551234 is not welcome
}

type blocked []string

func (b blocked) Check(_ context.Context, c *verify.Caller, v *verify.Verdict) {
	for _, n := range b {
		if c.Source.Target == n {
			v.Checks = append(v.Checks, verify.Check{Name: "blocked", Result: verify.CheckFail, Code: "blocked", Status: 608, Evidence: n + " is not welcome"})
		}
	}
}
