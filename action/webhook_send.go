package action

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	webhookTries = 3
	webhookPause = time.Second // between tries
	webhookBody  = 4 << 10     // bytes of the answer that are kept
	webhookJSON  = 64 << 10    // bytes of the answer that are looked into

	defaultHTTPTimeoutMS = 10_000
)

// webhookSend sends an HTTP request.
type webhookSend struct {
	Sync     bool   `json:"sync" doc:"waits for the answer, which is the result"`
	URI      string `json:"uri" opt:"required" doc:"http: or https: URL"`
	Method   string `json:"method" opt:"enum=POST|GET|PUT|DELETE,default=POST" doc:"of the request"`
	DataType string `json:"data_type" doc:"content type of data"`
	Data     string `json:"data" doc:"body of the request"`
	Timeout  int    `json:"timeout" opt:"ms,min=0,default=10000" doc:"of each of the three tries"`
	deps     Deps
}

func (a *webhookSend) Check(c *CheckContext) {
	if a.URI != "" && !HasVar(a.URI) {
		if err := checkWebhookURI(a.URI); err != nil {
			c.At("uri").Errorf("%v", err)
		}
	}
}

func checkWebhookURI(uri string) error {
	u, err := url.Parse(uri)
	switch {
	case err != nil:
		return fmt.Errorf("is not a URL: %w", err)
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("must be an http: or https: URL, as %.80q is not", uri)
	case u.Host == "":
		return fmt.Errorf("has no host: %.80q", uri)
	default:
		return nil
	}
}

func (a *webhookSend) Needs(c *CheckContext) { c.Need(HasHTTP) }

func (a *webhookSend) Shape() Shape {
	return Shape{Instant: !a.Sync, Result: []string{"http_code", "body"}, AnyResult: true}
}

func (a *webhookSend) Run(ctx context.Context, leg Leg) (Outcome, error) {
	if a.deps.HTTP == nil {
		return Continue(), missing(HasHTTP)
	}
	if err := checkWebhookURI(a.URI); err != nil {
		return Continue(), fmt.Errorf("action: webhook_send: uri %w", err)
	}
	if a.Method == "" {
		a.Method = http.MethodPost
	}
	if a.Timeout <= 0 {
		a.Timeout = defaultHTTPTimeoutMS
	}
	if !a.Sync {
		return Continue(), Background(ctx, leg, func(ctx context.Context) error {
			_, err := a.deliver(ctx)
			return err
		})
	}
	result, err := a.deliver(ctx)
	return Outcome{Result: result}, err
}

// deliver tries until there is an answer that is not the server's fault (5xx).
func (a *webhookSend) deliver(ctx context.Context) (result map[string]string, err error) {
	for try := range webhookTries {
		if try > 0 {
			if err := pause(ctx, webhookPause); err != nil {
				return result, err
			}
		}
		var again bool
		result, again, err = a.try(ctx)
		if ctx.Err() != nil {
			return result, context.Cause(ctx)
		}
		if !again {
			break
		}
	}
	return result, err
}

func (a *webhookSend) try(ctx context.Context) (result map[string]string, again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, ms(a.Timeout))
	defer cancel()
	req, err := a.deps.request(ctx, a.Method, a.URI, a.DataType, a.Data)
	if err != nil {
		return nil, false, fmt.Errorf("action: webhook_send: %w", err)
	}
	res, err := a.deps.HTTP.Do(req)
	if err != nil {
		return nil, true, fmt.Errorf("action: webhook_send: %w", err)
	}
	defer res.Body.Close()
	body, readErr := io.ReadAll(io.LimitReader(res.Body, webhookJSON))
	result = jsonResult(body)
	result["http_code"] = strconv.Itoa(res.StatusCode)
	result["body"] = cutText(strings.ToValidUTF8(string(body[:min(len(body), webhookBody+utf8.UTFMax)]), "\uFFFD"), webhookBody)
	if res.StatusCode >= 500 {
		return result, true, fmt.Errorf("action: webhook_send: %s answered %d", req.URL.Redacted(), res.StatusCode)
	}
	if readErr != nil {
		return result, false, fmt.Errorf("action: webhook_send: read the answer: %w", readErr)
	}
	return result, false, nil
}

// maxJSONKeys leaves room in a result for what is not of the answer.
const maxJSONKeys = MaxResultKeys - 4

// jsonResult gives the strings, numbers and bools of an answer that is a JSON object as json.KEY, the
// first ones in the order of their keys where there are too many.
func jsonResult(body []byte) map[string]string {
	result := make(map[string]string)
	var object map[string]any
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if dec.Decode(&object) != nil {
		return result
	}
	if _, err := dec.Token(); err != io.EOF { // something follows
		return result
	}
	for _, k := range sortedKeys(object) {
		switch v := object[k].(type) {
		case string, json.Number, bool:
			if len(result) < maxJSONKeys && len(k) <= MaxVarName {
				result["json."+k] = fmt.Sprint(v)
			}
		}
	}
	return result
}

// request makes a request of an action, signed where there is a secret.
func (d *Deps) request(ctx context.Context, method, uri, contentType, body string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, uri, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if d.WebhookSecret != "" {
		req.Header.Set("X-VoIPBIN-Signature", sign(d.WebhookSecret, body))
	}
	return req, nil
}

// sign is VoIPBIN's signature of a webhook's body.
func sign(secret, body string) string {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(h.Sum(nil))
}
