package action

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// MaxFetch is how many bytes of actions a fetch takes.
const MaxFetch = 1 << 20

// fetch gets actions from a web server and runs them; then the flow goes on behind it.
type fetch struct {
	EventURL    string `json:"event_url" opt:"required" doc:"http: or https: URL that answers with actions"`
	EventMethod string `json:"event_method" opt:"enum=POST|GET|PUT|DELETE,default=POST" doc:"of the request"`
	Timeout     int    `json:"timeout" opt:"ms,min=0,default=10000" doc:"of the whole request"`
	deps        Deps
}

func (a *fetch) Shape() Shape {
	return Shape{Anywhere: true, SetsAny: true, Answers: true, Result: []string{"http_code"}}
}

func (a *fetch) Check(c *CheckContext) {
	if a.EventURL != "" && !HasVar(a.EventURL) {
		if err := checkWebhookURI(a.EventURL); err != nil {
			c.At("event_url").Errorf("%v", err)
		}
	}
}

func (a *fetch) Needs(c *CheckContext) { c.Need(HasHTTP) }

func (a *fetch) Run(ctx context.Context, leg Leg) (Outcome, error) {
	if a.deps.HTTP == nil {
		return Continue(), Fatal(missing(HasHTTP))
	}
	if err := checkWebhookURI(a.EventURL); err != nil {
		return Continue(), Fatal(fmt.Errorf("action: fetch: event_url %w", err))
	}
	limit, cancel := context.WithTimeout(ctx, ms(cmp.Or(max(a.Timeout, 0), defaultHTTPTimeoutMS)))
	defer cancel()
	o, err := a.fetch(limit, leg)
	if ctx.Err() != nil {
		return o, context.Cause(ctx)
	}
	return o, Fatal(err)
}

func (a *fetch) fetch(ctx context.Context, leg Leg) (Outcome, error) {
	vars := leg.Vars()
	body, err := json.Marshal(map[string]string{
		"activeflow_id": vars.Get("voipbin.activeflow.id"),
		"reference_id":  cmp.Or(vars.Get("voipbin.activeflow.reference_id"), leg.ID()),
	})
	if err != nil {
		return Continue(), err
	}
	req, err := a.deps.request(ctx, cmp.Or(a.EventMethod, http.MethodPost), a.EventURL, "application/json", string(body))
	if err != nil {
		return Continue(), fmt.Errorf("action: fetch: %w", err)
	}
	res, err := a.deps.HTTP.Do(req)
	if err != nil {
		return Continue(), fmt.Errorf("action: fetch: %w", err) // names method and URL
	}
	defer res.Body.Close()
	o := Resulting("http_code", strconv.Itoa(res.StatusCode))
	if res.StatusCode != http.StatusOK {
		return o, fmt.Errorf("action: fetch: %s answered %d, not 200", req.URL.Redacted(), res.StatusCode)
	}
	actions, err := io.ReadAll(io.LimitReader(res.Body, MaxFetch+1))
	switch {
	case err != nil:
		return o, fmt.Errorf("action: fetch: read the answer: %w", err)
	case len(actions) > MaxFetch:
		return o, fmt.Errorf("action: fetch: the answer of %s has more than %d bytes", req.URL.Redacted(), MaxFetch)
	case !json.Valid(actions):
		return o, errors.New("action: fetch: the answer is not JSON")
	}
	o.Push = &Push{Actions: actions}
	return o, nil
}
