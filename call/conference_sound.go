package call

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/tone"
	"github.com/callbin/callbin/store"
)

// Sound is something that is played: one of its fields, or nothing.
type Sound struct {
	URL      string              `json:"url,omitempty"`      // opened by Config.Deps.Prompts
	Text     string              `json:"text,omitempty"`     // spoken by Config.Deps.Speaker
	Language string              `json:"language,omitempty"` // of Text, BCP 47
	Source   func() media.Source `json:"-"`                  // a new one each time
}

// silent tells whether there is nothing to be played.
func (s *Sound) silent() bool { return s.URL == "" && s.Text == "" && s.Source == nil }

var errNoSound = errors.New("call: the sound is empty")

func (s *Sound) check(e *Engine) error {
	n := 0
	for _, is := range []bool{s.URL != "", s.Text != "", s.Source != nil} {
		if is {
			n++
		}
	}
	switch {
	case n > 1:
		return errors.New("more than one of URL, Text and Source is given")
	case s.URL != "" && e.cfg.Deps.Prompts == nil:
		return fmt.Errorf("URL %.80q: Config.Deps has no Prompts", s.URL)
	case s.Text != "" && e.cfg.Deps.Speaker == nil:
		return fmt.Errorf("text %.80q: Config.Deps has no Speaker", s.Text)
	}
	return nil
}

// all are the sounds by their names.
func (s *ConferenceSounds) all() map[string]*Sound {
	return map[string]*Sound{
		"AskPIN": &s.AskPIN, "WrongPIN": &s.WrongPIN, "Refused": &s.Refused, "AskName": &s.AskName, "Entry": &s.Entry, "Exit": &s.Exit,
		"Music": &s.Music, "Muted": &s.Muted, "Unmuted": &s.Unmuted, "Done": &s.Done,
	}
}

func (e *Engine) checkSounds(s *ConferenceSounds) error {
	var errs []error
	for name, sound := range s.all() {
		if err := sound.check(e); err != nil {
			errs = append(errs, fmt.Errorf("sound %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// open opens s, or what otherwise makes where s is empty. What it learns from outside belongs to no flow's step, and is no note in a
// trace.
func (s Sound) open(ctx context.Context, e *Engine, otherwise tone.Pattern) (media.Source, error) {
	ctx = withCall(ctx, nil)
	switch {
	case s.Source != nil:
		if src := s.Source(); src != nil {
			return src, nil
		}
		return nil, errNoSound
	case s.URL != "":
		return e.cfg.Deps.Prompts.OpenPrompt(ctx, "", s.URL)
	case s.Text != "":
		return e.cfg.Deps.Speaker.Speak(ctx, media.Utterance{Text: s.Text, Language: s.Language})
	case len(otherwise.Segments) == 0:
		return nil, errNoSound
	}
	return otherwise.Source(8000), nil
}

// What is heard where ConferenceSounds says nothing.
func askPINTone() tone.Pattern   { return notes(120*time.Millisecond, 660, 0, 660) }
func wrongPINTone() tone.Pattern { return notes(200*time.Millisecond, 330, 0, 330) }
func askNameTone() tone.Pattern  { return notes(300*time.Millisecond, 880) }
func entryTone() tone.Pattern    { return notes(150*time.Millisecond, 660, 880) }
func exitTone() tone.Pattern     { return notes(150*time.Millisecond, 880, 660) }
func mutedTone() tone.Pattern    { return notes(120*time.Millisecond, 440, 330) }
func unmutedTone() tone.Pattern  { return notes(120*time.Millisecond, 330, 440) }
func doneTone() tone.Pattern     { return notes(120*time.Millisecond, 550) }

// notes are tones of one length, 0 for a pause.
func notes(length time.Duration, hz ...float64) tone.Pattern {
	var p tone.Pattern
	for _, f := range hz {
		s := tone.Segment{Duration: length}
		if f > 0 {
			s.Hz = []float64{f}
		}
		p.Segments = append(p.Segments, s)
	}
	return p
}

// announcement waits for its turn, or is being played to the room.
type announcement struct {
	sound     Sound
	otherwise tone.Pattern
	except    *media.Port // who does not hear it; nil: all do
	kind      string      // of those that have one, one that waits is as good as several
	ctx       context.Context
	done      chan error // room for one; nil: nobody waits
}

// maxAnnouncements is how many may wait: what comes later than that tells nobody anything any more.
const maxAnnouncements = 32

// ErrNobodyThere is returned for what is to be played to an empty conference.
var ErrNobodyThere = errors.New("call: nobody is in the conference")

// AnnounceOptions say what is played, and to whom.
type AnnounceOptions struct {
	Sound Sound
	To    string // the id of a stay, or of a call; "": all
}

// Announce plays a sound to all members, or to one, mixed with what they hear of each other, and returns at its end. What is played to all
// is played one after the other; what is played to one replaces what was so before. ErrNobodyThere, ErrNotInConference.
func (f *Conference) Announce(ctx context.Context, o AnnounceOptions) error {
	if err := o.Sound.check(f.engine); err != nil {
		return fmt.Errorf("call: announce in conference %.40q: %w", f.ID(), err)
	}
	if o.Sound.silent() {
		return fmt.Errorf("call: announce in conference %.40q: %w", f.ID(), errNoSound)
	}
	if o.To != "" {
		s, err := f.find(o.To)
		if err != nil {
			return err
		}
		return f.whisper(ctx, s.call, o.Sound, tone.Pattern{})
	}
	a := &announcement{sound: o.Sound, ctx: ctx, done: make(chan error, 1)}
	if err := f.say(a); err != nil {
		return err
	}
	return <-a.done
}

// whisper plays a sound to one member.
func (f *Conference) whisper(ctx context.Context, c *Call, s Sound, otherwise tone.Pattern) error {
	ctx, stop := f.within(ctx)
	defer stop(nil)
	src, err := s.open(ctx, f.engine, otherwise)
	if err != nil {
		return fmt.Errorf("call: announce in conference %.40q: %w", f.ID(), err)
	}
	p := c.audio()
	if p == nil {
		return closeThen(src, errNoMedia)
	}
	return f.bridge.media.PlayTo(ctx, src, media.Audience{Only: p})
}

// audio is the port of a call that has media.
func (c *Call) audio() *media.Port {
	if l := c.leg.Load(); l != nil {
		return (*l).Port()
	}
	return nil
}

func closeThen(src media.Source, err error) error {
	if c, ok := src.(io.Closer); ok {
		return errors.Join(err, c.Close())
	}
	return err
}

// say has a played when what came before is over. It does not wait.
func (f *Conference) say(a *announcement) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.in == 0 || f.record.Status != store.ConferenceProgressing:
		return fmt.Errorf("call: announce in conference %.40q: %w", f.o.ID, ErrNobodyThere)
	case len(f.queue) >= maxAnnouncements:
		return fmt.Errorf("call: announce in conference %.40q: %d announcements wait already", f.o.ID, maxAnnouncements)
	}
	for _, b := range f.queue {
		if a.kind != "" && a.kind == b.kind {
			b.except = nil // it is for more than one now
			return nil
		}
	}
	f.queue = append(f.queue, a)
	if !f.announcing {
		f.announcing = true
		f.engine.wg.Go(f.announce)
	}
	return nil
}

// announce plays what waits, and ends.
func (f *Conference) announce() {
	for {
		f.mu.Lock()
		if len(f.queue) == 0 {
			f.queue, f.announcing = nil, false
			f.mu.Unlock()
			return
		}
		a := f.queue[0]
		f.queue = f.queue[1:]
		ctx, stop := f.within(a.ctx)
		f.hush = stop
		f.mu.Unlock()
		src, err := a.sound.open(ctx, f.engine, a.otherwise)
		if err == nil {
			err = f.bridge.media.PlayTo(ctx, src, media.Audience{Except: a.except})
		}
		if err != nil && ctx.Err() == nil {
			f.log().Warn("announcement failed", "err", err)
		}
		stop(nil)
		a.end(err)
	}
}

func (a *announcement) end(err error) {
	if a.done != nil {
		a.done <- err
	}
}

// hushAll ends what is played to the room, which is empty. f.mu is held.
func (f *Conference) hushAll() {
	for _, a := range f.queue {
		a.end(ErrNobodyThere)
	}
	f.queue = nil
	if f.hush != nil {
		f.hush(ErrNobodyThere)
	}
}

// within is ctx until the conference ends, or stop is called.
func (f *Conference) within(ctx context.Context) (_ context.Context, stop context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	undo := context.AfterFunc(f.ctx, func() { cancel(ErrBridgeEnded) })
	return ctx, func(cause error) {
		undo()
		cancel(cause)
	}
}

// playTo lets who joins hear something before it is in.
func (f *Conference) playTo(ctx context.Context, c *Call, s Sound, otherwise tone.Pattern) error {
	src, err := s.open(ctx, f.engine, otherwise)
	if err != nil {
		return err
	}
	return c.play(ctx, src)
}

// setMusic begins music for all that are in, or ends it. f.rules is held.
func (f *Conference) setMusic(on bool) {
	if on == (f.musicOff != nil) {
		return
	}
	if !on {
		f.musicOff()
		f.musicOff = nil
		return
	}
	ctx, cancel := context.WithCancel(f.ctx)
	f.musicOff = cancel
	f.engine.wg.Go(func() { f.playMusic(ctx) })
}

// openMusic begins the conference's own music anew, or Config.MusicOnHold.
func (f *Conference) openMusic(ctx context.Context) (media.Source, error) {
	src, err := f.Options().Sounds.Music.open(ctx, f.engine, tone.Pattern{})
	if errors.Is(err, errNoSound) {
		return f.engine.openMusic(ctx)
	}
	return src, err
}

// playMusic plays it over and over until ctx ends.
func (f *Conference) playMusic(ctx context.Context) {
	for ctx.Err() == nil {
		begun := time.Now()
		src, err := f.openMusic(ctx)
		if err == nil {
			err = f.bridge.media.Music(ctx, src)
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			f.log().Warn("music failed", "err", err)
		}
		if time.Since(begun) <= musicPause {
			_ = sleep(ctx, musicPause) // ctx is asked above
		}
	}
}
