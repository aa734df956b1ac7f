package flowtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/callbin/callbin/media"
)

// perLetter is how long the voice speaks a letter.
const perLetter = 100 * time.Millisecond

// Lengths of a sound file that the script does not name, and of a beep.
const (
	promptLength = 2 * time.Second
	beepLength   = 300 * time.Millisecond
)

// Sound is a tone of a length. Each has a pitch of its own, by its name, so that it is known again
// when it was carried over a network. Its event is logged when it is first read.
type Sound struct {
	world *World
	name  string
	rate  int
	total int // samples
	done  int
	pitch Pitch
}

func (w *World) newSound(name string, rate int, d time.Duration) *Sound {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sources++
	return &Sound{world: w, name: name, rate: rate, total: int(d * time.Duration(rate) / time.Second), pitch: PitchOf(name)}
}

// Rate is the sampling rate in Hz.
func (s *Sound) Rate() int { return s.rate }

// ReadFrame gives the next 20 ms.
func (s *Sound) ReadFrame(dst []int16) (int, error) {
	s.begin()
	n := min(len(dst), media.FrameLen(s.rate), s.total-s.done)
	s.pitch.fill(dst[:n], s.done, s.rate)
	if s.done += n; s.done == s.total {
		return n, io.EOF
	}
	return n, nil
}

// Close counts that the sound is closed.
func (s *Sound) Close() error {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.world.sources--
	return nil
}

func (s *Sound) begin() {
	if s.done == 0 {
		s.world.Log(KindSound, "%s", s.name)
	}
}

// skip takes all that is left, without reading it.
func (s *Sound) skip() time.Duration {
	s.begin()
	left := s.total - s.done
	s.done = s.total
	return time.Duration(left) * time.Second / time.Duration(s.rate)
}

// isOver tells whether the text of a KindSound event says that the sound is over.
func isOver(text string) bool {
	return strings.HasPrefix(text, "done after ") || strings.HasPrefix(text, "cut after ")
}

// OpenPrompt opens a sound file: of two seconds, if the script does not say otherwise.
func (w *World) OpenPrompt(ctx context.Context, dir, ref string) (media.Source, error) {
	w.Log("open", "%s", strings.TrimPrefix(dir+" "+ref, " "))
	if err := w.fault(ctx, "prompts"); err != nil {
		return nil, err
	}
	p, ok := w.prompts[strings.TrimPrefix(ref, "file:")]
	switch {
	case !ok:
		p = prompt{length: promptLength, rate: 8000}
	case p.missing:
		return nil, errors.New("no such file")
	case p.after > 0:
		if err := wait(ctx, p.after); err != nil {
			return nil, err
		}
	}
	return w.newSound(ref, p.rate, p.length), nil
}

// Speak takes 100 ms a letter. Language "xx" is unknown, and provider "slow" takes a second to begin.
func (w *World) Speak(ctx context.Context, u media.Utterance) (media.Source, error) {
	turn("speak " + u.Text) // a transcriber may begin at the same time
	w.Log("speak", "%s", describe(u))
	if err := w.CheckSpeak(u); err != nil {
		return nil, err
	}
	if err := w.fault(ctx, "speaker"); err != nil {
		return nil, err
	}
	if u.Provider == "slow" {
		if err := wait(ctx, time.Second); err != nil {
			return nil, err
		}
	}
	return w.newSound(fmt.Sprintf("%q", u.Text), 8000, time.Duration(len(u.Text))*perLetter), nil
}

// CheckSpeak knows every language but xx.
func (w *World) CheckSpeak(u media.Utterance) error {
	if u.Language == "xx" {
		return errors.New("no voice speaks xx")
	}
	return nil
}

func describe(u media.Utterance) string {
	text := fmt.Sprintf("%q", u.Text)
	for _, s := range []string{u.Language, string(u.Gender), u.Voice, u.Provider} {
		if s != "" {
			text += " " + s
		}
	}
	if cmp.Or(u.Rate, 1) != 1 {
		text += fmt.Sprintf(" x%g", u.Rate)
	}
	return text
}

// playing logs how long a sound was heard.
func (w *World) playing(cut bool, played time.Duration) {
	how := "done"
	if cut {
		how = "cut"
	}
	w.Log(KindSound, "%s after %s", how, played.Round(time.Millisecond))
}
