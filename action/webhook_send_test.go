package action

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"
)

type doerFunc func(*http.Request) (*http.Response, error)

func (f doerFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }

type closeCounter struct {
	io.Reader
	closed *int
}

func (c closeCounter) Close() error {
	*c.closed++
	return nil
}

func TestWebhookKeepsLittleOfTheAnswer(t *testing.T) {
	closed := 0
	a := &webhookSend{Sync: true, URI: "https://example.com/", Data: "x", deps: Deps{WebhookSecret: "key", HTTP: doerFunc(func(r *http.Request) (*http.Response, error) {
		if got, want := r.Header.Get("X-VoIPBIN-Signature"), sign("key", "x"); got != want {
			t.Errorf("signature %q, want %q", got, want)
		}
		if r.ContentLength != 1 || r.Method != http.MethodPost {
			t.Errorf("%s with %d bytes", r.Method, r.ContentLength)
		}
		return &http.Response{StatusCode: 200, Body: closeCounter{strings.NewReader("\xff" + strings.Repeat("ä", 1<<20)), &closed}}, nil
	})}}
	o, err := a.Run(t.Context(), &fakeLeg{})
	if err != nil {
		t.Fatal(err)
	}
	body := o.Result["body"]
	if len(body) > webhookBody || len(body) < webhookBody-3 || !utf8.ValidString(body) || o.Result["http_code"] != "200" || closed != 1 {
		t.Errorf("status %s, body of %d bytes, closed %d times", o.Result["http_code"], len(body), closed)
	}
}

func TestWebhookSignature(t *testing.T) {
	// The test vector that is known for HMAC-SHA256 with the key "key".
	got := sign("key", "The quick brown fox jumps over the lazy dog")
	if want := "sha256=f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestWebhookTriesEndByThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		a := &webhookSend{Sync: true, URI: "https://example.com/", deps: Deps{HTTP: doerFunc(func(r *http.Request) (*http.Response, error) {
			tries++
			<-r.Context().Done()
			return nil, r.Context().Err()
		})}}
		start := time.Now()
		_, err := a.Run(t.Context(), &fakeLeg{})
		if !errors.Is(err, context.DeadlineExceeded) || tries != webhookTries || time.Since(start) != 32*time.Second {
			t.Errorf("got %v after %d tries and %v", err, tries, time.Since(start))
		}
	})
}
