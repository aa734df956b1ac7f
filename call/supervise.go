package call

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/store"
)

// SuperviseMode says who hears a supervisor. It hears all in each of them.
type SuperviseMode string

// The modes of Supervise.
const (
	SuperviseListen  SuperviseMode = "listen"  // nobody
	SuperviseWhisper SuperviseMode = "whisper" // the call that is supervised, and nobody else
	SuperviseBarge   SuperviseMode = "barge"   // all
)

func (m SuperviseMode) check() error {
	switch m {
	case SuperviseListen, SuperviseWhisper, SuperviseBarge:
		return nil
	}
	return fmt.Errorf("call: supervise: mode %.20q is not listen, whisper or barge", m)
}

// ErrSupervise is matched by the errors of Supervise that say that it is not allowed, or makes no sense.
var ErrSupervise = errors.New("call: not to be supervised")

// Supervision is the data of the events supervision_started, supervision_updated and supervision_ended.
type Supervision struct {
	SupervisorCallID string        `json:"supervisor_call_id"`
	CallID           string        `json:"call_id"` // that is supervised
	Mode             SuperviseMode `json:"mode"`
}

// supervising is a supervision that goes on: the supervisor's side of it.
type supervising struct {
	target *Call
	mode   SuperviseMode // guarded by the mu of the supervisor's call
}

// Supervise lets this call, the supervisor's, hear each bridge that target is in, one after the other, and be heard in it as mode says.
// It answers this call, and returns nil when target has ended, and the cause of ctx where that ends it, or
// this call's end does. Between two bridges it hears nothing. SuperviseAs goes over to another mode meanwhile.
// The others are not told, and do not hear whether somebody listens; Config.Supervise says who may.
func (c *Call) Supervise(ctx context.Context, target *Call, mode SuperviseMode) error {
	if err := c.maySupervise(ctx, target, mode); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(c.flowCtx, func() { cancel(context.Cause(c.flowCtx)) }) // with the call
	defer stop()
	if err := c.answer(ctx); err != nil {
		return err
	}
	s := &supervising{target: target, mode: mode}
	if !c.supervises.CompareAndSwap(nil, s) {
		return fmt.Errorf("%w: call %s supervises another one already", ErrSupervise, c.id)
	}
	c.toldSupervise(s, mode, "started")
	defer func() {
		c.supervises.Store(nil)
		c.toldSupervise(s, c.modeOf(s), "ended")
	}()
	for {
		moved := target.moves()
		if target.isEnding() {
			return nil
		}
		if b := target.bridge.Load(); b != nil {
			switch err := b.enter(c); {
			case err == nil:
				if err := b.wait(ctx, c); err != nil {
					return err
				}
				continue
			case !errors.Is(err, ErrBridgeEnded) && !errors.Is(err, ErrNotInBridge):
				return err
			}
		}
		select {
		case <-moved:
		case <-target.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (c *Call) maySupervise(ctx context.Context, target *Call, mode SuperviseMode) error {
	switch {
	case target == nil || target == c:
		return fmt.Errorf("%w: a call supervises another one", ErrSupervise)
	case target.engine != c.engine:
		return fmt.Errorf("%w: call %s is of another engine", ErrSupervise, target.id)
	case target.supervises.Load() != nil:
		return fmt.Errorf("%w: call %s is a supervisor's", ErrSupervise, target.id)
	}
	if err := mode.check(); err != nil {
		return err
	}
	if may := c.engine.cfg.Supervise; may != nil {
		var no error
		if err := guarded(func() error { no = may(ctx, c, target, mode); return nil }); err != nil {
			return err
		}
		if no != nil {
			return fmt.Errorf("%w: %w", ErrSupervise, no)
		}
		return nil
	}
	if fromContext(ctx) != nil {
		return fmt.Errorf("%w: by a flow, without Config.Supervise", ErrSupervise)
	}
	return nil
}

// SuperviseAs goes over to another mode, where the call supervises one.
func (c *Call) SuperviseAs(ctx context.Context, mode SuperviseMode) error {
	s := c.supervises.Load()
	if s == nil {
		return fmt.Errorf("%w: call %s supervises none", ErrSupervise, c.id)
	}
	if err := c.maySupervise(ctx, s.target, mode); err != nil {
		return err
	}
	c.mu.Lock()
	same := s.mode == mode
	s.mode = mode
	c.mu.Unlock()
	if same {
		return nil
	}
	if b := c.bridge.Load(); b != nil {
		b.entry.Lock()
		if a, ok := c.audience(); ok && c.bridge.Load() == b {
			b.media.SetMember((*c.leg.Load()).Port(), a)
		}
		b.entry.Unlock()
	}
	c.toldSupervise(s, mode, "updated")
	return nil
}

func (c *Call) modeOf(s *supervising) SuperviseMode {
	c.mu.Lock()
	defer c.mu.Unlock()
	return s.mode
}

// audience is who hears the call in a bridge, if it is a supervisor's.
func (c *Call) audience() (a media.Membership, ok bool) {
	s := c.supervises.Load()
	if s == nil {
		return a, false
	}
	switch c.modeOf(s) {
	case SuperviseWhisper:
		if l := s.target.leg.Load(); l != nil {
			a.Only = (*l).Port()
			break
		}
		fallthrough
	case SuperviseListen:
		a.Mute = true
	}
	return a, true
}

// toldSupervise links both calls, and tells.
func (c *Call) toldSupervise(s *supervising, mode SuperviseMode, event string) {
	c.link(LinkInput{What: string(mode), CallID: s.target.id, Detail: event + ", as the supervisor"})
	s.target.link(LinkInput{What: string(mode), CallID: c.id, Detail: event})
	c.engine.tell(Event{Type: "supervision_" + event, JourneyID: c.journey, Time: time.Now(), Data: Supervision{SupervisorCallID: c.id, CallID: s.target.id, Mode: mode}})
}

// moves returns a channel that is closed when the call enters a bridge the next time.
func (c *Call) moves() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.moved == nil {
		c.moved = make(chan struct{})
	}
	return c.moved
}

// hasMoved tells those that wait for it.
func (c *Call) hasMoved() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.moved != nil {
		close(c.moved)
		c.moved = nil
	}
}

// putIn makes c a member on the media side, as it is to be in it; a supervisor's call is so as it supervises. b.entry is held.
func (b *Confbridge) putIn(c *Call, p *media.Port, as media.Membership) error {
	a, ok := c.audience()
	if !ok {
		return b.media.JoinAs(p, as, nil)
	}
	s := c.supervises.Load()
	b.mu.Lock()
	there := b.members[s.target] != nil
	b.mu.Unlock()
	if !there {
		return ErrNotInBridge
	}
	return b.media.JoinAs(p, a, (*s.target.leg.Load()).Port())
}

// unsupervised takes the supervisors of c out, which has left.
func (b *Confbridge) unsupervised(c *Call) {
	b.mu.Lock()
	var all []*Call
	for m := range b.members {
		if s := m.supervises.Load(); s != nil && s.target == c {
			all = append(all, m)
		}
	}
	b.mu.Unlock()
	for _, m := range all {
		b.leave(m)
	}
}

// talkers is how many members there are that are no supervisors. b.mu is held.
func (b *Confbridge) talkers() (n int) {
	for c := range b.members {
		if c.supervises.Load() == nil {
			n++
		}
	}
	return n
}

// crosses tells whether the media carries key presses across by itself: between two of a talk, and nobody else. b.mu is held.
func (b *Confbridge) crosses() bool { return b.kind == store.TypeConnect && len(b.members) == 2 }
