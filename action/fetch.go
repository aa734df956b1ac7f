package action

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
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

	Format         string `json:"format" opt:"enum=callbin|twilio|vonage,default=callbin" doc:"whose request it is; the answer may be actions, TwiML or NCCO in any case, by its content type"`
	Account        string `json:"account" doc:"which of the settings' web_apps it is for: that one's token signs it"`
	FallbackURL    string `json:"fallback_url" doc:"is asked where event_url fails"`
	FallbackMethod string `json:"fallback_method" opt:"enum=POST|GET,default=POST" doc:"of that request"`
	ResultOf       string `json:"result_of" doc:"id of the action whose result the request tells"`
	Verb           string `json:"verb" doc:"what that action is called by twilio or vonage: Gather, Dial, Record, Enqueue, input"`
	Replace        bool   `json:"replace" doc:"the flow that the action stands in ends with what is fetched: nothing behind it runs"`
	deps           Deps
}

func (a *fetch) Shape() Shape {
	return Shape{Anywhere: true, SetsAny: true, Answers: true, Result: []string{"http_code"}}
}

func (a *fetch) Check(c *CheckContext) {
	for key, uri := range map[string]string{"event_url": a.EventURL, "fallback_url": a.FallbackURL} {
		if uri != "" && !HasVar(uri) {
			if err := checkWebhookURI(uri); err != nil {
				c.At(key).Errorf("%v", err)
			}
		}
	}
}

func (a *fetch) Needs(c *CheckContext) {
	if c.Need(HasHTTP); a.foreign() {
		c.Need(HasForeign)
	}
	if _, ok := a.deps.WebApps[a.Account]; a.Account != "" && !HasVar(a.Account) && a.deps.HTTP != nil && !ok {
		c.At("account").Warnf("is none of the settings' web_apps: the request is not signed")
	}
}

// foreign tells whether the request is that of another system.
func (a *fetch) foreign() bool { return a.Format == FormatTwilio || a.Format == FormatVonage }

func (a *fetch) Run(ctx context.Context, leg Leg) (Outcome, error) {
	if a.deps.HTTP == nil {
		return Continue(), Fatal(missing(HasHTTP))
	}
	if a.foreign() && a.deps.Foreign == nil {
		return Continue(), Fatal(missing(HasForeign))
	}
	o, err := a.fetch(ctx, leg, cmp.Or(a.EventMethod, http.MethodPost), "event_url", a.EventURL, "")
	if err != nil && ctx.Err() == nil && a.FallbackURL != "" {
		report(leg, FlowInfo(ctx), err)
		o, err = a.fetch(ctx, leg, cmp.Or(a.FallbackMethod, http.MethodPost), "fallback_url", a.FallbackURL, a.EventURL)
	}
	if ctx.Err() != nil {
		return o, context.Cause(ctx)
	}
	return o, Fatal(err)
}

// fetch asks once; failed is the URL that was asked before in vain.
func (a *fetch) fetch(ctx context.Context, leg Leg, method, option, uri, failed string) (Outcome, error) {
	if err := checkWebhookURI(uri); err != nil {
		return Continue(), fmt.Errorf("action: fetch: %s %w", option, err)
	}
	ctx, cancel := context.WithTimeout(ctx, ms(cmp.Or(max(a.Timeout, 0), defaultHTTPTimeoutMS)))
	defer cancel()
	res, err := a.ask(ctx, leg, method, uri, failed)
	if err != nil {
		return Continue(), fmt.Errorf("action: fetch: %w", err)
	}
	defer res.Body.Close()
	o := Resulting("http_code", strconv.Itoa(res.StatusCode))
	from := uri
	if res.Request != nil && res.Request.URL != nil {
		from = res.Request.URL.Redacted()
	}
	if res.StatusCode != http.StatusOK && !(a.foreign() && res.StatusCode/100 == 2) {
		return o, fmt.Errorf("action: fetch: %s answered %d, not 200", from, res.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, MaxFetch+1))
	switch {
	case err != nil:
		return o, fmt.Errorf("action: fetch: read the answer: %w", err)
	case len(text) > MaxFetch:
		return o, fmt.Errorf("action: fetch: the answer of %s has more than %d bytes", from, MaxFetch)
	}
	if o.Push, err = a.read(ctx, leg, res, uri, text); err != nil {
		return o, fmt.Errorf("action: fetch: %w", err)
	}
	return o, nil
}

// read makes actions of an answer: in whichever language it is, the request's if it does not say.
func (a *fetch) read(ctx context.Context, leg Leg, res *http.Response, uri string, text []byte) (*Push, error) {
	kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil {
		kind = ""
	}
	format := ""
	switch {
	case a.foreign():
		format = a.Format
	case a.deps.Foreign != nil:
		format = a.deps.Foreign.Recognize(kind, text)
	}
	if format == "" {
		if !json.Valid(text) {
			return nil, errors.New("the answer is not JSON")
		}
		return &Push{Actions: text, Replace: a.Replace}, nil
	}
	d := Document{Format: format, ContentType: kind, Text: text, URL: uri, Method: a.EventMethod, Account: a.Account, FallbackURL: a.FallbackURL, FallbackMethod: a.FallbackMethod}
	if res.Request != nil && res.Request.URL != nil { // where it was in the end
		d.URL, d.Method = res.Request.URL.String(), res.Request.Method
	}
	actions, notes, err := a.deps.Foreign.ReadFlow(d)
	for _, note := range notes {
		report(leg, FlowInfo(ctx), note)
	}
	if err != nil || actions == nil {
		return nil, err
	}
	return &Push{Actions: actions, Replace: a.Replace}, nil
}

// ask sends the request of the format.
func (a *fetch) ask(ctx context.Context, leg Leg, method, uri, failed string) (*http.Response, error) {
	if a.foreign() {
		return a.askForeign(ctx, leg, method, uri, failed)
	}
	vars := leg.Vars()
	body, err := json.Marshal(map[string]string{
		"activeflow_id": vars.Get("voipbin.activeflow.id"),
		"reference_id":  cmp.Or(vars.Get("voipbin.activeflow.reference_id"), leg.ID()),
	})
	if err != nil {
		return nil, err
	}
	req, err := a.deps.request(ctx, method, uri, "application/json", string(body))
	if err != nil {
		return nil, err
	}
	return a.deps.HTTP.Do(req) // its error names method and URL
}
