package action

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
)

// Values of fetch's format, and of Document.Format, beside our own.
const (
	FormatTwilio = "twilio" // requests are those of Twilio's webhooks, answers are TwiML
	FormatVonage = "vonage" // requests are those of Vonage's, answers are NCCO
)

// WebApp is a web application that a fetch asks, as the account of the other system.
type WebApp struct {
	AuthToken  string // signs requests; "": they are not signed
	Recordings string // URL in front of a recording's id, under which the application finds it; "": it is told the id only
}

// String leaves the token out.
func (w WebApp) String() string { return "web application" }

// GoString leaves the token out.
func (w WebApp) GoString() string { return "action.WebApp{}" }

// Document is a flow of another system.
type Document struct {
	Format      string // FormatTwilio or FormatVonage
	ContentType string // without parameters; may be empty
	Text        []byte
	URL, Method string // by which it was fetched: relative URLs start there, and it is where they lead that have no URL

	Account, FallbackURL, FallbackMethod string // of the fetch, and so of all that the document fetches
}

// FlowReader reads flows of other systems. It is safe for concurrent use.
type FlowReader interface {
	// Recognize tells which format text, an answer to a request of ours, unmistakably has; "": none but our own.
	Recognize(contentType string, text []byte) (format string)
	// ReadFlow makes actions of a document; nil without an error: it is no flow, and the one that runs goes on. notes is what of it cannot be
	// expressed and was left out.
	ReadFlow(d Document) (actions json.RawMessage, notes []error, err error)
}

// maxHops is how many redirects a request of another system follows. Each is signed anew, for its own URL.
const maxHops = 5

// askForeign sends the request that the other system would send, with the cookies of this call.
func (a *fetch) askForeign(ctx context.Context, leg Leg, method, uri, failed string) (*http.Response, error) {
	u, err := url.Parse(uri)
	if err != nil {
		return nil, err
	}
	u.Fragment = ""
	if method != http.MethodGet {
		method = http.MethodPost
	}
	jar := leg.Vars().cookies()
	for range maxHops + 1 {
		var req *http.Request
		if a.Format == FormatTwilio {
			req, err = a.twilioRequest(ctx, leg, method, u, failed)
		} else {
			req, err = a.vonageRequest(ctx, leg, method, u)
		}
		if err != nil {
			return nil, err
		}
		for _, c := range jar.Cookies(u) {
			req.AddCookie(c)
		}
		res, err := a.deps.HTTP.Do(req)
		if err != nil {
			return nil, err
		}
		jar.SetCookies(u, res.Cookies())
		next, err := res.Location()
		if res.StatusCode < 300 || res.StatusCode > 399 || errors.Is(err, http.ErrNoLocation) {
			if res.Request == nil {
				res.Request = req
			}
			return res, nil
		}
		_, _ = io.CopyN(io.Discard, res.Body, 4<<10)
		_ = res.Body.Close()
		if err == nil {
			err = checkWebhookURI(next.String())
		}
		if err != nil {
			return nil, fmt.Errorf("%s redirects: %w", u.Redacted(), err)
		}
		if next.Host != u.Host || next.Scheme != u.Scheme {
			next.User = nil
		}
		if u = next; res.StatusCode != http.StatusTemporaryRedirect && res.StatusCode != http.StatusPermanentRedirect {
			method = http.MethodGet
		}
	}
	return nil, fmt.Errorf("%s redirects more than %d times", u.Redacted(), maxHops)
}

// cookies is the jar of the leg: what a web application has put there is sent back to it for as long as the call lasts. It is
// no variable: no flow reads it, and no trace holds it.
func (v *Vars) cookies() http.CookieJar {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.jar == nil {
		v.jar, _ = cookiejar.New(nil) // never fails
	}
	return v.jar
}

// party is how another system calls one side of the call: numbers as they are, the rest by its kind.
func party(vars *Vars, side string) string {
	target := vars.Get("voipbin.call." + side + ".target")
	switch vars.Get("voipbin.call." + side + ".type") {
	case "sip":
		return "sip:" + strings.TrimPrefix(target, "sip:")
	case "extension":
		if name := vars.Get("voipbin.call." + side + ".target_name"); name != "" {
			target = name
		}
		return "client:" + target
	default:
		return target
	}
}

// resultOf reads what the step that the request tells of has found.
func (a *fetch) resultOf(leg Leg) func(key string) string {
	return func(key string) string {
		if a.ResultOf == "" {
			return ""
		}
		return leg.Vars().Get(a.ResultOf + "." + key)
	}
}
