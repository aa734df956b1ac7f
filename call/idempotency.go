package call

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/store"
)

const (
	// KeyTime is how long an idempotency key is remembered.
	KeyTime = 24 * time.Hour
	// MaxKeys is how many keys an Engine remembers by itself; the oldest go first.
	MaxKeys = 100_000
	maxKey  = 256
)

var (
	// ErrKeyConflict is returned by Dial for an idempotency key that another call was placed with.
	ErrKeyConflict = errors.New("call: the idempotency key belongs to a call with other options")
	// ErrKeyElsewhere is returned by Dial for an idempotency key whose call this engine does not have and no store
	// has a record of: it is up on another engine with the same store, or was when that one stopped.
	ErrKeyElsewhere = errors.New("call: the call of the idempotency key is not of this engine")
)

// keys remembers the calls that Dial has placed with an idempotency key.
type keys struct {
	mu    sync.Mutex
	all   map[string]*keyed // guarded by mu
	order []*keyed          // guarded by mu; the oldest first
}

// keyed is one key. Its fields but at are written before ready is closed, or under keys.mu.
type keyed struct {
	name, sum string
	at        time.Time
	ready     chan struct{} // closed when the call is placed, or is not
	call      *Call         // without its trace once it is over; nil: a store has its record
	id        string        // of the call; "": none was placed
	over      bool          // the call is
	err       error         // with which Dial returned
}

// dialOnce is Dial with an idempotency key.
func (e *Engine) dialOnce(ctx context.Context, o DialOptions) (*Call, error) {
	sum, err := fingerprint(o)
	if err != nil {
		return nil, fmt.Errorf("call: dial: %w", err)
	}
	for {
		k, mine := e.keys.claim(o.IdempotencyKey, sum)
		if mine {
			c, err := e.dialKeyed(ctx, k, o)
			e.keys.settle(k, c, err)
			close(k.ready)
			return c, err
		}
		select {
		case <-k.ready:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		e.keys.mu.Lock()
		c, id, err, gone := k.call, k.id, k.err, e.keys.all[k.name] != k
		e.keys.mu.Unlock()
		switch {
		case k.sum != sum:
			return nil, fmt.Errorf("call: dial: key %q: %w", o.IdempotencyKey, ErrKeyConflict)
		case gone && id == "": // nothing was placed: it is tried again
			continue
		case c != nil:
			return c, err
		}
		c, found := e.stored(ctx, id)
		if found != nil {
			return nil, fmt.Errorf("call: dial: key %q: %w", o.IdempotencyKey, found)
		}
		return c, err
	}
}

// dialKeyed places the call of a key that this engine does not know, unless a store does.
func (e *Engine) dialKeyed(ctx context.Context, k *keyed, o DialOptions) (*Call, error) {
	if !e.mayPlace() {
		return nil, ErrNoRoom
	}
	id := newID()
	kept, durable := e.cfg.Store.(store.Keys)
	if durable {
		now := store.At(time.Now())
		was, err := kept.PutKey(ctx, store.Key{Name: k.name, Sum: k.sum, CallID: id, TmCreate: now, TmExpire: store.At(now.Add(KeyTime))})
		switch {
		case err != nil:
			return nil, fmt.Errorf("call: dial: key %q: %w", k.name, err)
		case was.Sum != k.sum:
			return nil, fmt.Errorf("call: dial: key %q: %w", k.name, ErrKeyConflict)
		case was.CallID != id:
			c, err := e.stored(ctx, was.CallID)
			if err != nil {
				return nil, fmt.Errorf("call: dial: key %q: %w", k.name, err)
			}
			e.keys.placed(k, was.CallID)
			return c, nil
		}
	}
	e.keys.placed(k, id)
	c, err := e.dial(ctx, id, o, func(c *Call) { e.keys.ended(k, c) })
	if c == nil {
		e.keys.placed(k, "")
		if durable {
			if kerr := kept.DeleteKey(context.WithoutCancel(ctx), k.name); kerr != nil {
				e.log.Error("idempotency key not released", "call", id, "err", kerr)
			}
		}
		return nil, err
	}
	return c, err
}

// stored finds the call id: one that is up, or what a store keeps of it.
func (e *Engine) stored(ctx context.Context, id string) (*Call, error) {
	if c, ok := e.Call(id); ok {
		return c, nil
	}
	if e.cfg.Store == nil {
		return nil, fmt.Errorf("%s: %w", id, ErrKeyElsewhere)
	}
	rec, err := e.cfg.Store.Call(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, fmt.Errorf("%s: %w", id, ErrKeyElsewhere)
	case err != nil:
		return nil, err
	}
	return e.past(rec), nil
}

// past is a call that is over, made of its record.
func (e *Engine) past(rec store.Call) *Call {
	c := newCall(e, rec.ID, nil)
	c.vars = e.newVars(ownVars(&rec))
	c.machine = Restore(State{Record: rec, Phase: PhaseEnded, Finished: true, MediaClosed: true})
	c.cancelFlow(context.Canceled)
	close(c.done)
	return c
}

// claim finds the key, or makes it; mine: whoever asked for it has to settle it, and to close its ready.
func (ks *keys) claim(name, sum string) (k *keyed, mine bool) {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	now := time.Now()
	for len(ks.order) > 0 && (len(ks.order) >= MaxKeys || now.Sub(ks.order[0].at) >= KeyTime) {
		if old := ks.order[0]; ks.all[old.name] == old {
			delete(ks.all, old.name)
		}
		ks.order = ks.order[1:]
	}
	if k = ks.all[name]; k != nil {
		return k, false
	}
	k = &keyed{name: name, sum: sum, at: now, ready: make(chan struct{})}
	if ks.all == nil {
		ks.all = map[string]*keyed{}
	}
	ks.all[name] = k
	ks.order = append(ks.order, k)
	return k, true
}

// placed notes which call the key stands for.
func (ks *keys) placed(k *keyed, id string) {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	k.id = id
}

// settle notes what came of the first Dial with a key, and forgets one with which nothing was placed.
func (ks *keys) settle(k *keyed, c *Call, err error) {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	k.err = err
	if k.call = c; k.over {
		k.call = rest(c)
	}
	if k.id == "" {
		delete(ks.all, k.name)
		ks.order = slices.DeleteFunc(ks.order, func(o *keyed) bool { return o == k })
	}
}

// ended lets go of a call that is over. It comes when the record is stored.
func (ks *keys) ended(k *keyed, c *Call) {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	if k.over = true; k.call != nil {
		k.call = rest(c)
	}
}

// rest is what is kept in memory of a call that is over: its record, or nothing where a store has that.
func rest(c *Call) *Call {
	if c == nil || c.engine.cfg.Store != nil {
		return nil
	}
	return c.engine.past(c.Record())
}

// fingerprint tells calls apart that a key may not stand for both. Of a flow it is what it was parsed from; a
// program in Go is taken for the same.
func fingerprint(o DialOptions) (string, error) {
	program := ""
	if f, ok := o.Flow.(*flow.Flow); ok {
		program = f.ID() + "\n" + string(f.Source())
	}
	parent := ""
	if o.Parent != nil {
		parent = o.Parent.id
	}
	o.Flow, o.Parent, o.IdempotencyKey = nil, nil, ""
	o.Destination, o.Source = o.Destination.Normalize(), o.Source.Normalize()
	b, err := json.Marshal(struct {
		DialOptions
		Program, Parent string
	}{o, program, parent})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}
