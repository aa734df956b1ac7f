package rtp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/callbin/callbin/media"
)

const (
	minPress = 40 * time.Millisecond // what receivers need (ITU-T Q.24), pressed and between two
	maxPress = 8 * time.Second       // what fits into one segment (RFC 4733 2.5.1.3)
	// pressEvery is how often a key press is told while it lasts. RFC 4733 2.5.1.2 wants 50 ms, which
	// is too seldom for many a receiver of short ones.
	pressEvery = 20 * time.Millisecond
	// pressEnds is how often its end is told (RFC 4733 2.5.1.4).
	pressEnds   = 3
	pressVolume = 10 // in -dBm0
)

// SendDigits presses keys, 0-9 A-D * #, one after the other: each one for duration, with gap between
// two; both are raised to 40 ms, and duration is cut to 8 s. It returns when the last one has
// ended. The peer hears nothing else while a key is down (RFC 4733 2.5). The error matches
// errors.ErrUnsupported where the peer takes no telephone-event, when the
// caller can play tones instead; it matches media.ErrClosed when the leg is closed, and is the cause of ctx
// when that ends; the key that is down then ends properly.
func (l *Leg) SendDigits(ctx context.Context, digits string, duration, gap time.Duration) error {
	for _, d := range digits {
		if !strings.ContainsRune(digitNames, d) {
			return fmt.Errorf("rtp: send digits: %q is no key", d)
		}
	}
	duration, gap = min(max(duration, minPress), maxPress), max(gap, minPress)
	select {
	case l.keys <- struct{}{}:
		defer func() { <-l.keys }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	for i := range len(digits) {
		if i > 0 {
			if err := pause(ctx, gap); err != nil {
				return err
			}
		}
		if err := l.sendDigit(ctx, uint8(strings.IndexByte(digitNames, digits[i])), duration); err != nil {
			return err
		}
	}
	return nil
}

func (l *Leg) sendDigit(ctx context.Context, event uint8, duration time.Duration) error {
	done := make(chan error, 1) // room for one: the media thread never waits
	l.port.Post(func() { l.s.pressKey(event, duration, done) })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	l.port.Post(func() {
		if l.s.press.done == done {
			l.s.endPress(context.Cause(ctx))
		}
	})
	return <-done
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

// Events tells whether the peer takes key presses as telephone-event, that is whether
// SendDigits works.
func (l *Leg) Events() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.events
}

// ownPress is a key press of ours.
type ownPress struct {
	timer  media.Timer
	down   bool
	event  uint8
	at     uint32 // its RTP timestamp
	began  time.Duration
	length time.Duration
	next   time.Duration // when its next packet is due
	done   chan error
}

// pressKey begins a key press.
func (s *session) pressKey(event uint8, length time.Duration, done chan error) {
	switch {
	case s.closed:
		done <- errClosed
	case !s.live || s.n.DTMFRate == 0 || !s.n.DTMFEvents.Has(event):
		done <- fmt.Errorf("rtp: send digits: the peer does not take telephone-event %d: %w", event, errors.ErrUnsupported)
	default:
		now := s.shard.Now()
		s.flush()
		p := &s.press
		p.down, p.event, p.began, p.length, p.done = true, event, now, length, done
		p.at = s.eventTime()
		s.passing, s.talking = false, false
		s.writeEvent(event, pressVolume, false, true, p.at, pressEvery)
		p.next = now + pressEvery
		s.shard.SetTimer(&p.timer, p.next)
	}
}

// pressOn tells the peer that the key is still down, or that it is up.
func (s *session) pressOn() {
	p := &s.press
	if !p.down {
		return
	}
	now := s.shard.Now()
	lasted := now - p.began
	if lasted >= p.length {
		s.endPress(nil)
		return
	}
	s.writeEvent(p.event, pressVolume, false, false, p.at, min(lasted+pressEvery, p.length))
	p.next += pressEvery
	if p.next <= now {
		p.next = now + pressEvery
	}
	s.shard.SetTimer(&p.timer, min(p.next, p.began+p.length))
}

// endPress ends a key press of ours, if there is one, and tells why.
func (s *session) endPress(err error) {
	p := &s.press
	if !p.down {
		return
	}
	p.down = false
	s.shard.StopTimer(&p.timer)
	lasted := min(p.length, max(s.shard.Now()-p.began, pressEvery))
	for range pressEnds {
		s.writeEvent(p.event, pressVolume, true, false, p.at, lasted)
	}
	p.done <- err
	p.done = nil
}

// eventTime is the timestamp of a key press that begins now.
func (s *session) eventTime() uint32 {
	clock := s.timeBase + uint32(mediaTime(s.shard.Now(), s.n.Codec.ClockRate()))
	t, _ := s.follow(clock, maxSwitch)
	return t
}

// writeEvent sends an event with the next sequence number.
func (s *session) writeEvent(event, volume uint8, end, mark bool, t uint32, lasted time.Duration) {
	if s.sends() {
		s.sendEvent(event, volume, end, mark, s.seq, t, lasted)
		s.seq++
	}
}

// sendEvent sends a packet of telephone-event (RFC 4733 2.3).
func (s *session) sendEvent(event, volume uint8, end, mark bool, seq uint16, t uint32, lasted time.Duration) {
	b := s.shard.Scratch().Packet[:headerLen+4]
	putHeader(b, mark, s.n.DTMFPayloadType, seq, t, s.ssrc)
	b[headerLen], b[headerLen+1] = event, volume&0x3f
	if end {
		b[headerLen+1] |= 0x80
	}
	units := min(0xffff, int64(lasted)*int64(s.n.DTMFRate)/int64(time.Second))
	binary.BigEndian.PutUint16(b[headerLen+2:], uint16(units))
	s.transmit(b)
}
