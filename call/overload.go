package call

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// Defaults of Overload.
const (
	DefaultMaxDelay   = 20 * time.Millisecond
	DefaultMaxSetups  = 2000
	DefaultRetryAfter = 5 * time.Second
)

// Overload says when new calls are refused with 503 and Retry-After because the machine cannot take them: early,
// in the SIP layer, before anything is verified. Calls that are up, and what belongs to them, are never refused. The zero
// value is a sensible one.
type Overload struct {
	// MaxDelay is how long an INVITE may have waited, in the socket and for a goroutine, before it is looked at. That is what
	// grows without end when more comes than can be done, whatever the machine and the flows. While it is more, for
	// all INVITEs of a tenth of a second, so that a single stall does not count, a growing share of new calls is refused;
	// when it is less than half, a shrinking one. 0: DefaultMaxDelay; negative: it does not matter.
	MaxDelay time.Duration
	// MaxSetups is how many incoming calls may be in Verify and Route at one time, where a slow service makes them pile up.
	// At that many new ones are refused, until there are three quarters. 0: DefaultMaxSetups; negative: any number.
	MaxSetups int
	// RetryAfter is when a refused caller may try again, at the earliest; up to the same is added by chance, so that they do not all come
	// back together. 0: DefaultRetryAfter.
	RetryAfter time.Duration
}

func (o *Overload) check() error {
	if o.RetryAfter < 0 {
		return errors.New("call: Config.Overload.RetryAfter cannot be negative")
	}
	return nil
}

// Of the control of the share that is taken.
const (
	overloadWindow   = 100 * time.Millisecond // in which the shortest delay counts
	overloadSamples  = 8                      // that a window has at least
	overloadShrink   = 0.85                   // of the share, in a window of too long delays
	overloadFall     = 0.4                    // where they are many times too long
	overloadGrow     = 0.05                   // to the share, in a window of short ones
	overloadPatience = 4                      // windows in which a falling delay may become short enough
	overloadLeast    = 0.02                   // share: without new calls nobody knew that it is over
)

// overload decides about new calls.
type overload struct {
	maxDelay   time.Duration // 0: it does not matter
	maxSetups  int           // 0: any number
	retryAfter time.Duration

	mu       sync.Mutex // guards the rest
	setups   int        // in Verify and Route
	full     bool       // there were maxSetups
	share    float64    // of new calls that is taken, 0 to 1
	credit   float64    // below 1
	begun    time.Time  // of the window
	samples  int        // in it
	shortest time.Duration
	late     time.Duration // shortest of the last window
	refused  uint64
}

func newOverload(c Overload) *overload {
	o := &overload{share: 1, maxDelay: cmp.Or(c.MaxDelay, DefaultMaxDelay), maxSetups: cmp.Or(c.MaxSetups, DefaultMaxSetups), retryAfter: cmp.Or(c.RetryAfter, DefaultRetryAfter)}
	o.maxDelay, o.maxSetups = max(o.maxDelay, 0), max(o.maxSetups, 0)
	return o
}

// take says whether a new call is taken, whose INVITE has waited so long in its socket.
func (o *overload) take(now time.Time, waited time.Duration) (ok bool, retryAfter time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sample(now, waited)
	if o.maxSetups > 0 {
		switch {
		case o.setups >= o.maxSetups:
			o.full = true
		case o.setups <= o.maxSetups*3/4:
			o.full = false
		}
	}
	if o.credit += o.share; !o.full && o.credit >= 1 {
		o.credit--
		return true, 0
	}
	o.credit = min(o.credit, 1)
	o.refused++
	return false, o.retryAfter + rand.N(o.retryAfter)
}

// begin is a call that was taken; waited is from its INVITE until its goroutine runs.
func (o *overload) begin(now time.Time, waited time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.setups++
	o.sample(now, waited)
}

// end is the end of its verification and routing.
func (o *overload) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.setups--
}

// sample takes a delay, and closes the window when it is over. mu is held.
func (o *overload) sample(now time.Time, waited time.Duration) {
	if o.samples == 0 || waited < o.shortest {
		o.shortest = waited
	}
	if o.samples++; o.samples == 1 {
		o.begun = now
	}
	if now.Sub(o.begun) < overloadWindow || o.samples < overloadSamples {
		return
	}
	// What waited before the last change is being worked off, and soon is.
	falling := overloadPatience*(o.late-o.shortest) >= o.shortest-o.maxDelay
	o.late, o.samples = o.shortest, 0
	switch {
	case o.maxDelay == 0:
	case o.late > o.maxDelay && falling:
	case o.late > o.maxDelay:
		o.share = max(o.share*min(max(float64(o.maxDelay)/float64(o.late), overloadFall), overloadShrink), overloadLeast)
	case o.late < o.maxDelay/2:
		o.share = min(o.share+overloadGrow, 1)
	}
}

// OverloadStats tells what an engine does with new calls.
type OverloadStats struct {
	Setups  int           // incoming calls in Verify and Route, now
	Share   float64       // of new calls that is taken: 1 without overload
	Delay   time.Duration // shortest wait of an INVITE in the last window of a tenth of a second
	Refused uint64        // with 503, since New
}

func (o *overload) stats() OverloadStats {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := OverloadStats{Setups: o.setups, Share: o.share, Delay: o.late, Refused: o.refused}
	if o.full {
		s.Share = 0
	}
	return s
}
