package action

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/callbin/callbin/media"
)

// chain plays sources of one rate one after another without a gap. They come from a
// channel, so that the first one plays while later ones are still being opened.
type chain struct {
	rate int

	mu     sync.Mutex          // the media thread reads, the action's goroutine closes
	cur    media.Source        // guarded by mu; nil: take the next one
	next   <-chan media.Source // guarded by mu; nil once all have been taken
	errs   []error             // guarded by mu; of sources that broke
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
				if c.cur = src; !ok {
					c.next = nil
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
			if !errors.Is(err, io.EOF) {
				c.errs = append(c.errs, fmt.Errorf("action: play: %w", err))
			}
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

// broken returns the errors of sources that ended early.
func (c *chain) broken() []error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.errs
}

// opening is a list of prompts that are opened one by one in the background, all at
// the rate of the first.
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
		rate := 0
		for _, ref := range refs {
			if ctx.Err() != nil {
				return
			}
			src, err := openPrompt(ctx, p, dir, ref)
			if err != nil {
				if ctx.Err() == nil {
					o.errs = append(o.errs, err)
				}
				continue
			}
			if rate == 0 {
				rate = src.Rate()
			}
			o.sources <- media.Resample(src, rate)
		}
	}()
	return o
}

func openPrompt(ctx context.Context, p Prompts, dir, ref string) (src media.Source, err error) {
	// This may not be the goroutine in which the flow catches panics.
	err = guard(func() error {
		src, err = p.OpenPrompt(ctx, dir, ref)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("action: play %q: %w", ref, err)
	}
	if src == nil || media.FrameLen(src.Rate()) < 1 {
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
