package sip

import (
	"bytes"
	"strings"
)

// maxParts bounds the work that one body can cause.
const maxParts = 32

// sdpPart finds the first application/sdp part of a multipart body (RFC 2046
// 5.1, RFC 5621). Parts within parts are not looked at.
func sdpPart(contentType string, body []byte) ([]byte, bool) {
	ctype, params := cutOutside(contentType, ';')
	if !strings.HasPrefix(strings.ToLower(ctype), "multipart/") {
		return nil, false
	}
	boundary, _ := param(params, "boundary")
	if boundary == "" || len(boundary) > 70 {
		return nil, false
	}
	delim := []byte("--" + boundary)
	rest := body
	for range maxParts {
		i := delimiter(rest, delim)
		if i < 0 {
			return nil, false
		}
		rest = rest[i+len(delim):]
		if bytes.HasPrefix(rest, []byte("--")) {
			return nil, false
		}
		nl := bytes.IndexByte(rest, '\n')
		if nl < 0 {
			return nil, false
		}
		rest = rest[nl+1:]
		end := delimiter(rest, delim)
		if end < 0 {
			return nil, false
		}
		part := rest[:end]
		// The line end before a delimiter belongs to the delimiter.
		part = bytes.TrimSuffix(bytes.TrimSuffix(part, []byte("\n")), []byte("\r"))
		if sdp, ok := sdpOf(part); ok {
			return sdp, true
		}
		rest = rest[end:]
	}
	return nil, false
}

// delimiter finds delim at the beginning of a line of b.
func delimiter(b, delim []byte) int {
	for off := 0; ; {
		i := bytes.Index(b[off:], delim)
		if i < 0 {
			return -1
		}
		i += off
		if i == 0 || b[i-1] == '\n' {
			return i
		}
		off = i + 1
	}
}

// sdpOf returns the content of a part when its type is application/sdp.
func sdpOf(part []byte) ([]byte, bool) {
	sdp := false
	for {
		line, rest, ok := bytes.Cut(part, []byte("\n"))
		if !ok {
			return nil, false
		}
		part = rest
		line = bytes.TrimRight(line, "\r")
		if len(line) == 0 {
			return part, sdp && len(part) > 0
		}
		name, value, ok := strings.Cut(string(line), ":")
		if ok && longName(trim(name)) == "content-type" && mediaType(trim(value)) == "application/sdp" {
			sdp = true
		}
	}
}
