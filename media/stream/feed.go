package stream

import (
	"sync/atomic"

	"github.com/callbin/callbin/media"
)

// feedHead is how many samples stand before each frame in the ring: its number, and the lengths of in and out.
const feedHead = 6

// feed carries frames from the media thread, which must not wait, to one reader that is woken for each. When it is full
// the newest frame is dropped: a reader that comes back takes what there is faster than it comes.
type feed struct {
	wake   chan struct{} // room for one; shared with the rest of the session
	listen media.Direction

	on      atomic.Bool // somebody reads
	limit   uint64      // samples that wait
	ring    []int16     // a power of two, no less than limit
	head    atomic.Uint64
	tail    atomic.Uint64
	dropped atomic.Uint64 // frames
}

func newFeed(samples int, listen media.Direction, wake chan struct{}) *feed {
	size := 1024
	for size < samples {
		size *= 2
	}
	return &feed{wake: wake, listen: listen, limit: uint64(max(samples, 1024)), ring: make([]int16, size)}
}

// Tick takes a frame on the media thread.
func (f *feed) Tick(n uint64, in, out []int16) {
	switch f.listen {
	case media.In:
		out = nil
	case media.Out:
		in = nil
	}
	size := uint64(feedHead + len(in) + len(out))
	head := f.head.Load()
	if !f.on.Load() || head+size-f.tail.Load() > f.limit {
		f.dropped.Add(1)
		return
	}
	h := [feedHead]int16{int16(n), int16(n >> 16), int16(n >> 32), int16(n >> 48), int16(len(in)), int16(len(out))}
	at := f.write(head, h[:])
	at = f.write(at, in)
	f.head.Store(f.write(at, out))
	poke(f.wake)
}

// poke wakes who waits for c, now or later.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// write copies pcm into the ring, around its end.
func (f *feed) write(at uint64, pcm []int16) uint64 {
	i := int(at % uint64(len(f.ring)))
	k := copy(f.ring[i:], pcm)
	copy(f.ring, pcm[k:])
	return at + uint64(len(pcm))
}

// read copies samples out of the ring.
func (f *feed) read(at uint64, dst []int16) uint64 {
	i := int(at % uint64(len(f.ring)))
	k := copy(dst, f.ring[i:])
	copy(dst[k:], f.ring)
	return at + uint64(len(dst))
}

// begin makes the reader's start: what came before is gone.
func (f *feed) begin() {
	var fr frame
	for f.take(&fr) {
		f.dropped.Add(1)
	}
	f.on.Store(true)
}

// end says that nobody reads any more, for now.
func (f *feed) end() { f.on.Store(false) }

// frame is one frame of both directions, at the rate of the port. Empty is silence.
type frame struct {
	n       uint64
	in, out []int16
}

// take reads the oldest frame into fr, whose slices it uses again.
func (f *feed) take(fr *frame) bool {
	tail := f.tail.Load()
	if tail == f.head.Load() {
		return false
	}
	var h [feedHead]int16
	at := f.read(tail, h[:])
	fr.n = uint64(uint16(h[0])) | uint64(uint16(h[1]))<<16 | uint64(uint16(h[2]))<<32 | uint64(uint16(h[3]))<<48
	fr.in = sized(fr.in, int(h[4]))
	fr.out = sized(fr.out, int(h[5]))
	at = f.read(at, fr.in)
	f.tail.Store(f.read(at, fr.out))
	return true
}

// sized is s with n elements, in new memory where it is too small.
func sized[T int16 | byte](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
