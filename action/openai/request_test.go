package openai_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/action/openai"
	"github.com/callbin/callbin/call/safehttp"
)

func ask(ctx context.Context, c *openai.Client) (action.AssistantReply, error) {
	return c.Reply(ctx, action.AssistantRequest{Work: action.AssistantTask, ID: "night"})
}

// failing answers by one function a try, then well, within a bubble.
func failing(tries *int, answers ...http.HandlerFunc) doer {
	return func(r *http.Request) (*http.Response, error) {
		if b, err := io.ReadAll(r.Body); err != nil || !strings.Contains(string(b), "It is night.") {
			return nil, errors.New("a try without the request's body")
		}
		if r.Context().Err() != nil {
			return nil, r.Context().Err()
		}
		*tries++
		answer := says("at last")
		if *tries <= len(answers) {
			answer = answers[*tries-1]
		}
		if answer == nil {
			return nil, errors.New("connection reset")
		}
		w := httptest.NewRecorder()
		answer(w, r)
		return w.Result(), nil
	}
}

func after(seconds string, code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", seconds)
		status(code, `{"error":{"message":"slow down"}}`)(w, r)
	}
}

func TestTriesAgain(t *testing.T) {
	busy := status(503, `{}`)
	for name, c := range map[string]struct {
		answers []http.HandlerFunc
		retries int
		tries   int
		took    time.Duration
		fails   string
	}{
		"at once":           {nil, 0, 1, 0, ""},
		"server error":      {[]http.HandlerFunc{status(500, "oops"), busy}, 0, 3, 1500 * time.Millisecond, ""},
		"network":           {[]http.HandlerFunc{nil}, 0, 2, 500 * time.Millisecond, ""},
		"network for long":  {[]http.HandlerFunc{nil, nil, nil}, 0, 3, 1500 * time.Millisecond, "connection reset"},
		"more tries":        {[]http.HandlerFunc{busy, busy, busy, busy, busy, busy}, 6, 7, (500 + 1000 + 2000 + 4000 + 8000 + 10000) * time.Millisecond, ""},
		"no more tries":     {[]http.HandlerFunc{busy}, -1, 1, 0, "503 Service Unavailable: {}"},
		"as told":           {[]http.HandlerFunc{after("3", 429)}, 0, 2, 3 * time.Second, ""},
		"not sooner":        {[]http.HandlerFunc{after("0", 429)}, 0, 2, 500 * time.Millisecond, ""},
		"as told by a date": {[]http.HandlerFunc{after("Sat, 01 Jan 2000 00:00:04 GMT", 429)}, 0, 2, 4 * time.Second, ""},
		"told nonsense":     {[]http.HandlerFunc{after("soon", 429)}, 0, 2, 500 * time.Millisecond, ""},
		"told too long":     {[]http.HandlerFunc{after("11", 429)}, 0, 1, 0, "429 Too Many Requests: slow down"},
		"told for ever":     {[]http.HandlerFunc{after("99999999999999999999", 429), after("9999999999", 429)}, 0, 2, 500 * time.Millisecond, "429"},
		"our own fault":     {[]http.HandlerFunc{status(400, `{"error":{"message":"no such model"}}`)}, 0, 1, 0, "400 Bad Request: no such model"},
		"not allowed":       {[]http.HandlerFunc{status(401, `{"error":"bad key"}`)}, 0, 1, 0, "401 Unauthorized: bad key"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				client := client(t, openai.Config{BaseURL: "http://x", Model: "m", Assistants: desk, Retries: c.retries, HTTP: failing(&tries, c.answers...)})
				begin := time.Now()
				got, err := ask(t.Context(), client)
				if tries != c.tries || time.Since(begin) != c.took {
					t.Errorf("%d tries, %v; want %d, %v", tries, time.Since(begin), c.tries, c.took)
				}
				switch {
				case c.fails == "" && (err != nil || got.Text != "at last"):
					t.Errorf("%+v, %v", got, err)
				case c.fails != "" && (err == nil || !strings.HasPrefix(err.Error(), "openai: reply: "+c.fails)):
					t.Errorf("%v, want %q", err, c.fails)
				}
			})
		})
	}
}

func TestWaitForAnotherTryIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		c := client(t, openai.Config{BaseURL: "http://x", Model: "m", Assistants: desk, Timeout: 4 * time.Second, HTTP: failing(&tries, after("9", 429))})
		begin := time.Now()
		_, err := ask(t.Context(), c)
		var status *openai.StatusError
		if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &status) || status.Status != 429 || time.Since(begin) != 4*time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		hungUp := errors.New("hung up")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(hungUp)
		if _, err := ask(ctx, c); !errors.Is(err, hungUp) {
			t.Errorf("%v", err)
		}
	})
}

func TestErrorsOfTheServer(t *testing.T) {
	const key = "sk-secret-123"
	long := strings.Repeat("ü", 300)
	for body, want := range map[string]string{
		`{"error":{"message":"Incorrect API key provided: ` + key + `."}}`: "Incorrect API key provided: ***.",
		`{"error":"model not found"}`:                                      "model not found",
		`{"object":"error","message":"too long"}`:                          "too long",
		`{"detail":"Not Found"}`:                                           "Not Found",
		`{"detail":[{"loc":["body"]}]}`:                                    `{"detail":[{"loc":["body"]}]}`,
		"<html>\r\n\tBad\x00Gateway\n</html> \xff " + key:                  "<html> Bad Gateway </html> \uFFFD ***",
		`{"error":{"message":"` + long + `"}}`:                             strings.Repeat("ü", 100) + "...",
		``:                                                                 "",
	} {
		a := newAPI(t, status(418, body))
		_, err := ask(t.Context(), client(t, openai.Config{BaseURL: a.url, Key: key, Model: "m", Assistants: desk}))
		var got *openai.StatusError
		if !errors.As(err, &got) || got.Status != 418 || got.Message != want {
			t.Errorf("%v, want %q", err, want)
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("the error has the key: %v", err)
		}
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	other := newAPI(t, says("hm"))
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.url, http.StatusTemporaryRedirect)
	})
	_, err := ask(t.Context(), client(t, openai.Config{BaseURL: a.url, Key: "k", Model: "m", Assistants: desk}))
	if err == nil || err.Error() != "openai: reply: 307 Temporary Redirect" || len(other.requests()) != 0 {
		t.Errorf("%v, %d requests", err, len(other.requests()))
	}
}

func TestGuardedClient(t *testing.T) {
	a := newAPI(t, says("hm"))
	guarded := safehttp.New(safehttp.Config{})
	defer guarded.Close()
	begin := time.Now()
	_, err := ask(t.Context(), client(t, openai.Config{BaseURL: a.url, Model: "m", Assistants: desk, HTTP: guarded}))
	if !errors.Is(err, safehttp.ErrBlocked) || time.Since(begin) > 400*time.Millisecond {
		t.Errorf("loopback: %v after %v", err, time.Since(begin))
	}
	open := safehttp.New(safehttp.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	defer open.Close()
	if _, err := ask(t.Context(), client(t, openai.Config{BaseURL: a.url, Model: "m", Assistants: desk, HTTP: open})); err != nil {
		t.Errorf("allowed: %v", err)
	}
}

func TestBadConfig(t *testing.T) {
	for want, cfg := range map[string]openai.Config{
		"is not an http: or https: URL": {},
		"URL is not an http":            {BaseURL: "ftp://x"},
		"cannot be read":                {BaseURL: "http://u:secret@x:y"},
		"must have no password":         {BaseURL: "http://u:secret@x"},
		"no password, query":            {BaseURL: "http://x?key=secret"},
		"the key has characters":        {BaseURL: "http://x", Key: "secret\r\nX-Evil: 1"},
		`assistant "desk" has no model`: {BaseURL: "http://x", Assistants: map[string]openai.Assistant{"desk": {}}},
	} {
		c, err := openai.New(cfg)
		if c != nil || err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
