package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/tone"
)

// turn is what the bot says at once: sentences, each of which is made while the one before it is heard.
type turn struct {
	cancel context.CancelCauseFunc
	done   chan struct{} // closed at the end

	number int // of the answer; 0: a line of the bot's
	times  times
	token  atomic.Int64 // when the first sentence was there, in Unix nanoseconds
	spoken []*sentence  // in order; owned by the turn until done, and then by the conversation
	end    bool         // the assistant wants to hang up
	err    error        // why the turn ended early
	parent context.Context
}

// sentence is a source that counts what was played of it.
type sentence struct {
	media.Source
	text  string
	first atomic.Int64 // when it was heard first, in Unix nanoseconds
	read  atomic.Int64 // samples
	whole atomic.Bool
}

// ReadFrame runs on the media thread.
func (s *sentence) ReadFrame(dst []int16) (int, error) {
	n, err := s.Source.ReadFrame(dst)
	if n > 0 && s.read.Add(int64(n)) == int64(n) {
		s.first.Store(time.Now().UnixNano())
	}
	if errors.Is(err, io.EOF) {
		s.whole.Store(true)
	}
	return n, err
}

func (s *sentence) Close() error {
	if c, ok := s.Source.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// begin starts a turn: think tells sentences, the speaker makes them sound.
func (c *conversation) begin(ctx context.Context, speaker media.Speaker, think func(ctx context.Context, tell func(string)) (end bool, err error)) {
	t := &turn{done: make(chan struct{}), parent: ctx}
	c.turn = t
	ctx, t.cancel = context.WithCancelCause(ctx)
	lines, sounds := make(chan string), make(chan *sentence)
	var once sync.Once
	fail := func(what string, err error) {
		if err != nil {
			once.Do(func() { t.err = fmt.Errorf("voiceai: %s: %w", what, err) })
			t.cancel(err)
		}
	}
	var stages sync.WaitGroup
	stages.Go(func() {
		defer close(lines)
		end, err := think(ctx, func(line string) {
			t.token.CompareAndSwap(0, time.Now().UnixNano())
			select {
			case lines <- line:
			case <-ctx.Done():
			}
		})
		t.end = end
		fail("think", err)
	})
	stages.Go(func() {
		defer close(sounds)
		for line := range lines {
			src, err := speaker.Speak(ctx, c.bot.utterance(line))
			if err != nil && ctx.Err() == nil && line == c.bot.Lines.Sorry {
				src, err = tone.Sine(400, 300*time.Millisecond).Clip(8000).Source(), nil // it says as much
			}
			if err != nil {
				fail("speak", err)
				return // think ends with ctx
			}
			s := &sentence{Source: src, text: line}
			select {
			case sounds <- s:
			case <-ctx.Done():
				s.Close()
				return
			}
		}
	})
	stages.Go(func() {
		for s := range sounds {
			if ctx.Err() != nil {
				s.Close()
				continue
			}
			t.spoken = append(t.spoken, s)
			fail("play", c.player.Play(ctx, s))
		}
	})
	c.work.Go(func() {
		stages.Wait()
		if cause := context.Cause(ctx); errors.Is(cause, errInterrupted) {
			t.err = cause
		}
		t.cancel(nil)
		close(t.done)
	})
}

// ended tells that it was the call that has ended.
func (t *turn) ended() bool { return t.parent.Err() != nil }

// usualPace is how many characters a second a voice speaks that has said nothing yet.
const usualPace = 14.0

// text is what was heard of the turn: of a sentence that was cut the words that there was time for, and an ellipsis. pace is the
// voice's, learned from its whole sentences.
func (t *turn) text(pace float64) (string, float64) {
	var heard []string
	for _, s := range t.spoken {
		seconds := float64(s.read.Load()) / float64(s.Rate())
		if s.whole.Load() {
			heard = append(heard, s.text)
			if seconds > 0.5 {
				pace = (pace + float64(len(s.text))/seconds) / 2
			}
			continue
		}
		if words := wordsWithin(s.text, int(seconds*pace)); words != "" {
			heard = append(heard, words+" …")
		} else if len(heard) > 0 {
			heard[len(heard)-1] += " …"
		}
	}
	return strings.Join(heard, " "), pace
}

// wordsWithin are the words of text that are over within so many bytes, but not all of them.
func wordsWithin(text string, n int) string {
	n = min(n, len(text)-1)
	if !strings.Contains(text, " ") && n > 0 { // a language without spaces
		return strings.ToValidUTF8(text[:n], "")
	}
	space := strings.LastIndexByte(text[:max(n, 0)+1], ' ')
	return strings.TrimSpace(text[:max(space, 0)])
}

// times of an answer.
type times struct {
	ended  time.Time     // when the caller was silent
	vad    time.Duration // until that was certain
	write  time.Duration // to text
	asked  time.Time     // the assistant
	failed bool          // there is no answer
}

// open tells whether there is something to answer.
func (t times) open() bool { return !t.ended.IsZero() && t.asked.IsZero() }

// report tells where the time of an answer went, in the log and in the call's metadata.
func (c *conversation) report(t *turn, cut bool) {
	if t.number == 0 {
		return
	}
	var sound, token time.Duration
	if at := t.token.Load(); at > 0 {
		token = time.Unix(0, at).Sub(t.times.asked)
	}
	if len(t.spoken) > 0 {
		if at := t.spoken[0].first.Load(); at > 0 {
			sound = time.Unix(0, at).Sub(t.times.ended)
		}
	}
	level := c.log.Info
	if sound > c.bot.Budget {
		level = c.log.Warn
	}
	level("voiceai: turn", "turn", t.number, "vad_ms", t.times.vad.Milliseconds(), "write_ms", t.times.write.Milliseconds(),
		"think_ms", token.Milliseconds(), "sound_ms", sound.Milliseconds(), "sentences", len(t.spoken), "interrupted", cut)
	m, err := action.Need[interface {
		SetMetadata(ctx context.Context, values map[string]string) error
	}](c.leg)
	if err != nil || t.ended() {
		return
	}
	if err := m.SetMetadata(t.parent, map[string]string{
		"voiceai_turns": fmt.Sprint(t.number), "voiceai_vad_ms": fmt.Sprint(t.times.vad.Milliseconds()),
		"voiceai_write_ms": fmt.Sprint(t.times.write.Milliseconds()), "voiceai_think_ms": fmt.Sprint(token.Milliseconds()),
		"voiceai_sound_ms": fmt.Sprint(sound.Milliseconds()),
	}); err != nil && !t.ended() {
		c.log.Warn("voiceai: metadata", "err", err)
	}
}
