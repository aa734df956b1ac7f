package media

import (
	"context"
	"errors"
	"io"
)

// What is played on a port lies in layers, and the highest one is heard:
//
//	layerOver    PlayOver: what is said into whatever else there is
//	layerMusic   PlayMusic: in place of the rest, for as long as it lasts
//	layerStream  PlayStream: what a program says that hears the call
//	layerPlay    Play
//	             what the port hears of its bridge
//
// A layer that is covered waits where it is, and goes on there. Where one that others follow or that goes on
// begins or ends in the middle of its sound, it does so within a frame and not at a sample, which would be a click.
const (
	layerPlay = iota
	layerStream
	layerMusic
	layerOver
	layerCount
)

// playing is one layer.
type playing struct {
	src   Source        // at the port's rate
	enc   EncodedSource // may be nil
	form  *Format       // that enc is prepared for
	done  chan error    // room for one: the shard never waits
	layer int
	heard bool  // a frame of it was sent
	rise  bool  // its next frame begins in the middle of the sound
	over  error // it ends with the next frame, for this reason; nil: it goes on
}

// Play sends src to the peer and returns nil once its last frame has been sent, or the
// error of src. When ctx ends it stops within one frame and returns context.Cause(ctx).
// A second Play replaces the first, which returns ErrReplaced; ErrClosed means that
// the port was closed. A src of another rate is resampled. The first frame goes out at
// the port's next slot, at most 20 ms away; before the line is set up Play waits. An Echo rests
// while something is played. Play always closes a src that is an io.Closer.
func (p *Port) Play(ctx context.Context, src Source) error { return p.playAt(ctx, src, layerPlay) }

// PlayStream is Play for sound that comes piece by piece and takes the place of what Play plays: that waits until src ends, and goes
// on then. While src has nothing there is silence. A second PlayStream replaces the first.
func (p *Port) PlayStream(ctx context.Context, src Source) error {
	return p.playAt(ctx, src, layerStream)
}

// PlayMusic is Play for sound that takes the place of all else that the port hears: what Play plays waits until
// it is over, and goes on then. It fades out within a frame when ctx ends. A second PlayMusic replaces the first.
func (p *Port) PlayMusic(ctx context.Context, src Source) error {
	return p.playAt(ctx, src, layerMusic)
}

// PlayOver is Play for sound that comes before music and what Play plays: both wait until it is over, and go on
// then. A second PlayOver replaces the first.
func (p *Port) PlayOver(ctx context.Context, src Source) error {
	return p.playAt(ctx, src, layerOver)
}

func (p *Port) playAt(ctx context.Context, src Source, layer int) error {
	err := p.playOut(ctx, src, layer)
	if cerr := closeSource(src); err == nil {
		err = cerr
	}
	return err
}

func (p *Port) playOut(ctx context.Context, src Source, layer int) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	form := p.format.Load()
	pl := &playing{done: make(chan error, 1), layer: layer}
	if e, ok := src.(EncodedSource); ok && form != nil && form.NewEncoder != nil {
		if err := e.PrepareEncoded(form.Codec, form.Rate, form.NewEncoder); err == nil {
			pl.enc, pl.form = e, form
		} // else it can still be read as PCM
	}
	pl.src = Resample(src, p.Rate())
	p.Post(func() {
		if p.ended {
			pl.done <- ErrClosed
			return
		}
		p.stop(p.layers[layer], ErrReplaced)
		p.layers[layer] = pl
		p.turn()
		p.update()
	})
	select {
	case err := <-pl.done:
		return err
	case <-ctx.Done():
	}
	// The source may be read at this moment: wait until the shard has let go of it.
	p.Post(func() {
		if p.layers[layer] != pl {
			return
		}
		if p.play == pl && layer == layerMusic && pl.heard && p.format.Load() != nil {
			pl.over = context.Cause(ctx)
			return
		}
		p.stop(pl, context.Cause(ctx))
		p.update()
	})
	return <-pl.done
}

// turn makes the highest layer what is heard.
func (p *Port) turn() {
	var top *playing
	for _, pl := range p.layers {
		if pl != nil {
			top = pl
		}
	}
	old := p.play
	if top == old {
		return
	}
	p.play = top
	if top != nil {
		top.rise = top.heard
	}
	if f := p.fading; f != nil && f.over != nil {
		p.stop(f, f.over) // it has had no frame left
	}
	if old != nil && old.heard && p.layers[old.layer] == old && p.format.Load() != nil {
		p.fading, old.rise = old, true
	}
}

// stop ends pl, which may be nil, with err.
func (p *Port) stop(pl *playing, err error) {
	if pl == nil {
		return
	}
	p.layers[pl.layer] = nil
	if p.fading == pl {
		p.fading = nil
	}
	pl.done <- err
	p.turn()
}

// stopAll ends all layers with err.
func (p *Port) stopAll(err error) {
	for _, pl := range p.layers {
		p.stop(pl, err)
	}
}

// playFrame sends a frame of what is played, and returns it in buf as far as taps see it.
func (p *Port) playFrame(frame uint64, buf []int16) []int16 {
	pl, form := p.play, p.format.Load()
	if form == nil {
		return nil
	}
	whole := p.fading == nil && pl.over == nil && !pl.rise
	if whole && pl.form == form && len(p.taps) == 0 && !p.muted[1] {
		payload, err := pl.enc.NextEncoded()
		if len(payload) > 0 {
			pl.heard = true
			p.line.WriteEncoded(frame, payload)
		}
		p.played(pl, err)
		return nil
	}
	n, err := fill(pl.src, buf)
	clear(buf[n:])
	if !whole {
		n, err = p.blend(buf, n, err)
	}
	if n > 0 {
		pl.heard = true
		if p.muted[1] {
			clear(buf)
		}
		p.line.WriteFrame(frame, buf)
	}
	p.played(pl, err)
	if n == 0 {
		return nil
	}
	return buf
}

// blend takes the edges off a frame of what is played, in which something begins or ends that is in the middle of its sound. err
// is that of the frame.
func (p *Port) blend(buf []int16, n int, err error) (int, error) {
	pl := p.play
	if pl.rise && n > 0 {
		pl.rise = false
		ramp(buf, true)
	}
	if pl.over != nil {
		ramp(buf, false)
		err = pl.over
	}
	if f := p.fading; f != nil {
		p.fading = nil
		tail := p.shard.scratch.tail[:len(buf)]
		k, ferr := fill(f.src, tail)
		clear(tail[k:])
		ramp(tail, false)
		for i, v := range tail {
			buf[i] = clip(int32(buf[i]) + int32(v))
		}
		n = max(n, k)
		if f.over != nil {
			ferr = f.over
		}
		p.played(f, ferr)
	}
	return n, err
}

// ramp fades a frame in or out.
func ramp(pcm []int16, up bool) {
	n := int32(len(pcm))
	for i := range n {
		k := n - i
		if up {
			k = i
		}
		pcm[i] = int16(int32(pcm[i]) * k / n)
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

func (p *Port) played(pl *playing, err error) {
	if err == nil {
		return
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	p.stop(pl, err)
	p.update()
}
