package verify

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/maphash"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/callbin/callbin/call/address"
)

// Directions of a Limit and an Attempt.
const (
	DirectionIncoming = "incoming"
	DirectionOutgoing = "outgoing"
)

// Sizes of a Velocity.
const (
	// DefaultMaxKeys is how many keys are counted each by itself.
	DefaultMaxKeys = 100_000
	// maxEntries bounds the times and names that all counters keep together: some 32 MB.
	maxEntries = 1 << 20
	// sharedKeys is how many counters a limit has for the keys that have no room, together.
	sharedKeys = 64
	maxLures   = 100_000
)

// VelocityConfig of a Velocity. The zero value has no limits.
type VelocityConfig struct {
	Limits []Limit
	// MaxKeys is how many keys (callers, networks, accounts, ...) are counted each by itself. When there are more, those that are idle are
	// forgotten; when all are in use, new ones share a few counters: they get less than their limits, never more. 0: DefaultMaxKeys.
	MaxKeys int
	// NoCallBack is how long a number of a LimitOneRing must not be called back. 0: 30 days.
	NoCallBack time.Duration
}

// Velocity holds calls to Limits. It is a Checker of incoming calls; Begin is for others. The end of each call that it let pass has to
// be told to its Ticket. It is exact: however many calls ask at the same time, no more pass than the limits say. Time is that of the monotonic clock,
// but for Night. Safe for any goroutine; it has none of its own.
type Velocity struct {
	limits     []limit
	maxKeys    int
	noCallBack int64
	start      time.Time
	seed       maphash.Seed
	countries  bool // a limit needs the country

	mu       sync.Mutex
	counters map[key]*counter // guarded by mu
	all      []*counter       // guarded by mu; the same, for looking at one after the other
	hand     int              // guarded by mu; of all, the next one to be looked at
	entries  int              // guarded by mu; see maxEntries
	lures    map[string]int64 // guarded by mu; numbers not to be called back, and until when
	oldest   []string         // guarded by mu; of lures, the first come first
}

// NewVelocity checks cfg.
func NewVelocity(cfg VelocityConfig) (*Velocity, error) {
	if err := CheckLimits("limits", cfg.Limits); err != nil {
		return nil, fmt.Errorf("verify: velocity: %w", err)
	}
	if cfg.MaxKeys < 0 || cfg.NoCallBack < 0 {
		return nil, fmt.Errorf("verify: velocity: MaxKeys and NoCallBack cannot be negative")
	}
	v := &Velocity{
		maxKeys: cmp.Or(cfg.MaxKeys, DefaultMaxKeys), noCallBack: int64(cmp.Or(cfg.NoCallBack, 30*24*time.Hour)),
		start: time.Now(), seed: maphash.MakeSeed(), counters: map[key]*counter{}, lures: map[string]int64{},
	}
	for _, l := range cfg.Limits {
		c, err := l.compile()
		if err != nil {
			return nil, err
		}
		v.limits = append(v.limits, c)
		v.countries = v.countries || c.Kind == LimitFirstCountry
		for _, p := range c.Per {
			v.countries = v.countries || p == PerCountry
		}
	}
	return v, nil
}

// Attempt is a call that wants to begin.
type Attempt struct {
	Direction   string
	Source      string // number, or address, of the caller
	Destination string // likewise
	Network     netip.Addr
	Trunk       string
	Account     string
	Time        time.Duration // of talk that is to be set aside; 0: a minute
	Spend       int64         // likewise, in millionths
}

// asked is an Attempt with what has to be looked up.
type asked struct {
	Attempt
	destination, country string
}

func (a *asked) need(l *limit) int64 {
	if l.Kind == LimitSpend {
		return a.Spend
	}
	return cmp.Or(a.Time, time.Minute).Milliseconds()
}

// Begin counts a call that wants to begin, and fills p, if it may. What is wrong stands in checks, each with a status if it refuses the call: the first such
// is the reason. A p that Begin was called with before keeps what it was told.
func (v *Velocity) Begin(p *Ticket, at Attempt) (checks []Check, ok bool) {
	a := asked{Attempt: at, destination: short(at.Destination), country: "?"}
	a.Source = short(cmp.Or(a.Source, "anonymous"))
	if v.countries {
		if n, err := address.ParseNumber(at.Destination, ""); err == nil {
			a.country = cmp.Or(n.Region(), "?")
		}
	}
	names := make([]string, len(v.limits))
	for i := range v.limits {
		names[i] = v.limits[i].name(&a)
	}
	wall := time.Now()
	v.mu.Lock()
	defer v.mu.Unlock()
	if p.begun {
		return p.checks, p.ok
	}
	now := v.now()
	if !v.mayCallBack(at.Destination, now) && at.Direction == DirectionOutgoing {
		checks = append(checks, Check{Name: "velocity", Result: CheckFail, Code: CodeNoCallBack, Status: 403,
			Evidence: at.Destination + " has rung to be called back"})
	}
	refused := len(checks) > 0
	for i, name := range names {
		l := &v.limits[i]
		if name == "" {
			continue
		}
		c := v.find(key{i, name}, now)
		if c == nil {
			c = &counter{}
			if l.Kind == LimitFirstCountry && !v.room(now) {
				refused = true // a country of a shared counter would be known to all that share it
				checks = append(checks, l.check(name, "there is no room for one more"))
				continue
			}
		}
		if !v.over(c, l, &a, now, wall) {
			continue
		}
		checks = append(checks, l.check(name, ""))
		if l.Action == ActionFlag {
			continue
		}
		refused = true
		if l.Kind == LimitFirstCountry { // the pause begins
			if c = v.make(key{i, name}, now); c.sight(a.country) == nil {
				v.see(c, a.country, now, maxCounted)
			}
		}
		if l.Action == ActionFreeze {
			if c = v.make(key{i, name}, now); c.frozen <= now {
				c.frozen = now + l.freeze
			}
		}
	}
	p.begun, p.ok, p.checks = true, !refused, checks
	if refused {
		return checks, false
	}
	p.v, p.from, p.source = v, now, a.Source
	p.time, p.spend = cmp.Or(at.Time, time.Minute).Milliseconds(), at.Spend
	for i, name := range names {
		if name == "" {
			continue
		}
		c := v.make(key{i, name}, now)
		v.take(c, &v.limits[i], &a, now, wall)
		c.passes++
		p.holds = append(p.holds, c)
	}
	return checks, true
}

// short keeps what is compared short, whatever a peer sends.
func short(s string) string {
	if len(s) <= 64 {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// name is the key by which l counts a, "" where it does not.
func (l *limit) name(a *asked) string {
	if l.Direction != "" && l.Direction != a.Direction {
		return ""
	}
	if _, ok := longest(l.From, a.Source); len(l.From) > 0 && !ok {
		return ""
	}
	prefix, ok := longest(l.Prefixes, a.destination)
	if len(l.Prefixes) > 0 && !ok {
		return ""
	}
	if len(l.Per) == 0 {
		return "all"
	}
	var parts [8]string
	names := parts[:0]
	for _, p := range l.Per {
		s := ""
		switch p {
		case PerSource:
			s = a.Source
		case PerNetwork:
			s = network(a.Network)
		case PerTrunk:
			s = a.Trunk
		case PerPrefix:
			s = prefix
		case PerCountry:
			s = a.country
		case PerAccount:
			s = a.Account
		case PerDestination:
			s = a.destination
		}
		if s == "" {
			return ""
		}
		names = append(names, s)
	}
	if len(names) == 1 {
		return names[0]
	}
	return strings.Join(names, " ")
}

func network(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	bits := 24
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return ""
	}
	return p.String()
}

func (l *limit) check(name, why string) Check {
	c := Check{Name: "velocity", Result: CheckFail, Code: l.Code, Status: l.Status}
	if l.Action == ActionFlag {
		c.Status = 0
	}
	c.Evidence = fmt.Sprintf("limit %q for %.200s: %s", l.Name, name, cmp.Or(why, fmt.Sprintf("%d, kind %s", l.Max, l.Kind)))
	return c
}

// find is the counter of k: its own, or a shared one that may have counted it; nil: there is none. mu is held.
func (v *Velocity) find(k key, now int64) *counter {
	if c := v.counters[k]; c != nil {
		return c
	}
	if c := v.counters[v.shared(k)]; c != nil && !v.void(c, now) {
		return c
	}
	return nil
}

func (v *Velocity) shared(k key) key {
	return key{k.limit, string(append([]byte{0}, byte(maphash.String(v.seed, k.name)%sharedKeys)))}
}

// make is find, but makes one. mu is held.
func (v *Velocity) make(k key, now int64) *counter {
	if c := v.find(k, now); c != nil {
		return c
	}
	if !v.room(now) {
		if k = v.shared(k); v.counters[k] != nil {
			return v.counters[k]
		}
	}
	c := &counter{key: k}
	v.counters[k] = c
	v.all = append(v.all, c)
	return c
}

// room looks at some counters, forgets those that are idle, and tells whether there is room for one more. mu is held.
func (v *Velocity) room(now int64) bool {
	if len(v.all) < v.maxKeys {
		return true
	}
	for range min(16, len(v.all)) {
		if v.hand >= len(v.all) {
			v.hand = 0
		}
		if c := v.all[v.hand]; v.void(c, now) {
			delete(v.counters, c.key)
			last := len(v.all) - 1
			v.all[v.hand], v.all[last] = v.all[last], nil
			v.all = v.all[:last]
		} else {
			v.hand++
		}
	}
	return len(v.all) < v.maxKeys
}

func (v *Velocity) now() int64 { return int64(time.Since(v.start)) }

// Check counts an incoming call. Its Ticket is that of ctx (WithTicket); without one, the call is over at once, as far as
// limits are concerned that need its end.
func (v *Velocity) Check(ctx context.Context, c *Caller, verdict *Verdict) {
	p := TicketOf(ctx)
	if p == nil {
		p = new(Ticket)
		defer p.End(Ended{})
	}
	checks, ok := v.Begin(p, Attempt{
		Direction: DirectionIncoming, Source: c.Source.Target, Destination: c.Destination.Target, Network: c.Peer.Addr(), Trunk: c.Trunk, Account: p.Account,
	})
	if verdict.Checks = append(verdict.Checks, checks...); ok && len(checks) == 0 {
		verdict.Checks = append(verdict.Checks, Check{Name: "velocity", Result: CheckPass})
	}
}
