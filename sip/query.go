package sip

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Query is a request outside of any dialog, as OPTIONS. Only Method and URI must be set.
type Query struct {
	Method      string
	URI         string   // a sip URI without headers; the request goes there
	To          string   // URI of To; "": URI
	From        NameAddr // URI and Display; without a URI as in Outgoing
	Headers     []Header
	Credentials []Credentials
	// Timeout bounds all of it, with failover and challenges. 0: 32 seconds.
	Timeout time.Duration
}

// Reply is what a Query got.
type Reply struct {
	Status  int
	Reason  string // phrase, or why nothing could be sent
	Headers []Header
	Local   bool           // nobody has answered: 408, or nothing could be sent: 503
	Peer    netip.AddrPort // whom it was sent to at last
}

// Query sends a request and waits for its final response, by the addresses of the URI one after another
// (RFC 3263 4.3), and again with credentials when those are asked for. That nobody answers is no
// error but a Reply; an error says that q is faulty, that ctx has ended, or that the endpoint is closed.
func (e *Endpoint) Query(ctx context.Context, q Query) (Reply, error) {
	ask := asking{
		method: q.Method, uri: q.URI, to: q.To, from: q.From, callID: crand.Text(), tag: crand.Text()[:16], cseq: rand.Uint32N(1 << 16),
		headers: q.Headers, auth: newDigestAuth(q.Credentials), timeout: q.Timeout,
	}
	if err := ask.check(); err != nil {
		return Reply{}, fmt.Errorf("sip: query: %w", err)
	}
	return e.ask(ctx, &ask)
}

// asking is a request outside of a dialog. That of a registration is sent again and again.
type asking struct {
	method, uri, to string
	from            NameAddr
	callID, tag     string
	cseq            uint32 // of the last one
	headers         []Header
	contact         func(f flow) string // value of Contact by that way; nil: none
	auth            *digestAuth
	timeout         time.Duration
}

func (a *asking) check() error {
	if a.method == "" || strings.IndexFunc(a.method, func(r rune) bool { return !isToken(r) }) >= 0 {
		return fmt.Errorf("method %q is no token", clip(a.method))
	}
	switch a.method {
	case "INVITE", "ACK", "CANCEL", "BYE":
		return fmt.Errorf("%s is no request outside of a dialog", a.method)
	}
	o := Outgoing{URI: a.uri, To: a.to, From: a.from, Headers: a.headers, Body: []byte{0}, Timeout: a.timeout}
	if a.auth != nil {
		o.Credentials = a.auth.creds
	}
	return o.check()
}

// ask sends a to the addresses of its URI until one answers.
func (e *Endpoint) ask(ctx context.Context, a *asking) (Reply, error) {
	if a.timeout == 0 {
		a.timeout = ackTime
	}
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	stop := context.AfterFunc(e.life, cancel)
	defer stop()
	u, err := parseURI(a.uri)
	if err != nil {
		return Reply{}, err
	}
	unsent := Reply{Status: 503, Local: true}
	ts, err := e.targets(ctx, u, "")
	if err != nil {
		unsent.Reason = err.Error()
		return unsent, e.over(ctx)
	}
	last := unsent
	for i, t := range ts {
		patience := a.timeout
		if i+1 < len(ts) {
			patience = failoverTime
		}
		last = e.askAt(ctx, a, t, patience)
		if err := e.over(ctx); err != nil {
			return last, err
		}
		if !last.Local && last.Status != 503 {
			break
		}
	}
	return last, nil
}

// over is why nothing more is sent; the deadline of a Query is no error.
func (e *Endpoint) over(ctx context.Context) error {
	switch {
	case e.closing():
		return errClosed
	case errors.Is(ctx.Err(), context.Canceled):
		return context.Cause(ctx)
	}
	return nil
}

// askAt sends a to t, and again with credentials.
func (e *Endpoint) askAt(ctx context.Context, a *asking, t target, patience time.Duration) Reply {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r := Reply{Status: 503, Local: true, Peer: t.addr}
	f, err := e.flowTo(ctx, t, nil)
	if err != nil {
		r.Reason = err.Error()
		return r
	}
	for n := 0; ; n++ {
		req, err := e.askRequest(a, f)
		if err != nil {
			r.Reason = err.Error()
			return r
		}
		res, err := e.exchangeBy(ctx, req, f)
		switch {
		case err != nil:
			r.Reason = err.Error()
			return r
		case res == nil:
			r.Status, r.Reason = 408, "no answer"
			return r
		}
		hs := finalOf(res).headers
		asked := res.StatusCode == 401 || res.StatusCode == 407
		if !asked || n >= maxChallenges || !a.auth.challenged(hs) {
			if res.StatusCode < 300 {
				a.auth.passed()
			}
			return Reply{Status: res.StatusCode, Reason: res.Reason, Headers: hs, Peer: t.addr}
		}
	}
}

// askRequest writes the request for f.
func (e *Endpoint) askRequest(a *asking, f flow) (*sip.Request, error) {
	var recipient sip.Uri
	if err := sip.ParseUri(a.uri, &recipient); err != nil {
		return nil, fmt.Errorf("sip: %s: URI %q: %w", a.method, clip(a.uri), err)
	}
	req := sip.NewRequest(sip.RequestMethod(a.method), recipient)
	add := func(name, value string) { req.AppendHeader(sip.NewHeader(name, value)) }
	to, from := a.to, a.from
	if to == "" {
		to = a.uri
	}
	if from.URI == "" {
		host, _ := e.shown(f.listener(), f.remote.Addr())
		from.URI = "sip:" + e.ownUser() + "@" + host
	}
	a.cseq++
	add("Max-Forwards", strconv.Itoa(maxForwards))
	add("From", address(from.Display, from.URI)+";tag="+a.tag)
	add("To", address("", to))
	add("Call-ID", a.callID)
	add("CSeq", cseqValue(a.cseq, a.method))
	if a.contact != nil {
		add("Contact", a.contact(f))
	}
	if !slices.ContainsFunc(a.headers, func(h Header) bool { return longName(h.Name) == "user-agent" }) {
		add("User-Agent", e.cfg.UserAgent)
	}
	for _, h := range slices.Concat(a.headers, a.auth.headers(a.method, recipient.String())) {
		add(h.Name, h.Value)
	}
	req.SetBody(nil)
	return req, nil
}
