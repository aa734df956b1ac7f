package openai_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/callbin/callbin/action/openai"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// seen is a request as it came in.
type seen struct {
	method, path string
	header       http.Header
	body         []byte
}

// chatBody is what the API's reference says of POST /chat/completions, as far as it is used.
type chatBody struct {
	Model    string `json:"model"`
	Messages []struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	} `json:"messages"`
	Stream bool `json:"stream"`
	Tools  []struct {
		Type     string `json:"type"`
		Function struct {
			Name        string         `json:"name"`
			Description string         `json:"description"`
			Parameters  map[string]any `json:"parameters"`
		} `json:"function"`
	} `json:"tools"`
}

func (s seen) chat(t *testing.T) chatBody {
	t.Helper()
	var b chatBody
	if err := json.Unmarshal(s.body, &b); err != nil {
		t.Fatalf("%s: %v", s.body, err)
	}
	return b
}

// api is a local server: it keeps what it is asked and answers by the handler.
type api struct {
	url    string
	answer http.HandlerFunc
	mu     sync.Mutex
	seen   []seen // guarded by mu
}

func newAPI(t testing.TB, answer http.HandlerFunc) *api {
	t.Helper()
	a := &api{answer: answer}
	s := httptest.NewServer(a)
	t.Cleanup(s.Close)
	a.url = s.URL + "/v1"
	return a
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	a.seen = append(a.seen, seen{r.Method, r.URL.Path, r.Header.Clone(), b})
	a.mu.Unlock()
	a.answer(w, r)
}

func (a *api) requests() []seen {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]seen(nil), a.seen...)
}

// whole answers with one message.
func whole(message, finish string) http.HandlerFunc {
	return status(http.StatusOK, fmt.Sprintf(`{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m",`+
		`"choices":[{"index":0,"message":%s,"finish_reason":%q}],"usage":{"total_tokens":7}}`, message, finish))
}

func says(text string) http.HandlerFunc {
	b, _ := json.Marshal(map[string]any{"role": "assistant", "content": text})
	return whole(string(b), "stop")
}

func status(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// delta is an event of a stream.
func delta(d, finish string) string {
	if finish != "null" {
		finish = `"` + finish + `"`
	}
	return fmt.Sprintf(`data: {"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":%s,"finish_reason":%s}]}`, d, finish) + "\n\n"
}

// stream sends text in pieces of so many bytes, each in a chunk of its own.
func stream(text string, piece int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		for len(text) > 0 {
			n := min(piece, len(text))
			_, _ = io.WriteString(w, text[:n])
			w.(http.Flusher).Flush()
			text = text[n:]
		}
	}
}

func client(t testing.TB, cfg openai.Config) *openai.Client {
	t.Helper()
	c, err := openai.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// doer is a server without a network, for tests that need the time of a bubble.
type doer func(*http.Request) (*http.Response, error)

func (f doer) Do(r *http.Request) (*http.Response, error) { return f(r) }

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
