package sip

import (
	"cmp"
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Events that a Notifier tells of.
const (
	EventPackageDialog  = "dialog"          // RFC 4235
	EventPackageMessage = "message-summary" // RFC 3842
)

// eventTypes are the bodies of the packages.
var eventTypes = map[string]string{
	EventPackageDialog:  "application/dialog-info+xml",
	EventPackageMessage: "application/simple-message-summary",
}

const allowEvents = EventPackageDialog + ", " + EventPackageMessage

// NotifierConfig of a Notifier. Auth and MayWatch are needed.
type NotifierConfig struct {
	// Auth asks for the password of who subscribes, each time.
	Auth *Authenticator
	// MayWatch tells whether watcher may be told of event (EventPackageDialog, EventPackageMessage) of user; what it denies gets
	// 403, whether there is such a user or not. Its error means that nobody could be asked: 500.
	MayWatch func(ctx context.Context, event, watcher, user string) (bool, error)

	// MinExpires is the shortest subscription; who asks for less gets 423. MaxExpires is the longest, and that of who
	// does not say. 0: 1 minute, 1 hour.
	MinExpires, MaxExpires time.Duration
	// MaxPerUser bounds the subscriptions of a watcher (403), MaxSubscriptions those of all (503). 0: 200, 20,000.
	MaxPerUser, MaxSubscriptions int
	// MaxRequests is how many SUBSCRIBEs an address may send at once; after that it has one every 10 milliseconds, and more
	// are dropped and counted (Stats.Throttled). 0: 2,000.
	MaxRequests int
	// Interval is the shortest time between two NOTIFYs of a subscription; what changes meanwhile is told with the next
	// one. 0: 200 milliseconds.
	Interval time.Duration
}

// Notifier tells those who subscribe what users are doing: their calls and their messages (RFC 6665). Give it to one Endpoint
// as Config.Notifier; its methods may be called from any goroutine, and none but Shutdown waits.
type Notifier struct {
	cfg NotifierConfig
	desk

	mu       sync.Mutex // guards the rest; Endpoint.mu may be taken while it is held
	subs     map[string]*subscription
	watchers map[watchKey]map[*subscription]bool
	counts   map[string]int // by watcher
	dialogs  map[string][]WatchedDialog
	messages map[string]MessageSummary
	closed   bool
	empty    chan struct{} // of Shutdown
}

type watchKey struct{ event, user string }

// subscription is one, guarded by Notifier.mu. It has no goroutine but while a NOTIFY waits for its answer.
type subscription struct {
	n       *Notifier
	e       *Endpoint
	watcher string
	key     watchKey
	event   string // value of Event
	id      string // of its parameter id
	entity  string // URI of user

	callID, tag, remoteTag string
	local, remote          string // values of From and To
	contact                string
	target                 string
	routes                 []string
	flow                   Flow
	remoteSeq, localSeq    uint32
	version                uint32 // of the next document

	expires  time.Time
	expiry   *time.Timer
	next     *time.Timer // for what waits; nil: nothing does
	earliest time.Time   // of the next NOTIFY
	sending  bool
	changed  bool   // there is something to be told
	over     string // reason of its end; "": it goes on
	gone     bool
	ended    []WatchedDialog // that have to be told as terminated
}

// NewNotifier checks cfg and tells all of its faults at once.
func NewNotifier(cfg NotifierConfig) (*Notifier, error) {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf("sip: notifier: "+format, a...)) }
	if cfg.Auth == nil {
		bad("Auth is nil: nobody could be asked for a password")
	}
	if cfg.MayWatch == nil {
		bad("MayWatch is nil: nobody knows what may be watched")
	}
	if cfg.MinExpires < 0 || cfg.MaxExpires < 0 || cfg.Interval < 0 {
		bad("MinExpires, MaxExpires and Interval cannot be negative")
	}
	if cfg.MaxPerUser < 0 || cfg.MaxSubscriptions < 0 || cfg.MaxRequests < 0 {
		bad("MaxPerUser, MaxSubscriptions and MaxRequests cannot be negative")
	}
	cfg.MaxExpires = cmp.Or(cfg.MaxExpires, max(time.Hour, cfg.MinExpires))
	cfg.MinExpires = cmp.Or(cfg.MinExpires, min(time.Minute, cfg.MaxExpires))
	if cfg.MinExpires < time.Second || cfg.MinExpires > cfg.MaxExpires || cfg.MinExpires > time.Hour {
		bad("MinExpires and MaxExpires are %v and %v: not one second at least, in this order, with a MinExpires of one hour at most", cfg.MinExpires, cfg.MaxExpires)
	}
	cfg.MaxPerUser, cfg.MaxSubscriptions = cmp.Or(cfg.MaxPerUser, 200), cmp.Or(cfg.MaxSubscriptions, 20_000)
	cfg.MaxRequests, cfg.Interval = cmp.Or(cfg.MaxRequests, 2_000), cmp.Or(cfg.Interval, 200*time.Millisecond)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &Notifier{
		cfg: cfg, desk: newDesk(cfg.Auth, cfg.MaxRequests),
		subs: make(map[string]*subscription), watchers: make(map[watchKey]map[*subscription]bool), counts: make(map[string]int),
		dialogs: make(map[string][]WatchedDialog), messages: make(map[string]MessageSummary),
	}, nil
}

// Len is how many subscriptions there are.
func (n *Notifier) Len() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.subs)
}

// subscribe takes a SUBSCRIBE.
func (e *Endpoint) subscribe(m *message) {
	n := e.cfg.Notifier
	req, ok := n.take(e, m)
	if !ok {
		return
	}
	event, params := cutOutside(m.value("event"), ';')
	event = strings.ToLower(trim(event))
	if eventTypes[event] == "" {
		e.refuse(m, 489, "", Header{"Allow-Events", allowEvents}) // RFC 6665 4.2.1.1
		return
	}
	n.check(e, m, req, func(ctx context.Context, user string, answer answering) {
		id, _ := param(params, "id")
		want := subscription{n: n, e: e, watcher: user, key: watchKey{event, req.User}, id: id, event: event}
		if id != "" {
			want.event += ";id=" + id
		}
		if m.toTag != "" { // its Request-URI is our Contact
			var ok bool
			if want.key.user, ok = n.watched(m); !ok {
				answer(m.toTag, 481, "", nil)
				return
			}
		}
		seconds, status, hs := n.wish(ctx, &want, m)
		if status != 0 {
			answer(m.toTag, status, "", hs)
			return
		}
		n.mu.Lock()
		s, status, hs := n.enter(&want, req, m, seconds)
		n.mu.Unlock()
		if s == nil {
			answer(m.toTag, status, "", hs)
			return
		}
		answer(s.tag, 200, "", []Header{{"Expires", strconv.Itoa(seconds)}, {"Contact", s.contact}})
		n.mu.Lock()
		defer n.mu.Unlock()
		s.earliest = time.Time{} // RFC 6665 4.2.1.2: at once
		s.tell()
	})
}

// watched is the user of the subscription that m is of.
func (n *Notifier) watched(m *message) (user string, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s := n.subs[m.toTag]; s != nil {
		return s.key.user, true
	}
	return "", false
}

// wish checks what m asks for, and tells for how long it gets that; a status refuses it.
func (n *Notifier) wish(ctx context.Context, s *subscription, m *message) (seconds, status int, hs []Header) {
	typ := eventTypes[s.key.event]
	if as := m.list("accept"); len(as) > 0 && !slices.ContainsFunc(as, func(a string) bool {
		t := mediaType(a)
		return t == typ || t == "*/*" || t == "application/*"
	}) {
		return 0, 406, []Header{{"Accept", typ}}
	}
	if m.contact == "" || s.id != "" && strings.IndexFunc(s.id, func(r rune) bool { return !isToken(r) }) >= 0 {
		return 0, 400, nil
	}
	seconds = int(n.cfg.MaxExpires / time.Second)
	if v := m.value("expires"); v != "" {
		given, ok := deltaSeconds(v)
		switch {
		case !ok:
			return 0, 400, nil
		case given > 0 && given < uint64(n.cfg.MinExpires/time.Second):
			return 0, 423, []Header{{"Min-Expires", strconv.Itoa(int(n.cfg.MinExpires / time.Second))}}
		case given < uint64(seconds):
			seconds = int(given)
		}
	}
	if seconds == 0 && m.toTag != "" {
		return 0, 0, nil // who may not watch any more may still end it
	}
	ok, err := n.cfg.MayWatch(ctx, s.key.event, s.watcher, s.key.user)
	switch {
	case err != nil:
		return 0, 500, nil
	case !ok:
		return 0, 403, nil
	}
	return seconds, 0, nil
}

// enter makes a subscription of want, or finds the one that m refreshes or ends; nil: the status refuses it. n.mu is held.
func (n *Notifier) enter(want *subscription, req *Request, m *message, seconds int) (s *subscription, status int, hs []Header) {
	u, err := parseURI(req.Contact.URI)
	if err != nil || u.scheme != "sip" {
		return nil, 400, nil
	}
	at := Contact{Flow: m.from.public(), NAT: true}
	place(&at, u, m)
	if m.toTag != "" {
		s = n.subs[m.toTag]
		switch {
		case s == nil || s.over != "" || s.callID != m.callID || s.remoteTag != m.fromTag || s.key.event != want.key.event || s.id != want.id:
			return nil, 481, nil
		case s.watcher != want.watcher:
			return nil, 403, nil
		case m.cseq <= s.remoteSeq:
			return nil, 500, []Header{retrySoon()} // RFC 3261 12.2.2
		}
	} else {
		switch {
		case n.closed || len(n.subs) >= n.cfg.MaxSubscriptions:
			return nil, 503, []Header{retryAfter(60)}
		case n.counts[want.watcher] >= n.cfg.MaxPerUser:
			return nil, 403, nil
		}
		s = want
		s.callID, s.tag, s.remoteTag = m.callID, crand.Text()[:16], m.fromTag
		s.local, s.remote, s.localSeq = m.toValue+";tag="+s.tag, m.fromValue, rand.Uint32N(1<<16)
		s.routes, s.entity = m.list("record-route"), entityOf(m.uri)
		n.subs[s.tag] = s
		n.counts[s.watcher]++
		if n.watchers[s.key] == nil {
			n.watchers[s.key] = make(map[*subscription]bool)
		}
		n.watchers[s.key][s] = true
	}
	host, port := s.e.shown(m.from.listener(), m.from.remote.Addr())
	s.contact = fmt.Sprintf("<sip:%s:%d>", host, port)
	if m.from.reliable() {
		s.contact = fmt.Sprintf("<sip:%s:%d;transport=tcp>", host, port)
	}
	s.target, s.flow, s.remoteSeq = req.Contact.URI, at.Flow, m.cseq
	s.changed = true
	if s.expiry != nil {
		s.expiry.Stop()
	}
	if seconds == 0 {
		s.over = "timeout"
		return s, 0, nil
	}
	life := time.Duration(seconds) * time.Second
	s.expires = time.Now().Add(life)
	s.expiry = time.AfterFunc(life, func() { s.e.start(s.expire) })
	return s, 0, nil
}

// expire ends s, unless it was refreshed meanwhile.
func (s *subscription) expire() {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	if !s.expires.After(time.Now()) {
		s.end("timeout")
	}
}

// end has s told that it is over. n.mu is held.
func (s *subscription) end(reason string) {
	if s.over != "" || s.gone {
		return
	}
	s.over, s.changed, s.earliest = reason, true, time.Time{}
	s.tell()
}

// remove forgets s. n.mu is held.
func (s *subscription) remove() {
	if s.gone {
		return
	}
	n := s.n
	s.gone = true
	for _, t := range []*time.Timer{s.expiry, s.next} {
		if t != nil {
			t.Stop()
		}
	}
	delete(n.subs, s.tag)
	if n.counts[s.watcher]--; n.counts[s.watcher] <= 0 {
		delete(n.counts, s.watcher)
	}
	if delete(n.watchers[s.key], s); len(n.watchers[s.key]) == 0 {
		delete(n.watchers, s.key)
	}
	if len(n.subs) == 0 && n.empty != nil {
		close(n.empty)
		n.empty = nil
	}
}

// entityOf is the URI of who is watched, without parameters; it was parsed before.
func entityOf(s string) string {
	u, _ := parseURI(s)
	if u.scheme == "tel" {
		return s
	}
	host := u.host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if u.port != 0 {
		host = net.JoinHostPort(u.host, strconv.Itoa(int(u.port)))
	}
	return u.scheme + ":" + u.user + "@" + host
}
