package action

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/callbin/callbin/media"
)

// chain plays sources one after another without a gap. They come from a channel, so
// that the first one plays while later ones are still being opened. A Source has one
// rate, so a chain ends before a source of another rate, which it hands back.
type chain struct {
	rate int

	mu     sync.Mutex          // the media thread reads, the action's goroutine takes the rest
	cur    media.Source        // guarded by mu; nil: take the next one
	next   <-chan media.Source // guarded by mu; nil once all have been taken
	rest   media.Source        // guarded by mu; one of another rate
	closed bool                // guarded by mu
}

func newChain(first media.Source, next <-chan media.Source) *chain {
	return &chain{rate: first.Rate(), cur: first, next: next}
}

func (c *chain) Rate() int { return c.rate }

// ReadFrame fills a frame from as many sources as it takes.
func (c *chain) ReadFrame(dst []int16) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	dst = dst[:min(len(dst), media.FrameLen(c.rate))]
	for n < len(dst) {
		if c.closed || (c.cur == nil && c.next == nil) {
			return n, io.EOF
		}
		if c.cur == nil {
			select {
			case src, ok := <-c.next:
				switch {
				case !ok:
					c.next = nil
				case src.Rate() != c.rate:
					c.rest, c.next = src, nil
				default:
					c.cur = src
				}
				continue
			default:
				return n, nil // the next one is still being opened
			}
		}
		m, err := c.cur.ReadFrame(dst[n:])
		n += m
		if err != nil {
			// A source that breaks ends early; the next one still plays.
			closeSource(c.cur)
			c.cur = nil
		} else if m == 0 {
			return n, nil
		}
	}
	return n, nil
}

// Close closes the source that plays; the ones behind it belong to the action.
func (c *chain) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.cur != nil {
		closeSource(c.cur)
		c.cur = nil
	}
	return nil
}

// takeRest returns the source before which the chain ended, or nil.
func (c *chain) takeRest() media.Source {
	c.mu.Lock()
	defer c.mu.Unlock()
	src := c.rest
	c.rest = nil
	return src
}

// opening is a list of prompts that are opened one by one in the background.
type opening struct {
	sources chan media.Source
	cancel  context.CancelFunc
	done    chan struct{}
	errs    []error // of those that did not open; valid once done is closed
}

func openAll(ctx context.Context, p Prompts, dir string, refs []string) *opening {
	ctx, cancel := context.WithCancel(ctx)
	o := &opening{
		sources: make(chan media.Source, len(refs)), // so that opening never waits for playing
		cancel:  cancel,
		done:    make(chan struct{}),
	}
	go func() { // waited for in close
		defer close(o.done)
		defer close(o.sources)
		for _, ref := range refs {
			if ctx.Err() != nil {
				return
			}
			src, err := openOne(ctx, p, dir, ref)
			if err != nil {
				if ctx.Err() == nil {
					o.errs = append(o.errs, err)
				}
				continue
			}
			o.sources <- src
		}
	}()
	return o
}

func openOne(ctx context.Context, p Prompts, dir, ref string) (src media.Source, err error) {
	defer func() {
		// This is not the goroutine in which the flow catches panics.
		if v := recover(); v != nil {
			src, err = nil, fmt.Errorf("action: play %q: panic: %v", ref, v)
		}
	}()
	src, err = p.OpenPrompt(ctx, dir, ref)
	if err != nil {
		return nil, fmt.Errorf("action: play %q: %w", ref, err)
	}
	if src == nil || src.Rate() < 50 {
		return nil, fmt.Errorf("action: play %q: no sound", ref)
	}
	return src, nil
}

// close ends the opening and closes the sources that nobody took.
func (o *opening) close() {
	o.cancel()
	<-o.done
	for src := range o.sources {
		closeSource(src)
	}
}
