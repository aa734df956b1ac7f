package sip

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// NameAddr is the value of a From, To, Contact or like header (RFC 3261 20.10):
// a URI with an optional name before and parameters after it.
type NameAddr struct {
	Display string            `json:"display,omitempty"` // without quotes and escapes
	URI     string            `json:"uri"`               // as received
	User    string            `json:"user,omitempty"`    // user part of URI, percent-decoded, without password; number of a tel URI
	Host    string            `json:"host,omitempty"`    // host of URI, IPv6 without brackets
	Params  map[string]string `json:"params,omitempty"`  // header parameters but the tag, names in lower case
	Tag     string            `json:"tag,omitempty"`
}

// ParseNameAddr parses s, the value of one From, To, Contact, Route or like
// header. Both `"Name" <uri>;params` and `uri;params` are understood.
func ParseNameAddr(s string) (NameAddr, error) {
	var a NameAddr
	fail := func(what string) (NameAddr, error) {
		return NameAddr{}, errors.New("sip: parse address: " + what)
	}
	rest := trim(s)
	if strings.HasPrefix(rest, `"`) {
		end := closingQuote(rest)
		if end < 0 {
			return fail("unbalanced quote")
		}
		a.Display, rest = unquote(rest[:end+1]), trim(rest[end+1:])
		if !strings.HasPrefix(rest, "<") {
			return fail("missing < after the display name")
		}
	}
	params := ""
	if i := strings.IndexByte(rest, '<'); i >= 0 {
		if a.Display == "" {
			a.Display = strings.Join(strings.Fields(rest[:i]), " ")
		}
		end := strings.IndexByte(rest[i:], '>')
		if end < 0 {
			return fail("missing >")
		}
		a.URI, rest = rest[i+1:i+end], trim(rest[i+end+1:])
		if rest != "" && rest[0] != ';' {
			return fail(fmt.Sprintf("%q after >", rest))
		}
		params = rest
	} else {
		// Without brackets all parameters are the header's (RFC 3261 20).
		a.URI = rest
		if i := strings.IndexByte(rest, ';'); i >= 0 {
			a.URI, params = trim(rest[:i]), rest[i:]
		}
		if strings.ContainsAny(a.URI, ",?") {
			return fail("a URI with , or ? must stand in brackets")
		}
	}
	u, err := parseURI(a.URI)
	if err != nil {
		return NameAddr{}, fmt.Errorf("sip: parse address: %w", err)
	}
	a.User, a.Host = u.decodedUser(), u.host
	eachParam(params, func(n, v string) bool {
		switch {
		case n == "":
		case n == "tag":
			a.Tag = v
		default:
			if a.Params == nil {
				a.Params = make(map[string]string)
			}
			a.Params[n] = v
		}
		return true
	})
	return a, nil
}

// ParseNameAddrs parses s, the values of one header such as P-Asserted-Identity, with commas between them.
func ParseNameAddrs(s string) ([]NameAddr, error) {
	var all []NameAddr
	for _, part := range splitList(s) {
		a, err := ParseNameAddr(part)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

func closingQuote(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// uri is a URI taken apart, its parts as received.
type uri struct {
	scheme string // lower case
	user   string // with password; of other schemes than sip and sips: all after the scheme
	host   string // without brackets
	port   uint16 // 0: not given
	params string // without the first ';'
	header bool   // there is a '?' with headers, which only a URI to be called has
}

func parseURI(s string) (u uri, err error) {
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok || scheme == "" || strings.IndexFunc(scheme, func(r rune) bool { return !isScheme(r) }) >= 0 {
		return uri{}, fmt.Errorf("URI %q has no scheme", clip(s))
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c == '<' || c == '>' || c == '"' || c == 0x7f {
			return uri{}, fmt.Errorf("URI %q holds %q", clip(s), c)
		}
	}
	u.scheme = strings.ToLower(scheme)
	switch u.scheme {
	case "sip", "sips":
	case "tel":
		u.user, u.params, _ = strings.Cut(rest, ";")
		if u.user == "" {
			return uri{}, fmt.Errorf("URI %q has no number", clip(s))
		}
		return u, nil
	default:
		u.user = rest
		return u, nil
	}
	// The last @ before the headers ends the user part, which may itself hold
	// ';' and '?' (RFC 3261 25.1, user-unreserved) but no '@'.
	if i := strings.IndexByte(rest, '@'); i >= 0 {
		u.user, rest = rest[:i], rest[i+1:]
	}
	if i := strings.IndexByte(rest, '?'); i >= 0 {
		rest, u.header = rest[:i], true
	}
	hostport := rest
	if i := strings.IndexByte(rest, ';'); i >= 0 {
		hostport, u.params = rest[:i], rest[i+1:]
	}
	var port string
	u.host, port = splitHost(hostport)
	if u.host == "" || strings.ContainsAny(u.host, "[]@,") {
		return uri{}, fmt.Errorf("URI %q has no host", clip(s))
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return uri{}, fmt.Errorf("URI %q has the port %q", clip(s), clip(port))
		}
		u.port = uint16(n)
	}
	return u, nil
}

func isScheme(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '+' || r == '-' || r == '.'
}

// decodedUser is the user part without its password and escapes; a wrong
// escape stays as it is.
func (u uri) decodedUser() string {
	user := u.user
	if u.scheme == "sip" || u.scheme == "sips" {
		user, _, _ = strings.Cut(user, ":")
	}
	if d, err := url.PathUnescape(user); err == nil {
		return d
	}
	return user
}

// clip shortens what a peer sent to what an error message may hold.
func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "..."
	}
	return s
}
