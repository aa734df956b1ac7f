package sip

import (
	"bytes"
	"strconv"
	"strings"
	"sync"

	"github.com/emiago/sipgo/sip"
)

const (
	allowed  = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK"
	accepted = "application/sdp, multipart/mixed"
)

// reply is what every response to one request repeats (RFC 3261 8.2.6.2).
type reply struct {
	to     flow // where responses go (RFC 3261 18.2.2, RFC 3581)
	head   []sip.Header
	routes []sip.Header // Record-Route, for responses that make a dialog
	dialog bool         // of a request that makes one
}

// reply prepares the responses to m with our tag, which is left out when the
// request has one already.
func (m *message) reply(tag string) *reply {
	r := &reply{to: m.from, dialog: m.method == "INVITE" || m.method == "SUBSCRIBE", head: make([]sip.Header, 0, 8)}
	for i, h := range m.headers {
		if longName(h.Name()) != "via" {
			continue
		}
		if i == m.viaIndex {
			v, port := m.via.answered(m.from)
			if !m.from.reliable() {
				r.to = m.from.withPort(port)
			}
			h = sip.NewHeader("Via", v)
		}
		r.head = append(r.head, h)
	}
	for _, h := range m.headers {
		switch longName(h.Name()) {
		case "record-route":
			r.routes = append(r.routes, h)
		case "from", "call-id", "cseq":
			r.head = append(r.head, h)
		case "to":
			if m.toTag == "" && tag != "" {
				h = sip.NewHeader("To", h.Value()+";tag="+tag)
			}
			r.head = append(r.head, h)
		}
	}
	return r
}

// answered writes v with received and rport filled in, and says to which port
// of the source a datagram in answer goes.
func (v *via) answered(from flow) (value string, port uint16) {
	src := from.remote
	port = v.port
	if port == 0 {
		port = 5060
	}
	if v.rport {
		port = src.Port()
	}
	host := src.Addr().String()
	if !v.rport && v.host == host && !strings.Contains(v.params, "received") {
		value = v.raw
	} else {
		var b strings.Builder
		b.Grow(len(v.raw) + 64)
		b.WriteString(v.sentBy)
		for s := v.params; s != ""; {
			var p string
			p, s = cutOutside(s, ';')
			name, _, _ := strings.Cut(p, "=")
			switch {
			case p == "", strings.EqualFold(trim(name), "received"):
				continue
			case v.rport && strings.EqualFold(trim(name), "rport"):
				p = "rport=" + strconv.Itoa(int(src.Port()))
			}
			b.WriteByte(';')
			b.WriteString(p)
		}
		b.WriteString(";received=")
		b.WriteString(host)
		value = b.String()
	}
	if v.rest != "" {
		value += ", " + strings.TrimLeft(v.rest, " \t")
	}
	return value, port
}

// response builds one response. Record-Route is repeated in those that make or
// confirm a dialog (RFC 3261 12.1.1).
func (r *reply) response(status int, phrase, body string, hs ...Header) *sip.Response {
	if phrase == "" {
		phrase = statusText(status)
	}
	res := sip.NewResponse(status, phrase)
	for _, h := range r.head {
		res.AppendHeader(h)
	}
	if r.dialog && status > 100 && status < 300 {
		for _, h := range r.routes {
			res.AppendHeader(h)
		}
	}
	for _, h := range hs {
		res.AppendHeader(sip.NewHeader(h.Name, h.Value))
	}
	if body != "" {
		res.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	}
	res.SetBody([]byte(body))
	return res
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// encode serialises msg and hands the bytes to f, which must not keep them.
func encode(msg sip.Message, f func([]byte) error) error {
	b := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(b)
	b.Reset()
	msg.StringWrite(b)
	return f(b.Bytes())
}

// statusText is the phrase that the RFCs give a status.
func statusText(status int) string {
	if s, ok := phrases[status]; ok {
		return s
	}
	switch status / 100 {
	case 1:
		return "Session Progress"
	case 2:
		return "OK"
	case 3:
		return "Multiple Choices"
	case 4:
		return "Bad Request"
	case 5:
		return "Server Internal Error"
	}
	return "Decline"
}

var phrases = map[int]string{
	100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress",
	200: "OK", 202: "Accepted",
	300: "Multiple Choices", 301: "Moved Permanently", 302: "Moved Temporarily", 305: "Use Proxy", 380: "Alternative Service",
	400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden", 404: "Not Found",
	405: "Method Not Allowed", 406: "Not Acceptable", 407: "Proxy Authentication Required", 408: "Request Timeout",
	410: "Gone", 413: "Request Entity Too Large", 414: "Request-URI Too Long", 415: "Unsupported Media Type",
	416: "Unsupported URI Scheme", 420: "Bad Extension", 421: "Extension Required", 422: "Session Interval Too Small",
	423: "Interval Too Brief", 433: "Anonymity Disallowed", 480: "Temporarily Unavailable",
	481: "Call/Transaction Does Not Exist", 482: "Loop Detected", 483: "Too Many Hops", 484: "Address Incomplete",
	485: "Ambiguous", 486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here", 489: "Bad Event", 491: "Request Pending",
	493: "Undecipherable",
	500: "Server Internal Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable",
	504: "Server Time-out", 505: "Version Not Supported", 513: "Message Too Large",
	600: "Busy Everywhere", 603: "Decline", 604: "Does Not Exist Anywhere", 606: "Not Acceptable",
}
