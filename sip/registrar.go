package sip

import (
	"cmp"
	pq "container/heap"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

// RegistrarConfig of a Registrar. Only Auth is needed.
type RegistrarConfig struct {
	// Auth asks for the password: who knows that of a user may register it.
	Auth *Authenticator

	// MaxContacts is how many phones a user may have registered at a time, and Limit, when it is set, how many
	// this one may have (0: MaxContacts). One more displaces the one that has not been heard of for the longest: a phone that
	// has lost its memory must be able to come back. 0: 10.
	MaxContacts int
	Limit       func(user string) int
	// MaxUsers bounds the users with phones; one more gets 503. 0: 100,000.
	MaxUsers int

	// MinExpires is the shortest time to be registered for; who asks for less gets 423 with it (RFC 3261
	// 10.2.8). MaxExpires is the longest; who asks for more gets that. DefaultExpires is for who does not say. 0:
	// 1 minute, 1 hour, 1 hour.
	MinExpires, MaxExpires, DefaultExpires time.Duration

	// MaxRequests is how many REGISTERs an address may send at once; after that it has one every
	// 10 milliseconds, and more are dropped and counted (Stats.Throttled). 0: 2,000.
	MaxRequests int

	// KeepAlive is how often a phone behind a NAT gets an OPTIONS over UDP, so that the NAT keeps its
	// door open. Its answer is not needed. 0: 25 seconds; negative: never.
	KeepAlive time.Duration

	// OnChange is told who comes, moves and goes, one after the other. It must not block.
	OnChange func(RegistrarEvent)

	Logger *slog.Logger // nil: slog.Default()
}

// Kinds of RegistrarEvents.
const (
	Registered   = "registered"   // a phone is there that was not before
	Moved        = "moved"        // it comes by another way, as when a NAT has given it another port
	Unregistered = "unregistered" // it is there no more
)

// Reasons of Unregistered.
const (
	ByPhone   = "removed"   // it has said so
	ByTime    = "expired"   // it has not been heard of in time
	ByRestart = "replaced"  // the same phone (+sip.instance) has registered anew
	ByLimit   = "displaced" // the user has registered more phones than it may have
	ByClosing = "closed"    // its TCP connection, the only way to it, has closed
	ByHost    = "dropped"   // Registrar.Drop
)

// RegistrarEvent tells that a phone has come, moved or gone.
type RegistrarEvent struct {
	Kind    string
	Reason  string // of Unregistered
	Contact Contact
}

// Contact is a phone that is registered: a plain value that survives JSON.
type Contact struct {
	User      string    `json:"user"`
	URI       string    `json:"uri"`              // as the phone has written it, which may be of no use but as a Request-URI
	Params    string    `json:"params,omitempty"` // of the Contact value but expires, as in ;q=0.5;+sip.instance="<urn:uuid:...>"
	Q         float64   `json:"q"`                // how welcome calls are, 0 to 1; 1 when the phone does not say
	Instance  string    `json:"instance,omitempty"`
	Flow      Flow      `json:"flow"` // by which it is called
	NAT       bool      `json:"nat"`  // URI does not say where the phone is: there is no way to it but Flow
	CallID    string    `json:"call_id"`
	CSeq      uint32    `json:"cseq"`
	UserAgent string    `json:"user_agent,omitempty"`
	Since     time.Time `json:"since"`
	Refreshed time.Time `json:"refreshed"`
	Expires   time.Time `json:"expires"`
}

// Registrar knows where the phones of users are (RFC 3261 10). Give it to one Endpoint as Config.Registrar; all its methods
// may be called from any goroutine. Phones are called by the way that their REGISTER came (RFC 3581, 5626),
// whatever their Contact says: a phone behind a NAT does not know its address, and one that lies about it reaches
// nobody else.
//
// It lives in memory: Snapshot and Restore carry it over a restart.
type Registrar struct {
	cfg RegistrarConfig
	desk

	mu    sync.Mutex // guards the rest but events
	users map[string][]*binding
	flows map[flowKey][]*binding
	count int     // of bindings, ever
	due   dueHeap // by the time of expiry
	timer *time.Timer
	armed time.Time // when timer fires; zero: it does not
	done  bool
	wg    sync.WaitGroup // the timer at work

	evMu     sync.Mutex // guards the rest; taken while mu is held
	events   []RegistrarEvent
	draining bool
}

// binding is a Contact in the tables.
type binding struct {
	Contact
	u      uri // of URI
	index  int // in due
	number int // spreads what is sent to all of them over time
}

// flowKey finds the phones of one address.
type flowKey struct {
	network string
	remote  netip.AddrPort
}

func (f Flow) key() flowKey { return flowKey{f.Network, f.Remote} }

// NewRegistrar checks cfg and tells all of its faults at once.
func NewRegistrar(cfg RegistrarConfig) (*Registrar, error) {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf("sip: registrar: "+format, a...)) }
	if cfg.Auth == nil {
		bad("Auth is nil: nobody could be known")
	}
	if cfg.MaxContacts < 0 || cfg.MaxUsers < 0 || cfg.MaxRequests < 0 {
		bad("MaxContacts, MaxUsers and MaxRequests cannot be negative")
	}
	cfg.MaxContacts, cfg.MaxUsers, cfg.MaxRequests = cmp.Or(cfg.MaxContacts, 10), cmp.Or(cfg.MaxUsers, 100_000), cmp.Or(cfg.MaxRequests, 2_000)
	if cfg.MinExpires < 0 || cfg.MaxExpires < 0 || cfg.DefaultExpires < 0 {
		bad("MinExpires, MaxExpires and DefaultExpires cannot be negative")
	}
	cfg.MaxExpires = cmp.Or(cfg.MaxExpires, max(time.Hour, cfg.MinExpires))
	cfg.MinExpires = cmp.Or(cfg.MinExpires, min(time.Minute, cfg.MaxExpires))
	cfg.DefaultExpires = cmp.Or(cfg.DefaultExpires, cfg.MaxExpires)
	if cfg.MinExpires < time.Second || cfg.MinExpires > cfg.MaxExpires || cfg.MinExpires > time.Hour ||
		cfg.DefaultExpires < cfg.MinExpires || cfg.DefaultExpires > cfg.MaxExpires {
		bad("MinExpires, DefaultExpires and MaxExpires are %v, %v and %v: not one second at least, in this order, with a MinExpires of one hour at most",
			cfg.MinExpires, cfg.DefaultExpires, cfg.MaxExpires)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	cfg.KeepAlive = cmp.Or(cfg.KeepAlive, 25*time.Second)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &Registrar{
		cfg: cfg, desk: newDesk(cfg.Auth, cfg.MaxRequests),
		users: make(map[string][]*binding), flows: make(map[flowKey][]*binding),
	}, nil
}

// Contacts are the phones of user, the most welcome first (by q), of equal ones that which was heard of last.
func (r *Registrar) Contacts(user string) []Contact {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.contacts(user)
}

func (r *Registrar) contacts(user string) []Contact {
	bs := r.users[user]
	cs := make([]Contact, 0, len(bs))
	now := time.Now()
	for _, b := range bs {
		if b.Expires.After(now) {
			cs = append(cs, b.Contact)
		}
	}
	slices.SortStableFunc(cs, func(a, b Contact) int {
		return cmp.Or(cmp.Compare(b.Q, a.Q), b.Refreshed.Compare(a.Refreshed))
	})
	return cs
}

// Snapshot is all phones of all users, for Restore.
func (r *Registrar) Snapshot() []Contact {
	r.mu.Lock()
	defer r.mu.Unlock()
	cs := make([]Contact, 0, len(r.due))
	now := time.Now()
	for _, b := range r.due {
		if b.Expires.After(now) {
			cs = append(cs, b.Contact)
		}
	}
	slices.SortFunc(cs, func(a, b Contact) int { return cmp.Or(cmp.Compare(a.User, b.User), cmp.Compare(a.URI, b.URI)) })
	return cs
}

// Restore adds the phones of a Snapshot, and leaves out those whose time is over and those that are there already.
// A phone on TCP behind a NAT has lost its connection, so it is left out, too. It returns how many were taken; its
// error tells what is wrong with the others. OnChange is not told.
func (r *Registrar) Restore(cs []Contact) (n int, err error) {
	var errs []error
	defer r.drain()
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	for i, c := range cs {
		u, err := parseURI(c.URI)
		switch {
		case err != nil || c.User == "" || checkValue(c.URI+c.Params) != nil || !c.Flow.Remote.IsValid() || c.Flow.Network != "udp" && c.Flow.Network != "tcp":
			errs = append(errs, fmt.Errorf("sip: restore registrations: [%d] is no contact of user %q: URI %q by %v", i, clip(c.User), clip(c.URI), c.Flow))
			continue
		case !c.Expires.After(now), c.Flow.Network == "tcp" && c.NAT, r.find(c.User, u, c) != nil:
			continue
		case len(r.users[c.User]) >= r.limit(c.User), r.users[c.User] == nil && len(r.users) >= r.cfg.MaxUsers:
			errs = append(errs, fmt.Errorf("sip: restore registrations: [%d]: no room for user %q", i, clip(c.User)))
			continue
		}
		if most := now.Add(r.cfg.MaxExpires); c.Expires.After(most) {
			c.Expires = most
		}
		c.Flow.conn = 0
		r.add(&binding{Contact: c, u: u})
		n++
	}
	r.arm()
	return n, errors.Join(errs...)
}

// Drop forgets all phones of user, as for one whose password has changed, and returns how many there were.
func (r *Registrar) Drop(user string) int {
	defer r.drain()
	r.mu.Lock()
	defer r.mu.Unlock()
	bs := slices.Clone(r.users[user])
	for _, b := range bs {
		r.remove(b, ByHost)
	}
	return len(bs)
}

// Len is how many users have phones, and how many phones there are.
func (r *Registrar) Len() (users, contacts int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.users), len(r.due)
}

// Knows tells whether a phone is registered from addr, by network.
func (r *Registrar) Knows(network string, addr netip.AddrPort) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.flows[flowKey{network, addr}]) > 0
}

func (r *Registrar) limit(user string) int {
	if r.cfg.Limit != nil {
		if n := r.cfg.Limit(user); n > 0 {
			return n
		}
	}
	return r.cfg.MaxContacts
}

// add enters b. r.mu is held.
func (r *Registrar) add(b *binding) {
	r.users[b.User] = append(r.users[b.User], b)
	r.flows[b.Flow.key()] = append(r.flows[b.Flow.key()], b)
	pq.Push(&r.due, b)
	r.count++
	b.number = r.count
}

// remove takes b out. r.mu is held.
func (r *Registrar) remove(b *binding, why string) {
	without(r.users, b.User, b)
	without(r.flows, b.Flow.key(), b)
	pq.Remove(&r.due, b.index)
	r.push(RegistrarEvent{Kind: Unregistered, Reason: why, Contact: b.Contact})
}

func without[K comparable](m map[K][]*binding, k K, b *binding) {
	bs := m[k]
	if i := slices.Index(bs, b); i >= 0 {
		if bs = slices.Delete(bs, i, i+1); len(bs) == 0 {
			delete(m, k)
		} else {
			m[k] = bs
		}
	}
}

// refresh makes b what c says. r.mu is held.
func (r *Registrar) refresh(b *binding, c Contact) {
	c.Since = b.Since
	old := b.Flow
	if old.key() != c.Flow.key() {
		without(r.flows, old.key(), b)
		r.flows[c.Flow.key()] = append(r.flows[c.Flow.key()], b)
	}
	b.Contact = c
	pq.Fix(&r.due, b.index)
	if old.key() != c.Flow.key() {
		r.push(RegistrarEvent{Kind: Moved, Contact: c})
	}
}

// arm sets the timer for the next expiry. r.mu is held.
func (r *Registrar) arm() {
	if len(r.due) == 0 || r.done {
		return
	}
	next := r.due[0].Expires
	switch {
	case !r.armed.IsZero() && !next.Before(r.armed):
	case r.timer == nil:
		r.timer = time.AfterFunc(time.Until(next), r.expire)
		r.armed = next
	default:
		r.timer.Reset(time.Until(next))
		r.armed = next
	}
}

// expire takes out those whose time is over.
func (r *Registrar) expire() {
	r.mu.Lock()
	if r.done {
		r.mu.Unlock()
		return
	}
	r.wg.Add(1)
	defer r.wg.Done()
	defer r.drain()
	defer r.mu.Unlock()
	r.armed = time.Time{}
	for now := time.Now(); len(r.due) > 0 && !r.due[0].Expires.After(now); {
		r.remove(r.due[0], ByTime)
	}
	r.arm()
}

// closed takes out the phones that nothing but the connection leads to which is closed now.
func (r *Registrar) closed(f Flow) {
	defer r.drain()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range slices.Clone(r.flows[f.key()]) {
		if !r.done && b.NAT && b.Flow.conn == f.conn {
			r.remove(b, ByClosing)
		}
	}
}

// stop ends the timer: the endpoint closes. What it is at is through after wg.Wait.
func (r *Registrar) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done = true
	if r.timer != nil {
		r.timer.Stop()
	}
}

func (r *Registrar) push(ev RegistrarEvent) {
	if r.cfg.OnChange == nil {
		return
	}
	r.evMu.Lock()
	defer r.evMu.Unlock()
	r.events = append(r.events, ev)
}

// drain delivers what is queued, unless somebody is at it already.
func (r *Registrar) drain() {
	r.evMu.Lock()
	defer r.evMu.Unlock()
	if r.draining {
		return
	}
	r.draining = true
	for len(r.events) > 0 {
		ev := r.events[0]
		r.events = r.events[1:]
		r.evMu.Unlock()
		r.tell(ev)
		r.evMu.Lock()
	}
	r.events, r.draining = nil, false
}

func (r *Registrar) tell(ev RegistrarEvent) {
	defer func() {
		if p := recover(); p != nil {
			r.cfg.Logger.Error("panic", "in", "RegistrarConfig.OnChange", "err", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	r.cfg.OnChange(ev)
}

// dueHeap has the binding on top that expires first.
type dueHeap []*binding

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].Expires.Before(h[j].Expires) }
func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *dueHeap) Push(x any) {
	b := x.(*binding)
	b.index = len(*h)
	*h = append(*h, b)
}
func (h *dueHeap) Pop() any {
	old := *h
	b := old[len(old)-1]
	old[len(old)-1] = nil
	b.index = -1
	*h = old[:len(old)-1]
	return b
}
