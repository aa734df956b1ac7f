package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/callbin/callbin/call/address"
)

// Config of a Verifier. The zero value refuses callers whose name or number is malformed, and scanners, and notes the rest; with Owned it also refuses
// those that show a number of ours.
type Config struct {
	// Owned tells whether a is one of ours: a number (tel), an extension, or a sip address. It is asked for what callers show, in
	// any form that could be taken for one of ours; an error refuses the call with 500. Nil: nothing is.
	Owned func(ctx context.Context, a address.Address) (bool, error) `json:"-"`
	// Host tells whether a host, normalised, is one of ours: who names it says that it is an extension of ours. Nil: none is.
	Host func(host string) bool `json:"-"`

	// Policy says what becomes of calls whose checks fail, where it is not as in Defaults.
	Policy Policy `json:"policy"`
	// ACL says who may call at all.
	ACL ACL `json:"acl"`
	// TrustedTrunks are the names of those whose P-Asserted-Identity is believed (RFC 3325), beside those of machines of ours. A Verifier goes by
	// Caller.Trusted, which who makes the Caller sets by Trusts.
	TrustedTrunks []string `json:"trusted_trunks"`
	// Exceptions are calls from outside that may show a number of ours.
	Exceptions []Exception `json:"exceptions"`
	// Scanners are those that get no answer.
	Scanners Scanners `json:"scanners"`
	// Regions are the countries (ISO 3166, "US") in whose national form our numbers are known, beside that of the called number.
	Regions []string `json:"regions"`
	// MoreRegions are such, too, asked for when they are needed: for numbers that come and go. Nil: none.
	MoreRegions func() []string `json:"-"`

	// Identity looks at PASSporTs, before the own-number rule, which believes what it puts into Verdict.Attest and Div. Nil: none. An engine
	// closes it at the end of its Run where it is an io.Closer.
	Identity Checker `json:"-"`
	// Checkers come last, in this order: what counts calls belongs here, so that it counts none that is refused anyway.
	Checkers []Checker `json:"-"`
}

// Exception lets calls show a number of ours: those that fit all of what is set in it, of which something has to be.
type Exception struct {
	Numbers  []string       `json:"numbers"`  // and extensions that may be shown, "+" and digits; none: all
	Networks []netip.Prefix `json:"networks"` // that the call comes from; none: any
	Trunks   []string       `json:"trunks"`   // that it comes by; none: any, or none
}

// Verifier looks at callers. Its methods may be called from any goroutine.
type Verifier struct {
	cfg Config
	acl acl
}

// New checks cfg and tells all of its faults at once.
func New(cfg Config) (*Verifier, error) {
	if err := cfg.Check("verify: Config."); err != nil {
		return nil, err
	}
	return &Verifier{cfg: cfg, acl: cfg.ACL.compile()}, nil
}

// Check tells all that is wrong with c; at stands before the names of its fields.
func (c *Config) Check(at string) error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(at+format, args...)) }
	for _, code := range slices.Sorted(maps.Keys(c.Policy)) {
		if err := c.Policy[code].check(); err != nil {
			bad("policy: %s: %w", code, err)
		}
	}
	for _, list := range []struct {
		name string
		all  []netip.Prefix
	}{{"allow", c.ACL.Allow}, {"deny", c.ACL.Deny}} {
		for i, p := range list.all {
			if !p.IsValid() {
				bad("acl.%s[%d]: it is no network", list.name, i)
			}
		}
	}
	for i, t := range c.ACL.DenyTrunks {
		if slices.Contains(c.ACL.Trunks, t) {
			bad("acl.deny_trunks[%d]: %q stands in acl.trunks, too", i, t)
		}
	}
	for i, e := range c.Exceptions {
		if len(e.Numbers)+len(e.Networks)+len(e.Trunks) == 0 {
			bad("exceptions[%d]: it is empty, and would be for everybody", i)
		}
		for j, n := range e.Numbers {
			if !address.IsE164(n) && address.CheckExtension(n) != nil {
				bad("exceptions[%d].numbers[%d]: %.40q is neither \"+\" and 7 to 15 digits nor an extension", i, j, n)
			}
		}
		for j, p := range e.Networks {
			if !p.IsValid() {
				bad("exceptions[%d].networks[%d]: it is no network", i, j)
			}
		}
	}
	for i, a := range c.Scanners.Agents {
		if strings.TrimSpace(a) == "" {
			bad("scanners.agents[%d]: it is empty, and would be in every User-Agent", i)
		}
	}
	for i, r := range c.Regions {
		if !address.IsRegion(r) {
			bad("regions[%d]: %.20q is no country", i, r)
		}
	}
	return errors.Join(errs...)
}

// Names of the checks, in the order of looking.
const (
	CheckScanner   = "scanner"
	CheckSource    = "source"
	CheckAsserted  = "asserted"
	CheckFormat    = "caller_format"
	CheckNumber    = "caller_number"
	CheckAnonymous = "anonymous"
	CheckIdentity  = "identity"     // Config.Identity
	CheckDiverted  = "identity_div" // and, where the call was retargeted on its way
	CheckOwnNumber = "own_number"
	CheckExtension = "extension"
	CheckVelocity  = "velocity" // one of Config.Checkers
)

// CheckNames are the names of all checks of this package, in the order of looking.
func CheckNames() []string {
	return []string{CheckScanner, CheckSource, CheckAsserted, CheckFormat, CheckNumber, CheckAnonymous, CheckIdentity, CheckDiverted, CheckOwnNumber, CheckExtension, CheckVelocity}
}

// Verify looks at c: scanner, source, asserted, caller_format, caller_number, anonymous, Config.Identity, own_number, extension, Config.Checkers. The first
// check that the policy refuses for ends it: what comes after costs more, or counts calls. A challenge waits for the end, since a later
// check may refuse; who has given a password is not asked again.
func (v *Verifier) Verify(ctx context.Context, c *Caller) Verdict {
	l := newLook(v, c)
	verdict := Verdict{Class: l.class, Checks: make([]Check, 0, 10)}
	for _, check := range [...]func(context.Context) Check{
		l.scanner, l.source, l.asserted, l.format, l.number, l.anonymous,
	} {
		verdict.Checks = append(verdict.Checks, check(ctx))
		if v.decide(c, &verdict, len(verdict.Checks)-1) {
			return verdict
		}
	}
	if v.ask(ctx, v.cfg.Identity, c, &verdict) {
		return verdict
	}
	for _, check := range [...]func(context.Context, *Verdict) Check{l.own, l.extension} {
		verdict.Checks = append(verdict.Checks, check(ctx, &verdict))
		if v.decide(c, &verdict, len(verdict.Checks)-1) {
			return verdict
		}
	}
	for _, more := range v.cfg.Checkers {
		if v.ask(ctx, more, c, &verdict) {
			return verdict
		}
	}
	verdict.Result = cmp.Or(verdict.Result, Pass)
	return verdict
}

// ask has a Checker look.
func (v *Verifier) ask(ctx context.Context, more Checker, c *Caller, verdict *Verdict) (refused bool) {
	if more == nil {
		return false
	}
	from := len(verdict.Checks)
	more.Check(ctx, c, verdict)
	return v.decide(c, verdict, from)
}

// decide takes what the policy says about the checks from the one on; refused ends the looking.
func (v *Verifier) decide(c *Caller, verdict *Verdict, from int) (refused bool) {
	for i := from; i < len(verdict.Checks); i++ {
		k := &verdict.Checks[i]
		if k.Result != CheckFail {
			continue
		}
		switch r := v.cfg.Policy.rule(k.Code); {
		case r.Do == DoReject:
			verdict.Result, verdict.Status = Reject, cmp.Or(r.Status, k.Status, 403)
			verdict.Code, verdict.Sentence, verdict.Reason = k.Code, k.Evidence, k.Reason
			return true
		case r.Do == DoChallenge && c.Request.Authenticated == "":
			if verdict.Result == "" {
				verdict.Result, verdict.Status, verdict.Code, verdict.Sentence = Challenge, 407, k.Code, k.Evidence
			}
		}
		if k.Reason != "" { // RFC 9410: the call goes on, and its peer is told all the same
			verdict.Reason = strings.TrimPrefix(verdict.Reason+", "+k.Reason, ", ")
		}
	}
	return false
}

// Drops tells whether a request with this User-Agent gets no answer at all.
func (v *Verifier) Drops(userAgent string) bool {
	return !v.cfg.Scanners.Answer && v.cfg.Scanners.find(userAgent) != ""
}

// Trusts tells whether Config.TrustedTrunks has the trunk.
func (c *Config) Trusts(trunk string) bool {
	return trunk != "" && slices.Contains(c.TrustedTrunks, trunk)
}
