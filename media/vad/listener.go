package vad

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/callbin/callbin/media"
)

// ListenerConfig of a Listener. Zero fields are the defaults.
type ListenerConfig struct {
	Detector Config        // its Rate is not looked at: it is that of the stream
	Lead     time.Duration // sound before speech that is part of an utterance; 0: 200 ms
	Longest  time.Duration // an utterance is cut there, and the next one begins; 0: 30 s
}

// Heard is an Event, with the sound where it is an end.
type Heard struct {
	Event
	Sound *media.Clip // of Ended: the utterance with Lead before it, and 100 ms after it
}

// Listener cuts a stream into utterances. It belongs to one goroutine.
type Listener struct {
	src  media.Stream
	d    *Detector
	o    ListenerConfig
	pcm  []int16 // that may still belong to an utterance
	from int64   // position of its first sample
	next []int16 // a frame that is not complete
	err  error   // why the stream ended

	start int64 // of the utterance that is spoken
}

const tail = 100 * time.Millisecond // what a voice leaves behind its last loud frame

// NewListener returns a Listener to src, which has a rate that a Detector takes.
func NewListener(src media.Stream, cfg ListenerConfig) (*Listener, error) {
	cfg.Detector.Rate = src.Rate()
	d, err := New(cfg.Detector)
	if err != nil {
		return nil, fmt.Errorf("vad: new listener: %w", err)
	}
	if cfg.Lead <= 0 {
		cfg.Lead = 200 * time.Millisecond
	}
	if cfg.Longest <= 0 {
		cfg.Longest = 30 * time.Second
	}
	return &Listener{src: src, d: d, o: cfg, next: make([]int16, 0, media.FrameLen(src.Rate()))}, nil
}

func (l *Listener) samples(d time.Duration) int64 {
	return int64(d) * int64(l.d.rate) / int64(time.Second)
}

// Next waits for the next beginning or end of speech. Where the stream ends in the midst of an utterance that is Ended first; then
// comes io.EOF. When ctx ends it is context.Cause(ctx).
func (l *Listener) Next(ctx context.Context) (Heard, error) {
	for {
		if l.err != nil {
			return l.finish()
		}
		room := l.next[len(l.next):cap(l.next)]
		n, err := l.src.Read(ctx, room)
		l.next = l.next[:len(l.next)+n]
		switch {
		case errors.Is(err, io.EOF):
			l.err = io.EOF
			continue
		case err != nil:
			return Heard{}, err
		case len(l.next) < cap(l.next):
			continue
		}
		if h, ok := l.frame(); ok {
			return h, nil
		}
	}
}

// frame gives the frame that is complete to the detector.
func (l *Listener) frame() (Heard, bool) {
	l.pcm = append(l.pcm, l.next...)
	e, ok := l.d.Frame(l.next)
	l.next = l.next[:0]
	end := l.from + int64(len(l.pcm))
	switch {
	case ok && e.Kind == Started:
		l.start = max(l.from, e.At-l.samples(l.o.Lead))
		return Heard{Event: e}, true
	case ok:
		return l.cut(e, min(end, e.At+l.samples(tail))), true
	case !l.d.Speaking():
		// What a beginning may reach back to stays.
		if keep := l.samples(l.o.Lead + (leadMost+gapMost)*media.FrameDuration + time.Second); int64(len(l.pcm)) > 2*keep {
			l.forget(end - keep)
		}
	case end-l.start >= l.samples(l.o.Longest):
		h := l.cut(Event{Kind: Ended, At: end, Found: end}, end)
		l.d.restart()
		return h, true
	}
	return Heard{}, false
}

// cut makes an utterance of what was said until end.
func (l *Listener) cut(e Event, end int64) Heard {
	sound := media.NewClip(l.d.rate, append([]int16(nil), l.pcm[l.start-l.from:end-l.from]...))
	l.forget(end)
	return Heard{Event: e, Sound: sound}
}

// forget drops what is before a position.
func (l *Listener) forget(before int64) {
	l.pcm = append(l.pcm[:0], l.pcm[before-l.from:]...)
	l.from = before
}

func (l *Listener) finish() (Heard, error) {
	if !l.d.Speaking() {
		return Heard{}, l.err
	}
	end := l.from + int64(len(l.pcm))
	l.d.restart()
	return l.cut(Event{Kind: Ended, At: end, Found: end}, end), nil
}
