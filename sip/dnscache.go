package sip

import (
	"cmp"
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	// dnsKeep is how long an answer is kept when the Resolver does not tell by
	// KeepFor; the one of the standard library does not.
	dnsKeep = 30 * time.Second
	// dnsKeepNothing is for what was not there, or could not be found out (RFC 2308).
	dnsKeepNothing = 5 * time.Second
	// naptrKeepNothing is that for NAPTR records, which few domains have, and
	// which some servers and firewalls do not answer for.
	naptrKeepNothing = time.Minute
	// dnsKeepMost bounds what a name server may ask for.
	dnsKeepMost = time.Hour
	// maxNames bounds the cache.
	maxNames = 2048
)

// nameCache looks names up, each once at a time, and keeps the answers for a while.
type nameCache struct {
	r     Resolver
	life  context.Context
	start func(func()) bool

	mu    sync.Mutex // guards known
	known map[string]*nameEntry
}

// nameEntry is an answer, or the wait for one.
type nameEntry struct {
	ready chan struct{} // closed when the rest is there
	value any
	err   error
	end   time.Time
}

func newNameCache(r Resolver, life context.Context, start func(func()) bool) *nameCache {
	return &nameCache{r: r, life: life, start: start, known: make(map[string]*nameEntry)}
}

// addrs asks A and AAAA.
func (c *nameCache) addrs(ctx context.Context, host string) ([]netip.Addr, error) {
	v, err := c.lookup(ctx, "A "+host, dnsKeepNothing, func(ctx context.Context) (any, error) {
		return c.r.LookupNetIP(ctx, "ip", host)
	})
	as, _ := v.([]netip.Addr)
	if err == nil && len(as) == 0 {
		err = &net.DNSError{Err: "no address", Name: clip(host), IsNotFound: true}
	}
	return as, err
}

// srvs asks for the SRV records of a domain, or with an empty proto for those
// of name itself, and puts them in an order to be tried.
func (c *nameCache) srvs(ctx context.Context, proto, name string) ([]*net.SRV, error) {
	service, full := "", name
	if proto != "" {
		service, full = "sip", "_sip._"+proto+"."+name
	}
	v, err := c.lookup(ctx, "SRV "+full, dnsKeepNothing, func(ctx context.Context) (any, error) {
		_, srvs, err := c.r.LookupSRV(ctx, service, proto, name)
		return srvs, err
	})
	srvs, _ := v.([]*net.SRV)
	return orderSRV(srvs, rand.IntN), err
}

// naptrs asks NAPTR where the Resolver can, best first; none is no error, and a
// server that does not tell in naptrTimeout has none.
func (c *nameCache) naptrs(ctx context.Context, host string) []NAPTR {
	r, ok := c.r.(NAPTRResolver)
	if !ok {
		return nil
	}
	v, _ := c.lookup(ctx, "NAPTR "+host, naptrKeepNothing, func(ctx context.Context) (any, error) {
		ctx, cancel := context.WithTimeout(ctx, naptrTimeout)
		defer cancel()
		return r.LookupNAPTR(ctx, host)
	})
	ns, _ := v.([]NAPTR)
	ns = slices.Clone(ns)
	slices.SortStableFunc(ns, func(a, b NAPTR) int {
		return cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(a.Preference, b.Preference))
	})
	return ns
}

// lookup returns what is known by key, or asks, once for all who want it. An
// error is kept for nothing.
func (c *nameCache) lookup(ctx context.Context, key string, nothing time.Duration, ask func(context.Context) (any, error)) (any, error) {
	c.mu.Lock()
	n := c.known[key]
	if n == nil || n.over(time.Now()) {
		n = &nameEntry{ready: make(chan struct{})}
		c.makeRoom()
		c.known[key] = n
		// Nobody's impatience must spoil the answer for the others.
		if !c.start(func() { c.fetch(n, nothing, ask) }) {
			n.err = errClosed
			close(n.ready)
		}
	}
	c.mu.Unlock()
	select {
	case <-n.ready:
		return n.value, n.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (c *nameCache) fetch(n *nameEntry, nothing time.Duration, ask func(context.Context) (any, error)) {
	ctx, cancel := context.WithTimeout(c.life, resolveTimeout)
	defer cancel()
	keep := dnsKeep
	told := dnsKeepMost
	ctx = context.WithValue(ctx, keepKey{}, func(ttl time.Duration) {
		told = min(told, max(ttl, time.Second))
		keep = told
	})
	if n.value, n.err = ask(ctx); n.err != nil {
		keep = nothing
	}
	n.end = time.Now().Add(keep)
	close(n.ready)
}

// keepKey is the key of a func(time.Duration) in the context of a look-up.
type keepKey struct{}

// KeepFor is for a Resolver to say, before a look-up returns, with its ctx and in
// its goroutine, for how long the answer may be kept: at least a second and an
// hour at most. When it is called again the shorter time counts.
func KeepFor(ctx context.Context, ttl time.Duration) {
	if keep, ok := ctx.Value(keepKey{}).(func(time.Duration)); ok {
		keep(ttl)
	}
}

func (n *nameEntry) over(now time.Time) bool {
	select {
	case <-n.ready:
		return !now.Before(n.end)
	default:
		return false
	}
}

// makeRoom drops what is over, or when that is nothing, any. c.mu is held.
func (c *nameCache) makeRoom() {
	if len(c.known) < maxNames {
		return
	}
	now := time.Now()
	for key, n := range c.known {
		if n.over(now) {
			delete(c.known, key)
		}
	}
	for key := range c.known {
		if len(c.known) < maxNames {
			return
		}
		delete(c.known, key)
	}
}

// orderSRV sorts by priority, and within one by chance, in proportion to the
// weights (RFC 2782). random is rand.IntN.
func orderSRV(srvs []*net.SRV, random func(int) int) []*net.SRV {
	srvs = slices.Clone(srvs)
	// Those of weight 0 stand first, so that they have a small chance.
	slices.SortStableFunc(srvs, func(a, b *net.SRV) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(min(a.Weight, 1), min(b.Weight, 1)))
	})
	for i := range srvs {
		same, sum := i, 0
		for same < len(srvs) && srvs[same].Priority == srvs[i].Priority {
			sum += int(srvs[same].Weight)
			same++
		}
		pick, run := i, int(srvs[i].Weight)
		for n := random(sum + 1); run < n; run += int(srvs[pick].Weight) {
			pick++
		}
		chosen := srvs[pick]
		copy(srvs[i+1:pick+1], srvs[i:pick])
		srvs[i] = chosen
	}
	return srvs
}
