package vosk

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/callbin/callbin/media"
)

const (
	// The server compares this text as a string: it has to have these two spaces.
	eofMessage    = `{"eof" : 1}`
	configMessage = `{"config" : {"sample_rate" : %d, "words" : 1}}`

	maxAhead       = 5 * time.Second // of sound without an answer
	goodbyeTimeout = time.Second
)

// session is one transcription: a goroutine sends, the caller's receives.
type session struct {
	cfg  Config
	conn *websocket.Conn
	src  media.Stream

	window  chan struct{} // holds one for each message that has no answer yet
	answers atomic.Int64  // received
	last    atomic.Int64  // number of the answer that ends it; math.MaxInt64 until eof was sent
}

func newSession(cfg Config, conn *websocket.Conn, src media.Stream) *session {
	s := &session{cfg: cfg, conn: conn, src: src, window: make(chan struct{}, max(1, int(maxAhead/cfg.Chunk)))}
	s.last.Store(math.MaxInt64)
	return s
}

// run ends when both sides are done, and closes the connection.
func (s *session) run(parent context.Context, tell func(media.Transcript)) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	var sender sync.WaitGroup
	sender.Go(func() { cancel(s.send(ctx)) })
	err := s.receive(ctx, tell)
	switch {
	case err == nil:
	case errors.As(err, new(websocket.CloseError)): // the server says why
	case ctx.Err() != nil:
		err = context.Cause(ctx) // the sender's error, or why parent ended
	}
	if err == nil {
		s.goodbye(parent)
	}
	cancel(err)
	_ = s.conn.CloseNow()
	sender.Wait()
	return err
}

// goodbye waits for the server to close the connection, which it does after its last text;
// Read answers it. The Close of the connection would wait for 5 s, whatever ctx says.
func (s *session) goodbye(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, goodbyeTimeout)
	defer cancel()
	_, _, _ = s.conn.Read(ctx)
}

// send sends the sound and its end. It returns why the receiver should not go on.
func (s *session) send(ctx context.Context) error {
	err := s.sendAll(ctx)
	if errors.Is(err, errBroken) || err == nil {
		// What the server said before it hung up tells more than a write that failed, and when
		// all is well its last text is still to come.
		select {
		case <-ctx.Done():
		case <-time.After(s.cfg.Timeout):
		}
		if err == nil {
			err = fmt.Errorf("no last text within %v: %w", s.cfg.Timeout, errTimeout)
		}
	}
	return err
}

// errBroken is matched by the error of a write that failed.
var errBroken = errors.New("the connection is broken")

func (s *session) sendAll(ctx context.Context) error {
	rate := s.src.Rate()
	if err := s.write(ctx, websocket.MessageText, fmt.Appendf(nil, configMessage, rate)); err != nil {
		return err
	}
	pcm := make([]int16, max(1, int(s.cfg.Chunk*time.Duration(rate)/time.Second)))
	raw := make([]byte, 0, 2*len(pcm))
	for sent := int64(0); ; sent++ {
		n, err := s.fill(ctx, pcm)
		if n > 0 {
			if err := s.waitForServer(ctx); err != nil {
				return err
			}
			raw = raw[:0]
			for _, v := range pcm[:n] {
				raw = binary.LittleEndian.AppendUint16(raw, uint16(v))
			}
			if err := s.write(ctx, websocket.MessageBinary, raw); err != nil {
				return err
			}
		}
		switch {
		case err == nil:
			continue
		case !errors.Is(err, io.EOF):
			return err
		}
		if n > 0 {
			sent++
		}
		s.last.Store(sent + 1)
		return s.write(ctx, websocket.MessageText, []byte(eofMessage))
	}
}

// fill reads from the source until pcm is full or an error comes.
func (s *session) fill(ctx context.Context, pcm []int16) (n int, err error) {
	for n < len(pcm) {
		k, err := s.src.Read(ctx, pcm[n:])
		n += k
		if errors.Is(err, io.EOF) {
			return n, io.EOF
		}
		if err != nil {
			return n, fmt.Errorf("read sound: %w", err)
		}
	}
	return n, nil
}

// waitForServer waits while the server is too far behind.
func (s *session) waitForServer(ctx context.Context) error {
	select {
	case s.window <- struct{}{}:
		return nil
	default:
	}
	timer := time.NewTimer(s.cfg.Timeout)
	defer timer.Stop()
	select {
	case s.window <- struct{}{}:
		return nil
	case <-timer.C:
		return fmt.Errorf("no answer within %v: %w", s.cfg.Timeout, errTimeout)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *session) write(ctx context.Context, typ websocket.MessageType, b []byte) error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.cfg.Timeout, fmt.Errorf("no message is taken within %v: %w", s.cfg.Timeout, errTimeout))
	defer cancel()
	err := s.conn.Write(ctx, typ, b)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return fmt.Errorf("%w: %w", errBroken, err)
}

// receive tells texts until the last one.
func (s *session) receive(ctx context.Context, tell func(media.Transcript)) error {
	guess := ""
	for {
		_, b, err := s.conn.Read(ctx)
		if err != nil {
			return s.readError(err)
		}
		t, err := decode(b)
		if err != nil {
			return err
		}
		select {
		case <-s.window:
		default: // a server that answers the config, too
		}
		if t.Text != "" && (t.Final || t.Text != guess) {
			tell(t)
		}
		guess = t.Text
		if t.Final {
			guess = ""
		}
		if s.answers.Add(1) >= s.last.Load() && t.Final {
			return nil
		}
	}
}

// readError is nil where a server that gives fewer answers hangs up after the end.
func (s *session) readError(err error) error {
	var closed websocket.CloseError
	switch {
	case errors.Is(err, websocket.ErrMessageTooBig):
		return fmt.Errorf("a message of more than %d bytes: %w", s.cfg.MaxMessage, err)
	case !errors.As(err, &closed):
		return fmt.Errorf("%w: %w", errBroken, err)
	case s.last.Load() < math.MaxInt64 && (closed.Code == websocket.StatusNormalClosure || closed.Code == websocket.StatusNoStatusRcvd):
		return nil
	}
	return fmt.Errorf("the server hung up: %w", err)
}
