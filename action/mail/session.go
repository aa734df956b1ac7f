package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"net/textproto"
	"slices"
	"strings"
	"time"
)

const (
	maxReplies  = 1 << 20         // bytes that a server may say in one session
	quitTimeout = 3 * time.Second // of the goodbye, when the mail is taken already
)

// RefusedError tells of a recipient that the server does not want.
type RefusedError struct {
	Address string
	Err     error // a *textproto.Error with code 4xx or 5xx, where the server said so
}

func (e *RefusedError) Error() string { return fmt.Sprintf("recipient %s: %v", e.Address, e.Err) }
func (e *RefusedError) Unwrap() error { return e.Err }

// deliver connects, sends and hangs up.
func (s *Sender) deliver(ctx context.Context, l *letter) error {
	raw, err := s.dial(ctx)
	if err != nil {
		return err
	}
	defer raw.Close()
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer stop()
	conn := &patientConn{Conn: raw, timeout: s.cfg.Timeout, left: maxReplies}
	if err := s.converse(conn, l); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err
	}
	return nil
}

func (s *Sender) dial(ctx context.Context) (net.Conn, error) {
	bounded, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	conn, err := s.cfg.Dial(bounded, "tcp", s.cfg.Addr)
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return conn, err
}

// converse is the whole session. The mail counts only if its end is sent, so that returning
// in its midst sends it to nobody.
func (s *Sender) converse(conn *patientConn, l *letter) error {
	c, err := s.hello(conn)
	if err != nil {
		return err
	}
	if err := s.login(c); err != nil {
		return err
	}
	utf8, _ := c.Extension("SMTPUTF8")
	if !utf8 && !isASCII(l.from.Address) {
		return fmt.Errorf("sender %s: the server takes ASCII addresses only", l.from.Address)
	}
	if err := c.Mail(l.from.Address); err != nil {
		return said("MAIL", err)
	}
	refused, err := recipients(c, l, utf8)
	if err != nil {
		return err
	}
	if len(refused) == len(l.to) {
		conn.timeout = min(quitTimeout, conn.timeout)
		_ = c.Quit()
		return errors.Join(refused...)
	}
	w, err := c.Data()
	if err != nil {
		return errors.Join(append(refused, said("DATA", err))...)
	}
	if err := l.write(w); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return errors.Join(append(refused, said("the mail", err))...)
	}
	conn.timeout = min(quitTimeout, conn.timeout)
	_ = c.Quit()
	return errors.Join(refused...)
}

// hello brings the connection to where mails or a password can be sent.
func (s *Sender) hello(conn net.Conn) (*smtp.Client, error) {
	config := s.cfg.TLS.Clone()
	if config == nil {
		config = &tls.Config{}
	}
	if config.ServerName == "" {
		config.ServerName = s.host
	}
	if s.cfg.Security == TLS {
		conn = tls.Client(conn, config)
	}
	c, err := smtp.NewClient(conn, s.host)
	if err != nil {
		return nil, said("greeting", err)
	}
	if err := c.Hello(s.cfg.Hello); err != nil {
		return nil, said("EHLO", err)
	}
	if s.cfg.Security != StartTLS {
		return c, nil
	}
	if ok, _ := c.Extension("STARTTLS"); !ok {
		return nil, errors.New("the server offers no STARTTLS, and the config wants it")
	}
	if err := c.StartTLS(config); err != nil {
		return nil, said("STARTTLS", err)
	}
	return c, nil
}

func (s *Sender) login(c *smtp.Client) error {
	if s.cfg.Username == "" {
		return nil
	}
	ok, mechanisms := c.Extension("AUTH")
	if !ok || !slices.Contains(strings.Fields(strings.ToUpper(mechanisms)), "PLAIN") {
		return fmt.Errorf("the server offers no AUTH PLAIN but %q", mechanisms)
	}
	if err := c.Auth(plainAuth{s.cfg.Username, s.cfg.Password}); err != nil {
		return said("AUTH", err)
	}
	return nil
}

// plainAuth is RFC 4616. Unlike the one of net/smtp it leaves to New whether the connection
// may be in clear, which knows more addresses of this machine.
type plainAuth struct{ username, password string }

func (a plainAuth) Start(*smtp.ServerInfo) (string, []byte, error) {
	return "PLAIN", []byte("\x00" + a.username + "\x00" + a.password), nil
}

func (a plainAuth) Next(_ []byte, more bool) ([]byte, error) {
	if more {
		return nil, errors.New("the server asks for more than a password")
	}
	return nil, nil
}

// recipients tells the server to whom the mail goes, and returns whom it refuses.
func recipients(c *smtp.Client, l *letter, utf8 bool) (refused []error, err error) {
	for _, to := range l.to {
		if !utf8 && !isASCII(to.Address) {
			refused = append(refused, &RefusedError{to.Address, errors.New("the server takes ASCII addresses only")})
			continue
		}
		err := c.Rcpt(to.Address)
		var reply *textproto.Error
		switch {
		case err == nil:
		case errors.As(err, &reply):
			refused = append(refused, &RefusedError{to.Address, short(reply)})
		default:
			return nil, said("RCPT", err)
		}
	}
	return refused, nil
}

// said adds to what the server said an error.
func said(what string, err error) error {
	if reply := (*textproto.Error)(nil); errors.As(err, &reply) {
		err = short(reply)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// short makes a reply one line that is not too long.
func short(e *textproto.Error) *textproto.Error {
	const most = 200
	msg := clean(e.Msg)
	if len(msg) > most {
		msg = strings.ToValidUTF8(msg[:most], "") + "..."
	}
	return &textproto.Error{Code: e.Code, Msg: msg}
}

// patientConn gives each read and write a time of its own, because a large mail over a
// slow line takes long without being stuck, and ends when the server says too much.
type patientConn struct {
	net.Conn
	timeout time.Duration
	left    int   // bytes that may be read
	err     error // of a read; net/smtp would go on with HELO after an EHLO without a reply
}

func (c *patientConn) Read(p []byte) (n int, err error) {
	if c.err != nil {
		return 0, c.err
	}
	defer func() { c.err = err }()
	if c.left <= 0 {
		return 0, fmt.Errorf("the server says more than %d bytes: %w", maxReplies, ErrTooLarge)
	}
	if err := c.SetReadDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	n, err = c.Conn.Read(p)
	c.left -= n
	return n, err
}

func (c *patientConn) Write(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	if err := c.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}
