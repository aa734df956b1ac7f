package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/speech"
	"github.com/callbin/callbin/media/tone"
)

// parrot says what it has heard, in the caller's own voice: it knows no words. Its own words are spoken by espeak-ng, where that is
// installed, and are beeps elsewhere.
type parrot struct {
	voice media.Speaker

	mu    sync.Mutex
	heard map[int]*media.Clip // guarded by mu
	count int                 // guarded by mu
}

func newParrot() *parrot {
	return &parrot{voice: speech.NewEspeak(speech.Config{}), heard: map[int]*media.Clip{}}
}

const (
	mostHeard = 100 // older ones are forgotten
	tooLong   = 20 * time.Second
)

func (p *parrot) endpoint() *endpoint {
	return &endpoint{hear: p.hear, think: p.think, speak: p.speak}
}

// hear keeps the sound and gives it a name.
func (p *parrot) hear(sound *media.Clip, _ string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count++
	p.heard[p.count] = sound
	delete(p.heard, p.count-mostHeard)
	return fmt.Sprintf("sound %d", p.count), nil
}

var named = regexp.MustCompile(`sound (\d+)`)

func (p *parrot) think(messages []message, tell func(string)) error {
	last := messages[len(messages)-1].Content
	if all := named.FindAllString(last, -1); len(all) > 0 {
		last = all[len(all)-1]
	}
	for _, part := range []string{"You", " said.", " ", last, ". ", "What", " else", "?"} {
		tell(part)
	}
	return nil
}

// speak plays a sound that is named, and speaks all else.
func (p *parrot) speak(text, _ string) (*media.Clip, error) {
	if m := named.FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[1])
		p.mu.Lock()
		sound := p.heard[n]
		p.mu.Unlock()
		if sound != nil {
			return sound, nil
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), tooLong)
	defer cancel()
	src, err := p.voice.Speak(ctx, media.Utterance{Text: text})
	if err != nil {
		return tone.Sine(660, 150*time.Millisecond).Clip(8000), nil
	}
	return media.ReadAll(ctx, src, tooLong)
}
