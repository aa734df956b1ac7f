package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/callbin/callbin/media"
)

// serve carries sound over one connection until it is lost or the stream ends, and tells why. It closes conn.
func (s *Session) serve(ctx context.Context, conn Conn, nth int) error {
	w := s.cfg.Protocol.new(&s.cfg.Info, s.cfg.Protocol.Rate, nth)
	life, end := context.WithCancelCause(context.WithoutCancel(ctx)) // the end of ctx is told to the program
	defer end(nil)
	p := &pump{s: s, conn: conn, wire: w, answers: make(chan string, 16), life: life}
	var all sync.WaitGroup
	heard := make(chan struct{}) // closed when nothing more is read
	all.Go(func() {
		defer close(heard)
		end(p.read(life))
	})
	all.Go(func() {
		if err := p.ping(life); err != nil {
			end(err)
		}
	})
	all.Go(func() { // a program that takes nothing does not hold up the end
		select {
		case <-s.stop:
		case <-ctx.Done():
		case <-life.Done():
			return
		}
		t := time.NewTimer(closeTimeout)
		defer t.Stop()
		select {
		case <-t.C:
			end(errStopped)
		case <-life.Done():
		}
	})
	err := p.write(ctx, life)
	s.feed.end()
	if errors.Is(err, errLost) && !errors.Is(err, errStalled) {
		err = p.whyLost(heard, err)
	}
	if errors.Is(err, errStopped) {
		_ = w.end(p.send) // as far as it is still heard
	}
	if !errors.Is(err, errLost) {
		s.close(conn) // while it is read: that ends it in due form
	}
	end(err)
	all.Wait()
	if errors.Is(err, errLost) {
		s.close(conn)
	}
	s.out.clear()
	s.out.forget()
	return err
}

// whyLost is err, of a write, or what the reader knows better: a connection that was closed in due form cannot be written to either.
func (p *pump) whyLost(heard <-chan struct{}, err error) error {
	t := time.NewTimer(closeTimeout)
	defer t.Stop()
	select {
	case <-heard:
		return p.ended()
	case <-t.C:
		return err
	}
}

// errStalled is matched by the error of a program that takes nothing.
var errStalled = errors.New("the program takes nothing")

// errLost is matched by the errors of a connection that is of no use any more.
var errLost = errors.New("connection lost")

// pump is what belongs to one connection.
type pump struct {
	s       *Session
	conn    Conn
	wire    wire
	life    context.Context
	answers chan string // texts that the reader wants to be sent

	frame   frame
	next    uint64 // number of the frame that should come
	started bool
	tracks  [2]track
}

// track is one direction on its way to the rate of the wire.
type track struct {
	from     int // the rate that resample is for
	resample *media.Resampler
	pcm      []int16
}

func (p *pump) send(m Message) error {
	ctx, cancel := context.WithTimeoutCause(p.life, p.s.cfg.WriteTimeout, fmt.Errorf("%w for %v", errStalled, p.s.cfg.WriteTimeout))
	defer cancel()
	err := p.conn.Write(ctx, m)
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("%w: write: %w", errLost, err)
	}
	return nil
}

// say makes f's error that of the connection, which may have ended for another reason before.
func (p *pump) say(f func() error) error {
	err := f()
	if err != nil && p.life.Err() != nil && !errors.Is(err, errStalled) {
		return p.ended()
	}
	return err
}

// ended is why life has ended.
func (p *pump) ended() error {
	err := context.Cause(p.life)
	if errors.Is(err, ErrClosed) || errors.Is(err, errFinal) || errors.Is(err, errLost) {
		return err
	}
	return errStopped
}

// write is the goroutine that writes.
func (p *pump) write(ctx, life context.Context) error {
	if err := p.say(func() error { return p.wire.begin(p.send) }); err != nil {
		return err
	}
	p.s.feed.begin()
	for {
		if err := p.say(p.flush); err != nil {
			return err
		}
		select {
		case <-p.s.wake:
		case text := <-p.answers:
			if err := p.say(func() error { return p.send(Message{TextMessage, []byte(text)}) }); err != nil {
				return err
			}
		case <-p.s.stop:
			return errStopped
		case <-ctx.Done():
			return errStopped
		case <-life.Done():
			return p.ended()
		}
	}
}

// flush sends all that there is.
func (p *pump) flush() error {
	s := p.s
	for {
		m, ok := s.out.due()
		if !ok {
			break
		}
		if err := p.wire.mark(p.send, m); err != nil {
			return err
		}
		s.marks.Add(1)
	}
	s.mu.Lock()
	keys := s.digits
	s.digits = nil
	s.mu.Unlock()
	for _, k := range keys {
		if err := p.wire.digit(p.send, k.key, k.d); err != nil {
			return err
		}
	}
	for s.feed.take(&p.frame) {
		if err := p.sendFrame(); err != nil {
			return err
		}
	}
	return nil
}

// maxHole bounds the silence that is sent where the clock jumped.
const maxHole = 50 // frames

// sendFrame sends p.frame, and silence before it where frames are missing.
func (p *pump) sendFrame() error {
	f := &p.frame
	if p.started && f.n > p.next {
		hole := min(f.n-p.next, maxHole)
		for i := f.n - hole; i < f.n; i++ {
			if err := p.sendPCM(i, nil, nil); err != nil {
				return err
			}
		}
	}
	p.started, p.next = true, f.n+1
	return p.sendPCM(f.n, f.in, f.out)
}

func (p *pump) sendPCM(n uint64, in, out []int16) error {
	var err error
	switch p.s.cfg.Info.Listen {
	case media.In:
		in, err = p.tracks[0].at(p.s.cfg.Protocol.Rate, in)
		out = nil
	case media.Out:
		out, err = p.tracks[1].at(p.s.cfg.Protocol.Rate, out)
		in = nil
	default:
		var oerr error
		in, err = p.tracks[0].at(p.s.cfg.Protocol.Rate, in)
		out, oerr = p.tracks[1].at(p.s.cfg.Protocol.Rate, out)
		err = errors.Join(err, oerr)
		if p.s.cfg.Protocol.Mixed {
			for i, v := range out[:min(len(in), len(out))] {
				in[i] = int16(max(-32768, min(32767, int32(in[i])+int32(v))))
			}
			out = nil
		}
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errFinal, err)
	}
	if err := p.wire.media(p.send, n, in, out); err != nil {
		return err
	}
	p.s.sent.Add(1)
	return nil
}

// at returns a frame at another rate; none is silence. What it returns is good until the next call.
func (t *track) at(rateHz int, pcm []int16) ([]int16, error) {
	from := len(pcm) * int(time.Second/media.FrameDuration)
	if from == 0 {
		if from = t.from; from == 0 {
			from = rateHz
		}
	}
	want := media.FrameLen(rateHz)
	t.pcm = sized(t.pcm, want)
	if from == rateHz {
		t.from, t.resample = from, nil
		clear(t.pcm[copy(t.pcm, pcm):])
		return t.pcm, nil
	}
	if t.resample == nil || t.from != from {
		r, err := media.NewResampler(from, rateHz)
		if err != nil {
			return nil, err
		}
		t.from, t.resample = from, r
	}
	if len(pcm) == 0 {
		pcm = make([]int16, media.FrameLen(from))
	}
	n, _ := t.resample.Process(t.pcm, pcm)
	clear(t.pcm[n:])
	return t.pcm, nil
}

// ping finds out that the other end does not read, or is not there any more.
func (p *pump) ping(life context.Context) error {
	t := time.NewTicker(pingInterval)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-life.Done():
			return nil
		}
		ctx, cancel := context.WithTimeout(life, pingInterval)
		err := p.conn.Ping(ctx)
		cancel()
		if err != nil && life.Err() == nil {
			return fmt.Errorf("%w: no answer to a ping within %v", errLost, pingInterval)
		}
	}
}

// read is the goroutine that reads.
func (p *pump) read(life context.Context) error {
	ended := false
	do := func(c command) { ended = p.do(c) || ended }
	for {
		m, err := p.conn.Read(life)
		switch {
		case errors.Is(err, ErrClosed), errors.Is(err, errFinal):
			return err
		case err != nil:
			return fmt.Errorf("%w: read: %w", errLost, err)
		}
		p.s.read.Add(1)
		if !p.wire.read(m, do) {
			p.s.ignored.Add(1)
		}
		if ended {
			return ErrClosed
		}
	}
}

// do does what the program asks for. It returns whether the stream is to end.
func (p *pump) do(c command) (end bool) {
	s := p.s
	switch c.op {
	case opSound:
		if s.cfg.Play != nil {
			s.hear(c.pcm, c.rate)
		}
	case opMark:
		if !s.out.mark(c.name, c.kind) {
			s.ignored.Add(1)
		}
	case opClear:
		s.out.clear()
		s.clears.Add(1)
	case opClearMarks:
		s.out.cutMarks()
	case opSend:
		select {
		case p.answers <- c.name:
		default: // it asks faster than it reads
			s.ignored.Add(1)
		}
	case opEnd:
		return true
	}
	return false
}

// hear takes what the program says, at rate, or at the protocol's where that is 0.
func (s *Session) hear(pcm []int16, rate int) {
	if rate == 0 || rate == s.cfg.Protocol.Rate {
		s.out.put(pcm)
		return
	}
	src := media.Resample(media.NewClip(rate, pcm).Source(), s.cfg.Protocol.Rate)
	s.scratch = sized(s.scratch, media.FrameLen(s.cfg.Protocol.Rate))
	for {
		n, err := src.ReadFrame(s.scratch)
		s.out.put(s.scratch[:n])
		if err != nil {
			return
		}
	}
}
