package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
)

// What a bridge can play to all at the same time.
const (
	foreground = iota // Play, PlayTo
	background        // Music
	playSlots
)

// Audience says who hears what a bridge plays. The zero value is all members.
type Audience struct {
	Only   *Port // this member, and nobody else
	Except *Port // all but this one; unused where Only is set
}

// Play lets all members hear src with what they hear of each other, and returns as Port.Play does.
// While there is no member, src rests.
func (b *Bridge) Play(ctx context.Context, src Source) error { return b.PlayTo(ctx, src, Audience{}) }

// PlayTo is Play for some of the members. What is played to all, or to all but one, replaces what was so before, and
// what is played to one what was played to that one. Only has to be a member: else ErrNotMember, and ErrClosed once it
// leaves.
func (b *Bridge) PlayTo(ctx context.Context, src Source, to Audience) error {
	if to.Only != nil {
		return thenClose(src, func() error { return b.whisper(ctx, src, to.Only) })
	}
	return thenClose(src, func() error { return b.playOut(ctx, src, foreground, to.Except) })
}

// Music is Play for what goes on below what else is played: the two are mixed, and Music replaces only Music.
func (b *Bridge) Music(ctx context.Context, src Source) error {
	return thenClose(src, func() error { return b.playOut(ctx, src, background, nil) })
}

// thenClose closes src after play.
func thenClose(src Source, play func() error) error {
	err := play()
	if cerr := closeSource(src); err == nil {
		err = cerr
	}
	return err
}

func (b *Bridge) playOut(ctx context.Context, src Source, slot int, except *Port) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	pl := &playing{src: Resample(src, b.Rate()), done: make(chan error, 1)}
	b.atHome(func() {
		if b.ended {
			pl.done <- ErrClosed
			return
		}
		b.stop(slot, ErrReplaced)
		b.plays[slot] = pl
		b.playing.Store(true)
		if slot == foreground {
			b.except.Store(except)
		}
	})
	select {
	case err := <-pl.done:
		return err
	case <-ctx.Done():
	}
	// The source may be read at this moment: wait until the shard has let go of it.
	b.atHome(func() {
		if b.plays[slot] == pl {
			b.stop(slot, context.Cause(ctx))
		}
	})
	return <-pl.done
}

// stop ends what is played in a slot with err.
func (b *Bridge) stop(slot int, err error) {
	if b.plays[slot] == nil {
		return
	}
	b.plays[slot].done <- err
	b.plays[slot] = nil
	if slot == foreground {
		b.except.Store(nil)
	}
	b.playing.Store(b.plays != [playSlots]*playing{})
}

// whisper mixes src into what one member hears.
func (b *Bridge) whisper(ctx context.Context, src Source, p *Port) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	pl := &playing{src: Resample(src, b.Rate()), done: make(chan error, 1)}
	p.Do(func() {
		m := p.member
		if m == nil || m.part.b != b {
			pl.done <- ErrNotMember
			return
		}
		m.hush(ErrReplaced)
		m.over = pl
		m.part.changed()
	})
	select {
	case err := <-pl.done:
		return err
	case <-ctx.Done():
	}
	p.Do(func() {
		if m := p.member; m != nil && m.over == pl {
			m.hush(context.Cause(ctx))
			m.part.changed()
		}
	})
	return <-pl.done
}

// hush ends what is played to m alone.
func (m *member) hush(err error) {
	if m.over != nil {
		m.over.done <- err
		m.over = nil
	}
}

// playIn adds a frame of what is played to all. What one member does not hear is kept apart, until that one has been
// spoken to.
func (pt *part) playIn() {
	b := pt.b
	for slot := range b.plays {
		if b.plays[slot] != nil {
			pt.playSlot(slot)
		}
	}
}

func (pt *part) playSlot(slot int) {
	defer pt.survive()
	b := pt.b
	x := &pt.mix
	buf := pt.shard.scratch.in[:len(x.sum)]
	except := b.except.Load()
	apart := slot == foreground && except != nil
	if apart {
		buf = x.apart[:len(x.sum)]
	}
	n, err := fill(b.plays[slot].src, buf)
	x.spoke++ // also where it has nothing yet: all are to hear it at one time
	switch {
	case n > 0 && apart:
		x.apartN, x.deaf = n, except
	case n > 0:
		x.add(buf[:n])
	}
	if err == nil {
		return
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	b.stop(slot, err)
	pt.ended = true
}

// playLast speaks to the one member that does not hear what is played, and then adds that to the sum.
func (pt *part) playLast() {
	x := &pt.mix
	for _, m := range pt.members {
		if m.port == x.deaf {
			m.leaveGroup()
			m.apart, m.spoken = true, true
			m.speak(x.frame)
			m.apart = false
			break
		}
	}
	x.add(x.apart[:x.apartN])
	x.clean, x.apartN, x.deaf = false, 0, nil
}

// leaveGroup prepares for a frame in which m hears something else than its group.
func (m *member) leaveGroup() {
	if m.down == nil {
		return
	}
	if m.talk == 0 {
		m.down.follow(m.group.down) // until now it heard what its group did
	}
	m.talk = resampleTail + 1
}

// overlay adds a frame of what is played to m alone to pcm, which is at the rate of the mix.
func (m *member) overlay(pcm []int16) {
	defer m.surviveOverlay()
	buf := m.part.mix.over[:len(pcm)]
	n, err := fill(m.over.src, buf)
	for i, v := range buf[:n] {
		pcm[i] = clip(int32(pcm[i]) + int32(v))
	}
	if err == nil {
		return
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	m.hush(err)
	m.part.ended = true
}

func (m *member) surviveOverlay() {
	if r := recover(); r != nil {
		m.part.b.log.Error("media: a source panicked that was played to a member of a bridge; it ends", "err", r, "stack", string(debug.Stack()))
		m.hush(fmt.Errorf("media: panic while playing: %v", r))
		m.part.ended = true
	}
}
