package verify

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/callbin/callbin/call/address"
)

// Classes of what a caller shows: Verdict.Class.
const (
	ClassE164         = "e164"         // a number, with its country or of one that counts here
	ClassShort        = "short"        // up to six digits, from a trunk: a service
	ClassExtension    = "extension"    // of ours, by its password; or shaped like one, and then it is none of ours
	ClassAnonymous    = "anonymous"    // it hides
	ClassAlphanumeric = "alphanumeric" // a name
	ClassInvalid      = "invalid"      // digits that are no number
)

// maxExtension is how many digits look like an extension.
const maxExtension = 6

// maxCaller bounds a caller's name and number, in bytes.
const maxCaller = 256

// look is one caller that is looked at.
type look struct {
	v       *Verifier
	c       *Caller
	class   string
	judged  address.Number // the caller's, the zero Number: none
	all     []shown        // what is shown, and what phones and people could take for it
	shows   int            // how many identities there are
	regions []string       // see places
	placed  bool
	parsed  map[[2]string]address.Number // see parse
}

func newLook(v *Verifier, c *Caller) *look {
	l := &look{v: v, c: c}
	l.gather()
	l.classify()
	return l
}

// gather finds the identities. What a trusted trunk asserts stands in place of all others.
func (l *look) gather() {
	r := l.c.Request
	asserted, ok := believed(r)
	if l.c.Trusted && ok {
		l.all, l.shows = asserted, len(asserted)
		if hides(r) != "" {
			l.all = append(l.all, shown{"From", r.From})
		}
		return
	}
	l.all = append(l.all, shown{"From", r.From})
	for _, name := range []string{headerAsserted, headerPreferred, headerRPID} {
		more, _ := values(r, name) // what cannot be read shows nobody
		l.all = append(l.all, more...)
	}
	l.shows = len(l.all)
	l.all = l.all[:min(len(l.all), maxShown)]
	if l.c.Trunk == "" { // the machines of providers write there what they like
		l.all = append(l.all, shown{"Contact", r.Contact})
	}
}

// places are the countries in which a number without country may be meant.
func (l *look) places() []string {
	if !l.placed {
		l.placed, l.regions = true, slices.Clone(l.v.cfg.Regions)
		if more := l.v.cfg.MoreRegions; more != nil {
			l.regions = append(l.regions, more()...)
		}
		if l.c.Destination.Type == address.TypeTel {
			if region := l.parse(l.c.Destination.Target, "").Region(); region != "" && !slices.Contains(l.regions, region) {
				l.regions = append(l.regions, region)
			}
		}
	}
	return l.regions
}

// user and host of the caller that is judged.
func (l *look) userHost() (user, host string) {
	s := l.c.Source
	if s.Type != address.TypeSIP {
		return s.Target, ""
	}
	if i := strings.LastIndexByte(s.Target, '@'); i >= 0 {
		return s.Target[:i], Host(s.Target[i+1:])
	}
	return s.Target, ""
}

// classify finds the class, and the number.
func (l *look) classify() {
	user, host := l.userHost()
	switch l.c.Source.Type {
	case address.TypeExtension:
		l.class = ClassExtension
		return
	case address.TypeTel:
		l.class = ClassE164
		l.judged = l.parse(user, "") // a Source of type tel is E.164
		return
	}
	if isAnonymous(user, host) {
		l.class = ClassAnonymous
		return
	}
	plain, _, _ := strings.Cut(user, ";")
	digits := strings.Map(func(r rune) rune {
		if strings.ContainsRune("-.()", r) {
			return -1
		}
		return r
	}, plain)
	if strings.Trim(digits, "0123456789") != "" {
		if l.class = ClassAlphanumeric; strings.HasPrefix(user, "+") {
			l.class = ClassInvalid
		}
		return
	}
	switch {
	case digits == "":
		l.class = ClassInvalid
	case len(digits) <= maxExtension && l.c.Trunk != "":
		l.class = ClassShort
	case len(digits) <= maxExtension:
		l.class = ClassExtension
	default:
		if l.judged = l.national(digits); l.judged.IsZero() {
			l.class = ClassInvalid
		} else {
			l.class = ClassE164
		}
	}
}

// national reads digits without "+": with the prefix of international calls, as of a country that counts here, or else with the country in front.
func (l *look) national(digits string) address.Number {
	for _, prefix := range []string{"00", "011"} {
		if rest, ok := strings.CutPrefix(digits, prefix); ok {
			if n := l.parse("+"+rest, ""); n.IsPossible() {
				return n
			}
		}
	}
	for _, region := range l.places() {
		if n := l.parse(digits, region); n.IsValid() {
			return n
		}
	}
	if n := l.parse("+"+digits, ""); n.IsValid() {
		return n
	}
	return address.Number{}
}

func (l *look) format(context.Context) Check {
	if l.shows > maxShown {
		return failed(CheckFormat, CodeCallerMalformed, "the caller shows %d identities, more than %d", l.shows, maxShown)
	}
	if why := malformed(l.c.Request.From.User, l.c.Request.From.Display); why != "" {
		return failed(CheckFormat, CodeCallerMalformed, "%s", why)
	}
	user, _ := l.userHost()
	if why := malformed(user, l.c.Source.TargetName); why != "" {
		return failed(CheckFormat, CodeCallerMalformed, "%s", why)
	}
	return passed(CheckFormat, "")
}

// malformed says what is wrong with a caller's name and number, "" for nothing.
func malformed(user, display string) string {
	if len(user) > maxCaller || len(display) > maxCaller {
		return fmt.Sprintf("the caller's name or number is longer than %d bytes", maxCaller)
	}
	for _, s := range []string{user, display} {
		for i, r := range s {
			if r == utf8.RuneError {
				if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
					return "the caller's name or number is not UTF-8"
				}
			}
			if !unicode.IsPrint(r) {
				return fmt.Sprintf("the caller's name or number holds the character %U", r)
			}
		}
	}
	if strings.HasPrefix(user, "+") && !address.IsE164(PlainNumber(user)) {
		return fmt.Sprintf("%q is not a number of the E.164 plan", user)
	}
	return ""
}

func (l *look) number(context.Context) Check {
	n, fail := l.judged, func(code, format string, args ...any) Check { return failed(CheckNumber, code, format, args...) }
	switch {
	case l.class == ClassInvalid:
		user, _ := l.userHost()
		return fail(CodeNumberInvalid, "%.40q is no number of a country that counts here", user)
	case n.IsZero():
		return skipped(CheckNumber, "")
	}
	digits := n.String()[1:]
	switch {
	case strings.Trim(digits, "0") == "":
		return fail(CodeNumberImpossible, "%s is made of zeros", n)
	case n.CountryCode() == 0 || !n.IsPossible():
		return fail(CodeNumberImpossible, "no numbering plan has %s: there is no such country code, or none of its numbers is so long", n)
	case l.c.Destination.Type == address.TypeTel && l.c.Destination.Target == n.String():
		return fail(CodeSameAsCallee, "the caller shows %s, which it calls", n)
	case n.CountryCode() == 1 && len(digits) == 11:
		area, office := digits[1:4], digits[4:7]
		if why := notInNANP(area, office); why != "" {
			return fail(CodeNumberImpossible, "%s %s", n, why)
		}
		if office == "555" && digits[7:9] == "01" {
			return fail(CodeNumberFictional, "%s is a number for films", n)
		}
	}
	if !n.IsValid() {
		return fail(CodeNumberUnassigned, "the prefix of %s is not assigned", n)
	}
	return passed(CheckNumber, strings.TrimSpace(n.String()+" "+n.Region()))
}

// notInNANP says why there is no area or office of that code in the plan of country code 1: codes begin with 2 to 9, and N11 are services.
func notInNANP(area, office string) string {
	for _, code := range []string{area, office} {
		switch {
		case code[0] < '2':
			return "has " + code + ", and codes begin with 2 to 9"
		case code[1:] == "11":
			return "has " + code + ", which is a service"
		}
	}
	return ""
}
