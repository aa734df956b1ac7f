package sip

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
)

// maxForwards is the usual first value of Max-Forwards (RFC 3261 8.1.1.6).
const maxForwards = 70

// Request is a received request, taken apart and copied: it is a plain value
// that survives JSON. Nobody may change it.
type Request struct {
	Method      string         `json:"method"`
	URI         string         `json:"uri"`            // Request-URI as received
	User        string         `json:"user,omitempty"` // its user part, percent-decoded; the number of a tel URI
	Host        string         `json:"host,omitempty"` // its host, IPv6 without brackets
	From        NameAddr       `json:"from"`
	To          NameAddr       `json:"to"`
	CallID      string         `json:"call_id"`
	CSeq        uint32         `json:"cseq"`
	Contact     NameAddr       `json:"contact"`
	MaxForwards int            `json:"max_forwards"` // 70 when the request has none
	UserAgent   string         `json:"user_agent,omitempty"`
	Headers     []Header       `json:"headers"` // all, in order, as received but unfolded
	ContentType string         `json:"content_type,omitempty"`
	Body        []byte         `json:"body,omitempty"`
	Source      netip.AddrPort `json:"source"`  // where it came from
	Network     string         `json:"network"` // "udp" or "tcp"

	// Authenticated is the user whose password the request knew (Config.Admit); its credentials are not among Headers.
	Authenticated string `json:"authenticated,omitempty"`
}

// Header returns the first value of the header called name, and whether there
// is one. Long and compact names are one (RFC 3261 7.3.3), and case does not matter.
func (r *Request) Header(name string) (string, bool) {
	long := longName(name)
	for _, h := range r.Headers {
		if longName(h.Name) == long {
			return h.Value, true
		}
	}
	return "", false
}

// SDP returns the session description: the body, or the application/sdp part
// of a multipart body (RFC 5621). ok is false when there is none.
func (r *Request) SDP() (sdp []byte, ok bool) {
	if len(r.Body) == 0 {
		return nil, false
	}
	if mediaType(r.ContentType) == "application/sdp" {
		return r.Body, true
	}
	return sdpPart(r.ContentType, r.Body)
}

// ParseRequest reads a request as an Endpoint does that gets it from there in a datagram: for tools, and tests of what looks at requests. Its error
// tells what an Endpoint would refuse it for.
func ParseRequest(b []byte, from netip.AddrPort) (*Request, error) {
	m, err := parse(newParser(), b, flow{remote: from})
	switch {
	case err != nil:
		return nil, err
	case m.method == "":
		return nil, errors.New("sip: parse request: it is a response")
	case m.faultStatus != 0:
		return nil, fmt.Errorf("sip: parse request: %d %s", m.faultStatus, m.fault)
	}
	return m.request()
}

// request copies m, a request whose headers were found to be good.
func (m *message) request() (*Request, error) {
	r := &Request{
		Method: m.method, URI: m.uri, CallID: m.callID, CSeq: m.cseq,
		Headers: m.all(), ContentType: m.ctype, Body: bytes.Clone(m.body),
		Source: m.from.remote, Network: m.from.network(), MaxForwards: m.maxForward,
	}
	if r.MaxForwards < 0 {
		r.MaxForwards = maxForwards
	}
	if len(r.Body) == 0 {
		r.Body = nil
	}
	u, err := parseURI(m.uri)
	if err != nil {
		return nil, err
	}
	r.User, r.Host = u.decodedUser(), u.host
	if r.From, err = ParseNameAddr(m.fromValue); err != nil {
		return nil, err
	}
	if r.To, err = ParseNameAddr(m.toValue); err != nil {
		return nil, err
	}
	if m.contact != "" && (m.method != "REGISTER" || m.contact != "*") {
		c, _ := cutOutside(m.contact, ',')
		if r.Contact, err = ParseNameAddr(c); err != nil {
			return nil, err
		}
	}
	r.UserAgent, _ = r.Header("User-Agent")
	return r, nil
}
