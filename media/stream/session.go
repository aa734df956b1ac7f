package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/callbin/callbin/media"
)

// Defaults of Config.
const (
	DefaultBuffer       = 2 * time.Second
	DefaultQueue        = 10 * time.Minute
	DefaultWriteTimeout = 5 * time.Second
	DefaultReconnectFor = 30 * time.Second
)

const (
	connectTimeout = 10 * time.Second
	closeTimeout   = time.Second
	pingInterval   = 10 * time.Second
	firstBackoff   = 100 * time.Millisecond
	maxBackoff     = 5 * time.Second
	// stable is how long a connection has to last before the next loss is a new one.
	stable = 30 * time.Second
	// maxDigits bounds the key presses that wait to be sent.
	maxDigits = 64
)

// Config of a Session.
type Config struct {
	Protocol Protocol
	// Open connects to the program, and again after a loss. A nil one is for a Session on a connection that the program has opened.
	Open func(ctx context.Context) (Conn, error)
	// Conn is the first connection; nil: Open makes it.
	Conn Conn
	Info Info // StreamID and CallID are needed

	// Play lets the call hear src until its end, or ctx's: the Session calls it whenever there is something. Nil: the program is not heard.
	Play func(ctx context.Context, src media.Source) error

	Buffer       time.Duration // of sound that waits for the program; beyond it is dropped. 0: DefaultBuffer
	Queue        time.Duration // of sound that waits to be played; beyond it is dropped. 0: DefaultQueue
	WriteTimeout time.Duration // for a program that takes nothing. 0: DefaultWriteTimeout
	ReconnectFor time.Duration // how long it is tried after a loss. 0: DefaultReconnectFor; negative: not at all

	// OnChange is told that the connection was lost (err says why), and that it is there again (nil). It must not block.
	OnChange func(err error)
}

// Why a stream has ended.
const (
	ReasonStopped = "stopped" // Stop, or the end of ctx
	ReasonClosed  = "closed"  // the program has closed the connection, or asked for the end
	ReasonLost    = "lost"    // the connection was lost, and did not come back in time
	ReasonError   = "error"   // the program has broken the protocol so that nothing can go on
)

// Stats are what a Session has counted.
type Stats struct {
	FramesSent      uint64 `json:"frames_sent"`
	FramesDropped   uint64 `json:"frames_dropped"`  // the program was too slow, or not there
	MessagesRead    uint64 `json:"messages_read"`   // of the program
	MessagesIgnored uint64 `json:"messages_bad"`    // that were not understood
	SamplesPlayed   uint64 `json:"samples_played"`  // or dropped by a clear
	SamplesDropped  uint64 `json:"samples_dropped"` // there were too many at once
	Marks           uint64 `json:"marks"`           // that were told
	Clears          uint64 `json:"clears"`
	Reconnects      uint64 `json:"reconnects"`
}

// Result tells how a stream has ended.
type Result struct {
	Reason string
	Err    error // of ReasonLost and ReasonError
	Stats  Stats
}

// Session is one stream. It is a media.Tap, which gets the sound of the call, at the rate of the port whatever that is. Its
// methods are safe for any goroutine.
type Session struct {
	cfg  Config
	wake chan struct{} // for the goroutine that writes
	feed *feed
	out  *playout

	stop     chan struct{}
	stopOnce sync.Once

	mu     sync.Mutex
	digits []digit // guarded by mu

	sent, read, ignored, marks, clears, reconnects atomic.Uint64

	scratch []int16 // owned by the goroutine that reads
}

type digit struct {
	key string
	d   time.Duration
}

// Connect makes a Session and its first connection. Whoever gets one calls Run.
func Connect(ctx context.Context, cfg Config) (*Session, error) {
	set := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	set(&cfg.Buffer, DefaultBuffer)
	set(&cfg.Queue, DefaultQueue)
	set(&cfg.WriteTimeout, DefaultWriteTimeout)
	set(&cfg.ReconnectFor, DefaultReconnectFor)
	if cfg.Protocol.new == nil {
		return nil, errors.New("stream: connect: no protocol: ByName makes one")
	}
	if cfg.Info.Listen == "" && cfg.Play == nil {
		return nil, errors.New("stream: connect: a stream that neither listens nor speaks")
	}
	if cfg.Conn == nil {
		if cfg.Open == nil {
			return nil, errors.New("stream: connect: neither Conn nor Open")
		}
		c, err := open(ctx, cfg.Open)
		if err != nil {
			return nil, err
		}
		cfg.Conn = c
	}
	cfg.Info.Speaks = cfg.Play != nil
	s := &Session{cfg: cfg, wake: make(chan struct{}, 1), stop: make(chan struct{})}
	tracks := 1
	if cfg.Info.Listen == media.Both {
		tracks = 2
	}
	frames := int(cfg.Buffer / media.FrameDuration)
	s.feed = newFeed(frames*(feedHead+tracks*media.FrameLen(max(8000, cfg.Protocol.Rate))), cfg.Info.Listen, s.wake)
	s.out = newPlayout(cfg.Protocol.Rate, cfg.Queue, s.wake)
	return s, nil
}

func open(ctx context.Context, f func(context.Context) (Conn, error)) (Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, connectTimeout, fmt.Errorf("stream: no connection within %v", connectTimeout))
	defer cancel()
	return f(ctx)
}

// Tick implements media.Tap.
func (s *Session) Tick(n uint64, in, out []int16) {
	if s.cfg.Info.Listen != "" {
		s.feed.Tick(n, in, out)
	}
}

// Digit tells the program that the peer has pressed a key. It does not wait.
func (s *Session) Digit(key string, d time.Duration) {
	s.mu.Lock()
	if len(s.digits) < maxDigits {
		s.digits = append(s.digits, digit{key, d})
	}
	s.mu.Unlock()
	poke(s.wake)
}

// Stop ends the stream: the program is told, and Run returns. It does not wait.
func (s *Session) Stop() { s.stopOnce.Do(func() { close(s.stop) }) }

// Stats returns what was counted so far.
func (s *Session) Stats() Stats {
	return Stats{
		FramesSent: s.sent.Load(), FramesDropped: s.feed.dropped.Load(), MessagesRead: s.read.Load(), MessagesIgnored: s.ignored.Load(),
		SamplesPlayed: s.out.passed(), SamplesDropped: s.out.dropped.Load(), Marks: s.marks.Load(), Clears: s.clears.Load(), Reconnects: s.reconnects.Load(),
	}
}

// errStopped is why a connection ends in due form from our side.
var errStopped = errors.New("stopped")

// Run carries sound until the program ends the stream, Stop, the end of ctx, or a loss that cannot be mended.
func (s *Session) Run(ctx context.Context) Result {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var player sync.WaitGroup
	if s.cfg.Play != nil {
		player.Go(func() { s.play(ctx) })
	}
	r := s.carry(ctx)
	s.out.clear()
	cancel(errStopped)
	player.Wait()
	r.Stats = s.Stats()
	return r
}

// carry is Run without the sound of the program.
func (s *Session) carry(ctx context.Context) Result {
	conn := s.cfg.Conn
	var lost time.Time // when the trouble began; zero: there is none
	for nth := 0; ; nth++ {
		began := time.Now()
		err := s.serve(ctx, conn, nth)
		switch {
		case errors.Is(err, errStopped):
			return Result{Reason: ReasonStopped}
		case errors.Is(err, ErrClosed):
			return Result{Reason: ReasonClosed}
		case errors.Is(err, errFinal):
			return Result{Reason: ReasonError, Err: err}
		case s.cfg.Open == nil || s.cfg.ReconnectFor < 0:
			return Result{Reason: ReasonLost, Err: err}
		}
		if s.cfg.OnChange != nil {
			s.cfg.OnChange(err)
		}
		if lost.IsZero() || time.Since(began) > stable {
			lost = time.Now()
		}
		conn, err = s.reconnect(ctx, lost, err)
		switch {
		case errors.Is(err, errStopped):
			return Result{Reason: ReasonStopped}
		case err != nil:
			return Result{Reason: ReasonLost, Err: err}
		}
		s.reconnects.Add(1)
		if s.cfg.OnChange != nil {
			s.cfg.OnChange(nil)
		}
	}
}

// reconnect tries until it has a connection, the time since lost is up, or the stream is to end. why is the first reason.
func (s *Session) reconnect(ctx context.Context, lost time.Time, why error) (Conn, error) {
	ctx, cancel := context.WithDeadlineCause(ctx, lost.Add(s.cfg.ReconnectFor), fmt.Errorf("stream: not reached again within %v", s.cfg.ReconnectFor))
	defer cancel()
	wait := firstBackoff
	for {
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-s.stop:
			t.Stop()
			return nil, errStopped
		case <-ctx.Done():
			t.Stop()
			return nil, lostOrStopped(ctx, why)
		}
		wait = min(2*wait, maxBackoff)
		conn, err := s.openUnlessStopped(ctx)
		if err == nil {
			return conn, nil
		}
		if errors.Is(err, errStopped) {
			return nil, err
		}
		why = err
	}
}

// lostOrStopped is the error of reconnect when its ctx has ended.
func lostOrStopped(ctx context.Context, why error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", context.Cause(ctx), why)
	}
	return errStopped
}

func (s *Session) openUnlessStopped(ctx context.Context) (Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-s.stop:
			cancel()
		case <-done:
		}
	})
	conn, err := open(ctx, s.cfg.Open)
	close(done)
	watch.Wait()
	select {
	case <-s.stop:
		if err == nil {
			s.close(conn)
		}
		return nil, errStopped
	default:
		return conn, err
	}
}

func (s *Session) close(conn Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = conn.Close(ctx) // whatever is wrong with it, it is over
}

// play lets the call hear what the program says.
func (s *Session) play(ctx context.Context) {
	for {
		select {
		case <-s.out.more:
		case <-ctx.Done():
			return
		}
		for !s.out.idle() && ctx.Err() == nil {
			err := s.cfg.Play(ctx, s.out)
			if errors.Is(err, media.ErrReplaced) {
				s.out.clear() // something else is heard now: what it would say after that is too old
			} else if err != nil {
				return // the call is over
			}
		}
	}
}
