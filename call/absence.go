package call

import (
	"context"
	"errors"
	"fmt"

	"github.com/callbin/callbin/store"
)

// absence is that of a call which is out of its bridge for a while, because of a transfer: who waits for it to leave the bridge waits
// on until it is over, wherever the call goes on then.
type absence struct {
	done chan struct{}
	to   *Confbridge // nil: nowhere; set before done is closed
}

func (a *absence) end(to *Confbridge) {
	a.to = to
	close(a.done)
}

// errNotTwo is why a bridge cannot be changed.
var errNotTwo = errors.New("call: only a call that talks to one other call can be transferred or replaced")

// take has the bridge of a connect stay when one of its two leaves, and outlive the connect.
func (b *Confbridge) take() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.kind != store.TypeConnect || b.closed || !b.settled || len(b.members) != 2 {
		return errNotTwo
	}
	b.settled, b.kept = false, true
	return nil
}

// giveBack makes b a bridge of two again: of its connect if own, else it ends when one leaves. It is over at once if one has left.
func (b *Confbridge) giveBack(own bool) {
	b.mu.Lock()
	b.settled, b.kept = true, !own
	b.mu.Unlock()
	b.reap()
}

// isKept tells whether a transfer has b, or had it to the end.
func (b *Confbridge) isKept() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.kept
}

// wentTo is the call that a transfer has brought in; "": none.
func (b *Confbridge) wentTo() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.went
}

// closeOwn is the end of the connect that b was made for.
func (b *Confbridge) closeOwn() {
	if !b.isKept() {
		b.close()
	}
}

// other is the member beside c.
func (b *Confbridge) other(c *Call) *Call {
	b.mu.Lock()
	defer b.mu.Unlock()
	for o := range b.members {
		if o != c {
			return o
		}
	}
	return nil
}

// stepOut takes c out for a while.
func (b *Confbridge) stepOut(c *Call) (*absence, error) {
	b.mu.Lock()
	if b.members[c] == nil {
		b.mu.Unlock()
		return nil, fmt.Errorf("call: %s is not in bridge %s", c.id, b.id)
	}
	a := &absence{done: make(chan struct{})}
	if b.away == nil {
		b.away = map[*Call]*absence{}
	}
	b.away[c] = a
	b.mu.Unlock()
	b.leave(c)
	return a, nil
}

// comeIn is enter for a call that may be ending.
func (b *Confbridge) comeIn(c *Call) error {
	if err := b.enter(c); err != nil {
		return err
	}
	if c.isEnding() { // before it could notice where it is
		b.leave(c)
		return fmt.Errorf("call: %s has ended", c.id)
	}
	return nil
}

// waitThen is wait, and calls before when ctx has ended and c is about to be put out.
func (b *Confbridge) waitThen(ctx context.Context, c *Call, before func()) error {
	for {
		b.mu.Lock()
		out, away := b.members[c], b.away[c]
		b.mu.Unlock()
		wake := out
		switch {
		case out != nil:
		case away != nil:
			wake = away.done
		default:
			return nil
		}
		select {
		case <-wake:
			if out != nil {
				continue
			}
			if away.to == nil {
				return nil
			}
			b = away.to
		case <-ctx.Done():
			before()
			if in := c.bridge.Load(); in != nil {
				in.leave(c)
			}
			if t := c.transfer.Load(); t != nil {
				t.left(c)
			}
			return context.Cause(ctx)
		}
	}
}
