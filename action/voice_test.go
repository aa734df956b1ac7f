package action

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/callbin/callbin/media"
)

// speakerFunc is a media.Speaker.
type speakerFunc func(text string) (media.Source, error)

func (f speakerFunc) Speak(_ context.Context, u media.Utterance) (media.Source, error) {
	return f(u.Text)
}

// deafLeg ends each sound at once, as a leg does whose sound was stopped from outside.
type deafLeg struct{ fakeLeg }

func (l *deafLeg) Play(_ context.Context, src media.Source) error {
	closeSource(src)
	return nil
}

// speakAll lets a voice on leg speak lines and returns the sources that were made.
func speakAll(t *testing.T, leg Leg, rates []int, lines ...string) (v *voice, made []*fakeSource, err error) {
	t.Helper()
	v = newVoice(leg, talk{deps: Deps{Speaker: speakerFunc(func(text string) (media.Source, error) {
		if text == "bad" {
			return nil, errors.New("no voice")
		}
		s := &fakeSource{rate: rates[len(made)%len(rates)], n: 400, value: 1}
		made = append(made, s)
		return s, nil
	})}})
	in := make(chan string)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var wg sync.WaitGroup
	var serr, perr error
	wg.Go(func() {
		if serr = v.synthesize(ctx, in); serr != nil {
			cancel(serr)
		}
	})
	wg.Go(func() { perr = v.play(ctx) })
	for _, line := range lines {
		select {
		case in <- line:
		case <-ctx.Done():
		}
	}
	close(in)
	wg.Wait()
	return v, made, errors.Join(serr, perr)
}

func TestVoiceSaysAllAtOneRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, made, err := speakAll(t, &fakeLeg{}, []int{8000, 16000}, "one.", "two.", "three.")
		if err != nil || v.said() != "one. two. three." || len(made) != 3 {
			t.Errorf("said %q with %d sounds: %v", v.said(), len(made), err)
		}
		for i, s := range made {
			if s.closed != 1 {
				t.Errorf("sound %d was closed %d times", i, s.closed)
			}
		}
	})
}

func TestVoiceThatFailsClosesItsSounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, made, err := speakAll(t, &fakeLeg{}, []int{8000}, "one.", "bad", "three.")
		if err == nil || len(made) != 1 || made[0].closed != 1 {
			t.Errorf("said %q with %d sounds: %v", v.said(), len(made), err)
		}
	})
}

// A leg that ends a sound by itself must not leave the assistant waiting for it.
func TestVoiceOnALegThatStopsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, made, err := speakAll(t, &deafLeg{}, []int{8000}, "one.", "two.", "three.")
		if err != nil || v.said() != "" {
			t.Errorf("said %q: %v", v.said(), err)
		}
		for i, s := range made {
			if s.closed != 1 {
				t.Errorf("sound %d was closed %d times", i, s.closed)
			}
		}
	})
}

func TestVoiceSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if v, made, err := speakAll(t, &fakeLeg{}, []int{8000}); err != nil || len(made) != 0 || v.said() != "" {
			t.Errorf("said %q: %v", v.said(), err)
		}
	})
}
