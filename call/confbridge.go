package call

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/tone"
	"github.com/callbin/callbin/store"
)

// Confbridge is where calls hear each other: the two of a connect, or the many of a
// conference. All of its methods are safe for any goroutine.
type Confbridge struct {
	id     string
	kind   string // store.TypeConnect or TypeConference
	engine *Engine
	media  *media.Bridge
	auto   bool        // made by who joined first: ends with its last member
	conf   *Conference // whose bridge it is; nil: none's

	entry sync.Mutex // held while a call enters or leaves, so that it is told in that order

	mu          sync.Mutex
	members     map[*Call]chan struct{} // guarded by mu; closed when the member is out
	keys        func(*Call, string)     // guarded by mu; told of each digit of a member, on its loop; nil: nobody is
	settled     bool                    // guarded by mu; of a connect: it ends when one is left
	kept        bool                    // guarded by mu; a transfer has it: the end of its connect is not its own
	went        string                  // guarded by mu; the call that a transfer has brought in; "": none
	away        map[*Call]*absence      // guarded by mu; members that are out for a while
	noAutoLeave bool                    // guarded by mu; VoIPBIN's flag no_auto_leave: it does not end by itself
	closed      bool                    // guarded by mu
}

// ErrBridgeEnded is returned to who wants to join a bridge that is over.
var ErrBridgeEnded = errors.New("call: the bridge has ended")

func (e *Engine) newConfbridge(id, kind string) *Confbridge {
	return &Confbridge{
		id: id, kind: kind, engine: e, members: map[*Call]chan struct{}{},
		media: media.NewBridge(media.BridgeOptions{Digits: kind == store.TypeConnect, Logger: e.log}),
	}
}

// ID returns the bridge's id.
func (b *Confbridge) ID() string { return b.id }

// enter makes c a member; its media must be there. A call is in one bridge at a time.
func (b *Confbridge) enter(c *Call) error { return b.enterAs(c, media.Membership{}) }

func (b *Confbridge) enterAs(c *Call, as media.Membership) error {
	l := c.leg.Load()
	if l == nil {
		return errNoMedia
	}
	b.entry.Lock()
	defer b.entry.Unlock()
	b.mu.Lock()
	closed, member := b.closed, b.members[c] != nil
	b.mu.Unlock()
	switch {
	case closed:
		return ErrBridgeEnded
	case member:
		return nil
	case !c.bridge.CompareAndSwap(nil, b):
		return fmt.Errorf("call: join bridge %s: %w", b.id, media.ErrBridged)
	}
	if err := b.putIn(c, (*l).Port(), as); err != nil {
		c.bridge.CompareAndSwap(b, nil)
		return fmt.Errorf("call: join bridge %s: %w", b.id, err)
	}
	b.mu.Lock()
	b.members[c] = make(chan struct{})
	delete(b.away, c)
	b.mu.Unlock()
	b.consoleAll()
	c.post(Input{Kind: KindBridge, Bridge: &BridgeInput{ID: b.id, Type: b.kind, Event: "joined"}})
	c.hasMoved()
	return nil
}

// leave takes c out, if it is in.
func (b *Confbridge) leave(c *Call) {
	b.entry.Lock()
	in := c.bridge.CompareAndSwap(b, nil)
	if in {
		b.media.Leave((*c.leg.Load()).Port())
		b.mu.Lock()
		close(b.members[c])
		delete(b.members, c)
		b.mu.Unlock()
		c.console("")
		b.consoleAll()
		c.post(Input{Kind: KindBridge, Bridge: &BridgeInput{ID: b.id, Type: b.kind, Event: "leaved"}})
	}
	b.entry.Unlock()
	if in {
		b.unsupervised(c)
		b.reap()
	}
}

// reap ends a bridge that has no more purpose.
func (b *Confbridge) reap() {
	deserted := b.conf == nil || b.conf.deserted()
	b.mu.Lock()
	left := b.talkers()
	over := !b.closed && !b.noAutoLeave && (b.auto && left == 0 && deserted || b.kind == store.TypeConnect && b.settled && left < 2)
	b.mu.Unlock()
	switch {
	case !over:
	case b.conf != nil && b.auto:
		b.conf.end(LeftEmpty)
	case b.conf != nil:
		b.conf.end(LeftOneLeft)
	default:
		b.close()
	}
}

// settle says that a connect has found its two sides: from now on the end of one is that of the other.
func (b *Confbridge) settle() {
	b.mu.Lock()
	b.settled = true
	b.mu.Unlock()
}

// close takes everybody out and ends the bridge.
func (b *Confbridge) close() {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return
	}
	b.closed = true
	all := make([]*Call, 0, len(b.members))
	for c := range b.members {
		all = append(all, c)
	}
	b.mu.Unlock()
	b.engine.rooms.forget(b) // who joins from now on gets a new one
	for _, c := range all {
		b.leave(c)
	}
	// Who is just entering finds it closed, or is put out now.
	b.entry.Lock()
	b.media.Close()
	b.entry.Unlock()
	if b.conf != nil {
		b.conf.over()
	}
}

// wait returns when c is out of the bridge: nil where it left or was put out, the cause of ctx where
// that has ended, which puts it out.
func (b *Confbridge) wait(ctx context.Context, c *Call) error { return b.waitThen(ctx, c, func() {}) }

// onDigit has f called for each digit of a member from now on, on the loop of the member.
func (b *Confbridge) onDigit(f func(from *Call, digit string)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.keys = f
}

// relayedDigit is how long the tone of a digit is that one side cannot get as an event.
const relayedDigit = 100 * time.Millisecond

// digit carries a key press across where the media cannot: it came by SIP INFO, or the other
// side takes no telephone-event and has to hear it. It runs on the loop of from.
func (b *Confbridge) digit(from *Call, d string, info bool) {
	if b.conf != nil {
		b.conf.key(from, d)
	}
	if b.kind != store.TypeConnect {
		return
	}
	b.mu.Lock()
	var others []*Call
	for c := range b.members {
		if c != from && c.supervises.Load() == nil {
			others = append(others, c)
		}
	}
	if from.supervises.Load() != nil { // its keys are for nobody
		b.mu.Unlock()
		return
	}
	keys, crosses := b.keys, b.crosses()
	b.mu.Unlock()
	if keys != nil {
		keys(from, d)
	}
	for _, c := range others {
		l := c.leg.Load()
		if l == nil || !info && crosses && (*l).Events() {
			continue
		}
		b.engine.wg.Go(func() {
			if err := c.SendDigits(b.engine.callCtx, d, relayedDigit, 0); err != nil && !errors.Is(err, media.ErrClosed) {
				c.log().Warn("digit not carried across", "err", err)
			}
		})
	}
}

func (c *Call) sendDigits(ctx context.Context, digits string, duration, interval time.Duration) error {
	p, err := c.port(ctx)
	if err != nil {
		return err
	}
	err = (*c.leg.Load()).SendDigits(ctx, digits, duration, interval)
	if !errors.Is(err, errors.ErrUnsupported) {
		return whyEnded(ctx, err)
	}
	tones, err := tone.DTMF(digits, duration, interval)
	if err != nil {
		return err
	}
	return whyEnded(ctx, p.PlayOver(ctx, tones.Source(p.Rate()))) // what else is played waits
}

func (c *Call) setMute(ctx context.Context, d media.Direction, on bool) error {
	switch d {
	case "":
		d = media.Both
	case media.In, media.Out, media.Both:
	default:
		return fmt.Errorf("call: mute: direction %.20q is not in, out or both", d)
	}
	return c.command(ctx, Command{Name: "mute", Mute: &MuteCommand{Direction: d, On: on}})
}

// mute makes d, "" for none, what is silent. It runs on the loop.
func (c *Call) mute(d media.Direction) {
	l := c.leg.Load()
	if l == nil {
		return // openLeg does it
	}
	p := (*l).Port()
	p.Mute(media.In, d == media.In || d == media.Both)
	p.Mute(media.Out, d == media.Out || d == media.Both)
}

func (c *Call) joinBridge(ctx context.Context, id string) error {
	if _, ok := c.engine.Conference(id); ok {
		return c.joinByBridge(ctx, id)
	}
	if err := c.answer(ctx); err != nil {
		return err
	}
	for {
		b, err := c.engine.rooms.bridge(c.engine, id)
		if err != nil {
			return err
		}
		if b.conf != nil {
			return c.joinByBridge(ctx, id)
		}
		if err = b.enter(c); err != nil {
			b.reap()
			if errors.Is(err, ErrBridgeEnded) && ctx.Err() == nil {
				continue // its last member has just left: there is a new one now, or none
			}
			return err
		}
		return b.wait(ctx, c)
	}
}

// joinByBridge joins a conference by the id of its bridge: its rules hold by this door, too.
func (c *Call) joinByBridge(ctx context.Context, id string) error {
	got, err := c.joinConference(ctx, action.ConferenceOptions{ID: id, SkipPreFlow: true})
	if err == nil && got.Status != action.StatusOK {
		err = refused(got.Status)
	}
	return err
}

// maxRoomID bounds the name of a room, which may come from a caller.
const maxRoomID = 255

// rooms are the bridges that can be joined by name, those of conferences among them.
type rooms struct {
	mu      sync.Mutex
	bridges map[string]*Confbridge // guarded by mu
}

// bridge finds the bridge called id, or makes it where the engine allows.
func (r *rooms) bridge(e *Engine, id string) (*Confbridge, error) {
	if err := checkRoom(id); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if b := r.bridges[id]; b != nil {
		return b, nil
	}
	if !e.cfg.OpenRooms {
		return nil, fmt.Errorf("call: there is no bridge %q: %w", id, action.ErrNoConference)
	}
	b := e.newConfbridge(id, store.TypeConference)
	b.auto = true
	r.add(b)
	return b, nil
}

func (r *rooms) add(b *Confbridge) {
	if r.bridges == nil {
		r.bridges = map[string]*Confbridge{}
	}
	r.bridges[b.id] = b
}

func (r *rooms) forget(b *Confbridge) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bridges[b.id] == b {
		delete(r.bridges, b.id)
	}
}

func checkRoom(id string) error {
	if err := store.CheckID(id); err != nil || len(id) > maxRoomID {
		return fmt.Errorf("call: %.40q cannot be the name of a room: 1 to %d bytes without control characters", id, maxRoomID)
	}
	return nil
}

// Bridge tells what the bridge does that the call is in; false: it is in none.
func (c *Call) Bridge() (media.BridgeStats, bool) {
	b := c.bridge.Load()
	if b == nil {
		return media.BridgeStats{}, false
	}
	return b.media.Stats(), true
}
