package call

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/media"
)

// Ears says who hears what is played into a running call.
type Ears string

// The choices of PlayInto and TalkInto.
const (
	EarsCall   Ears = "call"   // the call's own peer, in place of whatever it heard
	EarsOthers Ears = "others" // the others of the bridge that it is in
	EarsAll    Ears = "all"    // all of these
)

// MaxInto is the longest sound that can be played to several at once.
const MaxInto = 10 * time.Minute

// PlayInto plays src into the call, whatever it does at the moment, and returns at its end: its flow goes on, and what an
// action, music on hold or the bridge lets its peer hear waits, or is not heard, until then. It is heard by "who", which is
// EarsCall where it is "". Another PlayInto takes the place of one that runs, which returns
// media.ErrReplaced; media.ErrClosed tells that the call was faster. Nobody hears it who is silenced. src is closed.
func (c *Call) PlayInto(ctx context.Context, src media.Source, who Ears) error {
	start := time.Now()
	err := c.playInto(ctx, src, who)
	c.notedInto("play_into", start, who, err)
	return err
}

// TalkInto speaks into the call as PlayInto plays, by the engine of Config.Deps.
func (c *Call) TalkInto(ctx context.Context, u media.Utterance, who Ears) error {
	start := time.Now()
	err := c.talkInto(ctx, u, who)
	c.notedInto("talk_into", start, who, err)
	return err
}

func (c *Call) notedInto(what string, start time.Time, who Ears, err error) {
	c.post(Input{Kind: KindNote, Note: &Note{What: what, Target: string(who), MS: time.Since(start).Milliseconds(), Error: errText(err)}})
}

func (c *Call) talkInto(ctx context.Context, u media.Utterance, who Ears) error {
	s := c.engine.cfg.Deps.Speaker
	if s == nil {
		return fmt.Errorf("call: talk: the engine has no speaker: %w", errors.ErrUnsupported)
	}
	if _, err := c.ears(who); err != nil {
		return err // before anything is spoken
	}
	src, err := s.Speak(ctx, u)
	if err != nil {
		return fmt.Errorf("call: talk: %w", err)
	}
	return c.playInto(ctx, src, who)
}

func (c *Call) playInto(ctx context.Context, src media.Source, who Ears) error {
	ports, err := c.ears(who)
	if err == nil {
		ctx, done := c.stoppable(ctx)
		defer done()
		if len(ports) == 1 {
			return whyEnded(ctx, ports[0].PlayOver(ctx, src))
		}
		clip, rerr := media.ReadAll(ctx, src, MaxInto)
		if rerr != nil {
			return fmt.Errorf("call: play: %w", rerr)
		}
		return whyEnded(ctx, playTo(ctx, ports, clip))
	}
	if cl, ok := src.(io.Closer); ok {
		cl.Close()
	}
	return err
}

// playTo plays clip to all ports at once. Who hangs up meanwhile does not count, unless all do.
func playTo(ctx context.Context, ports []*media.Port, clip *media.Clip) error {
	errs := make([]error, len(ports))
	var wg sync.WaitGroup
	for i, p := range ports {
		wg.Go(func() { errs[i] = p.PlayOver(ctx, clip.Source()) })
	}
	wg.Wait()
	closed := 0
	for i, err := range errs {
		if errors.Is(err, media.ErrClosed) {
			closed++
			errs[i] = nil
		}
	}
	if closed == len(ports) {
		return media.ErrClosed
	}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// ears are the ports of who is to hear something.
func (c *Call) ears(who Ears) ([]*media.Port, error) {
	var ports []*media.Port
	switch who {
	case "", EarsCall, EarsOthers, EarsAll:
	default:
		return nil, fmt.Errorf("call: play: %.20q is not %s, %s or %s", who, EarsCall, EarsOthers, EarsAll)
	}
	if who != EarsOthers {
		l := c.leg.Load()
		if l == nil {
			return nil, errNoMedia
		}
		ports = append(ports, (*l).Port())
	}
	if who == EarsOthers || who == EarsAll {
		b := c.bridge.Load()
		if b == nil || c.supervises.Load() != nil { // a supervisor is in it for nobody to know
			return nil, fmt.Errorf("call: play: %w", ErrNotInBridge)
		}
		for _, other := range b.others(c) {
			if l := other.leg.Load(); l != nil {
				ports = append(ports, (*l).Port())
			}
		}
	}
	if len(ports) == 0 {
		return nil, fmt.Errorf("call: play: nobody else is in the bridge: %w", ErrNotInBridge)
	}
	return ports, nil
}

// ErrNotInBridge is matched by errors about a call that talks with nobody.
var ErrNotInBridge = errors.New("call: the call is in no bridge")

// others are the members but for c.
func (b *Confbridge) others(c *Call) []*Call {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []*Call
	for m := range b.members {
		if m != c && m.supervises.Load() == nil {
			list = append(list, m)
		}
	}
	return list
}

// errPlayStopped is the cause with which StopPlaying ends what was played into a call.
var errPlayStopped = errors.New("call: the playing was stopped")

// stoppable is a context that StopPlaying ends.
func (c *Call) stoppable(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	id := new(context.CancelCauseFunc)
	*id = cancel
	c.mu.Lock()
	if c.into == nil {
		c.into = map[*context.CancelCauseFunc]bool{}
	}
	c.into[id] = true
	c.mu.Unlock()
	return ctx, func() {
		c.mu.Lock()
		if delete(c.into, id); len(c.into) == 0 {
			c.into = nil
		}
		c.mu.Unlock()
		cancel(nil)
	}
}

// StopPlaying ends what is played into the call, and the step of its flow that plays or talks, if one does: the flow goes on with the
// next one. It tells whether there was anything. Music on hold goes on: it belongs to MOH and Hold.
func (c *Call) StopPlaying() bool {
	c.mu.Lock()
	cancel := make([]context.CancelCauseFunc, 0, len(c.into))
	for f := range c.into {
		cancel = append(cancel, *f)
	}
	c.mu.Unlock()
	for _, f := range cancel {
		f(errPlayStopped)
	}
	stopped := len(cancel) > 0
	if now := c.stepNow.Load(); now != nil && now.plays.Load() > 0 {
		c.post(Input{Kind: KindNote, Note: &Note{What: "skip", Target: now.id}})
		now.cancel(action.ErrSkip)
		stopped = true
	}
	return stopped
}
