package verify

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Types of a PASSporT (ppt) that are understood; the empty one is the plain one of RFC 8225.
const (
	Shaken = "shaken" // RFC 8588
	Div    = "div"    // RFC 8946
)

// Attestations of a shaken PASSporT (RFC 8588 4): what its signer knows.
const (
	AttestFull    = "A" // the customer, and that the number is the customer's
	AttestPartial = "B" // the customer
	AttestGateway = "C" // from where the call came, and no more
)

// Party is one end of a call in a PASSporT (RFC 8225 5.2.1): a number or a URI, in the canonical form of RFC 8224 8.
type Party struct {
	TN  string `json:"tn,omitempty"` // digits with the country code, without "+"; also "*" and "#"
	URI string `json:"uri,omitempty"`
}

// String is the number, or the URI.
func (p Party) String() string { return p.TN + p.URI }

// Passport is what a PASSporT says (RFC 8225): who calls whom, when, and where the certificate of who says so is.
type Passport struct {
	Type     string // Shaken, Div or ""
	X5U      string // URL of the certificate
	IssuedAt time.Time
	Orig     Party
	Dest     []Party
	Attest   string // of a Shaken one
	OrigID   string // of a Shaken one: a UUID
	Div      Party  // of a Div one: whom the call was for before
}

const (
	alg256        = "ES256"
	maxToken      = 8 << 10 // bytes of an Identity header
	maxDest       = 32
	maxPartyBytes = 256
)

// joseHeader has its members in the order of the canonical form (RFC 8225 9).
type joseHeader struct {
	Alg string `json:"alg"`
	PPT string `json:"ppt,omitempty"`
	Typ string `json:"typ"`
	X5U string `json:"x5u"`
}

type claims struct {
	Attest string  `json:"attest,omitempty"`
	Dest   parties `json:"dest"`
	Div    *Party  `json:"div,omitempty"`
	IAT    int64   `json:"iat"`
	Orig   Party   `json:"orig"`
	OrigID string  `json:"origid,omitempty"`
}

type parties struct {
	TN  []string `json:"tn,omitempty"`
	URI []string `json:"uri,omitempty"`
}

// signingInput is the canonical form of p, as it is signed (RFC 8225 9 and RFC 7515 5.1).
func (p *Passport) signingInput() string {
	c := claims{Attest: p.Attest, IAT: p.IssuedAt.Unix(), Orig: p.Orig, OrigID: p.OrigID}
	for _, d := range p.Dest {
		if d.TN != "" {
			c.Dest.TN = append(c.Dest.TN, d.TN)
		} else {
			c.Dest.URI = append(c.Dest.URI, d.URI)
		}
	}
	if p.Type == Div {
		c.Div = &p.Div
	}
	return base64url(canonical(joseHeader{alg256, p.Type, "passport", p.X5U})) + "." + base64url(canonical(c))
}

// canonical is v as JSON, in which no character is escaped that need not be.
func canonical(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil { // strings and numbers only: cannot fail
		return nil
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func base64url(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// strict64 refuses padding, line breaks and bits beyond the last byte: a token has one form.
var strict64 = base64.RawURLEncoding.Strict()

func unbase64(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") { // that the decoder would skip
		return nil, errors.New("not base64url")
	}
	b, err := strict64.DecodeString(s)
	if err != nil {
		return nil, errors.New("not base64url")
	}
	return b, nil
}

// errAlg is of a PASSporT whose algorithm is not the one that RFC 8225 6 asks for.
var errAlg = errors.New("the algorithm is not ES256")

// parseHeader reads the JOSE header of a PASSporT.
func parseHeader(b []byte) (joseHeader, error) {
	var h joseHeader
	m, err := strictObject(b)
	if err != nil {
		return h, err
	}
	for name, to := range map[string]*string{"alg": &h.Alg, "typ": &h.Typ, "ppt": &h.PPT, "x5u": &h.X5U} {
		v, there := m[name]
		s, ok := v.(string)
		if there && !ok {
			return h, fmt.Errorf("%s is no string", name)
		}
		*to = s
	}
	switch {
	case h.Alg == "" || strings.EqualFold(h.Alg, "none"):
		return h, errors.New("it has no algorithm")
	case h.Typ != "passport":
		return h, fmt.Errorf("typ is %.40q, not passport", h.Typ)
	case m["crit"] != nil: // RFC 7515 4.1.11: none is understood
		return h, errors.New("it has critical parameters")
	case h.Alg != alg256:
		return h, fmt.Errorf("%w: %.20q", errAlg, h.Alg)
	}
	return h, nil
}

// parseClaims reads the claims of a PASSporT of type p.Type into p; others than its RFC names are left alone (RFC 8225 8.3).
func (p *Passport) parseClaims(b []byte) error {
	m, err := strictObject(b)
	if err != nil {
		return err
	}
	n, _ := m["iat"].(json.Number)
	iat, err := strconv.ParseInt(string(n), 10, 64)
	if err != nil || iat < 0 || iat > 1<<40 {
		return errors.New("iat is no whole number of seconds")
	}
	p.IssuedAt = time.Unix(iat, 0)
	if p.Orig, err = parseParty(m["orig"]); err != nil {
		return fmt.Errorf("orig: %w", err)
	}
	if p.Dest, err = parseDest(m["dest"]); err != nil {
		return fmt.Errorf("dest: %w", err)
	}
	switch p.Type {
	case Shaken:
		p.Attest, _ = m["attest"].(string)
		p.OrigID, _ = m["origid"].(string)
		if p.Attest != AttestFull && p.Attest != AttestPartial && p.Attest != AttestGateway {
			return errors.New("attest is not A, B or C")
		}
		if len(p.OrigID) != 36 || uuid.Validate(p.OrigID) != nil {
			return errors.New("origid is no UUID")
		}
	case Div:
		if p.Div, err = parseParty(m["div"]); err != nil {
			return fmt.Errorf("div: %w", err)
		}
	}
	return nil
}

// parseParty reads {"tn":"..."} or {"uri":"..."}: one of them (RFC 8225 5.2.1).
func parseParty(v any) (p Party, err error) {
	m, ok := v.(map[string]any)
	if !ok {
		return p, errors.New("no object")
	}
	tn, isTN := m["tn"]
	uri, isURI := m["uri"]
	if isTN == isURI {
		return p, errors.New("neither or both of tn and uri")
	}
	if isTN {
		return party(tn, true)
	}
	return party(uri, false)
}

func parseDest(v any) (all []Party, err error) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("no object")
	}
	for _, name := range []string{"tn", "uri"} {
		v, there := m[name]
		list, ok := v.([]any)
		if there && !ok {
			return nil, fmt.Errorf("%s is no array", name)
		}
		for _, v := range list {
			p, err := party(v, name == "tn")
			if err != nil {
				return nil, err
			}
			all = append(all, p)
		}
	}
	if len(all) == 0 || len(all) > maxDest {
		return nil, fmt.Errorf("%d destinations", len(all))
	}
	return all, nil
}

func party(v any, number bool) (Party, error) {
	s, ok := v.(string)
	switch {
	case !ok:
		return Party{}, errors.New("no string")
	case s == "" || len(s) > maxPartyBytes:
		return Party{}, fmt.Errorf("%d bytes", len(s))
	case !number && strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }):
		return Party{}, errors.New("uri is none")
	case !number:
		return Party{URI: s}, nil
	case len(s) > maxTN || strings.Trim(s, tnChars) != "":
		return Party{}, fmt.Errorf("tn %.40q is not in the canonical form", s)
	}
	return Party{TN: s}, nil
}

const (
	maxTN   = 15
	tnChars = "0123456789*#" // RFC 8225 5.2.1
)
