package call

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/flow"
)

// WebApp is a web application that was written for another system, and answers a number here.
type WebApp struct {
	URL         string `json:"url"`          // http: or https:, asked when a call comes
	Method      string `json:"method"`       // POST, which is the default, or GET
	Format      string `json:"format"`       // twilio, which is the default, or vonage
	AuthToken   string `json:"auth_token"`   // signs requests; "": they are not signed
	FallbackURL string `json:"fallback_url"` // asked where another one fails
	// Recordings is the URL in front of a recording's id, under which the application finds it.
	Recordings string `json:"recordings"`
}

// String leaves the token and passwords out.
func (w WebApp) String() string {
	u, err := url.Parse(w.URL)
	if err != nil {
		return "web application"
	}
	return "web application of " + u.Host
}

// GoString leaves the token and passwords out.
func (w WebApp) GoString() string { return fmt.Sprintf("call.WebApp{%q}", w.String()) }

// LogValue leaves the token and passwords out.
func (w WebApp) LogValue() slog.Value { return slog.StringValue(w.String()) }

func checkWebApps(what string, apps map[string]WebApp) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(apps)) {
		a, at := apps[name], fmt.Sprintf("%s[%q]", what, name)
		if name == "" || action.HasVar(name) {
			errs = append(errs, fmt.Errorf("%s: names no destination", at))
		}
		for _, u := range [][2]string{{"url", a.URL}, {"fallback_url", a.FallbackURL}, {"recordings", a.Recordings}} {
			if p, err := url.Parse(u[1]); (u[1] != "" || u[0] == "url") && (err != nil || p.Host == "" || p.Scheme != "http" && p.Scheme != "https" || action.HasVar(u[1])) {
				errs = append(errs, fmt.Errorf("%s.%s: must be an http: or https: URL", at, u[0]))
			}
		}
		if a.Method != "" && a.Method != "GET" && a.Method != "POST" {
			errs = append(errs, fmt.Errorf("%s.method: must be GET or POST, not %.20q", at, a.Method))
		}
		if a.Format != "" && a.Format != action.FormatTwilio && a.Format != action.FormatVonage {
			errs = append(errs, fmt.Errorf("%s.format: must be twilio or vonage, not %.20q", at, a.Format))
		}
	}
	return errors.Join(errs...)
}

// webApps are the accounts that fetch actions sign for.
func (s *Settings) webApps() map[string]action.WebApp {
	if len(s.WebApps) == 0 {
		return nil
	}
	all := make(map[string]action.WebApp, len(s.WebApps))
	for name, a := range s.WebApps {
		all[name] = action.WebApp{AuthToken: a.AuthToken, Recordings: a.Recordings}
	}
	return all
}

// UseWebApps lets the web applications of settings answer the destinations that they name; others go where they went before.
// Call it after UseFlows, with Deps set.
func (c *Config) UseWebApps(apps map[string]WebApp) error {
	if len(apps) == 0 {
		return nil
	}
	if c.Deps.HTTP == nil {
		return errors.New("call: web_apps: Deps.HTTP is needed to ask them")
	}
	registry := c.registry()
	programs := make(map[string]flow.Program, len(apps))
	for name, a := range apps {
		text, err := json.Marshal([]any{map[string]any{"id": "web-app", "type": "fetch", "option": map[string]any{
			"event_url": a.URL, "event_method": cmp.Or(a.Method, "POST"), "format": cmp.Or(a.Format, action.FormatTwilio), "account": name,
			"fallback_url": a.FallbackURL, "timeout": 15000,
		}}})
		if err != nil {
			return fmt.Errorf("call: web_apps: %q: %w", name, err)
		}
		if programs[name], err = flow.Parse(text, flow.ParseOptions{Registry: registry, Name: name}); err != nil {
			return fmt.Errorf("call: web_apps: %q: %w", name, err)
		}
	}
	next, owned := c.Route, c.Owned
	if owned == nil {
		owned = func(address.Address) bool { return false }
	}
	c.Route = func(ctx context.Context, in *Incoming) (flow.Program, error) {
		user := in.Request.User
		if in.Destination.Type == address.TypeTel {
			user = in.Destination.Target
		}
		if p, ok := programs[user]; ok {
			return p, nil
		}
		if next == nil {
			return nil, ErrNoFlow
		}
		return next(ctx, in)
	}
	c.Owned = func(a address.Address) bool {
		_, ok := apps[a.Target]
		return ok || owned(a)
	}
	return nil
}
