package call_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/tone"
)

// streamSpeaker takes a second, and what it says ends with the context that it was asked with, as that of an engine that streams may.
type streamSpeaker struct{ open atomic.Int32 }

func (s *streamSpeaker) Speak(ctx context.Context, u media.Utterance) (media.Source, error) {
	if u.Text == "never" {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	time.Sleep(time.Second)
	s.open.Add(1)
	return &streamed{Source: tone.Sine(1000, 3*time.Second).Clip(8000).Source(), ctx: ctx, open: &s.open}, nil
}

type streamed struct {
	media.Source
	ctx  context.Context
	open *atomic.Int32
}

func (s *streamed) ReadFrame(f []int16) (int, error) {
	if err := context.Cause(s.ctx); err != nil {
		return 0, err
	}
	return s.Source.ReadFrame(f)
}

func (s *streamed) Close() error {
	s.open.Add(-1)
	return nil
}

// TestWhatIsStartedGoesOnWithoutItsContext: it ends with the call, or by StopPlaying; before there is a sound it ends with the context.
func TestWhatIsStartedGoesOnWithoutItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &streamSpeaker{}
		h := open(t, map[string]string{"100": waiting}, func(c *call.Config) { c.Deps.Speaker = s })
		phone := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		time.Sleep(time.Second)
		live := h.up(t)
		start := func(text string, limit time.Duration) error {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			return live.StartTalkInto(ctx, media.Utterance{Text: text}, call.EarsCall)
		}
		for _, text := range []string{"never", "late"} {
			if err := start(text, time.Second/2); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", text, err)
			}
		}
		if n := s.open.Load(); n != 0 {
			t.Errorf("%d sources are open", n)
		}
		if err := start("hello", time.Minute); err != nil {
			t.Fatal(err)
		}
		n := len(phone.Heard())
		time.Sleep(2 * time.Second)
		if heard := phone.Heard()[n:]; !calltest.Hears(heard[len(heard)/2:], 1000) {
			t.Error("it ended with its context")
		}
		if !live.StopPlaying() {
			t.Error("nothing plays")
		}
		synctest.Wait()
		if n := s.open.Load(); n != 0 {
			t.Errorf("after StopPlaying %d sources are open", n)
		}
		if err := start("hello", time.Minute); err != nil {
			t.Fatal(err)
		}
		phone.Hangup(t)
		synctest.Wait()
		if n := s.open.Load(); n != 0 {
			t.Errorf("after the call %d sources are open", n)
		}
		if err := start("hello", time.Minute); err == nil {
			t.Error("something is said into a call that is over")
		}
	})
}
