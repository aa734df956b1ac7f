package openai

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/callbin/callbin/call/safehttp"
)

const (
	firstPause = 500 * time.Millisecond // before the second try; doubled before each other
	maxPause   = 10 * time.Second       // a server that wants to be left alone for longer has failed
)

// ErrTooLarge is matched by the error where a request or an answer is larger than a limit
// of this package.
var ErrTooLarge = errors.New("too large")

// StatusError is what a server answers instead of what it was asked for.
type StatusError struct {
	Status  int    // of HTTP; 200 where the error came within a stream
	Message string // the server's, cut short; may be empty
	pause   time.Duration
}

func (e *StatusError) Error() string {
	text := http.StatusText(e.Status)
	if e.Status == http.StatusOK {
		text = "error in the answer"
	}
	if e.Message == "" {
		return fmt.Sprintf("%d %s", e.Status, text)
	}
	return fmt.Sprintf("%d %s: %s", e.Status, text, e.Message)
}

// post sends body to a path below the base URL, again where that may help, and returns a
// response of status 200.
func (c *Client) post(ctx context.Context, path, contentType string, body []byte) (*http.Response, error) {
	for try := 0; ; try++ {
		resp, err := c.postOnce(ctx, path, contentType, body)
		if err == nil {
			return resp, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		pause, again := retry(err, try)
		if !again || try >= c.cfg.Retries {
			return nil, err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, fmt.Errorf("%w, while waiting after: %w", context.Cause(ctx), err)
		}
	}
}

// retry tells whether to try again after err, and when.
func retry(err error, try int) (pause time.Duration, again bool) {
	pause = min(firstPause<<min(try, 10), maxPause)
	var status *StatusError
	switch {
	case errors.Is(err, safehttp.ErrBlocked):
		return 0, false
	case !errors.As(err, &status):
		return pause, true
	case !slices.Contains([]int{429, 500, 502, 503, 504}, status.Status):
		return 0, false
	}
	return max(pause, status.pause), status.pause <= maxPause
}

func (c *Client) postOnce(ctx context.Context, path, contentType string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base.JoinPath(path).String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", contentType)
	if c.cfg.Key != "" {
		req.Header.Set("Authorization", "Bearer "+c.cfg.Key)
	}
	resp, err := c.cfg.HTTP.Do(req)
	if err != nil {
		if e := (*url.Error)(nil); errors.As(err, &e) && !errors.Is(err, safehttp.ErrBlocked) {
			err = e.Err // which path it was is said by the caller
		}
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // half a message is better than none
	return nil, &StatusError{
		Status:  resp.StatusCode,
		Message: c.clean(errorMessage(b)),
		pause:   retryAfter(resp.Header.Get("Retry-After"), time.Now()),
	}
}

// errorMessage finds the text in an error of any of the servers.
func errorMessage(b []byte) string {
	var m struct {
		Error   json.RawMessage `json:"error"`
		Message string          `json:"message"`
		Detail  json.RawMessage `json:"detail"`
	}
	if json.Unmarshal(b, &m) != nil {
		return string(b)
	}
	var object struct {
		Message string `json:"message"`
	}
	var text string
	switch {
	case json.Unmarshal(m.Error, &object) == nil && object.Message != "":
		return object.Message
	case json.Unmarshal(m.Error, &text) == nil && text != "":
		return text
	case m.Message != "":
		return m.Message
	case json.Unmarshal(m.Detail, &text) == nil && text != "":
		return text
	}
	return string(b)
}

// clean makes a message of the server fit for a log: one short line, without our key, which
// some servers repeat.
func (c *Client) clean(s string) string {
	if c.cfg.Key != "" {
		s = strings.ReplaceAll(s, c.cfg.Key, "***")
	}
	control := func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "\uFFFD"), control), " ")
	if len(s) > maxMessage {
		s = strings.ToValidUTF8(s[:maxMessage], "") + "..."
	}
	return s
}

// retryAfter reads the header's two forms (RFC 9110 10.2.3); 0 where there is none.
func retryAfter(s string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(s); err == nil {
		return time.Duration(max(0, min(n, 24*60*60))) * time.Second
	}
	if t, err := http.ParseTime(s); err == nil {
		return max(0, t.Sub(now))
	}
	return 0
}

// readAll reads an answer of at most MaxAnswer bytes.
func readAll(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxAnswer+1))
	if err == nil && len(b) > MaxAnswer {
		err = fmt.Errorf("the answer has more than %d bytes: %w", MaxAnswer, ErrTooLarge)
	}
	return b, err
}
