package call_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/media"
)

// supervisorOf is a third phone, that says 1000 Hz, and the call of it.
func supervisorOf(t *testing.T, h *house, others ...*call.Call) (*calltest.PhoneCall, *call.Call) {
	t.Helper()
	s := calltest.NewPhone(t, h.net, calltest.PhoneConfig{User: "boss"}).Dial(t, "200")
	s.Say(calltest.Tone(1000, 4*time.Minute))
	time.Sleep(200 * time.Millisecond)
	for c := range h.Calls() {
		if !slices.Contains(others, c) {
			return s, c
		}
	}
	t.Fatal("the supervisor's call is not up")
	return nil, nil
}

// TestSupervise: in each mode the supervisor hears both, and who hears it is as the mode says: nothing leaks to the customer. The modes
// change while it runs, and the talk goes on as it was after it.
func TestSupervise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": connectTo("", "", 1), "200": waiting}, outbound, holdTone(holdHz))
		k := newTalk(t, h)
		s, boss := supervisorOf(t, h, k.aIn, k.bLeg)
		next := func() (a, b, sup []int16) {
			time.Sleep(200 * time.Millisecond)
			n := len(s.Heard())
			a, b = k.next()
			sup = s.Heard()
			return a, b, sup[min(n+1600, len(sup)):]
		}
		if !passing(t, k.bLeg) {
			t.Error("the talk does not pass untouched")
		}
		done := make(chan error, 1)
		go func() { done <- boss.Supervise(t.Context(), k.bLeg, call.SuperviseListen) }()
		synctest.Wait()
		for _, c := range []struct {
			mode call.SuperviseMode
			a, b []float64
		}{
			{call.SuperviseListen, []float64{800}, []float64{500}},
			{call.SuperviseWhisper, []float64{800}, []float64{500, 1000}},
			{call.SuperviseBarge, []float64{800, 1000}, []float64{500, 1000}},
			{call.SuperviseWhisper, []float64{800}, []float64{500, 1000}},
			{call.SuperviseListen, []float64{800}, []float64{500}},
		} {
			if err := boss.SuperviseAs(t.Context(), c.mode); err != nil {
				t.Fatal(err)
			}
			a, b, sup := next()
			onlyHears(t, string(c.mode)+": the customer", a, c.a...)
			onlyHears(t, string(c.mode)+": the agent", b, c.b...)
			onlyHears(t, string(c.mode)+": the supervisor", sup, 500, 800)
		}
		// Keys cross between the two, once, and none of the supervisor's do.
		k.b.Press("12")
		k.a.Press("34")
		s.Press("9")
		time.Sleep(2 * time.Second)
		if a, b := k.a.Pressed(), k.b.Pressed(); a != "12" || b != "34" || s.Pressed() != "" {
			t.Errorf("the customer gets %q, the agent %q, the supervisor %q", a, b, s.Pressed())
		}
		// The agent's phone holds: the customer hears music, and no supervisor.
		k.b.Reinvite(t, "sendonly")
		if err := boss.SuperviseAs(t.Context(), call.SuperviseWhisper); err != nil {
			t.Fatal(err)
		}
		a, _, sup := next()
		onlyHears(t, "on hold: the customer", a, holdHz)
		onlyHears(t, "on hold: the supervisor", sup, 500)
		k.b.Reinvite(t, "sendrecv")
		s.Hangup(t)
		if err := <-done; !errors.Is(err, action.ErrHangup) {
			t.Errorf("the supervisor has hung up: %v", err)
		}
		a, b := k.next()
		onlyHears(t, "after: the customer", a, 800)
		onlyHears(t, "after: the agent", b, 500)
		if !passing(t, k.bLeg) {
			t.Error("after it the talk does not pass untouched any more")
		}
		want := []string{"listen started", "whisper updated", "barge updated", "whisper updated", "listen updated", "held", "whisper updated", "unheld", "whisper ended"}
		if got := links(t, k.bLeg); !slices.Equal(got, want) {
			t.Errorf("links of the agent's call %q", got)
		}
		if got := links(t, boss); len(got) != 7 || got[0] != "listen started, as the supervisor" || got[6] != "whisper ended, as the supervisor" {
			t.Errorf("links of the supervisor's call %q", got)
		}
		k.a.Hangup(t)
		h.stop()
		if n := len(slices.DeleteFunc(h.eventTypes(), func(s string) bool { return !strings.HasPrefix(s, "supervision_") })); n != 7 {
			t.Errorf("%d events", n)
		}
	})
}

// TestSupervisionFollowsItsCall: from one bridge to the next, and to the call's end. The end of the talk is not held up by it.
func TestSupervisionFollowsItsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		after := `,{"type":"sleep","option":{"duration":2000}},{"type":"conference_join","option":{"conference_id":"blue"}}`
		h := open(t, map[string]string{"100": connectTo("", after, 1), "200": waiting, "blue": roomFlow}, outbound, func(c *call.Config) { c.OpenRooms = true })
		k := newTalk(t, h)
		s, boss := supervisorOf(t, h, k.aIn, k.bLeg)
		done := make(chan error, 1)
		go func() { done <- boss.Supervise(t.Context(), k.aIn, call.SuperviseBarge) }()
		time.Sleep(time.Second)
		k.b.Hangup(t)
		time.Sleep(time.Second)
		if _, in := k.aIn.Bridge(); in {
			t.Error("the talk goes on with a supervisor in place of the other one")
		}
		n := len(s.Heard())
		time.Sleep(2 * time.Second)
		c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "blue")
		c.Say(calltest.Tone(1200, time.Minute))
		time.Sleep(1500 * time.Millisecond)
		onlyHears(t, "the supervisor in the room", s.Heard()[n+14000:], 500, 1200)
		if !calltest.Hears(c.Heard(), 1000) {
			t.Error("who barges in is not heard in the room")
		}
		k.a.Hangup(t)
		if err := <-done; err != nil {
			t.Errorf("the supervised call has ended: %v", err)
		}
		n = len(s.Heard())
		time.Sleep(time.Second)
		if s.Ended() != "" || len(s.Heard()) > n+8*160 {
			t.Errorf("the supervisor's call has ended (%q), or hears more", s.Ended())
		}
		s.Hangup(t)
	})
}

// TestWhoMaySupervise: the program may, a flow may not, and Config.Supervise has the last word, each time.
func TestWhoMaySupervise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var live *call.Call
		fromFlow := make(chan error, 1)
		h := open(t, nil, func(c *call.Config) {
			c.Route = func(_ context.Context, in *call.Incoming) (flow.Program, error) {
				return flow.Func(func(ctx context.Context, l action.Leg) error {
					if in.Request.User == "flow" {
						fromFlow <- l.(*call.Call).Supervise(ctx, live, call.SuperviseListen)
						return nil
					}
					_ = l.(*call.Call).Answer(ctx)
					<-ctx.Done()
					return context.Cause(ctx)
				}), nil
			}
		})
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		live = h.up(t)
		calltest.NewPhone(t, h.net, calltest.PhoneConfig{User: "x"}).Start(t, "flow")
		if err := <-fromFlow; !errors.Is(err, call.ErrSupervise) {
			t.Errorf("a flow supervises: %v", err)
		}
		if err := live.Supervise(t.Context(), live, call.SuperviseListen); !errors.Is(err, call.ErrSupervise) {
			t.Errorf("a call supervises itself: %v", err)
		}
		if err := live.SuperviseAs(t.Context(), call.SuperviseBarge); !errors.Is(err, call.ErrSupervise) {
			t.Errorf("it goes over to barge: %v", err)
		}
		a.Hangup(t)
	})
	synctest.Test(t, func(t *testing.T) {
		var asked []string
		h := open(t, map[string]string{"100": connectTo("", "", 1), "200": waiting}, outbound, func(c *call.Config) {
			c.Supervise = func(_ context.Context, s, target *call.Call, mode call.SuperviseMode) error {
				asked = append(asked, string(mode))
				if mode == call.SuperviseBarge {
					return errors.New("not today")
				}
				return nil
			}
		})
		k := newTalk(t, h)
		s, boss := supervisorOf(t, h, k.aIn, k.bLeg)
		if err := boss.Supervise(t.Context(), k.bLeg, call.SuperviseBarge); err == nil || !strings.Contains(err.Error(), "not today") {
			t.Errorf("denied: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- boss.Supervise(ctx, k.bLeg, call.SuperviseListen) }()
		synctest.Wait()
		if err := boss.SuperviseAs(t.Context(), call.SuperviseBarge); !errors.Is(err, call.ErrSupervise) {
			t.Errorf("denied: %v", err)
		}
		if err := boss.SuperviseAs(t.Context(), "shout"); err == nil {
			t.Error("a mode that there is not is taken")
		}
		if err := boss.Supervise(t.Context(), k.aIn, call.SuperviseListen); !errors.Is(err, call.ErrSupervise) {
			t.Errorf("two at once: %v", err)
		}
		if err := k.aIn.Supervise(t.Context(), boss, call.SuperviseListen); !errors.Is(err, call.ErrSupervise) {
			t.Errorf("a supervisor is supervised: %v", err)
		}
		if err := boss.PlayInto(t.Context(), media.Silence(time.Second, 8000), call.EarsAll); !errors.Is(err, call.ErrNotInBridge) {
			t.Errorf("it plays to those that it listens to: %v", err)
		}
		a, b := k.next()
		onlyHears(t, "the customer", a, 800)
		onlyHears(t, "the agent", b, 500)
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("ended by its context: %v", err)
		}
		if fmt.Sprint(asked) != "[barge listen barge listen]" {
			t.Errorf("asked for %v", asked)
		}
		s.Hangup(t)
		k.a.Hangup(t)
	})
}
