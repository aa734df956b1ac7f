package call_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/media/tone"
)

// TestMustHave08Connect: two parties are dialled, the one that answers is joined, the other given up; before that the caller hears
// ring-back, and after it the flow goes on.
func TestMustHave08Connect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"answer"},` + connectTo("", beepAfter, 1, 2)[1:]}, outbound)
		one, two := callee(t, h, 1), callee(t, h, 2)
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		loser, b := one.WaitCall(t), two.WaitCall(t)
		loser.Ring()
		b.Ring()
		time.Sleep(3 * time.Second)
		if !calltest.Hears(a.Heard(), 440) || !calltest.Hears(a.Heard(), 480) { // of the US
			t.Error("the caller hears no ring-back")
		}
		b.Answer()
		b.WaitAnswer(t)
		loser.WaitEnd(t)
		if _, cancelled := loser.Cancelled(); !cancelled {
			t.Error("who has not answered is not given up")
		}
		a.Say(calltest.Tone(500, 2*time.Second))
		b.Say(calltest.Tone(800, 2*time.Second))
		time.Sleep(2 * time.Second)
		if !calltest.Hears(a.Heard(), 800) || !calltest.Hears(b.Heard(), 500) || tone.Level(loser.Heard()) > 0.001 {
			t.Error("the two do not hear each other, or a third hears them")
		}
		b.Hangup(t)
		a.WaitEnd(t)
		if !calltest.Hears(a.Heard(), 400) {
			t.Error("the flow does not go on")
		}
	})
}

// TestMustHave08EarlyMediaAndReason: what the far end sends before it refuses is heard, and its reason is relayed to the caller.
func TestMustHave08EarlyMediaAndReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": connectTo(`,"early_media":true,"relay_reason":true`, beepAfter, 1)}, outbound)
		bob := callee(t, h, 1)
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
		b := bob.WaitCall(t)
		b.Progress()
		b.Say(calltest.Tone(600, time.Second))
		time.Sleep(1500 * time.Millisecond)
		b.Refuse(486)
		a.WaitEnd(t)
		if got := a.Statuses(); !slices.Equal(got, []int{180, 183, 486}) || !calltest.Hears(a.Heard(), 600) || calltest.Hears(a.Heard(), 400) {
			t.Errorf("the caller gets %v, hears early media: %v", got, calltest.Hears(a.Heard(), 600))
		}
		if in, _ := byDirection(t, h); in.HangupReason != "busy" || in.HangupBy != "local" {
			t.Errorf("%+v", in)
		}
	})
}
