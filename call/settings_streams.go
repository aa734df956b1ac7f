package call

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
)

// String is the user: the password is not printed.
func (a StreamAuth) String() string { return a.Username }

// GoString is String, for %#v.
func (a StreamAuth) GoString() string { return fmt.Sprintf("call.StreamAuth{Username:%q}", a.Username) }

// LogValue is String, for logs.
func (a StreamAuth) LogValue() slog.Value { return slog.StringValue(a.Username) }

// checkStreamAuth tells what is wrong with the credentials for programs that get the sound of calls.
func checkStreamAuth(at string, all map[string]StreamAuth) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(all)) {
		switch a := all[name]; {
		case name == "":
			errs = append(errs, fmt.Errorf("%s: credentials without a name", at))
		case a == StreamAuth{}:
			errs = append(errs, fmt.Errorf("%s.%s: neither username nor password", at, name))
		case strings.Contains(a.Username, ":"): // RFC 7617 2
			errs = append(errs, fmt.Errorf("%s.%s.username: a colon", at, name))
		}
	}
	return errors.Join(errs...)
}

// applyStreams puts what programs may be reached, and with which credentials, into c.
func (s *Settings) applyStreams(c *Config) { c.Streams.Allow, c.Streams.Auth = s.URLs, s.StreamAuth }
