package call

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/store"
)

// Parking says where calls are parked. The zero value: the orbits 701 to 720, for two minutes.
type Parking struct {
	First, Last int           // orbits that are given out; 0: 701 and 720
	Timeout     time.Duration // until a parked call goes on alone; 0: two minutes
}

// The defaults of Parking.
const (
	firstOrbit         = 701
	lastOrbit          = 720
	DefaultParkTimeout = 2 * time.Minute
)

func (p Parking) check() error {
	if p.Timeout < 0 || p.First < 0 || p.Last < 0 || p.Last < p.First && p.Last > 0 || p.First > 0 && p.Last == 0 {
		return fmt.Errorf("call: Config.Parking: orbits %d to %d for %v make no sense", p.First, p.Last, p.Timeout)
	}
	return nil
}

// orbits are the calls that are parked, or about to be.
type orbits struct {
	mu  sync.Mutex
	all map[string]*parked // guarded by mu
}

// parked is one call in its orbit.
type parked struct {
	call   *Call
	orbit  string
	there  chan struct{} // closed when it waits
	picked chan *pick    // of one
}

// pick is a pickup: the one who picks up waits in the bridge.
type pick struct {
	by     *Call
	bridge *Confbridge
	in     chan error // of one: whether the other one has come
}

// reserve finds a place for c: the one that it has already, the one called orbit, or a free one.
func (o *orbits) reserve(c *Call, orbit string, p Parking) (*parked, error) {
	if orbit != "" {
		if err := checkRoom(orbit); err != nil {
			return nil, err
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, at := range o.all {
		if at.call == c && (orbit == "" || at.orbit == orbit) {
			return at, nil
		}
	}
	if orbit == "" {
		first, last := cmp.Or(p.First, firstOrbit), cmp.Or(p.Last, lastOrbit)
		for n := first; n <= last && orbit == ""; n++ {
			if o.all[strconv.Itoa(n)] == nil {
				orbit = strconv.Itoa(n)
			}
		}
		if orbit == "" {
			return nil, fmt.Errorf("call: park: the orbits %d to %d are all taken: %w", first, last, action.ErrNoOrbit)
		}
	} else if o.all[orbit] != nil {
		return nil, fmt.Errorf("call: park: orbit %q is taken: %w", orbit, action.ErrNoOrbit)
	}
	at := &parked{call: c, orbit: orbit, there: make(chan struct{}), picked: make(chan *pick, 1)}
	if o.all == nil {
		o.all = map[string]*parked{}
	}
	o.all[orbit] = at
	return at, nil
}

// take takes the call in an orbit out; false: none waits there.
func (o *orbits) take(orbit string) (*parked, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	at := o.all[orbit]
	if at == nil || !at.isThere() {
		return nil, false
	}
	delete(o.all, orbit)
	return at, true
}

// waits tells whether a call waits in an orbit that c can pick up.
func (o *orbits) waits(orbit string, c *Call) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	at := o.all[orbit]
	return at != nil && at.call != c && at.isThere()
}

func (p *parked) isThere() bool {
	select {
	case <-p.there:
		return true
	default:
		return false
	}
}

// leave gives a place back; false: somebody was faster, and picks the call up.
func (o *orbits) leave(at *parked) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.all[at.orbit] != at {
		return false
	}
	delete(o.all, at.orbit)
	return true
}

// forget gives the places of a call back that has ended.
func (o *orbits) forget(c *Call) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for orbit, at := range o.all {
		if at.call == c {
			delete(o.all, orbit)
		}
	}
}

// ParkedCalls are the calls that wait in orbits, by orbit.
func (e *Engine) ParkedCalls() map[string]*Call {
	e.orbits.mu.Lock()
	defer e.orbits.mu.Unlock()
	list := make(map[string]*Call, len(e.orbits.all))
	for orbit, at := range e.orbits.all {
		list[orbit] = at.call
	}
	return list
}

func (c *Call) park(ctx context.Context, o action.ParkOptions) (got action.Parked, err error) {
	if o.Timeout < 0 {
		return got, fmt.Errorf("call: park: timeout %v is negative", o.Timeout)
	}
	e := c.engine
	at, err := e.orbits.reserve(c, o.Orbit, e.cfg.Parking)
	if err != nil {
		return got, err
	}
	if at.isThere() {
		return got, fmt.Errorf("call: park: the call waits in orbit %q already", at.orbit)
	}
	if err := c.answer(ctx); err != nil {
		e.orbits.leave(at)
		return got, err
	}
	got.Orbit = at.orbit
	start := time.Now()
	c.link(LinkInput{What: LinkPark, Room: at.orbit})
	close(at.there)
	timeout := time.NewTimer(cmp.Or(o.Timeout, e.cfg.Parking.Timeout, DefaultParkTimeout))
	defer timeout.Stop()
	var p *pick
	why := "timeout"
	select {
	case p = <-at.picked:
	case <-timeout.C:
	case <-ctx.Done():
		why, err = "left", context.Cause(ctx)
	}
	if p == nil && !e.orbits.leave(at) {
		p = <-at.picked // in this moment
	}
	got.Waited = time.Since(start)
	if p == nil {
		c.link(LinkInput{What: LinkPark, Room: at.orbit, Detail: why})
		return got, err
	}
	c.link(LinkInput{What: LinkPickup, Room: at.orbit, CallID: p.by.id})
	if err == nil {
		err = p.bridge.enter(c)
	}
	if p.in <- err; err != nil {
		return got, err
	}
	got.CallID = p.by.id
	begun := time.Now()
	err = p.bridge.wait(ctx, c)
	got.Talk = time.Since(begun)
	return got, err
}

// pickUp talks with the call in an orbit.
func (c *Call) pickUp(ctx context.Context, orbit string) (got action.Picked, err error) {
	e := c.engine
	nobody := fmt.Errorf("call: pickup: nobody waits in orbit %.40q: %w", orbit, action.ErrNoOrbit)
	if !e.orbits.waits(orbit, c) {
		return got, nobody
	}
	p := &pick{by: c, bridge: e.newConfbridge(newID(), store.TypeConnect), in: make(chan error, 1)}
	defer p.bridge.close() // also ends the other one's wait
	if err = c.answer(ctx); err == nil {
		err = p.bridge.enter(c)
	}
	if err != nil {
		return got, err
	}
	at, ok := e.orbits.take(orbit)
	if !ok {
		return got, nobody // any more
	}
	c.link(LinkInput{What: LinkPickup, Room: orbit, CallID: at.call.id})
	at.picked <- p
	select {
	case err := <-p.in:
		if err != nil {
			return got, nobody // it has just left
		}
	case <-ctx.Done():
		return got, context.Cause(ctx)
	}
	p.bridge.settle()
	got.CallID = at.call.id
	begun := time.Now()
	p.bridge.reap() // where the other one has left already
	err = p.bridge.wait(ctx, c)
	got.Talk = time.Since(begun)
	return got, err
}

// ParkOptions of Engine.Park.
type ParkOptions struct {
	Orbit   string        // "": a free one of Config.Parking
	Timeout time.Duration // 0: that of Config.Parking
	// Return is who is called when nobody has come in time, and then talks with the parked call. Zero: the other one of the
	// talk that it was parked out of, where there is one. Only those can be called that a flow could call.
	Return address.Address
	// NoReturn has the call hung up then.
	NoReturn bool
}

// Park takes a running call out of whatever it does and parks it, with music, until another call picks it up (Call.Pickup). Its flow ends
// by a Redirect; the talk that it was in ends with it. Park returns the orbit once it waits there.
func (e *Engine) Park(ctx context.Context, c *Call, o ParkOptions) (orbit string, err error) {
	if c == nil || c.engine != e {
		return "", errors.New("call: park: the call is not one of this engine")
	}
	if o.Timeout < 0 {
		return "", fmt.Errorf("call: park: timeout %v is negative", o.Timeout)
	}
	if c.Record().Status != store.StatusProgressing {
		return "", fmt.Errorf("call: park: call %s is not answered", c.id)
	}
	if o.Return == (address.Address{}) && !o.NoReturn {
		o.Return = c.partner()
	}
	at, err := e.orbits.reserve(c, o.Orbit, e.cfg.Parking)
	if err != nil {
		return "", err
	}
	if at.isThere() {
		return "", fmt.Errorf("call: park: call %s waits in orbit %q already", c.id, at.orbit)
	}
	p, err := e.parkFlow(at.orbit, o)
	if err == nil {
		err = c.Redirect(ctx, p)
	}
	if err != nil {
		e.orbits.leave(at)
		return "", err
	}
	select {
	case <-at.there:
		return at.orbit, nil
	case <-c.done:
		e.orbits.leave(at)
		return "", action.ErrHangup
	case <-ctx.Done():
		return at.orbit, context.Cause(ctx)
	}
}

// partner is who can be called to get the other one of c's talk back; zero: nobody.
func (c *Call) partner() address.Address {
	b := c.bridge.Load()
	if b == nil || b.kind != store.TypeConnect {
		return address.Address{}
	}
	for _, other := range b.others(c) {
		if r := other.Record(); r.Direction == store.DirectionOutgoing {
			return r.Destination
		} else if r.Source.Type == address.TypeExtension {
			return r.Source
		}
	}
	return address.Address{}
}

// parkFlow is what runs on a call that is parked from outside: made of actions, so that the activeflow tells, and a replay does it again.
func (e *Engine) parkFlow(orbit string, o ParkOptions) (*flow.Flow, error) {
	type step struct {
		ID        string         `json:"id"`
		Type      string         `json:"type"`
		Option    map[string]any `json:"option,omitempty"`
		OnTimeout string         `json:"on_timeout,omitempty"`
	}
	steps := []step{{ID: "park", Type: "park", Option: map[string]any{"orbit": orbit, "timeout": o.Timeout.Milliseconds()}}}
	if o.Return != (address.Address{}) && !o.NoReturn {
		steps[0].OnTimeout = "return"
		steps = append(steps, step{ID: "end", Type: "stop"},
			step{ID: "return", Type: "connect", Option: map[string]any{"destinations": []address.Address{o.Return}}})
	}
	text, err := json.Marshal(map[string]any{"name": "park", "actions": steps})
	if err != nil {
		return nil, fmt.Errorf("call: park: %w", err)
	}
	return flow.Parse(text, flow.ParseOptions{Registry: action.Builtin(e.cfg.Deps), Name: "park"})
}
