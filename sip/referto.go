package sip

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// ReferTo is where a REFER sends who gets it (RFC 3515 2.1). All of it is a peer's word.
type ReferTo struct {
	URI      string    `json:"uri"`                // without headers and method
	Scheme   string    `json:"scheme"`             // lower case
	User     string    `json:"user,omitempty"`     // percent-decoded; the number of a tel URI
	Host     string    `json:"host,omitempty"`     // IPv6 without brackets
	Display  string    `json:"display,omitempty"`  // whom the peer calls that
	Method   string    `json:"method,omitempty"`   // "": INVITE
	Replaces *Replaces `json:"replaces,omitempty"` // the dialog that the INVITE is to replace
	Headers  []Header  `json:"headers,omitempty"`  // others that the INVITE was to have; we send none of them
}

// maxReferHeaders bounds the headers in a URI.
const maxReferHeaders = 16

// ParseReferTo parses the value of a Refer-To header. Replaces stands in it as a header of the URI, escaped.
func ParseReferTo(value string) (ReferTo, error) {
	fail := func(err error) (ReferTo, error) { return ReferTo{}, fmt.Errorf("sip: parse Refer-To: %w", err) }
	a, err := ParseNameAddr(value)
	if err != nil {
		return fail(err)
	}
	u, err := parseURI(a.URI)
	if err != nil {
		return fail(err)
	}
	r := ReferTo{URI: a.URI, Scheme: u.scheme, User: a.User, Host: a.Host, Display: a.Display}
	if u.scheme != "sip" && u.scheme != "sips" {
		return r, nil
	}
	// The user part may hold '?' and ';', what follows it not.
	at := strings.IndexByte(a.URI, '@') + 1
	rest, headers, _ := strings.Cut(a.URI[at:], "?")
	hostport, params, _ := strings.Cut(rest, ";")
	for _, p := range strings.Split(params, ";") {
		name, v, _ := strings.Cut(p, "=")
		switch {
		case strings.EqualFold(name, "method"):
			if r.Method != "" || v == "" || strings.IndexFunc(v, func(c rune) bool { return !isToken(c) }) >= 0 {
				return fail(fmt.Errorf("method %q", clip(v)))
			}
			r.Method = v
		case p != "":
			hostport += ";" + p
		}
	}
	if r.Method == "INVITE" {
		r.Method = ""
	}
	r.URI = a.URI[:at] + hostport
	for i, h := range strings.Split(headers, "&") {
		if h == "" {
			continue
		}
		if i >= maxReferHeaders {
			return fail(errors.New("too many headers in the URI"))
		}
		name, v, ok := strings.Cut(h, "=")
		name, err1 := url.PathUnescape(name)
		v, err2 := url.PathUnescape(v)
		hd := Header{name, v}
		if !ok || err1 != nil || err2 != nil || checkValue(v) != nil || name == "" || strings.IndexFunc(name, func(c rune) bool { return !isToken(c) }) >= 0 {
			return fail(fmt.Errorf("header %q in the URI", clip(h)))
		}
		if longName(name) != "replaces" {
			r.Headers = append(r.Headers, hd)
			continue
		}
		rep, err := ParseReplaces(v)
		switch {
		case r.Replaces != nil:
			return fail(errors.New("two Replaces in the URI"))
		case err != nil:
			return fail(err)
		}
		r.Replaces = &rep
	}
	return r, nil
}

// String is the value of a Refer-To header.
func (r ReferTo) String() string {
	uri := r.URI
	if r.Method != "" {
		uri += ";method=" + r.Method
	}
	sep := "?"
	add := func(name, value string) {
		uri += sep + escape(name) + "=" + escape(value)
		sep = "&"
	}
	if r.Replaces != nil {
		add("Replaces", r.Replaces.String())
	}
	for _, h := range r.Headers {
		add(h.Name, h.Value)
	}
	return address(r.Display, uri)
}

// escape writes s as part of the headers of a URI: unreserved characters stay (RFC 3261 25.1).
func escape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.!~*'()", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// ParseSipfrag reads the status line that a message/sipfrag of a NOTIFY for a REFER begins with (RFC 3515 2.4.5, RFC 3420).
func ParseSipfrag(body []byte) (status int, reason string, err error) {
	line, _, _ := strings.Cut(string(body[:min(len(body), 1024)]), "\n")
	line = strings.TrimSuffix(line, "\r")
	rest, ok := strings.CutPrefix(line, "SIP/2.0 ")
	code, reason, _ := strings.Cut(rest, " ")
	n, err := strconv.ParseUint(code, 10, 16)
	if !ok || err != nil || len(code) != 3 || n < 100 || n > 699 {
		return 0, "", fmt.Errorf("sip: parse sipfrag: %q is no status line", clip(line))
	}
	if err := checkValue(reason); err != nil {
		return 0, "", fmt.Errorf("sip: parse sipfrag: reason: %w", err)
	}
	return int(n), trim(reason), nil
}

// sipfrag is the body that tells of a response.
func sipfrag(status int, phrase string) []byte {
	if phrase == "" {
		phrase = statusText(status)
	}
	return fmt.Appendf(nil, "SIP/2.0 %d %s\r\n", status, phrase)
}
