package sip

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	// dnsTimeout is for one question to one server. A server that needs longer
	// for a name has the answer when it is asked again.
	dnsTimeout = 700 * time.Millisecond
	// dnsRounds is how often all servers are asked.
	dnsRounds = 2
	// dnsDatagram is more than a server may send to who has not asked for more.
	dnsDatagram = 4096
)

// DNS is a Resolver that asks name servers itself, so that it finds NAPTR
// records and knows for how long an answer holds. The zero value is ready to use
// and the default of Config.Resolver. It must not be copied after first use; any
// goroutine may call its methods, and several endpoints may share one.
//
// The zero value asks the servers of /etc/resolv.conf for NAPTR and SRV, and
// leaves the addresses of hosts to net.DefaultResolver, so that /etc/hosts and
// nsswitch.conf count as they do everywhere else. The file is read once, at the
// first look-up. Where it is not, or names no server, net.DefaultResolver does it
// all and there is no NAPTR. A name without enough dots (ndots) that is not found
// as it stands is tried with the search list of the file.
//
// No answer is kept here: the endpoint does that.
type DNS struct {
	// Servers are asked for everything, addresses of hosts included, in this
	// order, but the one that answered last comes first; localhost and numeric
	// hosts need none. Empty: those of the system, as described above.
	Servers []netip.AddrPort

	// Timeout is for one question to one server, by UDP, and again by TCP when
	// the answer does not fit. Each server is asked twice. 0: 700 ms.
	Timeout time.Duration

	// Dial opens the way to a server; nil: that of net.Dialer. network is "udp"
	// or "tcp". A "udp" connection must deliver what this server sends and
	// nothing else, a datagram for each Read.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	once sync.Once
	conf resolvConf    // set by once
	last atomic.Uint32 // the server that answered last
}

// LookupNetIP returns the IPv4 addresses of host, then the IPv6 addresses;
// network "ip4" or "ip6" restricts it to one kind. Errors of this and the other
// methods are *net.DNSError, but for the cause of ctx's end.
func (d *DNS) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	_, numeric := netip.ParseAddr(host)
	if len(d.Servers) == 0 || numeric == nil || local(host) {
		return net.DefaultResolver.LookupNetIP(ctx, network, host)
	}
	types := []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA}
	switch network {
	case "ip4":
		types = types[:1]
	case "ip6":
		types = types[1:]
	}
	answers, errs := make([]answer, len(types)), make([]error, len(types))
	var wg sync.WaitGroup
	for i, typ := range types {
		wg.Go(func() { answers[i], errs[i] = d.lookup(ctx, host, host, typ) })
	}
	wg.Wait()
	var as []netip.Addr
	for _, a := range answers {
		for _, body := range a.bodies {
			switch r := body.(type) {
			case *dnsmessage.AResource:
				as = append(as, netip.AddrFrom4(r.A))
			case *dnsmessage.AAAAResource:
				as = append(as, netip.AddrFrom16(r.AAAA))
			}
		}
	}
	err := errs[0]
	for i, e := range errs {
		switch {
		case e == nil:
			KeepFor(ctx, answers[i].ttl)
		case !notFound(e):
			err = e // says less about the host than that it is not there
		}
	}
	if len(as) > 0 {
		return as, nil
	}
	return nil, err
}

// LookupSRV returns the SRV records of _service._proto.name, or of name when both
// are empty, in no order. The first result is the name asked for.
func (d *DNS) LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error) {
	if len(d.config().servers) == 0 {
		return net.DefaultResolver.LookupSRV(ctx, service, proto, name)
	}
	full := name
	if service != "" || proto != "" {
		full = "_" + service + "._" + proto + "." + name
	}
	a, err := d.lookup(ctx, full, name, dnsmessage.TypeSRV)
	if err != nil {
		return full, nil, err
	}
	KeepFor(ctx, a.ttl)
	var srvs []*net.SRV
	for _, body := range a.bodies {
		if r, ok := body.(*dnsmessage.SRVResource); ok && plainName(r.Target.String()) {
			srvs = append(srvs, &net.SRV{Target: r.Target.String(), Port: r.Port, Priority: r.Priority, Weight: r.Weight})
		}
	}
	return full, srvs, nil
}

// LookupNAPTR returns the NAPTR records of name (RFC 3403), in no order, but for
// those that rewrite by a regular expression, for which SIP has no use.
func (d *DNS) LookupNAPTR(ctx context.Context, name string) ([]NAPTR, error) {
	if len(d.config().servers) == 0 {
		return nil, &net.DNSError{Err: "no name server", Name: clip(name), UnwrapErr: errors.ErrUnsupported}
	}
	a, err := d.lookup(ctx, name, name, dnsmessage.Type(typeNAPTR))
	if err != nil {
		return nil, err
	}
	KeepFor(ctx, a.ttl)
	var ns []NAPTR
	for _, body := range a.bodies {
		r, ok := body.(*dnsmessage.UnknownResource)
		if !ok {
			continue
		}
		if n, regexp, err := parseNAPTR(r.Data); err == nil && regexp == "" {
			ns = append(ns, n)
		}
	}
	return ns, nil
}

// lookup asks for name, and when it is not there and domain, its part without
// service labels, is short, for name in the domains of the search list.
func (d *DNS) lookup(ctx context.Context, name, domain string, typ dnsmessage.Type) (answer, error) {
	conf := d.config()
	if local(name) {
		return answer{}, &net.DNSError{Err: "no such host", Name: clip(name), IsNotFound: true} // RFC 6761 6.3
	}
	a, err := d.ask(ctx, conf.servers, strings.TrimSuffix(name, "."), typ)
	if strings.Count(domain, ".") >= conf.ndots {
		return a, err
	}
	for _, s := range conf.search {
		if !notFound(err) {
			break
		}
		var later error
		if a, later = d.ask(ctx, conf.servers, name+"."+s, typ); !notFound(later) {
			err = later
		}
	}
	return a, err
}

// ask puts one question to one server after the other, until one knows.
func (d *DNS) ask(ctx context.Context, servers []netip.AddrPort, name string, typ dnsmessage.Type) (answer, error) {
	fail := &net.DNSError{Name: clip(name)}
	q, err := newQuestion(name, typ)
	if err != nil {
		fail.Err, fail.UnwrapErr, fail.IsNotFound = "no such host", err, true
		return answer{}, fail
	}
	first := int(d.last.Load())
	for i := range dnsRounds * len(servers) {
		at := (first + i) % len(servers)
		a, err := d.exchange(ctx, servers[at], q)
		if err == nil || errors.Is(err, errNoRecord) {
			d.last.Store(uint32(at))
		}
		if err == nil {
			return a, nil
		}
		if ctx.Err() != nil {
			return answer{}, context.Cause(ctx)
		}
		fail.Err, fail.UnwrapErr, fail.Server = err.Error(), err, servers[at].String()
		fail.IsTimeout, fail.IsTemporary = errors.Is(err, context.DeadlineExceeded), true
		if errors.Is(err, errNoRecord) {
			fail.IsTemporary, fail.IsNotFound = false, true
			break
		}
	}
	return answer{}, fail
}

// exchange puts q to server by UDP, and by TCP when the answer is too long.
func (d *DNS) exchange(ctx context.Context, server netip.AddrPort, q question) (answer, error) {
	a, err := d.roundTrip(ctx, "udp", server, q)
	if errors.Is(err, errTruncated) {
		a, err = d.roundTrip(ctx, "tcp", server, q)
	}
	return a, err
}

func (d *DNS) roundTrip(ctx context.Context, network string, server netip.AddrPort, q question) (answer, error) {
	timeout := d.Timeout
	if timeout <= 0 {
		timeout = dnsTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	dial := d.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	// Each question has a socket of its own, so that who wants to forge an answer
	// must guess the port besides the id. It is connected: the system drops what
	// comes from elsewhere.
	conn, err := dial(ctx, network, server.String())
	if err != nil {
		return answer{}, ended(ctx, err)
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()

	var random [2]byte
	_, _ = rand.Read(random[:]) // never fails
	id := binary.BigEndian.Uint16(random[:])
	query := append(random[:], q.packed[2:]...)
	if network == "tcp" {
		query = append(binary.BigEndian.AppendUint16(nil, uint16(len(query))), query...)
	}
	if _, err := conn.Write(query); err != nil {
		return answer{}, ended(ctx, err)
	}
	buf := make([]byte, dnsDatagram)
	for {
		b, err := readMessage(conn, network, buf)
		if err != nil {
			return answer{}, ended(ctx, err)
		}
		a, err := readAnswer(b, id, q, network)
		if !errors.Is(err, errNotOurs) {
			return a, err
		}
	}
}

// readMessage reads a datagram, or a message with its length before it (RFC 1035 4.2.2).
func readMessage(conn net.Conn, network string, buf []byte) ([]byte, error) {
	if network == "udp" {
		n, err := conn.Read(buf)
		return buf[:n], err
	}
	if _, err := io.ReadFull(conn, buf[:2]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint16(buf))
	_, err := io.ReadFull(conn, b)
	return b, err
}

// ended says why when err came only from the end of ctx.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return fmt.Errorf("sip: dns: %w", err)
}

// local names are never asked for (RFC 6761 6.3).
func local(name string) bool {
	name = "." + strings.ToLower(strings.TrimSuffix(name, "."))
	return strings.HasSuffix(name, ".localhost")
}

// notFound says whether err is the answer that there is nothing.
func notFound(err error) bool {
	var d *net.DNSError
	return errors.As(err, &d) && d.IsNotFound
}

// resolvConf is what matters here of /etc/resolv.conf.
type resolvConf struct {
	servers []netip.AddrPort
	search  []string
	ndots   int
}

func (d *DNS) config() resolvConf {
	d.once.Do(func() {
		if d.conf.servers = d.Servers; len(d.Servers) == 0 {
			b, _ := os.ReadFile("/etc/resolv.conf") // where it is not, nothing is in it
			d.conf = parseResolvConf(string(b))
		}
	})
	return d.conf
}

func parseResolvConf(s string) resolvConf {
	c := resolvConf{ndots: 1}
	for line := range strings.Lines(s) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		switch f[0] {
		case "nameserver":
			if a, err := netip.ParseAddr(f[1]); err == nil {
				c.servers = append(c.servers, netip.AddrPortFrom(a, 53))
			}
		case "domain", "search":
			c.search = nil
			for _, s := range f[1:] {
				if s = strings.Trim(s, "."); s != "" {
					c.search = append(c.search, s)
				}
			}
		case "options":
			for _, o := range f[1:] {
				if n, ok := strings.CutPrefix(o, "ndots:"); ok {
					c.ndots, _ = strconv.Atoi(n)
				}
			}
		}
	}
	return c
}
