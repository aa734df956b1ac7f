package sip

import (
	"errors"
	"hash/maphash"
	"math"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Lockout says for how long an Authenticator takes no password from who has guessed wrong. What counts is an answer to a challenge that was sent to
// the same address, and that is wrong: challenges without an answer, answers with a nonce that is too old, and forged source addresses lock nobody out. The
// first ban lasts First, and each wrong answer after it begins another one, twice as long, up to Longest; after that time without a
// wrong answer all is forgotten, and what a right one is for, at once. Addresses are as for MaxGuesses: IPv6 by /64.
type Lockout struct {
	Off bool
	// Wrong is how many wrong answers an address may give for one user name, whether there is such a user or not. 0: 10.
	Wrong int
	// Users is for how many names it may be wrong before it is banned for all but those that it has been right for. 0: 20.
	Users   int
	First   time.Duration // 0: 30 seconds
	Longest time.Duration // 0: an hour
	// Max bounds what is remembered: addresses with a name, some 100 bytes each. Where there are more, some are forgotten, who is not banned first. 0: 20,000.
	Max int
}

func (l Lockout) withDefaults() (Lockout, error) {
	if l.Wrong < 0 || l.Users < 0 || l.First < 0 || l.Longest < 0 || l.Max < 0 {
		return l, errors.New("Lockout: nothing of it can be negative")
	}
	set := func(v *int, def int) {
		if *v == 0 {
			*v = def
		}
	}
	set(&l.Wrong, 10)
	set(&l.Users, 20)
	set(&l.Max, 20_000)
	if l.First == 0 {
		l.First = 30 * time.Second
	}
	if l.Longest == 0 {
		l.Longest = max(time.Hour, l.First)
	}
	if l.Longest < l.First {
		return l, errors.New("Lockout: Longest is shorter than First")
	}
	return l, nil
}

// guesser is an address and a name, 0 for all names of the address.
type guesser struct {
	addr netip.Addr
	name uint64
}

// guessed is what a guesser has done.
type guessed struct {
	wrong int       // answers since the last ban
	bans  int       // in a row
	until time.Time // of the ban
	last  time.Time // wrong answer
	names []uint64  // of an address: those that it was wrong for, at most Lockout.Users
}

// lockout remembers who was wrong.
type lockout struct {
	cfg  Lockout
	seed maphash.Seed

	mu    sync.Mutex
	wrong map[guesser]*guessed  // guarded by mu
	right map[guesser]time.Time // guarded by mu; when it was right
}

func newLockout(cfg Lockout) *lockout {
	return &lockout{cfg: cfg, seed: maphash.MakeSeed(), wrong: map[guesser]*guessed{}, right: map[guesser]time.Time{}}
}

func (l *lockout) of(addr netip.Addr, name string) guesser {
	return guesser{limitKey(addr), max(maphash.String(l.seed, name), 1)}
}

// left is how long who is at addr and says that it is name has to wait; known: it has given the right password lately.
func (l *lockout) left(addr netip.Addr, name string) (wait time.Duration, known bool) {
	if l.cfg.Off {
		return 0, false
	}
	g, now := l.of(addr, name), time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	at, known := l.right[g]
	known = known && now.Sub(at) < 24*time.Hour
	if b := l.wrong[g]; b != nil {
		wait = max(0, b.until.Sub(now))
	}
	if b := l.wrong[guesser{addr: g.addr}]; b != nil && !known {
		wait = max(wait, b.until.Sub(now))
	}
	return wait, known
}

// failed counts a wrong answer; it tells for how long its sender is banned now, 0: not yet.
func (l *lockout) failed(addr netip.Addr, name string) (banned time.Duration) {
	if l.cfg.Off {
		return 0
	}
	g, now := l.of(addr, name), time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.at(g, now)
	if b.wrong++; b.wrong >= l.cfg.Wrong || b.bans > 0 {
		banned = l.ban(b, now)
	}
	a := l.at(guesser{addr: g.addr}, now)
	if !slices.Contains(a.names, g.name) && len(a.names) < l.cfg.Users {
		a.names = append(a.names, g.name)
	}
	if len(a.names) >= l.cfg.Users {
		banned = max(banned, l.ban(a, now))
	}
	return banned
}

// at is what is known of g, from now on. l.mu is held.
func (l *lockout) at(g guesser, now time.Time) *guessed {
	b := l.wrong[g]
	if b != nil && l.over(b, now) {
		*b = guessed{}
	}
	if b == nil {
		if len(l.wrong) >= l.cfg.Max {
			l.sweep(now)
		}
		b = &guessed{}
		l.wrong[g] = b
	}
	b.last = now
	return b
}

// over tells whether b can be forgotten.
func (l *lockout) over(b *guessed, now time.Time) bool {
	return now.Sub(b.until) > l.cfg.Longest && now.Sub(b.last) > l.cfg.Longest
}

func (l *lockout) ban(b *guessed, now time.Time) time.Duration {
	d := l.cfg.Longest
	if f := float64(l.cfg.First) * math.Pow(2, float64(b.bans)); f < float64(d) {
		d = time.Duration(f)
	}
	b.bans, b.wrong, b.until = b.bans+1, 0, now.Add(d)
	return d
}

// succeeded forgets what who was right has done wrong.
func (l *lockout) succeeded(addr netip.Addr, name string) {
	if l.cfg.Off {
		return
	}
	g, now := l.of(addr, name), time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.wrong, g)
	if a := l.wrong[guesser{addr: g.addr}]; a != nil {
		a.names = slices.DeleteFunc(a.names, func(n uint64) bool { return n == g.name })
	}
	if _, there := l.right[g]; !there && len(l.right) >= l.cfg.Max {
		for old := range l.right { // any of them: a refresh brings it back
			delete(l.right, old)
			break
		}
	}
	l.right[g] = now
}

// sweep makes room: what is over goes, then who is not banned, then somebody. l.mu is held.
func (l *lockout) sweep(now time.Time) {
	for _, goes := range []func(*guessed) bool{
		func(b *guessed) bool { return l.over(b, now) },
		func(b *guessed) bool { return now.After(b.until) },
		func(*guessed) bool { return true },
	} {
		for g, b := range l.wrong {
			if len(l.wrong) <= l.cfg.Max-l.cfg.Max/4-1 { // so that not each newcomer costs a look at all
				return
			}
			if goes(b) {
				delete(l.wrong, g)
			}
		}
	}
}
