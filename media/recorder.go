package media

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// ErrRecorderClosed says that Recorders was closed.
var ErrRecorderClosed = errors.New("media: recorders are closed")

// PCMWriter is where a recording goes: a WAV file, an upload. Its methods are called
// by one goroutine and may block, all recordings of its Recorders with it.
type PCMWriter interface {
	// Write takes samples: left, right, left, right of a stereo recording, else one after
	// the other. It must not keep them.
	Write(pcm []int16) error
	Close() error
}

// EndReason says why a recording ended.
type EndReason string

const (
	EndStopped  EndReason = "stopped"  // by Stop, or by closing the Recorders
	EndSilence  EndReason = "silence"  // the peer was silent for RecorderOptions.EndOfSilence
	EndDuration EndReason = "duration" // RecorderOptions.MaxDuration was reached
	EndError    EndReason = "error"    // the writer failed
)

// Recording tells what became of a recording.
type Recording struct {
	Duration time.Duration // of the sound; that of the call while it was recorded
	Lost     time.Duration // how much of it is silence because the disk or the media thread was held up
	Bytes    int64         // of the file, where the writer has a method Size() int64; else of the samples
	Reason   EndReason
	Err      error // of the writer; the sound until then is written
}

// RecorderOptions of one recording. Zero limits are none.
type RecorderOptions struct {
	Rate         int           // of the port or bridge, in Hz; 0: 8000
	Mono         bool          // one channel: in alone, as for the tap of a Bridge
	EndOfSilence time.Duration // end after so much silence of the peer, also from the start on
	SilenceLevel int           // mean amplitude of a frame below which it is silence; 0: 256 (-42 dB)
	MaxDuration  time.Duration // the longest length; the recording is cut there to the sample
	Buffer       time.Duration // how long the disk may stall without loss; 0: 3 s

	// OnEnd is told once how the recording ended. The goroutine that writes to disk calls it,
	// when the writer is closed: it must not block nor close the Recorders, and may call Stop.
	OnEnd func(Recording)
}

// Recorders writes recordings. One goroutine does so for all of them, so that a media
// thread never waits for a disk. The zero value is ready; Close ends it.
type Recorders struct {
	Interval time.Duration // between two writes of a recording; 0: 250 ms. Set it before the first Start.

	mu     sync.Mutex
	active []*Recorder // guarded by mu
	closed bool        // guarded by mu
	wake   chan struct{}
	disk   sync.WaitGroup
}

// maxGap bounds the silence that one jump of the clock can become.
const maxGap = time.Hour

// Start begins a recording. The Recorder it returns is a Tap, to be hung on a port of o.Rate.
func (s *Recorders) Start(w PCMWriter, o RecorderOptions) (*Recorder, error) {
	if o.Rate == 0 {
		o.Rate = 8000
	}
	if o.Rate < minRate || o.Rate > maxRate {
		return nil, fmt.Errorf("media: start recording: %w: %d Hz", ErrRate, o.Rate)
	}
	if o.SilenceLevel <= 0 {
		o.SilenceLevel = 256
	}
	if o.Buffer <= 0 {
		o.Buffer = 3 * time.Second
	}
	slots := max(2, int(o.Buffer/FrameDuration))
	channels := 2
	if o.Mono {
		channels = 1
	}
	size := channels * FrameLen(o.Rate)
	r := &Recorder{
		group: s, w: w, o: o, channels: channels, size: size, done: make(chan struct{}),
		ticks: make([]uint64, slots), pcm: make([]int16, slots*size),
		maxSamples: math.MaxInt64,
	}
	if o.MaxDuration > 0 {
		r.maxSamples = max(1, int64(durationSamples(o.MaxDuration, o.Rate)))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fmt.Errorf("media: start recording: %w", ErrRecorderClosed)
	}
	s.active = append(s.active, r)
	if s.wake == nil {
		s.wake = make(chan struct{}, 1) // one signal pending is as good as many
		s.disk.Go(s.run)
	}
	s.signal()
	return r, nil
}

// Close stops all recordings, waits until they are written, and ends the goroutine.
func (s *Recorders) Close() error {
	s.mu.Lock()
	s.closed = true
	for _, r := range s.active {
		r.stop.Store(true)
	}
	if s.wake != nil {
		s.signal()
	}
	s.mu.Unlock()
	s.disk.Wait()
	return nil
}

func (s *Recorders) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run is the disk goroutine.
func (s *Recorders) run() {
	interval := s.Interval
	if interval <= 0 {
		interval = 250 * time.Millisecond
	}
	t := time.NewTicker(interval)
	defer t.Stop()
	tick := t.C
	for {
		select {
		case <-tick:
			s.drain(false)
		case <-s.wake:
			s.drain(true)
		}
		s.mu.Lock()
		idle, closed := len(s.active) == 0, s.closed
		s.mu.Unlock()
		switch {
		case idle && closed:
			return
		case idle: // no need to wake up until there is something to write
			t.Stop()
			tick = nil
		case tick == nil:
			t.Reset(interval)
			tick = t.C
		}
	}
}

// drain writes what the recordings have, or only that of those that were stopped.
func (s *Recorders) drain(stoppedOnly bool) {
	s.mu.Lock()
	work := append([]*Recorder(nil), s.active...)
	s.mu.Unlock()
	for _, r := range work {
		stopped := r.stop.Load() // read before the ring, so that what came before Stop is in
		if stoppedOnly && !stopped {
			continue
		}
		r.drain()
		if stopped && r.result.Reason == "" {
			r.finish(EndStopped, nil)
		}
		if r.result.Reason == "" {
			continue
		}
		s.mu.Lock()
		for i, a := range s.active {
			if a == r {
				s.active = append(s.active[:i], s.active[i+1:]...)
				break
			}
		}
		s.mu.Unlock()
		close(r.done)
		if r.o.OnEnd != nil {
			r.o.OnEnd(r.result)
		}
	}
}

// Recorder is one recording: left is what the peer says, right what it hears; a mono one has
// only the former. Its
// length is that of the time between its first tick and its end: where the clock
// jumped or the ring was full there is silence.
type Recorder struct {
	group *Recorders
	w     PCMWriter
	o     RecorderOptions

	channels int           // 1 or 2
	size     int           // samples of a frame, those of all channels
	stop     atomic.Bool   // Stop was called
	ended    atomic.Bool   // nothing is taken any more
	done     chan struct{} // closed after result was set for good

	// The ring has a slot for each frame. The media thread writes at head and the disk
	// goroutine reads at tail; both only grow.
	ticks      []uint64
	pcm        []int16
	head, tail atomic.Uint64
	last       atomic.Uint64 // the newest tick, whether it found room or not
	ticked     atomic.Bool

	// Owned by the disk goroutine.
	started    bool
	next       uint64 // the tick that follows what is written
	samples    int64  // written, per channel
	lost       int64  // of those, silence in place of what found no room
	maxSamples int64
	quiet      int64 // samples of silence of the peer up to now
	zeros      []int16
	result     Recording
}

// Tick takes a frame (see Tap): it copies both directions to the ring and never waits.
func (r *Recorder) Tick(n uint64, in, out []int16) {
	if r.ended.Load() || r.stop.Load() {
		return
	}
	r.last.Store(n)
	r.ticked.Store(true)
	head := r.head.Load()
	if head-r.tail.Load() == uint64(len(r.ticks)) {
		return // the disk stalls: the gap in the ticks tells how much is missing
	}
	slot := int(head % uint64(len(r.ticks)))
	r.ticks[slot] = n
	if frame := r.pcm[slot*r.size : (slot+1)*r.size]; r.channels == 1 {
		clear(frame[copy(frame, in):])
	} else {
		interleave(frame, in, out)
	}
	r.head.Store(head + 1)
}

// interleave writes left and right to dst by turns; what they lack is silence.
func interleave(dst, left, right []int16) {
	n := len(dst) / 2
	if len(left) < n || len(right) < n {
		clear(dst)
		for i, s := range left[:min(n, len(left))] {
			dst[2*i] = s
		}
		for i, s := range right[:min(n, len(right))] {
			dst[2*i+1] = s
		}
		return
	}
	left, right = left[:n], right[:n]
	for i := range left {
		d := dst[2*i : 2*i+2 : 2*i+2]
		d[0], d[1] = left[i], right[i]
	}
}

// Stop ends the recording, waits until all of it is written and the writer is closed, and
// returns what became of it; the error is Recording.Err. Later calls return the same. When ctx ends
// first, its cause is returned, and the recording is finished all the same.
func (r *Recorder) Stop(ctx context.Context) (Recording, error) {
	r.stop.Store(true)
	r.group.signal()
	select {
	case <-r.done:
		return r.result, r.result.Err
	case <-ctx.Done():
		return Recording{}, fmt.Errorf("media: stop recording: %w", context.Cause(ctx))
	}
}

// Done is closed when the recording has ended and is written.
func (r *Recorder) Done() <-chan struct{} { return r.done }

// drain writes what is in the ring.
func (r *Recorder) drain() {
	last, ticked := r.last.Load(), r.ticked.Load()
	head, tail := r.head.Load(), r.tail.Load()
	for tail < head && r.result.Reason == "" {
		slot := int(tail % uint64(len(r.ticks)))
		first := r.ticks[slot]
		switch {
		case !r.started:
			r.started, r.next = true, first
		case first > r.next:
			r.gap(first - r.next)
			continue // the recording may have ended in it
		}
		// Frames that follow each other are written at once, up to the end of the ring.
		n := 1
		for tail+uint64(n) < head && slot+n < len(r.ticks) && r.ticks[slot+n] == first+uint64(n) {
			n++
		}
		r.write(r.pcm[slot*r.size : (slot+n)*r.size])
		// A clock that goes back counts as one that goes on.
		r.next = max(r.next, first) + uint64(n)
		tail += uint64(n)
		r.tail.Store(tail)
	}
	// Where the newest ticks found no room nothing in the ring tells of them.
	if r.stop.Load() && r.result.Reason == "" && ticked && r.started && last >= r.next && r.head.Load() == tail {
		r.gap(last - r.next + 1)
	}
}

// gap writes silence for so many ticks.
func (r *Recorder) gap(ticks uint64) {
	most := uint64(maxGap / FrameDuration)
	n := int64(min(ticks, most)) * int64(r.size)
	r.next += ticks
	r.lost += n / int64(r.channels)
	if r.zeros == nil {
		r.zeros = make([]int16, 10*r.size)
	}
	for n > 0 && r.result.Reason == "" {
		k := min(n, int64(len(r.zeros)))
		r.write(r.zeros[:k])
		n -= k
	}
}

// write writes whole frames up to what ends the recording.
func (r *Recorder) write(pcm []int16) {
	var reason EndReason
	if left := r.maxSamples - r.samples; int64(len(pcm)/r.channels) >= left {
		pcm, reason = pcm[:int64(r.channels)*left], EndDuration
	}
	if n, ok := r.silenceEnds(pcm); ok {
		pcm, reason = pcm[:n], EndSilence
	}
	if err := r.w.Write(pcm); err != nil {
		r.finish(EndError, fmt.Errorf("media: write recording: %w", err))
		return
	}
	r.samples += int64(len(pcm) / r.channels)
	if reason != "" {
		r.finish(reason, nil)
	}
}

// silenceEnds looks for the place in pcm where the peer has been silent for long enough.
func (r *Recorder) silenceEnds(pcm []int16) (at int, ok bool) {
	if r.o.EndOfSilence <= 0 {
		return 0, false
	}
	enough := int64(durationSamples(r.o.EndOfSilence, r.o.Rate))
	for at := 0; at < len(pcm); at += r.size {
		frame := pcm[at:min(at+r.size, len(pcm))]
		sum := 0
		for i := 0; i < len(frame); i += r.channels {
			if v := int(frame[i]); v < 0 {
				sum -= v
			} else {
				sum += v
			}
		}
		n := len(frame) / r.channels
		if sum >= n*r.o.SilenceLevel {
			r.quiet = 0
			continue
		}
		if r.quiet += int64(n); r.quiet >= enough {
			return at + len(frame), true
		}
	}
	return 0, false
}

// finish closes the writer and sets the result.
func (r *Recorder) finish(reason EndReason, err error) {
	r.ended.Store(true)
	if cerr := r.w.Close(); cerr != nil && err == nil {
		reason, err = EndError, fmt.Errorf("media: close recording: %w", cerr)
	}
	r.result = Recording{
		Duration: time.Duration(r.samples * int64(time.Second) / int64(r.o.Rate)),
		Lost:     time.Duration(r.lost * int64(time.Second) / int64(r.o.Rate)),
		Bytes:    r.samples * int64(2*r.channels),
		Reason:   reason, Err: err,
	}
	if f, ok := r.w.(interface{ Size() int64 }); ok {
		r.result.Bytes = f.Size()
	}
}
