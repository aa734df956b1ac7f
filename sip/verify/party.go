package verify

import (
	"strings"

	"github.com/callbin/callbin/sip"
)

// ends are the canonical forms of one end of a call (RFC 8224 8): a PASSporT may name any of them. The first one is what it
// should name.
type ends []Party

// names tells whether p is one of the forms.
func (e ends) names(p Party) bool {
	for _, x := range e {
		if x == p || x.URI != "" && x.URI == canonicalURI(p.URI) {
			return true
		}
	}
	return false
}

func (e ends) any(list []Party) bool {
	for _, p := range list {
		if e.names(p) {
			return true
		}
	}
	return false
}

func (e ends) String() string {
	if len(e) == 0 {
		return "nobody"
	}
	return e[0].String()
}

// callerOf is who calls: whom a trusted trunk asserts (RFC 3325), else From.
func callerOf(c *Caller) ends {
	var all ends
	if c.Trusted {
		asserted, _ := believed(c.Request) // what cannot be believed is not what the other checks judge, either
		for _, s := range asserted {
			all = append(all, endOf(s.NameAddr)...)
		}
	}
	if len(all) == 0 {
		all = endOf(c.Request.From)
	}
	return all
}

// anonymous tells whether there is no caller that could be compared (RFC 3323 4.1.1.3).
func (e ends) anonymous() bool {
	for _, p := range e {
		if p.TN != "" || !strings.HasSuffix(p.URI, "@anonymous.invalid") && !strings.HasPrefix(p.URI, "sip:anonymous@") {
			return false
		}
	}
	return true
}

// endOf gives the forms of an address: its number where it has one, then its URI.
func endOf(a sip.NameAddr) (all ends) {
	if tn := canonicalTN(a.User); tn != "" {
		all = append(all, Party{TN: tn})
	}
	if uri := canonicalURI(a.URI); uri != "" {
		all = append(all, Party{URI: uri})
	}
	return all
}

// EndOf is the party that a PASSporT names for an address: its number in the international format, else its URI.
func EndOf(a sip.NameAddr) Party {
	if tn := canonicalTN(a.User); strings.HasPrefix(a.User, "+") && tn != "" {
		return Party{TN: tn}
	}
	return Party{URI: canonicalURI(a.URI)}
}

// canonicalTN is the canonical form of a number (RFC 8224 8.3): without "+", visual separators and parameters. "": it is none. No country
// code is guessed: a number in a national format stays as it is, and so is another one than that with its country code.
func canonicalTN(user string) string {
	user, _, _ = strings.Cut(user, ";")
	n := strings.Map(func(r rune) rune {
		if strings.ContainsRune("-.() ", r) {
			return -1
		}
		return r
	}, strings.TrimPrefix(user, "+"))
	if n == "" || len(n) > maxTN || strings.Trim(n, tnChars) != "" {
		return ""
	}
	return n
}

// canonicalURI is the canonical form of a SIP URI (RFC 8224 8.5): scheme, user and host, no port and no parameters. "": of
// others.
func canonicalURI(uri string) string {
	scheme, rest, _ := strings.Cut(uri, ":")
	scheme = strings.ToLower(scheme)
	if scheme != "sip" && scheme != "sips" {
		return ""
	}
	user, host, ok := strings.Cut(rest, "@")
	if !ok {
		user, host = "", rest
	}
	if i := strings.IndexAny(host, ";?>"); i >= 0 {
		host = host[:i]
	}
	if i := strings.IndexByte(host, ']'); strings.HasPrefix(host, "[") && i > 0 {
		host = host[:i+1]
	} else {
		host, _, _ = strings.Cut(host, ":")
	}
	if host = strings.ToLower(host); host == "" {
		return ""
	}
	if user, _, _ = strings.Cut(user, ";"); user != "" {
		return scheme + ":" + user + "@" + host
	}
	return scheme + ":" + host
}
