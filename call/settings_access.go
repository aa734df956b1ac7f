package call

import (
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
)

// AccessToken is who may use the HTTP interface, and for what. Its secret never comes out of it by a log or a %v.
type AccessToken struct {
	// Name is what logs call it.
	Name string `json:"name"`
	// Token is the secret, of 16 characters or more, or SHA256 its hash in hex, for who does not want the secret in the file.
	Token  string `json:"token"`
	SHA256 string `json:"sha256"`
	// Scopes are what it may do: "calls:read", "calls:write", "calls:*", "*:read", "*"; none: nothing.
	Scopes []string `json:"scopes"`
	// PerSecond is how many requests a second it may make in the long run, Burst how many at once; 0: no limit, and 0: PerSecond, at least 1.
	PerSecond float64 `json:"per_second"`
	Burst     int     `json:"burst"`
}

// String leaves the secret out.
func (t AccessToken) String() string {
	return fmt.Sprintf("access token %q (%s)", t.Name, strings.Join(t.Scopes, " "))
}

// GoString leaves the secret out.
func (t AccessToken) GoString() string { return fmt.Sprintf("call.AccessToken{Name:%q}", t.Name) }

// LogValue leaves the secret out.
func (t AccessToken) LogValue() slog.Value { return slog.StringValue(t.Name) }

// checkAccessTokens tells what is wrong with tokens.
func checkAccessTokens(what string, tokens []AccessToken) error {
	var errs []error
	for i, t := range tokens {
		bad := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("%s[%d]: "+format, append([]any{what, i}, args...)...))
		}
		sum, err := hex.DecodeString(t.SHA256)
		switch {
		case t.Token == "" && t.SHA256 == "":
			bad("needs token or sha256")
		case t.Token != "" && t.SHA256 != "":
			bad("has both token and sha256")
		case t.Token != "" && len(t.Token) < minToken:
			bad("token: shorter than %d characters", minToken)
		case t.SHA256 != "" && (err != nil || len(sum) != 32):
			bad("sha256 is not 64 hex digits")
		}
		if t.Name == "" {
			bad("name is missing")
		} else if slices.ContainsFunc(tokens[:i], func(o AccessToken) bool { return o.Name == t.Name }) {
			bad("name %q stands there twice", t.Name)
		}
		if len(t.Scopes) == 0 {
			bad("scopes: there are none, so that it may do nothing")
		}
		for _, s := range t.Scopes {
			resource, verb, ok := strings.Cut(s, ":")
			if s != "*" && (!ok || resource == "" || verb != "read" && verb != "write" && verb != "*") {
				bad(`scopes: %q is not "*", RESOURCE:read, RESOURCE:write or RESOURCE:*`, s)
			}
		}
		if t.PerSecond < 0 || t.Burst < 0 {
			bad("per_second and burst cannot be negative")
		}
		if t.PerSecond == 0 && t.Burst > 0 {
			bad("burst needs per_second")
		}
	}
	return errors.Join(errs...)
}
