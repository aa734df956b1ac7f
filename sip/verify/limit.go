package verify

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// What a Limit counts.
const (
	LimitPerSecond    = "per_second"    // calls a second: a bucket of Burst that Max a second fill
	LimitCalls        = "calls"         // calls in any Window
	LimitConcurrent   = "concurrent"    // calls at the same time
	LimitDestinations = "destinations"  // different destinations in any Window
	LimitMinutes      = "minutes"       // minutes of talk, from 24 hours on if Window is 0
	LimitSpend        = "spend"         // millionths of the currency, likewise
	LimitShortCalls   = "short_calls"   // a pattern: of the last Last answered calls, more than Max in a hundred are shorter than Under
	LimitOneRing      = "one_ring"      // a pattern: more than Max callers in any Window ring, or talk, for less than Under and hang up
	LimitFirstCountry = "first_country" // a country that was not called within 90 days has to wait for Window, from the first attempt on
)

// By what a Limit counts: each value has a count of its own.
const (
	PerSource      = "source"
	PerNetwork     = "network" // of the peer: /24, or /64 of IPv6
	PerTrunk       = "trunk"
	PerPrefix      = "prefix"  // that of Limit.Prefixes that the destination begins with
	PerCountry     = "country" // of the destination
	PerAccount     = "account"
	PerDestination = "destination"
)

// What happens to a call that is over a Limit.
const (
	ActionReject    = "reject"
	ActionChallenge = "challenge" // for a password, with 401; an outgoing call is rejected
	ActionFlag      = "flag"      // it goes on; the check has no status
	ActionFreeze    = "freeze"    // it is rejected, and all others with the same key for Freeze
)

// Limit is a rule: how many calls of a kind there may be. Calls that are refused do not count.
type Limit struct {
	Name      string   `json:"name"`      // stands in the evidence; "": its kind
	Kind      string   `json:"kind"`      // LimitCalls, ...
	Direction string   `json:"direction"` // "incoming" or "outgoing"; "": both, counted together
	Per       []string `json:"per"`       // PerSource, ...; none: all calls together. Calls that lack one of these do not count
	Prefixes  []string `json:"prefixes"`  // only calls to numbers that begin so; none: all
	From      []string `json:"from"`      // only calls from numbers that begin so, such as ranges of high risk; none: all
	Max       int64    `json:"max"`
	Burst     int64    `json:"burst"`          // of LimitPerSecond; 0: Max
	Window    int64    `json:"window_seconds"` // of LimitCalls and others
	Last      int      `json:"last"`           // of LimitShortCalls; 0: 20
	Under     int64    `json:"under_seconds"`  // of the patterns; 0: 6

	Action string `json:"action"`         // "": ActionReject, of a pattern ActionFlag
	Status int    `json:"status"`         // SIP status of the refusal; 0: 503 where it helps to wait, else 403
	Code   string `json:"code"`           // "": "velocity_" and the kind
	Freeze int64  `json:"freeze_seconds"` // of ActionFreeze
	Night  *Night `json:"night"`
}

// Night makes a Limit another one for some hours of the day.
type Night struct {
	From    string `json:"from"`    // "22:00"
	To      string `json:"to"`      // "06:00", the next morning where it is before From
	Zone    string `json:"zone"`    // such as "Europe/Berlin"; "": UTC
	Percent int64  `json:"percent"` // of Max and Burst that hold then, rounded down
}

// maxCounted bounds what is counted one by one: Max of LimitDestinations and LimitOneRing, and Last.
const maxCounted = 1024

// limit is a Limit that was checked.
type limit struct {
	Limit
	window, under, freeze int64 // nanoseconds
	quantum               int64 // to which times are rounded up, so that a log stays short; 0: they are exact
	scale                 int64 // of Max, in the unit that is counted
	zone                  *time.Location
	dusk, dawn            int // minutes of the day
}

const day = int64(24 * time.Hour)

// maxSeconds keeps windows far from overflow: a year and a day.
const maxSeconds = 367 * 24 * 60 * 60

// CheckLimits tells all that is wrong with limits, each by its place below what.
func CheckLimits(what string, limits []Limit) error {
	var errs []error
	for i, l := range limits {
		if _, err := l.compile(); err != nil {
			errs = append(errs, fmt.Errorf("%s[%d].%w", what, i, err))
		}
	}
	return errors.Join(errs...)
}

// compile checks l and fills its defaults in. An error begins with the key that is wrong.
func (l Limit) compile() (limit, error) {
	pattern := l.Kind == LimitShortCalls || l.Kind == LimitOneRing
	c := limit{Limit: l, scale: 1}
	switch l.Kind {
	case LimitPerSecond, LimitConcurrent:
	case LimitCalls, LimitDestinations, LimitOneRing, LimitFirstCountry:
		if l.Window == 0 {
			return c, errors.New("window_seconds: it is missing")
		}
	case LimitMinutes, LimitSpend, LimitShortCalls:
		c.Window = cmp.Or(l.Window, day/int64(time.Second))
	default:
		return c, fmt.Errorf("kind: %.40q is unknown", l.Kind)
	}
	for key, n := range map[string]int64{"max": l.Max, "burst": l.Burst, "window_seconds": l.Window, "under_seconds": l.Under, "freeze_seconds": l.Freeze, "last": int64(l.Last)} {
		if n < 0 {
			return c, fmt.Errorf("%s: %d is negative", key, n)
		}
	}
	if l.Window > maxSeconds || l.Under > maxSeconds || l.Freeze > maxSeconds {
		return c, fmt.Errorf("window_seconds: this, under_seconds and freeze_seconds are %d at most", maxSeconds)
	}
	for i, p := range l.Per {
		switch p {
		case PerSource, PerNetwork, PerTrunk, PerPrefix, PerCountry, PerAccount, PerDestination:
		default:
			return c, fmt.Errorf("per[%d]: %.40q is unknown", i, p)
		}
	}
	if slices.Contains(l.Per, PerPrefix) && len(l.Prefixes) == 0 {
		return c, errors.New("prefixes: it is missing, and per names it")
	}
	for key, all := range map[string][]string{"prefixes": l.Prefixes, "from": l.From} {
		for i, p := range all {
			if p == "" || p[0] != '+' || strings.Trim(p[1:], "0123456789") != "" {
				return c, fmt.Errorf("%s[%d]: %.40q is not + and digits", key, i, p)
			}
		}
	}
	switch l.Direction {
	case "", DirectionIncoming, DirectionOutgoing:
	default:
		return c, fmt.Errorf("direction: %.40q is not incoming or outgoing", l.Direction)
	}
	switch c.Action = cmp.Or(l.Action, map[bool]string{true: ActionFlag}[pattern], ActionReject); c.Action {
	case ActionReject, ActionFlag:
	case ActionChallenge:
		c.Status = 401
	case ActionFreeze:
		if l.Freeze == 0 {
			return c, errors.New("freeze_seconds: it is missing")
		}
	default:
		return c, fmt.Errorf("action: %.40q is unknown", l.Action)
	}
	c.Code = cmp.Or(l.Code, "velocity_"+l.Kind)
	c.Name = cmp.Or(l.Name, l.Kind)
	c.Burst, c.Last, c.Under = cmp.Or(l.Burst, l.Max), cmp.Or(l.Last, 20), cmp.Or(l.Under, 6)
	status := 403
	switch l.Kind {
	case LimitPerSecond, LimitCalls, LimitConcurrent:
		status = 503
	}
	if c.Status = cmp.Or(c.Status, status); c.Status < 400 || c.Status > 699 {
		return c, fmt.Errorf("status: %d does not refuse a call", l.Status)
	}
	if c.Last > maxCounted || (l.Kind == LimitDestinations || l.Kind == LimitOneRing) && l.Max >= maxCounted {
		return c, fmt.Errorf("max: this, and last, are below %d", maxCounted)
	}
	if l.Kind == LimitShortCalls && l.Max > 100 {
		return c, errors.New("max: it is in a hundred")
	}
	if l.Kind == LimitMinutes {
		c.scale = int64(time.Minute / time.Millisecond)
	}
	if c.Max > (1<<62)/(100*c.scale) || l.Kind == LimitPerSecond && max(c.Max, c.Burst) > 1e6 {
		return c, fmt.Errorf("max: %d is too much", max(l.Max, l.Burst))
	}
	second := int64(time.Second)
	c.window, c.under, c.freeze = c.Window*second, c.Under*second, c.Freeze*second
	if l.Kind == LimitMinutes || l.Kind == LimitSpend || l.Kind == LimitCalls && l.Max > maxCounted {
		c.quantum = c.window / maxCounted
	}
	return c, c.readNight()
}

func (c *limit) readNight() error {
	n := c.Night
	if n == nil {
		return nil
	}
	for _, x := range []struct {
		key, text string
		to        *int
	}{{"from", n.From, &c.dusk}, {"to", n.To, &c.dawn}} {
		t, err := time.Parse("15:04", x.text)
		if err != nil {
			return fmt.Errorf("night.%s: %.40q is not a time such as 22:00", x.key, x.text)
		}
		*x.to = t.Hour()*60 + t.Minute()
	}
	if n.Percent < 0 || n.Percent > 100 {
		return fmt.Errorf("night.percent: %d is not within 0 and 100", n.Percent)
	}
	zone, err := time.LoadLocation(n.Zone)
	if err != nil {
		return fmt.Errorf("night.zone: %w", err)
	}
	c.zone = zone
	return nil
}

// at scales n, which is Max or Burst, for the time of the day.
func (c *limit) at(n int64, now time.Time) int64 {
	n *= c.scale
	if c.Night == nil {
		return n
	}
	now = now.In(c.zone)
	m := now.Hour()*60 + now.Minute()
	night := m >= c.dusk && m < c.dawn
	if c.dawn <= c.dusk {
		night = m >= c.dusk || m < c.dawn
	}
	if !night {
		return n
	}
	return n * c.Night.Percent / 100
}

// longest is the longest of prefixes that s begins with.
func longest(prefixes []string, s string) (p string, ok bool) {
	for _, x := range prefixes {
		if len(x) > len(p) && strings.HasPrefix(s, x) {
			p, ok = x, true
		}
	}
	return p, ok
}
