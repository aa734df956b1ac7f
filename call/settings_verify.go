package call

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/sip/verify"
)

// VerifySettings say who may call, and what becomes of those who are not who they say: the fields of a verify.Config, and how passwords are guarded.
type VerifySettings struct {
	verify.Config
	Lockout LockoutSettings `json:"lockout"`
}

// LockoutSettings are a sip.Lockout; 0 is its default.
type LockoutSettings struct {
	Off            bool `json:"off"`
	Wrong          int  `json:"wrong"`           // answers of an address for one name
	Users          int  `json:"users"`           // names of an address
	FirstSeconds   int  `json:"first_seconds"`   // of a first ban
	LongestSeconds int  `json:"longest_seconds"` // of any
}

func (s *VerifySettings) check(at string, all *Settings) error {
	c := Config{Trunks: all.Trunks, Extensions: ListExtensions(all.Extensions...), Verification: s.Config}
	errs := []error{c.checkVerification(at)}
	for _, code := range slices.Sorted(maps.Keys(s.Policy)) {
		if known := verify.Codes(); !slices.Contains(known, code) { // a program may have Checkers of its own, a file cannot
			errs = append(errs, fmt.Errorf("%spolicy: no check fails with %q; codes are %s", at, code, strings.Join(known, ", ")))
		}
	}
	for _, x := range []struct {
		key string
		n   int
	}{{"wrong", s.Lockout.Wrong}, {"users", s.Lockout.Users}, {"first_seconds", s.Lockout.FirstSeconds}, {"longest_seconds", s.Lockout.LongestSeconds}} {
		if x.n < 0 {
			errs = append(errs, fmt.Errorf("%slockout.%s: %d is negative", at, x.key, x.n))
		}
	}
	if l := s.Lockout; l.LongestSeconds > 0 && l.LongestSeconds < l.FirstSeconds {
		errs = append(errs, fmt.Errorf("%slockout.longest_seconds: %d is shorter than first_seconds", at, l.LongestSeconds))
	}
	return errors.Join(errs...)
}

// apply puts the settings into c.
func (s *VerifySettings) apply(c *Config) {
	c.Verification = s.Config
	c.Auth.Lockout = sip.Lockout{
		Off: s.Lockout.Off, Wrong: s.Lockout.Wrong, Users: s.Lockout.Users, First: seconds(s.Lockout.FirstSeconds), Longest: seconds(s.Lockout.LongestSeconds),
	}
}
