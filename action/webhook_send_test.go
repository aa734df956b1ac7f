package action

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

func TestJSONResult(t *testing.T) {
	for body, want := range map[string]string{
		`{"vip":true,"name":"Ann","n":1.50,"big":12345678901234567890,"e":1E3}`: `map[json.big:12345678901234567890 json.e:1E3 json.n:1.50 json.name:Ann json.vip:true]`,
		`{"null":null,"list":[1],"object":{"a":1},"empty":"","no":false}`:       `map[json.empty: json.no:false]`,
		`{"a.b":"dot","":"none","ä":"\u00e9"}`:                                  `map[json.:none json.a.b:dot json.ä:é]`,
		` {"a":"1"} `:                                                           `map[json.a:1]`,
		`{"a":1,"a":2}`:                                                         `map[json.a:2]`,
		`{}`:                                                                    `map[]`,
		`null`:                                                                  `map[]`,
		`[1,2]`:                                                                 `map[]`,
		`"text"`:                                                                `map[]`,
		`{"a":1`:                                                                `map[]`,
		`{a:1}`:                                                                 `map[]`,
		`<html>`:                                                                `map[]`,
		``:                                                                      `map[]`,
		`{"a":1}x`:                                                              `map[]`,
	} {
		if got := fmt.Sprint(jsonResult([]byte(body))); got != want {
			t.Errorf("%s: got %s, want %s", body, got, want)
		}
	}
	many := make(map[string]int)
	for i := range 200 {
		many[fmt.Sprintf("k%03d", i)] = i
	}
	body, err := json.Marshal(many)
	if err != nil {
		t.Fatal(err)
	}
	got := jsonResult(body)
	if len(got) != maxJSONKeys || got["json.k000"] != "0" || got["json.k199"] != "" {
		t.Errorf("many keys: %d, %q", len(got), got["json.k000"])
	}
	body, err = json.Marshal(map[string]int{strings.Repeat("k", MaxVarName+1): 1, "k": 2})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(jsonResult(body)); got != "map[json.k:2]" {
		t.Errorf("a long key: got %s", got)
	}
}
