package action

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/callbin/callbin/media"
)

// voice speaks sentences as they come, without a gap between them: while one plays the next is made.
// synthesize and play run in goroutines of their own.
type voice struct {
	leg     Leg
	talk    talk // how it speaks; its text is not used
	sources chan media.Source

	lines        []string     // that have sound; owned by synthesize, and said after it
	begun, ended atomic.Int32 // sounds that were heard, in part and whole
}

func newVoice(leg Leg, how talk) *voice {
	return &voice{leg: leg, talk: how, sources: make(chan media.Source)}
}

// synthesize makes lines sound until there are no more, or ctx ends. A line that is late because the
// one before it plays waits: nothing that may be cut is made long before.
func (v *voice) synthesize(ctx context.Context, lines <-chan string) error {
	defer close(v.sources)
	rate := 0
	for {
		var line string
		select {
		case l, ok := <-lines:
			if !ok {
				return nil
			}
			line = l
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		t := v.talk
		t.Text = line
		src, err := t.speak(ctx)
		if err != nil {
			return err
		}
		if media.FrameLen(src.Rate()) < 1 {
			closeSource(src)
			return errors.New("action: talk: the speaker gave no sound")
		}
		if rate == 0 {
			rate = src.Rate()
		}
		v.lines = append(v.lines, line)
		src = &heardSource{Source: media.Resample(src, rate), voice: v}
		select {
		case v.sources <- src:
		case <-ctx.Done():
			closeSource(src)
			return context.Cause(ctx)
		}
	}
}

// play plays what synthesize makes. A sound that breaks in the middle is told to the leg.
func (v *voice) play(ctx context.Context) error {
	step := FlowInfo(ctx)
	broken, err := playAll(ctx, v.leg, v.sources)
	report(v.leg, step, errors.Join(broken...))
	for src := range v.sources { // where the leg ended the sound by itself
		closeSource(src)
	}
	return err
}

// said is what was heard of it: a sentence that was cut ends with an ellipsis.
func (v *voice) said() string {
	begun, ended := int(v.begun.Load()), int(v.ended.Load())
	lines := append([]string(nil), v.lines[:min(begun, len(v.lines))]...)
	if begun > ended && len(lines) > 0 {
		lines[len(lines)-1] += " …"
	}
	return strings.Join(lines, " ")
}

// heardSource is the sound of one sentence; it tells when it begins and when it has ended.
type heardSource struct {
	media.Source
	voice *voice
	begun bool // owned by who plays it
}

func (s *heardSource) ReadFrame(dst []int16) (int, error) {
	n, err := s.Source.ReadFrame(dst)
	if !s.begun && (n > 0 || err != nil) {
		s.begun = true
		s.voice.begun.Add(1)
	}
	if err != nil {
		s.voice.ended.Add(1)
	}
	return n, err
}

func (s *heardSource) Close() error {
	closeSource(s.Source)
	return nil
}
