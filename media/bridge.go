package media

import (
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
)

// ErrBridged says that a port is in a bridge already.
var ErrBridged = errors.New("media: the port is in a bridge already")

// BridgeOptions of one bridge. The zero value is a bridge that carries sound only.
type BridgeOptions struct {
	// Digits makes key presses (RFC 4733) cross between two members. Where the other one's
	// peer takes none nothing is sent: tones are the caller's work.
	Digits bool
	// Levels measures how loud each member is, for Port.Level. Members that exchange packets are decoded for
	// that, as for a Tap. SetLevels changes it.
	Levels bool
	Logger *slog.Logger // nil: slog.Default()
}

// Bridge joins ports: each member hears all others and not itself.
//
// Two members whose codecs and packet lengths fit (the two laws of G.711 do) exchange packets untouched,
// each direction by itself, unless what one of them hears is something else:
//
//	                     a to b passes, unless
//	a is muted In, b muted Out, b or the bridge is played to, a third member
//
// Taps do not end that: they get decoded copies. All else is mixed once a frame. What is played to a member's port
// replaces what it hears of the bridge, until it ends; what the bridge plays (Play, PlayTo, Music) is mixed with it. SetMember says
// who is not heard, and who hears nothing.
//
// The first members move to the shard of the first one, and later ones of a large room stay
// on theirs. All methods are safe for any goroutine, but must not be called on a shard.
type Bridge struct {
	log    *slog.Logger
	digits bool

	mu     sync.Mutex // held over a whole Join
	closed bool       // guarded by mu
	home   *part      // where taps and what is played live; guarded by mu, set once

	parts   atomic.Pointer[[]*part] // home first; replaced under mu
	count   atomic.Int32            // members
	rate    atomic.Int32            // of the mix; 0: no member yet
	playing atomic.Bool             // something is in plays
	tapped  atomic.Bool             // there are taps
	levels  atomic.Bool             // members are measured
	except  atomic.Pointer[Port]    // who does not hear what Play plays; nil: all do

	// Owned by home's shard, guarded by mu while there is no home.
	ended bool
	plays [playSlots]*playing
	taps  []*tapping
}

// BridgeStats tells what a bridge does.
type BridgeStats struct {
	Members int    `json:"members"`
	Parts   int    `json:"parts"`   // shards that its members live on
	Passing bool   `json:"passing"` // packets of at least one member pass untouched now
	RateHz  int    `json:"rate_hz"` // of the mix
	Encodes uint64 `json:"encodes"` // frames that were encoded for members
	Shared  uint64 `json:"shared"`  // frames sent that had been encoded for another member as well
	Late    uint64 `json:"late"`    // frames that a part got on with before another one was ready
}

// roomHome is how many members live on the shard of the first one. Members that share
// a thread need nobody else's sums; a thread does not carry many more than this in one slot of 1 ms.
const roomHome = 64

// NewBridge makes an empty bridge.
func NewBridge(o BridgeOptions) *Bridge {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	b := &Bridge{log: o.Logger, digits: o.Digits}
	b.parts.Store(new([]*part))
	b.levels.Store(o.Levels)
	return b
}

// Join makes p a member and returns when it is one. It returns ErrClosed when the port or
// the bridge is closed, and ErrBridged when p is in a bridge already.
func (b *Bridge) Join(p *Port) error { return b.JoinAs(p, Membership{}, nil) }

// JoinAs is Join for who is to be heard or to hear differently from its first frame on. It lives on the shard of near, which is a
// member, or where Join puts it for nil: who is heard by one only has to live where that one does.
func (b *Bridge) JoinAs(p *Port, as Membership, near *Port) error {
	if !p.bridge.CompareAndSwap(nil, b) {
		select {
		case <-p.closed:
			return ErrClosed
		default:
			return ErrBridged
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		p.bridge.Store(nil)
		return ErrClosed
	}
	pt := b.partFor(p, near)
	p.move(pt.shard)
	err := ErrClosed
	p.Do(func() {
		if !p.ended {
			pt.add(p, as)
			err = nil
		}
	})
	return err
}

// partFor is the part that p is to live on, that of near where there is one. b.mu is held.
func (b *Bridge) partFor(p, near *Port) *part {
	shard := p.Shard()
	if b.home != nil && b.count.Load() < roomHome && near == nil {
		return b.home
	}
	if near != nil {
		shard = near.Shard()
	}
	parts := *b.parts.Load()
	for _, pt := range parts {
		if pt.shard == shard {
			return pt
		}
	}
	pt := newPart(b, shard, len(parts))
	if b.home == nil {
		b.home = pt
	} else {
		pt.beat.slot = b.home.beat.slot // all in step
	}
	parts = append(slices.Clone(parts), pt)
	b.parts.Store(&parts)
	return pt
}

// Leave ends p's membership and returns when it neither hears nor is heard. It does
// nothing where p is no member. A port that closes leaves by itself.
func (b *Bridge) Leave(p *Port) {
	p.Do(func() {
		if m := p.member; m != nil && m.part.b == b {
			m.part.remove(m)
		}
	})
}

// atHome runs f where taps and what is played are owned, and then brings all in step.
func (b *Bridge) atHome(f func()) {
	b.mu.Lock()
	home := b.home
	if home == nil {
		f()
	}
	b.mu.Unlock()
	if home == nil {
		return
	}
	home.shard.Do(func() {
		f()
		home.changed()
	})
}

// Tap makes t see the mix of all members as in, and nil as out, in each frame, at Rate:
// the recording of a room. remove returns after the last call of t.Tick; it must not be called by Tick.
func (b *Bridge) Tap(t Tap) (remove func()) {
	tp := &tapping{t}
	b.atHome(func() { b.setTaps(append(b.taps, tp)) })
	return func() {
		b.atHome(func() {
			if i := slices.Index(b.taps, tp); i >= 0 {
				b.setTaps(slices.Delete(b.taps, i, i+1))
			}
		})
	}
}

func (b *Bridge) setTaps(taps []*tapping) {
	if b.ended {
		taps = nil
	}
	b.taps = taps
	b.tapped.Store(len(taps) > 0)
}

// Rate is the sample rate of the mix in Hz: the highest of the members', 8000 without one.
// It changes with them.
func (b *Bridge) Rate() int {
	if r := b.rate.Load(); r > 0 {
		return int(r)
	}
	return 8000
}

// Stats tells what the bridge does at the moment, and its sums so far.
func (b *Bridge) Stats() BridgeStats {
	st := BridgeStats{Members: int(b.count.Load()), RateHz: b.Rate()}
	for _, pt := range *b.parts.Load() {
		if pt.size.Load() > 0 {
			st.Parts++
		}
		st.Passing = st.Passing || pt.passing.Load()
		st.Encodes += pt.encodes.Load()
		st.Shared += pt.shared.Load()
		st.Late += pt.late.Load()
	}
	return st
}

// Close makes all members leave. What is played ends with ErrClosed, and Join returns
// it from now on. Closing twice does nothing.
func (b *Bridge) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	end := func() {
		b.ended = true
		for slot := range b.plays {
			b.stop(slot, ErrClosed)
		}
		b.setTaps(nil)
	}
	if b.home == nil {
		end()
		return
	}
	for _, pt := range *b.parts.Load() {
		pt.shard.Do(func() {
			if pt == b.home {
				end()
			}
			for len(pt.members) > 0 {
				pt.remove(pt.members[len(pt.members)-1])
			}
		})
	}
}
