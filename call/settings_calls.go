package call

import (
	"errors"
	"fmt"
	"time"

	"github.com/callbin/callbin/sip"
)

// CallSettings are the limits and the supervision of calls; 0 is the default of the Config's field.
type CallSettings struct {
	Max          int `json:"max"`           // calls at once; 0: no limit
	MaxSeconds   int `json:"max_seconds"`   // of any call
	RingSeconds  int `json:"ring_seconds"`  // that a call of ours may ring
	DrainSeconds int `json:"drain_seconds"` // that calls may go on when the server stops

	SessionTimer SessionTimerSettings `json:"session_timer"`
	MediaTimeout MediaTimeoutSettings `json:"media_timeout"`

	// ShowIdentities lets phones that watch an extension see with whom it speaks, not only that it does.
	ShowIdentities bool `json:"show_identities"`
}

// SessionTimerSettings are a sip.SessionTimer.
type SessionTimerSettings struct {
	Off             bool `json:"off"`
	IntervalSeconds int  `json:"interval_seconds"`
	MinSeconds      int  `json:"min_seconds"`
}

// MediaTimeoutSettings are a MediaTimeout.
type MediaTimeoutSettings struct {
	Seconds int         `json:"seconds"`
	Action  MediaAction `json:"action"`
}

func (s *CallSettings) check(at string) error {
	var errs []error
	for _, x := range []struct {
		key string
		n   int
	}{
		{"max", s.Max}, {"max_seconds", s.MaxSeconds}, {"ring_seconds", s.RingSeconds}, {"drain_seconds", s.DrainSeconds},
		{"session_timer.interval_seconds", s.SessionTimer.IntervalSeconds}, {"session_timer.min_seconds", s.SessionTimer.MinSeconds},
		{"media_timeout.seconds", s.MediaTimeout.Seconds},
	} {
		if x.n < 0 {
			errs = append(errs, fmt.Errorf("%s.%s: %d is negative", at, x.key, x.n))
		}
	}
	switch s.MediaTimeout.Action {
	case "", MediaWarn, MediaHangup, MediaOff:
	default:
		errs = append(errs, fmt.Errorf("%s.media_timeout.action: %q is not warn, hangup or off", at, s.MediaTimeout.Action))
	}
	return errors.Join(errs...)
}

// apply puts the settings into c.
func (s *CallSettings) apply(c *Config) {
	c.MaxCalls, c.MaxCallDuration = s.Max, seconds(s.MaxSeconds)
	c.RingTimeout, c.DrainTimeout = seconds(s.RingSeconds), seconds(s.DrainSeconds)
	c.SessionTimer = sip.SessionTimer{Off: s.SessionTimer.Off, Interval: seconds(s.SessionTimer.IntervalSeconds), Min: seconds(s.SessionTimer.MinSeconds)}
	c.MediaTimeout = MediaTimeout{After: seconds(s.MediaTimeout.Seconds), Action: s.MediaTimeout.Action}
	c.Watching.Identities = s.ShowIdentities
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
