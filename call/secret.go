package call

import (
	"context"
	"sync"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/media/rtp"
	"github.com/callbin/callbin/sip"
)

// HiddenDigit stands in a trace for a key that was pressed while a conference asked for its PIN: no flow reads it, in a replay neither. What
// a flow reads, as the PIN of a mailbox, is a hiddenDigit.
const HiddenDigit = "!"

// secretDigits are keys that must not get into a trace, an event or a flow: until they are disclosed, they go to
// who asked for them past the loop, which only sees that there was a key.
type secretDigits struct {
	action.DigitBuffer
	call *Call

	mu   sync.Mutex
	over bool   // guarded by mu; what goes down now is no secret
	down string // guarded by mu; the key whose end is still to come: that says which one it was
}

// hideDigits has the keys of the call come to the buffer that it returns, until done.
func (c *Call) hideDigits() (keys *secretDigits, done func()) {
	keys = &secretDigits{call: c}
	keys.Max = maxDigits
	c.secret.Store(keys)
	return keys, keys.disclose
}

func (k *secretDigits) disclose() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.over = true; k.down == "" {
		k.call.secret.CompareAndSwap(k, nil)
	}
}

// conceal takes a key out of an input, if it holds one. What it replaces it copies: the media and SIP sides keep theirs.
func (k *secretDigits) conceal(in Input) Input {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case in.Kind == KindMedia && in.Media.Kind == rtp.EventDigit && !k.over:
		k.down = in.Media.Digit
		k.Put(k.down)
		in.Media = maskedDigit(in.Media, HiddenDigit)
	case in.Kind == KindMedia && in.Media.Kind == rtp.EventDigitEnd && (!k.over || in.Media.Digit == k.down):
		in.Media = maskedDigit(in.Media, HiddenDigit)
		if k.down = ""; k.over {
			k.call.secret.CompareAndSwap(k, nil)
		}
	case in.Kind == KindSIP && in.SIP.Kind == sip.EventInfo && !k.over:
		d := infoDigit(in.SIP.ContentType, in.SIP.Body)
		if d == "" {
			break
		}
		k.Put(d)
		ev := *in.SIP
		ev.Body = []byte("Signal=" + HiddenDigit)
		in.SIP = &ev
	}
	return in
}

// betweenKeys is how long a PIN waits for its next key.
const betweenKeys = 4 * time.Second

// read collects keys until # or until there are most of them. first is how long it waits for the first one; a * begins anew.
// What was typed when time was up is what was typed.
func (k *secretDigits) read(ctx context.Context, first time.Duration, most int) (typed string, err error) {
	wait := first
	for {
		key, err := func() (byte, error) {
			ctx, cancel := context.WithTimeoutCause(ctx, wait, action.ErrTimeout)
			defer cancel()
			return k.ReadDigit(ctx)
		}()
		switch {
		case ctx.Err() != nil:
			return "", context.Cause(ctx)
		case err != nil: // time is up
			return typed, nil
		case key == '#':
			return typed + "#", nil
		case key == '*':
			typed = ""
		default:
			typed += string(key)
		}
		if len(typed) >= most {
			return typed, nil
		}
		wait = betweenKeys
	}
}

// untilKey is ctx until the first key.
func (k *secretDigits) untilKey(ctx context.Context) (context.Context, context.CancelFunc) {
	return untilDigit(ctx, k)
}

// untilDigit is ctx until the first key that r has.
func untilDigit(ctx context.Context, r action.DigitReader) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	had, next := r.PeekDigits()
	if had != "" {
		cancel()
		return ctx, cancel
	}
	done := make(chan struct{})
	go func() { // waited for by the cancel function
		defer close(done)
		select {
		case <-next:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		cancel()
		<-done
	}
}
