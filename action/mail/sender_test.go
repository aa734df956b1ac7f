package mail_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"net/textproto"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/action/mail"
	"github.com/callbin/callbin/call/address"
)

func sender(t testing.TB, cfg mail.Config) *mail.Sender {
	t.Helper()
	if cfg.From == "" {
		cfg.From = "Callbin <callbin@example.com>"
	}
	s, err := mail.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func to(addresses ...string) (all []address.Address) {
	for _, a := range addresses {
		all = append(all, address.Address{Type: address.TypeEmail, Target: a})
	}
	return all
}

func file(name, typ string, content []byte) action.MailAttachment {
	return action.MailAttachment{Name: name, ContentType: typ, Open: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(iotest.HalfReader(bytes.NewReader(content))), nil
	}}
}

// part is a part of a mail, decoded.
type part struct{ Type, File, Text string }

// parse reads a mail with the standard library: its header, and its parts, one where it has no others.
func parse(t *testing.T, raw string) (netmail.Header, []part) {
	t.Helper()
	m, err := netmail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatalf("%v in %q", err, raw)
	}
	typ, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(typ, "multipart/") {
		b, err := io.ReadAll(quotedprintable.NewReader(m.Body))
		if err != nil || m.Header.Get("Content-Transfer-Encoding") != "quoted-printable" {
			t.Fatal(err, m.Header)
		}
		return m.Header, []part{{Type: m.Header.Get("Content-Type"), Text: string(b)}}
	}
	var parts []part
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return m.Header, parts
		}
		if err != nil {
			t.Fatal(err)
		}
		var body io.Reader = quotedprintable.NewReader(p)
		if p.Header.Get("Content-Transfer-Encoding") == "base64" {
			body = base64.NewDecoder(base64.StdEncoding, p)
		}
		b, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, part{Type: p.Header.Get("Content-Type"), File: p.FileName(), Text: string(b)})
	}
}

func decoded(t *testing.T, s string) string {
	t.Helper()
	d, err := new(mime.WordDecoder).DecodeHeader(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestPlainMail(t *testing.T) {
	srv := (&server{}).start(t)
	err := sender(t, mail.Config{Addr: srv.addr}).SendMail(t.Context(), action.Mail{
		Destinations: to("ann@example.com", "bob@example.org"),
		Subject:      "A call for you",
		Content:      "Hello,\n.\n..dots\r\nCaf\u00e9 = 100%   \nFrom me\rbye",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"EHLO example.com", "MAIL FROM:<callbin@example.com>", "RCPT TO:<ann@example.com>", "RCPT TO:<bob@example.org>", "DATA", "QUIT"}
	if d := cmp.Diff(want, srv.commands()); d != "" {
		t.Errorf("commands (-want +got):\n%s", d)
	}
	if raw := srv.mails[0]; !strings.Contains(raw, "\r\n..\r\n...dots\r\n") {
		t.Errorf("the dots are not doubled: %q", raw)
	}
	header, parts := parse(t, srv.mail(t))
	wantParts := []part{{Type: "text/plain; charset=utf-8", Text: "Hello,\r\n.\r\n..dots\r\nCaf\u00e9 = 100%   \r\nFrom me\r\nbye\r\n"}}
	if d := cmp.Diff(wantParts, parts); d != "" {
		t.Errorf("text (-want +got):\n%s", d)
	}
	for name, want := range map[string]string{
		"From": `"Callbin" <callbin@example.com>`, "To": "<ann@example.com>, <bob@example.org>", "Subject": "A call for you",
		"Mime-Version": "1.0", "Auto-Submitted": "auto-generated",
	} {
		if got := header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if d, err := header.Date(); err != nil || time.Since(d).Abs() > time.Minute {
		t.Errorf("date %v, %v", d, err)
	}
	if id := header.Get("Message-ID"); !strings.HasPrefix(id, "<") || !strings.HasSuffix(id, "@example.com>") || len(id) < 30 {
		t.Errorf("message id %q", id)
	}
}

func TestMailWithAttachments(t *testing.T) {
	srv := (&server{extensions: []string{"8BITMIME", "SIZE 100000000", "SMTPUTF8"}}).start(t)
	sound := make([]byte, 100_001)
	for i := range sound {
		sound[i] = byte(i * i >> 3)
	}
	subject := "Aufnahme: " + strings.Repeat("\u00dcberl\u00e4nge \U0001f4de ", 12) + "Ende"
	err := sender(t, mail.Config{Addr: srv.addr, From: "B\u00fcro =?x <b\u00fcro@example.com>"}).SendMail(t.Context(), action.Mail{
		Destinations: []address.Address{
			{Type: address.TypeEmail, Target: "ann@example.com", TargetName: `Ann "A," O'Neil`},
			{Type: address.TypeEmail, Target: "zo\u00eb@example.com", TargetName: "Zo\u00eb"},
			{Type: address.TypeEmail, Target: "bob@example.com", TargetName: strings.Repeat("long name ", 20)},
		},
		Subject: subject,
		Content: " \n<!DOCTYPE html><p>Hi",
		Attachments: []action.MailAttachment{
			file("call.wav", "audio/wav", sound),
			file("../../etc/\u00dc \"1\".txt", "text/plain; charset=utf-8", []byte("x")),
			file(`C:\temp\`, "multipart/mixed", nil),
			file("a\r\nX-Evil: 1", "text/html\r\nX-Evil: 1", []byte("<p>")),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := srv.commands()[1]; got != "MAIL FROM:<b\u00fcro@example.com> BODY=8BITMIME SMTPUTF8" {
		t.Errorf("%q", got)
	}
	header, parts := parse(t, srv.mail(t))
	want := []part{
		{Type: "text/html; charset=utf-8", Text: " \r\n<!DOCTYPE html><p>Hi"},
		{Type: "audio/wav", File: "call.wav", Text: string(sound)},
		{Type: "text/plain; charset=utf-8", File: "\u00dc \"1\".txt", Text: "x"},
		{Type: "application/octet-stream", File: "temp"},
		{Type: "application/octet-stream", File: "a  X-Evil: 1", Text: "<p>"},
	}
	if d := cmp.Diff(want, parts); d != "" {
		t.Errorf("parts (-want +got):\n%s", d)
	}
	if got := decoded(t, header.Get("Subject")); got != subject {
		t.Errorf("subject %q, want %q", got, subject)
	}
	all, err := header.AddressList("To")
	if err != nil || len(all) != 3 || all[0].Name != `Ann "A," O'Neil` || all[1].Name != "Zo\u00eb" || all[1].Address != "zo\u00eb@example.com" ||
		all[2].Name != strings.TrimSpace(strings.Repeat("long name ", 20)) {
		t.Errorf("to: %v, %v", all, err)
	}
	if from, err := header.AddressList("From"); err != nil || from[0].Name != "B\u00fcro =?x" {
		t.Errorf("from: %v, %v", from, err)
	}
	if _, evil := header["X-Evil"]; evil {
		t.Error("a header was added")
	}
}

func TestHeadersCannotBeAdded(t *testing.T) {
	evil := "x\r\nBcc: eve@example.com\r\n\r\nbody\u2028\x00"
	srv := (&server{}).start(t)
	s := sender(t, mail.Config{Addr: srv.addr})
	if err := s.SendMail(t.Context(), action.Mail{
		Destinations: []address.Address{{Type: address.TypeEmail, Target: "ann@example.com", TargetName: evil}},
		Subject:      evil, Content: evil,
	}); err != nil {
		t.Fatal(err)
	}
	header, _ := parse(t, srv.mail(t))
	if _, ok := header["Bcc"]; ok || len(header) != 9 {
		t.Errorf("header: %v", header)
	}
	if got, want := header.Get("Subject"), "x  Bcc: eve@example.com    body"; got != want {
		t.Errorf("subject %q, want %q", got, want)
	}
	before := len(srv.commands())
	for _, bad := range []string{
		"", "ann", "ann@", "@example.com", "ann@example.com, eve@example.com", "Ann <ann@example.com>", "<ann@example.com>", "ann@example.com (x)",
		"ann@example.com>\r\nRCPT TO:<eve@example.com", "ann@example.com\n", " ann@example.com", `"a b"@example.com`, "a\x00@example.com", "\xff@example.com",
		strings.Repeat("x", 250) + "@example.com",
	} {
		err := s.SendMail(t.Context(), action.Mail{Destinations: to("bob@example.com", bad)})
		if err == nil || !strings.HasPrefix(err.Error(), "mail: send: recipient: ") || strings.ContainsAny(err.Error(), "\r\n") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := s.SendMail(t.Context(), action.Mail{Destinations: []address.Address{{Type: address.TypeTel, Target: "+4930901820"}}}); err == nil ||
		err.Error() != `mail: send: recipient "+4930901820" is of type "tel", not "email"` {
		t.Errorf("tel: %v", err)
	}
	if got := len(srv.commands()); got != before {
		t.Error("the server was asked")
	}
}

func TestStartTLS(t *testing.T) {
	theirs, ours := certificate(t)
	user := base64.StdEncoding.EncodeToString([]byte("\x00me\x00s3cret"))
	srv := (&server{extensions: []string{"STARTTLS", "AUTH LOGIN plain"}, tls: theirs, user: user}).start(t)
	cfg := mail.Config{Addr: srv.addr, Username: "me", Password: "s3cret", Security: mail.StartTLS, TLS: ours, Hello: "pbx.example.com"}
	if err := sender(t, cfg).SendMail(t.Context(), action.Mail{Destinations: to("ann@example.com"), Content: "hi"}); err != nil {
		t.Fatal(err)
	}
	want := []string{"EHLO pbx.example.com", "STARTTLS", "EHLO pbx.example.com", "AUTH PLAIN " + user, "MAIL FROM:<callbin@example.com>", "RCPT TO:<ann@example.com>", "DATA", "QUIT"}
	if d := cmp.Diff(want, srv.commands()); d != "" {
		t.Errorf("commands (-want +got):\n%s", d)
	}
	if d := cmp.Diff(want[2:], srv.safe); d != "" {
		t.Errorf("encrypted (-want +got):\n%s", d)
	}
	if ours.ServerName != "" {
		t.Error("the caller's config was changed")
	}

	cfg.TLS = nil
	err := sender(t, cfg).SendMail(t.Context(), action.Mail{Destinations: to("ann@example.com")})
	if !errors.As(err, new(x509.UnknownAuthorityError)) {
		t.Errorf("a certificate that nobody knows: %v", err)
	}
	cfg.TLS, cfg.Password = ours, "wrong"
	err = sender(t, cfg).SendMail(t.Context(), action.Mail{Destinations: to("ann@example.com")})
	if err == nil || err.Error() != "mail: send by "+srv.addr+": AUTH: 535 \"5.7.8 no\"" {
		t.Errorf("wrong password: %v", err)
	}
}

func TestTLSFromTheStart(t *testing.T) {
	theirs, ours := certificate(t)
	srv := (&server{tls: theirs, implicit: true}).start(t)
	if err := sender(t, mail.Config{Addr: srv.addr, Security: mail.TLS, TLS: ours}).SendMail(t.Context(), action.Mail{Destinations: to("ann@example.com")}); err != nil {
		t.Fatal(err)
	}
	if got := srv.commands(); len(got) != 5 || len(srv.safe) != 5 {
		t.Errorf("%q", got)
	}
}

func TestNoPasswordInClear(t *testing.T) {
	srv := (&server{extensions: []string{"AUTH PLAIN"}}).start(t)
	_, port, _ := net.SplitHostPort(srv.addr)
	// A server elsewhere that lost its STARTTLS, perhaps on the way.
	far := mail.Config{Addr: "mx.example.com:" + port, Username: "me", Password: "s3cret", Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, srv.addr)
	}}
	err := sender(t, far).SendMail(t.Context(), action.Mail{Destinations: to("ann@example.com")})
	if err == nil || !strings.HasSuffix(err.Error(), "the server offers no STARTTLS, and the config wants it") {
		t.Errorf("%v", err)
	}
	if got := srv.commands(); len(got) != 1 {
		t.Errorf("%q", got)
	}
	far.Security, far.From = mail.Plain, "a@b.example"
	if _, err := mail.New(far); err == nil || err.Error() != "mail: new sender: a password would go to mx.example.com in clear" {
		t.Errorf("%v", err)
	}
	// On this machine it is no secret.
	for _, host := range []string{"127.0.0.1", "127.0.0.9", "localhost", "[::1]"} {
		far.Addr, far.Security = host+":25", ""
		if _, err := mail.New(far); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
}

func TestRecipientsThatAreRefused(t *testing.T) {
	srv := (&server{replies: map[string]string{
		"RCPT TO:<bob@example.com>": "550-5.1.1 no\n550 such user",
		"RCPT TO:<cat@example.com>": "452 4.2.2 mailbox full",
		"RCPT TO:<dan@example.com>": "251 forwarded",
	}}).start(t)
	s := sender(t, mail.Config{Addr: srv.addr})
	err := s.SendMail(t.Context(), action.Mail{Destinations: to("ann@example.com", "bob@example.com", "cat@example.com", "dan@example.com", "\u00e4@example.com")})
	want := "mail: send by " + srv.addr + ": recipient bob@example.com: 550 \"5.1.1 no such user\"\n" +
		"recipient cat@example.com: 452 \"4.2.2 mailbox full\"\nrecipient \u00e4@example.com: the server takes ASCII addresses only"
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	var refused *mail.RefusedError
	var reply *textproto.Error
	if !errors.As(err, &refused) || refused.Address != "bob@example.com" || !errors.As(refused, &reply) || reply.Code != 550 {
		t.Errorf("%+v, %+v", refused, reply)
	}
	srv.mail(t) // ann and dan have it

	err = s.SendMail(t.Context(), action.Mail{Destinations: to("bob@example.com")})
	if !errors.As(err, &refused) || len(srv.mails) != 1 {
		t.Errorf("%v, %d mails", err, len(srv.mails))
	}
	if got := srv.commands(); got[len(got)-1] != "QUIT" || got[len(got)-2] != "RCPT TO:<bob@example.com>" {
		t.Errorf("%q", got)
	}
}

func TestServerThatRefuses(t *testing.T) {
	for line, want := range map[string]string{
		"greeting":                        `greeting: 554 "go away"`,
		"MAIL FROM:<callbin@example.com>": `MAIL: 554 "go away"`,
		"DATA":                            `DATA: 554 "go away"`,
		"data":                            `the mail: 554 "go away"`,
	} {
		srv := (&server{replies: map[string]string{line: "554-go\n554 away"}}).start(t)
		err := sender(t, mail.Config{Addr: srv.addr}).SendMail(t.Context(), action.Mail{Destinations: to("ann@example.com")})
		var reply *textproto.Error
		if err == nil || err.Error() != "mail: send by "+srv.addr+": "+want || !errors.As(err, &reply) || reply.Code != 554 {
			t.Errorf("%s: %v", line, err)
		}
	}
	srv := (&server{replies: map[string]string{"EHLO example.com": "502 what?"}}).start(t)
	if err := sender(t, mail.Config{Addr: srv.addr}).SendMail(t.Context(), action.Mail{Destinations: to("ann@example.com")}); err != nil || srv.commands()[1] != "HELO example.com" {
		t.Errorf("an old server: %v, %q", err, srv.commands())
	}
	srv = (&server{replies: map[string]string{"QUIT": "500 stay"}}).start(t)
	if err := sender(t, mail.Config{Addr: srv.addr}).SendMail(t.Context(), action.Mail{Destinations: to("ann@example.com")}); err != nil {
		t.Errorf("the mail was taken: %v", err)
	}
	srv = (&server{replies: map[string]string{"data": "554 " + strings.Repeat("no ", 500)}}).start(t)
	if err := sender(t, mail.Config{Addr: srv.addr}).SendMail(t.Context(), action.Mail{Destinations: to("ann@example.com")}); err == nil || len(err.Error()) > 300 {
		t.Errorf("a long reply: %v", err)
	}
	srv = (&server{replies: map[string]string{"greeting": strings.Repeat("220-"+strings.Repeat("x", 1000)+"\n", 1100) + "220 x"}}).start(t)
	if err := sender(t, mail.Config{Addr: srv.addr}).SendMail(t.Context(), action.Mail{Destinations: to("ann@example.com")}); !errors.Is(err, mail.ErrTooLarge) {
		t.Errorf("an endless greeting: %v", err)
	}
	srv = (&server{extensions: []string{"AUTH LOGIN"}}).start(t)
	if err := sender(t, mail.Config{Addr: srv.addr, Username: "x"}).SendMail(t.Context(), action.Mail{Destinations: to("ann@example.com")}); err == nil || !strings.HasSuffix(err.Error(), `no AUTH PLAIN but "LOGIN"`) {
		t.Errorf("no PLAIN: %v", err)
	}
}

func TestServerThatIsSilent(t *testing.T) {
	for _, line := range []string{"greeting", "EHLO example.com", "RCPT TO:<ann@example.com>", "DATA", "data"} {
		srv := (&server{silent: line}).start(t)
		s := sender(t, mail.Config{Addr: srv.addr, Timeout: 50 * time.Millisecond})
		err := s.SendMail(t.Context(), action.Mail{Destinations: to("ann@example.com")})
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("%s: %v", line, err)
		}
		s = sender(t, mail.Config{Addr: srv.addr})
		hungUp := errors.New("hung up")
		ctx, cancel := context.WithCancelCause(t.Context())
		timer := time.AfterFunc(50*time.Millisecond, func() { cancel(hungUp) })
		if err := s.SendMail(ctx, action.Mail{Destinations: to("ann@example.com")}); !errors.Is(err, hungUp) {
			t.Errorf("%s: %v", line, err)
		}
		timer.Stop()
		if err := s.SendMail(ctx, action.Mail{Destinations: to("ann@example.com")}); !errors.Is(err, hungUp) {
			t.Errorf("%s, ended before: %v", line, err)
		}
	}
	srv := (&server{silent: "QUIT"}).start(t)
	if err := sender(t, mail.Config{Addr: srv.addr, Timeout: 50 * time.Millisecond}).SendMail(t.Context(), action.Mail{Destinations: to("ann@example.com")}); err != nil {
		t.Errorf("the mail was taken: %v", err)
	}
}

// closer counts how often it was closed.
type closer struct {
	io.Reader
	closed *int
}

func (c closer) Close() error { *c.closed++; return nil }

func TestMailThatFailsHalfwayGoesToNobody(t *testing.T) {
	gone := errors.New("disk is gone")
	srv := (&server{}).start(t)
	opened, closed := 0, 0
	err := sender(t, mail.Config{Addr: srv.addr}).SendMail(t.Context(), action.Mail{
		Destinations: to("ann@example.com"),
		Attachments: []action.MailAttachment{file("small", "", []byte("x")), {Name: "a", Open: func(context.Context) (io.ReadCloser, error) {
			opened++
			return closer{io.MultiReader(strings.NewReader(strings.Repeat("x", 100_000)), iotest.ErrReader(gone)), &closed}, nil
		}}},
	})
	if !errors.Is(err, gone) || !strings.HasSuffix(err.Error(), `attachment "a": disk is gone`) || opened != 1 || closed != 1 {
		t.Errorf("%v, opened %d, closed %d", err, opened, closed)
	}
	srv.mu.Lock()
	if len(srv.mails) != 0 {
		t.Error("the mail was sent all the same")
	}
	srv.mu.Unlock()
	// One that cannot be opened does not even cost a connection.
	srv, closed = (&server{}).start(t), 0
	err = sender(t, mail.Config{Addr: srv.addr}).SendMail(t.Context(), action.Mail{
		Destinations: to("ann@example.com"),
		Attachments: []action.MailAttachment{
			{Name: "a", Open: func(context.Context) (io.ReadCloser, error) { return closer{strings.NewReader("x"), &closed}, nil }},
			{Name: "b", Open: func(context.Context) (io.ReadCloser, error) { return nil, gone }},
		},
	})
	if err == nil || err.Error() != `mail: send: attachment "b": disk is gone` || closed != 1 || len(srv.commands()) != 0 {
		t.Errorf("%v, closed %d, %q", err, closed, srv.commands())
	}
}

func TestMailsBeyondTheLimits(t *testing.T) {
	s := sender(t, mail.Config{Addr: "127.0.0.1:1"})
	for want, m := range map[string]action.Mail{
		"there is no recipient":                               {},
		"101 recipients, at most 100: too large":              {Destinations: to(make([]string, 101)...)},
		"a text of 1048577 bytes, at most 1048576: too large": {Destinations: to("a@b"), Content: strings.Repeat("x", mail.MaxContent+1)},
	} {
		if err := s.SendMail(t.Context(), m); err == nil || err.Error() != "mail: send: "+want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := s.SendMail(t.Context(), action.Mail{Destinations: to("a@b")}); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("%v", err)
	}
}

func TestBadConfig(t *testing.T) {
	good := mail.Config{Addr: "mx.example.com:587", From: "a@b.example"}
	for want, change := range map[string]func(*mail.Config){
		`address "mx" is not host:port`:                func(c *mail.Config) { c.Addr = "mx" },
		`address ":25" is not host:port`:               func(c *mail.Config) { c.Addr = ":25" },
		`sender "x": `:                                 func(c *mail.Config) { c.From = "x" },
		`sender: address "a b@x.example": `:            func(c *mail.Config) { c.From = `"a b"@x.example` },
		`security "ssl" is not starttls, tls or plain`: func(c *mail.Config) { c.Security = "ssl" },
		"a user name or password with a zero byte":     func(c *mail.Config) { c.Password = "\x00" },
		`the name "a\r\nb" for HELO has blanks`:        func(c *mail.Config) { c.Hello = "a\r\nb" },
	} {
		cfg := good
		change(&cfg)
		if s, err := mail.New(cfg); s != nil || err == nil || !strings.HasPrefix(err.Error(), "mail: new sender: "+want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
