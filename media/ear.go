package media

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// EarOptions of an Ear. The zero value hears the peer at 8000 Hz.
type EarOptions struct {
	Direction Direction     // In, Out, or Both mixed; empty: In
	Rate      int           // of the port or bridge, in Hz; 0: 8000
	Buffer    time.Duration // how far the reader may be behind before sound is dropped; 0: 5 s
}

// maxHole bounds the silence that an Ear puts where the clock jumped.
const maxHole = time.Second

// Ear makes the sound of a port a Stream for a reader that need not keep up: it is a
// Tap, to be hung on a port of its rate. When its buffer is full the oldest sound is dropped.
// Where the clock jumped there is silence, of a second at most. Tick and Close may be called by
// any goroutines, Read by one at a time.
type Ear struct {
	o      EarOptions
	size   int           // samples of a frame
	done   chan struct{} // closed by Close
	closed sync.Once

	// The ring has a slot for each frame. Only the media thread moves head; both sides move
	// tail, the reader to take a frame and the media thread to drop one. busy is one more than
	// the frame that the reader copies at the moment, so that its slot is not written to.
	pcm              []int16
	head, tail, busy atomic.Uint64
	dropped          atomic.Uint64 // samples

	// Owned by the media thread.
	started bool
	next    uint64 // the tick that should come

	// Owned by the reader.
	frame []int16
	rest  []int16 // of frame, not yet read
}

var (
	_ Tap    = (*Ear)(nil)
	_ Stream = (*Ear)(nil)
)

// NewEar returns an Ear. It has nothing to be released but its memory; Close ends the stream.
func NewEar(o EarOptions) (*Ear, error) {
	if o.Direction == "" {
		o.Direction = In
	}
	if o.Rate == 0 {
		o.Rate = 8000
	}
	if o.Buffer <= 0 {
		o.Buffer = 5 * time.Second
	}
	if o.Direction != In && o.Direction != Out && o.Direction != Both {
		return nil, fmt.Errorf("media: new ear: direction %q is not in, out or both", o.Direction)
	}
	if o.Rate < minRate || o.Rate > maxRate {
		return nil, fmt.Errorf("media: new ear: %w: %d Hz", ErrRate, o.Rate)
	}
	size := FrameLen(o.Rate)
	slots := max(2, int(o.Buffer/FrameDuration))
	return &Ear{
		o: o, size: size, done: make(chan struct{}),
		pcm: make([]int16, slots*size), frame: make([]int16, size),
	}, nil
}

// Rate is that of the options.
func (e *Ear) Rate() int { return e.o.Rate }

// Dropped returns how many samples were lost because the reader was too slow.
func (e *Ear) Dropped() uint64 { return e.dropped.Load() }

// Tick takes a frame (see Tap): it copies it to the ring and never waits.
func (e *Ear) Tick(n uint64, in, out []int16) {
	select {
	case <-e.done:
		return
	default:
	}
	if e.started && n > e.next {
		for range min(n-e.next, uint64(maxHole/FrameDuration)) {
			e.put(nil, nil)
		}
	}
	e.started, e.next = true, n+1
	switch e.o.Direction {
	case In:
		e.put(in, nil)
	case Out:
		e.put(out, nil)
	default:
		e.put(in, out)
	}
}

// put adds the sum of a and b to the ring.
func (e *Ear) put(a, b []int16) {
	slots := uint64(len(e.pcm) / e.size)
	head := e.head.Load()
	// The reader may take the oldest frame at this moment: that makes room, too.
	if tail := e.tail.Load(); head-tail == slots && e.tail.CompareAndSwap(tail, tail+1) {
		e.dropped.Add(uint64(e.size))
	}
	if head >= slots && e.busy.Load() == head-slots+1 {
		e.dropped.Add(uint64(e.size)) // the reader still copies what stood here
		return
	}
	at := int(head%slots) * e.size
	sum(e.pcm[at:at+e.size], a, b)
	e.head.Store(head + 1)
}

// sum writes a and b, mixed, to dst; what they lack is silence.
func sum(dst, a, b []int16) {
	clear(dst[copy(dst, a):])
	for i, s := range b[:min(len(b), len(dst))] {
		dst[i] = clip(int32(dst[i]) + int32(s))
	}
}

// take copies the oldest frame out of the ring.
func (e *Ear) take() bool {
	slots := uint64(len(e.pcm) / e.size)
	for {
		tail := e.tail.Load()
		if tail == e.head.Load() {
			return false
		}
		e.busy.Store(tail + 1) // before tail moves, see put
		if e.tail.CompareAndSwap(tail, tail+1) {
			at := int(tail%slots) * e.size
			copy(e.frame, e.pcm[at:at+e.size])
			e.busy.Store(0)
			e.rest = e.frame
			return true
		}
		e.busy.Store(0)
	}
}

// Read waits until there is sound and returns as much of it as there is, at most len(dst)
// samples. After Close it returns what is left, then io.EOF; when ctx ends, context.Cause(ctx).
func (e *Ear) Read(ctx context.Context, dst []int16) (int, error) {
	if len(dst) == 0 {
		return 0, nil
	}
	var timer *time.Timer
	for {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		ended := false // looked at before the ring, so that what came before Close is in
		select {
		case <-e.done:
			ended = true
		default:
		}
		n := 0
		for n < len(dst) && (len(e.rest) > 0 || e.take()) {
			k := copy(dst[n:], e.rest)
			e.rest = e.rest[k:]
			n += k
		}
		switch {
		case n > 0:
			return n, nil
		case ended:
			return 0, io.EOF
		}
		// A clock of its own: to wake a reader costs more than all else that Tick does, and
		// the media thread would pay for it.
		if timer == nil {
			timer = time.NewTimer(FrameDuration)
			defer timer.Stop()
		} else {
			timer.Reset(FrameDuration)
		}
		select {
		case <-timer.C:
		case <-e.done:
		case <-ctx.Done():
		}
	}
}

// Close ends the stream: what comes later is not taken. It does not wait for the reader.
func (e *Ear) Close() error {
	e.closed.Do(func() { close(e.done) })
	return nil
}
