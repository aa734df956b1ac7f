package call

import (
	"cmp"
	"context"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/tone"
)

// hear plays src to the call until stop is called, which waits. What it plays covers what the call hears of its bridge.
func (c *Call) hear(src func(rateHz int) media.Source) (stop func()) {
	return c.beside(func(ctx context.Context) { _ = c.play(ctx, src(c.rate())) }) // ended by stop, or with the call
}

// beside runs play until stop is called, which waits, or the call ends.
func (c *Call) beside(play func(ctx context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(c.flowCtx)
	done := make(chan struct{})
	c.engine.wg.Go(func() {
		defer close(done)
		play(ctx)
	})
	return func() {
		cancel()
		<-done
	}
}

// hearRinging lets the call hear that it rings elsewhere.
func (c *Call) hearRinging() (stop func()) {
	p, ok := tone.Ringback(cmp.Or(c.engine.cfg.Ringback, "us"))
	if !ok {
		p, _ = tone.Ringback("us")
	}
	return c.hear(p.Source)
}

// hearHeld lets the call hear Config.MusicOnHold.
func (c *Call) hearHeld() (stop func()) { return c.beside(c.playMusic) }
