package vosk

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/callbin/callbin/media"
)

// Config of a Transcriber. One of URL and URLs is needed.
type Config struct {
	URL  string            // ws: or wss: URL of the server for all languages that URLs has none for
	URLs map[string]string // the same for a language, by its BCP 47 tag: "en" stands for "en-GB", too

	// Dial connects to a server; nil: a net.Dialer. The DialContext of a safehttp.Client keeps
	// it away from private networks.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	TLS  *tls.Config // for wss:; nil: the system's roots

	DialTimeout time.Duration // to connect, TLS and handshake included; 0: 5 s
	Timeout     time.Duration // for a server that takes no sound or gives no text; 0: 10 s
	Chunk       time.Duration // of sound in one message; 0: 100 ms
	MaxMessage  int64         // bytes of a message from the server; 0: 1 MiB
}

// ErrLanguage is matched by the error of Transcribe where no server is for the language.
var ErrLanguage = errors.New("no server for the language")

// errTimeout is the cause where a server takes longer than the config allows.
var errTimeout = errors.New("timeout")

// Transcriber is a media.Transcriber by vosk-servers. It is safe for concurrent use.
type Transcriber struct {
	cfg    Config
	urls   map[string]*url.URL // by tag in lower case; "" is Config.URL
	client *http.Client        // for handshakes
}

var _ media.Transcriber = (*Transcriber)(nil)

// New returns a Transcriber. It connects to nothing yet.
func New(cfg Config) (*Transcriber, error) {
	if cfg.DialTimeout <= 0 {
		cfg.DialTimeout = 5 * time.Second
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 10 * time.Second
	}
	if cfg.Chunk <= 0 {
		cfg.Chunk = 100 * time.Millisecond
	}
	if cfg.MaxMessage <= 0 {
		cfg.MaxMessage = 1 << 20
	}
	if cfg.Dial == nil {
		cfg.Dial = new(net.Dialer).DialContext
	}
	t := &Transcriber{cfg: cfg, urls: make(map[string]*url.URL)}
	var faults []error
	add := func(tag, raw string) {
		u, err := parseURL(raw)
		if err != nil {
			faults = append(faults, err)
			return
		}
		t.urls[strings.ToLower(tag)] = u
	}
	if cfg.URL != "" {
		add("", cfg.URL)
	}
	for tag, raw := range cfg.URLs {
		add(tag, raw)
	}
	if len(t.urls)+len(faults) == 0 {
		faults = append(faults, errors.New("vosk: new transcriber: no URL"))
	}
	t.client = &http.Client{
		Transport: &http.Transport{
			DialContext:            cfg.Dial,
			TLSClientConfig:        cfg.TLS,
			DisableKeepAlives:      true, // a connection that was refused the handshake is of no use
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return t, errors.Join(faults...)
}

// parseURL leaves the URL itself out of its errors, since it may hold a password.
func parseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, fmt.Errorf("vosk: new transcriber: a URL cannot be read: %w", withoutURL(err))
	case u.Scheme != "ws" && u.Scheme != "wss":
		return nil, fmt.Errorf("vosk: new transcriber: %s is not a ws: or wss: URL", show(u))
	case u.Hostname() == "":
		return nil, fmt.Errorf("vosk: new transcriber: %s has no host", show(u))
	}
	return u, nil
}

// server finds the URL for a language: "en-GB" is looked for as "en-gb", then as "en".
func (t *Transcriber) server(language string) (*url.URL, error) {
	for tag := strings.ToLower(language); tag != ""; {
		if u := t.urls[tag]; u != nil {
			return u, nil
		}
		tag = tag[:max(0, strings.LastIndexByte(tag, '-'))]
	}
	if u := t.urls[""]; u != nil {
		return u, nil
	}
	return nil, fmt.Errorf("vosk: transcribe: %q: %w, there are %s",
		language, ErrLanguage, strings.Join(slices.Sorted(maps.Keys(t.urls)), ", "))
}

// Transcribe implements media.Transcriber. A guess is told when it differs from the one before.
// Errors name the server, without its password; they match ErrLanguage, context.Cause(ctx), or
// are the server's, the network's or those of src.
func (t *Transcriber) Transcribe(ctx context.Context, src media.Stream, o media.TranscribeOptions, tell func(media.Transcript)) error {
	u, err := t.server(o.Language)
	if err != nil {
		return err
	}
	if src.Rate() <= 0 {
		return fmt.Errorf("vosk: transcribe: a stream of %d Hz", src.Rate())
	}
	conn, err := t.dial(ctx, u)
	if err != nil {
		return fmt.Errorf("vosk: connect to %s: %w", show(u), err)
	}
	if err := newSession(t.cfg, conn, src).run(ctx, tell); err != nil {
		return fmt.Errorf("vosk: transcribe by %s: %w", show(u), err)
	}
	return nil
}

func (t *Transcriber) dial(ctx context.Context, u *url.URL) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, t.cfg.DialTimeout, fmt.Errorf("no connection within %v: %w", t.cfg.DialTimeout, errTimeout))
	defer cancel()
	conn, resp, err := websocket.Dial(ctx, u.String(), &websocket.DialOptions{HTTPClient: t.client})
	switch {
	case err == nil:
		conn.SetReadLimit(t.cfg.MaxMessage)
		return conn, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case resp != nil && resp.StatusCode != http.StatusSwitchingProtocols:
		return nil, fmt.Errorf("the server answered %s instead of a WebSocket", resp.Status)
	}
	return nil, withoutURL(err)
}

// show returns u without password and query, which may be a token.
func show(u *url.URL) string { return u.Scheme + "://" + u.Host + u.EscapedPath() }

// withoutURL takes the URL out of an error of net/http, which has its query.
func withoutURL(err error) error {
	if e := (*url.Error)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}
