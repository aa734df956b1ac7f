package sip

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// registrarOf is one for users u0, u1, ..., whose passwords are "p" and their name.
func registrarOf(t testing.TB, users int, change func(*RegistrarConfig)) *Registrar {
	t.Helper()
	secrets := testUsers{}
	for i := range users {
		secrets[fmt.Sprintf("u%d", i)] = fmt.Sprintf("pu%d", i)
	}
	auth := newTestAuth(t, func(c *AuthConfig) { c.Secrets = secrets })
	cfg := RegistrarConfig{Auth: auth, KeepAlive: -1, Logger: quietLog()}
	if change != nil {
		change(&cfg)
	}
	r, err := NewRegistrar(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// registering is a phone of user at p.
type registering struct {
	p    *phone
	user string
	cseq int
	chal []string
}

// send registers, with a nonce that it has, or is given.
func (r *registering) send(t testing.TB, headers string, expires int) text {
	t.Helper()
	for range 3 {
		r.cseq++
		auth := ""
		if r.chal != nil {
			var adm Admission
			for _, c := range r.chal {
				adm.Headers = append(adm.Headers, Header{"WWW-Authenticate", c})
			}
			auth = "Authorization: " + attempt(t, adm, "SHA-256", r.user, "p"+r.user, r.cseq).Headers[0].Value + "\r\n"
		}
		r.p.send([]byte(fmt.Sprintf("REGISTER sip:192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s-%d;rport\r\nFrom: <sip:%s@192.0.2.1>;tag=1\r\nTo: <sip:%s@192.0.2.1>\r\n"+
			"Call-ID: %s-%s\r\nCSeq: %d REGISTER\r\nExpires: %d\r\n%s%sContent-Length: 0\r\n\r\n",
			r.p.addr, r.user, r.cseq, r.user, r.user, r.user, r.p.addr, r.cseq, expires, headers, auth)))
		m := r.p.recv()
		if m.status() != "401" {
			return m
		}
		r.chal = m.all("WWW-Authenticate")
	}
	t.Fatal("401 again and again")
	return text{}
}

func live() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestThousandExtensions registers 1,000 users from one address, refreshes half of them, and lets the rest expire.
func TestThousandExtensions(t *testing.T) {
	const users = 1000
	synctest.Test(t, func(t *testing.T) {
		var gone atomic.Int32
		reg := registrarOf(t, users, func(c *RegistrarConfig) {
			c.OnChange = func(ev RegistrarEvent) {
				if ev.Reason == ByTime {
					gone.Add(1)
				}
			}
		})
		b := newBubble(t, func(c *Config) { c.Registrar = reg })
		defer b.close()
		phones := make([]*registering, users)
		for i := range phones {
			phones[i] = &registering{p: b.p, user: fmt.Sprintf("u%d", i)}
		}
		before := live()
		begun := time.Now()
		for i, p := range phones {
			contact := fmt.Sprintf("Contact: <sip:u%d@192.168.%d.%d:5060;transport=udp>;+sip.instance=\"<urn:uuid:00000000-0000-0000-0000-%012d>\"\r\n", i, i/250, i%250+1, i)
			if m := p.send(t, contact, 600); m.status() != "200" {
				t.Fatalf("user %d: %v", i, m)
			}
			p.chal = nil // what the phone keeps is not ours
		}
		if n, c := reg.Len(); n != users || c != users {
			t.Fatalf("%d users have %d phones", n, c)
		}
		time.Sleep(time.Minute) // the answers are forgotten
		_, _ = reg.replies.find(0)
		t.Logf("%d extensions keep %d bytes each (%d nonces among it)", users, int64(live()-before)/users, reg.cfg.Auth.nonces.len())
		time.Sleep(time.Until(begun.Add(5 * time.Minute)))
		for i := 0; i < users; i += 2 {
			contact := fmt.Sprintf("Contact: <sip:u%d@192.168.%d.%d:5060;transport=udp>;+sip.instance=\"<urn:uuid:00000000-0000-0000-0000-%012d>\"\r\n", i, i/250, i%250+1, i)
			if m := phones[i].send(t, contact, 600); m.status() != "200" {
				t.Fatalf("user %d: %v", i, m)
			}
		}
		time.Sleep(time.Until(begun.Add(10*time.Minute + time.Second)))
		n, c := reg.Len()
		if n != users/2 || c != users/2 || gone.Load() != users/2 {
			t.Errorf("after ten minutes %d users have %d phones, %d are gone", n, c, gone.Load())
		}
		for i := range users {
			if got := len(reg.Contacts(fmt.Sprintf("u%d", i))); got != (i+1)%2 {
				t.Fatalf("user %d has %d phones", i, got)
			}
		}
		time.Sleep(5 * time.Minute)
		if n, c := reg.Len(); n != 0 || c != 0 || len(reg.flows) != 0 || gone.Load() != users {
			t.Errorf("at the end %d users have %d phones by %d ways", n, c, len(reg.flows))
		}
	})
}

func BenchmarkRegister(b *testing.B) {
	reg := registrarOf(b, 1000, func(c *RegistrarConfig) { c.MaxRequests = 1 << 30 })
	bubble := newBubble(b, func(c *Config) { c.Registrar = reg })
	defer bubble.close()
	phones := make([]*registering, 1000)
	for i := range phones {
		phones[i] = &registering{p: bubble.p, user: fmt.Sprintf("u%d", i)}
	}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		p := phones[n%len(phones)]
		n++
		if m := p.send(b, "Contact: <sip:x@192.168.1.1>\r\n", 600); m.status() != "200" {
			b.Fatal(m)
		}
	}
}

// TestSnapshotOutlivesTheRegistrar carries phones over JSON into another one.
func TestSnapshotOutlivesTheRegistrar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := registrarOf(t, 3, nil)
		b := newBubble(t, func(c *Config) { c.Registrar = one })
		for i := range 3 {
			p := &registering{p: b.p, user: fmt.Sprintf("u%d", i)}
			if m := p.send(t, "Contact: <sip:x@192.168.1.1>;q=0.3, <sip:y@192.168.1.1>\r\n", 100*(i+1)); m.status() != "200" {
				t.Fatal(m)
			}
		}
		b.close()
		text, err := json.Marshal(one.Snapshot())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(150 * time.Second) // u0 is over
		var cs []Contact
		if err := json.Unmarshal(text, &cs); err != nil {
			t.Fatal(err)
		}
		tcp := cs[0]
		tcp.User, tcp.Flow.Network, tcp.Expires = "u9", "tcp", time.Now().Add(time.Hour)
		cs = append(cs, tcp, Contact{User: "x", URI: "nothing"})
		two := registrarOf(t, 3, nil)
		n, err := two.Restore(cs)
		if n != 4 || err == nil || !strings.Contains(err.Error(), `[7] is no contact of user "x"`) {
			t.Errorf("%d are taken, %v", n, err)
		}
		if n, err := two.Restore(cs[:6]); n != 0 || err != nil {
			t.Errorf("a second time %d are taken, %v", n, err)
		}
		got := two.Contacts("u1")
		if len(got) != 2 || got[0].URI != "sip:y@192.168.1.1" || got[1].Q != 0.3 || len(two.Contacts("u0")) != 0 || !two.Knows("udp", netip.MustParseAddrPort("192.0.2.10:5060")) {
			t.Errorf("%+v", got)
		}
		time.Sleep(151 * time.Second)
		if n, c := two.Len(); n != 0 || c != 0 {
			t.Errorf("after their time %d users have %d phones", n, c)
		}
		if two.Drop("u1") != 0 {
			t.Error("something is dropped that is not there")
		}
		two.stop()
	})
}

func TestRequestsOfAnAddressAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := registrarOf(t, 1, func(c *RegistrarConfig) { c.MaxRequests = 2 })
		b := newBubble(t, func(c *Config) { c.Registrar = reg })
		defer b.close()
		for i := range 5 {
			b.p.send([]byte(fmt.Sprintf("REGISTER sip:192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK%d\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: %d\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n", i, i)))
		}
		b.p.want("SIP/2.0 401")
		b.p.want("SIP/2.0 401")
		b.p.quiet(time.Second)
		if s := b.e.Stats(); s.Throttled != 3 {
			t.Errorf("%+v", s)
		}
	})
}

// TestPhoneOnTCP is called by its connection, which is the only way to it, and is gone when that closes.
func TestPhoneOnTCP(t *testing.T) {
	changes := make(chan RegistrarEvent, 8)
	reg := registrarOf(t, 1, func(c *RegistrarConfig) { c.OnChange = func(ev RegistrarEvent) { changes <- ev } })
	e, stop := serve(t, Config{Listen: []Listen{{Network: "tcp", Addr: "127.0.0.1:0"}}, Invite: func(*Dialog) {}, Registrar: reg})
	defer stop()
	c, err := net.Dial("tcp", e.Addrs()[0].Addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	buf := make([]byte, 65536)
	read := func() string {
		t.Helper()
		if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := c.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[:n])
	}
	write := func(s string) {
		t.Helper()
		if _, err := c.Write([]byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	source := netip.MustParseAddrPort(c.LocalAddr().String())
	register := func(cseq int, auth string) text {
		write(fmt.Sprintf("REGISTER sip:192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.5:5060;branch=z9hG4bK%d;rport\r\nFrom: <sip:u0@b>;tag=1\r\nTo: <sip:u0@b>\r\nCall-ID: 1\r\nCSeq: %d REGISTER\r\n"+
			"Contact: <sip:u0@10.0.0.5:5060;transport=tcp>\r\n%sContent-Length: 0\r\n\r\n", cseq, cseq, auth))
		return parseText(t, []byte(read()))
	}
	var adm Admission
	for _, v := range register(1, "").all("WWW-Authenticate") {
		adm.Headers = append(adm.Headers, Header{"WWW-Authenticate", v})
	}
	if m := register(2, "Authorization: "+attempt(t, adm, "MD5", "u0", "pu0", 1).Headers[0].Value+"\r\n"); m.status() != "200" {
		t.Fatal(m)
	}
	if ev := <-changes; ev.Kind != Registered || ev.Contact.Flow.Remote != source || ev.Contact.Flow.Network != "tcp" || !ev.Contact.NAT {
		t.Errorf("%+v", ev)
	}
	write("\r\n\r\n") // RFC 5626 3.5.1
	if s := read(); s != "\r\n" {
		t.Errorf("a ping is answered %q", s)
	}
	phone := reg.Contacts("u0")[0]
	ends := make(chan Event, 8)
	call := func() {
		t.Helper()
		if _, err := e.Call(Outgoing{URI: phone.URI, Flow: phone.Flow, Body: []byte(sdpOffer), Handle: func(ev Event) { ends <- ev }}); err != nil {
			t.Fatal(err)
		}
	}
	call()
	m := parseText(t, []byte(read()))
	if m.start != "INVITE sip:u0@10.0.0.5:5060;transport=tcp SIP/2.0" {
		t.Fatalf("%v", m)
	}
	reply := "SIP/2.0 486 Busy Here\r\n"
	for _, h := range m.headers {
		switch h[0] {
		case "Via", "From", "Call-ID", "CSeq":
			reply += h[0] + ": " + h[1] + "\r\n"
		case "To":
			reply += "To: " + h[1] + ";tag=2\r\n"
		}
	}
	write(reply + "Content-Length: 0\r\n\r\n")
	if ev := <-ends; ev.Kind != EventRefused || ev.Status != 486 {
		t.Errorf("%+v", ev)
	}
	if ack := read(); !strings.HasPrefix(ack, "ACK ") {
		t.Errorf("got %q", ack)
	}
	if !e.Alive(phone.Flow) {
		t.Error("its way is closed")
	}
	c.Close()
	if ev := <-changes; ev.Kind != Unregistered || ev.Reason != ByClosing {
		t.Errorf("%+v", ev)
	}
	if e.Alive(phone.Flow) {
		t.Error("its way is open")
	}
	call()
	if ev := <-ends; ev.Kind != EventRefused || !ev.Local || ev.Status != 503 || !strings.Contains(ev.Attempts[0].Reason, "its connection is closed") {
		t.Errorf("%+v", ev)
	}
}

func TestSameURI(t *testing.T) {
	// RFC 3261 19.1.4.
	for _, tt := range []struct {
		a, b string
		same bool
	}{
		{"sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp", true},
		{"sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5", true},
		{"sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5", true},
		{"SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP", false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com:5060", false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp", false},
		{"sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off", false},
		{"sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4", false},
		{"sips:bob@biloxi.com", "sip:bob@biloxi.com", false},
	} {
		a, errA := parseURI(tt.a)
		b, errB := parseURI(tt.b)
		if errA != nil || errB != nil || sameURI(a, b) != tt.same || sameURI(b, a) != tt.same {
			t.Errorf("%s and %s: same is not %v (%v, %v)", tt.a, tt.b, tt.same, errA, errB)
		}
	}
}

func TestRegistrarConfigIsChecked(t *testing.T) {
	auth := newTestAuth(t, nil)
	for _, tt := range []struct {
		cfg  RegistrarConfig
		want string
	}{
		{RegistrarConfig{}, "Auth is nil"},
		{RegistrarConfig{Auth: auth, MaxContacts: -1}, "cannot be negative"},
		{RegistrarConfig{Auth: auth, MinExpires: -1}, "cannot be negative"},
		{RegistrarConfig{Auth: auth, MinExpires: time.Minute, MaxExpires: time.Second}, "in this order"},
		{RegistrarConfig{Auth: auth, DefaultExpires: 2 * time.Hour}, "in this order"},
		{RegistrarConfig{Auth: auth, MinExpires: 2 * time.Hour}, "one hour at most"},
	} {
		if _, err := NewRegistrar(tt.cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want %q", err, tt.want)
		}
	}
}

// TestPanicsOfTheHostAreContained has OnChange panic: the phone is registered all the same.
func TestPanicsOfTheHostAreContained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := registrarOf(t, 1, func(c *RegistrarConfig) { c.OnChange = func(RegistrarEvent) { panic("host") } })
		b := newBubble(t, func(c *Config) { c.Registrar = reg })
		defer b.close()
		if m := (&registering{p: b.p, user: "u0"}).send(t, "Contact: <sip:x@192.168.1.1>\r\n", 60); m.status() != "200" {
			t.Error(m)
		}
		time.Sleep(61 * time.Second)
		if n, _ := reg.Len(); n != 0 {
			t.Errorf("%d users are left", n)
		}
	})
}
