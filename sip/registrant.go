package sip

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// registerTime is how long one registrar may take for one answer.
	registerTime = 5 * time.Second
	// unregisterTime is how long KeepRegistered says good-bye.
	unregisterTime = 2 * time.Second
	// DefaultExpires is Registrant.Expires when that is zero.
	DefaultExpires = 10 * time.Minute
	maxExpires     = 24 * time.Hour
	minExpires     = 10 * time.Second // a shorter one that is granted is taken for this: we do not send a storm
	// Pauses after a failure double from the first to the last. Who was refused for good waits longer: hundreds
	// of wrong passwords get an address blocked.
	failedPause, failedMost     = 5 * time.Second, 5 * time.Minute
	rejectedPause, rejectedMost = time.Minute, time.Hour
)

// Registrant is an address that is to be registered elsewhere (RFC 3261 10.2). Only Registrars and AOR must be set.
type Registrant struct {
	Registrars  []string // sip URIs without user, the next one when the one before fails
	AOR         string   // the address, "sip:user@example.com"
	ContactUser string   // user of our Contact; "": that of AOR
	Credentials []Credentials
	Expires     time.Duration // that is asked for; 0: DefaultExpires
	// Changed is told of each change, one after the other; nil: nobody. It must not block.
	Changed func(Registration)
}

// States of a Registration.
const (
	// Registered (until Registration.Until) and Unregistered (it was ended) are among them.
	Registering = "registering" // there is no answer yet
	RegFailed   = "failed"      // it will be tried again, at Registration.Next
	RegRejected = "rejected"    // 403, 404 or a wrong password: it will be tried again, but after a long pause
)

// Registration is how a Registrant stands.
type Registration struct {
	State     string         `json:"state"`
	Registrar string         `json:"registrar,omitempty"` // URI of the one that was asked last
	Peer      netip.AddrPort `json:"peer,omitzero"`       // and its address
	Status    int            `json:"status,omitempty"`    // its answer
	Reason    string         `json:"reason,omitempty"`
	Until     time.Time      `json:"until,omitzero"` // when it runs out; zero: there is none
	Next      time.Time      `json:"next,omitzero"`  // when REGISTER is sent next
}

// LogValue is what a log line says of it.
func (r Registration) LogValue() slog.Value {
	return slog.GroupValue(slog.String("state", r.State), slog.String("registrar", r.Registrar), slog.Int("status", r.Status), slog.String("reason", r.Reason))
}

// KeepRegistered registers r, and again before it runs out, until ctx ends; then it unregisters, for two seconds at
// most. A registrar that fails is followed by the next one; when all have failed, or one has said
// that it never will (403, 404, 401 again), there is a pause that doubles each time, up to five minutes or an hour, and
// is shortened by up to a half by chance, so that many do not come back at once. Retry-After and 423 are kept to.
// It blocks; the error says that r is faulty, or the endpoint closed.
func (e *Endpoint) KeepRegistered(ctx context.Context, r Registrant) error {
	k := &keeper{e: e, r: r}
	if err := k.check(); err != nil {
		return fmt.Errorf("sip: register: %w", err)
	}
	k.begin()
	k.tell(Registration{State: Registering})
	for {
		pause, err := k.round(ctx)
		switch {
		case ctx.Err() != nil:
			k.unregister(err != nil)
			return nil
		case err != nil:
			return fmt.Errorf("sip: register: %w", err)
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			t.Stop()
			k.unregister(false)
			return nil
		case <-e.life.Done():
			t.Stop()
			return fmt.Errorf("sip: register: %w", errClosed)
		case <-t.C:
		}
	}
}

// keeper is one KeepRegistered; it belongs to its goroutine.
type keeper struct {
	e       *Endpoint
	r       Registrant
	ask     asking
	at      int           // of Registrars: where the registration is, or is tried
	expires time.Duration // that is asked for
	bound   string        // Contact value of the last REGISTER
	now     Registration
	fails   int // rounds in a row
	rejects int
}

func (k *keeper) check() error {
	if len(k.r.Registrars) == 0 {
		return errors.New("no registrar")
	}
	for _, s := range k.r.Registrars {
		if err := callable(s); err != nil {
			return fmt.Errorf("registrar: %w", err)
		}
	}
	u, err := parseURI(k.r.AOR)
	switch {
	case err != nil:
		return fmt.Errorf("address: %w", err)
	case u.scheme != "sip" || u.user == "" || u.header:
		return fmt.Errorf("address %q is not sip:USER@DOMAIN", clip(k.r.AOR))
	case k.r.Expires < 0:
		return fmt.Errorf("option Expires is negative: %v", k.r.Expires)
	}
	if k.r.ContactUser == "" {
		k.r.ContactUser = u.user
	}
	if _, err := parseURI("sip:" + k.r.ContactUser + "@h"); err != nil {
		return fmt.Errorf("user of Contact: %w", err)
	}
	if k.expires = k.r.Expires; k.expires == 0 {
		k.expires = DefaultExpires
	}
	return nil
}

// begin starts anew with a registrar: all REGISTERs to one have the same Call-ID (RFC 3261 10.2).
func (k *keeper) begin() {
	k.ask = asking{
		method: "REGISTER", uri: k.r.Registrars[k.at], to: k.r.AOR, from: NameAddr{URI: k.r.AOR},
		callID: crand.Text(), tag: crand.Text()[:16], cseq: rand.Uint32N(1 << 16), auth: newDigestAuth(k.r.Credentials),
		timeout: registerTime, contact: k.contact,
	}
}

// contact is where we can be called by f.
func (k *keeper) contact(f flow) string {
	host, port := k.e.shown(f.listener(), f.remote.Addr())
	transport := ""
	if f.reliable() {
		transport = ";transport=tcp"
	}
	k.bound = fmt.Sprintf("<sip:%s@%s:%d%s>", k.r.ContactUser, host, port, transport)
	return k.bound
}

// tell passes on how it stands.
func (k *keeper) tell(now Registration) {
	k.now = now
	if k.r.Changed == nil {
		return
	}
	defer k.e.recovered("Registrant.Changed", nil)
	k.r.Changed(now)
}

// round asks one registrar after the other until one registers us, and says when to come back.
func (k *keeper) round(ctx context.Context) (pause time.Duration, err error) {
	var wish time.Duration // the longest Retry-After
	var last Registration
	for range k.r.Registrars {
		res, err := k.register(ctx, k.expires)
		if err != nil {
			return 0, err
		}
		now := time.Now()
		last = Registration{Registrar: k.ask.uri, Peer: res.Peer, Status: res.Status, Reason: res.Reason}
		if res.Status/100 == 2 {
			k.fails, k.rejects = 0, 0
			granted := k.granted(res)
			pause = refreshAfter(granted)
			last.State, last.Until, last.Next = Registered, now.Add(granted), now.Add(pause)
			k.tell(last)
			return pause, nil
		}
		if vain(res.Status) && !res.Local {
			k.rejects++
			pause = backoff(rejectedPause, rejectedMost, k.rejects)
			last.State, last.Next = RegRejected, now.Add(pause)
			k.begin() // another nonce, and all that a stale one has spoilt
			k.tell(last)
			return pause, nil
		}
		wish = max(wish, waitFor(res))
		k.at = (k.at + 1) % len(k.r.Registrars)
		k.begin()
	}
	k.fails++
	pause = max(backoff(failedPause, failedMost, k.fails), wish)
	last.State, last.Next = RegFailed, time.Now().Add(pause)
	if k.now.State == Registered && time.Now().Before(k.now.Until) {
		last.Until = k.now.Until // the one before lasts still
	}
	k.tell(last)
	return pause, nil
}

// register sends one REGISTER, and again where its time is too short for the registrar (RFC 3261 10.2.8).
func (k *keeper) register(ctx context.Context, expires time.Duration) (Reply, error) {
	for again := false; ; again = true {
		k.ask.headers = []Header{{"Expires", strconv.Itoa(int(expires / time.Second))}, {"Allow", allowed}}
		res, err := k.e.ask(ctx, &k.ask)
		if err != nil || res.Status != 423 || again {
			return res, err
		}
		least := seconds(res, "Min-Expires")
		if least <= expires || least > maxExpires {
			return res, nil
		}
		k.expires, expires = least, least
	}
}

// granted is how long the registrar keeps us: the expires of our Contact, else Expires, else what we asked for.
func (k *keeper) granted(res Reply) time.Duration {
	got := time.Duration(-1)
	ours, _ := ParseNameAddr(k.bound)
	for _, h := range res.Headers {
		if longName(h.Name) != "contact" {
			continue
		}
		for _, v := range splitList(h.Value) {
			a, err := ParseNameAddr(v)
			if err != nil || !sameContact(a.URI, ours.URI) {
				continue
			}
			if n, err := strconv.ParseUint(a.Params["expires"], 10, 31); err == nil {
				got = time.Duration(n) * time.Second
			}
		}
	}
	if got < 0 {
		got = seconds(res, "Expires")
	}
	if got <= 0 {
		got = k.expires
	}
	return min(max(got, minExpires), maxExpires)
}

// sameContact compares as far as registrars change what they were given.
func sameContact(a, b string) bool {
	u, err := parseURI(a)
	v, err2 := parseURI(b)
	return err == nil && err2 == nil && u.user == v.user && strings.EqualFold(u.host, v.host) && u.port == v.port
}

// refreshAfter leaves time for two more tries before it runs out.
func refreshAfter(granted time.Duration) time.Duration {
	early := min(max(granted/10, 3*registerTime), granted/2, time.Minute)
	return granted - early - rand.N(early/4+1)
}

// vain tells that asking again, or elsewhere, with the same words is vain.
func vain(status int) bool { return slices.Contains([]int{401, 403, 404, 407, 423}, status) }

// backoff is the pause after the nth failure in a row (RFC 5626 4.5).
func backoff(first, most time.Duration, n int) time.Duration {
	d := most
	if n < 16 {
		d = min(first<<(n-1), most)
	}
	return d/2 + rand.N(d/2+1)
}

func waitFor(res Reply) time.Duration { return min(seconds(res, "Retry-After"), rejectedMost) }

// seconds reads a header that is a number of seconds, with a comment or parameters after it; 0: there is none.
func seconds(res Reply, name string) time.Duration {
	for _, h := range res.Headers {
		if !strings.EqualFold(h.Name, name) {
			continue
		}
		v := strings.TrimSpace(h.Value)
		end := strings.IndexFunc(v, func(r rune) bool { return r < '0' || r > '9' })
		if end < 0 {
			end = len(v)
		}
		if n, err := strconv.ParseUint(v[:end], 10, 31); err == nil {
			return time.Duration(n) * time.Second
		}
	}
	return 0
}

// unregister ends the registration, also where a REGISTER was cut off that may have arrived.
func (k *keeper) unregister(cut bool) {
	last := Registration{State: Unregistered, Registrar: k.ask.uri, Peer: k.now.Peer}
	if cut || k.now.Until.After(time.Now()) {
		k.ask.timeout = unregisterTime
		ctx, cancel := context.WithTimeout(context.Background(), unregisterTime)
		defer cancel()
		if res, err := k.register(ctx, 0); err == nil {
			last.Status, last.Reason = res.Status, res.Reason
		}
	}
	k.tell(last)
}
