package openai

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/media"
)

// Limits of what is sent and taken.
const (
	MaxMessages  = 100       // of a conversation that are sent; the oldest are left out
	MaxText      = 256 << 10 // bytes of these messages; the oldest are left out
	MaxAnswer    = 1 << 20   // bytes of a JSON answer, or of the text of a streamed one
	MaxStream    = 32 << 20  // bytes of a streamed answer with its wrapping
	MaxRecording = 25 << 20  // bytes of a recording to be written down, OpenAI's own limit
	MaxSpeech    = 4096      // bytes of a text to be spoken; OpenAI's limit is so many characters
	maxMessage   = 200       // bytes of the server's message in an error

	MaxSpeechAnswer = 64 << 20 // bytes of what is spoken
)

// Config of a Client.
type Config struct {
	BaseURL string // to which /chat/completions is added: "https://api.openai.com/v1"
	Key     string // sent as a bearer token; empty: none

	Model           string               // of assistants that name none, and of summaries
	TranscribeModel string               // for recordings; empty: whisper-1
	Assistants      map[string]Assistant // by id; "" is for requests without one

	SpeechModel  string // for Speak; empty: tts-1
	Voice        string // of utterances that name none; empty: alloy
	SpeechFormat string // that is asked for, FormatPCM or FormatWAV; empty: FormatPCM
	SpeechRate   int    // of FormatPCM, in Hz; 0: 24000, which is OpenAI's

	HTTP    action.HTTPDoer // nil: a client of its own that follows no redirects
	Timeout time.Duration   // for a whole answer with all tries, or each part of a streamed one; 0: 60 s
	Retries int             // more tries after a failed one; 0: 2; negative: none
}

// Assistant is one way to use a model.
type Assistant struct {
	Type         string // VoIPBIN's assistance_type that it goes by, "ai" or "team"; empty: any
	Instructions string // the system message; ${name} is replaced by a variable of the call
	Model        string // empty: Config.Model
	Language     string // BCP 47, of requests that name none; empty: the model chooses
}

// Client speaks to one server. It is safe for concurrent use.
type Client struct {
	cfg  Config
	base *url.URL
	own  *http.Transport // nil where Config.HTTP is set

	speaking sync.WaitGroup // goroutines of Speak
}

var (
	_ action.Assistant           = (*Client)(nil)
	_ action.AssistantChecker    = (*Client)(nil)
	_ media.RecordingTranscriber = (*Client)(nil)
	_ media.Speaker              = (*Client)(nil)
	_ media.SpeakChecker         = (*Client)(nil)
)

// New returns a Client. Close it after use.
func New(cfg Config) (*Client, error) {
	if cfg.TranscribeModel == "" {
		cfg.TranscribeModel = "whisper-1"
	}
	if cfg.SpeechModel == "" {
		cfg.SpeechModel = "tts-1"
	}
	if cfg.Voice == "" {
		cfg.Voice = "alloy"
	}
	if cfg.SpeechFormat == "" {
		cfg.SpeechFormat = FormatPCM
	}
	if cfg.SpeechRate == 0 {
		cfg.SpeechRate = 24000
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 60 * time.Second
	}
	if cfg.Retries == 0 {
		cfg.Retries = 2
	}
	c := &Client{cfg: cfg}
	var faults []error
	base, err := url.Parse(strings.TrimSuffix(cfg.BaseURL, "/"))
	switch {
	case err != nil:
		faults = append(faults, errors.New("openai: new client: the base URL cannot be read"))
	case base.Scheme != "http" && base.Scheme != "https" || base.Host == "":
		faults = append(faults, errors.New("openai: new client: the base URL is not an http: or https: URL"))
	case base.User != nil || base.RawQuery != "" || base.Fragment != "":
		faults = append(faults, errors.New("openai: new client: the base URL must have no password, query or fragment"))
	}
	c.base = base
	if strings.ContainsFunc(cfg.Key, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		faults = append(faults, errors.New("openai: new client: the key has characters that no key has"))
	}
	if cfg.SpeechFormat != FormatPCM && cfg.SpeechFormat != FormatWAV {
		faults = append(faults, fmt.Errorf("openai: new client: the speech format %q is not %s or %s", cfg.SpeechFormat, FormatPCM, FormatWAV))
	}
	if _, err := media.NewResampler(cfg.SpeechRate, 8000); err != nil {
		faults = append(faults, fmt.Errorf("openai: new client: speech: %w", err))
	}
	for id, a := range cfg.Assistants {
		if a.Model == "" && cfg.Model == "" {
			faults = append(faults, fmt.Errorf("openai: new client: assistant %q has no model, and there is no other", id))
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if c.cfg.HTTP == nil {
		c.own = &http.Transport{
			ForceAttemptHTTP2:      true,
			MaxIdleConnsPerHost:    16, // a call speaks to it again and again
			IdleConnTimeout:        90 * time.Second,
			TLSHandshakeTimeout:    10 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
		}
		c.cfg.HTTP = &http.Client{
			Transport:     c.own,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return c, nil
}

// Close waits until no sound comes any more for sources of Speak, which have to be closed or whose context has to end, and closes idle
// connections where Config.HTTP was nil; other requests under way go on.
func (c *Client) Close() error {
	c.speaking.Wait()
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
	return nil
}

// patience cancels ctx after the config's timeout. Whoever gets a part of an answer resets
// the timer.
func (c *Client) patience(ctx context.Context) (context.Context, *time.Timer, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(c.cfg.Timeout, func() {
		cancel(fmt.Errorf("no answer within %v: %w", c.cfg.Timeout, context.DeadlineExceeded))
	})
	return ctx, timer, func() { timer.Stop(); cancel(nil) }
}
