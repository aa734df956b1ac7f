package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"sync/atomic"
)

var (
	// ErrClosed says that the port is closed.
	ErrClosed = errors.New("media: the port is closed")
	// ErrReplaced says that another Play took over.
	ErrReplaced = errors.New("media: another sound is played instead")
)

// Port is the two-way audio of one leg, in frames of 20 ms on one shard's clock. All
// methods are safe for any goroutine, but must not be called on the shard itself
// unless they say so. The Port ticks only while something is to be done in each
// frame: nothing is computed for a leg that is silent and that nobody listens to.
type Port struct {
	shard *Shard
	line  Line

	format   atomic.Pointer[Format] // nil until the line can send
	fallback int                    // the rate until then
	closed   chan struct{}          // closed by End

	// Owned by the shard.
	ended     bool
	slot, pos int // place in the clock
	ticking   bool
	listening bool
	passing   bool // packets go back untouched
	pulling   bool // packets are read once a frame, not on arrival
	echo      bool
	muted     [2]bool // in, out
	play      *playing
	taps      []*tapping
}

type playing struct {
	src  Source        // at the port's rate
	enc  EncodedSource // may be nil
	form *Format       // that enc is prepared for
	done chan error    // room for one: the shard never waits
}

type tapping struct{ Tap }

// NewPort makes a port over line, which lives on shard. rateHz is Rate until SetFormat.
func NewPort(shard *Shard, line Line, rateHz int) *Port {
	return &Port{shard: shard, line: line, fallback: rateHz, closed: make(chan struct{}), slot: -1}
}

// Rate is the sample rate of the port's PCM in Hz. It may change when the peers
// negotiate another codec.
func (p *Port) Rate() int {
	if f := p.format.Load(); f != nil {
		return f.Rate
	}
	return p.fallback
}

// Play sends src to the peer and returns nil once its last frame has been sent, or the
// error of src. When ctx ends it stops within one frame and returns context.Cause(ctx).
// A second Play replaces the first, which returns ErrReplaced; ErrClosed means that
// the port was closed. A src of another rate is resampled. The first frame goes out at
// the port's next slot, at most 20 ms away; before the line is set up Play waits. An Echo rests
// while something is played. Play always closes a src that is an io.Closer.
func (p *Port) Play(ctx context.Context, src Source) error {
	err := p.playOut(ctx, src)
	if cerr := closeSource(src); err == nil {
		err = cerr
	}
	return err
}

func (p *Port) playOut(ctx context.Context, src Source) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	form := p.format.Load()
	pl := &playing{done: make(chan error, 1)}
	if e, ok := src.(EncodedSource); ok && form != nil && form.NewEncoder != nil {
		if err := e.PrepareEncoded(form.Codec, form.Rate, form.NewEncoder); err == nil {
			pl.enc, pl.form = e, form
		} // else it can still be read as PCM
	}
	pl.src = Resample(src, p.Rate())
	p.shard.Post(func() {
		if p.ended {
			pl.done <- ErrClosed
			return
		}
		p.stop(ErrReplaced)
		p.play = pl
		p.update()
	})
	select {
	case err := <-pl.done:
		return err
	case <-ctx.Done():
	}
	// The source may be read at this moment: wait until the shard has let go of it.
	p.shard.Post(func() {
		if p.play == pl {
			p.stop(context.Cause(ctx))
			p.update()
		}
	})
	return <-pl.done
}

// Echo sends the peer's audio back, or ends that. While nobody taps the port and
// nothing is muted, packets go back untouched as they arrive; else they take the way through
// the jitter buffer, decoded and encoded again. It does not wait.
func (p *Port) Echo(on bool) {
	p.shard.Post(func() {
		p.echo = on && !p.ended
		p.update()
	})
}

// Tap makes t see every frame from now on. remove ends that and returns after the last
// call of t.Tick; it must not be called by Tick. Closing the port removes all taps.
func (p *Port) Tap(t Tap) (remove func()) {
	tp := &tapping{t}
	p.shard.Post(func() {
		if p.ended {
			return
		}
		p.taps = append(p.taps, tp)
		p.update()
	})
	return func() {
		p.shard.Do(func() {
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
	p.shard.Post(func() {
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
func (p *Port) Close() { p.shard.Do(p.End) }

// SetFormat tells the port how its line sends from now on; nil: it cannot. For the
// line, on the shard.
func (p *Port) SetFormat(f *Format) {
	old := p.format.Swap(f)
	if p.play != nil && f != nil && (old == nil || old.Rate != f.Rate) {
		p.play.src = Resample(p.play.src, f.Rate)
	}
	p.update()
}

// End is Close for the line, on the shard.
func (p *Port) End() {
	if p.ended {
		return
	}
	p.ended = true
	p.echo = false
	p.stop(ErrClosed)
	clear(p.taps)
	p.taps = nil
	p.update()
	if p.slot >= 0 {
		p.shard.clock.unsettle(p.slot)
		p.slot = -1
	}
	close(p.closed)
}

// Done is closed when the port has been closed.
func (p *Port) Done() <-chan struct{} { return p.closed }

// stop ends what is played with err.
func (p *Port) stop(err error) {
	if p.play != nil {
		p.play.done <- err
		p.play = nil
	}
}

// update brings the line and the clock in step with what is wanted.
func (p *Port) update() {
	live := p.format.Load() != nil && !p.ended
	echo := live && p.echo && p.play == nil
	pass := echo && len(p.taps) == 0 && !p.muted[0] && !p.muted[1]
	listen := len(p.taps) > 0 || echo && !pass && !p.muted[0] && !p.muted[1]
	tick := listen || live && p.play != nil
	if listen != p.listening {
		p.listening = listen
		p.line.Listen(listen)
	}
	if pass != p.passing {
		p.passing = pass
		if pass {
			p.line.Forward(p.line)
		} else {
			p.line.Forward(nil)
		}
	}
	if pull := tick && !pass; pull != p.pulling {
		p.pulling = pull
		p.line.Pull(pull)
	}
	if tick != p.ticking {
		c := &p.shard.clock
		if p.ticking = tick; tick {
			if p.slot < 0 {
				p.slot = c.settle()
			}
			c.add(p)
		} else {
			c.remove(p)
		}
	}
}

// safeTick is tick; where a source or a tap panics, it ends this port and not all calls.
func (p *Port) safeTick(frame uint64) {
	defer func() {
		if r := recover(); r != nil {
			p.shard.log.Error("media: a source or tap panicked; its port is closed", "err", r, "stack", string(debug.Stack()))
			p.stop(fmt.Errorf("media: panic while playing: %v", r))
			p.End()
		}
	}()
	p.tick(frame)
}

// tick does one frame.
func (p *Port) tick(frame uint64) {
	s := &p.shard.scratch
	form := p.format.Load()
	rate := p.fallback
	if form != nil {
		rate = form.Rate
	}
	size := min(FrameLen(rate), frameMax)
	var in, out []int16
	if p.pulling {
		p.line.Receive()
	}
	if p.listening {
		if n := p.line.ReadFrame(frame, s.in[:size]); n > 0 && !p.muted[0] {
			in = s.in[:n]
		}
	}
	switch pl := p.play; {
	case form == nil:
	case pl != nil && pl.form == form && len(p.taps) == 0 && !p.muted[1]:
		payload, err := pl.enc.NextEncoded()
		if len(payload) > 0 {
			p.line.WriteEncoded(frame, payload)
		}
		p.played(err)
	case pl != nil:
		n, err := fill(pl.src, s.out[:size])
		if n > 0 {
			clear(s.out[n:size])
			out = s.out[:size]
			if p.muted[1] {
				clear(out)
			}
			p.line.WriteFrame(frame, out)
		}
		p.played(err)
	case p.echo && !p.muted[1] && in != nil:
		out = in
		p.line.WriteFrame(frame, out)
	}
	if p.muted[1] {
		out = nil
	}
	for _, t := range p.taps {
		t.Tick(frame, in, out)
	}
}

// fill reads a whole frame where the source gives shorter pieces.
func fill(src Source, dst []int16) (n int, err error) {
	for n < len(dst) {
		k, err := src.ReadFrame(dst[n:])
		n += k
		if err != nil || k == 0 {
			return n, err
		}
	}
	return n, nil
}

func (p *Port) played(err error) {
	if err == nil {
		return
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	p.stop(err)
	p.update()
}
