package sip

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// torture adds the messages of RFC 4475 as seeds, where they are.
func torture(f *testing.F) {
	files, _ := filepath.Glob(filepath.Join("..", "..", "shared", "vectors", "rfc4475", "*.dat"))
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

// FuzzDatagram gives a datagram to an endpoint that takes every call. Whatever
// is answered must be SIP, and echo no line break.
func FuzzDatagram(f *testing.F) {
	torture(f)
	f.Add([]byte(options(1, "body")))
	f.Add([]byte(strings.Replace(options(1, ""), "SIP/2.0/TCP 127.0.0.1;", "SIP/2.0/UDP [::1]:5060;rport;received=;=;", 1)))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parse(newParser(), b, flow{remote: netip.MustParseAddrPort("192.0.2.10:5060")})
		if err == nil {
			rep := m.reply("tag")
			_ = encode(rep.response(200, "", ""), func(out []byte) error {
				if bytes.Contains(bytes.ReplaceAll(out, []byte("\r\n"), nil), []byte("\n")) {
					t.Fatalf("a lone line break in the response:\n%q", out)
				}
				return nil
			})
		}
		synctest.Test(t, func(t *testing.T) {
			mem := newMemNet()
			e, stop := serve(t, Config{
				Listen: []Listen{{Network: "udp", PacketConn: mem.listen("192.0.2.1:5060")}},
				Invite: func(d *Dialog) { _ = d.Accept(nil) },
			})
			c := mem.listen("192.0.2.10:5060")
			if _, err := c.WriteTo(b, net.UDPAddrFromAddrPort(e.Addrs()[0].Addr)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if e.Stats().Panics != 0 {
				t.Fatal("panic")
			}
			stop()
		})
	})
}

// FuzzResponse answers a call of ours with anything: no panic, one end, and
// nothing but SIP without lone line breaks goes out. {via}, {from}, {callid} and
// {cseq} are those of the INVITE.
func FuzzResponse(f *testing.F) {
	const head = "Via: {via}\r\nFrom: {from}\r\nTo: <sip:b@192.0.2.10>;tag=1\r\nCall-ID: {callid}\r\nCSeq: {cseq}\r\n"
	for _, s := range []string{
		"SIP/2.0 200 OK\r\n" + head + "Contact: <sip:b@192.0.2.10>\r\nRecord-Route: <sip:a>, <sip:b;lr>\r\n\r\nv=0\r\n",
		"SIP/2.0 180 Ringing\r\n" + head + "\r\n",
		"SIP/2.0 401 No\r\n" + head + "WWW-Authenticate: Digest realm=\"a\", nonce=\"b\", qop=\"auth\"\r\n\r\n",
		"SIP/2.0 302 Moved\r\n" + head + "Contact: <sip:c@192.0.2.10>;q=0.1, <sip:d@192.0.2.11>;q=nan\r\n\r\n",
		"SIP/2.0 503 No\r\n" + head + "\r\n",
		"SIP/2.0 200 OK\r\n" + head + "Contact: *\r\nRecord-Route: \"\r\n\r\n",
		"SIP/2.0 200 OK\r\n" + head + "Contact: <sips:b@nowhere>\r\n\r\n",
		"SIP/2.0 183 Session Progress\r\n" + head + "Contact: <sip:b@192.0.2.10>\r\nRequire: 100rel\r\nRSeq: 1\r\n\r\nv=0\r\n",
		"SIP/2.0 180 Ringing\r\n" + head + "Contact: *\r\nRequire: 100rel\r\nRSeq: 2147483648\r\n\r\n",
		"SIP/2.0 422 No\r\n" + head + "Min-SE: 999999999\r\n\r\n",
		"SIP/2.0 200 OK\r\n" + head + "Contact: <sip:b@192.0.2.10>\r\nSession-Expires: 1;refresher=uac\r\n\r\nv=0\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		synctest.Test(t, func(t *testing.T) {
			mem := newMemNet()
			e, stop := serve(t, Config{
				Listen: []Listen{{Network: "udp", PacketConn: mem.listen("192.0.2.1:5060")}},
				Invite: func(d *Dialog) { _ = d.Accept(nil) }, Resolver: &zone{},
			})
			c := mem.listen("192.0.2.10:5060")
			ends := 0
			d, err := e.Call(Outgoing{URI: "sip:b@192.0.2.10", Body: []byte("v=0\r\n"), Timeout: 10 * time.Second,
				Credentials: []Credentials{{Username: "a", Password: "b"}}, Redirect: func(string) bool { return true },
				Handle: func(ev Event) {
					if ev.last() {
						ends++
					}
				}})
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				synctest.Wait()
				for len(c.in) > 0 {
					sent := (<-c.in).b
					m := parseText(t, sent)
					if bytes.Contains(bytes.ReplaceAll(sent, []byte("\r\n"), nil), []byte("\n")) && m.body == "" {
						t.Fatalf("a lone line break:\n%q", sent)
					}
					if !strings.HasPrefix(m.start, "INVITE") {
						continue
					}
					out := strings.NewReplacer("{via}", m.get("Via"), "{from}", m.get("From"), "{callid}", m.get("Call-ID"), "{cseq}", m.get("CSeq")).Replace(string(b))
					for range 2 {
						if _, err := c.WriteTo([]byte(out), net.UDPAddrFromAddrPort(e.Addrs()[0].Addr)); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			time.Sleep(2 * time.Minute)
			_ = d.Bye()
			time.Sleep(time.Minute)
			s := e.Stats()
			stop() // and wait for what tells ends
			if s.Panics != 0 || s.Dialogs != 0 || ends != 1 || s.Strays != 0 {
				t.Fatalf("%d ends, %+v", ends, s)
			}
		})
	})
}

func FuzzNameAddr(f *testing.F) {
	for _, s := range []string{
		`"A \"b\" c" <sip:a@b;x=y>;tag=1;z`, "sip:a@b;tag=2", "tel:+49;ext=1", "<sip:%zz@[::1]:5060?a=b>", "A B <sips:c>;q=\"1;2\"", `"`, "<", "sip:", ";;;",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseNameAddr(s)
		if err != nil {
			return
		}
		if strings.ContainsAny(a.URI, "\r\n <>") {
			t.Fatalf("URI %q", a.URI)
		}
		// The same URI in brackets means the same.
		b, err := ParseNameAddr("<" + a.URI + ">")
		if err != nil || b.URI != a.URI || b.User != a.User || b.Host != a.Host {
			t.Fatalf("%q: %+v became %+v, %v", s, a, b, err)
		}
	})
}

func FuzzVia(f *testing.F) {
	for _, s := range []string{"SIP/2.0/UDP h:5060;branch=z9hG4bK1;rport", "SIP / 2.0 / TCP [::1] ;rport=1;received=1.2.3.4, SIP/2.0/UDP x", "SIP/2.0/UDP h;a=\"x;y,z\""} {
		f.Add(s)
	}
	from := flow{remote: netip.MustParseAddrPort("192.0.2.10:40000")}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := parseVia(s)
		if err != nil {
			return
		}
		out, _ := v.answered(from)
		w, err := parseVia(out)
		if err != nil || w.host != v.host || w.branch != v.branch || w.port != v.port {
			t.Fatalf("%q became %q: %+v, %v", s, out, w, err)
		}
	})
}

func FuzzMultipart(f *testing.F) {
	f.Add("multipart/mixed;boundary=x", []byte("--x\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--x--"))
	f.Add(`multipart/related;boundary="a b"`, []byte("pre\n--a b\n\n\n--a b--"))
	f.Fuzz(func(t *testing.T, ctype string, body []byte) {
		if p, ok := sdpPart(ctype, body); ok && (len(p) == 0 || !bytes.Contains(body, p)) {
			t.Fatalf("part %q of %q", p, body)
		}
	})
}

// FuzzStream cuts a byte stream at every place: the messages are the same
// however TCP delivers them.
func FuzzStream(f *testing.F) {
	f.Add([]byte(options(1, "body")+"\r\n\r\n"+options(2, "")), uint8(7))
	f.Add([]byte("\r\n\r\n\r\nX\r\n\r\n"), uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, step uint8) {
		whole, oneErr := cut(b, len(b)+1)
		parts, manyErr := cut(b, int(step)+1)
		if strings.Join(whole, "|") != strings.Join(parts, "|") || oneErr != manyErr {
			t.Fatalf("whole: %q %v\nin steps of %d: %q %v", whole, oneErr, int(step)+1, parts, manyErr)
		}
	})
}

// chunks is a connection that delivers b in pieces of step bytes.
type chunks struct {
	net.Conn
	b    []byte
	step int
}

func (c *chunks) SetReadDeadline(time.Time) error { return nil }
func (c *chunks) Read(p []byte) (int, error) {
	if len(c.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.b[:min(c.step, len(c.b))])
	c.b = c.b[n:]
	return n, nil
}

func cut(b []byte, step int) (msgs []string, end string) {
	s := stream{conn: &chunks{b: b, step: step}, max: maxDatagram, pong: func() {}}
	for {
		m, err := s.next()
		var bad *frameError
		switch {
		case errors.As(err, &bad):
			return msgs, bad.what
		case err != nil:
			return msgs, "end"
		}
		msgs = append(msgs, string(m))
	}
}

// FuzzContactParams takes the parameters off a Contact as a registrar shows it again.
func FuzzContactParams(f *testing.F) {
	for _, s := range []string{`<sip:a@b>;q=0.5;expires=5;+sip.instance="<urn:uuid:1>"`, `"A;b" <sip:a@b;x=y>;z="1;2" ; Expires = 3`, "sip:a@b;expires=1;q=1", "sip:a@b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseNameAddr(s)
		if err != nil || strings.ContainsAny(s, "\r\n\x00") {
			return
		}
		b, err := ParseNameAddr("<" + a.URI + ">" + contactParams(s) + ";expires=7")
		if err != nil || b.URI != a.URI || b.Params["expires"] != "7" {
			t.Fatalf("%q became %q: %+v, %v", s, contactParams(s), b, err)
		}
		for k, v := range a.Params {
			if _, kept := b.Params[k]; kept && k != "expires" && strings.Count(strings.ToLower(s), k) == 1 && b.Params[k] != v {
				t.Fatalf("%q: %s is %q, was %q", s, k, b.Params[k], v)
			}
		}
	})
}
