package verify

import (
	"context"
	"strings"

	"github.com/callbin/callbin/call/address"
)

// isAnonymous tells whether a URI says that it is nobody's (RFC 3323 4.1.1.3, RFC 5079 3).
func isAnonymous(user, host string) bool {
	host = Host(host)
	return user == "" || strings.EqualFold(user, "anonymous") || host == "anonymous.invalid" || strings.HasSuffix(host, ".anonymous.invalid")
}

// anonymous fails for a caller that hides. 433 is for the policy: to hide is a right (RFC 5079 1), and so it goes on by default.
func (l *look) anonymous(context.Context) Check {
	r := l.c.Request
	why := ""
	switch user, host := l.userHost(); {
	case l.c.Source.Type == address.TypeExtension && r.Authenticated != "":
		return passed(CheckAnonymous, "")
	case l.class == ClassAnonymous || l.c.Source.Type == address.TypeSIP && isAnonymous(user, host):
		why = "the caller is anonymous"
	case hides(r) != "":
		why = "Privacy: " + hides(r)
	case strings.EqualFold(l.c.Source.TargetName, "anonymous"):
		why = "the name of the caller is Anonymous"
	default:
		return passed(CheckAnonymous, "")
	}
	k := failed(CheckAnonymous, CodeAnonymous, "%s", why)
	k.Status = 433
	return k
}

// asserted tells what became of P-Asserted-Identity (RFC 3325 5 and 8): believed from a trusted trunk, ignored from anybody else.
func (l *look) asserted(context.Context) Check {
	r := l.c.Request
	if _, there := r.Header(headerAsserted); !there || r.Authenticated != "" {
		return skipped(CheckAsserted, "")
	}
	if !l.c.Trusted {
		return skipped(CheckAsserted, headerAsserted+" is ignored: it does not come from a trusted trunk")
	}
	all, ok := believed(r)
	if !ok {
		return failed(CheckAsserted, CodeAssertedMalformed, "%s of the trunk %s is not one SIP address, one number, or one of both", headerAsserted, l.c.Trunk)
	}
	if w := hides(r); w != "" {
		return passed(CheckAsserted, "the trunk "+l.c.Trunk+" knows who calls; Privacy: "+w+" says not to show it")
	}
	return passed(CheckAsserted, "the trunk "+l.c.Trunk+" asserts "+clip(all[0].URI))
}

// clip shortens what a peer sent.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "..."
	}
	return s
}
