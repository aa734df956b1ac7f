package call_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
)

// TestOverloadOfSetups has a verification that hangs: at so many calls new ones get 503 with Retry-After, until there are
// three quarters; the calls that were taken go on as if nothing were.
func TestOverloadOfSetups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		verdicts := make(chan struct{})
		slow := false
		h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"echo"}]`}, func(c *call.Config) {
			c.Overload = call.Overload{MaxSetups: 8, RetryAfter: 3 * time.Second}
			c.Verify = func(ctx context.Context, _ *call.Incoming) (call.Verdict, error) {
				if !slow {
					return call.Verdict{}, nil
				}
				select {
				case <-verdicts:
				case <-ctx.Done():
				}
				return call.Verdict{}, nil
			}
		})
		start := func() *calltest.PhoneCall { return calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100") }
		up := start()
		up.WaitAnswer(t)
		slow = true
		var waiting []*calltest.PhoneCall
		for range 8 {
			waiting = append(waiting, start())
		}
		time.Sleep(100 * time.Millisecond)
		if s := h.Stats(); s.Overload.Setups != 8 || s.Overload.Refused != 0 || s.Calls != 9 {
			t.Errorf("%+v", s)
		}
		refused := func(c *calltest.PhoneCall) {
			t.Helper()
			if why := c.WaitEnd(t); why != "503" {
				t.Fatalf("one more ends with %q", why)
			}
		}
		refused(start())
		if s := h.Stats(); s.Overload.Share != 0 || s.Overload.Refused != 1 || s.Calls != 9 {
			t.Errorf("%+v", s)
		}
		verdicts <- struct{}{}
		time.Sleep(100 * time.Millisecond)
		refused(start()) // 7 are more than three quarters
		verdicts <- struct{}{}
		time.Sleep(100 * time.Millisecond)
		waiting = append(waiting, start())
		time.Sleep(100 * time.Millisecond)
		if s := h.Stats(); s.Overload.Share != 1 || s.Overload.Setups != 7 || s.Overload.Refused != 2 {
			t.Errorf("%+v", s)
		}
		close(verdicts)
		for _, c := range append(waiting, up) {
			c.WaitAnswer(t)
		}
		up.Say(calltest.Tone(500, time.Second))
		time.Sleep(time.Second)
		if !calltest.Hears(up.Heard(), 500) {
			t.Error("the call that was up before does not work any more")
		}
		for _, c := range append(waiting, up) {
			c.Hangup(t)
		}
		for _, r := range h.records(t) { // of the refused there is none
			if r.Code != call.CodeCallerHungUp {
				t.Errorf("%+v", r)
			}
		}
	})
}

// TestDrain: a stopping engine refuses new calls, of its own too, and lets those that are up go on, until DrainTimeout.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": connectTo("", beepAfter, 1)}, outbound, func(c *call.Config) { c.DrainTimeout = time.Minute })
		bob := callee(t, h, 1)
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
		b := bob.WaitCall(t)
		other := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
		b2 := bob.WaitCall(t)
		begun := time.Now()
		stopped := make(chan time.Duration, 1)
		go func() {
			h.stop()
			stopped <- time.Since(begun)
		}()
		time.Sleep(time.Second)
		if c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100"); c.WaitEnd(t) != "503" {
			t.Errorf("a new call ends with %q", c.Ended())
		}
		if _, err := h.Dial(t.Context(), call.DialOptions{Destination: phones(1)[0]}); !errors.Is(err, call.ErrNoRoom) {
			t.Errorf("a call of our own: %v", err)
		}
		if _, err := h.Groupcall(t.Context(), call.GroupcallOptions{Destinations: phones(1)}); !errors.Is(err, call.ErrNoRoom) {
			t.Errorf("a groupcall of our own: %v", err)
		}
		if !h.Stats().Draining || h.Ready() {
			t.Error("it does not say that it drains")
		}
		b.Answer() // what is up goes on
		a.WaitAnswer(t)
		time.Sleep(10 * time.Second)
		b.Hangup(t)
		goesOn(t, a)
		b2.Answer()
		if why := other.WaitEnd(t); why != "BYE Q.850;cause=16" {
			t.Errorf("who is left at the end is ended by %q", why)
		}
		if took := (<-stopped).Round(time.Second); took != time.Minute {
			t.Errorf("it took %v", took)
		}
	})
}
