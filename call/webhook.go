package call

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/safehttp"
)

// Defaults of WebhookConfig.
const (
	DefaultWebhookTries   = 6
	DefaultWebhookBackoff = time.Second
	DefaultWebhookQueue   = 10_000
	DefaultWebhookWorkers = 8
	maxWebhookBackoff     = time.Minute
	webhookTimeout        = 10 * time.Second
	webhookDrain          = 10 * time.Second
)

// WebhookConfig says where events are sent. Only URL is needed. It does not show its URL, which may hold a secret, nor its secret when it is
// printed or logged.
type WebhookConfig struct {
	// URL gets each event as a POST, http or https. It must not be an address of this network: see package call/safehttp.
	URL string `json:"url"`
	// Secret signs the body: X-VoIPBIN-Signature: sha256=<hex HMAC-SHA256(Secret, body)>. "": no signature.
	Secret string `json:"secret"`
	// Types are those of SubscribeOptions. None: all.
	Types []string `json:"types"`
	// Allow are networks that may be reached though they are not public, such as those of a web server beside the engine.
	Allow []netip.Prefix `json:"-"`
	// HTTP sends the requests, in place of a guarded client with a limit of 10 s each that follows no redirects. Nil: that.
	HTTP action.HTTPDoer `json:"-"`

	Tries   int           `json:"tries"`   // of each event; 0: DefaultWebhookTries
	Backoff time.Duration `json:"-"`       // before the second one, doubled each time up to a minute; 0: DefaultWebhookBackoff
	Queue   int           `json:"queue"`   // events that may wait; what comes beyond is dropped and counted. 0: DefaultWebhookQueue
	Workers int           `json:"workers"` // requests at a time; 0: DefaultWebhookWorkers
	Logger  *slog.Logger  `json:"-"`       // nil: slog.Default()
}

// Format writes the host alone, whatever the verb.
func (c WebhookConfig) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "webhooks to "+c.host()) }

// LogValue is the host.
func (c WebhookConfig) LogValue() slog.Value { return slog.StringValue(c.host()) }

func (c *WebhookConfig) host() string {
	u, err := url.Parse(c.URL)
	if err != nil {
		return ""
	}
	return u.Host
}

// check tells what is wrong with c.
func (c *WebhookConfig) check(what string) error {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%s: url is not http or https, or has no host", what)
	}
	if c.Tries < 0 || c.Backoff < 0 || c.Queue < 0 || c.Workers < 0 {
		return fmt.Errorf("%s: tries, backoff, queue and workers cannot be negative", what)
	}
	return nil
}

// WebhookStats are counters of Webhooks.
type WebhookStats struct {
	Delivered uint64 `json:"delivered"` // answered with 2xx
	Retried   uint64 `json:"retried"`   // tries that failed and were followed by another one
	Refused   uint64 `json:"refused"`   // answered with 3xx or 4xx, or not allowed: not tried again
	Failed    uint64 `json:"failed"`    // all tries were used up
	Dropped   uint64 `json:"dropped"`   // the queue was full
	Lost      uint64 `json:"lost"`      // how often events were missed because this program was too slow to take them
	Waiting   int    `json:"waiting"`
}

// Webhooks sends events to a web server, as VoIPBIN does: those of one call, conference, groupcall or queue one after the other, in their order, those
// of others beside them. An event is tried again after a failure of the connection, 408, 429 and 5xx; meanwhile the later ones of its call wait. What waits is held in memory: it does
// not outlive the program, and beyond WebhookConfig.Queue events are dropped, which a line in the log tells. A server may get
// an event twice: its id tells.
type Webhooks struct {
	cfg   WebhookConfig
	http  action.HTTPDoer
	close func() error
	lanes lanes
}

// NewWebhooks checks cfg. The engine's events are sent while Run runs.
func NewWebhooks(cfg WebhookConfig) (*Webhooks, error) {
	if err := cfg.check("call: webhooks"); err != nil {
		return nil, err
	}
	set(&cfg.Tries, DefaultWebhookTries)
	set(&cfg.Backoff, DefaultWebhookBackoff)
	set(&cfg.Queue, DefaultWebhookQueue)
	set(&cfg.Workers, DefaultWebhookWorkers)
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	w := &Webhooks{cfg: cfg, http: cfg.HTTP, close: func() error { return nil }}
	w.lanes.init(cfg.Queue)
	if w.http == nil {
		c := safehttp.New(safehttp.Config{Timeout: webhookTimeout, MaxBytes: 64 << 10, MaxRedirects: -1, Allow: cfg.Allow, UserAgent: "Callbin"})
		u, err := url.Parse(cfg.URL)
		if err == nil {
			err = c.CheckURL(u)
		}
		if err != nil {
			return nil, fmt.Errorf("call: webhooks to %s: %w", cfg.host(), withoutURL(err))
		}
		w.http, w.close = c, c.Close
	}
	return w, nil
}

// set gives *p its default where it is zero.
func set[T int | time.Duration](p *T, to T) {
	if *p == 0 {
		*p = to
	}
}

// Stats returns the counters.
func (w *Webhooks) Stats() WebhookStats { return w.lanes.counters() }

// Run sends the events of e, from now on, until it has ended, or ctx has; what waits then has ten seconds more. Beside
// Engine.RunUntilSignal it sends the last event, too. It runs once.
func (w *Webhooks) Run(ctx context.Context, e *Engine) error {
	sub, err := e.Subscribe(SubscribeOptions{Types: w.cfg.Types, Buffer: maxWebhookBuffer})
	if err != nil {
		return fmt.Errorf("call: webhooks: %w", err)
	}
	work, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	for range w.cfg.Workers {
		w.lanes.work.Go(func() { w.work(work) })
	}
	err = w.listen(ctx, e, sub)
	w.lanes.finish()
	late := time.AfterFunc(webhookDrain, cut)
	w.lanes.work.Wait()
	late.Stop()
	if left := w.Stats().Waiting; left > 0 {
		w.cfg.Logger.Warn("webhooks not sent before the end", "events", left)
	}
	return errors.Join(err, w.close())
}

// maxWebhookBuffer is how many events may wait for the goroutine that sorts them into lanes, which never waits itself.
const maxWebhookBuffer = 4096

// listen takes events until there are no more.
func (w *Webhooks) listen(ctx context.Context, e *Engine, sub *Subscription) error {
	last := ""
	for {
		ev, err := sub.Next(ctx)
		switch {
		case err == nil:
			last = ev.ID
			w.enqueue(ev)
		case ctx.Err() != nil, errors.Is(err, ErrEngineEnded):
			sub.Close()
			for ev := range sub.All(ctx) { // what was told before
				w.enqueue(ev)
			}
			return nil
		default: // it was too slow: what is kept is taken up
			o := SubscribeOptions{Types: w.cfg.Types, Buffer: maxWebhookBuffer, After: last}
			next, err := e.Subscribe(o)
			if errors.Is(err, ErrEventsLost) {
				w.lanes.lost()
				w.cfg.Logger.Warn("webhooks missed events: the machine is too busy")
				o.After = ""
				next, err = e.Subscribe(o)
			}
			if errors.Is(err, ErrEngineEnded) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("call: webhooks: %w", err)
			}
			sub = next
		}
	}
}

func (w *Webhooks) enqueue(ev Event) {
	if dropped := w.lanes.put(ev); dropped > 0 && dropped&(dropped-1) == 0 { // the 1st, 2nd, 4th, 8th...: a log must not be flooded either
		w.cfg.Logger.Warn("webhooks dropped: the queue is full", "dropped", dropped, "queue", w.cfg.Queue)
	}
}

// work delivers the events of one lane after the other.
func (w *Webhooks) work(ctx context.Context) {
	for {
		l := w.lanes.take(ctx)
		if l == nil {
			return
		}
		for ev, ok := w.lanes.first(l); ok && ctx.Err() == nil; ev, ok = w.lanes.first(l) {
			again := w.try(ctx, l, ev)
			if again > 0 {
				w.lanes.rest(l, again)
				break
			}
			if ctx.Err() == nil {
				w.lanes.done(l)
			}
		}
	}
}

// try sends ev once. It returns after how long it is to be tried again; 0: it is over with it.
func (w *Webhooks) try(ctx context.Context, l *lane, ev Event) (again time.Duration) {
	l.tries++
	retry, err := w.send(ctx, ev)
	switch {
	case err == nil:
		w.lanes.count(func(s *WebhookStats) { s.Delivered++ })
		return 0
	case ctx.Err() != nil:
		return 0
	case !retry:
		w.lanes.count(func(s *WebhookStats) { s.Refused++ })
	case l.tries >= w.cfg.Tries:
		w.lanes.count(func(s *WebhookStats) { s.Failed++ })
	default:
		w.lanes.count(func(s *WebhookStats) { s.Retried++ })
		return min(w.cfg.Backoff<<min(l.tries-1, 20), maxWebhookBackoff)
	}
	w.cfg.Logger.Warn("webhook not delivered", "event", ev.Type, "id", ev.ID, "tries", l.tries, "err", err)
	return 0
}

// send is one request.
func (w *Webhooks) send(ctx context.Context, ev Event) (retry bool, err error) {
	body, err := json.Marshal(ev)
	if err != nil {
		return false, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return false, errors.New("call: webhook: the request cannot be made") // not its error: the URL may hold a secret
	}
	req.Header.Set("Content-Type", "application/json")
	if w.cfg.Secret != "" {
		req.Header.Set("X-VoIPBIN-Signature", SignWebhook(w.cfg.Secret, body))
	}
	res, err := w.http.Do(req)
	if err != nil {
		return !errors.Is(err, safehttp.ErrBlocked), withoutURL(err)
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection can be used again; what it says does not matter
	_ = res.Body.Close()
	switch c := res.StatusCode; {
	case c >= 200 && c < 300:
		return false, nil
	case c == http.StatusRequestTimeout, c == http.StatusTooManyRequests, c >= 500:
		return true, fmt.Errorf("call: webhook: answered %d", c)
	default:
		return false, fmt.Errorf("call: webhook: answered %d", c)
	}
}

// withoutURL takes the URL off an error of an HTTP client: it may hold a secret.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// SignWebhook is the signature of a webhook's body: what X-VoIPBIN-Signature holds. A receiver compares it with hmac.Equal.
func SignWebhook(secret string, body []byte) string {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write(body) // never fails
	return "sha256=" + hex.EncodeToString(h.Sum(nil))
}
