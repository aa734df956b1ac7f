package sip

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Bye hangs up. It does not wait: EventByeDone tells how it went. While the
// 200 is not acknowledged the BYE is held back until it is, or until 32 seconds
// have passed (RFC 3261 15). Bye after Bye does nothing; it returns ErrState
// before Accept (Reject is for that) and ErrEnded after the end.
func (d *Dialog) Bye(h ...Header) error {
	for _, h := range h {
		if err := h.check(); err != nil {
			return err
		}
	}
	d.mu.Lock()
	defer d.drain()
	defer d.mu.Unlock()
	switch d.state {
	case StateProceeding, StateEarly:
		return fmt.Errorf("sip: bye: %w", ErrState)
	case StateEnded:
		return fmt.Errorf("sip: bye: %w", ErrEnded)
	case StateTerminating:
		return nil
	case StateAccepted:
		if !d.byeWanted {
			d.byeWanted, d.bye = true, append([]Header(nil), h...)
		}
		return nil
	}
	d.sendBye(h)
	return nil
}

// sendBye starts the BYE transaction. d.mu is held.
func (d *Dialog) sendBye(h []Header) {
	if inv := d.inv; inv != nil && inv.status == 0 {
		d.dropOffer(inv, 487)
	} else if inv != nil && inv.timer != nil {
		inv.timer.Stop()
		d.inv = nil
	}
	d.state = StateTerminating
	d.transact("BYE", h, func(status int, phrase string) {
		d.mu.Lock()
		d.push(Event{Kind: EventByeDone, Method: "BYE", Status: status, Reason: phrase})
		d.finish()
		d.mu.Unlock()
		d.drain()
	})
}

// transact builds a request within the dialog (RFC 3261 12.2.1.1), sends it,
// and calls done with the final status, 408 when there was none, or 503 and
// the error. d.mu is held now, but not when done is called.
func (d *Dialog) transact(method string, h []Header, done func(status int, phrase string)) {
	req, next, err := d.newRequest(method, h)
	from := d.flow
	// When the endpoint closes nothing is started: it abandons the dialog.
	d.e.start(func() {
		var status int
		var phrase string
		if err == nil {
			status, phrase, err = d.e.transact(req, next, from)
		}
		if err != nil {
			status, phrase = 503, err.Error()
		}
		done(status, phrase)
	})
}

// newRequest builds all of a request within the dialog but its Via, and says to
// which URI it goes. d.mu is held.
func (d *Dialog) newRequest(method string, h []Header) (*sip.Request, uri, error) {
	d.localSeq++
	target, routes := d.target, d.routes
	next := target
	if len(routes) > 0 {
		first, err := ParseNameAddr(routes[0])
		if err != nil {
			return nil, uri{}, fmt.Errorf("sip: route: %w", err)
		}
		next = first.URI
		u, _ := parseURI(first.URI)
		if _, loose := param(u.params, "lr"); !loose {
			// A strict router finds itself in the Request-URI, and the target
			// at the end of the route.
			routes = append(append([]string(nil), routes[1:]...), "<"+target+">")
			target, _, _ = strings.Cut(first.URI, "?")
		}
	}
	nextURI, err := parseURI(next)
	if err != nil {
		return nil, uri{}, fmt.Errorf("sip: next hop: %w", err)
	}
	var recipient sip.Uri
	if err := sip.ParseUri(target, &recipient); err != nil {
		return nil, uri{}, fmt.Errorf("sip: remote target %q: %w", clip(target), err)
	}
	req := sip.NewRequest(sip.RequestMethod(method), recipient)
	add := func(name, value string) { req.AppendHeader(sip.NewHeader(name, value)) }
	for _, r := range routes {
		add("Route", r)
	}
	add("Max-Forwards", "70")
	add("From", d.local)
	add("To", d.remote)
	add("Call-ID", d.callID)
	add("CSeq", strconv.FormatUint(uint64(d.localSeq), 10)+" "+method)
	if method != "BYE" {
		add("Contact", d.contact)
	}
	add("User-Agent", d.e.cfg.UserAgent)
	for _, h := range h {
		add(h.Name, h.Value)
	}
	req.SetBody(nil)
	return req, nextURI, nil
}

// transact runs a client transaction (RFC 3261 17.1.2) and waits for its end.
func (e *Endpoint) transact(req *sip.Request, next uri, like flow) (status int, phrase string, err error) {
	ctx, cancel := context.WithTimeout(e.life, ackTime)
	defer cancel()
	f, err := e.reach(ctx, next, like)
	if err != nil {
		return 0, "", err
	}
	branch := "z9hG4bK" + crand.Text()
	host, port := e.shown(f.listener(), f.remote.Addr())
	transport := strings.ToUpper(f.network())
	req.PrependHeader(sip.NewHeader("Via", "SIP/2.0/"+transport+" "+host+":"+strconv.Itoa(int(port))+";branch="+branch+";rport"))
	req.SetTransport(transport)
	tx := sip.NewClientTx(branch, req, txConn{e, f}, e.slogs)
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return 0, "", errClosed
	}
	e.clients[branch] = tx
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		delete(e.clients, branch)
		e.mu.Unlock()
		tx.Terminate()
	}()
	if err := tx.Init(); err != nil {
		return 0, "", fmt.Errorf("sip: %s: %w", req.Method, err)
	}
	for {
		select {
		case res := <-tx.Responses():
			if res.StatusCode >= 200 {
				return res.StatusCode, res.Reason, nil
			}
		case <-tx.Done():
			if e.closing() {
				return 0, "", errClosed
			}
			if err := tx.Err(); !errors.Is(err, sip.ErrTransactionTimeout) {
				return 0, "", fmt.Errorf("sip: %s: %w", req.Method, err)
			}
			return 408, "Request Timeout", nil
		}
	}
}

// sipResponse is what sipgo's client transaction wants to see.
func (m *message) sipResponse() *sip.Response {
	return &sip.Response{StatusCode: m.status, Reason: m.phrase}
}

// reach finds the flow to the next hop u: an open connection to the peer when
// the dialog has one, else the socket that fits best, or a new connection.
func (e *Endpoint) reach(ctx context.Context, u uri, like flow) (flow, error) {
	transport, given := param(u.params, "transport")
	transport = strings.ToLower(transport)
	switch {
	case !given:
		transport = like.network()
	case transport != "udp" && transport != "tcp":
		return flow{}, fmt.Errorf("sip: next hop: transport %q: %w", clip(transport), errors.ErrUnsupported)
	}
	if transport == "tcp" && like.tcp != nil && e.alive(like.tcp) {
		// Behind a NAT or firewall it is the only way, and never a worse one.
		return like, nil
	}
	addr, err := e.resolve(ctx, u, transport)
	if err != nil {
		return flow{}, err
	}
	lis := e.pick(transport, addr.Addr(), like.listener())
	if lis == nil {
		return flow{}, fmt.Errorf("sip: next hop %s %v: no socket of that kind", transport, addr)
	}
	if transport == "tcp" {
		c, err := e.dialTCP(ctx, lis, addr)
		if err != nil {
			return flow{}, err
		}
		return flow{tcp: c, remote: addr}, nil
	}
	return flow{udp: newUDPSocket(lis, lis.packets[0]), remote: addr}, nil
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

// resolveTimeout bounds one name's look-up.
const resolveTimeout = 5 * time.Second

// resolve finds the address of u, the useful half of RFC 3263: an address as
// it is, a name with a port by A and AAAA, a name without one by SRV first. It
// takes the first address; NAPTR and failover are not there.
func (e *Endpoint) resolve(ctx context.Context, u uri, transport string) (netip.AddrPort, error) {
	host, port := u.host, u.port
	if maddr, ok := param(u.params, "maddr"); ok {
		host = strings.Trim(maddr, "[]")
	}
	if a, err := netip.ParseAddr(host); err == nil {
		if port == 0 {
			port = 5060
		}
		return netip.AddrPortFrom(a.Unmap(), port), nil
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	if port == 0 {
		port = 5060
		if _, srvs, err := e.cfg.Resolver.LookupSRV(ctx, "sip", transport, host); err == nil && len(srvs) > 0 {
			host, port = strings.TrimSuffix(srvs[0].Target, "."), srvs[0].Port
		}
	}
	as, err := e.cfg.Resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("sip: next hop: %w", err)
	}
	if len(as) == 0 {
		return netip.AddrPort{}, fmt.Errorf("sip: next hop: %q has no address", clip(host))
	}
	return netip.AddrPortFrom(as[0].Unmap(), port), nil
}
