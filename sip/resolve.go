package sip

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

const (
	// naptrTimeout bounds the look-up of NAPTR records, without which it goes on
	// with SRV. It leaves time for a second server.
	naptrTimeout = 1500 * time.Millisecond
	// serviceTimeout bounds what is looked up by NAPTR and SRV.
	serviceTimeout = naptrTimeout + 5*time.Second
	// resolveTimeout bounds all the look-ups for one URI, and leaves time for a
	// name of /etc/hosts when the name servers are silent.
	resolveTimeout = serviceTimeout + 2*time.Second
	// maxTargets is how many addresses of one URI are tried at most.
	maxTargets = 16
	// maxLookups is how many names one URI can have us look up.
	maxLookups = 4 * maxTargets
	// defaultPort is that of SIP without TLS.
	defaultPort = 5060
)

// target is a transport address that a URI stands for.
type target struct {
	network string // "udp" or "tcp"
	addr    netip.AddrPort
	settled bool // not to be exchanged for TCP, however large the request is
	by      Flow // if not zero, it is reached by this flow and by no other
	probe   bool // TCP in that exchange
}

func (t target) String() string { return t.network + " " + t.addr.String() }

// transportOf is the transport that u asks for, "" when it leaves that open.
func transportOf(u uri) (string, error) {
	if u.scheme != "sip" {
		return "", fmt.Errorf("sip: next hop: scheme %q: %w", clip(u.scheme), errors.ErrUnsupported)
	}
	transport, _ := param(u.params, "transport")
	switch transport = strings.ToLower(transport); transport {
	case "", "udp", "tcp":
		return transport, nil
	}
	return "", fmt.Errorf("sip: next hop: transport %q: %w", clip(transport), errors.ErrUnsupported)
}

// hostOf is the host to look up for u (RFC 3263 4), and its address when it is one.
func hostOf(u uri) (string, netip.Addr) {
	host := u.host
	if maddr, ok := param(u.params, "maddr"); ok {
		host = strings.Trim(maddr, "[]")
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return host, netip.Addr{}
	}
	return host, a.Unmap()
}

// targets lists where a request to u can be sent, in the order of trying (RFC
// 3263 4.1 and 4.2): an address as it is, a name with a port by A and AAAA, a name
// without by NAPTR, SRV, and at last A and AAAA. Without a transport parameter it
// is that of usual, or when that is empty, too, up to the name servers.
func (e *Endpoint) targets(ctx context.Context, u uri, usual string) ([]target, error) {
	transport, err := transportOf(u)
	if err != nil {
		return nil, err
	}
	if transport == "" {
		transport = usual
	}
	network, port := transport, u.port
	if network == "" && !e.speaks("udp") {
		network = "tcp"
	} else if network == "" {
		network = "udp"
	}
	if port == 0 {
		port = defaultPort
	}
	host, addr := hostOf(u)
	if addr.IsValid() {
		return e.usable([]target{{network: network, addr: netip.AddrPortFrom(addr, port)}})
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if u.port == 0 {
		ts, found := e.services(ctx, host, transport)
		if found {
			return e.usable(ts)
		}
	}
	as, err := e.names.addrs(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("sip: next hop: %w", err)
	}
	return e.usable(each(as, network, port))
}

// services asks NAPTR and SRV; found means that the domain has such records,
// whether or not one of them leads to an address.
func (e *Endpoint) services(ctx context.Context, host, transport string) (ts []target, found bool) {
	ctx, cancel := context.WithTimeout(ctx, serviceTimeout)
	defer cancel()
	lookups := 0
	add := func(network, proto, name string) {
		srvs, err := e.names.srvs(ctx, proto, name)
		if err != nil || len(srvs) == 0 {
			return
		}
		found = true
		for _, s := range srvs {
			to := strings.ToLower(strings.TrimSuffix(s.Target, "."))
			if lookups++; to == "" || len(ts) >= maxTargets || lookups > maxLookups {
				continue // "." says that the service is not there (RFC 2782)
			}
			as, err := e.names.addrs(ctx, to)
			if a, numeric := netip.ParseAddr(to); numeric == nil {
				as, err = []netip.Addr{a}, nil // forbidden, and seen
			}
			if err == nil {
				ts = append(ts, each(as, network, s.Port)...)
			}
		}
	}
	if transport != "" {
		add(transport, transport, host)
		return ts, found
	}
	for _, n := range e.names.naptrs(ctx, host) {
		network := map[string]string{"SIP+D2U": "udp", "SIP+D2T": "tcp"}[strings.ToUpper(n.Service)]
		to := strings.ToLower(strings.TrimSuffix(n.Replacement, "."))
		if lookups++; !e.speaks(network) || to == "" || lookups > maxLookups {
			continue // SIPS+D2T among them: TLS is not there yet
		}
		switch strings.ToLower(n.Flags) {
		case "s":
			add(network, "", to)
		case "a":
			if as, err := e.names.addrs(ctx, to); err == nil {
				ts, found = append(ts, each(as, network, defaultPort)...), true
			}
		}
	}
	if len(ts) > 0 {
		return ts, true
	}
	found = false // records that lead nowhere must not hide those that do
	for _, network := range []string{"udp", "tcp"} {
		if e.speaks(network) {
			add(network, network, host)
		}
	}
	return ts, found
}

// speaks says whether the endpoint listens on network, so that a peer that
// answers or calls back by it finds us.
func (e *Endpoint) speaks(network string) bool {
	return slices.ContainsFunc(e.listeners, func(l *listener) bool { return l.network == network })
}

// usable leaves out what we have no socket for, and what is there twice.
func (e *Endpoint) usable(ts []target) ([]target, error) {
	var good []target
	for _, t := range ts {
		if len(good) < maxTargets && !slices.Contains(good, t) && e.pick(t.network, t.addr.Addr(), e.listeners[0]) != nil {
			good = append(good, t)
		}
	}
	if len(good) > 0 {
		return good, nil
	}
	if len(ts) == 0 {
		return nil, errors.New("sip: next hop: no address")
	}
	return nil, fmt.Errorf("sip: next hop %v: no socket of that kind", ts[0])
}

func each(as []netip.Addr, network string, port uint16) []target {
	ts := make([]target, len(as))
	for i, a := range as {
		ts[i] = target{network: network, addr: netip.AddrPortFrom(a.Unmap(), port)}
	}
	return ts
}

// flowTo opens the way to t, from the socket of like if that fits.
func (e *Endpoint) flowTo(ctx context.Context, t target, like *listener) (flow, error) {
	if like == nil {
		like = e.listeners[0]
	}
	lis := e.pick(t.network, t.addr.Addr(), like)
	switch {
	case lis == nil:
		return flow{}, fmt.Errorf("sip: next hop %v: no socket of that kind", t)
	case t.network == "tcp":
		c, err := e.dialTCP(ctx, lis, t.addr)
		if err != nil {
			return flow{}, err
		}
		return flow{tcp: c, remote: t.addr}, nil
	}
	return flow{udp: newUDPSocket(lis, lis.packets[0]), remote: t.addr}, nil
}

// reach finds the flow to the next hop u: an open connection to the peer when
// the dialog has one, else the socket that fits best, or a new connection.
func (e *Endpoint) reach(ctx context.Context, u uri, like flow) (flow, error) {
	if f, ok := e.reachNow(u, like); ok {
		return f, nil
	}
	ts, err := e.targets(ctx, u, like.network())
	if err != nil {
		return flow{}, err
	}
	var errs []error
	for _, t := range ts {
		f, err := e.flowTo(ctx, t, like.listener())
		if err == nil {
			return f, nil
		}
		errs = append(errs, err)
	}
	return flow{}, errors.Join(errs...)
}

// reachNow is reach where nothing must be looked up or opened.
func (e *Endpoint) reachNow(u uri, like flow) (flow, bool) {
	if like.sticky && (like.tcp == nil || e.alive(like.tcp)) {
		return like, true
	}
	transport, err := transportOf(u)
	if err != nil {
		return flow{}, false
	}
	if transport == "" {
		transport = like.network()
	}
	if transport == "tcp" {
		// Behind a NAT or firewall it is the only way, and never a worse one.
		return like, like.tcp != nil && e.alive(like.tcp)
	}
	_, addr := hostOf(u)
	if !addr.IsValid() {
		return flow{}, false
	}
	port := u.port
	if port == 0 {
		port = defaultPort
	}
	f, err := e.flowTo(e.life, target{network: transport, addr: netip.AddrPortFrom(addr, port)}, like.listener())
	return f, err == nil
}

func (e *Endpoint) alive(c *tcpConn) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.conns[c.remote] == c
}

// pick chooses the listener to send from: the given one when it fits.
func (e *Endpoint) pick(network string, to netip.Addr, like *listener) *listener {
	fits := func(l *listener) bool {
		a := l.bound.Addr()
		return l.network == network && (a.Is6() == to.Is6() || a.IsUnspecified() && a.Is6())
	}
	if like != nil && fits(like) {
		return like
	}
	for _, l := range e.listeners {
		if fits(l) {
			return l
		}
	}
	if network == "tcp" && like != nil {
		return like // a connection can be opened without listening for any
	}
	return nil
}

// NAPTR is one record of a domain's choice of transports (RFC 3263 4.1, RFC
// 3403 4).
type NAPTR struct {
	Order, Preference uint16
	Flags             string // "s": Replacement has SRV records; "a": it has addresses
	Service           string // SIP+D2U, SIP+D2T, SIPS+D2T
	Replacement       string
}
