package media

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// Queue is a Source of sound that is made while it is played, as by a speech engine or
// a stream from the network: one goroutine writes as fast as it likes and is
// held back once depth is full, a media thread reads a frame at a time.
type Queue struct {
	rate       int
	ring       []int16
	head, tail atomic.Uint64 // samples written and read; both only grow

	room   chan struct{} // tells the writer that there is room again
	closed chan struct{} // by Close
	done   atomic.Bool   // by Close
	end    atomic.Pointer[error]
}

// NewQueue returns a queue of sound at rateHz that holds depth of it; 0 is 5 s.
// Rates are those of NewClip.
func NewQueue(rateHz int, depth time.Duration) *Queue {
	if rateHz < minRate || rateHz > maxRate {
		panic(fmt.Sprintf("media: NewQueue: %d Hz is not %d to %d", rateHz, minRate, maxRate))
	}
	if depth <= 0 {
		depth = 5 * time.Second
	}
	return &Queue{
		rate: rateHz,
		ring: make([]int16, max(2*FrameLen(rateHz), durationSamples(depth, rateHz))),
		// One signal pending says all there is to say.
		room: make(chan struct{}, 1), closed: make(chan struct{}),
	}
}

// Rate is the queue's, in Hz.
func (q *Queue) Rate() int { return q.rate }

// Buffered is how much sound waits to be played.
func (q *Queue) Buffered() time.Duration {
	tail := q.tail.Load()
	return samplesDuration(int(q.head.Load()-tail), q.rate)
}

// Write appends pcm, and waits while the queue is full. It returns the cause of ctx when
// that ends, and io.ErrClosedPipe once the player has closed the queue or after CloseWrite. One
// goroutine at a time may call it.
func (q *Queue) Write(ctx context.Context, pcm []int16) error {
	for len(pcm) > 0 {
		if q.done.Load() || q.end.Load() != nil {
			return fmt.Errorf("media: write to queue: %w", io.ErrClosedPipe)
		}
		if err := context.Cause(ctx); err != nil {
			return fmt.Errorf("media: write to queue: %w", err)
		}
		head := q.head.Load()
		n := min(len(pcm), len(q.ring)-int(head-q.tail.Load()))
		if n == 0 {
			select {
			case <-q.room:
			case <-q.closed:
			case <-ctx.Done():
			}
			continue
		}
		at := int(head % uint64(len(q.ring)))
		k := copy(q.ring[at:], pcm[:n])
		copy(q.ring, pcm[k:n])
		q.head.Store(head + uint64(n))
		pcm = pcm[n:]
	}
	return nil
}

// CloseWrite says that no more will be written: after what is in the queue, ReadFrame returns
// err, or io.EOF where err is nil. Only the first call counts. It is for the writer.
func (q *Queue) CloseWrite(err error) {
	if err == nil {
		err = io.EOF
	}
	q.end.CompareAndSwap(nil, &err)
}

// ReadFrame returns a whole frame, or nothing while there is none yet.
func (q *Queue) ReadFrame(dst []int16) (int, error) {
	end := q.end.Load() // before head, so that what was written before it is seen
	tail := q.tail.Load()
	have := int(q.head.Load() - tail)
	dst = dst[:min(len(dst), FrameLen(q.rate))]
	if have < len(dst) && end == nil {
		return 0, nil
	}
	n := min(have, len(dst))
	at := int(tail % uint64(len(q.ring)))
	k := copy(dst[:n], q.ring[at:])
	copy(dst[k:n], q.ring)
	q.tail.Store(tail + uint64(n))
	if n > 0 {
		select {
		case q.room <- struct{}{}:
		default:
		}
	}
	if end != nil && n == have {
		return n, *end
	}
	return n, nil
}

// Close ends the queue from the player's side: a waiting Write returns. It is for one
// goroutine, and calling it again does nothing.
func (q *Queue) Close() error {
	if q.done.CompareAndSwap(false, true) {
		close(q.closed)
	}
	return nil
}
