package calltest

import (
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

func parseMessage(b []byte) (*message, error) {
	head, body, ok := strings.Cut(string(b), "\r\n\r\n")
	if !ok {
		return nil, fmt.Errorf("calltest: no end of the headers in %.60q", b)
	}
	lines := strings.Split(head, "\r\n")
	m := &message{first: lines[0], body: body}
	for _, l := range lines[1:] {
		k, v, ok := strings.Cut(l, ":")
		if !ok {
			return nil, fmt.Errorf("calltest: header line %.60q", l)
		}
		m.headers = append(m.headers, [2]string{strings.TrimSpace(k), strings.TrimSpace(v)})
	}
	return m, nil
}

func (m *message) get(name string) string {
	for _, h := range m.headers {
		if strings.EqualFold(h[0], name) {
			return h[1]
		}
	}
	return ""
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

// reply is a response of ours to m.
func (m *message) reply(status int, reason string) *message {
	r := &message{first: fmt.Sprintf("SIP/2.0 %d %s", status, reason)}
	for _, h := range m.headers {
		switch strings.ToLower(h[0]) {
		case "via", "from", "to", "call-id", "cseq":
			r.headers = append(r.headers, h)
		}
	}
	return r
}

// uriOf takes the URI out of a Contact.
func uriOf(contact string) string {
	if _, rest, ok := strings.Cut(contact, "<"); ok {
		contact, _, _ = strings.Cut(rest, ">")
	}
	return contact
}

// sdpAudio reads address, port, first payload type and direction of an audio stream.
func sdpAudio(body string) (host string, port int, pt int, direction string) {
	direction, pt = "sendrecv", -1
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "c=IN IP"):
			host = strings.Fields(line)[2]
		case strings.HasPrefix(line, "m=audio "):
			f := strings.Fields(line)
			port, _ = strconv.Atoi(f[1])
			if len(f) > 3 {
				pt, _ = strconv.Atoi(f[3])
			}
		case line == "a=sendonly", line == "a=recvonly", line == "a=inactive":
			direction = line[2:]
		}
	}
	return host, port, pt, direction
}
