package media

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
)

var (
	// ErrClosed says that the port or the bridge is closed.
	ErrClosed = errors.New("media: the port is closed")
	// ErrReplaced says that another Play took over.
	ErrReplaced = errors.New("media: another sound is played instead")
)

// Port is the two-way audio of one leg, in frames of 20 ms on one shard's clock. All
// methods are safe for any goroutine, but must not be called on the shard itself
// unless they say so. The Port ticks only while something is to be done in each
// frame: nothing is computed for a leg that is silent and that nobody listens to.
type Port struct {
	line Line

	format   atomic.Pointer[Format] // nil until the line can send
	fallback int                    // the rate until then
	closed   chan struct{}          // closed by End
	bridge   atomic.Pointer[Bridge] // who may move it, and makes it a member
	level    atomic.Uint32          // see Level

	home    sync.Mutex // never held while anything runs
	moving  bool       // guarded by home
	pending []func()   // posted while moving; guarded by home

	// Owned by the shard. Others read shard under home.
	shard     *Shard
	ended     bool
	beat      beat
	listening bool
	forward   PacketWriter // packets go there untouched
	pulling   bool         // packets are read once a frame, not on arrival
	echo      bool
	uneven    bool     // packets of the peer are not of the agreed length
	muted     [2]bool  // in, out
	play      *playing // what is heard: the highest of layers
	layers    [layerCount]*playing
	fading    *playing // covered by play in this frame, or nil
	taps      []*tapping
	member    *member // of a bridge; nil: none
}

type tapping struct{ Tap }

// NewPort makes a port over line, which lives on shard. rateHz is Rate until SetFormat.
func NewPort(shard *Shard, line Line, rateHz int) *Port {
	p := &Port{shard: shard, line: line, fallback: rateHz, closed: make(chan struct{})}
	p.beat = beat{tick: p.safeTick, slot: -1}
	return p
}

// Rate is the sample rate of the port's PCM in Hz. It may change when the peers
// negotiate another codec.
func (p *Port) Rate() int {
	if f := p.format.Load(); f != nil {
		return f.Rate
	}
	return p.fallback
}

// Echo sends the peer's audio back, or ends that; in a bridge it rests. While nobody taps the port and
// nothing is muted, packets go back untouched as they arrive; else they take the way through
// the jitter buffer, decoded and encoded again. It does not wait.
func (p *Port) Echo(on bool) {
	p.Post(func() {
		p.echo = on && !p.ended
		p.update()
	})
}

// Tap makes t see every frame from now on. remove ends that and returns after the last
// call of t.Tick; it must not be called by Tick. Closing the port removes all taps.
func (p *Port) Tap(t Tap) (remove func()) {
	tp := &tapping{t}
	p.Post(func() {
		if p.ended {
			return
		}
		p.taps = append(p.taps, tp)
		p.update()
	})
	return func() {
		p.Do(func() {
			if i := slices.Index(p.taps, tp); i >= 0 {
				p.taps = slices.Delete(p.taps, i, i+1)
				p.update()
			}
		})
	}
}

// Mute silences a direction, or ends that: In is what the peer says, Out what it hears.
// Taps see the silence too. What is played goes on meanwhile. It does not wait.
func (p *Port) Mute(d Direction, on bool) {
	p.Post(func() {
		if d == In || d == Both {
			p.muted[0] = on
		}
		if d == Out || d == Both {
			p.muted[1] = on
		}
		p.update()
	})
}

// Close ends what is played with ErrClosed and removes all taps. It waits for that;
// closing twice does nothing.
func (p *Port) Close() { p.Do(p.End) }

// SetFormat tells the port how its line sends from now on; nil: it cannot. For the
// line, on the shard.
func (p *Port) SetFormat(f *Format) {
	old := p.format.Swap(f)
	p.uneven = false
	for _, pl := range p.layers {
		if pl != nil && f != nil && (old == nil || old.Rate != f.Rate) {
			pl.src = Resample(pl.src, f.Rate)
		}
	}
	p.update()
}

// SetUneven tells that the peer's packets are not as long as Format.Span, until the next
// SetFormat: they are not passed on untouched then. For the line, on the shard.
func (p *Port) SetUneven() {
	p.uneven = true
	p.update()
}

// End is Close for the line, on the shard.
func (p *Port) End() {
	if p.ended {
		return
	}
	p.ended = true
	p.echo = false
	p.stopAll(ErrClosed)
	clear(p.taps)
	p.taps = nil
	if p.member != nil {
		p.member.part.remove(p.member)
	}
	p.update()
	p.shard.clock.unsettle(&p.beat)
	close(p.closed)
}

// Done is closed when the port has been closed.
func (p *Port) Done() <-chan struct{} { return p.closed }

// update brings the line and the clock in step with what is wanted.
func (p *Port) update() {
	if p.member != nil {
		p.member.part.update()
		return
	}
	live := p.format.Load() != nil && !p.ended
	echo := live && p.echo && p.play == nil
	var forward PacketWriter
	if echo && len(p.taps) == 0 && !p.muted[0] && !p.muted[1] {
		forward = p.line
	}
	listen := len(p.taps) > 0 || echo && forward == nil && !p.muted[0] && !p.muted[1]
	tick := listen || live && p.play != nil
	p.set(listen, forward, false, tick && forward == nil)
	p.shard.clock.set(&p.beat, tick)
}

// set tells the line what has changed.
func (p *Port) set(listen bool, forward PacketWriter, held, pull bool) {
	if listen && !p.listening {
		p.line.Listen(true)
	}
	if forward != p.forward {
		p.forward = forward
		p.line.Forward(forward, held)
	}
	if !listen && p.listening { // what it holds was forwarded
		p.line.Listen(false)
	}
	p.listening = listen
	if pull != p.pulling {
		p.pulling = pull
		p.line.Pull(pull)
	}
}

// safeTick is tick; where a source or a tap panics, it ends this port and not all calls.
func (p *Port) safeTick(frame uint64) {
	defer p.survive()
	p.tick(frame)
}

// survive is deferred by what calls sources and taps.
func (p *Port) survive() {
	if r := recover(); r != nil {
		p.shard.log.Error("media: a source or tap panicked; its port is closed", "err", r, "stack", string(debug.Stack()))
		p.stopAll(fmt.Errorf("media: panic while playing: %v", r))
		p.End()
	}
}

// tick does one frame.
func (p *Port) tick(frame uint64) {
	s := &p.shard.scratch
	size := p.frameLen()
	var in, out []int16
	if p.pulling {
		p.line.Receive()
	}
	if p.listening {
		if n, _ := p.line.ReadFrame(frame, s.in[:size]); n > 0 && !p.muted[0] {
			in = s.in[:n]
		}
	}
	switch {
	case p.play != nil:
		out = p.playFrame(frame, s.out[:size])
	case p.echo && !p.muted[1] && in != nil && p.format.Load() != nil:
		out = in
		p.line.WriteFrame(frame, out)
	}
	p.tapFrame(frame, in, out)
}

// frameLen is the number of samples of a frame at the present rate.
func (p *Port) frameLen() int { return min(FrameLen(p.Rate()), frameMax) }

func (p *Port) tapFrame(frame uint64, in, out []int16) {
	if p.muted[1] {
		out = nil
	}
	for _, t := range p.taps {
		t.Tick(frame, in, out)
	}
}
