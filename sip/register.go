package sip

import (
	"cmp"
	"context"
	"math"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxContactValue bounds one Contact value, in bytes.
const maxContactValue = 1024

// register takes a REGISTER.
func (e *Endpoint) register(m *message) {
	r := e.cfg.Registrar
	req, ok := r.take(e, m)
	if !ok {
		return
	}
	r.check(e, m, req, func(_ context.Context, user string, answer answering) {
		status, phrase, hs := r.register(user, req, m)
		r.drain()
		answer("", status, phrase, hs)
	})
}

// wanted is one Contact of a REGISTER.
type wanted struct {
	c       Contact
	u       uri
	seconds uint64 // to be registered for; 0: no more
	old     *binding
}

// register does what RFC 3261 10.3 wants of a registrar once user is known: all of what the request asks for, or nothing.
func (r *Registrar) register(user string, req *Request, m *message) (status int, phrase string, hs []Header) {
	if req.To.User != user {
		return 403, "", nil // step 4: everybody registers but itself
	}
	ws, star, status, phrase := r.wants(user, req, m)
	if status == 423 {
		hs = []Header{{"Min-Expires", strconv.Itoa(int(r.cfg.MinExpires / time.Second))}}
	}
	if status != 0 {
		return status, phrase, hs
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.arm()
	now := time.Now()
	if star {
		for _, b := range r.users[user] {
			if b.CallID == req.CallID && req.CSeq <= b.CSeq {
				return 400, "CSeq Is Not Higher", nil
			}
		}
		for _, b := range slices.Clone(r.users[user]) {
			r.remove(b, ByPhone)
		}
		return 200, "", r.listed(user, now)
	}
	added := 0
	for i := range ws {
		w := &ws[i]
		w.old = r.find(user, w.u, w.c)
		switch {
		case w.old != nil && w.old.CallID == req.CallID && req.CSeq <= w.old.CSeq:
			return 400, "CSeq Is Not Higher", nil
		case w.old != nil || w.seconds == 0:
		case r.users[user] == nil && len(r.users) >= r.cfg.MaxUsers:
			return 503, "", []Header{retryAfter(60)}
		default:
			added++
		}
	}
	limit := r.limit(user)
	if added > limit {
		return 403, "Too Many Contacts", nil
	}
	for _, w := range ws {
		w.c.Since, w.c.Refreshed, w.c.Expires = now, now, now.Add(time.Duration(w.seconds)*time.Second)
		switch {
		case w.seconds == 0 && w.old != nil && w.old.index >= 0:
			r.remove(w.old, ByPhone)
		case w.seconds == 0:
		case w.old != nil && w.old.index >= 0:
			r.refresh(w.old, w.c)
		default:
			r.restarted(w.c)
			r.add(&binding{Contact: w.c, u: w.u})
			r.push(RegistrarEvent{Kind: Registered, Contact: w.c})
		}
	}
	for len(r.users[user]) > limit {
		r.remove(slices.MinFunc(r.users[user], func(a, b *binding) int {
			return cmp.Or(a.Refreshed.Compare(b.Refreshed), a.Since.Compare(b.Since))
		}), ByLimit)
	}
	return 200, "", r.listed(user, now)
}

// find is the binding of user that a Contact with this URI means. Two phones in two networks may both call themselves
// 192.168.1.10: what tells them apart is who they say they are, and where they come from. r.mu is held.
func (r *Registrar) find(user string, u uri, c Contact) *binding {
	for _, b := range r.users[user] {
		switch {
		case !sameURI(b.u, u):
		case b.Instance != "" && c.Instance != "":
			if b.Instance == c.Instance {
				return b
			}
		case b.CallID == c.CallID || !b.NAT || !c.NAT || b.Flow.Remote.Addr() == c.Flow.Remote.Addr():
			return b
		}
	}
	return nil
}

// restarted takes out what the phone of c has left behind before it was started anew, with another Call-ID. r.mu is held.
func (r *Registrar) restarted(c Contact) {
	if c.Instance == "" {
		return
	}
	for _, b := range slices.Clone(r.users[c.User]) {
		if b.Instance == c.Instance && b.CallID != c.CallID {
			r.remove(b, ByRestart)
		}
	}
}

// listed are the Contacts of user for a 200. r.mu is held.
func (r *Registrar) listed(user string, now time.Time) (hs []Header) {
	for _, c := range r.contacts(user) {
		left := int(math.Ceil(c.Expires.Sub(now).Seconds()))
		hs = append(hs, Header{"Contact", "<" + c.URI + ">" + c.Params + ";expires=" + strconv.Itoa(left)})
	}
	return append(hs, Header{"Date", now.UTC().Format(http.TimeFormat)})
}

// wants reads the Contacts of a REGISTER (steps 6 and 7); a status refuses it.
func (r *Registrar) wants(user string, req *Request, m *message) (ws []wanted, star bool, status int, phrase string) {
	bad := func(phrase string) ([]wanted, bool, int, string) { return nil, false, 400, phrase }
	values := m.list("contact")
	general, given := deltaSeconds(m.value("expires"))
	if slices.Contains(values, "*") {
		if len(values) > 1 || !given || general != 0 {
			return bad("Contact * Is Not Alone Or Expires Is Not 0")
		}
		return nil, true, 0, ""
	}
	if len(values) > r.limit(user)+r.cfg.MaxContacts {
		return nil, false, 403, "Too Many Contacts"
	}
	if !given {
		general = uint64(r.cfg.DefaultExpires / time.Second)
	}
	shortest, longest := uint64(r.cfg.MinExpires/time.Second), uint64(r.cfg.MaxExpires/time.Second)
	for _, v := range values {
		if len(v) > maxContactValue || checkValue(v) != nil {
			return bad("Contact Too Long Or Holds A NUL")
		}
		a, err := ParseNameAddr(v)
		if err != nil {
			return bad("Malformed Contact")
		}
		u, err := parseURI(a.URI)
		if err != nil || u.header || u.scheme != "sip" {
			return bad("Contact Is Not A SIP URI")
		}
		w := wanted{u: u, seconds: general, c: Contact{
			User: user, URI: a.URI, Q: 1, Instance: a.Params["+sip.instance"], CallID: req.CallID, CSeq: req.CSeq, UserAgent: clip(req.UserAgent),
		}}
		if p, ok := a.Params["expires"]; ok {
			if w.seconds, ok = deltaSeconds(p); !ok {
				w.seconds = uint64(r.cfg.DefaultExpires / time.Second) // 10.2.1.1: malformed is the default
			}
		}
		if p, ok := a.Params["q"]; ok {
			if w.c.Q, err = strconv.ParseFloat(p, 64); err != nil || !(w.c.Q >= 0 && w.c.Q <= 1) {
				return bad("Malformed q")
			}
		}
		switch {
		case w.seconds > 0 && w.seconds < shortest:
			return nil, false, 423, ""
		case w.seconds > longest:
			w.seconds = longest
		}
		w.c.Params = contactParams(v)
		w.c.Flow, w.c.NAT = m.from.public(), true
		place(&w.c, u, m)
		if slices.ContainsFunc(ws, func(o wanted) bool { return sameURI(o.u, u) }) {
			return bad("A Contact Stands There Twice")
		}
		ws = append(ws, w)
	}
	return ws, false, 0, ""
}

// place tells whether the phone's own idea of its address is right.
func place(c *Contact, u uri, m *message) {
	addr, err := netip.ParseAddr(u.host)
	if err != nil || addr.Unmap() != m.from.remote.Addr() {
		return
	}
	port := u.port
	if port == 0 {
		port = defaultPort
	}
	transport, _ := param(u.params, "transport")
	switch {
	case !strings.EqualFold(cmp.Or(transport, "udp"), m.from.network()):
	case m.from.reliable(): // the port of a connection is not that to call
		c.NAT = false
	case port == m.from.remote.Port():
		c.NAT = false
	case !m.via.rport:
		// Phones of the Cisco 7900 series send from one port and listen on another.
		c.NAT = false
		c.Flow.Remote = netip.AddrPortFrom(c.Flow.Remote.Addr(), port)
	}
}

// contactParams are the parameters of a Contact value but expires, written anew: an open quote would swallow what follows.
func contactParams(v string) string {
	v = trim(v)
	if strings.HasPrefix(v, `"`) {
		v = v[closingQuote(v)+1:] // it was parsed, so there is one
	}
	if i := strings.IndexByte(v, '>'); i >= 0 {
		v = v[i+1:]
	} else if i := strings.IndexByte(v, ';'); i >= 0 {
		v = v[i:]
	} else {
		v = ""
	}
	var b strings.Builder
	seen := map[string]bool{"expires": true}
	eachParam(v, func(name, value string) bool {
		if name == "" || seen[name] || strings.IndexFunc(name, func(r rune) bool { return !isToken(r) }) >= 0 {
			return true
		}
		seen[name] = true
		b.WriteString(";" + name)
		switch {
		case value == "":
		case strings.IndexFunc(value, func(r rune) bool { return !isToken(r) }) < 0:
			b.WriteString("=" + value)
		default:
			b.WriteString(`="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`)
		}
		return true
	})
	return b.String()
}

// deltaSeconds reads a delta-seconds; ok: there is one.
func deltaSeconds(s string) (n uint64, ok bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return n, err == nil
}

// sameURI compares as RFC 3261 19.1.4 does.
func sameURI(a, b uri) bool {
	if a.scheme != b.scheme || a.decodedUser() != b.decodedUser() || !strings.EqualFold(a.host, b.host) || a.port != b.port {
		return false
	}
	same := true
	for _, pair := range [2][2]string{{a.params, b.params}, {b.params, a.params}} {
		eachParam(pair[0], func(name, v string) bool {
			w, there := param(pair[1], name)
			switch name {
			case "user", "ttl", "method", "maddr", "transport":
				same = same && there && strings.EqualFold(v, w)
			default:
				same = same && (!there || strings.EqualFold(v, w))
			}
			return same
		})
	}
	return same
}
