package sip

import (
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// final is the final response to a request that we sent within a dialog.
type final struct {
	status  int // 408: none came, 503: the request could not be sent
	phrase  string
	headers []Header
	ctype   string
	body    []byte
}

// final copies m.
func (m *message) final() *final {
	a := &final{status: m.status, phrase: m.phrase, headers: m.all()}
	a.ctype, a.body = m.sdp()
	return a
}

// finalOf takes what a client transaction got.
func finalOf(res *sip.Response) *final {
	a := &final{status: res.StatusCode, phrase: res.Reason}
	for _, h := range res.Headers() {
		a.headers = append(a.headers, Header{h.Name(), h.Value()})
	}
	a.body = res.Body()
	v := a.value("content-type")
	a.ctype = mediaType(v)
	if strings.HasPrefix(a.ctype, "multipart/") {
		if part, ok := sdpPart(v, a.body); ok {
			a.ctype, a.body = "application/sdp", part
		}
	}
	if len(a.body) == 0 {
		a.ctype, a.body = "", nil
	}
	return a
}

// value is the first value of the header with this long name, or "".
func (a *final) value(long string) string {
	for _, h := range a.headers {
		if longName(h.Name) == long {
			return h.Value
		}
	}
	return ""
}

// session is what a says about the session timer; what cannot be read is not there.
func (a *final) session() (w sessionWish) {
	w.interval, w.refresher, _ = parseSession(a.value("session-expires"))
	w.min, _, _ = parseSession(a.value("min-se"))
	return w
}

// target is the new remote target; "": it stays.
func (a *final) target() string {
	v, _ := cutOutside(a.value("contact"), ',')
	c, err := ParseNameAddr(v)
	if err != nil || !strings.HasPrefix(strings.ToLower(c.URI), "sip") {
		return ""
	}
	return c.URI
}

// dead says whether the peer has no such dialog any more (RFC 3261 12.2.1.2).
func (a *final) dead() bool { return a.status == 481 || a.status == 408 }

// retryAfter is Retry-After in seconds, -1: none.
func (a *final) retryAfter() int {
	v := a.value("retry-after")
	if i := strings.IndexAny(v, " \t;("); i >= 0 {
		v = v[:i]
	}
	n, err := strconv.ParseUint(v, 10, 16)
	if err != nil {
		return -1
	}
	return int(n)
}

// wait is how long to wait before the request is sent again: as the peer says, as glare wants it, or otherwise.
func (a *final) wait(owner bool, otherwise time.Duration) time.Duration {
	switch n := a.retryAfter(); {
	case a.status == 491:
		return glareWait(owner)
	case n >= 0:
		return time.Duration(n) * time.Second
	}
	return otherwise
}
