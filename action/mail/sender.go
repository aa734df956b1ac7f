package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/netip"
	"strings"
	"time"

	"github.com/callbin/callbin/action"
)

// Security says how the connection to a server is encrypted.
type Security string

// Ways to encrypt. The server's certificate is always checked.
const (
	StartTLS Security = "starttls" // after STARTTLS, which the server must offer; usual on port 587
	TLS      Security = "tls"      // from the first byte; usual on port 465
	Plain    Security = "plain"    // not at all
)

// Limits of a mail.
const (
	MaxRecipients  = 100
	MaxContent     = 1 << 20  // bytes of the text
	MaxAttachments = 20 << 20 // bytes of all attachments, before base64 makes them a third larger
)

// ErrTooLarge is matched by the error of a mail that is beyond one of the limits.
var ErrTooLarge = errors.New("too large")

// Config of a Sender.
type Config struct {
	Addr     string // of the server, "host:port"
	Username string // for AUTH PLAIN; empty: none
	Password string
	From     string // the sender, "Name <user@host>" or the address alone

	Security Security    // empty: StartTLS, but Plain where Addr is on this machine
	TLS      *tls.Config // nil: the system's roots, and the host of Addr

	Hello   string        // the name given to the server; empty: the host of From
	Timeout time.Duration // of each step, as a reply or a piece of the mail; 0: 60 s

	// Dial connects to the server; nil: a net.Dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Sender sends mails by one server, each over a connection of its own. It is safe for
// concurrent use.
type Sender struct {
	cfg  Config
	host string // of Addr
	from *netmail.Address
}

var _ action.MailSender = (*Sender)(nil)

// New returns a Sender. It connects to nothing yet.
func New(cfg Config) (*Sender, error) {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("mail: new sender: "+format, args...))
	}
	host, port, err := net.SplitHostPort(cfg.Addr)
	if err != nil || host == "" || port == "" {
		fault("address %q is not host:port", cfg.Addr)
	}
	from, err := netmail.ParseAddress(cfg.From)
	if err != nil {
		fault("sender %q: %w", cfg.From, err)
		from = &netmail.Address{}
	} else if err := checkAddress(from.Address); err != nil {
		fault("sender: %w", err)
	}
	local := isLocal(host)
	switch cfg.Security {
	case "":
		cfg.Security = StartTLS
		if local {
			cfg.Security = Plain
		}
	case StartTLS, TLS, Plain:
	default:
		fault("security %q is not starttls, tls or plain", cfg.Security)
	}
	if cfg.Security == Plain && cfg.Username != "" && !local {
		fault("a password would go to %s in clear", host)
	}
	if strings.ContainsRune(cfg.Username+cfg.Password, 0) {
		fault("a user name or password with a zero byte")
	}
	if cfg.Hello == "" {
		cfg.Hello = from.Address[strings.LastIndexByte(from.Address, '@')+1:]
	}
	if strings.ContainsFunc(cfg.Hello, func(r rune) bool { return r <= ' ' }) {
		fault("the name %q for HELO has blanks", cfg.Hello)
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 60 * time.Second
	}
	if cfg.Dial == nil {
		cfg.Dial = new(net.Dialer).DialContext
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return &Sender{cfg: cfg, host: host, from: from}, nil
}

// isLocal tells whether host is this machine.
func isLocal(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback() || host == "localhost"
}

// SendMail implements action.MailSender: it returns once the server has taken the mail. A
// mail that fails is sent to nobody, with one exception: where the server refuses some
// recipients the others get it, and the error joins a *RefusedError for each refused one. Other
// errors of the server match a *textproto.Error, which has its code; others are ErrTooLarge, those
// of an attachment, of the network, or context.Cause(ctx).
func (s *Sender) SendMail(ctx context.Context, m action.Mail) error {
	l, err := newLetter(s.from, m)
	if err != nil {
		return fmt.Errorf("mail: send: %w", err)
	}
	defer l.close()
	if err := l.open(ctx); err != nil {
		return fmt.Errorf("mail: send: %w", err)
	}
	if err := s.deliver(ctx, l); err != nil {
		return fmt.Errorf("mail: send by %s: %w", s.cfg.Addr, err)
	}
	return nil
}
