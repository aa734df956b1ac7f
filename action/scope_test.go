package action

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestGotoCounts(t *testing.T) {
	s, _ := NewScope(t.Context(), &fakeLeg{})
	defer s.Close()
	before := s.Counters()
	var got []bool
	for range 7 {
		got = append(got, s.visit("a", 2))
	}
	want := []bool{true, true, false, true, true, false, true}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
	if s.visit("b", 0) || s.visit("b", -5) {
		t.Error("a count of 0 or less jumps")
	}
	if len(before) != 0 || len(s.Counters()) != 1 {
		t.Errorf("counters changed in place: %v, %v", before, s.Counters())
	}
	// A flow that was changed to go round less often does not go on with the old count.
	r, _ := NewScope(t.Context(), &fakeLeg{})
	r.Restore(map[string]int{"a": 1000})
	defer r.Close()
	if !r.visit("a", 1) || r.visit("a", 1) {
		t.Error("an old count larger than the goto's own is used")
	}
}

func TestBackgroundSoundIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leg := &fakeLeg{hold: make(chan struct{})}
		s, ctx := NewScope(t.Context(), leg)
		a, b, c := &fakeSource{rate: 8000, n: 1}, &fakeSource{rate: 8000, n: 1}, &fakeSource{rate: 8000, n: 1}
		if err := errors.Join(PlayOn(ctx, leg, a), PlayOn(ctx, leg, b)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if a.closed != 1 || b.closed != 0 {
			t.Errorf("after the second: closed %d, %d", a.closed, b.closed)
		}
		done := make(chan error)
		go func() { done <- Play(ctx, leg, c) }()
		synctest.Wait()
		if b.closed != 1 || c.closed != 0 {
			t.Errorf("during the third: closed %d, %d", b.closed, c.closed)
		}
		close(leg.hold)
		if err := <-done; err != nil {
			t.Error(err)
		}
		StopPlaying(ctx)
		s.Close()
		if len(leg.reports) != 0 {
			t.Errorf("a replaced sound was reported: %v", leg.reports)
		}
	})
}

func TestCloseEndsBackgroundSoundAndWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leg := &fakeLeg{hold: make(chan struct{})}
		s, ctx := NewScope(t.Context(), leg)
		src := &fakeSource{rate: 8000, n: 1}
		if err := PlayOn(ctx, leg, src); err != nil {
			t.Fatal(err)
		}
		boom := errors.New("boom")
		if err := errors.Join(
			Background(ctx, leg, func(ctx context.Context) error { <-ctx.Done(); return nil }),
			Background(ctx, leg, func(context.Context) error { return boom }),
			Background(ctx, leg, func(context.Context) error { panic("ouch") }),
		); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		s.Close()
		if src.closed != 1 || time.Since(start) != BackgroundGrace {
			t.Errorf("closed %d times, after %v", src.closed, time.Since(start))
		}
		text := errors.Join(leg.reports...).Error()
		if len(leg.reports) != 2 || !strings.Contains(text, "boom") || !strings.Contains(text, "panic: ouch") {
			t.Errorf("reports: %v", text)
		}
	})
}

func TestSoundWithoutPlayerIsClosed(t *testing.T) {
	leg := struct{ Leg }{&fakeLeg{}} // hides the Player
	s, ctx := NewScope(t.Context(), leg)
	defer s.Close()
	for _, play := range []func(*fakeSource) error{
		func(src *fakeSource) error { return Play(ctx, leg, src) },
		func(src *fakeSource) error { return PlayOn(ctx, leg, src) },
		func(src *fakeSource) error { return PlayOn(t.Context(), &fakeLeg{}, src) }, // outside of a flow
	} {
		src := &fakeSource{rate: 8000, n: 1}
		if err := play(src); err == nil || src.closed != 1 {
			t.Errorf("got %v, closed %d times", err, src.closed)
		}
	}
	if err := Background(t.Context(), leg, nil); err == nil {
		t.Error("background work outside of a flow: no error")
	}
	if FlowInfo(t.Context()) != (Info{}) || FlowInfo(ctx) != (Info{}) {
		t.Error("there is a step before the first one")
	}
}

func TestNeedLooksThroughWrappers(t *testing.T) {
	leg := &fakeLeg{}
	if _, err := Need[Player](wrapped{leg}); err != nil {
		t.Error(err)
	}
	if _, err := Need[Echoer](wrapped{leg}); !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "action.Echoer") {
		t.Errorf("got %v", err)
	}
	if a := LegAbilities(wrapped{leg}); !a[CanPlay] || !a[CanAnswer] || a[CanEcho] || len(a.List()) != 2 {
		t.Errorf("abilities: %q", a.List())
	}
	both := AbilitiesOf(CanPlay).With(Abilities{CanEcho: true, CanRecord: false})
	if got := both.List(); len(got) != 2 || got[0] != CanEcho || got[1] != CanPlay {
		t.Errorf("both: %q", got)
	}
}

// wrapped is a leg around another one.
type wrapped struct{ leg Leg }

func (w wrapped) ID() string  { return w.leg.ID() }
func (w wrapped) Vars() *Vars { return w.leg.Vars() }
func (w wrapped) Unwrap() Leg { return w.leg }

func TestFatal(t *testing.T) {
	cause := errors.New("x")
	if err := Fatal(cause); !IsFatal(err) || !errors.Is(err, cause) || err.Error() != "x" {
		t.Errorf("got %v", err)
	}
	if Fatal(nil) != nil || IsFatal(cause) {
		t.Error("what is not fatal is")
	}
}
