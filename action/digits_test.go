package action_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
)

func TestDigitBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := action.DigitBuffer{Max: 3}
		_, next := b.PeekDigits()
		time.AfterFunc(time.Second, func() { b.Put("12#4") })
		start := time.Now()
		if d, err := b.ReadDigit(t.Context()); d != '1' || err != nil || time.Since(start) != time.Second {
			t.Errorf("got %q, %v after %s", d, err, time.Since(start))
		}
		select {
		case <-next:
		default:
			t.Error("the channel of the next digit is not closed")
		}
		if got, _ := b.PeekDigits(); got != "2#" {
			t.Errorf("%q is left, want 2#: the fourth has no room", got)
		}
		b.DropDigits()
		ctx, cancel := context.WithCancelCause(t.Context())
		gone := errors.New("gone")
		time.AfterFunc(time.Second, func() { cancel(gone) })
		if _, err := b.ReadDigit(ctx); !errors.Is(err, gone) {
			t.Errorf("got %v", err)
		}
	})
}
