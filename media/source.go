package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

var (
	// ErrNotPrepared says that NextEncoded was called before PrepareEncoded.
	ErrNotPrepared = errors.New("media: frames are not encoded yet: PrepareEncoded comes first")
	// ErrTooLong says that ReadAll met its limit.
	ErrTooLong = errors.New("media: sound is too long")
)

// ReadAll reads src to its end, closes it and returns what it gave. A src with nothing
// ready is waited for until ctx ends. One longer than limit gives an error that matches
// ErrTooLong; limit 0 is an hour.
func ReadAll(ctx context.Context, src Source, limit time.Duration) (c *Clip, err error) {
	defer func() {
		if cerr := closeSource(src); err == nil && cerr != nil {
			c, err = nil, fmt.Errorf("media: close source: %w", cerr)
		}
	}()
	if r := src.Rate(); r < minRate || r > maxRate {
		return nil, fmt.Errorf("%w: %d Hz", ErrRate, r)
	}
	if limit <= 0 {
		limit = time.Hour
	}
	most := durationSamples(limit, src.Rate())
	var pcm []int16
	frame := make([]int16, FrameLen(src.Rate()))
	for {
		if err := context.Cause(ctx); err != nil {
			return nil, fmt.Errorf("media: read source: %w", err)
		}
		n, err := src.ReadFrame(frame)
		pcm = append(pcm, frame[:n]...)
		switch {
		case len(pcm) > most:
			return nil, fmt.Errorf("%w: more than %v", ErrTooLong, limit)
		case err == io.EOF:
			return NewClip(src.Rate(), pcm), nil
		case err != nil:
			return nil, fmt.Errorf("media: read source: %w", err)
		case n == 0:
			if err := pause(ctx, FrameDuration/4); err != nil {
				return nil, fmt.Errorf("media: read source: %w", err)
			}
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Concat plays sources one after another, without a gap, at the rate of the first;
// those of another rate are resampled. Closing it closes them all. Without any
// source it is an empty one of 8000 Hz.
func Concat(sources ...Source) Source {
	if len(sources) == 0 {
		return Silence(0, 8000)
	}
	c := &concat{rate: sources[0].Rate(), rest: make([]Source, len(sources))}
	for i, s := range sources {
		c.rest[i] = Resample(s, c.rate)
	}
	c.all = c.rest
	return c
}

type concat struct {
	rate int
	all  []Source
	rest []Source // the first one is being played
}

func (c *concat) Rate() int { return c.rate }

func (c *concat) Close() error {
	var errs []error
	for _, s := range c.all {
		errs = append(errs, closeSource(s))
	}
	return errors.Join(errs...)
}

func (c *concat) ReadFrame(dst []int16) (n int, err error) {
	dst = dst[:min(len(dst), FrameLen(c.rate))]
	for len(c.rest) > 0 {
		k, err := c.rest[0].ReadFrame(dst[n:])
		n += k
		switch {
		case err == io.EOF:
			c.rest = c.rest[1:]
		case err != nil:
			return n, err
		case k == 0 || n == len(dst):
			return n, nil
		}
	}
	return n, io.EOF
}

// Silence is a source of silence of length d.
func Silence(d time.Duration, rateHz int) Source {
	return &silence{rate: rateHz, left: max(0, durationSamples(d, rateHz))}
}

type silence struct{ rate, left int }

func (s *silence) Rate() int { return s.rate }

func (s *silence) ReadFrame(dst []int16) (int, error) {
	n := min(len(dst), FrameLen(s.rate), s.left)
	clear(dst[:n])
	if s.left -= n; s.left == 0 {
		return n, io.EOF
	}
	return n, nil
}
