package sip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// Bye hangs up. It does not wait: EventByeDone tells how it went. While the
// 200 is not acknowledged the BYE is held back until it is, or until 32 seconds
// have passed (RFC 3261 15). Bye after Bye does nothing; it returns ErrState
// before the answer (Reject and Cancel are for that) and ErrEnded after the end.
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
	case StateCalling, StateProceeding, StateEarly:
		return fmt.Errorf("sip: bye: %w", ErrState)
	case StateEnded:
		return fmt.Errorf("sip: bye: %w", ErrEnded)
	case StateTerminating:
		return nil
	case StateAccepted:
		if inv := d.inv; inv != nil && inv.accepting && inv.status == 0 {
			// The 200 is held back: there is nothing to hang up yet.
			d.refuse(inv, 480, "")
			d.push(Event{Kind: EventByeDone, Method: "BYE", Status: 480, Reason: statusText(480)})
			return nil
		}
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
	d.settle()
	d.state = StateTerminating
	// When the endpoint closes nothing is started: it abandons the dialog.
	d.e.start(func() {
		res := d.exchange("BYE", h, nil)
		d.mu.Lock()
		d.push(Event{Kind: EventByeDone, Method: "BYE", Status: res.status, Reason: res.phrase})
		d.finish()
		d.mu.Unlock()
		d.drain()
	})
}

// exchange sends a request within the dialog, again with credentials when those
// are asked for, and waits for the final answer: 408 when there was none, 503
// and the error when it could not be sent.
func (d *Dialog) exchange(method string, h []Header, body []byte) *final {
	return d.exchangeAs(method, h, body, func(uint32) {})
}

// exchangeAs is exchange, and calls numbered with each CSeq before it is used; d.mu is held then.
func (d *Dialog) exchangeAs(method string, h []Header, body []byte, numbered func(seq uint32)) *final {
	for n := 0; ; n++ {
		d.mu.Lock()
		req, next, err := d.newRequest(method, h, body)
		numbered(d.localSeq)
		from := d.flow
		d.mu.Unlock()
		var res *sip.Response
		if err == nil {
			res, err = d.e.transact(req, next, from)
		}
		if err != nil {
			return &final{status: 503, phrase: err.Error()}
		}
		a := finalOf(res)
		asked := a.status == 401 || a.status == 407
		if !asked || n >= maxChallenges || !d.auth.challenged(a.headers) {
			return a
		}
	}
}

// routed applies a route set to the remote target (RFC 3261 12.2.1.1): the
// Request-URI, the values of Route, and the URI to send to.
func routed(target string, routes []string) (uriValue string, route []string, next uri, err error) {
	hop := target
	if len(routes) > 0 {
		first, err := ParseNameAddr(routes[0])
		if err != nil {
			return "", nil, uri{}, fmt.Errorf("sip: route: %w", err)
		}
		hop = first.URI
		u, _ := parseURI(first.URI)
		if _, loose := param(u.params, "lr"); !loose {
			// A strict router finds itself in the Request-URI, and the target
			// at the end of the route.
			routes = append(append([]string(nil), routes[1:]...), "<"+target+">")
			target, _, _ = strings.Cut(first.URI, "?")
		}
	}
	next, err = parseURI(hop)
	if err != nil {
		return "", nil, uri{}, fmt.Errorf("sip: next hop: %w", err)
	}
	return target, routes, next, nil
}

// newRequest builds all of a request within the dialog (RFC 3261 12.2.1.1) but its
// Via, and says to which URI it goes. d.mu is held.
func (d *Dialog) newRequest(method string, h []Header, body []byte) (*sip.Request, uri, error) {
	d.localSeq++
	target, routes, next, err := routed(d.target, d.routes)
	if err != nil {
		return nil, uri{}, err
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
	add("Max-Forwards", strconv.Itoa(maxForwards))
	add("From", d.local)
	add("To", d.remote)
	add("Call-ID", d.callID)
	add("CSeq", cseqValue(d.localSeq, method))
	if method != "BYE" && method != "PRACK" {
		add("Contact", d.contact)
		add("Allow", d.e.inDialogAllowed())
	}
	add("User-Agent", d.e.cfg.UserAgent)
	for _, h := range append(d.auth.headers(method, recipient.String()), h...) {
		add(h.Name, h.Value)
	}
	if len(body) > 0 && !slices.ContainsFunc(h, func(h Header) bool { return longName(h.Name) == "content-type" }) {
		add("Content-Type", "application/sdp")
	}
	req.SetBody(body)
	return req, next, nil
}

// transact runs a client transaction (RFC 3261 17.1.2) and waits for its end.
func (e *Endpoint) transact(req *sip.Request, next uri, like flow) (*sip.Response, error) {
	ctx, cancel := context.WithTimeout(e.life, ackTime)
	defer cancel()
	f, err := e.reach(ctx, next, like)
	if err != nil {
		return nil, err
	}
	res, err := e.exchangeBy(e.life, req, f) // until the transaction gives up
	if res == nil && err == nil {
		res = sip.NewResponse(408, statusText(408))
	}
	return res, err
}

// exchangeBy runs a client transaction by f until its end or that of ctx; no response and no error: none came.
func (e *Endpoint) exchangeBy(ctx context.Context, req *sip.Request, f flow) (*sip.Response, error) {
	branch := newBranch()
	req.PrependHeader(sip.NewHeader("Via", e.via(f, branch)))
	req.SetTransport(strings.ToUpper(f.network()))
	tx := sip.NewClientTx(branch, req, txConn{e, f}, e.slogs)
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil, errClosed
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
		return nil, fmt.Errorf("sip: %s: %w", req.Method, err)
	}
	for {
		select {
		case res := <-tx.Responses():
			if res.StatusCode >= 200 {
				return res, nil
			}
		case <-tx.Done():
			if e.closing() {
				return nil, errClosed
			}
			if err := tx.Err(); !errors.Is(err, sip.ErrTransactionTimeout) {
				return nil, fmt.Errorf("sip: %s: %w", req.Method, err)
			}
			return nil, nil
		case <-ctx.Done():
			if e.closing() {
				return nil, errClosed
			}
			return nil, nil
		}
	}
}

// sipResponse is what sipgo's client transaction, and what waits for it, wants to see.
func (m *message) sipResponse() *sip.Response {
	res := &sip.Response{StatusCode: m.status, Reason: m.phrase}
	for _, h := range m.headers {
		switch longName(h.Name()) {
		case "www-authenticate", "proxy-authenticate":
		default:
			if m.method == "BYE" {
				continue
			}
		}
		res.AppendHeader(h)
	}
	if len(m.body) > 0 && m.method != "BYE" {
		res.SetBody(bytes.Clone(m.body))
	}
	return res
}
