package sip

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// maxDatagram is the most that UDP carries.
const maxDatagram = 65535

// message is one request or response as it came in: sipgo has split it into
// header fields, whose values are kept as the peer wrote them, because the
// responses repeat them byte by byte; here is what the core asks of them.
type message struct {
	from   flow
	waited time.Duration // in the socket; 0: nobody knows

	method string // of a request; of a response that of its CSeq
	uri    string // Request-URI
	status int    // of a response
	phrase string // of a response

	headers []sip.Header
	body    []byte // shares the reader's buffer: copy it to keep it

	via        via
	viaIndex   int // where the top Via stands in headers
	vias       int // how many there are
	fromValue  string
	toValue    string
	fromTag    string
	toTag      string
	callID     string
	cseq       uint32
	contact    string
	ctype      string
	maxForward int // -1: none

	// fault is what makes a request a bad one: it gets the status, if its
	// headers suffice to answer it.
	fault       string
	faultStatus int
}

// errJunk is what is not SIP, or too broken to answer.
var errJunk = errors.New("sip: parse message: not SIP")

// class is what the first look at a datagram says, before anything is allocated for it.
type class int

const (
	classJunk class = iota
	classKeepAlive
	classRequest
	classResponse
)

// minMessage is shorter than any request line and the headers it must have.
const minMessage = 60

// classify looks at the start line only, so that a scanner's noise costs
// neither memory nor a parser run.
func classify(b []byte) class {
	if len(bytes.Trim(b, "\r\n\x00")) == 0 {
		return classKeepAlive
	}
	if len(b) < minMessage {
		return classJunk
	}
	line := b
	if len(line) > 8192 {
		line = line[:8192]
	}
	i := bytes.IndexByte(line, '\r')
	if i < 0 || i+1 >= len(b) || b[i+1] != '\n' {
		return classJunk
	}
	line = line[:i]
	if bytes.HasPrefix(line, []byte("SIP/2.0 ")) {
		return classResponse
	}
	sp := bytes.IndexByte(line, ' ')
	if sp <= 0 || sp > maxMethod {
		return classJunk
	}
	for _, c := range line[:sp] {
		if !isToken(rune(c)) {
			return classJunk
		}
	}
	if j := bytes.LastIndex(line, []byte(" SIP/")); j <= sp-1 {
		return classJunk
	}
	return classRequest
}

// maxMethod is longer than any method that makes sense.
const maxMethod = 80

// newParser leaves every header as it is: no entry in its table.
func newParser() *sip.Parser {
	return sip.NewParser(sip.WithHeadersParsers(map[string]sip.HeaderParser{}))
}

// parse splits b. An error means that nothing can be answered.
func parse(p *sip.Parser, b []byte, from flow) (*message, error) {
	m := &message{from: from, viaIndex: -1, maxForward: -1}
	eol := bytes.IndexByte(b, '\r')
	if eol < 0 {
		return nil, errJunk
	}
	raw, n, err := p.ParseHeaders(b, false)
	if err != nil {
		// sipgo did not like something. When it was the start line, the headers
		// may still tell whom to send a 400.
		const line = "X sip:x SIP/2.0"
		b2 := append([]byte(line), b[eol:]...)
		var err2 error
		if raw, n, err2 = p.ParseHeaders(b2, false); err2 != nil {
			return nil, fmt.Errorf("sip: parse message: %w", err)
		}
		n += eol - len(line)
		if !goodRequestLine(string(b[:eol])) {
			m.bad(400, "Malformed Request-Line")
		}
	}
	switch raw := raw.(type) {
	case *sip.Request:
		m.headers = raw.Headers()
		start := string(b[:eol])
		first, last := strings.IndexByte(start, ' '), strings.LastIndexByte(start, ' ')
		if first <= 0 || strings.HasPrefix(start, "SIP/") {
			return nil, errJunk
		}
		m.method = start[:first]
		if m.fault == "" {
			m.uri = start[first+1 : last]
			if !strings.EqualFold(start[last+1:], "SIP/2.0") {
				m.bad(505, "")
			}
		}
	case *sip.Response:
		m.headers = raw.Headers()
		m.status, m.phrase = raw.StatusCode, raw.Reason
		if m.fault != "" || m.status < 100 || m.status > 699 {
			return nil, errJunk
		}
	default:
		return nil, errJunk
	}
	if err := m.index(); err != nil {
		return nil, err
	}
	m.setBody(b, n)
	return m, nil
}

// goodRequestLine is for the schemes that sipgo does not take.
func goodRequestLine(line string) bool {
	parts := strings.Split(line, " ")
	if len(parts) != 3 {
		return false
	}
	_, err := parseURI(parts[1])
	return err == nil
}

func (m *message) bad(status int, what string) {
	if m.fault == "" && m.faultStatus == 0 {
		m.faultStatus, m.fault = status, what
	}
}

// index finds the headers that the core needs.
func (m *message) index() error {
	var cseqMethod, length string
	seen := 0
	once := func(bit int, name string) {
		if seen&bit != 0 {
			m.bad(400, "More Than One "+name)
		}
		seen |= bit
	}
	for i, h := range m.headers {
		v := h.Value()
		// sipgo splits at CRLF; a lone LF would let one header end and another
		// begin in what we echo.
		if strings.IndexByte(v, '\n') >= 0 || strings.IndexByte(h.Name(), '\n') >= 0 {
			return errJunk
		}
		switch longName(h.Name()) {
		case "via":
			for top := m.viaIndex < 0; v != ""; top = false {
				hop, err := parseVia(v)
				switch {
				case err != nil && top:
					return err // nobody to answer to
				case err != nil || hop.version != "2.0" || hop.badList:
					m.bad(400, "Malformed Via")
				}
				if top {
					m.viaIndex, m.via = i, hop
				}
				m.vias++
				v = hop.rest
			}
		case "from":
			once(1, "From")
			m.fromValue = v
		case "to":
			once(2, "To")
			m.toValue = v
		case "call-id":
			once(4, "Call-ID")
			m.callID = v
		case "cseq":
			once(8, "CSeq")
			var err error
			if m.cseq, cseqMethod, err = parseCSeq(v); err != nil {
				m.bad(400, "Malformed CSeq")
			}
		case "max-forwards":
			once(16, "Max-Forwards")
			n, err := strconv.ParseUint(v, 10, 8)
			if err != nil {
				m.bad(400, "Malformed Max-Forwards")
			}
			m.maxForward = int(n)
		case "contact":
			if m.contact == "" {
				m.contact = v
			}
		case "content-type":
			once(32, "Content-Type")
			m.ctype = v
		case "content-length":
			once(64, "Content-Length")
			length = v
		}
	}
	if m.viaIndex < 0 {
		return errors.New("sip: parse message: missing Via")
	}
	for _, f := range []struct {
		bit  int
		name string
	}{{1, "From"}, {2, "To"}, {4, "Call-ID"}, {8, "CSeq"}} {
		if seen&f.bit == 0 {
			m.bad(400, "Missing "+f.name)
		}
	}
	m.fromTag = tagOf(m.fromValue)
	m.toTag = tagOf(m.toValue)
	switch {
	case m.status != 0:
		m.method = cseqMethod
	case m.fault == "" && m.faultStatus == 0 && cseqMethod != m.method:
		m.bad(400, "CSeq Method Does Not Match")
	}
	if length != "" {
		if _, err := strconv.ParseUint(length, 10, 31); err != nil {
			m.bad(400, "Malformed Content-Length")
		}
	}
	return nil
}

// setBody finds the body at b[n:]. What follows Content-Length in a datagram is
// ignored, less is an error (RFC 3261 18.3).
func (m *message) setBody(b []byte, n int) {
	if n > len(b) {
		n = len(b)
	}
	m.body = b[n:]
	v := m.value("content-length")
	if v == "" {
		return
	}
	l, err := strconv.ParseUint(v, 10, 31)
	switch {
	case err != nil:
		m.body = nil
	case int(l) > len(m.body):
		m.bad(400, "Body Shorter Than Content-Length")
	default:
		m.body = m.body[:l]
	}
}

// tagOf finds the tag without taking the whole address apart, which is done
// only for new calls.
func tagOf(v string) string {
	if i := strings.LastIndexByte(v, '>'); i >= 0 {
		v = v[i+1:]
	} else if !strings.Contains(v, ";") {
		return ""
	}
	i := strings.IndexByte(v, ';')
	if i < 0 {
		return ""
	}
	t, _ := param(v[i+1:], "tag")
	return t
}

// value is the first value of the header with this long name, or "".
func (m *message) value(long string) string {
	for _, h := range m.headers {
		if longName(h.Name()) == long {
			return h.Value()
		}
	}
	return ""
}

// list is every element of all headers with this long name.
func (m *message) list(long string) (vs []string) {
	for _, h := range m.headers {
		if longName(h.Name()) == long {
			vs = append(vs, splitList(h.Value())...)
		}
	}
	return vs
}

// all copies the headers into our own type.
func (m *message) all() []Header {
	hs := make([]Header, len(m.headers))
	for i, h := range m.headers {
		hs[i] = Header{h.Name(), h.Value()}
	}
	return hs
}

// mediaType is the Content-Type without its parameters, in lower case.
func mediaType(v string) string {
	t, _ := cutOutside(v, ';')
	return strings.ToLower(t)
}

// sdp copies the session description from the body, and its type. Without a
// body both are empty.
func (m *message) sdp() (ctype string, body []byte) {
	if len(m.body) == 0 {
		return "", nil
	}
	ctype = mediaType(m.ctype)
	if strings.HasPrefix(ctype, "multipart/") {
		if part, ok := sdpPart(m.ctype, m.body); ok {
			return "application/sdp", bytes.Clone(part)
		}
	}
	return ctype, bytes.Clone(m.body)
}
