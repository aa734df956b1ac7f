package flowtest

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/callbin/callbin/action"
)

// Do is every web server that there is. One that the script does not name answers 200.
func (w *World) Do(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
	}
	url := req.URL.String()
	turn("http " + req.Method + url + string(body)) // the flow may go on beside it
	text := strings.Join([]string{req.Method, url, `"` + req.Header.Get("Content-Type") + `"`, string(body)}, " ")
	if s := req.Header.Get("X-VoIPBIN-Signature"); s != "" {
		text += " " + s
	}
	w.mu.Lock()
	w.asked = append(w.asked, Request{
		At: time.Since(w.start), Method: req.Method, URL: url, ContentType: req.Header.Get("Content-Type"),
		Body: string(body), Header: req.Header.Clone(),
	})
	w.Log(KindRequest, "%s", text)
	a := w.answerLocked(url)
	w.mu.Unlock()
	ctx := req.Context()
	if a.after > 0 {
		if err := wait(ctx, a.after); err != nil {
			return nil, ctx.Err()
		}
	}
	switch a.fails {
	case "error":
		return nil, errors.New("connection refused")
	case "hang":
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if a.body == "LARGE" {
		a.body = strings.Repeat(" ", action.MaxFetch+1)
	}
	return &http.Response{
		Status: http.StatusText(a.status), StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: make(http.Header), Body: io.NopCloser(strings.NewReader(a.body)), ContentLength: int64(len(a.body)), Request: req,
	}, nil
}

// answerLocked is what a server does next: that of the longest URL that fits, else the next one for all.
func (w *World) answerLocked(url string) answer {
	best := answer{status: http.StatusOK}
	found := -1
	for _, a := range w.servers {
		prefix := a.url
		if prefix == "*" {
			prefix = ""
		}
		if strings.HasPrefix(url, prefix) && len(prefix) > found {
			best, found = a, len(prefix)
		}
	}
	if found <= 0 && len(w.answers) > 0 {
		best, w.answers = w.answers[0], w.answers[1:]
	}
	return best
}
