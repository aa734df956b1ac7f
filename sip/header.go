package sip

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// Header is one header field as it was received, unfolded, or is to be sent.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// check guards against header values from outside that would begin a new
// header field or end the message.
func (h Header) check() error {
	if h.Name == "" || strings.IndexFunc(h.Name, func(r rune) bool { return !isToken(r) }) >= 0 {
		return fmt.Errorf("sip: header name %q is not a token", h.Name)
	}
	if ownHeader(longName(h.Name)) {
		return fmt.Errorf("sip: header %s is set by the dialog", h.Name)
	}
	if err := checkValue(h.Value); err != nil {
		return fmt.Errorf("sip: header %s: %w", h.Name, err)
	}
	return nil
}

var errLineBreak = errors.New("value holds a line break or NUL")

func checkValue(v string) error {
	if strings.ContainsAny(v, "\r\n\x00") {
		return errLineBreak
	}
	return nil
}

// ownHeader lists what only the dialog itself may write.
func ownHeader(long string) bool {
	switch long {
	case "via", "from", "to", "call-id", "cseq", "max-forwards", "route", "record-route",
		"content-length", "content-type", "contact", "rseq", "rack", "session-expires", "min-se":
		return true
	}
	return false
}

// isToken is RFC 3261 25.1, token.
func isToken(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
		strings.ContainsRune("-.!%*_+`'~", r)
}

// longName returns the lower-case long form of a header's name (RFC 3261
// 7.3.3). The names that stand in almost every message cost no allocation.
func longName(name string) string {
	if len(name) == 1 {
		switch name[0] {
		case 'v', 'V':
			return "via"
		case 'f', 'F':
			return "from"
		case 't', 'T':
			return "to"
		case 'i', 'I':
			return "call-id"
		case 'm', 'M':
			return "contact"
		case 'l', 'L':
			return "content-length"
		case 'c', 'C':
			return "content-type"
		case 'e', 'E':
			return "content-encoding"
		case 'k', 'K':
			return "supported"
		case 's', 'S':
			return "subject"
		case 'r', 'R':
			return "refer-to"
		case 'b', 'B':
			return "referred-by"
		case 'o', 'O':
			return "event"
		case 'u', 'U':
			return "allow-events"
		case 'x', 'X':
			return "session-expires"
		case 'y', 'Y':
			return "identity"
		}
	}
	switch name {
	case "User-Agent":
		return "user-agent"
	case "Allow":
		return "allow"
	case "Supported":
		return "supported"
	case "Require":
		return "require"
	case "Record-Route":
		return "record-route"
	case "Max-Forwards":
		return "max-forwards"
	case "CSeq":
		return "cseq"
	case "Call-ID":
		return "call-id"
	}
	return sip.HeaderToLower(name)
}

// splitList cuts s at the commas that stand outside of quotes and angle
// brackets, and trims the parts; empty ones are left out.
func splitList(s string) (parts []string) {
	for s != "" {
		var v string
		v, s = cutOutside(s, ',')
		if v != "" {
			parts = append(parts, v)
		}
	}
	return parts
}

// cutOutside splits s at the first sep outside of quotes and angle brackets.
func cutOutside(s string, sep byte) (before, after string) {
	quoted, angle := false, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '<':
			angle = true
		case c == '>':
			angle = false
		case c == sep && !angle:
			return trim(s[:i]), s[i+1:]
		}
	}
	return trim(s), ""
}

func trim(s string) string { return strings.Trim(s, " \t") }

// eachParam calls f with each of the parameters ";a=b;c" of s, its name in
// lower case, its value unquoted, until f returns false.
func eachParam(s string, f func(name, value string) bool) {
	for s != "" {
		var p string
		p, s = cutOutside(s, ';')
		if p == "" {
			continue
		}
		name, value, _ := strings.Cut(p, "=")
		if !f(strings.ToLower(trim(name)), unquote(trim(value))) {
			return
		}
	}
}

func param(s, name string) (value string, ok bool) {
	eachParam(s, func(n, v string) bool {
		if n == name {
			value, ok = v, true
		}
		return !ok
	})
	return value, ok
}

// unquote takes the quotes and backslashes from a quoted string; anything else
// comes back unchanged.
func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	s = s[1 : len(s)-1]
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// via is the topmost Via value of a message (RFC 3261 20.42).
type via struct {
	raw       string // the value
	rest      string // what followed it in the same header field, with no comma in front
	badList   bool   // there was a comma and nothing after it
	version   string // "2.0"
	transport string // upper case
	host      string // without brackets
	port      uint16 // 0: not given
	branch    string
	rport     bool   // an rport parameter without value: answer to the source port (RFC 3581)
	params    string // all after the sent-by, without the first ';'
	sentBy    string // all before params
}

func parseVia(value string) (v via, err error) {
	fail := func(what string) (via, error) { return via{}, errors.New("sip: parse Via: " + what) }
	v.raw, v.rest = cutOutside(value, ',')
	v.badList = trim(v.rest) == "" && strings.HasSuffix(trim(value), ",")
	v.sentBy, v.params = v.raw, ""
	if i := strings.IndexByte(v.raw, ';'); i >= 0 {
		v.sentBy, v.params = v.raw[:i], v.raw[i+1:]
	}
	proto, rest, ok := strings.Cut(v.sentBy, "/")
	if !ok || !strings.EqualFold(trim(proto), "SIP") {
		return fail("not SIP")
	}
	version, rest, ok := strings.Cut(rest, "/")
	if !ok {
		return fail("missing transport")
	}
	v.version = trim(version)
	rest = strings.TrimLeft(rest, " \t")
	i := strings.IndexAny(rest, " \t")
	if i < 0 {
		return fail("missing sent-by")
	}
	v.transport = strings.ToUpper(rest[:i])
	var port string
	v.host, port = splitHost(trim(rest[i:]))
	if v.host == "" || strings.ContainsAny(v.host, " \t") {
		return fail("missing sent-by")
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return fail("port " + strconv.Quote(port))
		}
		v.port = uint16(n)
	}
	eachParam(v.params, func(n, val string) bool {
		switch n {
		case "branch":
			v.branch = val
		case "rport":
			v.rport = val == ""
		}
		return true
	})
	return v, nil
}

// splitHost cuts "host", "host:port", "[v6]" and "[v6]:port"; the host comes
// without brackets.
func splitHost(s string) (host, port string) {
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return "", ""
		}
		return s[1:end], trim(strings.TrimPrefix(trim(s[end+1:]), ":"))
	}
	host, port, _ = strings.Cut(s, ":")
	return trim(host), trim(port)
}

// key tells transactions apart (RFC 3261 17.2.3).
func (v *via) key() string { return v.branch + " " + trim(v.sentBy) }

// cseq parses a CSeq value (RFC 3261 20.16).
func parseCSeq(s string) (n uint32, method string, err error) {
	i := strings.IndexAny(s, " \t")
	if i < 0 {
		return 0, "", errors.New("sip: parse CSeq: missing method")
	}
	seq, err := strconv.ParseUint(s[:i], 10, 31)
	if err != nil {
		return 0, "", fmt.Errorf("sip: parse CSeq: number %q is not below 2**31", s[:i])
	}
	return uint32(seq), trim(s[i:]), nil
}

// reasonOf reads the Q.850 cause of the Reason headers, 0 where there is none, and returns them as they stand.
func reasonOf(hs []Header) (cause int, said string) {
	for _, h := range hs {
		if !strings.EqualFold(h.Name, "Reason") {
			continue
		}
		if said != "" {
			said += ", "
		}
		said += h.Value
		for _, v := range splitList(h.Value) {
			if proto, params := cutOutside(v, ';'); strings.EqualFold(proto, "Q.850") && cause == 0 {
				if s, ok := param(params, "cause"); ok {
					n, _ := strconv.ParseUint(s, 10, 7) // a cause has seven bits
					cause = int(n)
				}
			}
		}
	}
	return cause, said[:min(len(said), 256)]
}

// parseReason reads the first Q.850 or else SIP value of the Reason headers (RFC 3326).
func parseReason(hs []Header) (cause int, text string) {
	best := 0
	for _, h := range hs {
		if !strings.EqualFold(h.Name, "Reason") {
			continue
		}
		for _, v := range splitList(h.Value) {
			proto, params := cutOutside(v, ';')
			rank := 1
			switch strings.ToUpper(proto) {
			case "Q.850":
				rank = 3
			case "SIP":
				rank = 2
			}
			if rank <= best {
				continue
			}
			best, cause, text = rank, 0, ""
			eachParam(params, func(n, val string) bool {
				switch n {
				case "cause":
					if c, err := strconv.ParseUint(val, 10, 16); err == nil {
						cause = int(c)
					}
				case "text":
					text = val
				}
				return true
			})
		}
	}
	return cause, text
}
