package openai

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"strings"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/wav"
)

// Formats of speech that a server is asked for.
const (
	FormatPCM = "pcm" // 16-bit little-endian samples without a header, of Config.SpeechRate
	FormatWAV = "wav"
)

const (
	speechDepth = 10 * time.Second       // of sound that is held before the player takes it
	speechAhead = 100 * time.Millisecond // of sound that is there before Speak returns
)

// speech is the body of POST /audio/speech.
type speech struct {
	Model  string  `json:"model"`
	Input  string  `json:"input"`
	Voice  string  `json:"voice"`
	Format string  `json:"response_format"`
	Speed  float64 `json:"speed,omitempty"`
}

// Speak implements media.Speaker. It returns when the first 100 ms of sound are there, and the source gives the rest as it
// comes: ctx must not end before it is played. Close of the source ends the request. Language and gender are the model's choice; SSML is refused with
// an error that matches errors.ErrUnsupported. Errors before the sound are those of Reply; one within it comes from ReadFrame.
func (c *Client) Speak(ctx context.Context, u media.Utterance) (media.Source, error) {
	src, err := c.speak(ctx, u)
	if err != nil {
		return nil, fmt.Errorf("openai: speak: %w", err)
	}
	return src, nil
}

// CheckSpeak implements media.SpeakChecker: it tells what is known without the server.
func (c *Client) CheckSpeak(u media.Utterance) error {
	if _, err := c.speech(u); err != nil {
		return fmt.Errorf("openai: speak: %w", err)
	}
	return nil
}

func (c *Client) speech(u media.Utterance) (speech, error) {
	q := speech{Model: c.cfg.SpeechModel, Input: strings.ToValidUTF8(u.Text, "\uFFFD"), Voice: c.cfg.Voice, Format: c.cfg.SpeechFormat, Speed: u.Rate}
	if u.Voice != "" {
		q.Voice = u.Voice
	}
	switch {
	case strings.HasPrefix(strings.TrimSpace(u.Text), "<speak"):
		return q, fmt.Errorf("SSML: %w", errors.ErrUnsupported)
	case len(u.Text) > MaxSpeech:
		return q, fmt.Errorf("the text has %d bytes, at most %d: %w", len(u.Text), MaxSpeech, ErrTooLarge)
	}
	return q, nil
}

func (c *Client) speak(ctx context.Context, u media.Utterance) (media.Source, error) {
	q, err := c.speech(u)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	ctx, timer, cancel := c.patience(ctx)
	fail := func(err error) (media.Source, error) {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		cancel()
		return nil, err
	}
	resp, err := c.post(ctx, "audio/speech", "application/json", body)
	if err != nil {
		return fail(err)
	}
	s, err := openSound(resp.Body, resp.Header.Get("Content-Type"), c.cfg.SpeechRate)
	if err != nil {
		resp.Body.Close()
		return fail(err)
	}
	queue := media.NewQueue(s.rate, speechDepth)
	ready := make(chan error, 1)
	c.speaking.Go(func() { // ends with the sound, ctx, or Close of the source
		defer cancel()
		defer resp.Body.Close()
		err := s.copyTo(ctx, queue, func() { ready <- nil }, func() { timer.Stop() }, func() { timer.Reset(c.cfg.Timeout) })
		if err != nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			err = fmt.Errorf("openai: speak: %w", err)
		}
		queue.CloseWrite(err)
		select {
		case ready <- errors.Unwrap(err):
		default:
		}
	})
	if err := <-ready; err != nil { // a request whose context ends fails, too
		return nil, err
	}
	return &spoken{Queue: queue, cancel: cancel}, nil
}

// spoken is sound that comes from a server; nobody needs the rest once it is closed.
type spoken struct {
	*media.Queue
	cancel context.CancelFunc
}

func (s *spoken) Close() error {
	err := s.Queue.Close()
	s.cancel()
	return err
}

// sound is the body of an answer.
type sound struct {
	rate int
	read func(pcm []int16) (int, error)
}

// openSound looks at what an answer is. Some servers send WAV whatever they are asked for.
func openSound(body io.Reader, contentType string, rate int) (sound, error) {
	typ, _, _ := mime.ParseMediaType(contentType)
	if typ == "application/json" || strings.HasPrefix(typ, "text/") {
		return sound{}, fmt.Errorf("the answer is %s, not sound", typ)
	}
	limited := &io.LimitedReader{R: body, N: MaxSpeechAnswer}
	b := bufio.NewReader(limited)
	head, err := b.Peek(4)
	switch {
	case errors.Is(err, io.EOF):
		return sound{}, errors.New("the answer has no sound")
	case err != nil:
		return sound{}, err
	case string(head) == "RIFF":
		r, err := wav.NewReader(b, wav.Limits{})
		if err != nil {
			return sound{}, err
		}
		return sound{rate: r.Format().Rate, read: r.Read}, nil
	case string(head[:3]) == "ID3", typ == "audio/mpeg", string(head) == "OggS", string(head) == "fLaC":
		return sound{}, errors.New("the answer is compressed, though pcm or wav was asked for")
	}
	return sound{rate: rate, read: (&samples{r: b}).read}, nil
}

// samples reads PCM without a header.
type samples struct {
	r   io.Reader
	buf [4096]byte
	odd int // bytes of a sample that is not complete, at the start of buf
}

func (s *samples) read(pcm []int16) (int, error) {
	n, err := s.r.Read(s.buf[s.odd : s.odd+min(len(s.buf)-s.odd, 2*len(pcm)-s.odd)])
	n += s.odd
	for i := range n / 2 {
		pcm[i] = int16(uint16(s.buf[2*i]) | uint16(s.buf[2*i+1])<<8)
	}
	if s.odd = n % 2; s.odd == 1 {
		s.buf[0] = s.buf[n-1]
	}
	return n / 2, err
}

// copyTo reads all of the sound; begun is called once there is enough to begin with. The time that the player takes is not the server's.
func (s *sound) copyTo(ctx context.Context, q *media.Queue, begun, stop, reset func()) error {
	pcm := make([]int16, 1024)
	total := 0
	for {
		n, err := s.read(pcm)
		if n > 0 {
			stop()
			if werr := q.Write(ctx, pcm[:n]); werr != nil {
				return werr
			}
			reset()
		}
		ahead := s.rate * int(speechAhead/time.Millisecond) / 1000
		if total < ahead && total+n >= ahead {
			begun()
		}
		total += n
		switch {
		case errors.Is(err, io.EOF) && total == 0:
			return errors.New("the answer has no sound")
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}
