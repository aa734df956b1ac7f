package media

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// ShardsConfig says how media threads are made. The zero value is one shard per
// CPU, on epoll where the system has it.
type ShardsConfig struct {
	N        int          // number of shards; 0: one per CPU
	Portable bool         // a goroutine per socket and Go timers instead of epoll; always so outside Linux
	Logger   *slog.Logger // nil: slog.Default()
}

// Shards are the media threads of a program. Each owns its ports, sockets and
// clock alone, so that nothing on the way of a packet takes a lock. It is safe
// for concurrent use.
type Shards struct {
	log      *slog.Logger
	portable bool
	all      []*Shard
	ran      atomic.Bool
}

// NewShards makes the shards; nothing runs before Run.
func NewShards(cfg ShardsConfig) *Shards {
	n := cfg.N
	if n <= 0 {
		n = runtime.NumCPU()
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	s := &Shards{log: cfg.Logger, portable: cfg.Portable || !pollerAvailable}
	// A second in, so that no event has the time 0, which stands for never.
	base := time.Now().Add(-time.Second)
	for range n {
		s.all = append(s.all, newShard(base, s.portable, cfg.Logger))
	}
	return s
}

// Portable tells whether sockets are to be read by a goroutine each.
func (s *Shards) Portable() bool { return s.portable }

// Run drives the shards until ctx ends, then closes every port on them and
// returns nil. It blocks; call it once. What was posted before is kept. An error
// means that the system refused the event queue.
func (s *Shards) Run(ctx context.Context) error {
	if s.ran.Swap(true) {
		return errors.New("media: Shards.Run called twice")
	}
	var wg sync.WaitGroup
	errs := make([]error, len(s.all))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for i, sh := range s.all {
		wg.Go(func() {
			if err := sh.run(ctx); err != nil {
				errs[i] = fmt.Errorf("media: shard %d: %w", i, err)
				cancel()
			}
			sh.inline() // what came too late for run to see
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Pick returns the shard with the fewest residents.
func (s *Shards) Pick() *Shard {
	best := s.all[0]
	for _, sh := range s.all[1:] {
		if sh.load.Load() < best.load.Load() {
			best = sh
		}
	}
	return best
}

// Lateness sums up how late the ticks of all shards were since the start.
func (s *Shards) Lateness() LatenessStats {
	var h lateness
	for _, sh := range s.all {
		h.merge(&sh.clock.late)
	}
	return h.stats()
}

// Resident is something that lives on a shard and must give up its sockets when
// the shard ends. ShardEnds runs on the shard.
type Resident interface{ ShardEnds() }

// Delivery is something that another goroutine hands to a shard: a packet that
// was read elsewhere. Deliver runs on the shard.
type Delivery interface{ Deliver() }

// Readable is told that a watched socket can be read (or has an error to fetch).
// Readable runs on the shard and must take at least one datagram without
// blocking; it is called again while there is more.
type Readable interface{ Readable() }

// Shard is one media thread. Post, Do, Feed and Portable may be called from any
// goroutine; every other method from the shard itself only, that is inside Post,
// Do, a Timer, Deliver or Readable.
type Shard struct {
	base     time.Time
	portable bool
	log      *slog.Logger
	load     atomic.Int32 // residents

	// exec is held by whoever is the shard at the moment: its thread while it is awake.
	// While it sleeps in the kernel, and before and after Shards.Run, a goroutine that
	// posts becomes the shard for these few microseconds. That saves two thread switches
	// a call, which cost more than opening and closing the sockets of a call. It is
	// taken once a wake-up, never per packet.
	exec sync.Mutex

	mu       sync.Mutex
	queue    []func()    // guarded by mu
	posted   atomic.Bool // the queue is not empty
	fed      atomic.Bool // nor is the inbox
	stopping atomic.Bool

	inbox inbox

	// Guarded by exec: owned by the shard.
	poll      poller        // nil unless Shards.Run runs
	sleeping  bool          // the thread is in the kernel, or on its way
	until     time.Duration // when it is going to wake; negative: never
	now       time.Duration
	spare     []func()
	residents map[Resident]struct{}
	watched   map[int]Readable
	clock     clock
	scratch   Scratch
}

// Scratch is memory that whatever runs on a shard may use until it returns.
type Scratch struct {
	Packet  [2048]byte // a datagram being built
	Receive [2048]byte // a datagram being read
	Forward Packet     // one on its way to another line
	Key     Key        // a key press on its way there
	in, out [frameMax]int16
	tail    [frameMax]int16 // of what fades out
	silence [frameMax]int16 // never written
}

// Silence is one frame of silence at rateHz, not to be written to.
func (s *Scratch) Silence(rateHz int) []int16 { return s.silence[:min(FrameLen(rateHz), frameMax)] }

// frameMax is one frame at 48 kHz.
const frameMax = 960

func newShard(base time.Time, portable bool, log *slog.Logger) *Shard {
	s := &Shard{base: base, portable: portable, log: log, residents: map[Resident]struct{}{}, watched: map[int]Readable{}}
	s.inbox.init(inboxLen)
	s.clock.shard = s
	return s
}

// Portable tells whether sockets of this shard are read by a goroutine each, which
// uses Feed, instead of by Watch.
func (s *Shard) Portable() bool { return s.portable }

// Post runs f on the shard, in the order of posting. It does not wait for a shard that
// is awake. While it sleeps, or does not run at all, the caller itself becomes the shard
// for as long as something is posted.
func (s *Shard) Post(f func()) {
	s.enqueue(f)
	s.inline()
}

// enqueue is the half of Post that keeps the order.
func (s *Shard) enqueue(f ...func()) {
	s.mu.Lock()
	s.queue = append(s.queue, f...)
	s.posted.Store(true)
	s.mu.Unlock()
}

// inline does what was posted and fed in the caller's goroutine, unless somebody is the
// shard: who looks again after giving exec up.
func (s *Shard) inline() {
	for (s.posted.Load() || s.fed.Load()) && s.exec.TryLock() {
		s.standIn()
	}
}

// standIn is the shard once, and gives exec up even where a posted function panics: its
// caller may recover.
func (s *Shard) standIn() {
	defer s.exec.Unlock()
	s.now = time.Since(s.base)
	s.drain()
	if s.sleeping && s.poll != nil {
		if at := s.clock.next(); s.stopping.Load() || at >= 0 && (s.until < 0 || at < s.until) {
			s.until = at
			s.poll.wake()
		}
	}
}

// Do runs f on the shard and returns when it has run. It must not be called on
// the shard itself.
func (s *Shard) Do(f func()) {
	done := make(chan struct{})
	s.Post(func() {
		defer close(done)
		f()
	})
	<-done
}

// Feed hands d to the shard without waiting, locking or allocating. It reports
// false when the shard is so far behind that its queue is full, or has ended.
func (s *Shard) Feed(d Delivery) bool {
	if s.stopping.Load() || !s.inbox.push(d) {
		return false
	}
	s.fed.Store(true)
	s.inline()
	return true
}

// hand is Feed for another shard's thread, which has work of its own: it wakes this one
// instead of standing in for it.
func (s *Shard) hand(d Delivery) bool {
	if s.stopping.Load() || !s.inbox.push(d) {
		return false
	}
	s.fed.Store(true)
	if !s.exec.TryLock() {
		return true // whoever is the shard looks again before it sleeps
	}
	awake := s.poll != nil
	if awake && s.sleeping {
		s.poll.wake()
	}
	s.exec.Unlock()
	if !awake {
		s.inline()
	}
	return true
}

// Now is the time of the shard since its Shards were made, as of its last wake-up.
func (s *Shard) Now() time.Duration { return s.now }

// At turns a time of the shard into a wall-clock time.
func (s *Shard) At(d time.Duration) time.Time { return s.base.Add(d) }

// Scratch is the shard's scratch memory.
func (s *Shard) Scratch() *Scratch { return &s.scratch }

// Admit makes r a resident, told when the shard ends; false if it has ended.
func (s *Shard) Admit(r Resident) bool {
	if s.stopping.Load() {
		return false
	}
	if _, ok := s.residents[r]; !ok {
		s.residents[r] = struct{}{}
		s.load.Add(1)
	}
	return true
}

// Dismiss ends r's residence.
func (s *Shard) Dismiss(r Resident) {
	if _, ok := s.residents[r]; ok {
		delete(s.residents, r)
		s.load.Add(-1)
	}
}

// Watch calls r whenever the socket fd can be read. It is for non-portable shards.
func (s *Shard) Watch(fd int, r Readable) error {
	s.watched[fd] = r
	if s.poll == nil {
		return nil
	}
	if err := s.poll.watch(fd, r); err != nil {
		delete(s.watched, fd)
		return fmt.Errorf("media: watch socket: %w", err)
	}
	return nil
}

// Unwatch ends Watch; call it before fd is closed.
func (s *Shard) Unwatch(fd int) {
	if _, ok := s.watched[fd]; !ok {
		return
	}
	delete(s.watched, fd)
	if s.poll != nil {
		s.poll.unwatch(fd)
	}
}

// drain does what was posted and fed.
func (s *Shard) drain() {
	if s.posted.Load() {
		s.mu.Lock()
		q := s.queue
		s.queue = s.spare[:0]
		s.posted.Store(false)
		s.mu.Unlock()
		for i, f := range q {
			q[i] = nil
			f()
		}
		s.spare = q
	}
	if s.fed.Load() {
		s.fed.Store(false)
		if s.inbox.drain() {
			s.fed.Store(true)
		}
	}
}

func (s *Shard) run(ctx context.Context) error {
	s.exec.Lock()
	defer s.exec.Unlock()
	if !s.portable {
		// A thread of its own: the kernel then schedules it by itself, and its
		// caches are not handed from goroutine to goroutine.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
	}
	p, err := newPoller(s)
	if err != nil {
		s.end()
		return err
	}
	for fd, r := range s.watched {
		if err := p.watch(fd, r); err != nil {
			s.log.Error("media: watch socket", "err", err)
		}
	}
	s.poll = p
	release := context.AfterFunc(ctx, func() { s.Post(func() { s.stopping.Store(true) }) })
	defer release()

	for !s.stopping.Load() {
		s.now = time.Since(s.base)
		s.drain()
		s.clock.run(s.now)
		s.until = s.clock.next()
		wait := s.until
		if wait >= 0 {
			wait = max(0, wait-time.Since(s.base))
		}
		s.sleeping = true
		s.exec.Unlock()
		if s.posted.Load() || s.fed.Load() || s.stopping.Load() {
			wait = 0
		}
		n := p.wait(wait)
		s.exec.Lock()
		s.sleeping = false
		if n > 0 {
			s.now = time.Since(s.base)
			p.dispatch(n)
		}
	}
	s.end()
	s.poll = nil
	p.close()
	return nil
}

// end closes what lives here.
func (s *Shard) end() {
	s.stopping.Store(true)
	for r := range s.residents {
		r.ShardEnds()
		s.Dismiss(r)
	}
	s.inbox.drain()
}

// poller waits for sockets, posts and deadlines.
type poller interface {
	// wait sleeps up to d (negative: for ever) and returns the number of events for dispatch.
	// It is the only method that is called without exec.
	wait(d time.Duration) int
	dispatch(n int)
	wake()
	watch(fd int, r Readable) error
	unwatch(fd int)
	close()
}

// chanPoller is the portable one: packets arrive by Feed.
type chanPoller struct {
	ring  chan struct{}
	timer *time.Timer
}

func newChanPoller() *chanPoller {
	t := time.NewTimer(time.Hour)
	t.Stop()
	// One token is enough: it only says "look again".
	return &chanPoller{ring: make(chan struct{}, 1), timer: t}
}

func (p *chanPoller) wait(d time.Duration) int {
	switch {
	case d == 0:
	case d < 0:
		<-p.ring
	default:
		p.timer.Reset(d)
		select {
		case <-p.ring:
			p.timer.Stop()
		case <-p.timer.C:
		}
	}
	return 0
}

func (p *chanPoller) dispatch(int) {}

func (p *chanPoller) wake() {
	select {
	case p.ring <- struct{}{}:
	default:
	}
}

func (p *chanPoller) watch(int, Readable) error { return errors.ErrUnsupported }
func (p *chanPoller) unwatch(int)               {}
func (p *chanPoller) close()                    { p.timer.Stop() }
