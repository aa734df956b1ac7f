package action

import (
	"context"
	"sync"
)

// DigitBuffer keeps the digits that a leg's peer has pressed until the flow reads them: it makes a leg a DigitReader. The
// zero value is empty and ready; it is safe for concurrent use.
type DigitBuffer struct {
	Max int // digits that it keeps, set before use; more are lost. 0: no limit

	mu   sync.Mutex
	buf  []byte        // guarded by mu
	next chan struct{} // guarded by mu; closed and renewed at each digit
}

var _ DigitReader = (*DigitBuffer)(nil)

// Put adds digits.
func (b *DigitBuffer) Put(digits string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	room := len(digits)
	if b.Max > 0 {
		room = min(room, max(0, b.Max-len(b.buf)))
	}
	b.buf = append(b.buf, digits[:room]...)
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}

// waitLocked returns the channel of the next digit.
func (b *DigitBuffer) waitLocked() <-chan struct{} {
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}

// ReadDigit waits for a digit and takes it.
func (b *DigitBuffer) ReadDigit(ctx context.Context) (byte, error) {
	for {
		b.mu.Lock()
		if len(b.buf) > 0 {
			d := b.buf[0]
			b.buf = b.buf[1:]
			b.mu.Unlock()
			return d, nil
		}
		next := b.waitLocked()
		b.mu.Unlock()
		select {
		case <-next:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// PeekDigits returns the digits that are not read yet, and a channel that is closed at the next one.
func (b *DigitBuffer) PeekDigits() (string, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.buf), b.waitLocked()
}

// DropDigits forgets the digits that are not read yet.
func (b *DigitBuffer) DropDigits() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buf = nil
}
