package verify

import (
	"strings"
	"testing"

	"github.com/callbin/callbin/sip/verify/verifytest"
)

// TestDiverted is RFC 8946 4.2: chains of div, what breaks them, and what that does to the caller's own PASSporT.
func TestDiverted(t *testing.T) {
	b := newBench(t)
	pass := func(name string) Check { return Check{Name: name, Result: CheckPass} }
	bad := func(name, code string, status int) Check {
		return Check{Name: name, Result: CheckFail, Code: code, Status: status}
	}
	to := func(number string, tokens ...*tok) *invite {
		v := newInvite(tokens...)
		v.to, v.uri = "<sip:+"+number+"@example.net>", "sip:+"+number+"@example.net"
		return v
	}
	for _, tc := range []struct {
		name string
		make func() *invite
		want []Check
	}{
		{"one hop", func() *invite { return to(callee2, b.shaken(), b.div(callee1, callee2)) }, []Check{pass("identity"), pass("identity_div")}},
		{"two hops, in any order", func() *invite {
			return to(callee3, b.div(callee2, callee3), b.shaken(), b.div(callee1, callee2))
		}, []Check{pass("identity"), pass("identity_div")}},
		{"To as it was", func() *invite {
			v := to(callee2, b.shaken(), b.div(callee1, callee2))
			v.to = "<sip:+" + callee1 + "@example.net>"
			return v
		}, []Check{pass("identity"), pass("identity_div")}},
		{"a branch that leads elsewhere", func() *invite {
			return to(callee2, b.shaken(), b.div(callee1, callee3), b.div(callee1, callee2))
		}, []Check{pass("identity"), pass("identity_div")}},
		{"a circle", func() *invite {
			return to(callee2, b.shaken(), b.div(callee1, callee3), b.div(callee3, callee1), b.div(callee1, callee2))
		}, []Check{pass("identity"), pass("identity_div")}},
		{"who was called signs with a number of its own", func() *invite {
			h, url := b.issue(one(verifytest.TN(callee1)))
			return to(callee2, b.shaken(), b.div(callee1, callee2).by(h, url))
		}, []Check{pass("identity"), pass("identity_div")}},
		{"somebody else signs", func() *invite {
			h, url := b.issue(one(verifytest.TN(caller1)))
			return to(callee2, b.shaken(), b.div(callee1, callee2).by(h, url))
		}, []Check{bad("identity", CodeIdentityMismatch, 438), bad("identity_div", CodeIdentityCertificate, 437)}},
		{"a hop is missing", func() *invite { return to(callee3, b.shaken(), b.div(callee2, callee3)) },
			[]Check{bad("identity", CodeIdentityMismatch, 438), bad("identity_div", CodeIdentityMismatch, 438)}},
		{"it ends elsewhere", func() *invite { return to(callee3, b.shaken(), b.div(callee1, callee2)) },
			[]Check{bad("identity", CodeIdentityMismatch, 438), bad("identity_div", CodeIdentityMismatch, 438)}},
		{"a hop of another caller", func() *invite {
			k := b.div(callee1, callee2)
			k.replace(&k.claims, caller1, "12155559999")
			return to(callee2, b.shaken(), k)
		}, []Check{bad("identity", CodeIdentityMismatch, 438), bad("identity_div", CodeIdentityMismatch, 438)}},
		{"a hop that is changed", func() *invite {
			k := b.div(callee1, callee3)
			k.value()
			k.replace(&k.claims, callee3, callee2)
			return to(callee2, b.shaken(), k)
		}, []Check{bad("identity", CodeIdentityMismatch, 438), bad("identity_div", CodeIdentitySignature, 438)}},
		{"the first one is bad", func() *invite {
			k := b.shaken()
			k.bend = otherRS
			return to(callee2, k, b.div(callee1, callee2))
		}, []Check{bad("identity", CodeIdentitySignature, 438), bad("identity_div", CodeIdentityMismatch, 438)}},
		{"div alone", func() *invite { return to(callee2, b.div(callee1, callee2)) },
			[]Check{bad("identity", CodeIdentityMismatch, 438), bad("identity_div", CodeIdentityMismatch, 438)}},
		{"a broken div beside a good PASSporT", func() *invite {
			k := b.div(callee1, callee2)
			k.bend = otherRS
			return newInvite(b.shaken(), k)
		}, []Check{pass("identity"), bad("identity_div", CodeIdentitySignature, 438)}},
		{"div without div", func() *invite {
			k := b.div(callee1, callee2)
			k.replace(&k.claims, `"div":{"tn":"`+callee1+`"},`, "")
			return newInvite(b.shaken(), k)
		}, []Check{pass("identity"), bad("identity_div", CodeIdentityMalformed, 438)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := check(t, b.identity(), tc.make().caller(t))
			if len(v.Checks) != len(tc.want) {
				t.Fatalf("checks %+v", v.Checks)
			}
			for n, got := range v.Checks {
				want := tc.want[n]
				if (want.Result == CheckFail) != strings.HasPrefix(got.Reason, "STIR;cause=") || got.Evidence == "" {
					t.Errorf("%+v", got)
				}
				got.Reason, got.Evidence = "", ""
				if got != want {
					t.Errorf("got %+v, want %+v", got, want)
				}
			}
			if linked := len(v.Checks) > 1 && v.Checks[1].Result == CheckPass; linked != (v.Div != "") {
				t.Errorf("diverted from %q", v.Div)
			}
			if passed := v.Checks[0].Result == CheckPass; passed != (v.Verstat == VerstatPassed) || passed != (v.Attest == "A") {
				t.Errorf("verstat %s, attest %q", v.Verstat, v.Attest)
			}
		})
	}
}

// otherRS spoils a signature.
func otherRS(sig []byte) []byte {
	sig[10] ^= 1
	return sig
}
