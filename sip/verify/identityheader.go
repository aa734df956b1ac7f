package verify

import (
	"errors"
	"fmt"
	"strings"
)

// identityHeader is one Identity header, taken apart but not yet believed (RFC 8224 4).
type identityHeader struct {
	header, claims, signature string // of the PASSporT; the first two are "" in the compact form
	info                      string // URL of the certificate
	alg, ppt                  string // "": not given
}

// compact tells whether only the signature stands there (RFC 8225 7).
func (h *identityHeader) compact() bool { return h.header == "" }

// parseIdentity reads the value of an Identity header.
func parseIdentity(value string) (h identityHeader, err error) {
	if len(value) > maxToken {
		return h, fmt.Errorf("%d bytes are more than %d", len(value), maxToken)
	}
	token, params, _ := strings.Cut(value, ";")
	parts := strings.Split(strings.Trim(token, " \t"), ".")
	if len(parts) != 3 || (parts[0] == "") != (parts[1] == "") || parts[2] == "" {
		return h, errors.New("the PASSporT does not have three parts")
	}
	h.header, h.claims, h.signature = parts[0], parts[1], parts[2]
	seen := map[string]bool{}
	for params = strings.Trim(params, " \t"); params != ""; {
		var name, v string
		if name, v, params, err = cutParam(params); err != nil {
			return h, err
		}
		if seen[name] {
			return h, fmt.Errorf("parameter %.20q stands there twice", name)
		}
		seen[name] = true
		switch name {
		case "info":
			uri, closed := strings.CutSuffix(v, ">")
			uri, open := strings.CutPrefix(uri, "<")
			if !open || !closed || uri == "" || strings.ContainsAny(uri, "<>\" \t") {
				return h, errors.New("info is no URI in angle brackets")
			}
			h.info = uri
		case "alg":
			h.alg = v
		case "ppt":
			h.ppt = v
		}
	}
	if h.info == "" {
		return h, errors.New("there is no info")
	}
	return h, nil
}

// cutParam takes the first of the parameters "a=b;c=d" off s: its name in lower case, its value without quotes.
func cutParam(s string) (name, value, rest string, err error) {
	quoted, angle, end := false, false, len(s)
scan:
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"' && !angle:
			quoted = !quoted
		case quoted:
		case c == '<' || c == '>':
			angle = c == '<'
		case c == ';' && !angle:
			end = i
			break scan
		}
	}
	if quoted || angle {
		return "", "", "", errors.New("a quote or bracket is not closed")
	}
	if end < len(s) {
		rest = s[end+1:]
	}
	name, value, _ = strings.Cut(s[:end], "=")
	name, value = strings.ToLower(strings.Trim(name, " \t")), strings.Trim(value, " \t")
	if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' {
		value = value[1 : n-1] // a backslash has nothing to escape in the values that are read
	}
	if name == "" {
		return "", "", "", errors.New("a parameter has no name")
	}
	return name, value, strings.Trim(rest, " \t"), nil
}
