package call

import (
	"context"
	"errors"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/sdp"
	"github.com/callbin/callbin/media/tone"
	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/store"
)

// MusicOnHold is what somebody hears who is on hold.
type MusicOnHold struct {
	// Open is called for each one who is to hear it, and again where what it gives has come to its end. It may wait, not
	// longer than ctx lasts. Where it fails, the tune of our own is heard.
	Open func(ctx context.Context) (media.Source, error)
	// Prompt is the file or URL of the music, which Config.Deps.Prompts opens, where there is no Open.
	Prompt string
	// Off means none: who is held by us is told that nothing comes (RFC 3264 8.4: inactive), and hears silence.
	Off bool
}

// open begins the music anew.
func (e *Engine) openMusic(ctx context.Context) (media.Source, error) {
	switch m := &e.cfg.MusicOnHold; {
	case m.Off:
		return media.Silence(time.Hour, 8000), nil
	case m.Open != nil:
		return m.Open(ctx)
	case m.Prompt != "" && e.cfg.Deps.Prompts != nil:
		return e.cfg.Deps.Prompts.OpenPrompt(ctx, "", m.Prompt)
	}
	return e.tune().Loop(), nil
}

// musicPause is how long music rests that ends as soon as it has begun, or cannot be opened.
const musicPause = time.Second

// music begins or ends what the peer hears on hold. It runs on the loop.
func (c *Call) music(on bool) {
	if c.calm != nil {
		c.calm()
		c.calm = nil
	}
	if !on {
		return
	}
	ctx, cancel := context.WithCancel(c.engine.callCtx)
	c.calm = cancel
	c.engine.wg.Go(func() { c.playMusic(ctx) })
}

// playMusic plays until ctx ends, or the media does.
func (c *Call) playMusic(ctx context.Context) {
	p, err := c.port(ctx)
	if err != nil {
		return
	}
	for ctx.Err() == nil {
		begun := time.Now()
		src, err := c.engine.openMusic(ctx)
		if err != nil && ctx.Err() == nil {
			c.log().Warn("music on hold not opened", "err", err)
			src = c.engine.tune().Loop() // better than to wait in silence
		} else if err != nil {
			return
		}
		err = p.PlayMusic(ctx, src)
		if ctx.Err() != nil || errors.Is(err, media.ErrClosed) || errors.Is(err, media.ErrReplaced) {
			return
		}
		if err != nil {
			c.log().Warn("music on hold", "err", err)
		}
		if time.Since(begun) < musicPause {
			_ = sleep(ctx, musicPause) // ctx is asked above
		}
	}
}

// tune is the music of our own.
func (e *Engine) tune() *media.Clip {
	e.tuneOnce.Do(func() { e.ownTune = tone.Tune() })
	return e.ownTune
}

func (c *Call) setHold(ctx context.Context, on bool) error {
	s := SwitchCommand{On: on}
	if on {
		s.Direction = string(sdp.SendOnly)
		if c.engine.cfg.MusicOnHold.Off {
			s.Direction = string(sdp.Inactive)
		}
	}
	return c.command(ctx, Command{Name: "hold", Switch: &s})
}

func (c *Call) setSwitch(ctx context.Context, name string, on bool) error {
	return c.command(ctx, Command{Name: name, Switch: &SwitchCommand{On: on}})
}

// offer sends an offer of ours within the call. It runs on the loop.
func (c *Call) offer(body string) (Input, bool) {
	err := c.dialog.Load().Offer([]byte(body))
	if err == nil || errors.Is(err, sip.ErrEnded) { // the end is on its way to the loop
		return Input{}, false
	}
	return Input{Kind: KindSIP, SIP: &sip.Event{Kind: sip.EventAnswer, Local: true, Status: 491, Reason: err.Error()}}, true
}

// consoleAll tells the members of a talk whether the peer of one of them holds it: the others hear music meanwhile.
func (b *Confbridge) consoleAll() {
	if b.kind != store.TypeConnect {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.members {
		if c.supervises.Load() != nil {
			continue // it hears what there is
		}
		holder := ""
		for other := range b.members {
			if other != c && other.holding.Load() && other.supervises.Load() == nil {
				holder = other.id
			}
		}
		c.console(holder)
	}
}

// console lets the peer hear music as long as the peer of the call holder holds that; "" ends it.
func (c *Call) console(holder string) {
	c.mu.Lock()
	was := c.holder
	c.holder = holder
	c.mu.Unlock()
	switch {
	case was == holder:
	case holder != "":
		c.link(LinkInput{What: LinkMOH, CallID: holder, Detail: "on"})
	default:
		c.link(LinkInput{What: LinkMOH, CallID: was, Detail: "off"})
	}
}
