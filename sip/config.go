package sip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Config says what an Endpoint listens on and what it does with calls. Only
// Listen and Invite must be set.
type Config struct {
	// Listen lists the sockets, at least one.
	Listen []Listen

	// LocalNets are the networks whose peers are shown the bound address
	// instead of the advertised one.
	LocalNets []netip.Prefix

	// UserAgent is sent as Server and User-Agent; empty: "Callbin".
	UserAgent string

	// Invite gets each new call, in a goroutine of its own, after the checks of
	// RFC 3261 8.2 passed. It must see to it that Accept
	// or Reject is called eventually, but may return before. A panic in it is
	// recovered and ends that one call with 500.
	Invite func(*Dialog)

	// Drop is asked about each request outside of a dialog before anything else is looked at: what it says true to gets no answer, and is counted
	// (Stats.Dropped). It is called from any goroutine, and must not block. Nil: none is dropped.
	Drop func(method, userAgent string, from netip.AddrPort) bool

	// Registrar takes REGISTER; nil: it gets 405. It is for one endpoint.
	Registrar *Registrar

	// Notifier takes SUBSCRIBE; nil: it gets 405. It is for one endpoint.
	Notifier *Notifier

	// Admit is asked about each INVITE that would begin a call, in a goroutine of its own and for 5 seconds at
	// most, after the checks of RFC 3261 8.2 and before anything is kept of it: what it refuses, as
	// Authenticator.Check does to ask for a password, costs no memory. Who has one becomes
	// Request.Authenticated, and is answered and called within the dialog by the way that it came, whatever its Contact says. Nil: all are let in.
	Admit func(ctx context.Context, r *Request) Admission

	// Transfer says that the handlers know of REFER and Replaces (RFC 3515, 3891): EventRefer is answered by Dialog.AnswerRefer, and
	// Invite looks at Dialog.Replaces. Else a REFER gets 405, and an INVITE with Replaces is a call like any other. Outside of a dialog a
	// REFER gets 403 in any case: nobody sends us anywhere who is not in a call with us.
	Transfer bool

	// Ready says whether new calls are welcome; nil: always. When it returns
	// false they get 503 with Retry-After (rounded up to seconds; 0: none), before anything else is
	// looked at, and without a trace but for a hash by which a repetition gets the same. waited is how long
	// the request has lain in the socket, 0 where the system does not tell (it does for UDP on Linux). It
	// is called for each INVITE that begins a call and for each OPTIONS, from any goroutine, and must not block.
	Ready func(waited time.Duration) (ok bool, retryAfter time.Duration)

	// Resolver looks up the names of next hops (RFC 3263); nil: a new DNS. One that
	// knows NAPTR records is also a NAPTRResolver.
	Resolver Resolver

	// Logger; nil: slog.Default().
	Logger *slog.Logger

	// MaxDialogs bounds the dialogs that live at one time, answered or not; more
	// INVITEs get 503. A dialog keeps its INVITE: a stranger can make us hold
	// MaxDialogs times MaxMessage at the worst. 0: 20,000.
	MaxDialogs int

	// MaxConns bounds the TCP connections that others opened; more are closed
	// at once. 0: 4,096.
	MaxConns int

	// MaxMessage bounds a message in bytes; a longer datagram is dropped, a
	// longer message on TCP gets 513 and the connection is closed. 0: 65,535.
	MaxMessage int

	// MaxStrays bounds the table of requests answered in the last 32 seconds
	// (about 40 bytes each, three a call, and 250 for one of our INVITEs that was
	// refused), from which retransmissions are recognised after the dialog's end.
	// The oldest go first. 0: 400,000.
	MaxStrays int

	// Reliable says which provisional responses are sent reliably; "": those with a
	// session description, to callers that support it.
	Reliable Reliable

	// Session is the session timer; the zero value: calls are refreshed every 15
	// minutes, with peers that support it.
	Session SessionTimer

	// SetupTimeout ends a call that was neither accepted nor rejected with 480.
	// 0: 10 minutes.
	SetupTimeout time.Duration
}

// Listen is one address to receive SIP on.
type Listen struct {
	// Network is "udp" or "tcp".
	Network string

	// Addr is "IP:PORT" or "[IP]:PORT"; port 0 takes any free one. When
	// PacketConn is set it is ignored.
	Addr string

	// Advertise is the "HOST:PORT" shown in Via and Contact, for an endpoint
	// behind a NAT or bound to all addresses; empty: the bound address.
	Advertise string

	// PacketConn is used instead of a socket (udp only), so that tests can run
	// on an in-memory network. Its addresses must be *net.UDPAddr. The endpoint
	// closes it.
	PacketConn net.PacketConn
}

// Resolver looks names up; *DNS is one, and so is *net.Resolver. Both methods are
// those of the latter; a NAPTR record's replacement goes to LookupSRV with an empty
// service and proto. Answers are kept for 30 seconds, or as long as KeepFor says,
// and that there is none for 5, or 60 with NAPTR.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
}

// NAPTRResolver is a Resolver that can look up by which transports a domain
// wants to be reached; without one it is asked for its SRV records only. It is
// asked only for a URI that has neither port nor transport (RFC 3263 4.1), and for
// 1.5 seconds.
type NAPTRResolver interface {
	LookupNAPTR(ctx context.Context, name string) ([]NAPTR, error)
}

// withDefaults returns c with its zero fields filled in, and every fault of it at once.
func (c Config) withDefaults() (Config, error) {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf("sip: config: "+format, a...)) }

	if len(c.Listen) == 0 {
		bad("Listen is empty: nothing to listen on")
	}
	if c.Invite == nil {
		bad("Invite is nil: nobody to take calls")
	}
	if c.UserAgent == "" {
		c.UserAgent = "Callbin"
	} else if err := checkValue(c.UserAgent); err != nil {
		bad("UserAgent: %w", err)
	}
	for i, p := range c.LocalNets {
		if !p.IsValid() {
			bad("LocalNets[%d] is not a network", i)
		}
	}
	for i, l := range c.Listen {
		for _, fault := range l.check() {
			bad("Listen[%d]: %s", i, fault)
		}
	}
	for _, f := range []struct {
		name string
		v    *int
		def  int
	}{
		{"MaxDialogs", &c.MaxDialogs, 20_000},
		{"MaxConns", &c.MaxConns, 4_096},
		{"MaxMessage", &c.MaxMessage, maxDatagram},
		{"MaxStrays", &c.MaxStrays, 400_000},
	} {
		switch {
		case *f.v < 0:
			bad("%s is negative: %d", f.name, *f.v)
		case *f.v == 0:
			*f.v = f.def
		}
	}
	switch {
	case c.SetupTimeout < 0:
		bad("SetupTimeout is negative: %v", c.SetupTimeout)
	case c.SetupTimeout == 0:
		c.SetupTimeout = 10 * time.Minute
	}
	switch c.Reliable {
	case ReliableSDP, ReliableAll, ReliableRequired, ReliableNever:
	default:
		bad("Reliable is %q, not \"\", all, required or never", c.Reliable)
	}
	var faults []string
	c.Session, faults = c.Session.withDefaults()
	for _, fault := range faults {
		bad("Session: %s", fault)
	}
	if c.Resolver == nil {
		c.Resolver = new(DNS)
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c, errors.Join(errs...)
}

// check tells all that is wrong with l.
func (l Listen) check() (faults []string) {
	bad := func(format string, a ...any) { faults = append(faults, fmt.Sprintf(format, a...)) }
	switch l.Network {
	case "udp":
	case "tcp":
		if l.PacketConn != nil {
			bad("PacketConn is for udp only")
		}
	default:
		bad("Network is %q, not udp or tcp", l.Network)
	}
	if l.Advertise != "" {
		if _, _, err := splitHostPort(l.Advertise); err != nil {
			bad("Advertise %q: %v", l.Advertise, err)
		}
	}
	if l.PacketConn != nil {
		return faults
	}
	a, err := netip.ParseAddrPort(l.Addr)
	switch {
	case err != nil:
		bad("Addr %q is not IP:PORT", l.Addr)
	case a.Addr().IsUnspecified() && l.Advertise == "":
		bad("Addr %q is no address a peer can answer to: set Advertise", l.Addr)
	}
	return faults
}

// splitHostPort splits the HOST:PORT of an Advertise field. The host comes as
// it goes into a URI: an IPv6 address keeps its brackets.
func splitHostPort(s string) (host string, port uint16, err error) {
	host, p, err := net.SplitHostPort(s)
	if err != nil {
		return "", 0, errors.New("not HOST:PORT")
	}
	n, err := strconv.ParseUint(p, 10, 16)
	if err != nil || n == 0 {
		return "", 0, fmt.Errorf("port %q is not 1 to 65535", p)
	}
	if a, err := netip.ParseAddr(host); err == nil {
		if a.IsUnspecified() {
			return "", 0, errors.New("no address a peer can answer to")
		}
		return uriHost(a), uint16(n), nil
	}
	if host == "" || strings.Trim(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") != "" {
		return "", 0, fmt.Errorf("host %q is neither a name nor an address", host)
	}
	return host, uint16(n), nil
}

// uriHost writes a as the host of a URI or Via.
func uriHost(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		return "[" + a.String() + "]"
	}
	return a.String()
}
