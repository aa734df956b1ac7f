package sip

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxAuthorization bounds an Authorization value, in bytes; a real one has some 300.
const maxAuthorization = 4096

// authorization is the value of an Authorization or Proxy-Authorization header with a
// digest in it (RFC 7616 3.4), as far as a server of qop auth needs it.
type authorization struct {
	username  string
	realm     string
	nonce     string
	uri       string
	response  string // hex, lower case
	algorithm string // upper case; MD5 when not given
	cnonce    string
	count     string // nc as it stands: eight hex digits, which are part of the digest
	nc        uint32
}

// parseAuthorization reads s and demands everything that qop auth demands: what a client of RFC 2069 sends,
// without qop, cannot be told from a replay.
func parseAuthorization(s string) (authorization, error) {
	var a authorization
	bad := func(format string, args ...any) (authorization, error) {
		return authorization{}, fmt.Errorf("sip: parse Authorization: "+format, args...)
	}
	if len(s) > maxAuthorization {
		return bad("%d bytes are more than %d", len(s), maxAuthorization)
	}
	scheme, rest, _ := strings.Cut(trim(s), " ")
	if !strings.EqualFold(scheme, "Digest") {
		return bad("the scheme is not Digest")
	}
	fields := map[string]*string{
		"username": &a.username, "realm": &a.realm, "nonce": &a.nonce, "uri": &a.uri, "response": &a.response,
		"algorithm": &a.algorithm, "cnonce": &a.cnonce, "nc": &a.count, "qop": new(string), "userhash": new(string),
	}
	seen := map[string]bool{}
	for rest != "" {
		var part string
		if part, rest = cutOutside(rest, ','); part == "" {
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		if name = strings.ToLower(trim(name)); !ok {
			return bad("%q has no value", clip(name))
		}
		if seen[name] {
			return bad("%s stands there twice", clip(name))
		}
		seen[name] = true
		if f := fields[name]; f != nil {
			*f = unquote(trim(value))
		}
	}
	for _, name := range []string{"username", "realm", "nonce", "uri", "response", "cnonce"} {
		if *fields[name] == "" {
			return bad("missing %s", name)
		}
	}
	switch {
	case !strings.EqualFold(*fields["qop"], "auth"):
		return bad("qop is not auth")
	case strings.EqualFold(*fields["userhash"], "true"):
		return bad("userhash: %w", errors.ErrUnsupported)
	case a.algorithm == "":
		a.algorithm = "MD5"
	}
	a.algorithm, a.response = strings.ToUpper(a.algorithm), strings.ToLower(a.response)
	n, err := strconv.ParseUint(a.count, 16, 32)
	if len(a.count) != 8 || err != nil || n == 0 {
		return bad("nc is not 00000001 to ffffffff in eight digits")
	}
	a.nc = uint32(n)
	return a, nil
}

// credentialsFor finds the digest for realm among the headers called name. One that cannot be read is none: it
// gets a new challenge, like a request without.
func credentialsFor(hs []Header, name, realm string) (a authorization, ok bool) {
	for _, h := range hs {
		if !strings.EqualFold(h.Name, name) {
			continue
		}
		c, err := parseAuthorization(h.Value)
		if err == nil && c.realm == realm {
			return c, true
		}
	}
	return authorization{}, false
}

// sameTarget tells whether the uri of a digest is that of the request (RFC 7616 3.4.6). Parameters are not
// looked at: gateways on the way add and drop them.
func sameTarget(digest, request string) bool {
	if digest == request {
		return true
	}
	a, errA := parseURI(digest)
	b, errB := parseURI(request)
	return errA == nil && errB == nil && a.scheme == b.scheme && a.user == b.user && strings.EqualFold(a.host, b.host) &&
		(a.port == b.port || a.port == 0 && b.port == defaultPort || b.port == 0 && a.port == defaultPort)
}
