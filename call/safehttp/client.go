package safehttp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Config sets the limits of a Client. The zero value allows the public Internet.
type Config struct {
	Allow        []netip.Prefix // addresses that may be reached though CheckAddr refuses them
	HTTPSOnly    bool           // refuse http, also as the target of a redirect
	Timeout      time.Duration  // of one request, to the end of its body; 0: 15 s; negative: none
	MaxBytes     int64          // of a response's body, decompressed; 0: 16 MiB; negative: no limit
	MaxRedirects int            // 0: 5; negative: none is followed, the 3xx response is returned
	UserAgent    string         // for requests that have none; empty: Go's
	TLS          *tls.Config    // nil: the system's roots
	Resolver     *net.Resolver  // nil: net.DefaultResolver
}

// ErrTooLarge is matched by the error of Do, or of reading the body, where a response is
// larger than Config.MaxBytes.
var ErrTooLarge = errors.New("response too large")

// Client sends guarded requests. It is safe for concurrent use.
type Client struct {
	cfg       Config
	dialer    net.Dialer
	transport *http.Transport
	client    http.Client
}

// New returns a Client. Close it after use.
func New(cfg Config) *Client {
	if cfg.Timeout == 0 {
		cfg.Timeout = 15 * time.Second
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = 16 << 20
	}
	if cfg.MaxRedirects == 0 {
		cfg.MaxRedirects = 5
	}
	c := &Client{cfg: cfg}
	c.cfg.Allow = slices.Clone(cfg.Allow)
	c.dialer = net.Dialer{
		Timeout:  10 * time.Second,
		Resolver: cfg.Resolver,
		ControlContext: func(_ context.Context, network, addr string, _ syscall.RawConn) error {
			return c.checkDial(network, addr)
		},
	}
	c.transport = &http.Transport{
		Proxy:                  nil, // a proxy would resolve names out of our sight
		DialContext:            c.DialContext,
		TLSClientConfig:        cfg.TLS,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           100,
		MaxIdleConnsPerHost:    8,
		IdleConnTimeout:        60 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
	c.client = http.Client{
		Transport:     c.transport,
		CheckRedirect: c.checkRedirect,
		Timeout:       max(cfg.Timeout, 0),
	}
	return c
}

// checkDial sees each address that the dialer is about to connect to.
func (c *Client) checkDial(network, addr string) error {
	if network != "tcp4" && network != "tcp6" && network != "udp4" && network != "udp6" {
		return fmt.Errorf("safehttp: network %s to %s: %w", network, addr, ErrBlocked)
	}
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		return fmt.Errorf("safehttp: address %q: %w", addr, ErrBlocked)
	}
	return c.CheckAddr(ap.Addr())
}

// CheckAddr is the function CheckAddr with the exceptions of Config.Allow.
func (c *Client) CheckAddr(a netip.Addr) error {
	err := CheckAddr(a)
	if err == nil {
		return nil
	}
	a = a.Unmap().WithZone("")
	for _, p := range c.cfg.Allow {
		if p.Contains(a) {
			return nil
		}
	}
	return err
}

// CheckURL tells beforehand whether u can be asked for at all: its scheme, a host, and
// where the host is an address, that address. It looks nothing up. The error
// matches ErrBlocked.
func (c *Client) CheckURL(u *url.URL) error {
	switch {
	case u == nil:
		return fmt.Errorf("safehttp: no URL: %w", ErrBlocked)
	case strings.EqualFold(u.Scheme, "http") && c.cfg.HTTPSOnly:
		return fmt.Errorf("safehttp: %s is not https: %w", u.Redacted(), ErrBlocked)
	case !strings.EqualFold(u.Scheme, "http") && !strings.EqualFold(u.Scheme, "https"):
		return fmt.Errorf("safehttp: scheme %q of %.200q is not http or https: %w", u.Scheme, u.Redacted(), ErrBlocked)
	case u.Hostname() == "":
		return fmt.Errorf("safehttp: %.200q has no host: %w", u.Redacted(), ErrBlocked)
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil {
		return c.CheckAddr(a)
	}
	return nil
}

// Do sends req and returns its response, whose body the caller closes. Like
// http.Client.Do it returns an error only where there is no response, and closes
// req.Body. Beyond its errors: ErrBlocked where a rule refuses, ErrTooLarge where the
// response announces too large a body; reading a body that turns out too large
// ends with ErrTooLarge after Config.MaxBytes. A response of status 101 cannot be written to; use
// DialContext.
func (c *Client) Do(req *http.Request) (*http.Response, error) {
	if err := c.CheckURL(req.URL); err != nil {
		if req.Body != nil {
			err = errors.Join(err, req.Body.Close())
		}
		return nil, err
	}
	if c.cfg.UserAgent != "" && req.Header.Get("User-Agent") == "" {
		clone := *req
		clone.Header = req.Header.Clone()
		if clone.Header == nil {
			clone.Header = http.Header{}
		}
		clone.Header.Set("User-Agent", c.cfg.UserAgent)
		req = &clone
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("safehttp: %w", err)
	}
	if c.cfg.MaxBytes >= 0 {
		if resp.ContentLength > c.cfg.MaxBytes && req.Method != http.MethodHead {
			err := fmt.Errorf("safehttp: %s: body of %d bytes is larger than %d: %w",
				resp.Request.URL.Redacted(), resp.ContentLength, c.cfg.MaxBytes, ErrTooLarge)
			return nil, errors.Join(err, resp.Body.Close())
		}
		resp.Body = &limitedBody{body: resp.Body, left: c.cfg.MaxBytes, limit: c.cfg.MaxBytes, url: resp.Request.URL}
	}
	return resp, nil
}

// DialContext connects to addr (host:port) over TCP or UDP under the same rules of
// addresses. network is "tcp", "udp", or one of them with 4 or 6.
func (c *Client) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	if !strings.HasPrefix(network, "tcp") && !strings.HasPrefix(network, "udp") {
		return nil, fmt.Errorf("safehttp: dial %s: network %q: %w", addr, network, ErrBlocked)
	}
	return c.dialer.DialContext(ctx, network, addr)
}

// Close closes idle connections; requests under way go on.
func (c *Client) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}

// harmless are the request headers that may follow a redirect to another origin.
var harmless = []string{
	"Accept", "Accept-Encoding", "Accept-Language", "Cache-Control", "Content-Language", "Content-Type",
	"If-Modified-Since", "If-None-Match", "Range", "Referer", "User-Agent",
}

func (c *Client) checkRedirect(req *http.Request, via []*http.Request) error {
	// X-Twilio-Signature is over the URL: who signs follows by itself, and signs anew.
	if c.cfg.MaxRedirects < 0 || via[0].Header.Get("X-Twilio-Signature") != "" {
		return http.ErrUseLastResponse
	}
	if len(via) > c.cfg.MaxRedirects {
		return fmt.Errorf("safehttp: more than %d redirects: %w", c.cfg.MaxRedirects, ErrBlocked)
	}
	if err := c.CheckURL(req.URL); err != nil {
		return fmt.Errorf("safehttp: redirect: %w", err)
	}
	// Once the chain has left its origin, whoever it went to chooses where it goes on, so
	// that a way back does not bring the credentials back.
	home := origin(via[0].URL)
	if origin(req.URL) == home && !slices.ContainsFunc(via, func(r *http.Request) bool { return origin(r.URL) != home }) {
		return nil
	}
	for name := range req.Header {
		if !slices.Contains(harmless, name) {
			delete(req.Header, name)
		}
	}
	if req.URL.User != nil {
		u := *req.URL
		u.User = nil
		req.URL = &u
	}
	return nil
}

func origin(u *url.URL) string {
	port := u.Port()
	scheme := strings.ToLower(u.Scheme)
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[scheme]
	}
	return scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}

// limitedBody ends with ErrTooLarge instead of the byte beyond the limit.
type limitedBody struct {
	body        io.ReadCloser
	left, limit int64
	url         *url.URL
	err         error
}

func (b *limitedBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if int64(len(p)) > b.left {
		p = p[:b.left+1] // one more, to tell the end from too much
	}
	n, err := b.body.Read(p)
	if int64(n) > b.left {
		n = int(b.left)
		err = fmt.Errorf("safehttp: %s: body is larger than %d bytes: %w", b.url.Redacted(), b.limit, ErrTooLarge)
	}
	b.left -= int64(n)
	b.err = err
	return n, err
}

func (b *limitedBody) Close() error { return b.body.Close() }
