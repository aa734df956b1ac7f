package calltest

import (
	"crypto/md5"
	"crypto/sha256"
	"fmt"
	"hash"
	"strings"
	"testing"
	"time"
)

// Register registers the phone as its User for a time, 0 to take it back, and returns the final response's status and Contacts. A
// challenge is answered with the Password of the PhoneConfig.
func (p *Phone) Register(t testing.TB, expires time.Duration) (status int, contacts []string) {
	t.Helper()
	p.mu.Lock()
	p.registered++
	n := p.registered
	p.mu.Unlock()
	cseq := 2 * n
	res := p.askKnown(t, func() *message {
		cseq++
		return p.registration(cseq-1, expires)
	})
	return res.status(), res.all("Contact")
}

// askKnown is ask for a request that may be challenged, with 401: the phone's password answers that. Each request is a new one.
func (p *Phone) askKnown(t testing.TB, request func() *message) *message {
	t.Helper()
	res := p.ask(t, request())
	if res.status() == 401 && p.cfg.Password != "" {
		again := request()
		again.set("Authorization", p.authorize(res, again))
		res = p.ask(t, again)
	}
	return res
}

func (p *Phone) registration(cseq int, expires time.Duration) *message {
	return &message{first: fmt.Sprintf("REGISTER sip:%s SIP/2.0", p.cfg.Server), headers: [][2]string{
		{"Via", fmt.Sprintf("SIP/2.0/UDP %s;branch=z9hG4bK-reg-%s-%d;rport", p.addr, p.name, cseq)},
		{"Max-Forwards", "70"},
		{"From", fmt.Sprintf("<sip:%s@%s>;tag=reg%s", p.cfg.User, p.cfg.Server.Addr(), p.name)},
		{"To", fmt.Sprintf("<sip:%s@%s>", p.cfg.User, p.cfg.Server.Addr())},
		{"Call-ID", "reg-" + p.name},
		{"CSeq", fmt.Sprintf("%d REGISTER", cseq)},
		{"Contact", fmt.Sprintf("<sip:%s@%s>;expires=%d", p.cfg.User, p.addr, int(expires.Seconds()))},
	}}
}

// ask sends a request outside of a dialog until its final response is there.
func (p *Phone) ask(t testing.TB, m *message) *message {
	t.Helper()
	ch := make(chan *message, 8)
	key := m.transaction(m.method())
	p.mu.Lock()
	if p.asked == nil {
		p.asked = map[string]chan *message{}
	}
	p.asked[key] = ch
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.asked, key)
		p.mu.Unlock()
	}()
	over := time.After(patience)
	for d := t1; ; d = min(2*d, t2) {
		p.send(m, p.cfg.Server)
		select {
		case res := <-ch:
			return res
		case <-over:
			t.Fatalf("calltest: no response to %s", m.method())
		case <-time.After(d):
		}
	}
}

// answeredTo hands m to who asked; false: nobody did.
func (p *Phone) answeredTo(m *message) bool {
	p.mu.Lock()
	ch := p.asked[m.transaction(m.method())]
	p.mu.Unlock()
	if ch == nil {
		return false
	}
	if m.status() >= 200 {
		select {
		case ch <- m:
		default: // it has enough
		}
	}
	return true
}

// authorize answers the challenge of res for the request m (RFC 7616), by the phone's algorithm.
func (p *Phone) authorize(res, m *message) string {
	alg := p.cfg.Algorithm
	if alg == "" {
		alg = "MD5"
	}
	var hash func() hash.Hash
	switch alg {
	case "MD5":
		hash = md5.New
	case "SHA-256":
		hash = sha256.New
	default:
		panic("calltest: algorithm " + alg)
	}
	h := func(s string) string {
		d := hash()
		_, _ = d.Write([]byte(s))
		return fmt.Sprintf("%x", d.Sum(nil))
	}
	for _, chal := range append(res.all("WWW-Authenticate"), res.all("Proxy-Authenticate")...) {
		if !strings.Contains(chal, "algorithm="+alg+",") {
			continue
		}
		field := func(name string) string {
			_, v, _ := strings.Cut(chal, name+`="`)
			v, _, _ = strings.Cut(v, `"`)
			return v
		}
		uri := strings.Fields(m.first)[1]
		realm, nonce := field("realm"), field("nonce")
		const cnonce, nc = "0a4f113b", "00000001"
		sum := h(strings.Join([]string{h(p.cfg.User + ":" + realm + ":" + p.cfg.Password), nonce, nc, cnonce, "auth", h(m.method() + ":" + uri)}, ":"))
		return fmt.Sprintf(`Digest username="%s", realm="%s", nonce="%s", uri="%s", algorithm=%s, cnonce="%s", nc=%s, qop=auth, response="%s"`,
			p.cfg.User, realm, nonce, uri, alg, cnonce, nc, sum)
	}
	return `Digest username="none"`
}

// challenged sends the INVITE again with the phone's password; false: it has none, or that was not good enough.
func (c *PhoneCall) challenged(m *message) bool {
	c.mu.Lock()
	again := c.authorized || c.phone.cfg.Password == "" || m.status() != 401 && m.status() != 407
	if !again {
		c.authorized = true
		c.remote = "<" + c.uri + ">"
		c.cseq = 2
	}
	body := c.invite.body
	c.mu.Unlock()
	if again {
		return false
	}
	invite := c.request("INVITE", 2, c.branch+"-auth", body, c.phone.cfg.Headers...)
	name := "Authorization"
	if m.status() == 407 {
		name = "Proxy-Authorization"
	}
	invite.set(name, c.phone.authorize(m, invite))
	c.mu.Lock()
	c.invite = invite
	c.mu.Unlock()
	c.expect(invite)
	c.phone.send(invite, c.hop)
	return true
}

// Ringing is how many calls have come that WaitCall has not taken.
func (p *Phone) Ringing() int { return len(p.incoming) }
