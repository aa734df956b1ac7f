package calltest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// message is a SIP message as text, as far as a phone needs to know it.
type message struct {
	first   string // request or status line
	headers [][2]string
	body    string
}

// compact are the short names of headers (RFC 3261 7.3.3).
var compact = map[string]string{
	"v": "Via", "f": "From", "t": "To", "i": "Call-ID", "m": "Contact", "c": "Content-Type", "l": "Content-Length", "k": "Supported", "s": "Subject",
}

func parseMessage(b []byte) (*message, error) {
	head, body, ok := strings.Cut(string(b), "\r\n\r\n")
	if !ok {
		return nil, fmt.Errorf("calltest: no end of the headers in %.60q", b)
	}
	lines := strings.Split(head, "\r\n")
	m := &message{first: lines[0], body: body}
	if strings.TrimSpace(m.first) == "" { // a keep-alive
		return nil, errors.New("calltest: an empty message")
	}
	for _, l := range lines[1:] {
		k, v, ok := strings.Cut(l, ":")
		if !ok {
			return nil, fmt.Errorf("calltest: header line %.60q", l)
		}
		k = strings.TrimSpace(k)
		if long := compact[strings.ToLower(k)]; long != "" {
			k = long
		}
		m.headers = append(m.headers, [2]string{k, strings.TrimSpace(v)})
	}
	return m, nil
}

// get is the first value of a header, "" where there is none.
func (m *message) get(name string) string {
	if all := m.all(name); len(all) > 0 {
		return all[0]
	}
	return ""
}

func (m *message) all(name string) (values []string) {
	for _, h := range m.headers {
		if strings.EqualFold(h[0], name) {
			values = append(values, h[1])
		}
	}
	return values
}

// set changes a header that m has once, or adds it.
func (m *message) set(name, value string) {
	for i, h := range m.headers {
		if strings.EqualFold(h[0], name) {
			m.headers[i][1] = value
			return
		}
	}
	m.headers = append(m.headers, [2]string{name, value})
}

// add appends headers that a script gives as "Name: value".
func (m *message) add(headers []string) {
	for _, h := range headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			panic(fmt.Sprintf("calltest: header %q is not of the form Name: value", h))
		}
		m.headers = append(m.headers, [2]string{name, strings.TrimSpace(value)})
	}
}

// describe puts SDP in, if there is any.
func (m *message) describe(sdp string) {
	if sdp != "" {
		m.body = sdp
		m.headers = append(m.headers, [2]string{"Content-Type", "application/sdp"})
	}
}

// status is the status code of a response, 0 of a request.
func (m *message) status() int {
	f := strings.Fields(m.first)
	if len(f) < 2 || f[0] != "SIP/2.0" {
		return 0
	}
	n, _ := strconv.Atoi(f[1])
	return n
}

func (m *message) method() string {
	if m.status() != 0 {
		_, method, _ := strings.Cut(m.get("CSeq"), " ")
		return method
	}
	return strings.Fields(m.first)[0]
}

func (m *message) bytes() []byte {
	var b strings.Builder
	b.WriteString(m.first + "\r\n")
	for _, h := range m.headers {
		b.WriteString(h[0] + ": " + h[1] + "\r\n")
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(m.body), m.body)
	return []byte(b.String())
}

// transaction is what a request and its responses have in common (RFC 3261 17.1.3, 17.2.3): the
// top Via, without what the way added to it, and the method.
func (m *message) transaction(method string) string {
	via, _, _ := strings.Cut(m.get("Via"), ",")
	by, params, _ := strings.Cut(via, ";")
	return strings.Join(strings.Fields(by), " ") + " " + param(params, "branch") + " " + method
}

// cseq is the number of CSeq.
func (m *message) cseq() string {
	n, _, _ := strings.Cut(m.get("CSeq"), " ")
	return n
}

// phrases are the usual ones; what is not here is called as its class.
var phrases = map[int]string{
	100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress", 200: "OK",
	301: "Moved Permanently", 302: "Moved Temporarily", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
	407: "Proxy Authentication Required", 408: "Request Timeout", 480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist",
	486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here", 500: "Server Internal Error",
	503: "Service Unavailable", 600: "Busy Everywhere", 603: "Decline",
}

// reply is a response of ours to m.
func (m *message) reply(status int) *message {
	phrase := phrases[status]
	if phrase == "" {
		phrase = [...]string{1: "Progress", 2: "OK", 3: "Redirected", 4: "Refused", 5: "Failed", 6: "Refused Everywhere"}[min(max(status/100, 1), 6)]
	}
	r := &message{first: fmt.Sprintf("SIP/2.0 %d %s", status, phrase)}
	for _, h := range m.headers {
		switch strings.ToLower(h[0]) {
		case "via", "from", "to", "call-id", "cseq", "record-route":
			r.headers = append(r.headers, h)
		}
	}
	return r
}

// tagOf takes the tag out of a From or To, "" where it has none.
func tagOf(header string) string {
	if _, params, ok := strings.Cut(header, ">"); ok {
		return param(params, "tag")
	}
	_, params, _ := strings.Cut(header, ";")
	return param(params, "tag")
}

// param looks for name in a;b=c.
func param(params, name string) string {
	for p := range strings.SplitSeq(params, ";") {
		if k, v, _ := strings.Cut(strings.TrimSpace(p), "="); strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}

// uriOf takes the URI out of a Contact.
func uriOf(contact string) string {
	if _, rest, ok := strings.Cut(contact, "<"); ok {
		contact, _, _ = strings.Cut(rest, ">")
	}
	return contact
}
