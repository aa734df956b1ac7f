package mail_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is an SMTP server (RFC 5321) that keeps what it is told. Set its fields before start.
type server struct {
	extensions []string          // of EHLO; STARTTLS and AUTH are obeyed only where they are offered
	replies    map[string]string // instead of the usual one, by the line without CRLF, "greeting", or "data" at the end of a mail; lines joined by "\n"
	silent     string            // the line that gets no reply
	tls        *tls.Config       // for STARTTLS, or from the start
	implicit   bool              // TLS from the start
	user       string            // of AUTH PLAIN, with its password: "user\x00password"

	addr  string
	mu    sync.Mutex
	lines []string // commands; guarded by mu
	mails []string // data as it came over the wire, with its dots, whole ones only; guarded by mu
	cut   []string // those that were not ended; guarded by mu
	safe  []string // lines that came over TLS; guarded by mu
}

func (s *server) start(t testing.TB) *server {
	t.Helper()
	stop, err := s.listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return s
}

func (s *server) listen() (stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.addr = l.Addr().String()
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { s.serve(c) })
		}
	})
	return func() {
		_ = l.Close()
		all.Wait()
	}, nil
}

func (s *server) serve(c net.Conn) {
	defer func() { c.Close() }()
	safe := s.implicit
	if safe {
		c = tls.Server(c, s.tls)
	}
	r := bufio.NewReader(c)
	reply := func(line, usual string) bool {
		if line == s.silent {
			return true
		}
		if other, ok := s.replies[line]; ok {
			usual = other
		}
		_, err := fmt.Fprintf(c, "%s\r\n", strings.ReplaceAll(usual, "\n", "\r\n"))
		return err == nil
	}
	if !reply("greeting", "220-mx.example.com\n220 at your service") {
		return
	}
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSuffix(line, "\r\n")
		s.mu.Lock()
		s.lines = append(s.lines, line)
		if safe {
			s.safe = append(s.safe, line)
		}
		s.mu.Unlock()
		verb, _, _ := strings.Cut(line, " ")
		ok := false
		switch verb {
		case "EHLO":
			all := append([]string{"mx.example.com greets you"}, s.extensions...)
			for i := range all {
				all[i] = map[bool]string{false: "250-", true: "250 "}[i == len(all)-1] + all[i]
			}
			ok = reply(line, strings.Join(all, "\n"))
		case "STARTTLS":
			if !reply(line, "220 go ahead") {
				return
			}
			c = tls.Server(c, s.tls)
			r = bufio.NewReader(c)
			safe, ok = true, true
		case "AUTH":
			ok = reply(line, map[bool]string{true: "235 welcome", false: "535 5.7.8 no"}[line == "AUTH PLAIN "+s.user])
		case "DATA":
			if !reply(line, "354 end with a dot") {
				return
			}
			if _, refused := s.replies[line]; refused {
				ok = true
				break
			}
			whole := s.data(r)
			ok = whole && reply("data", "250 taken")
		case "QUIT":
			reply(line, "221 bye")
			return
		default:
			ok = reply(line, "250 ok")
		}
		if !ok {
			return
		}
	}
}

// data reads a mail up to its dot.
func (s *server) data(r *bufio.Reader) bool {
	var b strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			s.mu.Lock()
			s.cut = append(s.cut, b.String())
			s.mu.Unlock()
			return false
		}
		if line == ".\r\n" {
			s.mu.Lock()
			s.mails = append(s.mails, b.String())
			s.mu.Unlock()
			return true
		}
		b.WriteString(line)
	}
}

func (s *server) commands() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.lines...)
}

// mail returns the only mail, as it was before its dots were doubled.
func (s *server) mail(t *testing.T) string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mails) != 1 {
		t.Fatalf("%d mails came", len(s.mails))
	}
	var b strings.Builder
	for line := range strings.SplitAfterSeq(s.mails[0], "\r\n") {
		if strings.ContainsAny(strings.TrimSuffix(line, "\r\n"), "\r\n") {
			t.Errorf("a line has a bare CR or LF: %q", line)
		}
		if len(line) > 1000 {
			t.Errorf("a line has %d bytes", len(line))
		}
		b.WriteString(strings.TrimPrefix(line, "."))
	}
	return b.String()
}

// certificate makes a self-signed one for 127.0.0.1, and what a client has to know to trust it.
func certificate(t testing.TB) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, &tls.Config{RootCAs: roots}
}
