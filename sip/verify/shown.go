package verify

import (
	"net/netip"
	"strings"
	"unicode"

	"golang.org/x/net/idna"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/sip"
)

// shown is an identity that a request shows.
type shown struct {
	where string // "From", ...
	sip.NameAddr
}

// Headers that say who calls, beside From and Contact.
const (
	headerAsserted  = "P-Asserted-Identity"  // RFC 3325 9.1
	headerPreferred = "P-Preferred-Identity" // RFC 3325 9.2
	headerRPID      = "Remote-Party-ID"      // a draft that phones still show
)

// maxShown is how many identities a request may show; an honest one has four at most.
const maxShown = 8

// values are the identities of all headers called name.
func values(r *sip.Request, name string) (all []shown, err error) {
	for _, h := range r.Headers {
		if !strings.EqualFold(h.Name, name) {
			continue
		}
		as, err := sip.ParseNameAddrs(h.Value)
		if err != nil {
			return nil, err
		}
		for _, a := range as {
			all = append(all, shown{name, a})
		}
	}
	return all, nil
}

// believed is what a trusted trunk asserts: a SIP address, a number, or both (RFC 3325 9.1). Anything else it cannot mean.
func believed(r *sip.Request) (all []shown, ok bool) {
	all, err := values(r, headerAsserted)
	if err != nil || len(all) == 0 || len(all) > 2 || len(all) == 2 && isTel(all[0].URI) == isTel(all[1].URI) {
		return nil, false
	}
	for _, a := range all {
		if !isTel(a.URI) && a.Host == "" { // no sip: or sips:
			return nil, false
		}
	}
	return all, true
}

func isTel(uri string) bool { return len(uri) > 4 && strings.EqualFold(uri[:4], "tel:") }

// privacy are the words of the Privacy headers (RFC 3323 4.2), in lower case.
func privacy(r *sip.Request) (words []string) {
	for _, h := range r.Headers {
		if strings.EqualFold(h.Name, "Privacy") {
			words = append(words, strings.FieldsFunc(strings.ToLower(h.Value), func(c rune) bool { return c == ';' || c == ',' || c == ' ' || c == '\t' })...)
		}
	}
	return words
}

// hides tells by which word of Privacy the caller wants nobody to see who it is. "header" and "session" hide other things (RFC 5079 3).
func hides(r *sip.Request) string {
	for _, w := range privacy(r) {
		if w == "id" || w == "user" {
			return w
		}
	}
	return ""
}

// Source is who is shown as the caller of r, and judged: the extension that has given its password, else what a trusted trunk asserts in
// P-Asserted-Identity unless Privacy hides it (RFC 3325 5 to 8), else From. What is no number of the E.164 plan is a SIP address: only who has given its
// password is an extension.
func Source(r *sip.Request, trusted bool) address.Address {
	if x := r.Authenticated; x != "" {
		return address.Address{Type: address.TypeExtension, Target: x, TargetName: x, Name: r.From.Display}
	}
	a := r.From
	if trusted && hides(r) == "" {
		if all, ok := believed(r); ok {
			best := all[0]
			if len(all) == 2 && isTel(all[1].URI) {
				best = all[1]
			}
			for _, s := range append(all, shown{"From", r.From}) {
				if best.Display == "" {
					best.Display = s.Display
				}
			}
			a = best.NameAddr
		}
	}
	if n := PlainNumber(a.User); address.IsE164(n) {
		return address.Address{Type: address.TypeTel, Target: n, TargetName: a.Display}
	}
	target := a.User
	if a.Host != "" {
		target += "@" + a.Host
	}
	return address.Address{Type: address.TypeSIP, Target: target, TargetName: a.Display}
}

// PlainNumber takes the visual separators and the parameters of RFC 3966 off a number that begins with "+", and nothing else:
// letters must not vanish from a number that is to be verified.
func PlainNumber(user string) string {
	if !strings.HasPrefix(user, "+") {
		return user
	}
	n, _, _ := strings.Cut(user, ";")
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("-.()", r) {
			return -1
		}
		return r
	}, n)
}

// Host is a host in the one form in which hosts are compared: lower case, without a dot at the end, international names in ASCII (RFC 5890), addresses
// without brackets and zone, IPv4 not as IPv6.
func Host(h string) string {
	h = strings.TrimSuffix(strings.TrimPrefix(h, "["), "]")
	if a, err := netip.ParseAddr(h); err == nil {
		return a.Unmap().WithZone("").String()
	}
	for i := range len(h) {
		if h[i] >= 0x80 || h[i] == '%' {
			if ascii, err := idna.Lookup.ToASCII(strings.TrimRight(unescaped(h), ".")); err == nil {
				h = ascii
			}
			break
		}
	}
	return strings.TrimRight(strings.ToLower(h), ".")
}

// digitOf is the value of a decimal digit of any script, -1 for what is none.
func digitOf(r rune) int {
	switch {
	case r >= '0' && r <= '9':
		return int(r - '0')
	case r < 0x80 || !unicode.Is(unicode.Nd, r):
		return -1
	}
	// The digits of a script are ten in a row, from 0 on.
	for _, t := range unicode.Nd.R16 {
		if uint16(r) >= t.Lo && r <= rune(t.Hi) {
			return int(uint16(r)-t.Lo) % 10
		}
	}
	for _, t := range unicode.Nd.R32 {
		if uint32(r) >= t.Lo && uint32(r) <= t.Hi {
			return int(uint32(r)-t.Lo) % 10
		}
	}
	return -1
}
